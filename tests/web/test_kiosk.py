"""A kiosk: signed in by staff, it shows one booking, checks in like the desk, and no more."""

import datetime as dt
import re

import pytest
import sqlalchemy as sa
from addresses import addresses, build_house
from factories import (
    ANYWHERE,
    fetch,
    make_form,
    make_order,
    make_room,
    make_session,
    make_site,
    make_staff,
    make_type,
)

from blueprints.clock import read_clock
from blueprints.security import KIOSK, SCANNING, declared_rights
from domain.intake import Field
from domain.kiosk import MOST_TRIES
from models import RIGHTS, Kiosk, Organisation, SessionBooking, SignInTry, Site, db
from services.checkout import find_order
from services.desk import set_no_show

START = "/kiosk/bath"
SHOWN = "/kiosk/bath/booking"
TOKEN = 'name="csrf_token" value="([^"]+)"'


def booked(site, kind=None, *, minutes=30, name="Ana Reyes", **given):
    """A booking of a session that starts in so many minutes, by what a guest knows of it."""
    starts = (read_clock() + dt.timedelta(minutes=minutes)).astimezone(dt.UTC)
    row = make_session(
        kind or make_type(site), local_start=f"{starts:%Y-%m-%dT%H:%M}",
        room_id=make_room(site, name="Spring Hall").id, capacity=6,
    )  # fmt: skip
    early = read_clock() - dt.timedelta(days=200)
    line = find_order(make_order(row, name=name, now=early, **given)).items[0].booking
    return {
        "id": line.id, "ref": line.order.order_ref, "code": line.check_in_code,
        "secret": line.order.secret, "site": row.site_id, "organisation": row.organisation_id,
        "session": row.id,
    }  # fmt: skip


@pytest.fixture
def house(make):
    def build():
        site = make_site(slug="bath", zone="UTC")
        make_staff(site)
        near = make_site(
            fetch(Organisation, site.organisation_id), slug="near", name="Near", zone="UTC"
        )
        return {
            "ana": booked(site, guests=3),
            "far": booked(site, minutes=60 * 24 * 3, name="Dev Kapoor"),
            "near": booked(near, name="Noor Near"),
            "foreign": booked(make_site(slug="reykjavik", zone="UTC"), name="Frida Foreign"),
            "site": site.id,
        }

    return make(build)


@pytest.fixture
def kiosk(visitor, house):
    """A browser that staff made a kiosk of."""
    visitor.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    answer = visitor.post("/staff/bath/kiosks", {"name": "Front door"}, 303)
    assert answer.response.headers["Location"] == START
    return visitor


def ask(kiosk, reference, last_name="", status=303):
    return kiosk.post(SHOWN, {"reference": reference, "last_name": last_name}, status)


def press(kiosk, where="check-in", **fields):
    page = kiosk.get(SHOWN)
    form = page.form(f"form[action='{START}/{where}']")
    return kiosk.post(f"{START}/{where}", {**form, **fields}, 303)


def visit_of(make, booking):
    row = make(lambda: fetch(SessionBooking, booking["id"]))
    return row.checked_in_at, row.stage


def test_a_guest_checks_in_by_reference_and_last_name(kiosk, house, make):
    assert kiosk.get(START).response.headers["Permissions-Policy"] == SCANNING
    ask(kiosk, house["ana"]["ref"].lower().replace(" ", "-"), "REYES")
    page = kiosk.get(SHOWN)
    assert "Ana Reyes" in page.text("h1")
    for told in ("Spring Hall", "3 guests"):
        assert told in page.text(".arrival")
    press(kiosk)
    assert "You’re checked in" in kiosk.get(SHOWN).text(".is-done")
    at, stage = visit_of(make, house["ana"])
    assert stage == "arrived"
    kiosk.post(f"{START}/end", {}, 303)
    kiosk.get(SHOWN, 303)
    # Again, and kindly: nothing changes.
    ask(kiosk, house["ana"]["ref"], "Reyes")
    assert "You’re checked in" in kiosk.get(SHOWN).text(".is-done")
    assert visit_of(make, house["ana"]) == (at, stage)


def test_a_scanned_ticket_needs_no_name_and_a_press_twice_is_one(kiosk, house, make):
    ask(kiosk, f"https://book.example/bookings/tickets/{house['ana']['code']}")
    form = kiosk.get(SHOWN).form(f"form[action='{START}/check-in']")
    for _ in range(2):
        kiosk.post(f"{START}/check-in", form, 303)
    assert visit_of(make, house["ana"])[1] == "arrived"


def test_one_booking_is_shown_and_nothing_of_it_but_what_the_guest_must_know(kiosk, house):
    ask(kiosk, house["ana"]["ref"], "Reyes")
    html = kiosk.get(SHOWN).html
    own = house["ana"]
    secret = ("ana@example.com", own["id"], own["secret"], own["code"], own["session"], own["ref"])
    for trace in (*secret, "Kapoor", "Near", "£"):
        assert trace not in html, trace


def test_no_reference_and_a_wrong_name_get_one_and_the_same_answer(kiosk, house):
    said = set()
    for reference, name in (
        ("BAT 999999", "Reyes"),
        (house["ana"]["ref"], "Kapoor"),
        (house["ana"]["ref"], "Ana"),
        (house["foreign"]["ref"], "Foreign"),
        (house["foreign"]["code"], ""),
        ("f" * 20, ""),
    ):
        page = ask(kiosk, reference, name, 422)
        said.add(page.text(".summary"))
        assert page.soup.title.get_text().startswith("Error:")
        assert page.one("#reference")["value"] == reference
    assert len(said) == 1
    kiosk.get(SHOWN, 303)


@pytest.mark.parametrize("fields", [("", ""), ("BAT 1", ""), ("  ", "Reyes")])
def test_what_is_missing_is_asked_for(kiosk, fields):
    page = ask(kiosk, *fields, 422)
    assert page.one(".field--error")


def test_a_booking_of_another_day_or_venue_is_refused_with_what_to_do(kiosk, house, make):
    ask(kiosk, house["far"]["ref"], "Kapoor")
    page = kiosk.get(SHOWN)
    assert "This booking is for" in page.text(".kiosk-note")
    assert not page.all(f"form[action='{START}/check-in']")
    # A press made up by hand changes nothing either.
    mark = page.one("input[name=mark]")["value"]
    kiosk.post(f"{START}/check-in", {"mark": mark}, 303)
    assert visit_of(make, house["far"]) == (None, "not_arrived")
    assert "This booking is for Near" in ask(kiosk, house["near"]["ref"], "Near", 422).text(
        ".summary"
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"cancelled_at": "now", "cancelled_by": "customer"}, "was cancelled"),
        ({"status": "waitlisted"}, "waiting list"),
        ({"is_no_show": True}, "at the desk"),
    ],
)
def test_what_the_desk_must_decide_is_left_to_it(kiosk, house, make, change, says):
    def spoil():
        row = fetch(SessionBooking, house["ana"]["id"])
        for name, value in change.items():
            setattr(row, name, read_clock() if value == "now" else value)
        db.session.commit()

    make(spoil)
    ask(kiosk, house["ana"]["ref"], "Reyes")
    assert says in kiosk.get(SHOWN).text(".kiosk-note")


def test_a_press_is_about_the_booking_that_was_looked_at(kiosk, house, make):
    ask(kiosk, house["ana"]["ref"], "Reyes")
    kiosk.post(f"{START}/check-in", {"mark": "another"}, 303)
    kiosk.post(f"{START}/more-time", {"mark": "another"}, 303)
    assert visit_of(make, house["ana"]) == (None, "not_arrived")


def test_a_no_show_marked_meanwhile_is_not_undone_at_the_door(kiosk, house, make):
    ask(kiosk, house["ana"]["ref"], "Reyes")
    form = kiosk.get(SHOWN).form(f"form[action='{START}/check-in']")
    own = house["ana"]
    make(
        lambda: set_no_show(
            own["organisation"], own["site"], own["id"], missed=True, now=read_clock()
        )
    )
    kiosk.post(f"{START}/check-in", form, 303)
    assert make(lambda: fetch(SessionBooking, own["id"]).is_no_show)


def test_the_screen_clears_itself_unless_more_time_is_asked_for(kiosk, house, make):
    ask(kiosk, house["ana"]["ref"], "Reyes")
    page = kiosk.get(SHOWN)
    assert page.response.headers["Cache-Control"] == "no-store"
    assert int(page.one("[data-closing]")["data-closing"]) <= 60
    assert page.all("noscript")

    def shorten():
        row = db.session.scalars(sa.select(Kiosk), execution_options=ANYWHERE).one()
        row.showing_until = read_clock() + dt.timedelta(seconds=5)
        db.session.commit()

    make(shorten)
    press(kiosk, "more-time")
    assert int(kiosk.get(SHOWN).one("[data-closing]")["data-closing"]) > 30

    def end():
        row = db.session.scalars(sa.select(Kiosk), execution_options=ANYWHERE).one()
        row.showing_until = read_clock() - dt.timedelta(seconds=1)
        db.session.commit()

    make(end)
    assert kiosk.get(SHOWN, 303).response.headers["Location"] == START


def test_a_missing_form_is_said(kiosk, house, make):
    def build():
        site = fetch(Site, house["site"])
        kind = make_type(site)
        make_form(kind, Field("health", "Anything we should know?"))
        return booked(site, kind, name="Formless Fay")

    ask(kiosk, make(build)["ref"], "Fay")
    assert "A form is still to be filled in" in kiosk.get(SHOWN).text("main")
    press(kiosk)
    assert "A form is still to be filled in" in kiosk.get(SHOWN).text("main")


def test_who_is_late_reads_what_checking_in_costs_before_the_press(kiosk, house, make):
    def late():
        site = fetch(Site, house["site"])
        kind = make_type(site, late_after_minutes=5, late_fee=1000)
        return booked(site, kind, minutes=-10, guests=2)

    ask(kiosk, make(late)["ref"], "Reyes")
    assert "adds the late fee that was agreed, £20.00" in kiosk.get(SHOWN).text("main")
    ask(kiosk, house["ana"]["ref"], "Reyes")
    assert "late fee" not in kiosk.get(SHOWN).text("main")


def test_it_is_throttled_by_tries_that_failed_and_by_no_others(kiosk, house, make):
    for _ in range(3):
        ask(kiosk, house["ana"]["ref"], "Reyes")
    assert make(lambda: db.session.scalar(sa.select(sa.func.count(SignInTry.id)))) == 0
    for _ in range(MOST_TRIES):
        ask(kiosk, "BAT 999999", "Nobody", 422)
    page = ask(kiosk, house["ana"]["ref"], "Reyes", 429)
    assert 0 < int(page.response.headers["Retry-After"]) <= 300
    assert "a lot of tries" in page.text(".summary")
    kiosk.get(SHOWN, 303)


def test_signing_out_in_the_back_office_ends_it_at_once(kiosk, other_visitor, house):
    other_visitor.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    ask(kiosk, house["ana"]["ref"], "Reyes")
    page = other_visitor.get("/staff/bath/kiosks")
    row = page.text(".kiosk-row")
    assert "Front door" in row
    assert "by Maren" in row
    assert "Last used" in row
    out = page.one(".kiosk-row form")["action"]
    for _ in range(2):
        other_visitor.post(out, {}, 303)
    assert "is signed out" in other_visitor.get("/staff/bath/kiosks").text(".note[role=status]")
    for url in (START, SHOWN):
        ended = kiosk.get(url, 401)
        assert "signed out" in ended.text("h1")
        assert "/staff" not in ended.html
    kiosk.post(f"{START}/check-in", {"mark": "x"}, 401)


def test_making_a_kiosk_signs_the_person_out_and_keeps_a_cookie_of_the_kiosk_alone(visitor, house):
    visitor.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    for name in ("", "<b>", "x" * 61):
        page = visitor.post("/staff/bath/kiosks", {"name": name}, 422)
        assert page.one("#name-error")
    answer = visitor.post("/staff/bath/kiosks", {"name": "Front door"}, 303).response
    cookie = next(it for it in answer.headers.getlist("Set-Cookie") if it.startswith("kiosk="))
    for part in ("HttpOnly", "Path=/kiosk", "SameSite=Strict"):
        assert part in cookie
    assert (
        visitor.get("/staff/bath/", 303).response.headers["Location"].startswith("/staff/sign-in")
    )


@pytest.mark.parametrize("cookie", ["", "nonsense", "a.b", "x" * 4000])
def test_a_cookie_that_was_made_up_is_no_kiosk(app, house, cookie):
    client = app.test_client(use_cookies=False)
    answer = client.get(START, headers={"Cookie": f"kiosk={cookie}"})
    assert answer.status_code == 401


def test_d3_the_kiosks_cookie_opens_nothing_but_its_own_venues_kiosk(app, make):
    """The whole map, with the cookie sent wherever one asks, as no browser would."""
    ours = make(lambda: build_house(RIGHTS, "bath"))
    make(lambda: build_house(RIGHTS, "reykjavik"))
    staff = app.test_client()
    who = {"email": "maren@bath.example", "password": "thermal-waters"}
    for url, fields in (("/staff/sign-in", who), ("/staff/bath/kiosks", {"name": "Front door"})):
        found = re.search(TOKEN, staff.get(url).get_data(as_text=True))
        answer = staff.post(url, data={**fields, "csrf_token": found[1]})
    cookie = next(it for it in answer.headers.getlist("Set-Cookie") if it.startswith("kiosk="))
    headers = {"Cookie": cookie.split(";")[0]}
    bare = app.test_client(use_cookies=False)
    walked = 0
    for rule, url in addresses(app, ours, most=1):
        rights = declared_rights(app, rule.endpoint)
        status = bare.get(url, headers=headers).status_code
        if KIOSK in rights:
            assert status in (200, 303), url
            assert bare.get(url.replace("bath", "reykjavik"), headers=headers).status_code == 401
        elif rule.rule.startswith("/staff/<site>/"):
            walked += 1
            assert status == 303, url
    assert walked > 60
