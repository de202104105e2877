"""A released place is taken by somebody else: who gave it up gets the agreed refund."""

import datetime as dt

from domain.changing import least_party
from models import SessionBooking
from services.amending import drop_people, end_line, tell
from services.intake import positions_of


def take_over_released(booking: SessionBooking, places: int, now: dt.datetime) -> None:
    """Free `places` of those that the booking gives up; it is cancelled when none is left.

    Its charge for them is taken back, its guest gets a mail. In the caller's transaction, which
    has locked both orders, then the session, and claims the places next. Raises ChangedSince
    when fewer places are released by now.
    """
    if places >= booking.places:
        end_line(booking, by="customer", now=now)
        tell("booking_cancelled", booking, now=now)
        return
    released = booking.released_places
    drop_people(booking, _last_to_come(booking, places), now)
    booking.released_places = max(0, released - places)
    _agree_to_fewer(booking)
    tell("booking_changed", booking, now=now)


def _last_to_come(booking: SessionBooking, places: int) -> list[int]:
    """The positions that leave first: the last ones, as the page has said."""
    return positions_of(booking)[-places:]


def _agree_to_fewer(booking: SessionBooking) -> None:
    """The venue has sold the place on, so the party that stays is one that was agreed."""
    policy = booking.order_item.policy
    if booking.places < least_party(policy):
        booking.order_item.policy = {**policy, "min_guests": booking.places}
