"""An order's story as staff read it: everything that happened to it, in order."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from domain.fees import TITLES
from domain.ledger import COMP, METHODS, Entry
from domain.wording import KINDS
from domain.words import count, full_stop, say_day, say_time
from models import SessionBooking
from services.order_changes import GUEST, OrderChange
from services.order_pages import OrderPage
from services.outbox_desk import Posted

STAGES = {"in_treatment": "In session", "checked_out": "Checked out"}

BY = {
    "customer": "Cancelled by the guest",
    "staff": "Cancelled at the desk",
    "venue": "The venue cancelled the session",
}


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; `amount` is signed as the ledger has it, None without money."""

    at: dt.datetime
    icon: str
    title: str
    detail: str = ""
    by: str = ""
    amount: int | None = None
    mail_id: str = ""


def say_method(entry: Entry) -> str:
    """How it was paid, in words; a payment from elsewhere keeps its own word."""
    return METHODS.get(entry.method, entry.method.capitalize() or "Payment")


def say_entry(entry: Entry) -> tuple[str, str]:
    """The icon and the words of a line of the ledger."""
    if entry.kind == "payment":
        return "banknote", f"Paid, {say_method(entry).lower()}" if entry.method else "Paid"
    if entry.kind == "refund":
        return "undo-2", f"Given back, {say_method(entry).lower()}" if entry.method else "Refund"
    if entry.fee:
        title = TITLES[entry.fee]
        return ("clock", title) if entry.amount > 0 else ("gift", f"{title} waived")
    if entry.method == COMP:
        return ("gift", "Waived") if entry.amount < 0 else ("gift", "No longer waived")
    return ("tag", "Charged") if entry.amount > 0 else ("minus", "Taken off")


def story_of(page: OrderPage, changes: Sequence[OrderChange] = ()) -> list[Event]:
    """Everything about the order, oldest first: made, charged, paid, changed, come, told.

    What stands is told from the rows, with who did it from the trail; the rest by the trail.
    """
    standing = {
        (row.id, name): change
        for row in page.bookings
        for name in STANDING
        if getattr(row, name)
        for change in changes
        if change.booking_id == row.id and name in change.columns
    }
    events = [
        *_beginning(page),
        *(event for row in page.bookings for event in _visit(row, page, standing)),
        *_others(page, [it for it in changes if it not in standing.values()]),
        *_money(page),
        *_mails(page),
    ]
    # What stands for the same moment stays in the order above.
    return sorted(events, key=lambda event: event.at)


def _beginning(page: OrderPage) -> Iterator[Event]:
    order = page.order
    is_desk = order.sold_by == "staff"
    if not is_desk and order.created_at != order.confirmed_at:
        held = order.held_since or order.created_at
        yield Event(min(held, order.created_at), "shopping-bag", "Basket begun, places held")
    waits = [row.waiting_since for row in page.bookings if row.waiting_since]
    offers = [row.offered_at for row in page.bookings if row.offered_at]
    for moment in waits:
        yield Event(moment, "hourglass", "Joined the waitlist")
    for moment in offers:
        yield Event(moment, "bell", "Offered places from the waitlist")
    if order.confirmed_at:
        yield Event(
            order.confirmed_at,
            "circle-check",
            "Booked at the desk" if is_desk else "Confirmed",
            ", ".join(row.session_type_name for row in page.bookings),
            by=_booker(page),
        )


def _booker(page: OrderPage) -> str:
    return next(
        (
            page.names[row.booked_by_id]
            for row in page.bookings
            if row.booked_by_id and row.booked_by_id in page.names
        ),
        "",
    )


def _money(page: OrderPage) -> Iterator[Event]:
    for entry in page.entries:
        icon, title = say_entry(entry)
        by = page.names.get(entry.by_id or "", "")
        yield Event(entry.at, icon, title, entry.note, by, entry.amount)


STANDING = ("checked_in_at", "is_no_show", "released_places", "cancelled_at")
"""What a booking's own row tells while it holds."""

_ICONS = {
    "checked_in_at": "rotate-ccw",
    "is_no_show": "rotate-ccw",
    "session_id": "calendar-days",
    "places": "users",
    "stage": "badge-check",
}


def _others(page: OrderPage, changes: Sequence[OrderChange]) -> Iterator[Event]:
    rows = {row.id: row for row in page.bookings}
    for one in changes:
        icon = next((_ICONS[name] for name in _ICONS if name in one.columns), "pencil")
        row = rows.get(one.booking_id)
        about = _about(row) if row is not None and len(rows) > 1 else ""
        detail = ". ".join(filter(None, (*one.said[1:], about, one.why)))
        yield Event(one.at, icon, one.said[0], detail, one.who)


def _visit(
    row: SessionBooking, page: OrderPage, standing: Mapping[tuple[str, str], OrderChange]
) -> Iterator[Event]:
    for event, name in _standing(row, page):
        change = standing.get((row.id, name))
        if change is None:
            yield event
            continue
        by = "" if change.who == GUEST else change.who
        yield replace(event, at=change.at, by=by)


def _standing(row: SessionBooking, page: OrderPage) -> Iterator[tuple[Event, str]]:
    about = _about(row) if len(page.bookings) > 1 else ""
    if row.overridden:
        by = page.names.get(row.booked_by_id or "", "")
        title = "Booked in spite of a rule"
        yield Event(row.created_at, "triangle-alert", title, row.override_reason, by), ""
    if row.checked_in_at:
        said = ", ".join(filter(None, (about, STAGES.get(row.stage, ""))))
        yield Event(row.checked_in_at, "badge-check", "Checked in", said), "checked_in_at"
    if row.is_no_show:
        noted = max(row.session.start_time, row.created_at)
        yield Event(noted, "circle-x", "No-show", about), "is_no_show"
    if row.released_places:
        places = count(row.released_places, "place")
        said = f"{places} offered to the waitlist"
        yield Event(row.updated_at, "hourglass", said, about), "released_places"
    if row.cancelled_at:
        reason = full_stop(row.cancel_reason) if row.cancel_reason else ""
        said = ". ".join(filter(None, (about, reason)))
        title = BY.get(row.cancelled_by or "", "Cancelled")
        yield Event(row.cancelled_at, "calendar-x", title, said), "cancelled_at"


def _about(row: SessionBooking) -> str:
    start = row.session.local_start
    return f"{row.session_type_name}, {say_day(start.date())}, {say_time(start)}"


def _mails(page: OrderPage) -> Iterator[Event]:
    for mail in page.mails:
        named = KINDS[mail.letter].title if mail.letter in KINDS else mail.letter
        title = named.replace("_", " ").capitalize() if mail.letter not in KINDS else named
        done = mail.done_at if mail.state == "sent" else None
        yield Event(
            done or mail.run_at,
            "mail",
            f"{_fate(mail)}: {title}",
            f"To {mail.address}" if mail.address else "",
            mail_id=mail.id,
        )


def _fate(mail: Posted) -> str:
    """What became of it, as the outbox says."""
    if mail.state == "sent" and mail.error:
        return "Mail kept" if "no mail server" in mail.error else "Mail, not needed"
    return {"sent": "Mail", "failed": "Mail that failed", "waiting": "Mail that waits"}[mail.state]
