"""More guests for a booking that stands: places are taken, the agreed price is charged for each."""

import datetime as dt
import secrets
from collections.abc import Iterable, Sequence

from domain.changing import check_growing
from domain.errors import NotChangeable
from domain.intake import fields_for
from domain.people import check_name, guest_key
from models import Guest, SessionBooking, db, new_object_id
from services.amending import note_money, tell
from services.changing import Door, Standing, change, check_seen
from services.intake import fields_of
from services.lines import just_went, lines_of
from services.places import grow
from services.waking import pass_on_expired


def add_guests(
    door: Door,
    booking_id: str,
    *,
    names: Sequence[str] = (),
    number: int = 0,
    seen: int | None = None,
    key: str = "",
    now: dt.datetime,
) -> str:
    """Some guests more come along; the id of the session (H1, P5).

    Staff only: bound by places and the session being live (R20), at the price that was agreed for
    a place. Where guests have names, `names` are the new ones', else `number` says how many. A
    party that is here already may grow. Raises NotFound, NotChangeable, NotBookable when the
    places don't fit, RuleBroken for a name, ChangedSince.
    """

    def deed(standing: Standing) -> Iterable[str]:
        booking = standing.booking
        require_growing(standing, now)
        check_seen(booking, seen)
        pass_on_expired(door.organisation_id, [booking.session_id], now)
        new = _names(booking, names) if booking.guests else []
        more = len(new) if booking.guests else number
        check_growing(booking.places, more)
        if not grow(booking, more, now):
            raise just_went(more)
        _name(booking, new)
        _agree_to_more(booking)
        note_money(booking, booking.order_item.unit_price * more, now)
        tell("booking_changed", booking, now=now, tells=door.tells)
        return []

    body: dict[str, object] = {"add": number, "names": list(names), "seen": seen}
    return change(door, booking_id, deed, body=body, key=key, now=now)


def require_growing(standing: Standing, now: dt.datetime) -> None:
    """Raise NotChangeable when nobody can be added to this booking."""
    booking, refusal = standing.booking, standing.refusal
    if refusal is not None and refusal.code != "checked_in":
        raise refusal
    if booking.session.deleted_at is not None:
        raise NotChangeable("This session was cancelled.", code="venue_cancelled")
    if booking.session.end_time <= now:
        raise NotChangeable("That session is over.", code="started")
    if booking.released_places:
        raise NotChangeable(
            "Places of this booking are offered to the waitlist. Wait until they are taken, or "
            "have the guest keep them.",
            code="released",
        )


def _names(booking: SessionBooking, typed: Sequence[str]) -> list[str]:
    """The new names, tidy; nobody comes twice (H9)."""
    same = [booking]
    if booking.order_item.policy.get("max_per_guest"):
        same = [
            line
            for line in lines_of(booking.order)
            if line.session_type_id == booking.session_type_id and line.cancelled_at is None
        ]
    known = {guest_key(email="", name=guest.name) for line in same for guest in line.guests}
    found = []
    for number, text in enumerate(typed):
        field = f"guest-{number}"
        name = check_name(text, field=field, who="a name for each new guest")
        if guest_key(email="", name=name) in known:
            raise NotChangeable(f"{name} comes already.", code="guest_twice", field=field)
        known.add(guest_key(email="", name=name))
        found.append(name)
    return found


def _name(booking: SessionBooking, names: Sequence[str]) -> None:
    """Write the new guests behind the others, each with their own form where one is asked."""
    asks = booking.intake_form is not None and bool(fields_for(fields_of(booking.intake_form), 0))
    taken = {guest.position for guest in booking.guests}
    first = max(taken, default=-1) + 1
    for number, name in enumerate(names):
        booking.guests.append(
            Guest(
                id=new_object_id(),
                organisation_id=booking.organisation_id,
                position=first + number,
                name=name,
                form_secret=secrets.token_urlsafe(18) if asks else None,
            )
        )
    booking.order_item.places = booking.places
    db.session.flush()


def _agree_to_more(booking: SessionBooking) -> None:
    """The venue takes the larger party, so it is one that was agreed."""
    policy = booking.order_item.policy
    most = policy.get("max_guests")
    if most and booking.places > most:
        booking.order_item.policy = {**policy, "max_guests": booking.places}
