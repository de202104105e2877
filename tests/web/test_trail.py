"""The history on the page of each thing, the log of the house, and undoing."""

import datetime as dt
import re
from dataclasses import replace

import pytest
import sqlalchemy as sa
from factories import (
    fetch,
    make_account,
    make_booked_line,
    make_customer,
    make_practitioner,
    make_room,
    make_session,
    make_site,
    make_staff,
    make_type,
)

from blueprints.clock import read_clock
from domain.api_tokens import hash_of
from domain.editing import mark_of_values
from domain.pricing import PriceRule
from models import (
    RIGHTS,
    Actor,
    AuditEntry,
    Organisation,
    Room,
    SessionBooking,
    SessionType,
    Site,
    acting_as,
    db,
)
from models.walls import unbound
from services.api_tokens import make_token
from services.cancelling import cancel_for_staff
from services.changing import Door
from services.kiosks import sign_in_kiosk
from services.moving import move
from services.price_rules import find_prices, save_rules
from services.rooms import find_room, room_values, save_room
from services.staff import find_person, mark_of, save_person
from services.staff_invitations import invite

EVERYTHING = (
    "SETTINGS_MANAGE", "RESERVATIONS_MANAGE", "CUSTOMERS_MANAGE", "ORDERS_MANAGE", "STAFF_MANAGE",
)  # fmt: skip


@pytest.fixture
def house(make):
    def build():
        site = make_site(slug="bath")
        make_staff(site, rights=EVERYTHING)
        other = make_site(fetch(Organisation, site.organisation_id), slug="reykjavik")
        kind = make_type(site)
        day = (read_clock() - dt.timedelta(hours=1)).replace(tzinfo=None)
        row = make_session(kind, local_start=day.replace(microsecond=0))
        return {
            "here": (site.organisation_id, site.id),
            "room": make_room(site).id,
            "foreign": make_room(other).id,
            "kind": kind.id,
            "person": make_practitioner(site).id,
            "customer": make_customer(site.organisation_id, email="jo@example.com").id,
            "session": row.id,
            "line": None,
        }

    return make(build)


@pytest.fixture
def maren(visitor, house):
    visitor.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    return visitor


def save_it(maren, room_id, **given):
    page = maren.get(f"/staff/bath/rooms/{room_id}")
    fields = {**page.form("form.form-card"), "colour": "1", **given}
    maren.post(f"/staff/bath/rooms/{room_id}", fields, 303)


def room_of(make, room_id, name="name"):
    return make(lambda: getattr(fetch(Room, room_id), name))


def undo(maren, page, number=0, status=303):
    form = page.all("form:has([name=entry])")[number]
    entry = form.select_one("[name=entry]")["value"]
    return maren.post(str(form["action"]), {"entry": entry}, status)


def test_a_change_is_read_on_the_thing_itself_who_when_from_where_before_after(maren, house):
    save_it(maren, house["room"], name="Cool Hall", cap="20")
    page = maren.get(f"/staff/bath/trail/rooms/{house['room']}")
    text = page.text("ol.trail > li")
    assert "Maren Ellis" in text
    assert "Changed the name from “Spring Hall” to “Cool Hall”" in text
    assert "Changed the guests at most from 50 to 20" in text
    assert "Through settings, from 127.0.0.1" in text
    assert page.one("ol.trail > li:first-child time")["datetime"].endswith("+00:00")
    assert maren.get(f"/staff/bath/rooms/{house['room']}").all("a[href*='/trail/rooms/']")


def test_an_edit_is_undone_by_a_press_and_that_is_in_the_trail_too(maren, make, house):
    save_it(maren, house["room"], name="Cool Hall", cap="20")
    page = maren.get(f"/staff/bath/trail/rooms/{house['room']}")
    undo(maren, page)
    assert room_of(make, house["room"]) == "Spring Hall"
    assert room_of(make, house["room"], "cap") == 50
    text = maren.get(f"/staff/bath/trail/rooms/{house['room']}").text("ol.trail > li")
    assert "from “Cool Hall” to “Spring Hall”" in text
    assert re.search(r"Undo of what was done on \d\d\.\d\d\.\d{4} at \d\d:\d\d", text)


def test_what_was_changed_again_since_is_left_and_both_are_shown(maren, make, house):
    save_it(maren, house["room"], name="Cool Hall")
    page = maren.get(f"/staff/bath/trail/rooms/{house['room']}")
    save_it(maren, house["room"], name="Warm Hall")
    refused = undo(maren, page, status=409)
    assert "from “Spring Hall” to “Cool Hall”" in refused.text("main")
    assert "from “Cool Hall” to “Warm Hall”" in refused.text("main")
    assert room_of(make, house["room"]) == "Warm Hall"


def test_undone_twice_it_is_undone_once(maren, make, house):
    save_it(maren, house["room"], name="Cool Hall")
    page = maren.get(f"/staff/bath/trail/rooms/{house['room']}")
    undo(maren, page)
    undo(maren, page, status=409)
    assert room_of(make, house["room"]) == "Spring Hall"


def test_archiving_is_undone(maren, make, house):
    maren.post(f"/staff/bath/rooms/{house['room']}/archive", {}, 303)
    assert room_of(make, house["room"], "deleted_at")
    undo(maren, maren.get(f"/staff/bath/trail/rooms/{house['room']}"))
    assert room_of(make, house["room"], "deleted_at") is None


def test_settings_are_undone(maren, house):
    page = maren.get("/staff/bath/settings/booking")
    fields = {**page.form("form.form-card"), "hold_minutes": "25"}
    maren.post("/staff/bath/settings/booking", fields, 303)
    site_id = house["here"][1]
    undo(maren, maren.get(f"/staff/bath/trail/sites/{site_id}"))
    page = maren.get("/staff/bath/settings/booking")
    assert page.form("form.form-card")["hold_minutes"] == "15"


def test_texts_of_the_shop_window_are_told_and_undone_one_by_one(maren, house):
    page = maren.get("/staff/bath/settings/window")
    fields = {**page.form("form.form-card"), "headline": "Hot water"}
    for area in page.all("textarea"):
        fields[str(area["name"])] = area.get_text()
    fields["lede"] = "Stay a while."
    maren.post("/staff/bath/settings/window", fields, 303)
    trail = maren.get(f"/staff/bath/trail/sites/{house['here'][1]}")
    assert "Changed the headline from “Warm water” to “Hot water”" in trail.text("ol.trail")
    undo(maren, trail)
    again = maren.get("/staff/bath/settings/window")
    assert again.form("form.form-card")["headline"] == "Warm water"


def test_notices_are_undone_with_the_other_settings(maren, house):
    page = maren.get("/staff/bath/notices")
    form = page.all("main form[method=post]")[0]
    fields = {str(it["name"]): str(it.get("value", "")) for it in form.select("input[name]")
              if it.get("type") != "radio" or it.has_attr("checked")}  # fmt: skip
    maren.post("/staff/bath/notices", {**fields, "reminder_hours": "5"}, 303)
    trail = maren.get(f"/staff/bath/trail/sites/{house['here'][1]}")
    assert "Changed the reminder hours from 24 to 5" in trail.text("main")
    undo(maren, trail)
    assert "from 5 to 24" in maren.get(f"/staff/bath/trail/sites/{house['here'][1]}").text("main")


def test_a_check_in_is_undone(maren, make, house):
    def book():
        # Soon enough to be checked in, by the wall clock of a site in London.
        zone = fetch_site(house).zoneinfo
        soon = (read_clock() + dt.timedelta(minutes=20)).astimezone(zone)
        local = soon.replace(tzinfo=None, microsecond=0)
        row = make_session(fetch(SessionType, house["kind"]), local_start=local)
        return make_booked_line(row, now=read_clock()).id

    line = make(book)
    maren.post(f"/staff/bath/bookings/{line}/check-in", {"set": "true"})
    assert make(lambda: fetch(SessionBooking, line).checked_in_at)
    page = maren.get(f"/staff/bath/trail/session-bookings/{line}")
    assert "Checked in" in page.text("ol.trail")
    undo(maren, page)
    assert make(lambda: fetch(SessionBooking, line).checked_in_at) is None


def test_price_rules_go_back_together(maren, make, house):
    at = (*house["here"], house["kind"])

    def change():
        prices = find_prices(*at, now=read_clock())
        early = PriceRule("a" * 24, 3000, "Early", weekdays=frozenset({"monday"}))
        save_rules(*at, [early, replace(prices.rules[0], price=5000)], seen=prices.mark,
                   now=read_clock())  # fmt: skip

    def rules():
        return [(it.label, it.price) for it in find_prices(*at, now=read_clock()).rules]

    before = make(rules)
    make(change)
    assert make(rules) == [("Early", 3000), ("", 5000)]
    page = maren.get(f"/staff/bath/trail/session-types/{house['kind']}")
    row_id = make(lambda: db.session.scalar(
        sa.select(sa.func.max(AuditEntry.id)).where(AuditEntry.subject == "price_rules"),
        execution_options=unbound("a test"),
    ))  # fmt: skip
    assert "Changed the price from" in page.text("ol.trail")
    there = f"/staff/bath/trail/session-types/{house['kind']}"
    maren.post(there, {"entry": row_id}, 303)
    assert make(rules) == before
    maren.post(there, {"entry": row_id}, 409)


def test_what_cannot_be_undone_says_why(maren, make, house):
    row_id = make(lambda: db.session.scalar(
        sa.select(sa.func.max(AuditEntry.id)).where(AuditEntry.subject == "customers"),
        execution_options=unbound("a test"),
    ))  # fmt: skip
    there = f"/staff/bath/trail/customers/{house['customer']}"
    page = maren.post(there, {"entry": row_id}, 422)
    assert "can't be undone here" in page.text("main")
    for odd in ({}, {"entry": "x"}, {"entry": "9" * 18}):
        maren.post(there, odd, 422)
    elsewhere = maren.post(f"/staff/bath/trail/rooms/{house['room']}", {"entry": row_id}, 422)
    assert "couldn't find that line" in elsewhere.text("main")


def test_d1_another_sites_history_is_not_found(maren, make, house):
    maren.get(f"/staff/bath/trail/rooms/{house['foreign']}", 404)
    row_id = make(lambda: db.session.scalar(
        sa.select(AuditEntry.id).where(AuditEntry.subject_id == house["foreign"]),
        execution_options=unbound("a test"),
    ))  # fmt: skip
    maren.post(f"/staff/bath/trail/rooms/{house['foreign']}", {"entry": row_id}, 404)
    maren.post(f"/staff/bath/trail/rooms/{house['room']}", {"entry": row_id}, 422)
    assert house["foreign"] not in maren.get("/staff/bath/trail?kind=rooms").html
    for wrong in (f"/staff/bath/trail/rooms/{'f' * 24}", "/staff/bath/trail/nothing/1"):
        maren.get(wrong, 404)


def test_d3_a_history_opens_with_the_right_of_its_page(visitor, make, house):
    def build():
        site = fetch_site(house)
        make_staff(site, "ruth@example.com")

    make(build)
    visitor.sign_in("ruth@example.com", "thermal-waters", "/staff/sign-in")
    visitor.get(f"/staff/bath/trail/sessions/{house['session']}")
    for closed in (f"/customers/{house['customer']}", f"/rooms/{house['room']}", ""):
        visitor.get(f"/staff/bath/trail{closed}", 403)


def fetch_site(house):
    return fetch(Site, house["here"][1])


def test_the_log_is_narrowed_by_person_kind_and_day(maren, make, house):
    save_it(maren, house["room"], name="Cool Hall")
    today = make(lambda: read_clock().date())
    log = maren.get(f"/staff/bath/trail?kind=rooms&day={today}")
    assert "Cool Hall" in log.text("ol.trail")
    who = [str(it["value"]) for it in log.all("#who option")][1]
    assert "Cool Hall" in maren.get(f"/staff/bath/trail?who={who}").text("ol.trail")
    none = maren.get("/staff/bath/trail?kind=media")
    assert "Nobody changed anything as you chose" in none.text("main")
    for odd in ("?day=never", "?day=9999-12-31", "?kind=x&who=y", "?before=99999999999999999999"):
        maren.get(f"/staff/bath/trail{odd}")


def test_the_log_pages_by_id_and_asks_a_constant_number_of_questions(maren, make, house, app):
    def rename(number):
        values = room_values(find_room(*house["here"], house["room"]))
        save_room(*house["here"], house["room"], {"name": f"Hall {number}"},
                  seen=mark_of_values(values))  # fmt: skip

    counts = []
    for times in (3, 45):
        make(lambda times=times: [rename(n) for n in range(times)])
        seen = []
        with app.app_context():
            engine = db.engine

        def note(*args, seen=seen):
            seen.append(args[2])

        sa.event.listen(engine, "before_cursor_execute", note)
        try:
            page = maren.get(f"/staff/bath/trail/rooms/{house['room']}")
        finally:
            sa.event.remove(engine, "before_cursor_execute", note)
        counts.append(len(seen))
    assert counts[0] == counts[1]
    assert len(page.all("ol.trail > li")) == 40
    earlier = maren.get(str(page.one("nav.pager a")["href"]))
    assert len(earlier.all("ol.trail > li")) == 9
    assert "Added the" in earlier.html


def test_a_customer_who_acts_has_a_name_only_while_the_account_does(visitor, make, house):

    make(lambda: make_account("ana@example.com", "Ana Reyes", "quiet-rooms"))
    visitor.sign_in("ana@example.com", "quiet-rooms")
    visitor.post("/account/name", {"name": "Ana R."}, 303)
    rows = make(lambda: db.session.scalars(
        sa.select(AuditEntry).where(AuditEntry.subject == "accounts", AuditEntry.act == "changed"),
        execution_options=unbound("a test"),
    ).all())  # fmt: skip
    assert [(row.actor_kind, row.actor_name, row.address) for row in rows] == [("account", "", "")]


def told(make, *which):
    return make(lambda: [
        (row.subject, row.actor_kind, row.actor_name, row.door)
        for row in db.session.scalars(
            sa.select(AuditEntry).where(*which).order_by(AuditEntry.id),
            execution_options=unbound("a test"),
        )
    ])  # fmt: skip


def soon_booked(house, **given):
    """A booking of a session that begins in some minutes, by the wall clock of its site."""
    soon = (read_clock() + dt.timedelta(minutes=20)).astimezone(fetch_site(house).zoneinfo)
    local = soon.replace(tzinfo=None, microsecond=0)
    row = make_session(fetch(SessionType, house["kind"]), local_start=local)
    return make_booked_line(row, now=read_clock(), **given)


def test_a_check_in_at_the_kiosk_is_the_kiosks(maren, make, house):
    code, line = make(lambda: (lambda row: (row.check_in_code, row.id))(soon_booked(house)))
    maren.post("/staff/bath/kiosks", {"name": "Front door"}, 303)
    maren.post("/kiosk/bath/booking", {"reference": code, "last_name": ""}, 303)
    form = maren.get("/kiosk/bath/booking").form("form[action$='/check-in']")
    maren.post("/kiosk/bath/check-in", form, 303)
    assert told(make, AuditEntry.subject_id == line)[-1] == (
        "session_bookings", "kiosk", "Front door", "kiosk.check_in",
    )  # fmt: skip
    [made] = told(make, AuditEntry.subject == "kiosks")
    assert made[1:] == ("account", "Maren Ellis", "kiosk.make_kiosk")


def test_commands_are_the_consoles(make, house, app):
    code = make(lambda: fetch(Organisation, house["here"][0]).code)
    run = app.test_cli_runner().invoke
    answer = run(args=["api-token", "--organisation", code, "--rights", "REPORTS_VIEW"])
    assert answer.exit_code == 0, answer.output
    found = told(make, AuditEntry.subject.in_(["api_tokens", "api_token_grants"]))
    assert {row[0] for row in found} == {"api_tokens", "api_token_grants"}
    assert {row[1::2] for row in found} == {("console", "api-token")}
    plain = answer.output.strip()

    def written():
        rows = db.session.scalars(sa.select(AuditEntry), execution_options=unbound("a test"))
        return str([(row.before, row.after, row.why) for row in rows])

    text = make(written)
    assert plain not in text
    assert hash_of(plain) not in text


def test_rights_tokens_invitations_and_kiosks_have_their_history(maren, make, house):
    organisation_id, site_id = house["here"]

    def build():
        boss = make_staff(fetch_site(house), "olga@example.com", rights=RIGHTS, everywhere=True)
        ruth = make_staff(fetch_site(house), "ruth@example.com")
        seen = mark_of(find_person(organisation_id, ruth.id))
        rights = {site_id: ["ORDERS_MANAGE"]}
        save_person(organisation_id, ruth.id, rights, title="Desk", by=boss.id, seen=seen)
        token, _ = make_token(organisation_id, name="Till", rights={"all": ["REPORTS_VIEW"]},
                              by=boss.id, now=read_clock())  # fmt: skip
        invited = invite(organisation_id, site_id, email="new@example.com", name="", title="",
                         rights=rights, by=boss.id, now=read_clock())  # fmt: skip
        kiosk = sign_in_kiosk(organisation_id, site_id, "Door", by=boss.id, now=read_clock())
        return ruth.id, token, invited, kiosk.partition(".")[0]

    ruth, token, invited, kiosk = make(build)
    for page, row_id, said in (
        ("/staff/bath/staff/" + ruth, ruth, "Gave the right “Orders and money” at"),
        ("/staff/bath/staff/" + ruth, ruth, "Took “Run the day” at"),
        ("/staff/bath/tokens", token, "Gave the right “Reports” at all venues"),
        ("/staff/bath/staff/invitations", invited, "Sent the invitation"),
        ("/staff/bath/kiosks", kiosk, "Signed the kiosk in"),
    ):
        [link] = maren.get(page).all(f"a[href*='/trail/'][href$='{row_id}']")
        history = maren.get(str(link["href"]))
        assert said in history.text("ol.trail"), said
        assert not history.all("ol.trail form")


def test_an_orders_story_tells_who_did_what_and_nothing_twice(maren, make, house, app):
    def build():
        row = soon_booked(house, guests=2)
        kind = fetch(SessionType, house["kind"])
        later = (read_clock() + dt.timedelta(days=3)).replace(tzinfo=None, microsecond=0)
        return row.id, row.order_id, make_session(kind, local_start=later).id

    line, order, later = make(build)

    def look():
        seen = []
        with app.app_context():
            engine = db.engine

        def note(*args):
            seen.append(args[2])

        sa.event.listen(engine, "before_cursor_execute", note)
        try:
            page = maren.get(f"/staff/bath/orders/{order}")
        finally:
            sa.event.remove(engine, "before_cursor_execute", note)
        return page, len(seen)

    tap = f"/staff/bath/bookings/{line}/check-in"
    for to in ("true", "false", "true"):
        maren.post(tap, {"set": to}, 303)
    page, few = look()
    story = page.text(".story")
    assert story.count("Checked in") == 2
    assert story.count("Took the check-in back") == 1
    assert story.count("Maren Ellis") == 3
    assert "Made the booking" not in story
    assert "Wrote a line" not in story
    for to in ("false", "true") * 5 + ("false",):
        maren.post(tap, {"set": to}, 303)
    page, many = look()
    assert page.text(".story").count("Took the check-in back") == 7
    assert many == few

    def change():
        door = Door(house["here"][0], site_id=house["here"][1])
        with acting_as(Actor("account", "a" * 24, "Ruth Amaya")):
            move(door, line, later, now=read_clock())
            cancel_for_staff(*house["here"], line, reason="Ill", now=read_clock())

    make(change)
    story = maren.get(f"/staff/bath/orders/{order}").text(".story")
    assert "Moved the booking from" in story
    assert story.count("Cancelled at the desk") == 1
    assert story.count("Ruth Amaya") == 2
    assert "Cancelled the booking" not in story
