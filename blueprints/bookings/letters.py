"""What the mails about a booking say; everything is read when they are written."""

import datetime as dt
from typing import Any

from blueprints.booking_words import (
    Details,
    balance_of,
    details_of,
    owes_just,
    say_sum,
    words_of,
    words_of_all,
)
from blueprints.calendars import CANCEL, REQUEST, calendar_file, mail_method
from blueprints.clock import read_clock
from blueprints.links import public_url
from blueprints.mailing import Letter, letter
from domain.errors import FormClosed, NotFound
from domain.reminders import is_reminder_useful
from domain.words import full_stop
from models import Guest, Order, SessionBooking
from services.intake import completion, own_position
from services.intake_answers import find_guest_form
from services.lines import live_lines
from services.told import find_told_booking, find_told_order

BUTTON = "See my booking"


@letter("booking_confirmed")
def booking_confirmed(payload: dict[str, Any]) -> Letter | None:
    order = find_told_order(str(payload["order"]))
    now = read_clock()
    lines = _standing(order, now) if order else []
    if order is None or not lines:
        return None
    method = mail_method(lines)
    facts = [_to_pay(order, lines), *_form_due(lines)]
    return Letter(
        to=order.email,
        name=order.name,
        subject="You're booked",
        paragraphs=tuple(fact for fact in facts if fact),
        details=tuple(details_of(line) for line in lines),
        action=(BUTTON, _link(order)),
        small=(
            "Keep this mail: the link in it is your ticket. "
            "The file that comes with it puts your visit into your calendar.",
        ),
        site=order.site,
        words=words_of_all(lines),
        calendar=calendar_file(lines, method=method, now=now),
        calendar_method=method,
    )


@letter("booking_changed")
def booking_changed(payload: dict[str, Any]) -> Letter | None:
    booking = _version(payload)
    now = read_clock()
    if booking is None or not _stands(booking, now):
        return None
    order = booking.order
    return Letter(
        to=order.email,
        name=order.name,
        subject="Your booking has changed",
        paragraphs=tuple(fact for fact in (_to_pay(order, [booking]),) if fact),
        details=(details_of(booking),),
        action=(BUTTON, _link(order)),
        small=("If it is in your calendar, the file with this mail brings it up to date.",),
        site=order.site,
        words=words_of(booking),
        calendar=calendar_file([booking], method=REQUEST, now=now),
        calendar_method=REQUEST,
    )


@letter("booking_cancelled")
def booking_cancelled(payload: dict[str, Any]) -> Letter | None:
    booking = _version(payload)
    if booking is None or booking.cancelled_at is None or booking.status != "confirmed":
        return None
    order, now = booking.order, read_clock()
    return Letter(
        to=order.email,
        name=order.name,
        subject="Your booking is cancelled",
        paragraphs=tuple(fact for fact in (_by_whom(booking), *_taken_back(booking, now)) if fact),
        details=(details_of(booking, is_priced=False),),
        action=("See the order", _link(order)),
        small=("If it is in your calendar, the file with this mail takes it out.",),
        site=order.site,
        words=words_of(booking),
        calendar=calendar_file([booking], method=CANCEL, now=now),
        calendar_method=CANCEL,
    )


@letter("booking_reminder")
def booking_reminder(payload: dict[str, Any]) -> Letter | None:
    booking = _version(payload)
    now = read_clock()
    if booking is None or not _stands(booking, now) or booking.checked_in_at is not None:
        return None
    order = booking.order
    if not is_reminder_useful(booking.session.start_time, order.site.reminder_hours, now=now):
        return None
    texts = dict(order.site.texts)
    bring = booking.session.session_type.details.get("bring", [])
    facts = (
        str(texts.get("directions", "")),
        f"Please bring: {'; '.join(bring)}." if bring else "",
        _to_pay(order, [booking]),
        *_form_due([booking]),
    )
    return Letter(
        to=order.email,
        name=order.name,
        subject="See you soon",
        paragraphs=tuple(fact for fact in facts if fact),
        details=(details_of(booking),),
        action=(BUTTON, _link(order)),
        site=order.site,
        words=words_of(booking),
    )


@letter("guest_form")
def guest_form(payload: dict[str, Any]) -> Letter | None:
    booking = find_told_booking(str(payload["booking"]))
    now = read_clock()
    if booking is None or not _stands(booking, now):
        return None
    guest = next((it for it in booking.guests if it.id == payload["guest"]), None)
    address = str(payload.get("to", "")) or (guest.email if guest else "")
    if guest is not None and address:
        return _to_guest(booking, guest, address, now)
    own = own_position(booking)
    others = [it for it in booking.guests if not it.email and it.position != own]
    links = [(it.name, _form_link(it)) for it in others if _is_asked(it, now)]
    if payload["guest"] or not links:
        return None
    order = booking.order
    return Letter(
        to=order.email,
        name=order.name,
        subject="Before you come",
        paragraphs=(
            "Please pass each link on to the guest it is for. "
            "A link opens that guest's questions only.",
        ),
        details=(Details("Links for your guests", tuple(links)), details_of(booking)),
        action=("Fill in for them", _forms_link(booking)),
        site=order.site,
        words=words_of(booking),
    )


def _to_guest(
    booking: SessionBooking, guest: Guest, address: str, now: dt.datetime
) -> Letter | None:
    if not _is_asked(guest, now):
        return None
    order = booking.order
    first_name = (order.name.split() or ["Somebody"])[0]
    rows = details_of(booking, is_priced=False)
    # Nothing of the order but what this guest comes to: neither its price nor who else comes.
    told = tuple(row for row in rows.rows if row[0] not in ("Guests", "Reference"))
    return Letter(
        to=address,
        name=guest.name,
        subject="Before you come",
        paragraphs=(f"{first_name} booked this for you. The link is yours alone.",),
        details=(Details(rows.title, told),),
        action=("Fill in the form", _form_link(guest)),
        site=order.site,
        words={**words_of(booking), "reference": ""},
    )


def _version(payload: dict[str, Any]) -> SessionBooking | None:
    """The booking, if the letter was posted for the version that it has now."""
    booking = find_told_booking(str(payload["booking"]))
    if booking is None or booking.sequence != payload["sequence"] or not booking.order.email:
        return None
    return booking


def _standing(order: Order, now: dt.datetime) -> list[SessionBooking]:
    lines = [line for line in live_lines(order, now=now) if _stands(line, now)]
    return sorted(lines, key=lambda line: (line.session.start_time, line.id))


def _stands(booking: SessionBooking, now: dt.datetime) -> bool:
    return (
        booking.cancelled_at is None
        and booking.status == "confirmed"
        and booking.session.end_time > now
    )


def _to_pay(order: Order, told: list[SessionBooking]) -> str:
    """Said where the table of the one line that is told of does not say it already."""
    balance = balance_of(order)
    if len(told) == 1 and owes_just(told[0]):
        return ""
    return f"To pay at {order.site.full_name}: {say_sum(balance, order)}." if balance > 0 else ""


def _form_due(lines: list[SessionBooking]) -> list[str]:
    if all(it.completed for it in completion(lines).values()):
        return []
    return ["We need a few answers before you come. You'll find the form with your booking."]


def _by_whom(booking: SessionBooking) -> str:
    site = booking.order.site
    if booking.cancelled_by == "customer":
        return "You cancelled it, and the places are free for others."
    if booking.cancelled_by == "venue":
        # What staff note for themselves is not told; what guests were told stands here.
        reason = booking.session.cancel_reason or booking.cancel_reason
        said = f" The reason: {full_stop(reason)}" if reason else ""
        return f"{site.full_name} has had to cancel this session. We're sorry.{said}"
    return f"{site.full_name} cancelled it. Please ask us if you didn't expect that."


def _taken_back(booking: SessionBooking, now: dt.datetime) -> list[str]:
    """What the books say: what was taken off with this cancellation, and what is left to pay."""
    order = booking.order
    back = -sum(
        entry.amount
        for entry in order.ledger
        if entry.kind == "adjustment" and entry.created_at == booking.cancelled_at
    )
    found = [f"{say_sum(back, order)} was taken off what you owe."] if back > 0 else []
    rest = balance_of(order)
    if rest > 0:
        owed = "For what remains of your order, to pay" if live_lines(order, now=now) else "To pay"
        found.append(f"{owed} at {order.site.full_name}: {say_sum(rest, order)}.")
    elif back > 0:
        found.append("There is nothing left to pay.")
    return [" ".join(found)]


def _is_asked(guest: Guest, now: dt.datetime) -> bool:
    """Whether this guest's link is open, and something is still to be answered there."""
    if not guest.form_secret:
        return False
    try:
        part = find_guest_form(guest.form_secret, now=now).part
    except (FormClosed, NotFound):
        return False
    return bool(part.missing) or not part.answers


def _form_link(guest: Guest) -> str:
    return public_url("forms.form", form_secret=guest.form_secret)


def _forms_link(booking: SessionBooking) -> str:
    return public_url("bookings.forms", secret=booking.order.secret, booking_id=booking.id)


def _link(order: Order) -> str:
    return public_url("bookings.booking", secret=order.secret)
