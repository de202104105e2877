"""Undoing: what is offered is put back by its own editor, once, and never over somebody's work."""

import datetime as dt
import io
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from factories import (
    ANYWHERE,
    NOW,
    fetch,
    make_booked_line,
    make_customer,
    make_practitioner,
    make_room,
    make_session,
    make_site,
    make_type,
)
from PIL import Image

from domain.editing import mark_of_values
from domain.memberships import Days
from domain.pricing import PriceRule
from domain.trail_words import UNDOABLE
from domain.wording import Wording
from models import (
    RIGHTS,
    AuditEntry,
    Category,
    LetterWording,
    Media,
    Membership,
    MembershipType,
    Practitioner,
    Room,
    SessionBooking,
    SessionType,
    Site,
    Zone,
    db,
)
from services import (
    categories,
    desk,
    media,
    memberships,
    notices,
    practitioners,
    price_rules,
    rooms,
    session_types,
    venue_settings,
    wording,
)
from services.trail import Reader
from services.undoing import CantBeUndone, ChangedSince, undo

pytestmark = pytest.mark.usefixtures("ctx")

TODAY = NOW.date()


@dataclass(frozen=True)
class Case:
    """A thing, how its editor changes it to the first, second … value, and how it is read."""

    thing: tuple[str, str]
    edit: Callable[[int], Any]
    read: Callable[[], Any]
    has_one_way_back: bool = False
    """It is this or that: done again it is as it was when it was done first."""


class House:
    def __init__(self) -> None:
        self.site = make_site()
        self.id = self.site.organisation_id
        self.here = (self.id, self.site.id)
        self.reader = Reader(*self.here, ZoneInfo("Europe/London"), str, RIGHTS, True)


def column(model: Any, row_id: str, name: str) -> Callable[[], Any]:
    return lambda: getattr(fetch(model, row_id), name)


def room(it: House) -> Case:
    at = (*it.here, make_room(it.site).id)

    def edit(turn: int) -> None:
        seen = mark_of_values(rooms.room_values(rooms.find_room(*at)))
        rooms.save_room(*at, {"cap": 10 + turn}, seen=seen)

    return Case(("rooms", at[2]), edit, column(Room, at[2], "cap"))


def archived_room(it: House) -> Case:
    at = (*it.here, make_room(it.site).id)

    def edit(turn: int) -> None:
        rooms.archive_room(*at, now=NOW) if turn else None

    return Case(("rooms", at[2]), edit, column(Room, at[2], "deleted_at"), True)


def practitioner(it: House) -> Case:
    at, may = (*it.here, make_practitioner(it.site).id), [it.site.id]

    def edit(turn: int) -> None:
        kept = practitioners.practitioner_values(practitioners.find_practitioner(*at), may)
        practitioners.save_practitioner(
            *at, {"title": f"Host {turn}", "email": f"t{turn}@example.com"}, may_set=may,
            seen=mark_of_values(kept), now=NOW,
        )  # fmt: skip

    def read() -> Any:
        row = fetch(Practitioner, at[2])
        return row.title, row.email

    return Case(("practitioners", at[2]), edit, read)


def archived_practitioner(it: House) -> Case:
    at = (*it.here, make_practitioner(it.site).id)

    def edit(turn: int) -> None:
        practitioners.archive_practitioner(*at, now=NOW) if turn else None

    read = column(Practitioner, at[2], "deleted_at")
    return Case(("practitioners", at[2]), edit, read, True)


def category(it: House) -> Case:
    made = categories.add_category(it.id, {"name": "Baths", "slug": "baths"}, now=NOW)

    def edit(turn: int) -> None:
        kept = categories.category_values(categories.find_category(it.id, made))
        categories.save_category(it.id, made, {"blurb": f"{turn}"}, seen=mark_of_values(kept))

    return Case(("categories", made), edit, column(Category, made, "blurb"))


def zone(it: House) -> Case:
    made = rooms.add_zone(*it.here, "Roof 0", now=NOW)

    def edit(turn: int) -> None:
        seen = mark_of_values({"name": fetch(Zone, made).name})
        rooms.save_zone(*it.here, made, f"Roof {turn}", seen=seen)

    return Case(("zones", made), edit, column(Zone, made, "name"))


def picture(it: House) -> Case:
    content = io.BytesIO()
    Image.new("RGB", (60, 40), (200, 30, 30)).save(content, "PNG")
    made = media.add_media(
        it.id, file_name="a.png", content=content.getvalue(), alt="Steam", key="", now=NOW
    )

    def edit(turn: int) -> None:
        seen = mark_of_values({"alt": fetch(Media, made).alt})
        media.describe_media(it.id, made, f"Steam {turn}", seen=seen)

    return Case(("media", made), edit, column(Media, made, "alt"))


def membership_type(it: House) -> Case:
    made = memberships.add_type(it.id, name="River", now=NOW)

    def edit(turn: int) -> None:
        was = fetch(MembershipType, made).name
        memberships.rename_type(it.id, made, name=f"River {turn}", was=was)

    return Case(("membership_types", made), edit, column(MembershipType, made, "name"))


def archived_membership_type(it: House) -> Case:
    made = memberships.add_type(it.id, name="Lake", now=NOW)

    def edit(turn: int) -> None:
        memberships.archive_type(it.id, made, now=NOW) if turn else None

    return Case(
        ("membership_types", made), edit, column(MembershipType, made, "deleted_at"), True
    )  # fmt: skip


def held(it: House) -> tuple[str, str, Callable[[], Days]]:
    customer = make_customer(it.id, email="jude@example.com")
    kind = memberships.add_type(it.id, name="River", now=NOW)
    memberships.give_membership(
        it.id, customer.id, type_id=kind, first_day=TODAY, last_day=None, now=NOW, today=TODAY
    )
    [made] = memberships.list_held(it.id, customer.id)

    def was() -> Days:
        row = fetch(Membership, made.id)
        return Days(row.first_day, row.last_day, row.state)

    return customer.id, made.id, was


def paused_membership(it: House) -> Case:
    customer, made, was = held(it)

    def edit(turn: int) -> None:
        if turn:
            memberships.pause_membership(it.id, customer, made, was=was(), today=TODAY)

    return Case(("customers", customer), edit, column(Membership, made, "state"), True)


def membership_days(it: House) -> Case:
    customer, made, was = held(it)

    def edit(turn: int) -> None:
        last = TODAY + dt.timedelta(days=30 + turn)
        memberships.change_membership_days(
            it.id, customer, made, first_day=TODAY, last_day=last, was=was(), today=TODAY
        )

    return Case(("customers", customer), edit, column(Membership, made, "last_day"))


def settings(it: House) -> Case:
    def edit(turn: int) -> None:
        seen = mark_of_values(venue_settings.find_settings(*it.here, "booking"))
        wanted = {"hold_minutes": 20 + turn}
        venue_settings.save_settings(*it.here, "booking", wanted, seen=seen)

    return Case(("sites", it.site.id), edit, column(Site, it.site.id, "hold_minutes"))


def told(it: House) -> Case:
    def edit(turn: int) -> None:
        was = notices.find_notices(*it.here)
        notices.save_notices(*it.here, replace(was, reminder_hours=10 + turn), was=was.mark)

    return Case(("sites", it.site.id), edit, column(Site, it.site.id, "reminder_hours"))


def letter(it: House) -> Case:
    def find() -> Any:
        return db.session.scalar(
            sa.select(LetterWording).execution_options(**ANYWHERE, populate_existing=True)
        )

    def edit(turn: int) -> None:
        kept = find()
        words = Wording(subject=f"Soon {turn}", opening="Dear you", closing="")
        wording.save_wording(
            *it.here, "booking_confirmed", words, seen=kept.revision if kept else 0, now=NOW
        )

    edit(0)
    return Case(("sites", it.site.id), edit, lambda: find().subject)


def details(it: House) -> Case:
    at = (*it.here, make_type(it.site).id)

    def edit(turn: int) -> None:
        kept = session_types.values_of(session_types.find_type(*at))
        seen = session_types.mark_of_part(kept, ("summary",))
        wanted = {"summary": f"Hot {turn}"}
        session_types.save_type(*at, wanted, part=("summary",), seen=seen, now=NOW)

    return Case(("session_types", at[2]), edit, column(SessionType, at[2], "summary"))


def visit(it: House, name: str, tap: Callable[..., Any]) -> Case:
    row = make_session(make_type(it.site))
    at = (*it.here, make_booked_line(row).id)

    def edit(turn: int) -> None:
        if turn:
            tap(*at, now=row.start_time)

    return Case(("session_bookings", at[2]), edit, column(SessionBooking, at[2], name), True)


def arrival(it: House) -> Case:
    return visit(
        it, "checked_in_at", lambda *at, now: desk.set_check_in(*at, arrived=True, now=now)
    )


def no_show(it: House) -> Case:
    return visit(it, "is_no_show", lambda *at, now: desk.set_no_show(*at, missed=True, now=now))


def stage(it: House) -> Case:
    row = make_session(make_type(it.site))
    at = (*it.here, make_booked_line(row).id)
    desk.set_check_in(*at, arrived=True, now=row.start_time)

    def edit(turn: int) -> None:
        if turn:
            to = ("", "in_treatment", "checked_out")[turn]
            desk.set_stage(*at, stage=to, now=row.start_time)

    return Case(("session_bookings", at[2]), edit, column(SessionBooking, at[2], "stage"))


def prices(it: House) -> Case:
    at = (*it.here, make_type(it.site).id)

    def edit(turn: int) -> None:
        found = price_rules.find_prices(*at, now=NOW)
        early = PriceRule("a" * 24, 3000 + turn, "Early", weekdays=frozenset({"monday"}))
        rules = [early, replace(found.rules[-1], price=5000 + turn)]
        price_rules.save_rules(*at, rules, seen=found.mark, now=NOW)

    def read() -> Any:
        return [(one.label, one.price) for one in price_rules.find_prices(*at, now=NOW).rules]

    return Case(("session_types", at[2]), edit, read)


CASES = (
    room, archived_room, practitioner, archived_practitioner, category, zone, picture,
    membership_type, archived_membership_type, paused_membership, membership_days, settings, told,
    letter, details, arrival, no_show, stage, prices,
)  # fmt: skip


def entries(thing: tuple[str, str], organisation_id: str) -> list[Any]:
    """The lines of a thing's history, the newest first, with why."""
    db.session.rollback()
    rows = db.session.scalars(
        sa.select(AuditEntry)
        .where(
            AuditEntry.organisation_id == organisation_id,
            AuditEntry.about == thing[0],
            AuditEntry.about_id == thing[1],
        )
        .order_by(AuditEntry.id.desc())
    )
    return [(row.id, row.why or (row.values.why if row.values else ""), row) for row in rows]


@pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.__name__)
def test_what_is_offered_is_undone_once_and_is_a_change_of_its_own(kind):
    it = House()
    case = kind(it)
    case.edit(0)
    before = case.read()
    case.edit(1)
    after, last = case.read(), entries(case.thing, it.id)[0][0]
    assert after != before
    undo(it.reader, case.thing, last, now=NOW)
    assert case.read() == before
    newest, why, _ = entries(case.thing, it.id)[0]
    assert newest > last
    assert why.startswith("Undo of what was done on ")
    # Pressed again it would undo what is undone already.
    with pytest.raises(ChangedSince) as refused:
        undo(it.reader, case.thing, last, now=NOW)
    assert refused.value.then
    assert refused.value.now
    assert case.read() == before
    assert entries(case.thing, it.id)[0][0] == newest


@pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.__name__)
def test_what_was_changed_since_is_left_alone(kind):
    it = House()
    case = kind(it)
    if case.has_one_way_back:
        return
    case.edit(0)
    case.edit(1)
    last = entries(case.thing, it.id)[0][0]
    case.edit(2)
    theirs, count = case.read(), len(entries(case.thing, it.id))
    with pytest.raises(ChangedSince):
        undo(it.reader, case.thing, last, now=NOW)
    assert (case.read(), len(entries(case.thing, it.id))) == (theirs, count)


def test_every_kind_that_is_offered_is_tried_here():
    tried = set()
    for kind in CASES:
        it = House()
        case = kind(it)
        case.edit(1)
        tried.add(entries(case.thing, it.id)[0][2].subject)
    assert tried == set(UNDOABLE)


@pytest.mark.parametrize("kind", [room, archived_room, prices, no_show, membership_type])
def test_of_two_who_undo_at_once_one_does(app, kind):
    it = House()
    case = kind(it)
    case.edit(0)
    before = case.read()
    case.edit(1)
    last, gate, said = entries(case.thing, it.id)[0][0], threading.Barrier(2), []
    count = len(entries(case.thing, it.id))
    done = sum(row.deed_id == entries(case.thing, it.id)[0][2].deed_id
               for *_, row in entries(case.thing, it.id))  # fmt: skip

    def press() -> None:
        with app.app_context():
            gate.wait()
            try:
                undo(it.reader, case.thing, last, now=NOW)
                said.append("undone")
            except ChangedSince:
                said.append("changed")
            finally:
                db.session.remove()

    threads = [threading.Thread(target=press) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    db.session.rollback()
    assert len(said) == 2
    assert "undone" in said
    assert case.read() == before
    assert len(entries(case.thing, it.id)) == count + done


def test_what_cannot_be_undone_says_why():
    it = House()
    row = make_session(make_type(it.site))
    line = make_booked_line(row)
    thing = ("orders", line.order_id)
    for entry_id, _, entry in entries(thing, it.id):
        with pytest.raises(CantBeUndone) as refused:
            undo(it.reader, thing, entry_id, now=NOW)
        assert refused.value.sentence
        assert entry.subject in ("orders", "ledger_entries", "order_items")
    for other in (("orders", "x"), ("rooms", line.order_id)):
        with pytest.raises(CantBeUndone):
            undo(it.reader, other, entries(thing, it.id)[0][0], now=NOW)
    case = room(it)
    case.edit(1)
    blind = replace(it.reader, rights=("ORDERS_MANAGE",))
    with pytest.raises(CantBeUndone):
        undo(blind, case.thing, entries(case.thing, it.id)[0][0], now=NOW)
