"""Which mail is sent when; how it reads and travels is the web layer's."""

import datetime as dt
from collections.abc import Iterable
from typing import Any

from models import SessionBooking
from services.outbox import enqueue, enqueue_all

MAIL = "mail"


def post(
    letter: str,
    payload: dict[str, Any],
    *,
    dedupe_key: str,
    now: dt.datetime,
    organisation_id: str | None = None,
    site_id: str | None = None,
    run_at: dt.datetime | None = None,
) -> None:
    """Put a letter into the outbox, in the caller's transaction (E1).

    The payload holds ids and addresses, never a secret: links are signed when they are written.
    """
    enqueue(
        MAIL,
        {"letter": letter, **payload},
        dedupe_key=f"{letter}:{dedupe_key}",
        now=now,
        organisation_id=organisation_id,
        site_id=site_id,
        run_at=run_at,
    )


def post_about_booking(
    letter: str, booking: SessionBooking, *, now: dt.datetime, run_at: dt.datetime | None = None
) -> None:
    """A letter about a booking as it is now: one of each kind for each of its versions (E1).

    What changes a booking raises its `sequence` first, and what the letter says is read when it
    is written, so that a late one tells what is true then.
    """
    post(
        letter,
        {"booking": booking.id, "sequence": booking.sequence},
        dedupe_key=f"{booking.id}:{booking.sequence}",
        now=now,
        organisation_id=booking.organisation_id,
        site_id=booking.site_id,
        run_at=run_at,
    )


def post_about_bookings(
    letter: str, bookings: Iterable[SessionBooking], *, now: dt.datetime
) -> None:
    """The same letter about many bookings, in as few statements as about one."""
    enqueue_all(
        MAIL,
        {
            f"{letter}:{booking.id}:{booking.sequence}": (
                {"letter": letter, "booking": booking.id, "sequence": booking.sequence},
                booking.organisation_id,
                booking.site_id,
            )
            for booking in bookings
        },
        now=now,
    )
