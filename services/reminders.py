"""Reminders before a session: one for each version of a booking, at its present start (E2)."""

import datetime as dt

import sqlalchemy as sa

from domain.reminders import reminder_moment
from models import Job, Session, SessionBooking, Site, db
from services.letters import post_about_booking

REMINDER = "booking_reminder"


def plan_reminder(booking: SessionBooking, *, now: dt.datetime) -> None:
    """Post the reminder of a booking as it is now, and take back those of older versions (E2).

    In the caller's transaction, after `sequence` was raised. None for a booking that is cancelled
    or not sold, for an order without an address, or where the moment has passed already.
    """
    _take_back(booking)
    if booking.cancelled_at is not None or booking.status != "confirmed":
        return
    if not booking.order.email:
        return
    start, hours = db.session.execute(
        sa.select(Session.start_time, Site.reminder_hours)
        .join(Site, Site.id == Session.site_id)
        .where(Session.organisation_id == booking.organisation_id, Session.id == booking.session_id)
    ).one()
    moment = reminder_moment(start, hours, now=now)
    if moment is not None:
        post_about_booking(REMINDER, booking, now=now, run_at=moment)


def _take_back(booking: SessionBooking) -> None:
    # The letter says nothing for an older version anyway; without its row nobody wonders at it.
    older = [f"{REMINDER}:{booking.id}:{number}" for number in range(booking.sequence)]
    if older:
        db.session.execute(
            sa.delete(Job).where(
                Job.organisation_id == booking.organisation_id,
                Job.dedupe_key.in_(older),
                Job.done_at.is_(None),
                Job.attempts == 0,
            ),
            execution_options={"synchronize_session": False},
        )
