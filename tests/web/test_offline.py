"""What the desk's browser keeps for the minutes without a connection, and taps sent later."""

import datetime as dt
import json
from pathlib import Path

import pytest
import sqlalchemy as sa
from conftest import NOW, ROOT
from factories import (
    ANYWHERE,
    fetch,
    make_booked_line,
    make_session,
    make_site,
    make_staff,
    make_type,
)

from models import IdempotencyKey, Session, SessionBooking, db
from services.desk import MOST_KEPT, set_check_in, set_no_show

JSON = {"Accept": "application/json"}


@pytest.fixture
def venue(make):
    """A session of today and one of tomorrow, a booking, and two at the desk."""

    def build():
        site = make_site(slug="bath")
        kind = make_type(site, slug="circuit", name="Thermal circuit")
        today = make_session(kind, local_start="2026-06-04T12:00")
        tomorrow = make_session(kind, local_start="2026-06-05T12:00")
        make_staff(site)
        make_staff(site, "imogen@example.com")
        booking = make_booked_line(today, guests=2)
        return {
            "place": (site.organisation_id, site.id, booking.id),
            "booking": booking.id,
            "today": f"/staff/bath/sessions/{today.id}",
            "tomorrow": f"/staff/bath/sessions/{tomorrow.id}",
            "kind": kind.id,
            "session": today.id,
        }

    return make(build)


@pytest.fixture
def maren(visitor, venue):
    visitor.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    return visitor


def send(person, venue, deed="check-in", **fields):
    """One tap as the browser sends it later: the answer's status and what it says."""
    fields = {"set": "true", "key": "k1", "ago": "60", **fields}
    if "seen" not in fields:
        fields["seen"] = seen(person, venue)
    url = f"/staff/bath/bookings/{venue['booking']}/{deed}"
    answer = person.post(url, fields, headers=JSON).response
    return answer.status_code, json.loads(answer.get_data())


def seen(person, venue):
    return person.get(venue["today"]).one(f"#b-{venue['booking']}")["data-mark"]


def booking(make, venue):
    def read():
        row = fetch(SessionBooking, venue["booking"])
        return row.stage, row.is_no_show, row.checked_in_at, row.updated_at

    return make(read)


def by_a_colleague(make, venue, deed, **given):
    make(lambda: deed(*venue["place"], now=NOW + dt.timedelta(minutes=1), **given))


def test_only_the_roster_and_the_schedule_of_the_day_may_be_kept(maren, venue):
    shown = (venue["today"], "/staff/bath/")
    others = (venue["tomorrow"], "/staff/bath/?view=week", venue["today"] + "?q=ana")
    kept = {
        url: maren.get(url).response.headers.get("Sundial-Keep")
        for url in (*shown, *others, "/staff/no-connection")
    }
    allowed = {url for url, header in kept.items() if header}
    assert allowed == set(shown)
    account, seconds = kept[venue["today"]].split()
    assert maren.get("/staff/bath/standing").response.json["account"] == account
    assert 0 < int(seconds) <= 24 * 3600
    fragment = maren.fragment(venue["today"])
    assert "Sundial-Keep" not in fragment.response.headers
    assert "HX-Request-Type" in fragment.response.headers["Vary"]


def test_the_worker_answers_for_the_staffs_pages_and_is_asked_for_anew(visitor, venue):
    answer = visitor.client.get("/staff/sw.js")
    assert answer.status_code == 200
    assert answer.mimetype == "text/javascript"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["Service-Worker-Allowed"] == "/staff/"
    assert "worker-src 'self'" in answer.headers["Content-Security-Policy"]
    # Everything comes from the house itself.
    assert "://" not in answer.get_data(as_text=True)


def test_the_desk_can_be_installed_with_our_own_icons(maren, venue):
    link = maren.get("/staff/bath/").one("link[rel=manifest]")["href"]
    folder = link.rsplit("/", 1)[0]
    assert folder.startswith("/static/")
    manifest = json.loads((ROOT / "static" / "staff.webmanifest").read_text())
    assert manifest["start_url"] == manifest["scope"] == "/staff/"
    assert all((ROOT / "static" / icon["src"]).is_file() for icon in manifest["icons"])


def test_what_is_worth_keeping_is_of_today_and_limited(maren, make, venue):
    def fill():
        kind = fetch(Session, venue["session"]).session_type
        for hour in range(8, 23):
            make_session(kind, local_start=f"2026-06-04T{hour:02}:30")

    make(fill)
    standing = maren.get("/staff/bath/standing").response.json
    assert standing["pages"][0] == "/staff/bath/"
    assert len(standing["pages"]) == 1 + MOST_KEPT
    assert venue["today"] in standing["pages"]
    assert venue["tomorrow"] not in standing["pages"]
    assert standing["csrf"]


def test_nobody_learns_the_standing_who_may_not_see_the_desk(visitor, other_visitor, make, venue):
    assert visitor.client.get("/staff/bath/standing").status_code == 303
    make(lambda: make_staff(make_site(slug="else"), "other@example.com"))
    other_visitor.sign_in("other@example.com", "thermal-waters", "/staff/sign-in")
    assert other_visitor.client.get("/staff/bath/standing").status_code == 404


def test_h6_the_same_tap_sent_again_is_done_once_and_answered_alike(maren, make, venue):
    mark = seen(maren, venue)
    first = send(maren, venue, seen=mark)
    # The answer was lost; meanwhile a colleague took it back, and the browser sends it again.
    by_a_colleague(make, venue, set_check_in, arrived=False)
    assert send(maren, venue, seen=mark) == first
    assert first[0] == 200
    assert first[1]["roster"] == venue["today"]
    assert booking(make, venue)[0] == "not_arrived"
    count = sa.select(sa.func.count()).select_from(IdempotencyKey)
    query = count.where(IdempotencyKey.key.startswith("tap:"))
    assert make(lambda: db.session.scalar(query, execution_options=ANYWHERE)) == 1


def test_h6_the_one_key_of_a_page_stands_for_each_of_its_taps(maren, make, venue):
    for wanted, stage in (("true", "arrived"), ("false", "not_arrived")):
        assert send(maren, venue, set=wanted)[0] == 200
        assert booking(make, venue)[0] == stage
    # Both were done: sent again, neither is.
    assert send(maren, venue, set="true")[0] == 200
    assert booking(make, venue)[0] == "not_arrived"


def test_a_tap_counts_from_when_it_was_made(maren, make, venue):
    status, said = send(maren, venue, ago="300")
    assert status == 200
    _, _, arrived_at, changed_at = booking(make, venue)
    assert changed_at - arrived_at == dt.timedelta(seconds=300)
    assert said["mark"] == seen(maren, venue)


def test_taps_on_top_of_each_other_carry_the_mark_along(maren, make, venue):
    _, first = send(maren, venue, key="a")
    status, second = send(maren, venue, "stage", key="b", stage="in_treatment", seen=first["mark"])
    assert (status, booking(make, venue)[0]) == (200, "in_treatment")
    assert second["mark"] != first["mark"]


def test_what_a_colleague_did_meanwhile_is_not_overruled(maren, make, venue):
    mark = seen(maren, venue)
    by_a_colleague(make, venue, set_no_show, missed=True)
    status, said = send(maren, venue, seen=mark)
    assert status == 409
    assert (said["stands"], said["can_apply"]) == ("No-show", True)
    assert said["changed_at"] == "10:01"
    assert booking(make, venue)[:2] == ("not_arrived", True)
    # Somebody looks and decides: the same tap, now with the mark of what they saw.
    assert send(maren, venue, seen=said["mark"])[0] == 200
    assert booking(make, venue)[:2] == ("arrived", False)


def test_the_same_done_by_a_colleague_is_no_conflict(maren, make, venue):
    mark = seen(maren, venue)
    by_a_colleague(make, venue, set_check_in, arrived=True)
    before = booking(make, venue)
    assert send(maren, venue, seen=mark)[0] == 200
    assert booking(make, venue) == before


def test_an_old_tap_waits_for_somebody_to_say_yes(maren, make, venue):
    status, said = send(maren, venue, ago=str(7 * 3600))
    assert (status, said["sentence"]) == (409, "This tap is hours old.")
    assert send(maren, venue, ago=str(7 * 3600), confirmed="true")[0] == 200
    _, _, arrived_at, changed_at = booking(make, venue)
    assert changed_at - arrived_at == dt.timedelta(hours=6)


def test_r28_a_cancelled_booking_takes_no_tap_and_says_why(maren, make, venue):
    mark = seen(maren, venue)

    def cancel():
        row = fetch(SessionBooking, venue["booking"])
        row.cancelled_at, row.cancelled_by = NOW, "staff"
        db.session.commit()

    make(cancel)
    status, said = send(maren, venue, seen=mark)
    assert (status, said["can_apply"]) == (422, False)
    assert said["sentence"] == "This booking was cancelled."


NONSENSE = (
    {"ago": "-5"}, {"ago": "²"}, {"ago": "9" * 30}, {"ago": ""}, {"key": "x" * 500},
    {"seen": "x" * 5000}, {"set": "perhaps"}, {"confirmed": "maybe"}, {"key": ""},
)  # fmt: skip


def test_nonsense_in_a_late_tap_is_no_error(maren, venue):
    for number, fields in enumerate(NONSENSE):
        assert send(maren, venue, **{"key": f"n{number}", **fields})[0] in (200, 409, 422)


def test_a_strangers_booking_is_not_found(maren, make, venue):
    other = make(lambda: make_booked_line(make_session(make_type(make_site(slug="other")))).id)
    answer = maren.post(
        f"/staff/bath/bookings/{other}/check-in", {"key": "k", "seen": "x"}, headers=JSON
    )
    assert answer.status == 404
    assert "booking" in json.loads(answer.html)["sentence"]


def test_signing_out_tells_the_browser_to_forget_at_either_door(maren, venue):
    answer = maren.post("/staff/sign-out", {}, 303).response
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    maren.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    answer = maren.post("/account/sign-out", {}, 303).response
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'


def test_the_page_without_a_connection_names_nobody(maren, venue):
    page = maren.get("/staff/no-connection")
    assert page.text("h1") == "No connection"
    assert "Maren" not in page.text("main")


def test_nothing_of_the_worker_is_fetched_from_elsewhere():
    for name in ("offline", "tap-store", "staff-worker"):
        assert "://" not in Path(ROOT / "static" / "js" / f"{name}.js").read_text()
