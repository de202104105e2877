"""Decisions about who stands in, applied as long work, each session checked again."""

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from domain.errors import ImpactChanged, RuleBroken, WrongState
from domain.reasons import check_reason
from domain.replacing import Place, check_chosen
from domain.words import say_short_day, say_time, say_weekday_short
from models import Practitioner, Room, Session, SessionBooking, Site, TimeOff, db, new_object_id
from services.amending import tell
from services.cover import Absence, Affected, Cover, find_candidates, find_cover, slot_for
from services.idempotency import once, retrying
from services.lines import load_session_at
from services.long_works import begin
from services.places import lock_sessions, raise_revision
from services.session_changes import cancel_session, lock_orders

COVER = "cover"
"""The kind of these works."""

LATER, WITHOUT, CANCEL = "", "none", "cancel"
"""What can be decided instead of somebody."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to become of one session: LATER, WITHOUT, CANCEL or the id of who stands in.

    `seen` is the mark of what the page showed of its bookings (S3).
    """

    session_id: str
    choice: str
    seen: str = ""


@dataclass(frozen=True, slots=True)
class Wish:
    """Everything that the form asks for."""

    decisions: Sequence[Decision]
    tells: bool = False
    reason: str = ""
    records_time_off: bool = False


def field_of(session_id: str) -> str:
    """The name of a session's field in the form."""
    return f"do-{session_id}"


def begin_cover(
    organisation_id: str,
    site_id: str,
    absence: Absence,
    wish: Wish,
    *,
    key: str,
    account_id: str | None,
    back: str,
    now: dt.datetime,
) -> str | None:
    """Write the work that carries out the decisions, and the time off; its id, None without any.

    The same form sent twice begins one work (H6). Raises NotFound; RuleBroken by field for what
    can't be chosen; ImpactChanged when the sessions, who is free, or what a cancellation
    touches are not what the page showed (S3).
    """
    digest = hashlib.sha256(repr((absence, wish)).encode()).hexdigest()[:24]
    own_key = f"{COVER}:{key}:{digest}" if key else ""

    def deed() -> str:
        found = find_cover(organisation_id, site_id, absence, now=now)
        chosen = [one for one in wish.decisions if one.choice != LATER]
        _check(organisation_id, site_id, found, chosen, wish)
        if wish.records_time_off and absence.kind == "practitioner" and not found.is_recorded:
            _record(organisation_id, absence, now)
        if not chosen:
            return ""
        return begin(
            organisation_id,
            site_id,
            kind=COVER,
            title=f"Cover for {found.name}, {_say_span(absence)}",
            items=[_item(found, decision, wish) for decision in chosen],
            key=own_key or new_object_id(),
            account_id=account_id,
            back=back,
            now=now,
        )

    return once(organisation_id, own_key, {}, deed, now) or None


def cover_one(organisation_id: str, site_id: str, item: Any, now: dt.datetime) -> None:
    """Carry out the decision about one session; doing it again changes nothing.

    Raises RuleBroken with what is otherwise by now: somebody else leads it, whoever was chosen
    is no longer free, or a cancellation touches more than was shown (S3).
    """
    if item["do"] != CANCEL:
        retrying(lambda: _hand_over(organisation_id, site_id, item, now))
        return
    cancel_session(
        organisation_id,
        site_id,
        item["session"],
        reason=item["reason"],
        seen=item["seen"],
        check=lambda row: _check_still(row, item, now),
        now=now,
    )


def _check(
    organisation_id: str,
    site_id: str,
    found: Cover,
    chosen: Sequence[Decision],
    wish: Wish,
) -> None:
    if not chosen and not wish.records_time_off:
        raise RuleBroken("Choose what becomes of at least one session.", code="nothing_chosen")
    affected = {one.session.id: one for one in found.affected}
    for decision in chosen:
        one = affected.get(decision.session_id)
        if one is None:
            # One of elsewhere is not told apart from one that never was (D1).
            load_session_at(organisation_id, site_id, decision.session_id)
            raise ImpactChanged
        _check_choice(organisation_id, found, one, decision)
    check_chosen(
        found.slots,
        {one.session_id: one.choice for one in chosen if one.choice not in (WITHOUT, CANCEL)},
        found.candidates,
        field_of,
    )
    if any(one.choice == CANCEL for one in chosen):
        check_reason(wish.reason)


def _check_choice(organisation_id: str, found: Cover, one: Affected, decision: Decision) -> None:
    field, choice = field_of(decision.session_id), decision.choice
    if choice == CANCEL:
        if decision.seen != one.impact.mark:
            raise ImpactChanged("The bookings of a session have changed. Look again, then decide.")
        return
    if choice == WITHOUT and found.absence.kind == "practitioner":
        return
    if choice in {option.id for option in one.options}:
        return
    name = _name_of(organisation_id, found.absence.kind, choice)
    if name is None:
        raise RuleBroken("Choose one of the list.", code="unknown_choice", field=field)
    raise ImpactChanged(f"{name} isn’t free any more. Look again, then decide.")


def _name_of(organisation_id: str, kind: str, row_id: str) -> str | None:
    table: Any = Room if kind == "room" else Practitioner
    return db.session.scalar(
        sa.select(table.name).where(table.organisation_id == organisation_id, table.id == row_id)
    )


def _record(organisation_id: str, absence: Absence, now: dt.datetime) -> None:
    db.session.add(
        TimeOff(
            organisation_id=organisation_id,
            practitioner_id=absence.id,
            local_start=absence.begins,
            local_end=absence.ends,
            created_at=now,
        )
    )


def _item(found: Cover, decision: Decision, wish: Wish) -> dict[str, Any]:
    row = next(one.session for one in found.affected if one.session.id == decision.session_id)
    when = f"{say_weekday_short(row.local_start.date())} at {say_time(row.local_start)}"
    return {
        "name": f"{row.session_type_name}, {when}",
        "session": row.id,
        "kind": found.absence.kind,
        "from": found.absence.id,
        "do": decision.choice if decision.choice in (WITHOUT, CANCEL) else "replace",
        "to": None if decision.choice in (WITHOUT, CANCEL) else decision.choice,
        "seen": decision.seen,
        "reason": wish.reason,
        "tells": wish.tells,
    }


def _say_span(absence: Absence) -> str:
    first = absence.begins.date()
    last = (absence.ends - dt.timedelta(microseconds=1)).date()
    if first == last:
        return say_short_day(first)
    return f"{say_short_day(first)} to {say_short_day(last)}"


def _hand_over(
    organisation_id: str, site_id: str, item: Mapping[str, Any], now: dt.datetime
) -> None:
    session_id, is_room = item["session"], item["kind"] == "room"
    lock_orders(organisation_id, _orders_on(organisation_id, session_id))
    lock_sessions(organisation_id, [session_id])
    row = load_session_at(organisation_id, site_id, session_id)
    name = "room_id" if is_room else "practitioner_id"
    if row.deleted_at is None and getattr(row, name) == item["to"]:
        return
    _check_still(row, item, now)
    changed: dict[str, Any] = {name: item["to"]}
    if item["to"] is not None:
        one = _take(organisation_id, row, item, now)
        if isinstance(one, Place) and one.cap < row.capacity:
            changed["capacity"] = one.cap
    for field, value in changed.items():
        setattr(row, field, value)
    # The series leaves these alone from now on (R5).
    row.overridden = sorted({*row.overridden, *changed})
    row.updated_at = now
    db.session.flush()
    db.session.expire(row, ["room", "practitioner"])
    if is_room or item["tells"]:
        _tell(organisation_id, session_id, now, tells=bool(item["tells"]))
    raise_revision(organisation_id, [row.session_type_id])


def _check_still(row: Session, item: Mapping[str, Any], now: dt.datetime) -> None:
    if row.deleted_at is not None:
        raise WrongState("It was cancelled meanwhile.")
    if row.start_time <= now:
        raise WrongState("It has begun meanwhile.")
    if item["kind"] == "room" and row.room_id != item["from"]:
        raise WrongState("It was given another room meanwhile.")
    if item["kind"] == "practitioner" and row.practitioner_id != item["from"]:
        raise WrongState("Somebody else was put in charge of it meanwhile.")


def _take(organisation_id: str, row: Session, item: Mapping[str, Any], now: dt.datetime) -> Any:
    """Whoever was chosen, locked so that nobody else gives them away; raises WrongState."""
    table: Any = Room if item["kind"] == "room" else Practitioner
    # Two sessions are two locks: the one they both want is the guard.
    name = db.session.scalar(
        sa.select(table.name)
        .where(table.organisation_id == organisation_id, table.id == item["to"])
        .with_for_update(key_share=True)
    )
    site = db.session.scalars(
        sa.select(Site).where(Site.organisation_id == organisation_id, Site.id == row.site_id)
    ).one()
    slot = slot_for(row)
    for one in find_candidates(organisation_id, site, item["kind"], [slot], now=now):
        if one.id == item["to"] and one.can_take(slot) and one.is_free(slot):
            return one
    raise WrongState(f"{name or 'Whoever was chosen'} isn’t free then any more.")


def _orders_on(organisation_id: str, session_id: str) -> set[str]:
    return set(
        db.session.scalars(
            sa.select(SessionBooking.order_id).where(*_sold(organisation_id, session_id))
        )
    )


def _sold(organisation_id: str, session_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        SessionBooking.organisation_id == organisation_id,
        SessionBooking.session_id == session_id,
        SessionBooking.status == "confirmed",
        SessionBooking.cancelled_at.is_(None),
    )


def _tell(organisation_id: str, session_id: str, now: dt.datetime, *, tells: bool) -> None:
    # Calendars that follow a booking learn of another room also where no mail is sent.
    # An order that was confirmed between the two locks is locked late: a circle that this could
    # close is ended by the database, and the deed is tried again (`retrying`).
    lock_orders(organisation_id, _orders_on(organisation_id, session_id))
    for booking in db.session.scalars(
        sa.select(SessionBooking)
        .where(*_sold(organisation_id, session_id))
        .order_by(SessionBooking.id)
        .with_for_update(of=SessionBooking)
        .execution_options(populate_existing=True)
    ).all():
        tell("booking_changed", booking, now=now, tells=tells)
