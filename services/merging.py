"""Doubles: rows that may be one person, and two of them made one (S3)."""

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from domain.editing import mark_of_values
from domain.errors import ChangedSince, NotFound
from domain.merging import CantMerge, Side, find_refusal, merged_values, open_fields
from domain.people import email_key
from models import (
    Customer,
    FormerCustomer,
    Membership,
    Note,
    Order,
    PrivateLink,
    SessionBooking,
    db,
    unbound,
)
from services.customer_rows import fold_into
from services.idempotency import retrying
from services.places import lock_sessions, raise_revision
from services.waking import end_doubles, sessions_waited_for, wake

PAGE = 20
"""Groups of doubles on one page."""
MOST_IN_A_GROUP = 6
LEAST_DIGITS = 6
"""A phone number with fewer digits says nothing about who it is."""

SAME = {"address_key": "the same email", "phone_key": "the same phone", "name_key": "the same name"}


@dataclass(frozen=True, slots=True)
class Double:
    """One row of a group: who it is and what hangs on it."""

    id: str
    name: str
    email: str
    phone: str
    has_account: bool
    created_at: dt.datetime
    orders: int
    memberships: int


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that may be one person, and what they share; the one to keep comes first."""

    shared: str
    rows: tuple[Double, ...]
    total: int


@dataclass(frozen=True, slots=True)
class DoublesPage:
    """Some groups, and whether more follow."""

    groups: tuple[Group, ...]
    number: int
    has_more: bool


@dataclass(frozen=True, slots=True)
class Impact:
    """What moves from the one that goes to the one that stays."""

    orders: int
    bookings: int
    memberships: int
    notes: int
    links: int


@dataclass(frozen=True, slots=True)
class Merge:
    """Two customers side by side, before they become one (S3)."""

    stays: Side
    goes: Side
    fields: tuple[str, ...]
    impact: Impact
    refusal: CantMerge | None
    mark: str


def list_doubles(organisation_id: str, *, number: int = 1) -> DoublesPage:
    """Rows with one address, one phone or one name; as many statements for many as for few."""
    shared = [_shared(organisation_id, column) for column in SAME]
    groups = db.session.execute(
        sa.union_all(*shared)
        .order_by(sa.literal_column("position"), sa.literal_column("folded"))
        .limit(PAGE + 1)
        .offset(PAGE * (number - 1)),
        execution_options=unbound("each part of the union is bound to the organisation"),
    ).all()
    page = groups[:PAGE]
    rows = _rows_of(organisation_id, [(row.what, row.folded) for row in page])
    found = [
        Group(SAME[row.what], tuple(rows[row.what, row.folded][:MOST_IN_A_GROUP]), row.total)
        for row in page
    ]
    return DoublesPage(tuple(found), number, len(groups) > PAGE)


def find_merge(organisation_id: str, stays_id: str, goes_id: str) -> Merge:
    """What merging the two would do; raises NotFound."""
    rows = _both(organisation_id, stays_id, goes_id, lock=False)
    return _merge_of(rows[stays_id], rows[goes_id])


def merge_customers(
    organisation_id: str,
    stays_id: str,
    goes_id: str,
    *,
    chosen: Mapping[str, str],
    seen: str,
    by_id: str,
    now: dt.datetime,
) -> str:
    """Make them one, all of it or nothing; the id of the one that stays.

    Done already it changes nothing. Raises CantMerge, ChangedSince when something else hangs on
    them than was shown (S3), RuleBroken for a choice, NotFound.
    """

    def deed() -> str:
        if _is_done(organisation_id, stays_id, goes_id):
            return stays_id
        waited = _lock_what_they_have(organisation_id, stays_id, goes_id)
        rows = _both(organisation_id, stays_id, goes_id, lock=True)
        stays, goes = rows[stays_id], rows[goes_id]
        merge = _merge_of(stays, goes)
        if merge.refusal is not None:
            raise merge.refusal
        if merge.mark != seen:
            raise ChangedSince(
                "Something changed since you looked at these two, so nothing was done. "
                "This is how they stand now.",
                code="changed_meanwhile",
            )
        values = merged_values(merge.stays, merge.goes, chosen)
        _make_one(stays, goes, values, by_id, now)
        types = end_doubles(organisation_id, stays_id, waited, now=now)
        if types:
            wake(organisation_id, waited, now=now)
            raise_revision(organisation_id, types)
        return stays_id

    return retrying(deed)


def _make_one(
    stays: Customer, goes: Customer, values: Mapping[str, str], by_id: str, now: dt.datetime
) -> None:
    account_id = stays.account_id or goes.account_id
    address = email_key(values["email"])
    owned = {stays.email_key, goes.email_key} - {None}
    taken = address if address in owned else None
    given_up = next(iter(owned - {address}), None)
    before = {stays.address_key, goes.address_key}
    former = fold_into(goes, stays, now=now, by_id=by_id)
    former.email_key = given_up
    stays.account_id, stays.email_key = account_id, taken
    stays.name, stays.email, stays.phone = values["name"], values["email"], values["phone"]
    stays.address_key = address
    db.session.flush()
    # Bookings that strangers made with the address that goes count as this person's as before.
    old = before - {"", address}
    if old and address:
        db.session.execute(
            sa.update(Customer)
            .where(
                Customer.organisation_id == stays.organisation_id,
                Customer.address_key.in_(old),
                Customer.id != stays.id,
            )
            .values(address_key=stays.address_key),
            execution_options={"synchronize_session": False},
        )


def _is_done(organisation_id: str, stays_id: str, goes_id: str) -> bool:
    query = sa.select(FormerCustomer.id).where(
        FormerCustomer.organisation_id == organisation_id,
        FormerCustomer.id == goes_id,
        FormerCustomer.customer_id == stays_id,
    )
    return db.session.scalar(query) is not None


def _lock_what_they_have(organisation_id: str, *ids: str) -> list[str]:
    """Orders, then sessions that are waited for, before the two rows (ADR 9)."""
    db.session.execute(
        sa.select(Order.id)
        .where(Order.organisation_id == organisation_id, Order.customer_id.in_(ids))
        .order_by(Order.id)
        .with_for_update()
    ).all()
    waited = sessions_waited_for(ids).get(organisation_id, [])
    lock_sessions(organisation_id, waited)
    return waited


def _both(organisation_id: str, *ids: str, lock: bool) -> dict[str, Customer]:
    query = (
        sa.select(Customer)
        .where(Customer.organisation_id == organisation_id, Customer.id.in_(ids))
        .order_by(Customer.id)
        .execution_options(populate_existing=True)
    )
    rows = {row.id: row for row in db.session.scalars(query.with_for_update() if lock else query)}
    if set(rows) != set(ids):
        raise NotFound("We couldn't find that customer.")
    return rows


def _merge_of(stays: Customer, goes: Customer) -> Merge:
    one, other = _side(stays), _side(goes)
    impact = _impact(goes)
    values: dict[str, Any] = {"stays": _facts(one), "goes": _facts(other)}
    values["moves"] = [
        impact.orders, impact.bookings, impact.memberships, impact.notes, impact.links,
    ]  # fmt: skip
    return Merge(
        one, other, open_fields(one, other), impact, find_refusal(one, other),
        mark_of_values(values),
    )  # fmt: skip


def _facts(side: Side) -> list[str]:
    return [side.id, side.name, side.email, side.phone, side.account_id or "", str(side.is_erased)]


def _side(row: Customer) -> Side:
    return Side(row.id, row.name, row.email, row.phone, row.account_id, row.erased_at is not None)


def _impact(row: Customer) -> Impact:
    def many(model: Any, *which: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
        return (
            sa.select(sa.func.count())
            .select_from(model)
            .where(
                model.organisation_id == row.organisation_id, model.customer_id == row.id, *which
            )
            .correlate(None)
            .scalar_subquery()
        )

    numbers = db.session.execute(
        sa.select(
            many(Order),
            many(SessionBooking),
            many(Membership),
            many(Note, Note.taken_away_at.is_(None)),
            many(PrivateLink),
        ).where(Customer.organisation_id == row.organisation_id, Customer.id == row.id)
    ).one()
    return Impact(*numbers)


def _shared(organisation_id: str, name: str) -> sa.Select[Any]:
    """What several rows have in common, by the column that says so."""
    column = getattr(Customer, name)
    least = LEAST_DIGITS if name == "phone_key" else 1
    return (
        sa.select(
            sa.literal(name).label("what"),
            sa.literal(list(SAME).index(name)).label("position"),
            column.label("folded"),
            sa.func.count().label("total"),
        )
        .where(
            Customer.organisation_id == organisation_id,
            Customer.erased_at.is_(None),
            sa.func.length(column) >= least,
        )
        .group_by(column)
        .having(sa.func.count() > 1)
    )


def _rows_of(
    organisation_id: str, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], list[Double]]:
    """The rows of each group: who signs in first, then the oldest."""
    found: dict[tuple[str, str], list[Double]] = defaultdict(list)
    if not keys:
        return found
    which = [getattr(Customer, name) == folded for name, folded in keys]
    own = Customer.organisation_id == organisation_id
    orders, memberships = (
        sa.select(sa.func.count())
        .select_from(model)
        .where(model.organisation_id == organisation_id, model.customer_id == Customer.id)
        .correlate(Customer)
        .scalar_subquery()
        for model in (Order, Membership)
    )
    rows = db.session.execute(
        sa.select(Customer, orders, memberships)
        .where(own, Customer.erased_at.is_(None), sa.or_(*which))
        .order_by(Customer.account_id.is_(None), Customer.created_at, Customer.id)
        .limit(PAGE * 50)
    ).all()
    for row, ordered, held in rows:
        double = Double(
            row.id, row.name, row.email, row.phone, row.account_id is not None, row.created_at,
            ordered, held,
        )  # fmt: skip
        for name, folded in keys:
            if getattr(row, name) == folded:
                found[name, folded].append(double)
    return found
