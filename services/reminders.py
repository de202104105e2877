"""Reminders before a session: one for each version of a booking, at its present start (E2)."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from domain.reminders import reminder_moment
from models import Job, Session, SessionBooking, Site, db
from services.letters import MAIL, post_about_booking
from services.outbox import enqueue_all

REMINDER = "booking_reminder"
_AT_A_TIME = 500


@dataclass(frozen=True, slots=True)
class Planned:
    """A sold booking as its reminder needs it: its version, and its session's start."""

    booking_id: str
    organisation_id: str
    site_id: str
    sequence: int
    start_time: dt.datetime
    has_address: bool


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


def replan_reminders(rows: Sequence[Planned], hours: int, *, now: dt.datetime) -> None:
    """The same for many bookings whose versions were raised together, in few statements (E2).

    `hours` before the start, as their site says.
    """
    older = [
        f"{REMINDER}:{row.booking_id}:{number}" for row in rows for number in range(row.sequence)
    ]
    for first in range(0, len(older), _AT_A_TIME):
        _take_back_keys(rows[0].organisation_id, older[first : first + _AT_A_TIME])
    by_moment: dict[dt.datetime, dict[str, tuple[dict[str, Any], str | None, str | None]]] = {}
    for row in rows:
        moment = reminder_moment(row.start_time, hours, now=now)
        if moment is not None and row.has_address:
            payload = {"letter": REMINDER, "booking": row.booking_id, "sequence": row.sequence}
            by_moment.setdefault(moment, {})[f"{REMINDER}:{row.booking_id}:{row.sequence}"] = (
                payload,
                row.organisation_id,
                row.site_id,
            )
    for moment, jobs in by_moment.items():
        enqueue_all(MAIL, jobs, run_at=moment, now=now)


def _take_back(booking: SessionBooking) -> None:
    # The letter says nothing for an older version anyway; without its row nobody wonders at it.
    older = [f"{REMINDER}:{booking.id}:{number}" for number in range(booking.sequence)]
    if older:
        _take_back_keys(booking.organisation_id, older)


def _take_back_keys(organisation_id: str, keys: Sequence[str]) -> None:
    db.session.execute(
        sa.delete(Job).where(
            Job.organisation_id == organisation_id,
            Job.dedupe_key.in_(keys),
            Job.done_at.is_(None),
            Job.attempts == 0,
        ),
        execution_options={"synchronize_session": False},
    )
