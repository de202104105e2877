"""Bookings as programs read them: pages of them, and those of many sessions at once."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import joinedload, selectinload

from models import SessionBooking, db
from services.intake import Completion, completion

SHOWN_WITH = (
    joinedload(SessionBooking.customer),
    joinedload(SessionBooking.order),
    joinedload(SessionBooking.order_item),
    selectinload(SessionBooking.guests),
)
"""What `rows_of` needs of each booking, whoever loads them."""

IS_SOMEBODYS = SessionBooking.customer_id.is_not(None)
"""What lies in a basket is nobody's booking yet: neither a name nor a customer is known."""


@dataclass(frozen=True, slots=True)
class BookingRow:
    """A booking with what its forms still lack."""

    booking: SessionBooking
    forms: Completion

    @property
    def total(self) -> int:
        """What its places cost as agreed, in minor units."""
        return self.booking.order_item.unit_price * self.booking.places

    @property
    def offered_until(self) -> dt.datetime | None:
        """Until when a waiting party may answer its offer; None without one."""
        booking = self.booking
        is_offered = booking.offered_at is not None and booking.cancelled_at is None
        return booking.expires_at if is_offered and booking.status != "confirmed" else None


def rows_of(bookings: Sequence[SessionBooking]) -> list[BookingRow]:
    """The same bookings with the state of their forms; two statements however many there are.

    They are loaded with SHOWN_WITH.
    """
    forms = completion(bookings)
    return [BookingRow(booking, forms[booking.id]) for booking in bookings]


def bookings_of_sessions(
    organisation_id: str, session_ids: Collection[str]
) -> dict[str, list[BookingRow]]:
    """By session its bookings that are not cancelled, the oldest first; constant statements.

    Every session that is asked for has a list.
    """
    found: dict[str, list[BookingRow]] = defaultdict(list, {it: [] for it in session_ids})
    bookings = db.session.scalars(
        sa.select(SessionBooking)
        .where(
            SessionBooking.organisation_id == organisation_id,
            SessionBooking.session_id.in_(session_ids),
            SessionBooking.cancelled_at.is_(None),
            IS_SOMEBODYS,
        )
        .options(*SHOWN_WITH)
        .order_by(SessionBooking.id)
        .execution_options(populate_existing=True)
    ).all()
    _group(rows_of(bookings), found)
    return dict(found)


def _group(rows: Iterable[BookingRow], found: dict[str, list[BookingRow]]) -> None:
    for row in rows:
        found[row.booking.session_id].append(row)
