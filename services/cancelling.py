"""Ending what was booked, whole or guest by guest: places come back, the books stay whole."""

import datetime as dt
from collections.abc import Iterable, Sequence

from domain.changing import check_leaving
from domain.errors import NotChangeable
from domain.reasons import check_reason
from models import SessionBooking
from services.amending import drop_people, end_line, tell
from services.changing import (
    Door,
    Standing,
    change,
    check_seen,
    find_standing,
    require_changeable,
)
from services.intake import positions_of


def find_cancellable(
    organisation_id: str, site_id: str, booking_id: str, *, now: dt.datetime
) -> Standing:
    """A booking that staff may cancel, to say what that would do.

    Raises NotFound, WrongState as `cancel_for_staff` would.
    """
    standing = find_standing(Door(organisation_id, site_id=site_id), booking_id, now=now)
    require_changeable(standing)
    return standing


def cancel_for_staff(
    organisation_id: str,
    site_id: str,
    booking_id: str,
    *,
    reason: str,
    tells: bool = True,
    key: str = "",
    now: dt.datetime,
) -> str:
    """End a confirmed booking on the venue's side; its session's id.

    Its places are free at once and its charge is taken back; repeating changes nothing. The
    order is cancelled with its last line. `tells`: the guest gets a mail with the reason.
    Raises RuleBroken without a reason, NotFound, WrongState for a guest who came.
    """
    door = Door(organisation_id, site_id=site_id, reason=check_reason(reason), tells=tells)
    return cancel(door, booking_id, key=key, now=now)


def cancel(
    door: Door, booking_id: str, *, seen: int | None = None, key: str = "", now: dt.datetime
) -> str:
    """End a whole booking; the id of its session (M5, M8, H10).

    Staff may repeat it, which changes nothing; a customer is told that it was cancelled already.
    Raises NotFound, NotChangeable with the reason of the agreed policy, ChangedSince.
    """

    def deed(standing: Standing) -> Iterable[str]:
        booking = standing.booking
        if booking.cancelled_at is not None and door.is_staff:
            return []
        require_changeable(standing)
        check_seen(booking, seen)
        _end(door, booking, now)
        return [booking.session_id]

    return change(door, booking_id, deed, body={"cancel": seen}, key=key, now=now)


def cancel_guests(
    door: Door,
    booking_id: str,
    *,
    who: Sequence[int] = (),
    number: int = 0,
    seen: int | None = None,
    key: str = "",
    now: dt.datetime,
) -> str:
    """Some guests of a booking don't come; the id of its session.

    `who` are their positions where guests are told apart, else `number` says how many. Their
    answers and form links go with them, the others' stay theirs. Never below the agreed smallest
    party. Raises NotFound, NotChangeable, ChangedSince.
    """

    def deed(standing: Standing) -> Iterable[str]:
        booking = standing.booking
        require_changeable(standing)
        check_seen(booking, seen)
        leaving = _leaving(standing, who, number)
        check_leaving(booking.places, len(leaving), booking.order_item.policy)
        drop_people(booking, leaving, now)
        if door.reason:
            booking.cancel_reason = door.reason
        tell("booking_changed", booking, now=now, tells=door.tells)
        return [booking.session_id]

    body: dict[str, object] = {"who": list(who), "number": number, "seen": seen}
    return change(door, booking_id, deed, body=body, key=key, now=now)


def _end(door: Door, booking: SessionBooking, now: dt.datetime) -> None:
    """The whole line; the caller has asked whether it may end."""
    end_line(booking, by=door.by, now=now)
    booking.cancel_reason = door.reason
    tell("booking_cancelled", booking, now=now, tells=door.tells)


def _leaving(standing: Standing, who: Sequence[int], number: int) -> tuple[int, ...]:
    """The positions that leave: those chosen, or the last ones of people without a name."""
    if not standing.asks_who:
        return tuple(positions_of(standing.booking)[-number:]) if number > 0 else ()
    known = {person.position for person in standing.people if person.can_leave}
    if not set(who) <= known:
        raise NotChangeable("Choose who can't come.", code="guests_leaving", field="who")
    return tuple(sorted(set(who)))
