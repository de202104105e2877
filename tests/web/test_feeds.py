"""Calendar feeds and the timetable page, read back by the icalendar library."""

import datetime as dt

import pytest
import sqlalchemy as sa
from conftest import NOW
from factories import (
    ANYWHERE,
    fetch,
    make_account,
    make_order,
    make_practitioner,
    make_room,
    make_session,
    make_site,
    make_type,
)
from icalendar import Calendar

from models import Session, SessionBooking, SessionType, db
from services.account_closing import close_account
from services.changing import door_of_order
from services.feeds import find_feed_key
from services.moving import move
from services.places import raise_revision
from services.session_changes import (
    cancel_session,
    find_cancellable_session,
    find_restorable_session,
    restore_session,
)

HOUR = dt.timedelta(hours=1)


def events(answer):
    assert answer.status_code == 200, answer.get_data(as_text=True)[:300]
    assert answer.mimetype == "text/calendar"
    calendar = Calendar.from_ical(answer.get_data())
    assert str(calendar["version"]) == "2.0"
    assert str(calendar["x-published-ttl"]) == "PT1H"
    assert calendar["refresh-interval"].dt == HOUR
    found = {str(event["uid"]): event for event in calendar.walk("VEVENT")}
    assert len(found) == len(calendar.walk("VEVENT"))
    return found


def cancel(row_id, now, reason="Flooding"):
    row = fetch(Session, row_id)
    ids = (row.organisation_id, row.site_id, row.id)
    mark = find_cancellable_session(*ids, now=now).impact.mark
    cancel_session(*ids, reason=reason, seen=mark, now=now)


def restore(row_id, now):
    row = fetch(Session, row_id)
    ids = (row.organisation_id, row.site_id, row.id)
    mark = find_restorable_session(*ids, now=now).clash_mark
    restore_session(*ids, seen=mark, now=now)


@pytest.fixture
def ana(visitor, make):
    """Ana, signed in, with a booking on each side of the clock change and one long past."""

    def build():
        site = make_site(slug="bath")
        kind = make_type(site, slug="circuit", name="Thermal circuit")
        room = make_room(site)
        account = make_account()
        starts = ("2026-06-12T18:00", "2026-10-24T09:00", "2026-10-26T09:00")
        rows = [make_session(kind, local_start=start, room_id=room.id) for start in starts]
        for row in rows:
            make_order(row, account_id=account.id)
        for start in ("2026-01-05T09:00", "2026-05-05T09:00"):
            gone = make_session(kind, local_start="2026-06-20T09:00")
            make_order(gone, account_id=account.id)
            at = dt.datetime.fromisoformat(f"{start}+00:00")
            gone = fetch(Session, gone.id)
            gone.start_time, gone.end_time = at, at + HOUR
            db.session.commit()
        lines = db.session.scalars(
            sa.select(SessionBooking).order_by(SessionBooking.id), execution_options=ANYWHERE
        )
        return {
            "account": account.id,
            "lines": [line.id for line in lines],
            "sessions": [row.id for row in rows],
        }

    found = make(build)
    visitor.sign_in("ana@example.com", "quiet-rooms")
    return found


def feed_path(app, ana):
    with app.app_context():
        return f"/feeds/{find_feed_key(ana['account'])}.ics"


def test_own_bookings_are_a_feed_once_it_is_asked_for(app, visitor, other_visitor, ana):
    assert "Make a calendar address" in visitor.get("/account/").text(".feed")
    visitor.post("/account/feed", {}, 303)
    path = feed_path(app, ana)
    page = visitor.get("/account/")
    assert page.one("#feed-url")["value"].endswith(path)
    assert page.one("a[href^='webcal:']")["href"].endswith(path)
    # Anybody with the address reads it: calendar programs don't sign in.
    found = events(other_visitor.client.get(path))
    # What ended more than 90 days ago is left out.
    assert set(found) == {f"{ana['lines'][n]}@sundial" for n in (0, 1, 2, 4)}
    event = found[f"{ana['lines'][0]}@sundial"]
    assert str(event["summary"]) == "Thermal circuit, Stillwater"
    assert (int(event["sequence"]), str(event["status"])) == (0, "CONFIRMED")
    assert "Spring Hall" in str(event["location"])
    assert "/bookings/" in str(event["url"])
    # Asked for twice, it is the same one.
    visitor.post("/account/feed", {}, 303)
    assert feed_path(app, ana) == path


def test_t1_times_are_right_on_both_sides_of_a_clock_change(app, visitor, ana):
    visitor.post("/account/feed", {}, 303)
    found = events(visitor.client.get(feed_path(app, ana)))
    before, after = (found[f"{ana['lines'][n]}@sundial"].decoded("dtstart") for n in (1, 2))
    assert before == dt.datetime(2026, 10, 24, 8, 0, tzinfo=dt.UTC)
    assert after == dt.datetime(2026, 10, 26, 9, 0, tzinfo=dt.UTC)


def test_e3_a_cancelled_booking_stays_under_its_uid_with_a_higher_sequence(app, visitor, ana, make):
    visitor.post("/account/feed", {}, 303)
    path = feed_path(app, ana)
    first = visitor.client.get(path)
    assert first.headers["Cache-Control"] == "private, no-cache"
    known = {"If-None-Match": first.headers["ETag"]}
    assert visitor.client.get(path, headers=known).status_code == 304
    make(lambda: cancel(ana["sessions"][0], NOW + HOUR))
    answer = visitor.client.get(path, headers=known)
    event = events(answer)[f"{ana['lines'][0]}@sundial"]
    assert (int(event["sequence"]), str(event["status"])) == (1, "CANCELLED")
    assert event.decoded("last-modified") == NOW + HOUR
    assert answer.headers["ETag"] != first.headers["ETag"]


def test_e3_a_moved_booking_stays_under_its_uid_at_its_new_time(app, visitor, ana, make):
    visitor.post("/account/feed", {}, 303)
    path, uid = feed_path(app, ana), f"{ana['lines'][0]}@sundial"
    before = events(visitor.client.get(path))[uid]

    def move_it():
        line = fetch(SessionBooking, ana["lines"][0])
        kind = fetch(SessionType, line.session_type_id)
        later = make_session(kind, local_start="2026-06-13T18:00")
        line = fetch(SessionBooking, ana["lines"][0])
        move(door_of_order(line.order.secret, line.id), line.id, later.id, now=NOW + HOUR)

    make(move_it)
    after = events(visitor.client.get(path))[uid]
    assert after.decoded("dtstart") - before.decoded("dtstart") == 24 * HOUR
    assert int(after["sequence"]) == int(before["sequence"]) + 1
    assert str(after["status"]) == "CONFIRMED"


def test_renewing_stopping_or_closing_ends_the_old_address(app, visitor, ana, make):
    visitor.post("/account/feed", {}, 303)
    old = feed_path(app, ana)
    was = visitor.get("/account/").one("input[name=was]")["value"]
    visitor.post("/account/feed/renewal", {"was": was}, 303)
    new = feed_path(app, ana)
    assert new != old
    visitor.get(old, 404)
    # The same press again does not end the address just made.
    visitor.post("/account/feed/renewal", {"was": was}, 303)
    assert feed_path(app, ana) == new
    events(visitor.client.get(new))
    visitor.post("/account/feed/end", {}, 303)
    visitor.get(new, 404)
    visitor.post("/account/feed", {}, 303)
    last = feed_path(app, ana)
    make(lambda: close_account(ana["account"], who="x", now=NOW))
    visitor.get(last, 404)


def test_feeds_that_do_not_exist_are_not_found(visitor, ana):
    # An account without a feed has no key that could be guessed as empty.
    for key in ("None", "x", "%00", "a" * 500, "..", "é"):
        visitor.get(f"/feeds/{key}.ics", 404)


def test_h7_only_a_press_makes_a_feed(app, visitor, other_visitor, ana):
    for path in ("/account/feed", "/account/feed/renewal", "/account/feed/end"):
        assert visitor.client.get(path).headers["Location"] == "/account/#feed"
    with app.app_context():
        assert find_feed_key(ana["account"]) is None
    assert "/account/sign-in" in other_visitor.post("/account/feed", {}).response.location


@pytest.fixture
def bath(make):
    """A site with a session each of a public type and of types that nobody may come across."""

    def build():
        site = make_site(slug="bath")
        given = {"room_id": make_room(site).id, "practitioner_id": make_practitioner(site).id}
        open_type = make_type(site, slug="circuit", name="Thermal circuit")
        row = make_session(open_type, local_start="2026-06-05T18:00", **given)
        later = make_session(open_type, local_start="2026-06-17T23:30")
        make_session(open_type, local_start="2026-06-18T00:00")
        for name, hidden in (
            ("Whispered rite", {"visibility": "link_only"}),
            ("Inner circle", {"visibility": "private"}),
            ("Desk only", {"offered_online": False}),
            ("Long gone", {"deleted_at": NOW}),
        ):
            make_session(make_type(site, name=name, **hidden), local_start="2026-06-05T12:00")
        return {"row": row.id, "later": later.id, "type": open_type.id,
                "organisation": site.organisation_id}  # fmt: skip

    return make(build)


def test_the_timetable_feed_has_14_days_of_what_is_public(visitor, bath):
    answer = visitor.client.get("/bath/timetable.ics")
    assert answer.headers["Cache-Control"] == "public, no-cache"
    found = events(answer)
    assert set(found) == {f"session-{bath[name]}@sundial" for name in ("row", "later")}
    event = found[f"session-{bath['row']}@sundial"]
    assert event.decoded("dtstart") == dt.datetime(2026, 6, 5, 17, 0, tzinfo=dt.UTC)
    assert event.decoded("dtend") == dt.datetime(2026, 6, 5, 19, 0, tzinfo=dt.UTC)
    assert str(event["summary"]) == "Thermal circuit, Stillwater"
    assert "With Tomas Vale." in str(event["description"])
    assert "£48 for each guest" in str(event["description"])
    assert str(event["url"]).endswith("/bath/book/circuit?date=2026-06-05")
    assert int(event["sequence"]) == 0


@pytest.mark.parametrize("path", ["/bath/timetable", "/bath/timetable.ics"])
def test_d2_the_timetable_names_no_hidden_offer(visitor, bath, path):
    text = visitor.client.get(path).get_data(as_text=True)
    assert "Thermal circuit" in text
    for name in ("Whispered", "Inner circle", "Desk only", "Long gone"):
        assert name not in text


def test_e3_a_cancelled_session_is_marked_and_its_sequence_rises(visitor, bath, make):
    url, uid = "/bath/timetable.ics", f"session-{bath['row']}@sundial"
    first = visitor.client.get(url)
    known = {"If-None-Match": first.headers["ETag"]}
    assert visitor.client.get(url, headers=known).status_code == 304
    make(lambda: cancel(bath["row"], NOW + HOUR))
    off = events(visitor.client.get(url, headers=known))[uid]
    assert str(off["status"]) == "CANCELLED"
    assert "Flooding" in str(off["description"])
    make(lambda: restore(bath["row"], NOW + 2 * HOUR))
    back = events(visitor.client.get(url))[uid]
    assert str(back["status"]) == "CONFIRMED"
    assert 0 < int(off["sequence"]) < int(back["sequence"])


def test_d7_the_timetable_tells_no_number_of_places(visitor, bath, make):
    assert "Places free" in visitor.get("/bath/timetable").text("table.tt")
    make(lambda: make_order(fetch(Session, bath["row"]), guests=6))
    page = visitor.get("/bath/timetable")
    assert page.text("td.state") == "Few places left"
    file = visitor.client.get("/bath/timetable.ics").get_data(as_text=True)
    assert "Few places left" in file
    make(lambda: make_order(fetch(Session, bath["row"]), guests=2, email="jo@example.com"))
    assert visitor.get("/bath/timetable").text("td.state") == "Full"


def test_the_page_lists_a_week_by_day_and_leads_to_the_offer(visitor, bath):
    page = visitor.get("/bath/timetable")
    assert [h.get_text(strip=True) for h in page.all(".tt-day h3")] == ["Friday 5 June"]
    row = page.text("table.tt tbody tr")
    assert "18:00 to 20:00 Thermal circuit Tomas Vale · Spring Hall Places free £48" in row
    assert page.one("table.tt a")["href"] == "/bath/book/circuit?date=2026-06-05#day"
    assert page.one("a[href^='webcal:']")["href"].endswith("/bath/timetable.ics")
    # Any date names its week.
    week = visitor.get("/bath/timetable?week=2026-06-17")
    assert len(week.all(".tt-day")) == 2
    assert "15 to 21 June" in week.text(".weeks h2")
    assert "Not yet scheduled" in visitor.get("/bath/timetable?week=2026-07-01").text("main")
    assert "A quiet week" in visitor.get("/bath/timetable?week=2026-06-10").text("main")


@pytest.mark.parametrize(
    "week", ["", "x", "2026-05-31", "2027-01-01", "0001-01-01", "9999-12-31", "2026-W24", "٢٠٢٦"]
)
def test_weeks_that_are_none_are_not_found(visitor, bath, week):
    visitor.get(f"/bath/timetable?week={week}", 404)


def test_a_price_that_the_calendar_hides_is_hidden_here_too(visitor, bath, make):
    def hide():
        fetch(SessionType, bath["type"]).include_pricing_on_calendar = False
        db.session.flush()
        raise_revision(bath["organisation"], [bath["type"]])
        db.session.commit()

    make(hide)
    for path in ("/bath/timetable", "/bath/timetable.ics"):
        assert "£48" not in visitor.client.get(path).get_data(as_text=True)


@pytest.mark.parametrize("path", ["/bath/timetable", "/bath/timetable.ics"])
def test_the_timetable_asks_few_questions_and_fewer_when_unchanged(app, visitor, make, path):
    def build():
        site = make_site(slug="bath")
        for number in range(5):
            kind = make_type(site, name=f"Offer {number}")
            room, host = make_room(site), make_practitioner(site)
            for day in range(5, 15):
                make_session(kind, local_start=f"2026-06-{day:02}T{9 + number:02}:00",
                             room_id=room.id, practitioner_id=host.id)  # fmt: skip

    make(build)
    first = counted(app, lambda: visitor.client.get(path))
    again = counted(app, lambda: visitor.client.get(path))
    # The site, the revisions; anew the types, their rules, the sessions and how far they reach.
    assert (len(first), len(again)) == (6, 2)


def counted(app, deed):
    asked = []

    def note(_conn, _cursor, statement, *_rest):
        if statement.lstrip().upper().startswith("SELECT"):
            asked.append(statement)

    with app.app_context():
        engine = db.engine
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        deed()
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)
    return asked


def test_a_site_that_is_not_public_has_no_timetable(visitor, make):
    make(lambda: make_site(slug="bath", is_public=False).id)
    visitor.get("/bath/timetable", 404)
    visitor.get("/bath/timetable.ics", 404)
    visitor.get("/nowhere/timetable.ics", 404)


def test_every_page_of_the_shop_leads_to_the_timetable(visitor, bath):
    page = visitor.get("/bath/")
    assert page.all(".shop-nav a[href='/bath/timetable']")
    assert page.all(".shop-foot a[href='/bath/timetable']")
