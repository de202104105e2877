"""The desk's pages: schedule, roster and what is tapped on it."""

import pytest
import sqlalchemy as sa
from conftest import NOW
from factories import (
    fetch,
    make_booked_line,
    make_practitioner,
    make_room,
    make_session,
    make_site,
    make_staff,
    make_type,
)

from domain.eligibility import Viewer
from models import Session, SessionBooking, Site, db, unbound
from services.basket import hold_places
from services.checkout import confirm_order, find_order


@pytest.fixture
def venue(make):
    """A site with a session under way, one booking for two, and a receptionist."""

    def build():
        site = make_site(slug="bath")
        kind = make_type(site, slug="circuit", name="Thermal circuit")
        session = make_session(
            kind,
            local_start="2026-06-04T11:00",
            room_id=make_room(site).id,
            practitioner_id=make_practitioner(site).id,
            capacity=4,
        )
        secret = hold_places(
            site.organisation_id, session.id, session_type_id=kind.id, guests=2,
            viewer=Viewer(), basket_secret=None, now=NOW,
        )  # fmt: skip
        confirm_order(
            site.organisation_id, secret, name="Ana Reyes", email="ana@example.com", now=NOW
        )
        make_staff(site)
        return {
            "session": session.id,
            "booking": find_order(secret).items[0].booking.id,
            "secret": secret,
        }

    return make(build)


@pytest.fixture
def maren(visitor, venue):
    visitor.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    return visitor


def tap(visitor, venue, what, **fields):
    return visitor.post(f"/staff/bath/bookings/{venue['booking']}/{what}", fields, 303)


def booking(app, venue):
    with app.app_context():
        row = fetch(SessionBooking, venue["booking"])
        db.session.expunge(row)
        return row


def roster(visitor, venue):
    return visitor.get(f"/staff/bath/sessions/{venue['session']}")


def test_a_receptionist_with_one_site_lands_on_its_schedule(maren):
    answer = maren.client.get("/staff/")
    assert answer.headers["Location"] == "/staff/bath/"


def test_the_schedule_has_lanes_blocks_and_the_now_line(maren, venue):
    page = maren.get("/staff/bath/")
    assert "Thursday 4 June" in page.text("h1")
    assert "Spring Hall" in page.text("#schedule")
    block = page.one(f"a.sess[href*='{venue['session']}']")
    assert "Thermal circuit" in block.get_text()
    assert "2/4" in block.get_text().replace(" ", "")
    assert page.all(".now")


def test_another_day_has_no_now_line_and_a_way_on(maren):
    page = maren.get("/staff/bath/?date=2026-06-05")
    assert not page.all(".now-at")
    maren.get("/staff/bath/?date=2026-13-01", 404)
    maren.get("/staff/bath/?date=0001-01-01", 404)


def test_the_roster_shows_who_comes_and_what_they_owe(maren, venue):
    page = roster(maren, venue)
    line = page.text(f"#b-{venue['booking']}")
    assert "Ana Reyes" in line
    assert "2 guests" in line
    assert "£96 due" in line
    assert "Not arrived" in line


def test_the_next_roster_is_one_tap_away(maren, venue):
    answer = maren.client.get("/staff/bath/roster")
    assert answer.headers["Location"] == f"/staff/bath/sessions/{venue['session']}"


def test_r26_r27_checking_in_and_undoing_it(app, maren, venue):
    tap(maren, venue, "check-in", set="true")
    assert booking(app, venue).stage == "arrived"
    assert "Arrived" in roster(maren, venue).text(f"#b-{venue['booking']}")
    tap(maren, venue, "check-in", set="true")
    tap(maren, venue, "check-in", set="false")
    row = booking(app, venue)
    assert (row.stage, row.checked_in_at) == ("not_arrived", None)


def test_moving_the_visit_on(app, maren, venue):
    for stage in ("arrived", "in_treatment", "checked_out"):
        tap(maren, venue, "stage", stage=stage)
        assert booking(app, venue).stage == stage
    page = maren.post(
        f"/staff/bath/bookings/{venue['booking']}/stage", {"stage": "on_the_moon"}, 422
    )
    assert "not a stage" in page.text("main")


def test_r27_a_no_show_undoes_a_check_in(app, maren, venue):
    tap(maren, venue, "check-in", set="true")
    tap(maren, venue, "no-show", set="true")
    row = booking(app, venue)
    assert (row.is_no_show, row.checked_in_at, row.stage) == (True, None, "not_arrived")
    tap(maren, venue, "no-show", set="false")
    assert booking(app, venue).is_no_show is False


def test_r28_a_guest_in_the_session_is_no_no_show(app, maren, venue):
    tap(maren, venue, "stage", stage="in_treatment")
    page = maren.post(f"/staff/bath/bookings/{venue['booking']}/no-show", {"set": "true"}, 422)
    assert "can't be a no-show" in page.text("main")
    assert booking(app, venue).is_no_show is False


def test_a_tap_by_script_answers_the_roster_alone_with_undo(maren, venue):
    page = maren.post(
        f"/staff/bath/bookings/{venue['booking']}/check-in",
        {"set": "true"},
        200,
        headers={"HX-Request": "true", "HX-Request-Type": "partial"},
    )
    assert page.html.strip().startswith('<div id="roster"')
    assert "Ana Reyes checked in" in page.text("[data-toast]")


def test_a_walk_in_is_booked_and_checked_in_at_once(app, maren, venue):
    url = f"/staff/bath/sessions/{venue['session']}/walk-ins"
    maren.post(url, {"name": "Walter In", "guests": "1", "key": "k"}, 303)
    maren.post(url, {"name": "Walter In", "guests": "1", "key": "k"}, 303)
    page = roster(maren, venue)
    assert "Walter In" in page.text("#roster")
    with app.app_context():
        assert fetch(Session, venue["session"]).places_taken == 3


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "", "guests": "1"}, "Enter the guest's name"),
        ({"name": "<i>x</i>", "guests": "1"}, "Leave out the < and > signs"),
        ({"name": "Big Party", "guests": "3"}, "Only 2 places left"),
        ({"name": "None", "guests": "0"}, "1 to 100 guests"),
        ({"name": "Many", "guests": "ten"}, "Not a valid integer"),
    ],
)
def test_a_walk_in_that_cant_be_keeps_what_was_typed(app, maren, venue, fields, said):
    url = f"/staff/bath/sessions/{venue['session']}/walk-ins"
    page = maren.post(url, {**fields, "key": "k"}, 422)
    assert said in page.text("main") or "whole number" in page.text("main")
    assert page.one("#walk-in input[name=name]")["value"] == fields["name"]
    with app.app_context():
        assert fetch(Session, venue["session"]).places_taken == 2


def test_the_roster_is_narrowed_by_state_and_search(maren, venue):
    url = f"/staff/bath/sessions/{venue['session']}"
    assert maren.get(f"{url}?state=due").all(f"#b-{venue['booking']}")
    assert not maren.get(f"{url}?state=arrived").all(f"#b-{venue['booking']}")
    assert maren.get(f"{url}?q=reyes").all(f"#b-{venue['booking']}")
    assert "Nobody matches" in maren.get(f"{url}?q=zzz").text("main")


def test_an_unchanged_roster_answers_304(maren, venue):
    url = f"/staff/bath/sessions/{venue['session']}"
    etag = maren.get(url).response.headers["ETag"]
    maren.get(url, 304, headers={"If-None-Match": etag})
    tap(maren, venue, "check-in", set="true")
    maren.get(url, headers={"If-None-Match": etag})


def test_h7_a_get_checks_nobody_in(maren, venue):
    for what in ("check-in", "no-show", "stage"):
        answer = maren.client.get(f"/staff/bath/bookings/{venue['booking']}/{what}")
        assert answer.status_code == 405
        assert answer.headers["Allow"]


@pytest.mark.parametrize("what", ["check-in", "no-show", "stage"])
def test_r1_a_booking_of_another_site_is_not_found(visitor, venue, make, what):
    def build():
        other = make_site(slug="elsewhere")
        make_staff(other, "stranger@example.com")

    make(build)
    visitor.sign_in("stranger@example.com", "thermal-waters", "/staff/sign-in")
    for site, status in (("elsewhere", 404), ("bath", 404)):
        url = f"/staff/{site}/bookings/{venue['booking']}/{what}"
        visitor.post(url, {"set": "true", "stage": "arrived"}, status)


def test_p4_a_session_without_a_price_is_shown_as_such_and_not_given_away(maren, make, app):
    def build():
        site_id = db.session.scalar(sa.select(Session.site_id), execution_options=unbound("a test"))
        return make_session(make_type(fetch(Site, site_id), price=None)).id

    row = make(build)
    page = maren.get(f"/staff/bath/sessions/{row}")
    assert "no price rule matches" in page.text("main")
    maren.post(f"/staff/bath/sessions/{row}/walk-ins", {"name": "Walter", "guests": "1"}, 422)


def test_a_booking_is_cancelled_from_the_roster_with_a_reason(app, visitor, make):
    def build():
        site = make_site(slug="bath")
        make_staff(site)
        row = make_session(make_type(site), capacity=3)
        return row.id, make_booked_line(row, guests=2).id

    session_id, booking_id = make(build)
    url = f"/staff/bath/bookings/{booking_id}/cancellation"
    visitor.sign_in("maren@example.com", "thermal-waters")
    page = visitor.get(f"/staff/bath/sessions/{session_id}")
    assert url in [str(link.get("href")) for link in page.all("#roster .dots-menu a")]
    page = visitor.get(url)
    assert "2 places go back on sale at once, and £96 is no longer due." in page.text("main")
    page = visitor.post(url, {"reason": "  "}, 422)
    assert "Say why" in page.text("#reason-error")
    page = visitor.post(url, {"reason": "x" * 501}, 422)
    assert "at most 500" in page.text("#reason-error")
    visitor.post(url, {"reason": "Boiler"}, 303)
    visitor.post(url, {"reason": "Twice"}, 303)
    with app.app_context():
        booking = fetch(SessionBooking, booking_id)
        assert (booking.cancelled_by, booking.cancel_reason) == ("staff", "Boiler")
        assert fetch(Session, session_id).places_taken == 0
    visitor.get(url, 422)
    visitor.get("/staff/bath/bookings/nonsense/cancellation", 404)
