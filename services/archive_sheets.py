"""The archive's tables for people: what spreadsheets open, every cell harmless (D5)."""

import csv
import datetime as dt
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from domain.ledger import METHODS
from domain.member_file import harmless
from domain.money import exponent
from models import (
    Account,
    Customer,
    LedgerEntry,
    Membership,
    MembershipType,
    Order,
    OrderItem,
    Practitioner,
    Room,
    Session,
    SessionBooking,
    Site,
)
from services.archive_rows import stream

BYTE_ORDER_MARK = "\ufeff"

Cells = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table to read: its heading, its rows, and how a row becomes cells."""

    heading: tuple[str, ...]
    query: Callable[[str], Any]
    cells: Callable[[Any], Cells]


def sheet_lines(connection: sa.Connection, name: str, organisation_id: str) -> Iterator[bytes]:
    """The sheet as CSV in UTF-8, line by line; texts harmless, sums as plain decimals."""
    sheet = SHEETS[name]
    yield (BYTE_ORDER_MARK + _line(sheet.heading)).encode()
    for row in stream(connection, sheet.query(organisation_id)):
        yield _line(sheet.cells(row)).encode()


def _line(cells: Cells) -> str:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerow([_cell(cell) for cell in cells])
    return out.getvalue()


def _cell(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, dt.datetime):
        return cell.strftime("%Y-%m-%d %H:%M")
    if isinstance(cell, Decimal | int | dt.date):
        return str(cell)
    return harmless(str(cell))


def _sum(amount: int | None, currency: str) -> Decimal | None:
    decimals = exponent(currency)
    if amount is None:
        return None
    return Decimal(amount).scaleb(-decimals).quantize(Decimal(1).scaleb(-decimals))


def _local(moment: dt.datetime | None, zone: str) -> dt.datetime | None:
    return moment.astimezone(ZoneInfo(zone)) if moment else None


_VENUE = sa.func.trim(Site.name + " " + Site.place)


def _customers(organisation_id: str) -> Any:
    return (
        sa.select(
            Customer.id, Customer.name, Customer.email, Customer.phone,
            Account.email.label("account"), Customer.created_at,
        )
        .join(Account, Customer.account_id == Account.id, isouter=True)
        .where(Customer.organisation_id == organisation_id)
        .order_by(Customer.id)
    )  # fmt: skip


def _memberships(organisation_id: str) -> Any:
    return (
        sa.select(
            Customer.email, Customer.name, MembershipType.name.label("type"),
            Membership.first_day, Membership.last_day, Membership.state, Customer.id,
        )
        .join(Customer, Membership.customer_id == Customer.id)
        .join(MembershipType, Membership.membership_type_id == MembershipType.id)
        .where(Membership.organisation_id == organisation_id)
        .order_by(Membership.id)
    )  # fmt: skip


def _sessions(organisation_id: str) -> Any:
    return (
        sa.select(
            Session.id, _VENUE.label("venue"), Session.session_type_name, Session.local_start,
            Session.end_time, Site.zone, Room.name.label("room"),
            Practitioner.name.label("practitioner"), Session.capacity, Session.places_taken,
            Session.deleted_at, Session.cancel_reason,
        )
        .join(Site, Session.site_id == Site.id)
        .join(Room, Session.room_id == Room.id, isouter=True)
        .join(Practitioner, Session.practitioner_id == Practitioner.id, isouter=True)
        .where(Session.organisation_id == organisation_id)
        .order_by(Session.id)
    )  # fmt: skip


def _session_cells(row: Any) -> Cells:
    return (
        row.id, row.venue, row.session_type_name, row.local_start, _local(row.end_time, row.zone),
        row.room, row.practitioner, row.capacity, row.places_taken,
        "planned" if row.deleted_at is None else "cancelled", row.cancel_reason,
    )  # fmt: skip


def _bookings(organisation_id: str) -> Any:
    return (
        sa.select(
            Order.order_ref, _VENUE.label("venue"), SessionBooking.session_type_name,
            Session.local_start, SessionBooking.places, SessionBooking.status,
            SessionBooking.cancelled_by, SessionBooking.cancel_reason, SessionBooking.stage,
            SessionBooking.is_no_show, SessionBooking.checked_in_at, Site.zone, Order.name,
            Order.email, OrderItem.unit_price, OrderItem.currency, Customer.id,
        )
        .join(Order, SessionBooking.order_id == Order.id)
        .join(OrderItem, SessionBooking.order_item_id == OrderItem.id)
        .join(Session, SessionBooking.session_id == Session.id)
        .join(Site, SessionBooking.site_id == Site.id)
        .join(Customer, SessionBooking.customer_id == Customer.id, isouter=True)
        .where(SessionBooking.organisation_id == organisation_id)
        .order_by(SessionBooking.id)
    )  # fmt: skip


def _booking_cells(row: Any) -> Cells:
    state = f"cancelled ({row.cancelled_by})" if row.cancelled_by else row.status.replace("_", " ")
    return (
        row.order_ref, row.venue, row.session_type_name, row.local_start, row.places, state,
        row.cancel_reason, row.stage.replace("_", " "), row.is_no_show,
        _local(row.checked_in_at, row.zone), row.name, row.email,
        _sum(row.unit_price, row.currency), row.currency, row.id,
    )  # fmt: skip


def _orders(organisation_id: str) -> Any:
    def of_kind(*kinds: str) -> Any:
        amount = sa.func.sum(LedgerEntry.amount).filter(LedgerEntry.kind.in_(kinds))
        return sa.func.coalesce(amount, 0)

    sums = (
        sa.select(
            LedgerEntry.order_id,
            of_kind("charge", "adjustment").label("charged"),
            of_kind("payment", "refund").label("paid"),
        )
        .where(LedgerEntry.organisation_id == organisation_id)
        .group_by(LedgerEntry.order_id)
        .subquery()
    )
    return (
        sa.select(
            Order.order_ref, _VENUE.label("venue"), Order.state, Order.sold_by, Order.name,
            Order.email, Order.currency, Order.confirmed_at, Site.zone,
            sa.func.coalesce(sums.c.charged, 0).label("charged"),
            sa.func.coalesce(sums.c.paid, 0).label("paid"),
        )
        .join(Site, Order.site_id == Site.id)
        .join(sums, sums.c.order_id == Order.id, isouter=True)
        .where(Order.organisation_id == organisation_id)
        .order_by(Order.id)
    )  # fmt: skip


def _order_cells(row: Any) -> Cells:
    charged, paid = int(row.charged), int(row.paid)
    return (
        row.order_ref, row.venue, row.state.replace("_", " "), row.sold_by, row.name, row.email,
        _local(row.confirmed_at, row.zone), row.currency, _sum(charged, row.currency),
        _sum(-paid, row.currency), _sum(charged + paid, row.currency),
    )  # fmt: skip


def _payments(organisation_id: str) -> Any:
    return (
        sa.select(
            Order.order_ref, _VENUE.label("venue"), LedgerEntry.created_at, Site.zone,
            LedgerEntry.kind, LedgerEntry.amount, LedgerEntry.currency, LedgerEntry.method,
            LedgerEntry.note,
        )
        .join(Order, LedgerEntry.order_id == Order.id)
        .join(Site, Order.site_id == Site.id)
        .where(
            LedgerEntry.organisation_id == organisation_id,
            LedgerEntry.kind.in_(("payment", "refund")),
        )
        .order_by(LedgerEntry.id)
    )  # fmt: skip


def _payment_cells(row: Any) -> Cells:
    # As people count money: what came in is more, what went back is less.
    return (
        row.order_ref, row.venue, _local(row.created_at, row.zone), row.kind,
        _sum(-row.amount, row.currency), row.currency, METHODS.get(row.method, row.method),
        row.note,
    )  # fmt: skip


SHEETS: dict[str, Sheet] = {
    "customers": Sheet(
        ("customer", "name", "email", "phone", "account", "known since"), _customers, tuple
    ),
    "memberships": Sheet(
        ("email", "name", "membership type", "first day", "last day", "state", "customer"),
        _memberships,
        tuple,
    ),
    "sessions": Sheet(
        (
            "session", "venue", "session type", "starts", "ends", "room", "led by", "places",
            "taken", "state", "reason",
        ),
        _sessions,
        _session_cells,
    ),
    "bookings": Sheet(
        (
            "order", "venue", "session type", "starts", "places", "state", "reason", "stage",
            "no-show", "checked in", "name", "email", "price each", "currency", "customer",
        ),
        _bookings,
        _booking_cells,
    ),
    "orders": Sheet(
        (
            "order", "venue", "state", "sold by", "name", "email", "confirmed", "currency",
            "charged", "paid", "balance",
        ),
        _orders,
        _order_cells,
    ),
    "payments": Sheet(
        ("order", "venue", "when", "kind", "amount", "currency", "method", "note"),
        _payments,
        _payment_cells,
    ),
}  # fmt: skip
"""By the name of the file."""
