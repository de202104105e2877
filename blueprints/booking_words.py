"""A booking as letters say it: the table of details, and the words for a venue's own texts."""

from collections.abc import Sequence
from dataclasses import dataclass

from blueprints.rendering import say_amount
from domain.words import count, say_day, say_time
from models import Order, SessionBooking


@dataclass(frozen=True, slots=True)
class Details:
    """A small table: what it is about, and its rows of label and value."""

    title: str
    rows: tuple[tuple[str, str], ...]


def details_of(booking: SessionBooking, *, is_priced: bool = True) -> Details:
    """Session, date, time and place by the site's clock, guests, price and reference."""
    order, session = booking.order, booking.session
    site, local_end = order.site, session.end_time.astimezone(order.site.zoneinfo)
    zone = session.start_time.astimezone(site.zoneinfo).strftime("%Z")
    rows = [
        ("Date", f"{say_day(session.local_start.date())} {session.local_start.year}"),
        ("Time", f"{say_time(session.local_start)} to {say_time(local_end)} {_zone(zone)}".strip()),
        ("Where", _where(booking)),
        ("Guests", _guests(booking)),
    ]
    if is_priced:
        rows.append(("Price", _price(booking)))
    rows.append(("Reference", order.order_ref))
    return Details(booking.session_type_name, tuple(rows))


def words_of(booking: SessionBooking) -> dict[str, str]:
    """What stands for the places of a venue's own text (domain/wording.py)."""
    return {
        "session": booking.session_type_name,
        "date": say_day(booking.session.local_start.date()),
        "time": say_time(booking.session.local_start),
        "reference": booking.order.order_ref,
    }


def words_of_all(lines: Sequence[SessionBooking]) -> dict[str, str]:
    """The same for an order: the first line's day and time, all sessions by name."""
    first = min(lines, key=lambda line: (line.session.start_time, line.id))
    more = len(lines) - 1
    named = first.session_type_name + (f" and {count(more, 'more', 'more')}" if more else "")
    return {**words_of(first), "session": named}


def balance_of(order: Order) -> int:
    """What is still to be paid, in minor units."""
    return sum(entry.amount for entry in order.ledger)


def owes_just(booking: SessionBooking) -> bool:
    """Whether the price of this line is all that is still to be paid."""
    price = booking.order_item.unit_price * booking.places
    return price > 0 and booking.cancelled_at is None and balance_of(booking.order) == price


def say_sum(minor: int, order: Order) -> str:
    """A sum of the order's money, as its site writes it."""
    return say_amount(minor, order.currency, order.site.locale)


def _zone(name: str) -> str:
    # "+0530" and the like say little to guests; the place in the same table says it all.
    return f"({name})" if name.isalpha() else ""


def _where(booking: SessionBooking) -> str:
    session, site = booking.session, booking.order.site
    place = [session.room.name] if session.room else []
    where = ", ".join([*place, site.full_name])
    return where + (f", with {session.practitioner.name}" if session.practitioner else "")


def _guests(booking: SessionBooking) -> str:
    if booking.guests:
        return ", ".join(guest.name for guest in booking.guests)
    if booking.places == 1:
        return booking.order.name or "1 guest"
    return f"{booking.order.name} and {count(booking.places - 1, 'guest')}"


def _price(booking: SessionBooking) -> str:
    item = booking.order_item
    if not item.unit_price:
        return "Free"
    price = say_amount(item.unit_price * booking.places, item.currency, booking.order.site.locale)
    return f"{price}, to pay when you come" if owes_just(booking) else price
