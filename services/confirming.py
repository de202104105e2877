"""What is posted when an order is confirmed: its letter, forms for guests, reminders (E1, E2)."""

import datetime as dt
from collections.abc import Sequence

from models import Order, SessionBooking
from services.intake import own_position
from services.letters import post
from services.reminders import plan_reminder


def post_confirmation(order: Order, lines: Sequence[SessionBooking], now: dt.datetime) -> None:
    """One letter for the whole order, and what belongs to each line; in the caller's transaction.

    Who gave no address is sent nothing.
    """
    if not order.email:
        return
    post(
        "booking_confirmed",
        {"order": order.id},
        dedupe_key=order.id,
        now=now,
        organisation_id=order.organisation_id,
        site_id=order.site_id,
    )
    for line in lines:
        plan_reminder(line, now=now)
        _post_forms(line, now)


def _post_forms(line: SessionBooking, now: dt.datetime) -> None:
    """A guest with an address has the own link; the others' go to the booker, in one letter."""
    own = own_position(line)
    asked = [guest for guest in line.guests if guest.form_secret and guest.position != own]
    for whom in dict.fromkeys(guest.id if guest.email else "" for guest in asked):
        post(
            "guest_form",
            {"booking": line.id, "guest": whom},
            dedupe_key=f"{line.id}:{whom or 'booker'}",
            now=now,
            organisation_id=line.organisation_id,
            site_id=line.site_id,
        )
