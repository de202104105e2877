"""The month price calendar and the day panel."""

import datetime as dt

import pytest
import sqlalchemy as sa
from factories import (
    NOW,
    fetch,
    make_account,
    make_group,
    make_member,
    make_organisation,
    make_room,
    make_rule,
    make_session,
    make_site,
    make_type,
)
from sqlalchemy import event

from models import Session, SessionType, db
from services.scheduling import produce_sessions


@pytest.fixture
def shop(make):
    """A type with a cheap Tuesday morning and three other days in June 2026."""

    def build():
        site = make_site(slug="bath")
        kind = make_type(site, price=None, slug="circuit", max_guests=6, waitlist_enabled=True)
        make_rule(kind, price=3400, position=0, weekdays=["tuesday"], label="Quiet Tuesday")
        make_rule(kind, price=4800, position=1)
        return {
            day: make_session(kind, local_start=f"2026-06-{day:02}T18:00", capacity=8).id
            for day in (9, 12, 13, 14)
        }

    return make(build)


def cell(page, day):
    return page.one(f"#day-2026-06-{day:02}")


def test_each_date_has_its_price_or_its_state(visitor, shop):
    page = visitor.get("/bath/book/circuit?month=2026-06")
    assert cell(page, 12).select_one(".p").get_text() == "£48"
    assert cell(page, 9).select_one(".p").get_text() == "£34"
    assert "is-cheapest" in cell(page, 9)["class"]
    assert "is-past" in cell(page, 1)["class"]
    assert "is-today" in cell(page, 4)["class"]
    assert "Closed" in cell(page, 10).get_text()
    assert "Not yet" in cell(page, 30).get_text()


def test_s5_beyond_the_schedule_says_not_yet_scheduled_never_full(visitor, shop):
    page = visitor.get("/bath/book/circuit?date=2026-06-20")
    assert "not yet scheduled" in cell(page, 20).select_one(".vh").get_text()
    assert "not yet scheduled" in page.text("#day")
    assert "full" not in cell(page, 20).get_text().lower()


def test_a_screen_reader_hears_one_sentence_for_a_date(visitor, shop):
    page = visitor.get("/bath/book/circuit?month=2026-06")
    assert cell(page, 9).select_one(".vh").get_text() == (
        "Tuesday 9 June, from £34, 1 session available, lowest price this month."
    )


def test_the_first_bookable_day_is_opened_by_itself(visitor, shop):
    page = visitor.get("/bath/book/circuit")
    assert page.text("#day-h") == "Tuesday 9 June"
    assert cell(page, 9)["aria-current"] == "date"
    assert "Book for £34" in page.text("#day")


def test_the_label_of_a_rule_is_shown_but_never_its_conditions(visitor, shop):
    page = visitor.get("/bath/book/circuit?date=2026-06-09")
    assert "Quiet Tuesday" in page.text("#day")


def test_the_price_of_the_button_is_for_the_whole_party(visitor, shop):
    page = visitor.get("/bath/book/circuit?date=2026-06-12&guests=3")
    assert "Book for £144" in page.text("#day")


@pytest.mark.parametrize(
    ("guests", "set_to", "said"),
    [
        ("0", 1, "1 to 100"),
        ("7", 6, "1 to 6 guests"),
        ("10000", 6, "1 to 6 guests"),
        ("two", 1, "couldn't read"),
    ],
)
def test_another_party_is_answered_with_the_nearest_allowed_one_and_says_so(
    visitor, shop, guests, set_to, said
):
    page = visitor.get(f"/bath/book/circuit?guests={guests}")
    assert page.text(".stepper output") == str(set_to)
    assert said in page.text(".party-note")


@pytest.mark.parametrize(
    "query",
    ["month=2026-13", "month=2026-6", "month=9999-01", "month=0000-01", "month=June", "month=",
     "date=2026-02-30", "date=yesterday", "date=9999-12-31", "date=0001-01-01", "date="],
)  # fmt: skip
def test_a_malformed_month_or_date_is_a_clear_404(visitor, shop, query):
    page = visitor.get(f"/bath/book/circuit?{query}", 404)
    assert "know" in page.text("main") or "plan that far" in page.text("main")


def test_a_fragment_has_the_booker_alone_and_varies_by_the_header(visitor, shop):
    page = visitor.fragment("/bath/book/circuit?date=2026-06-12")
    assert page.html.strip().startswith('<div id="booker"')
    assert "<html" not in page.html
    assert "HX-Request-Type" in page.response.headers["Vary"]


def test_d6_back_gets_the_whole_page(visitor, shop):
    headers = {
        "HX-Request": "true",
        "HX-Request-Type": "full",
        "HX-History-Restore-Request": "true",
    }
    assert "<html" in visitor.get("/bath/book/circuit", headers=headers).html


def test_p7_a_party_of_two_is_not_offered_the_price_of_a_session_with_one_place(visitor, make):
    def build():
        kind = make_type(make_site(slug="bath"), price=None, slug="circuit")
        make_rule(kind, price=1000, position=0, time_to=dt.time(12))
        make_rule(kind, price=4800, position=1)
        make_session(kind, local_start="2026-06-12T09:00", capacity=1)
        make_session(kind, local_start="2026-06-12T18:00", capacity=8)

    make(build)
    assert cell(visitor.get("/bath/book/circuit"), 12).select_one(".p").get_text() == "£10"
    page = visitor.get("/bath/book/circuit?guests=2")
    assert cell(page, 12).select_one(".p").get_text() == "£48"
    assert "Only 1 place left, too few for your party of 2." in page.text("#day")


@pytest.mark.parametrize(
    ("given", "css", "sentence"),
    [
        ({"max_advance_bookings_interval": "P3D"}, "is-far", "opens for booking on Tuesday 9 June"),
        ({"min_advance_bookings_interval": "P10D"}, "is-soon", "too late to book online, call us"),
        ({"members_only": True}, "is-member", "members only"),
    ],
)
def test_a_date_that_cant_be_booked_shows_the_state_instead(visitor, make, given, css, sentence):
    make(lambda: make_session(make_type(make_site(slug="bath"), slug="circuit", **given)))
    page = visitor.get("/bath/book/circuit?date=2026-06-12")
    assert css in cell(page, 12)["class"]
    assert sentence in cell(page, 12).select_one(".vh").get_text()
    assert page.all(".why"), "the day panel says why"


def test_a_full_date_says_whether_there_is_a_waiting_list(visitor, make):
    def build():
        kind = make_type(make_site(slug="bath"), slug="circuit")
        make_session(kind, capacity=2, places_taken=2, parties_taken=1)
        make_session(
            kind, local_start="2026-06-13T18:00", capacity=2, places_taken=2, parties_taken=1,
            waitlist_enabled=True,
        )  # fmt: skip

    make(build)
    page = visitor.get("/bath/book/circuit?month=2026-06")
    assert "Full" in cell(page, 12).get_text()
    assert "Waitlist" in cell(page, 13).get_text()


def test_members_see_member_days_and_member_prices(visitor, make):
    def build():
        organisation = make_organisation()
        site = make_site(organisation, slug="bath")
        kind = make_type(site, price=None, slug="circuit", members_only=True)
        river = make_member(organisation.id, make_account(), last_day=dt.date(2026, 6, 12))
        make_rule(kind, price=4000, position=0, membership_type_ids=[river.id], label="River")
        make_rule(kind, price=6000, position=1)
        make_session(kind)
        make_session(kind, local_start="2026-06-13T18:00")

    make(build)
    assert not visitor.get("/bath/book/circuit?date=2026-06-12").all("form.slot")
    visitor.sign_in("ana@example.com", "quiet-rooms")
    page = visitor.get("/bath/book/circuit?date=2026-06-12")
    assert "Book for £40" in page.text("#day")
    # The membership ends on the 12th: it is the session's own date that counts.
    assert "is-member" in cell(page, 13)["class"]


def test_currencies_without_minor_units_are_not_divided(visitor, make):
    def build():
        site = make_site(slug="bay", currency="ISK", zone="Atlantic/Reykjavik")
        make_session(make_type(site, slug="lagoon", price=9900))

    make(build)
    assert "ISK 9,900" in cell(visitor.get("/bay/book/lagoon"), 12).get_text()


def test_p4_price_zero_is_free(visitor, make):
    make(lambda: make_session(make_type(make_site(slug="bath"), slug="stretch", price=0)))
    page = visitor.get("/bath/book/stretch")
    assert "Free" in cell(page, 12).get_text()
    assert "Book free" in page.text("#day")


@pytest.mark.parametrize(
    "given", [{"visibility": "private"}, {"visibility": "link_only"}, {"offered_online": False}]
)
def test_d2_r30_what_is_not_public_is_not_found_and_not_listed(visitor, make, given):
    make(
        lambda: make_session(
            make_type(make_site(slug="bath"), slug="secret", name="Secret thing", **given)
        )
    )
    assert "Secret thing" not in visitor.get("/bath/book/secret", 404).html
    assert "Secret thing" not in visitor.get("/bath/").html


def test_another_type_or_site_is_not_found(visitor, shop):
    visitor.get("/bath/book/nothing", 404)
    visitor.get("/nowhere/book/circuit", 404)
    visitor.get("/nowhere/", 404)


def test_an_unchanged_page_answers_304_and_a_changed_one_does_not(visitor, shop, make):
    first = visitor.get("/bath/book/circuit")
    etag = first.response.headers["ETag"]
    again = visitor.get("/bath/book/circuit", 304, headers={"If-None-Match": etag})
    assert again.html == ""

    def somebody_books():
        row = fetch(Session, shop[9])
        row.places_taken, row.parties_taken = 2, 1
        fetch(SessionType, row.session_type_id).revision += 1
        db.session.commit()

    make(somebody_books)
    changed = visitor.get("/bath/book/circuit", headers={"If-None-Match": etag})
    assert "6 of 8 left" in changed.text("#day")


def test_the_etag_differs_for_page_fragment_party_and_person(visitor, other_visitor, shop):
    url = "/bath/book/circuit"
    etags = {
        visitor.get(url).response.headers["ETag"],
        visitor.fragment(url).response.headers["ETag"],
        visitor.get(f"{url}?guests=2").response.headers["ETag"],
        other_visitor.get(url).response.headers["ETag"],
    }
    assert len(etags) == 4


def count_queries(app, do):
    statements = []

    def note(_conn, _cursor, statement, *_rest):
        if statement.lstrip().upper().startswith(("SELECT", "UPDATE", "INSERT", "DELETE", "WITH")):
            statements.append(statement)

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        do()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return statements


@pytest.mark.parametrize("days", [10, 1000])
def test_the_month_asks_as_many_questions_for_30_as_for_3000_sessions(app, visitor, make, days):
    def build():
        site = make_site(slug="bath")
        kind = make_type(site, slug="circuit")
        first = dt.date(2026, 6, 5)
        times = [dt.time(9), dt.time(12), dt.time(18)]
        if days == 1000:
            # 3,000 sessions within the months that the page reads.
            times = [dt.time(hour, minute) for hour in range(7, 22) for minute in (0, 30)]
        group = make_group(
            kind,
            make_room(site),
            weekdays=["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"],
            start_times=times,
            recurrence_start=first,
            recurrence_end=first + dt.timedelta(days=99 if days == 1000 else 9),
        )
        assert produce_sessions(site.organisation_id, group.id, now=NOW) == days * 3

    make(build)
    visitor.get("/healthz")
    asked = count_queries(app, lambda: visitor.client.get("/bath/book/circuit?month=2026-06"))
    # The key; the type with its site, picture and categories; its rules; sessions; closed days.
    assert len(asked) == 5, asked
    kept = count_queries(app, lambda: visitor.client.get("/bath/book/circuit?month=2026-06"))
    assert len(kept) == 1, kept


def test_html_in_a_name_is_shown_as_text(visitor, make):
    make(
        lambda: make_session(
            make_type(make_site(slug="bath"), slug="circuit", name="A <b>bold</b> name")
        )
    )
    assert "<b>bold" not in visitor.get("/bath/book/circuit").html


def test_d5_markdown_is_cleaned(visitor, make):
    text = "**Warm** <script>alert(1)</script> [x](javascript:alert(1)) <img src=x onerror=y>"
    make(lambda: make_session(make_type(make_site(slug="bath"), slug="circuit", description=text)))
    prose = visitor.get("/bath/book/circuit").one(".prose")
    assert prose.select_one("strong").get_text() == "Warm"
    assert not prose.select("script, img, [href^=javascript], [onerror]")


def test_no_row_is_written_by_looking(app, visitor, shop):
    written = [
        statement
        for statement in count_queries(app, lambda: visitor.client.get("/bath/book/circuit"))
        if not statement.lstrip().upper().startswith("SELECT")
    ]
    assert written == []
    with app.app_context():
        assert db.session.scalar(sa.text("SELECT count(*) FROM session_bookings")) == 0
