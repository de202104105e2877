"""Giving a place to the waiting list when it is too late to cancel, and taking it back."""

import datetime as dt
from collections.abc import Iterable

from domain.changing import check_release, release_sizes
from domain.errors import ChangedSince, NotChangeable
from services.changing import Door, Standing, change

GIVES_UP = ("too_late", "disallowed", "paid")
"""Refusals to cancel after which a place can still be given to somebody who waits."""


def why_no_release(standing: Standing) -> NotChangeable | None:
    """Why the places of this booking can't be given to the waiting list; None when they can."""
    row, refusal = standing.booking.session, standing.refusal
    if refusal is None:
        return NotChangeable("You can still cancel, which is simpler.", code="can_cancel")
    if refusal.code not in GIVES_UP:
        return refusal
    if not row.waitlist_enabled:
        return NotChangeable("This session has no waitlist.", code="no_waiting_list")
    return None


def sizes_to_release(standing: Standing) -> tuple[int, ...]:
    """The numbers of places that can be given up."""
    return release_sizes(standing.places, standing.booking.order_item.policy)


def release_places(
    door: Door, booking_id: str, places: int, *, key: str = "", now: dt.datetime
) -> str:
    """Offer `places` of a booking to the waiting list; the id of its session.

    They stay the customer's own until somebody takes them. Giving up as many again changes
    nothing. Raises NotFound, NotChangeable.
    """

    def deed(standing: Standing) -> Iterable[str]:
        booking, refusal = standing.booking, why_no_release(standing)
        if refusal is not None:
            raise refusal
        check_release(booking.places, places, booking.order_item.policy)
        booking.released_places, booking.updated_at = places, now
        return [booking.session_id]

    return change(door, booking_id, deed, body={"release": places}, key=key, now=now)


def take_back(door: Door, booking_id: str, *, now: dt.datetime) -> str:
    """Keep the places after all, unless somebody has taken them; the id of their session.

    Raises NotFound, ChangedSince when nothing is given up any more.
    """

    def deed(standing: Standing) -> Iterable[str]:
        booking = standing.booking
        if booking.cancelled_at is not None or not booking.released_places:
            raise ChangedSince(
                "Nothing is on offer any more: your places were taken, or you keep them already.",
                code="release_taken",
            )
        booking.released_places, booking.updated_at = 0, now
        # Waking the list takes back what was offered on the strength of these places.
        return [booking.session_id]

    return change(door, booking_id, deed, body={"release": 0}, now=now)
