"""Where one person stands in an organisation's tables: as a customer, and as another's guest."""

import re
from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from domain.people import email_key
from models import Account, Customer, FormerCustomer, Guest, Order, SessionBooking, db, unbound
from services.account_closing import is_staff
from services.persons import list_person

LEAST_DIGITS = 6
_EVERYWHERE = unbound("an account is one person's sign-in for the whole installation")


@dataclass(frozen=True, slots=True)
class Person:
    """Ids and spellings of one person; `account_id` is empty for who books as a guest."""

    organisation_id: str
    customer_ids: tuple[str, ...]
    account_id: str
    account_email: str
    closes_account: bool
    """Whether the sign-in goes with the person: no other venue knows it, no staff works with it."""
    keys: frozenset[str]
    order_ids: tuple[str, ...]
    """Their own orders, and baskets they gave their address."""
    booking_ids: tuple[str, ...]
    guest_ids: tuple[str, ...]
    """Where they are a guest in another person's booking."""
    touched_order_ids: tuple[str, ...]
    """All orders in which something of theirs stands, to be locked."""
    texts: re.Pattern[str] | None = field(repr=False)
    """Finds their addresses, numbers and full names in what others wrote; None for nothing."""
    needles: frozenset[str] = field(repr=False)
    """In small letters a part of each of those; one is empty where a part can't be looked for."""


def person_of(row: Customer) -> Person:
    """All that points to the person of this row, as the database has it now."""
    own = row.organisation_id
    rows = db.session.scalars(
        sa.select(Customer)
        .where(Customer.organisation_id == own, Customer.id.in_(list_person(row)))
        .order_by(Customer.id)
        .execution_options(populate_existing=True)
    ).all()
    ids = tuple(one.id for one in rows)
    account = _account(rows)
    keys = {one.address_key for one in rows} | {account.email_key if account else ""} | {
        key or ""
        for key in db.session.scalars(
            sa.select(FormerCustomer.email_key).where(
                FormerCustomer.organisation_id == own, FormerCustomer.customer_id.in_(ids)
            )
        )
    }  # fmt: skip
    known = frozenset(keys - {""})
    orders = _orders(own, ids, known, account.id if account else "")
    order_ids = tuple(sorted(orders))
    others = _named_by_others(own, known)
    bookings = _ids(
        sa.select(SessionBooking.id).where(
            SessionBooking.organisation_id == own,
            sa.or_(SessionBooking.order_id.in_(order_ids), SessionBooking.customer_id.in_(ids)),
        )
    )
    guests = _guests(own, known, bookings)
    names = [*(one.name for one in rows), *orders.values(), *(guest[1] for guest in guests)]
    names += [account.name] if account else []
    phones = [one.phone for one in rows if len(one.phone_key) >= LEAST_DIGITS]
    terms = _terms(names, known, phones)
    return Person(
        organisation_id=own,
        customer_ids=ids,
        account_id=account.id if account else "",
        account_email=account.email if account else "",
        closes_account=account is not None and _closes(account, own),
        keys=known,
        order_ids=order_ids,
        booking_ids=bookings,
        guest_ids=tuple(guest[0] for guest in guests),
        touched_order_ids=tuple(sorted({*order_ids, *others, *(guest[2] for guest in guests)})),
        texts=_pattern_of(terms),
        needles=frozenset(_needle_of(term) for term in terms),
    )


def _terms(names: Iterable[str], keys: Iterable[str], phones: Iterable[str]) -> set[str]:
    """What finds this person in a text: an address, a number, a full name.

    A single word is no full name: it would be somebody else's, too.
    """
    full = {" ".join(name.split()) for name in names}
    terms = {name for name in full if " " in name} | {phone.strip() for phone in phones}
    return (terms | set(keys)) - {"Erased guest"}


def _pattern_of(terms: Set[str]) -> re.Pattern[str] | None:
    if not terms:
        return None
    longest_first = sorted(terms, key=len, reverse=True)
    either = "|".join(re.escape(term).replace(r"\ ", r"\s+") for term in longest_first)
    return re.compile(rf"(?<!\w)(?:{either})(?!\w)", re.IGNORECASE)


def _needle_of(term: str) -> str:
    """The longest piece of it that every database and every way to write JSON leaves as it is."""
    return max(re.split(r"[^a-z0-9@._+-]+", term.lower()), key=len)


def spellings(column: Any, keys: Set[str], *which: sa.ColumnElement[bool]) -> list[str]:
    """How these addresses are written in a column."""
    if not keys:
        return []
    query = sa.select(column).where(*which, column != "").distinct()
    if all(key.isascii() for key in keys):
        query = query.where(sa.func.lower(column).in_(list(keys)))
    # SQLite's lower() knows ASCII only: other letters are levelled here.
    found = db.session.scalars(query, execution_options=_EVERYWHERE)
    return [text for text in found if email_key(text) in keys]


def _account(rows: Iterable[Customer]) -> Account | None:
    ids = [row.account_id for row in rows if row.account_id]
    return db.session.get(Account, ids[0], populate_existing=True) if ids else None


def _closes(account: Account, organisation_id: str) -> bool:
    elsewhere = sa.select(Customer.id).where(
        Customer.account_id == account.id, Customer.organisation_id != organisation_id
    )
    known = db.session.scalar(elsewhere.limit(1), execution_options=_EVERYWHERE)
    return known is None and not is_staff(account.id)


def _orders(own: str, ids: tuple[str, ...], keys: Set[str], account_id: str) -> dict[str, str]:
    """By id the name that each order of theirs was made with."""
    in_house = Order.organisation_id == own
    theirs: list[sa.ColumnElement[bool]] = [Order.customer_id.in_(ids)]
    written = spellings(Order.email, keys, in_house)
    if written:
        theirs.append(sa.and_(Order.customer_id.is_(None), Order.email.in_(written)))
    if account_id:
        theirs.append(sa.and_(Order.customer_id.is_(None), Order.held_by_id == account_id))
    rows = db.session.execute(sa.select(Order.id, Order.name).where(in_house, sa.or_(*theirs)))
    return {row[0]: row[1] for row in rows}


def _named_by_others(own: str, keys: Set[str]) -> tuple[str, ...]:
    """Orders that were made with one of the addresses, whoever's they are."""
    in_house = Order.organisation_id == own
    written = spellings(Order.email, keys, in_house)
    return _ids(sa.select(Order.id).where(in_house, Order.email.in_(written))) if written else ()


def _guests(own: str, keys: Set[str], booking_ids: tuple[str, ...]) -> list[tuple[str, str, str]]:
    """Guest, name and order wherever somebody else's booking names one of the addresses."""
    written = spellings(Guest.email, keys, Guest.organisation_id == own)
    if not written:
        return []
    rows = db.session.execute(
        sa.select(Guest.id, Guest.name, SessionBooking.order_id)
        .join(SessionBooking, Guest.session_booking_id == SessionBooking.id)
        .where(
            Guest.organisation_id == own,
            Guest.email.in_(written),
            Guest.session_booking_id.not_in(booking_ids),
        )
        .order_by(Guest.id)
    )
    return [(row[0], row[1], row[2]) for row in rows]


def _ids(query: sa.Select[Any]) -> tuple[str, ...]:
    return tuple(db.session.scalars(query))
