"""From Book to booked: two screens, every refusal with a sentence, nothing typed lost."""

import datetime as dt

import pytest
import sqlalchemy as sa
from factories import ANYWHERE, fetch, make_session, make_site, make_type

from blueprints.clock import read_clock
from models import Order, Session, SessionBooking, db
from services.waking import release_expired_holds


@pytest.fixture
def slot(make):
    return make(
        lambda: make_session(make_type(make_site(slug="bath"), slug="circuit"), capacity=3).id
    )


def book(visitor, slot, *, guests=2, **given):
    fields = {"session_id": slot, "guests": str(guests), "date": "2026-06-12", "key": "k1", **given}
    return visitor.post("/bath/book/circuit", fields)


def places(app, slot):
    with app.app_context():
        return fetch(Session, slot).places_taken


@pytest.fixture
def held(visitor, slot):
    page = book(visitor, slot)
    assert page.status == 303
    assert page.response.headers["Location"] == "/bath/checkout"
    return visitor.get("/bath/checkout")


def age_holds(app, minutes):
    """Let the holds have been taken earlier, as if the customer had gone for coffee."""
    with app.app_context():
        moment = read_clock() - dt.timedelta(minutes=minutes)
        db.session.execute(
            sa.update(SessionBooking).values(expires_at=moment + dt.timedelta(minutes=15)),
            execution_options=ANYWHERE,
        )
        db.session.execute(sa.update(Order).values(held_since=moment), execution_options=ANYWHERE)
        db.session.commit()


def test_two_screens_and_two_fields_make_a_booking(app, visitor, slot, held):
    form = held.form("#details")
    assert {"name", "email"} <= set(form)
    done = visitor.post(
        "/bath/checkout", {**form, "name": "Ana Reyes", "email": "a@example.com"}, 303
    )
    page = visitor.get(done.response.headers["Location"])
    assert "See you Friday, Ana." in page.text("h1")
    assert page.one(".qr svg")
    assert "£96.00" in page.text(".paid")
    assert "noindex" in page.one("meta[name=robots]")["content"]
    assert places(app, slot) == 2


def test_the_calendar_file_says_when_and_where(visitor, held):
    done = visitor.post(
        "/bath/checkout", {**held.form("#details"), "name": "Ana", "email": "a@example.com"}, 303
    )
    answer = visitor.client.get(done.response.headers["Location"] + "/calendar.ics")
    text = answer.get_data(as_text=True)
    assert answer.mimetype == "text/calendar"
    assert "DTSTART:20260612T170000Z" in text
    assert "DTEND:20260612T190000Z" in text
    assert "SUMMARY:Thermal circuit" in text


def test_t7_the_hold_shows_the_servers_clock(held):
    assert held.one("time[data-countdown]")["datetime"] == "PT15M0S" or "PT14M" in str(
        held.one("time[data-countdown]")
    )


@pytest.mark.parametrize(
    ("name", "email", "said"),
    [
        ("", "ana@example.com", "Enter your name."),
        ("<script>alert(1)</script>", "ana@example.com", "Leave out the < and > signs."),
        ("Ana", "ana@", "Add the part after the @"),
        ("Ana", "", "Enter your email address."),
    ],
)
def test_bad_details_are_422_with_a_sentence_and_keep_what_was_typed(
    visitor, held, name, email, said
):
    page = visitor.post(
        "/bath/checkout", {**held.form("#details"), "name": name, "email": email}, 422
    )
    assert said in page.text(".summary")
    assert page.soup.title.get_text().startswith("Error:")
    assert page.one("#email")["value"] == email
    assert page.one("#name")["value"] == name
    assert "<script>alert" not in page.html


def test_h6_a_second_press_of_book_is_the_same_hold(app, visitor, slot):
    first = visitor.token()
    for _ in range(2):
        assert book(visitor, slot, csrf_token=first).status == 303
    assert places(app, slot) == 2


def test_h6_a_second_press_of_confirm_is_the_same_order(app, visitor, held):
    fields = {**held.form("#details"), "name": "Ana", "email": "a@example.com"}
    first = visitor.post("/bath/checkout", fields, 303)
    second = visitor.post("/bath/checkout", fields, 303)
    assert first.response.headers["Location"] == second.response.headers["Location"]
    with app.app_context():
        count = sa.select(sa.func.count()).select_from(Order)
        assert db.session.scalar(count, execution_options=ANYWHERE) == 1


def test_the_same_slot_can_be_booked_again_after_buying(app, visitor, make, held, slot):
    visitor.post("/bath/checkout", {**held.form("#details"), "name": "A", "email": "a@example.com"})
    assert book(visitor, slot, guests=1).status == 303
    assert places(app, slot) == 3


def test_a_lost_race_is_409_on_the_same_day_with_what_is_free(visitor, other_visitor, slot):
    book(visitor, slot, guests=2)
    page = book(other_visitor, slot, guests=2)
    assert page.status == 409
    assert "Only 1 place left" in page.text("#refusal")
    assert page.text("#day-h") == "Friday 12 June"
    assert page.text(".stepper output") == "2"


@pytest.mark.parametrize("guests", ["0", "-1", "10000", "two", "", "1.5"])
def test_a_silly_party_is_422_with_a_sentence(app, visitor, slot, guests):
    page = book(visitor, slot, guests=guests)
    assert page.status == 422
    assert page.text("#refusal")
    assert places(app, slot) == 0


@pytest.mark.parametrize("session_id", ["", "x", "f" * 24, "0" * 5000, "<b>"])
def test_a_foreign_or_malformed_session_is_refused(visitor, slot, session_id):
    page = visitor.post("/bath/book/circuit", {"session_id": session_id, "guests": "1", "key": "k"})
    assert page.status in (404, 422)
    assert page.text("main")


def test_r1_a_session_of_another_organisation_is_not_found(app, visitor, slot, make):
    foreign = make(lambda: make_session(make_type(make_site(slug="other"), slug="theirs")).id)
    assert book(visitor, foreign).status == 404
    assert places(app, foreign) == 0


def test_a_form_without_its_token_is_a_clear_400(app, visitor, slot):
    answer = visitor.client.post("/bath/book/circuit", data={"session_id": slot, "guests": "1"})
    assert answer.status_code == 400
    assert "This page is old" in answer.get_data(as_text=True)
    assert places(app, slot) == 0


def test_a_ten_megabyte_body_is_a_clear_413(visitor, held):
    answer = visitor.client.post("/bath/checkout", data={"name": "x" * 10_000_000})
    assert answer.status_code == 413
    assert "more than we can take" in answer.get_data(as_text=True)


def test_h3_h4_an_expired_basket_keeps_the_details_and_is_rebuilt_in_one_press(app, visitor, held):
    age_holds(app, 20)
    fields = {**held.form("#details"), "name": "Ana Reyes", "email": "a@example.com"}
    page = visitor.post("/bath/checkout", fields, 409)
    assert "Your hold ran out" in page.text(".note--warn")
    visitor.post("/bath/checkout/rebuild", {}, 303)
    page = visitor.get("/bath/checkout")
    assert "held for you again" in page.text("main")
    assert page.one("#name")["value"] == "Ana Reyes"
    assert page.one("#email")["value"] == "a@example.com"


def test_h4_it_makes_no_difference_whether_the_worker_was_quicker(app, visitor, held):
    age_holds(app, 20)
    with app.app_context():
        assert release_expired_holds(read_clock()) == 1
    page = visitor.get("/bath/checkout")
    assert "Your hold ran out" in page.text(".note--warn")
    visitor.post("/bath/checkout/rebuild", {}, 303)
    assert visitor.get("/bath/checkout").all("#details")


def test_a_rebuild_without_places_says_so(app, visitor, other_visitor, slot, held):
    age_holds(app, 20)
    book(other_visitor, slot, guests=3)
    page = visitor.post("/bath/checkout/rebuild", {}, 303)
    page = visitor.get("/bath/checkout")
    assert "This session is full." in page.text("main")


def test_h3_keep_my_places_gives_more_time_and_keeps_what_was_typed(app, visitor, held):
    age_holds(app, 10)
    visitor.post("/bath/checkout/renewal", {"name": "Ana", "email": "half@"}, 303)
    page = visitor.get("/bath/checkout")
    assert page.one("time[data-countdown]")["datetime"].startswith(("PT14M", "PT15M"))
    assert page.one("#email")["value"] == "half@"


def test_a_line_can_be_taken_out(app, visitor, slot, held):
    action = held.one(".mini button[formaction]")["formaction"]
    visitor.post(action, {"name": "Ana", "email": ""}, 303)
    assert places(app, slot) == 0
    assert "Your basket is empty" in visitor.get("/bath/checkout").text("h1")


def test_h7_looking_at_the_checkout_changes_nothing(app, visitor, slot, held):
    age_holds(app, 20)
    visitor.get("/bath/checkout")
    assert places(app, slot) == 2


def test_the_basket_stands_in_the_head_of_every_page(visitor, held):
    badge = visitor.get("/bath/").one(".basket-link")
    assert badge.select_one(".count").get_text() == "1"


def test_guests_names_are_asked_where_the_type_needs_them(visitor, make):
    kind = {"slug": "sound", "max_per_guest": 1}
    row = make(lambda: make_session(make_type(make_site(slug="bath"), **kind)).id)
    visitor.post("/bath/book/sound", {"session_id": row, "guests": "2", "key": "k"}, 303)
    page = visitor.get("/bath/checkout")
    fields = {**page.form("#details"), "name": "Ana", "email": "a@example.com"}
    page = visitor.post("/bath/checkout", {**fields, "person-1": ""}, 422)
    assert "Enter a name for guest 2." in page.text(".summary")
    page = visitor.post("/bath/checkout", {**fields, "person-1": "Ana"}, 303)
    done = visitor.get(page.response.headers["Location"])
    assert "Ana, Ana" in done.text(".when")


def test_an_unknown_link_is_404_and_tells_nothing(visitor, held):
    page = visitor.get("/bookings/not-a-secret", 404)
    assert "couldn't find that booking" in page.text("main")
    visitor.get("/bookings/not-a-secret/calendar.ics", 404)


def test_an_unconfirmed_basket_has_no_booking_page(app, visitor, held):
    with app.app_context():
        secret = db.session.scalar(sa.select(Order.secret), execution_options=ANYWHERE)
    visitor.get(f"/bookings/{secret}", 404)


def test_personal_pages_are_not_stored(visitor, held):
    assert held.response.headers["Cache-Control"] == "no-store"


def test_h6_book_after_remove_is_another_deed(app, visitor, slot, held):
    visitor.post(held.one(".mini button[formaction]")["formaction"], {"name": ""}, 303)
    assert book(visitor, slot).status == 303
    assert places(app, slot) == 2
    assert visitor.get("/bath/checkout").all("#details")


def test_a_stale_token_at_confirm_keeps_what_was_typed(visitor, held):
    fields = {**held.form("#details"), "name": "Ana Reyes", "email": "a@example.com"}
    page = visitor.post("/bath/checkout", {**fields, "csrf_token": "stale"}, 400)
    assert "This page was old" in page.text(".note")
    assert page.one("#name")["value"] == "Ana Reyes"


def test_guests_names_survive_a_press_of_keep_my_places(app, visitor, make):
    kind = {"slug": "sound", "max_per_guest": 1}
    row = make(lambda: make_session(make_type(make_site(slug="bath"), **kind)).id)
    visitor.post("/bath/book/sound", {"session_id": row, "guests": "2", "key": "k"}, 303)
    age_holds(app, 10)
    visitor.post("/bath/checkout/renewal", {"name": "Ana", "person-1": "Jude Moss"}, 303)
    assert visitor.get("/bath/checkout").one("#person-1")["value"] == "Jude Moss"


@pytest.mark.parametrize("date", ["9999-12-31", "0001-01-01", "2030-01-01", "soon"])
def test_a_silly_day_beside_a_refusal_doesnt_hide_it(visitor, slot, date):
    page = book(visitor, slot, guests=0, date=date)
    assert page.status == 422
    assert page.text("#refusal")


def test_links_begin_with_the_public_address_whatever_the_host_says(visitor, app, held):
    fields = {**held.form("#details"), "name": "Ana", "email": "a@example.com"}
    link = visitor.post("/bath/checkout", fields, 303).response.headers["Location"]
    app.config["PUBLIC_ADDRESS"] = "https://book.example"
    try:
        text = visitor.client.get(f"{link}/calendar.ics", headers={"Host": "evil.example"})
        assert "https://book.example/bookings/" in text.get_data(as_text=True).replace("\r\n ", "")
    finally:
        app.config["PUBLIC_ADDRESS"] = None
