"""What letters tell of: bookings and orders, read whole when the letter is written."""

import sqlalchemy as sa
from sqlalchemy.orm import selectinload

from models import Order, SessionBooking, db, unbound
from services.checkout import SOLD
from services.lines import WHOLE

_BY_JOB = unbound("a job of the outbox names its booking, whichever organisation it belongs to")


def find_told_booking(booking_id: str) -> SessionBooking | None:
    """A booking in any state, with its order, session, guests and site loaded; None when gone."""
    order_id = db.session.scalar(
        sa.select(SessionBooking.order_id).where(SessionBooking.id == booking_id),
        execution_options=_BY_JOB,
    )
    order = _find(Order.id == order_id) if order_id else None
    if order is None:
        return None
    return next(item.booking for item in order.items if item.booking.id == booking_id)


def find_told_order(order_id: str) -> Order | None:
    """An order that was once confirmed, with its lines; None when there is none."""
    return _find(sa.and_(Order.id == order_id, Order.state.in_(SOLD)))


def _find(condition: sa.ColumnElement[bool]) -> Order | None:
    return db.session.scalar(
        sa.select(Order)
        .where(condition)
        .options(*WHOLE, selectinload(Order.ledger))
        .execution_options(populate_existing=True),
        execution_options=_BY_JOB,
    )
