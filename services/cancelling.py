"""Ending what was booked: places come back, the books stay whole."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from domain.errors import NotFound, WrongState
from domain.reasons import check_reason
from models import LedgerEntry, Order, Session, SessionBooking, db, new_object_id, transaction
from services.lines import LINE, lines_of
from services.places import let_go, lock_sessions, raise_revision
from services.waking import wake


def find_cancellable(organisation_id: str, site_id: str, booking_id: str) -> SessionBooking:
    """A confirmed booking with its session and order, to say what cancelling it would do.

    Raises NotFound, WrongState as `cancel_for_staff` would.
    """
    booking = db.session.scalar(
        sa.select(SessionBooking)
        .where(
            SessionBooking.organisation_id == organisation_id,
            SessionBooking.site_id == site_id,
            SessionBooking.id == booking_id,
        )
        .options(
            joinedload(SessionBooking.session).joinedload(Session.room),
            joinedload(SessionBooking.order),
            joinedload(SessionBooking.order_item),
        )
    )
    if booking is None:
        raise NotFound("We couldn't find that booking.")
    if booking.cancelled_at is not None:
        raise WrongState("This booking was cancelled already.")
    _check_can_end(booking)
    return booking


def cancel_for_staff(
    organisation_id: str,
    site_id: str,
    booking_id: str,
    *,
    reason: str,
    now: dt.datetime,
) -> str:
    """End a confirmed booking on the venue's side; its session's id.

    Its places are free at once and its charge is taken back; repeating changes nothing. The
    order is cancelled with its last line. Raises RuleBroken without a reason,
    NotFound, WrongState for a guest who came.
    """
    why = check_reason(reason)
    with transaction():
        order_id, session_id = _place_of(organisation_id, site_id, booking_id)
        order = _lock_order(organisation_id, order_id)
        lock_sessions(organisation_id, [session_id])
        booking = next(line for line in lines_of(order) if line.id == booking_id)
        if booking.cancelled_at is not None:
            return session_id
        _check_can_end(booking)
        type_id = booking.session_type_id
        charge = booking.order_item.unit_price * booking.places
        if not let_go(booking, by="staff", now=now):
            raise WrongState("This booking has just been changed. Look at it again.")
        booking.cancel_reason = why
        if charge:
            db.session.add(
                LedgerEntry(
                    id=new_object_id(),
                    organisation_id=organisation_id,
                    order_id=order_id,
                    kind="adjustment",
                    amount=-charge,
                    currency=order.currency,
                    created_at=now,
                )
            )
        db.session.flush()
        wake(organisation_id, [session_id], now=now)
        if all(line.cancelled_at is not None for line in lines_of(order)):
            order.state = "cancelled"
        raise_revision(organisation_id, [type_id])
        return session_id


def _check_can_end(booking: SessionBooking) -> None:
    if booking.status != "confirmed":
        raise WrongState("This booking isn't confirmed yet.")
    if booking.checked_in_at is not None:
        raise WrongState("This guest is here already. Undo the check-in first.")


def _place_of(organisation_id: str, site_id: str, booking_id: str) -> tuple[str, str]:
    row = db.session.execute(
        sa.select(SessionBooking.order_id, SessionBooking.session_id).where(
            SessionBooking.organisation_id == organisation_id,
            SessionBooking.site_id == site_id,
            SessionBooking.id == booking_id,
        )
    ).first()
    if row is None:
        raise NotFound("We couldn't find that booking.")
    return row.order_id, row.session_id


def _lock_order(organisation_id: str, order_id: str) -> Order:
    return db.session.scalars(
        sa.select(Order)
        .where(Order.organisation_id == organisation_id, Order.id == order_id)
        .options(LINE)
        .with_for_update(of=Order, key_share=True)
        .execution_options(populate_existing=True)
    ).one()
