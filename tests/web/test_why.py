"""The page that says why somebody can't book, and booking in spite of it."""

import datetime as dt

import pytest
import sqlalchemy as sa
from factories import (
    ANYWHERE,
    fetch,
    make_account,
    make_customer,
    make_organisation,
    make_session,
    make_site,
    make_staff,
    make_type,
)

from models import Session, SessionBooking, Site, db

BOTH = ("RESERVATIONS_MANAGE", "CUSTOMERS_MANAGE")


@pytest.fixture
def house(make):
    """A members' session that has closed and a plain one; Ana with an account, Jude without."""

    def build():
        site = make_site(slug="bath")
        make_staff(site, rights=BOTH)
        make_staff(site, "desk@example.com")
        closed = make_type(
            site, slug="dawn", name="Dawn swim", members_only=True, max_guests=4,
            min_advance_bookings_interval="P30D",
        )  # fmt: skip
        plain = make_type(site, slug="circuit", name="Circuit")
        other = make_site(make_organisation(), slug="elsewhere")
        second = make_site(slug="second")
        return {
            "closed": make_session(closed, capacity=3).id,
            "plain": make_session(plain).id,
            "soon": make_session(plain, local_start="2026-06-04T12:00").id,
            "started": make_session(closed, local_start="2026-06-04T09:30").id,
            "type": closed.id,
            "ana": make_customer(site.organisation_id, make_account()).id,
            "jude": make_customer(
                site.organisation_id, name="Jude Park", email="jude@example.com"
            ).id,
            "stranger": make_customer(other.organisation_id, name="Stranger").id,
            "theirs": make_session(make_type(other)).id,
            "second": make_session(make_type(second)).id,
        }

    return make(build)


@pytest.fixture
def maren(visitor, house):
    visitor.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    return visitor


def ask(visitor, status=200, **question):
    query = "&".join(f"{name}={value}" for name, value in question.items())
    return visitor.get(f"/staff/bath/why?{query}", status)


def failed(page):
    return [tag["data-code"] for tag in page.all(".checks .is-failed")]


def bookings(app):
    with app.app_context():
        rows = db.session.scalars(sa.select(SessionBooking), execution_options=ANYWHERE).all()
        db.session.expunge_all()
        return rows


# ---------------------------------------------------------------- asking


def test_d3_the_page_asks_for_the_right_over_bookings(visitor, make, house):
    visitor.get("/staff/bath/why", 303)

    def hire():
        site = fetch(Site, fetch(Session, house["plain"]).site_id)
        make_staff(site, "crm@example.com", rights=("CUSTOMERS_MANAGE",))

    make(hire)
    visitor.sign_in("crm@example.com", "thermal-waters", "/staff/sign-in")
    visitor.get("/staff/bath/why", 403)
    visitor.post("/staff/bath/why", {}, 403)
    visitor.sign_in("desk@example.com", "thermal-waters", "/staff/sign-in")
    visitor.get("/staff/bath/why", 200)
    visitor.get("/staff/elsewhere/why", 404)


def test_it_is_asked_step_by_step_with_plain_links(maren, house):
    page = ask(maren)
    assert "Who, and which session?" in page.text("main")
    page = ask(maren, q="jude")
    page = maren.get(page.one(".hits-s a")["href"])
    assert "Which session?" in page.text("main")
    form = page.form("form:has(#type)")
    page = ask(maren, **{**form, "type": house["type"], "date": "2026-06-12"})
    page = maren.get(page.one("[aria-labelledby=which-h] .hits-s a")["href"])
    assert "Jude Park can’t book this" in page.text("main")
    assert failed(page) == ["member", "window_closed"]
    page = ask(maren, q="nobody")
    assert "Nobody matches" in page.text("main")
    assert "No session on" in ask(maren, type=house["type"], date="2026-06-13").text("main")


def test_every_check_is_shown_with_a_word_and_what_the_customer_reads(maren, house):
    page = ask(maren, customer="visitor", session=house["closed"], guests=4)
    marks = {tag.get_text().strip() for tag in page.all(".checks .mark")}
    assert marks == {"Passed", "Failed"}
    assert failed(page) == ["member", "window_closed", "places_left"]
    text = page.text(".checks")
    assert "This session is for members. Sign in if you are one." in text
    assert "Only 3 places left, too few for your party of 4." in text
    assert "£48 each, £192 in all" in page.text("main")
    assert "nobody can book in spite of this" in page.text("#anyway")
    assert not page.all("#anyway form")
    assert "Yes" in ask(maren, customer="visitor", session=house["plain"]).text("main .badge")


def test_the_roster_leads_here(maren, house):
    page = maren.get(f"/staff/bath/sessions/{house['plain']}")
    page = maren.get(page.one(".tools a[href*=why]")["href"])
    assert "Who would like to book?" in page.text("main")
    assert "Circuit" in page.text("[aria-labelledby=which-h]")


def test_another_moment_is_the_sites_wall_time(maren, house):
    question = {"customer": "visitor", "session": house["closed"]}
    page = ask(maren, **question, at="2026-05-13T17:59")
    assert failed(page) == ["member"]
    assert "Wednesday 13 May at 18:00" in page.text("[data-code=window_closed]")
    assert "Places and parties are those of now" in page.text("main")
    assert "Booking happens now" in page.text("#anyway")
    assert failed(ask(maren, **question, at="2026-05-13T18:01")) == ["member", "window_closed"]


def test_t2_a_moment_in_the_gap_is_taken_as_the_shop_does_and_said(maren, house):
    question = {"customer": "visitor", "session": house["plain"]}
    page = ask(maren, **question, at="2026-03-29T01:30")
    assert "The clocks skip that time" in page.text("main")
    assert "29 March at 02:30" in page.text("main")
    page = ask(maren, **question, at="2026-10-25T01:30")
    assert "twice" in page.text("main")
    assert "Asked for Sunday 25 October at 01:30" in page.text("main")


@pytest.mark.parametrize(
    ("question", "at"),
    [
        ({"guests": "0"}, "guests"),
        ({"guests": "101"}, "guests"),
        ({"guests": "two"}, "guests"),
        ({"guests": "²"}, "guests"),
        ({"at": "soon"}, "at"),
        ({"at": "0001-01-01T00:00"}, "at"),
        ({"at": "2026-06-12T18:00Z"}, "at"),
    ],
)
def test_what_cant_be_read_gets_a_sentence_and_is_kept(maren, house, question, at):
    page = ask(maren, 422, customer="visitor", session=house["plain"], **question)
    assert page.text("title").startswith("Error:")
    assert page.one(".field--error input")["id"] == at
    assert page.one(f"#{at}")["value"] == question[at]
    assert not page.all(".checks")


def test_a_date_that_cant_be_read(maren, house):
    page = ask(maren, 422, type=house["type"], date="2026-13-01")
    assert page.one(".field--error input")["id"] == "date"
    ask(maren, type="nonsense", date="2026-06-12")


@pytest.mark.parametrize(
    "question",
    [
        {"session": "theirs", "customer": "visitor"},
        {"session": "second", "customer": "visitor"},
        {"session": "plain", "customer": "stranger"},
        {"session": "nonsense"},
        {"customer": "nonsense"},
    ],
)
def test_d1_foreign_sessions_and_customers_are_not_found(maren, house, question):
    ask(maren, 404, **{name: house.get(value, value) for name, value in question.items()})
    assert "Stranger" not in ask(maren, q="stranger").text("[aria-labelledby=who-h]")


def test_somebody_without_an_account_is_met_as_a_visitor(maren, house):
    page = ask(maren, customer=house["jude"], session=house["plain"])
    assert "no account here" in page.text("main")
    page = ask(maren, customer=house["ana"], session=house["plain"])
    assert "no account here" not in page.text("main")


def test_h7_asking_writes_nothing(app, maren, house):
    ask(maren, customer=house["ana"], session=house["closed"], guests=2)
    assert bookings(app) == []


# ---------------------------------------------------------------- in spite of it


@pytest.fixture
def asked(maren, house):
    return ask(maren, customer=house["jude"], session=house["closed"], guests=2)


def press(visitor, form, status=303, **fields):
    return visitor.post(
        "/staff/bath/why", {**form, "reason": "Her birthday, agreed by phone", **fields}, status
    )


def test_it_is_booked_with_the_reason_on_the_roster_and_the_customers_page(
    app, maren, house, asked
):
    form = asked.form("#anyway form")
    assert (form["name"], form["email"]) == ("Jude Park", "jude@example.com")
    done = press(maren, form)
    assert f"/sessions/{house['closed']}#b-" in done.response.headers["Location"]
    (row,) = bookings(app)
    assert (row.overridden, row.places) == (["member", "window_closed"], 2)
    assert (row.customer_id, row.status) == (house["jude"], "confirmed")
    said = "Booked in spite of: for members, booking closed, by Maren Ellis. “Her birthday, agreed"
    roster = maren.get(f"/staff/bath/sessions/{house['closed']}")
    assert said in roster.text(f"#b-{row.id}")
    assert "Jude Park is booked" in roster.text(".note--ok")
    assert said in maren.get(f"/staff/bath/customers/{house['jude']}").text(".bookings-s")


def test_h6_pressing_twice_books_once(app, maren, house, asked):
    form = asked.form("#anyway form")
    press(maren, form)
    press(maren, form)
    assert len(bookings(app)) == 1
    page = press(maren, form, 409, reason="Another reason")
    # Too few places are left by now, so there is no form; what was typed is there all the same.
    assert "You wrote: “Another reason”" in page.text("#anyway")


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"reason": ""}, "o-reason"),
        ({"reason": "x" * 501}, "o-reason"),
        ({"name": ""}, "o-name"),
        ({"name": "<b>Jude</b>"}, "o-name"),
        ({"email": "jude"}, "o-email"),
    ],
)
def test_it_is_refused_without_a_reason_and_keeps_what_was_typed(app, maren, asked, fields, at):
    page = press(maren, asked.form("#anyway form"), 422, **fields)
    assert page.text("title").startswith("Error:")
    assert page.one(f"[role=alert] a[href='#{at}']")
    field = page.one(f"#{at}")
    kept = field.get_text() if field.name == "textarea" else field.get("value", "")
    assert kept.strip() == next(iter(fields.values()))
    assert bookings(app) == []


@pytest.mark.parametrize("fields", [{"guests": "0"}, {"guests": "x"}, {"guests": ""}])
def test_a_party_that_cant_be_is_refused(app, maren, asked, fields):
    press(maren, asked.form("#anyway form"), 422, **fields)
    assert bookings(app) == []


def test_rules_about_the_person_need_the_right_over_customers(app, visitor, house):
    visitor.sign_in("desk@example.com", "thermal-waters", "/staff/sign-in")
    page = ask(visitor, customer="visitor", session=house["closed"])
    assert not page.all("#anyway form")
    assert "a colleague with the right to manage customers can" in page.text("#anyway")
    assert not page.all("[aria-labelledby=who-h] a[href*='/customers/']")
    fields = {
        "session": house["closed"], "customer": "visitor", "guests": "1", "name": "Jude",
        "email": "", "shown": "member window_closed", "key": "k",
    }  # fmt: skip
    press(visitor, fields, 403)
    assert bookings(app) == []


def test_the_desk_alone_may_override_the_window(app, visitor, house, make):
    def build():
        kind = fetch(Session, house["plain"]).session_type
        kind.min_advance_bookings_interval = "P30D"
        db.session.commit()

    make(build)
    visitor.sign_in("desk@example.com", "thermal-waters", "/staff/sign-in")
    page = ask(visitor, customer="visitor", session=house["plain"])
    press(visitor, page.form("#anyway form"), name="New One")
    assert bookings(app)[0].overridden == ["window_closed"]


def fill(house, make, **values):
    def build():
        row = fetch(Session, house["closed"])
        for name, value in values.items():
            setattr(row, name, value)
        db.session.commit()

    make(build)


@pytest.mark.parametrize(
    ("moved", "said"),
    [
        ({"places_taken": 3}, "full"),
        ({"deleted_at": dt.datetime(2026, 6, 4, tzinfo=dt.UTC)}, "cancelled"),
        ({"max_baskets": 1, "parties_taken": 1}, "taken"),
    ],
)
def test_r20_what_filled_up_meanwhile_is_overridden_by_nobody(
    app, maren, make, house, asked, moved, said
):
    form = asked.form("#anyway form")
    fill(house, make, **moved)
    page = press(maren, form, 409)
    assert said in page.text("[role=alert]")
    assert bookings(app) == []


def test_s3_a_reason_nobody_saw_is_shown_first(app, maren, house, asked):
    form = {**asked.form("#anyway form"), "shown": "member"}
    page = press(maren, form, 409)
    assert "Something else stands in the way" in page.text("[role=alert]")
    again = page.form("#anyway form")
    assert again["shown"] == "member window_closed"
    assert page.one("#o-reason").get_text().strip() == "Her birthday, agreed by phone"
    press(maren, again)
    assert len(bookings(app)) == 1


def test_a_started_session_points_to_the_walk_in(app, maren, house):
    page = ask(maren, customer="visitor", session=house["started"])
    assert not page.all("#anyway form")
    assert page.one("#anyway a")["href"].endswith("#walk-in")
    fields = {
        "session": house["started"], "customer": "visitor", "guests": "1", "name": "Jude",
        "email": "", "shown": "member window_closed", "key": "k",
    }  # fmt: skip
    page = press(maren, fields, 409)
    assert "walk-in" in page.text("[role=alert]")
    assert bookings(app) == []


@pytest.mark.parametrize("name", ["session", "customer"])
def test_d1_foreign_ids_are_not_found_when_booking(app, maren, house, asked, name):
    foreign = {"session": house["theirs"], "customer": house["stranger"]}[name]
    press(maren, {**asked.form("#anyway form"), name: foreign}, 404)
    press(maren, {**asked.form("#anyway form"), name: "nonsense"}, 404)
    assert bookings(app) == []


def test_no_person_chosen_is_not_a_visitor(app, maren, asked):
    press(maren, {**asked.form("#anyway form"), "customer": ""}, 404)
    assert bookings(app) == []


@pytest.mark.parametrize("many", [1, 12])
def test_the_page_lists_eight_people_and_says_how_many_more(maren, make, house, many):
    def build():
        organisation_id = fetch(Session, house["plain"]).organisation_id
        for number in range(many):
            make_customer(organisation_id, name=f"Zoe {number}", email=f"z{number}@example.com")

    make(build)
    page = ask(maren, q="zoe")
    assert len(page.all(".hits-s a")) == min(many, 8)
    assert ("4 more" in page.text("[aria-labelledby=who-h]")) is (many == 12)
