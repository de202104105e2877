"""Changing one session together with the bookings it touches: impact first, then all of it (S3)."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from domain.clashes import Busy
from domain.errors import ImpactChanged, NotFound, RuleBroken, raise_all
from domain.pricing import price_of
from domain.reasons import check_reason
from domain.session_edits import (
    KEEP,
    NOTICED,
    OVERRIDES,
    Choice,
    EditImpact,
    SessionValues,
    SessionWish,
    TouchedBooking,
    changed_fields,
    check_choices,
    find_value_problems,
    mark_of_edit,
    oddity_of,
)
from models import (
    Practitioner,
    Room,
    Session,
    SessionBooking,
    Site,
    db,
    practitioner_sites,
)
from services.amending import tell
from services.cancelling import cancel
from services.changing import Door
from services.clashes import list_clashes
from services.facts import rule_of
from services.idempotency import retrying
from services.lines import list_live_lines, load_session_at
from services.moving import move
from services.places import HOLDING, let_go, lock_sessions, lock_site, raise_revision
from services.session_changes import cancel_session, find_cancellable_session, lock_orders
from services.waking import pass_on_expired, wake


@dataclass(frozen=True, slots=True)
class Editing:
    """A session with what an edit of it would do."""

    session: Session
    impact: EditImpact
    facts: Mapping[str, str]
    """What the mark says of each live line, by id."""


class ChoicesRefused(RuleBroken):
    """Some bookings could not be moved or cancelled; the session was left as it was."""

    code = "choices_refused"


def find_edit(
    organisation_id: str, site_id: str, session_id: str, wanted: SessionWish, *, now: dt.datetime
) -> Editing:
    """What an edit would do, to show before it is done (S3).

    Raises NotFound for a foreign or cancelled session (R5), RuleBroken with its field (R6-R9),
    WrongState for a cancellation that can't be.
    """
    row = _load(organisation_id, site_id, session_id)
    lines = _lines(row, now)
    return Editing(row, _impact(row, lines, wanted, now), _facts(lines))


def apply_edit(
    organisation_id: str,
    site_id: str,
    session_id: str,
    wanted: SessionWish,
    *,
    choices: Mapping[str, Choice] | None = None,
    default: Choice = KEEP,
    seen: str | None,
    reason: str = "",
    tells: bool = True,
    withdrawn_by: str | None = None,
    now: dt.datetime,
) -> None:
    """Change the session: first the bookings that move or end, each by its own deed, then it.

    Who stays is told of another time or room, by mail unless not `tells`. Series leave the
    changed fields alone from now on (R5). Holds taken at the old time run out: they are rebuilt
    in one press. Raises ImpactChanged when `seen` is not what it touches now (None: nothing was
    shown), or a booking came meanwhile (S3); ChoicesRefused when bookings could not follow: those
    that could have, the session stays as it was. RuleBroken, NotFound, WrongState as `find_edit`.
    `withdrawn_by` is kept with a cancelled session, and says who may bring it back (ADR 17).
    """
    editing = find_edit(organisation_id, site_id, session_id, wanted, now=now)
    if seen is not None and editing.impact.mark != seen:
        raise ImpactChanged
    if editing.impact.is_nothing:
        return
    settled = check_choices(editing.impact, choices or {}, default)
    ends = wanted.cancels or any(choice.kind != "keep" for choice in settled.values())
    why = check_reason(reason) if ends else ""
    before = editing.facts
    door = Door(organisation_id, site_id=site_id, reason=why, tells=tells)
    gone = _follow_choices(door, editing.impact, settled, editing.impact.mark, now)
    known = _Known(organisation_id, site_id, session_id, editing.impact.before, before, gone)
    if wanted.cancels:
        _cancel(known, why, withdrawn_by, now)
    else:
        retrying(lambda: _change(known, wanted, tells, now), why)


@dataclass(frozen=True, slots=True)
class _Known:
    """The session as the page showed it, as plain values: rows are read anew by every deed."""

    organisation_id: str
    site_id: str
    session_id: str
    values: SessionValues
    facts: Mapping[str, str]
    gone: set[str]

    def load(self) -> Session:
        return _load(self.organisation_id, self.site_id, self.session_id)


def _load(organisation_id: str, site_id: str, session_id: str) -> Session:
    row = load_session_at(organisation_id, site_id, session_id)
    if row.deleted_at is not None:
        raise NotFound("This session was cancelled. Restore it before you change it.")
    return row


def _impact(
    row: Session, lines: list[SessionBooking], wanted: SessionWish, now: dt.datetime
) -> EditImpact:
    before = values_of(row)
    after = before if wanted.cancels else _wished(row, before, wanted)
    zone = zone_of(row)
    if wanted.cancels:
        find_cancellable_session(row.organisation_id, row.site_id, row.id, now=now)
    else:
        _check(row, before, after, now)
    changed = changed_fields(before, after)
    takes = row.places_taken + row.places_kept
    is_noticed = wanted.cancels or NOTICED.intersection(changed) or after.capacity < takes
    start, end = after.instants(zone)
    clashes = (
        list_clashes(
            row.organisation_id,
            [Busy(row.id, row.session_type_name, start, end, after.local_start,
                  after.room_id, after.practitioner_id)],
            instead_of=[row.id],
        )
        if NOTICED.intersection(changed) or "practitioner_id" in changed
        else ()
    )  # fmt: skip
    sold = [line for line in lines if line.status == "confirmed"]
    return EditImpact(
        before=before,
        after=after,
        changed=changed,
        cancels=wanted.cancels,
        touched=tuple(_touched(line) for line in sold) if is_noticed else (),
        holds=sum(line.status in HOLDING for line in lines),
        waiting=sum(line.status == "waitlisted" for line in lines),
        places_taken=takes,
        clashes=clashes,
        oddity=oddity_of(before, after, zone),
        mark=mark_of_edit(before, _facts(lines), [clash.fact for clash in clashes]),
    )


def values_of(row: Session) -> SessionValues:
    """What can be changed of a session, as it stands."""
    return SessionValues(
        local_start=row.local_start,
        duration=int((row.end_time - row.start_time) / dt.timedelta(minutes=1)),
        room_id=row.room_id,
        practitioner_id=row.practitioner_id,
        capacity=row.capacity,
        max_baskets=row.max_baskets,
        waitlist_enabled=row.waitlist_enabled,
        price=row.price,
    )


def zone_of(row: Session) -> ZoneInfo:
    """The zone of its site."""
    name = db.session.scalars(
        sa.select(Site.zone).where(
            Site.organisation_id == row.organisation_id, Site.id == row.site_id
        )
    ).one()
    return ZoneInfo(name)


def _wished(row: Session, before: SessionValues, wanted: SessionWish) -> SessionValues:
    after = wanted.applied_to(before)
    if before.price is None and after.price is not None:
        rules = [rule_of(rule) for rule in row.session_type.price_rules]
        # Its present price sent back is no price of its own (CONTRACT 9).
        if price_of(row.local_start, rules).amount == after.price and not wanted.local_start:
            return replace(after, price=None)
    return after


def find_problems_of(row: Session, wanted: SessionWish, now: dt.datetime) -> list[RuleBroken]:
    """Every field of a session that could not be as wished (R6-R9)."""
    before = values_of(row)
    return _find_problems(row, before, _wished(row, before, wanted), now)


def _check(row: Session, before: SessionValues, after: SessionValues, now: dt.datetime) -> None:
    raise_all(_find_problems(row, before, after, now))


def _find_problems(
    row: Session, before: SessionValues, after: SessionValues, now: dt.datetime
) -> list[RuleBroken]:
    found: list[RuleBroken] = []
    room = row.room
    if after.room_id != before.room_id:
        try:
            room = find_room(row.organisation_id, row.site_id, after.room_id)
        except RuleBroken as broken:
            found.append(broken)
            room = None
    if after.practitioner_id != before.practitioner_id:
        try:
            check_practitioner(row.organisation_id, row.site_id, after.practitioner_id)
        except RuleBroken as broken:
            found.append(broken)
    return found + find_value_problems(
        before,
        after,
        room=room.name if room else "",
        room_cap=room.cap if room else None,
        parties_taken=row.parties_taken,
        starts=after.instants(zone_of(row))[0],
        started=row.start_time <= now,
        now=now,
    )


def find_room(organisation_id: str, site_id: str, room_id: str | None) -> Room | None:
    """A room of the site that is in use; RuleBroken under `room_id` for any other (R6, R22)."""
    if room_id is None:
        return None
    room = db.session.scalar(
        sa.select(Room).where(
            Room.organisation_id == organisation_id,
            Room.site_id == site_id,
            Room.id == room_id,
            Room.deleted_at.is_(None),
        )
    )
    if room is None:
        raise RuleBroken("Choose one of this venue's rooms.", code="room", field="room_id")
    return room


def check_practitioner(organisation_id: str, site_id: str, practitioner_id: str | None) -> None:
    """Whether this is an active practitioner at the site; RuleBroken otherwise (R6, R22)."""
    if practitioner_id is None:
        return
    found = db.session.scalar(
        sa.select(Practitioner.id)
        .join(practitioner_sites, practitioner_sites.c.practitioner_id == Practitioner.id)
        .where(
            Practitioner.organisation_id == organisation_id,
            Practitioner.id == practitioner_id,
            Practitioner.deleted_at.is_(None),
            practitioner_sites.c.site_id == site_id,
        )
    )
    if found is None:
        raise RuleBroken(
            "Choose one of the people who work here.", code="practitioner", field="practitioner_id"
        )


def _lines(row: Session, now: dt.datetime) -> list[SessionBooking]:
    return list_live_lines(row.organisation_id, row.id, now)


def _facts(lines: Iterable[SessionBooking]) -> dict[str, str]:
    return {line.id: f"{line.status}:{line.places}:{line.order_item.unit_price}" for line in lines}


def _touched(line: SessionBooking) -> TouchedBooking:
    paid = -sum(entry.amount for entry in line.order.ledger if entry.kind in ("payment", "refund"))
    return TouchedBooking(
        id=line.id,
        name=line.customer.name if line.customer else line.order.name,
        email=line.order.email,
        order_ref=line.order.order_ref,
        places=line.places,
        worth=line.order_item.unit_price * line.places,
        paid=max(0, paid),
        currency=line.order_item.currency,
        is_here=line.checked_in_at is not None,
    )


def _follow_choices(
    door: Door, impact: EditImpact, settled: Mapping[str, Choice], seen: str, now: dt.datetime
) -> set[str]:
    """Move and cancel, booking by booking; the ids of those that are gone from the session.

    Each deed has a key of its own: the same form sent twice does each once (H6).
    """
    gone: set[str] = set()
    refused: list[str] = []
    for booking in impact.touched:
        choice = settled[booking.id]
        if choice.kind == "keep":
            continue
        said = _refusal(_deed(door, booking.id, choice, f"edit:{seen}:{booking.id}", now))
        if said:
            refused.append(f"{booking.name}: {said}")
        else:
            gone.add(booking.id)
    if refused:
        others = f" {len(gone)} of the others are done." if gone else ""
        raise ChoicesRefused(f"The session was left as it was.{others} " + " ".join(refused))
    return gone


def _deed(
    door: Door, booking_id: str, choice: Choice, key: str, now: dt.datetime
) -> Callable[[], object]:
    if choice.kind == "move":
        return lambda: move(door, booking_id, choice.to_session_id, key=key, now=now)
    return lambda: cancel(door, booking_id, key=key, now=now)


def _refusal(deed: Callable[[], object]) -> str:
    try:
        deed()
    except RuleBroken as broken:
        db.session.rollback()
        return broken.sentence
    return ""


def _check_unmoved(row: Session, seen: _Known, now: dt.datetime) -> list[SessionBooking]:
    """The lines that stay, if nothing but the choices has happened since; raises ImpactChanged."""
    lines = _lines(row, now)
    known = {key: fact for key, fact in seen.facts.items() if key not in seen.gone}
    if values_of(row) != seen.values or not _facts(lines).items() <= known.items():
        raise ImpactChanged
    # A hold that ran out meanwhile is nobody's loss; a booking that is missing is.
    stays = {key for key, fact in known.items() if fact.startswith("confirmed")}
    if stays - {line.id for line in lines}:
        raise ImpactChanged
    return lines


def _cancel(seen: _Known, why: str, withdrawn_by: str | None, now: dt.datetime) -> None:
    here = (seen.organisation_id, seen.site_id, seen.session_id)
    found = find_cancellable_session(*here, now=now)
    _check_unmoved(seen.load(), seen, now)
    cancel_session(*here, reason=why, seen=found.impact.mark, withdrawn_by=withdrawn_by, now=now)


def _change(seen: _Known, wanted: SessionWish, tells: bool, now: dt.datetime) -> None:
    organisation_id, session_id = seen.organisation_id, seen.session_id
    # Its zone, rooms and people stay as they are checked.
    lock_site(organisation_id, seen.site_id, shared=True)
    lock_orders(organisation_id, {line.order_id for line in _lines(seen.load(), now)})
    lock_sessions(organisation_id, [session_id])
    row = seen.load()
    lines = _check_unmoved(row, seen, now)
    if pass_on_expired(organisation_id, [session_id], now):
        db.session.refresh(row)
    after = _wished(row, seen.values, wanted)
    _check(row, seen.values, after, now)
    changed = changed_fields(seen.values, after)
    if after.capacity < row.places_taken + row.places_kept:
        raise ImpactChanged
    if "local_start" in changed:
        _end_holds(lines, now)
        db.session.refresh(row)
    _write(row, after, changed, now)
    if NOTICED.intersection(changed):
        _tell(lines, tells, now)
    wake(organisation_id, [session_id], now=now)
    raise_revision(organisation_id, [row.session_type_id])


def _write(row: Session, after: SessionValues, changed: tuple[str, ...], now: dt.datetime) -> None:
    start, end = after.instants(zone_of(row))
    for name in changed:
        if name != "duration":
            setattr(row, name, getattr(after, name))
    row.start_time, row.end_time = start, end
    # The series leaves these alone from now on; a price cleared is nobody's any more.
    names = {OVERRIDES.get(name, name) for name in changed}
    row.overridden = sorted(
        {*row.overridden, *names} - ({"price"} if after.price is None else set())
    )
    row.updated_at = now
    db.session.flush()
    db.session.expire(row, ["room", "practitioner"])


def _end_holds(lines: Iterable[SessionBooking], now: dt.datetime) -> None:
    """Who is about to confirm would confirm another time than they saw: they start again."""
    for line in lines:
        if line.status in HOLDING and line.waiting_since is None:
            let_go(line, by="expired", now=now)


def _tell(lines: Iterable[SessionBooking], tells: bool, now: dt.datetime) -> None:
    for line in lines:
        if line.status == "confirmed" and line.checked_in_at is None:
            tell("booking_changed", line, now=now, tells=tells)
