"""Finding an organisation's customers, and everything staff see of one."""

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from domain.errors import NotFound
from domain.memberships import Held
from domain.overrides import say_overridden
from domain.people import email_key, fold_name, fold_phone
from models import (
    Account,
    Customer,
    FormerCustomer,
    Membership,
    Order,
    OrderItem,
    Session,
    SessionBooking,
    Site,
    db,
)
from services.checkout import SOLD
from services.memberships import held_of, list_held
from services.paging import Cut, PageOf, cut_out
from services.persons import rows_of_customer

PAGE = 25
"""Customers on one page of the list."""
MOST_WORDS = 6
LEAST_DIGITS = 3
SORTS = ("name", "newest", "oldest")
_NUMBER = re.compile(r"[+\d][\d\s()/.-]*")
_REFERENCE = re.compile(r"[A-Za-z0-9]+-?[A-Za-z0-9]+")

_ORDERS: dict[str, tuple[Any, ...]] = {
    "name": (Customer.name_key.asc(), Customer.id.asc()),
    "newest": (Customer.created_at.desc(), Customer.id.desc()),
    "oldest": (Customer.created_at.asc(), Customer.id.asc()),
}


@dataclass(frozen=True, slots=True)
class CustomerLine:
    """One customer in the list."""

    id: str
    name: str
    email: str
    phone: str
    has_account: bool
    memberships: tuple[Held, ...]
    coming: int


@dataclass(frozen=True, slots=True)
class CustomerList:
    """One page of the customers that match, with how many there are in all."""

    lines: tuple[CustomerLine, ...]
    total: int
    page: int
    pages: int


@dataclass(frozen=True, slots=True)
class BookingLine:
    """One booking as the customer's page shows it."""

    id: str
    session_id: str
    name: str
    local_start: dt.datetime
    start_time: dt.datetime
    site_id: str
    place: str
    places: int
    order_id: str
    order_ref: str
    state: str
    price: int
    currency: str
    overridden: tuple[str, ...]
    override_reason: str
    booked_by: str

    @property
    def in_spite_of(self) -> str:
        """The rules that it was booked in spite of, in words; empty for most."""
        return say_overridden(self.overridden)


@dataclass(frozen=True, slots=True)
class OtherRow:
    """Another row of the organisation with the same address: counted as the same person."""

    id: str
    name: str
    has_account: bool
    bookings: int


@dataclass(frozen=True, slots=True)
class CustomerPage:
    """A customer with what they hold, and who else they may be."""

    id: str
    name: str
    email: str
    phone: str
    has_account: bool
    since: dt.datetime
    memberships: tuple[Held, ...]
    erased_at: dt.datetime | None
    same_person: tuple[OtherRow, ...]


def list_customers(
    organisation_id: str,
    *,
    search: str = "",
    sort: str = SORTS[0],
    page: int = 1,
    size: int = PAGE,
    now: dt.datetime,
) -> CustomerList:
    """The customers whose name, mail, phone or reference has every word, in an order of SORTS."""
    matches = _matches(organisation_id, search)
    total = db.session.scalar(sa.select(sa.func.count()).select_from(Customer).where(*matches)) or 0
    pages = max(1, -(-total // size))
    page = min(max(1, page), pages)
    rows = db.session.scalars(
        sa.select(Customer)
        .where(*matches)
        .order_by(*_ORDERS.get(sort, _ORDERS["name"]))
        .limit(size)
        .offset((page - 1) * size)
    ).all()
    ids = [row.id for row in rows]
    held = _memberships_of(organisation_id, ids)
    coming = _coming(organisation_id, ids, now)
    return CustomerList(
        tuple(
            CustomerLine(
                row.id,
                row.name,
                row.email,
                row.phone,
                row.account_id is not None,
                tuple(held[row.id]),
                coming.get(row.id, 0),
            )
            for row in rows
        ),
        total,
        page,
        pages,
    )


def page_customers(
    organisation_id: str, *, search: str = "", email: str | None = None, cut: Cut
) -> PageOf[Customer]:
    """A page of the customers that have every word, and just this address, by name (R21)."""
    query = sa.select(Customer).where(*_matches(organisation_id, search))
    if email is not None:
        query = query.where(Customer.address_key == email_key(email))
    return cut_out(query, cut, by=_ORDERS["name"], key=Customer.id)


def held_by(organisation_id: str, customer_ids: list[str]) -> dict[str, list[Held]]:
    """By customer what they hold, in one statement for many."""
    return _memberships_of(organisation_id, customer_ids)


def find_standing_customer(organisation_id: str, customer_id: str) -> Customer:
    """The customer, or whoever they became when two were merged; raises NotFound (D1)."""
    stays = find_successor(organisation_id, customer_id)
    return find_customer(organisation_id, stays or customer_id)


def find_customer(organisation_id: str, customer_id: str) -> Customer:
    """The customer; raises NotFound, for another organisation's too (D1)."""
    row = db.session.scalar(
        sa.select(Customer).where(
            Customer.organisation_id == organisation_id, Customer.id == customer_id
        )
    )
    if row is None:
        raise NotFound("We couldn't find that customer.")
    return row


def hold_customer(organisation_id: str, customer_id: str) -> Customer:
    """The customer as it is now, who is neither merged nor erased before the caller commits.

    Raises NotFound, for one who was erased too.
    """
    row = db.session.scalar(
        sa.select(Customer)
        .where(
            Customer.organisation_id == organisation_id,
            Customer.id == customer_id,
            Customer.erased_at.is_(None),
        )
        .with_for_update(read=True, key_share=True)
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise NotFound("We couldn't find that customer.")
    return row


def find_successor(organisation_id: str, customer_id: str) -> str | None:
    """Whose page stands for a customer that was merged; None for one that never was."""
    return db.session.scalar(
        sa.select(FormerCustomer.customer_id).where(
            FormerCustomer.organisation_id == organisation_id, FormerCustomer.id == customer_id
        )
    )


def find_customer_page(organisation_id: str, customer_id: str) -> CustomerPage:
    """Who a customer is and what they hold; raises NotFound."""
    row = find_customer(organisation_id, customer_id)
    return CustomerPage(
        id=row.id,
        name=row.name,
        email=row.email,
        phone=row.phone,
        has_account=row.account_id is not None,
        since=row.created_at,
        memberships=tuple(list_held(organisation_id, customer_id)),
        erased_at=row.erased_at,
        same_person=tuple(_same_person(row)),
    )


def names_of_accounts(account_ids: Iterable[str | None]) -> dict[str, str]:
    """The names of staff accounts, to say who did something."""
    wanted = {account_id for account_id in account_ids if account_id}
    if not wanted:
        return {}
    rows = db.session.execute(sa.select(Account.id, Account.name).where(Account.id.in_(wanted)))
    return {row[0]: row[1] for row in rows}


def _matches(organisation_id: str, search: str) -> list[sa.ColumnElement[bool]]:
    """Every word in name, mail, phone or reference; a number written with spaces is one word."""
    in_house = [Customer.organisation_id == organisation_id, Customer.erased_at.is_(None)]
    digits = fold_phone(search).lstrip("0")
    if _NUMBER.fullmatch(search) and len(digits) >= LEAST_DIGITS:
        return [*in_house, Customer.phone_key.contains(digits)]
    return [*in_house, *(_has(organisation_id, word) for word in search.split()[:MOST_WORDS])]


def _has(organisation_id: str, word: str) -> sa.ColumnElement[bool]:
    ways = [
        Customer.name_key.contains(fold_name(word), autoescape=True),
        Customer.address_key.contains(email_key(word), autoescape=True),
    ]
    digits = fold_phone(word).lstrip("0")
    if len(digits) >= LEAST_DIGITS:
        ways.append(Customer.phone_key.contains(digits))
    if _REFERENCE.fullmatch(word):
        ways.append(
            Customer.id.in_(
                sa.select(Order.customer_id).where(
                    Order.organisation_id == organisation_id,
                    Order.state.in_(SOLD),
                    Order.order_ref.icontains(word, autoescape=True),
                )
            )
        )
    return sa.or_(*ways)


def _memberships_of(organisation_id: str, customer_ids: list[str]) -> dict[str, list[Held]]:
    held: dict[str, list[Held]] = defaultdict(list)
    rows = db.session.scalars(
        sa.select(Membership)
        .where(
            Membership.organisation_id == organisation_id, Membership.customer_id.in_(customer_ids)
        )
        .options(joinedload(Membership.membership_type))
        .order_by(Membership.first_day.desc(), Membership.id)
    )
    for row in rows:
        held[row.customer_id].append(held_of(row))
    return held


def _coming(organisation_id: str, customer_ids: list[str], now: dt.datetime) -> dict[str, int]:
    rows = db.session.execute(
        sa.select(SessionBooking.customer_id, sa.func.count())
        .join(SessionBooking.session)
        .where(
            SessionBooking.organisation_id == organisation_id,
            SessionBooking.customer_id.in_(customer_ids),
            SessionBooking.status == "confirmed",
            SessionBooking.cancelled_at.is_(None),
            Session.start_time > now,
        )
        .group_by(SessionBooking.customer_id)
    )
    return {row[0]: row[1] for row in rows if row[0]}


def lines_of_bookings(organisation_id: str, booking_ids: Sequence[str]) -> list[BookingLine]:
    """These bookings as the customer's pages show them, in the same order."""
    rows = db.session.execute(
        sa.select(SessionBooking, Site.name, Site.place)
        .join(Site, SessionBooking.site_id == Site.id)
        .where(
            SessionBooking.organisation_id == organisation_id, SessionBooking.id.in_(booking_ids)
        )
        .options(
            joinedload(SessionBooking.session),
            joinedload(SessionBooking.order),
            joinedload(SessionBooking.order_item).load_only(
                OrderItem.unit_price, OrderItem.currency
            ),
        )
    ).all()
    names = names_of_accounts(row[0].booked_by_id for row in rows)
    lines = {
        booking.id: _booking_line(booking, f"{name} {place}".strip(), names)
        for booking, name, place in rows
    }
    return [lines[booking_id] for booking_id in booking_ids]


def _booking_line(booking: SessionBooking, place: str, names: dict[str, str]) -> BookingLine:
    return BookingLine(
        id=booking.id,
        session_id=booking.session_id,
        name=booking.session_type_name,
        local_start=booking.session.local_start,
        start_time=booking.session.start_time,
        site_id=booking.site_id,
        place=place,
        places=booking.places,
        order_id=booking.order_id,
        order_ref=booking.order.order_ref,
        state=_state(booking),
        price=booking.order_item.unit_price * booking.places,
        currency=booking.order_item.currency,
        overridden=tuple(booking.overridden),
        override_reason=booking.override_reason,
        booked_by=names.get(booking.booked_by_id or "", ""),
    )


def _state(booking: SessionBooking) -> str:
    """cancelled, noshow, arrived or booked."""
    if booking.cancelled_at is not None:
        return "cancelled"
    if booking.is_no_show:
        return "noshow"
    return "arrived" if booking.checked_in_at is not None else "booked"


def _same_person(row: Customer) -> list[OtherRow]:
    booked = (
        sa.select(sa.func.count())
        .where(
            SessionBooking.organisation_id == row.organisation_id,
            SessionBooking.customer_id == Customer.id,
            SessionBooking.status == "confirmed",
        )
        .scalar_subquery()
    )
    rows = db.session.execute(
        sa.select(Customer.id, Customer.name, Customer.account_id, booked)
        .where(
            Customer.organisation_id == row.organisation_id,
            rows_of_customer(row),
            Customer.id != row.id,
        )
        .order_by(Customer.created_at, Customer.id)
    )
    return [OtherRow(one[0], one[1], one[2] is not None, one[3]) for one in rows]
