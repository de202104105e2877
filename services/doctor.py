"""Recomputing every promise from the facts; a difference is a bug, and it is loud (H1)."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from domain.ledger import COMP
from domain.people import guest_key
from domain.words import count
from models import (
    Account,
    Customer,
    Guest,
    Job,
    LedgerEntry,
    LongWork,
    Order,
    OrderItem,
    PrivateLink,
    Session,
    SessionBooking,
    db,
    unbound,
)
from services.finding import find_wrong_words
from services.letters import MAIL
from services.long_works import LONG_WORK, OPEN
from services.outbox import MOST_ATTEMPTS
from services.places import TAKING
from services.waking import find_forgotten

LATE = dt.timedelta(hours=1)
"""A job that has been due for so long stands still."""

EVERYWHERE = unbound("the doctor looks at every organisation")


def examine(*, now: dt.datetime | None = None) -> list[str]:
    """A sentence for everything that is wrong in this database.

    With `now`, waiting lists that should have been woken by then are wrong too.
    """
    return [
        *find_wrong_counters(),
        *find_oversold(),
        *find_wrong_links(),
        *find_sold_and_given_away(),
        *find_missing_guests(),
        *find_broken_limits(),
        *find_wrong_sums(),
        *find_wrong_books(),
        *find_wrong_totals(),
        *find_wrong_fees(),
        *find_broken_offers(),
        *find_broken_promises(),
        *find_wrong_words(),
        *(find_sleeping_lists(now) if now is not None else ()),
    ]


def examine_outbox(kinds: Collection[str], letters: Collection[str]) -> list[str]:
    """A sentence for every kind of job, and every letter, that nobody here knows how to do."""
    jobs = db.session.execute(
        sa.select(Job.kind, Job.payload).where(Job.done_at.is_(None)), execution_options=EVERYWHERE
    )
    unknown: Counter[str] = Counter()
    for kind, payload in jobs:
        if kind not in kinds:
            unknown[f"of the kind {kind}"] += 1
        elif kind == MAIL and str(payload.get("letter")) not in letters:
            unknown[f"for the letter {payload.get('letter')}"] += 1
    return [
        f"Outbox: {count(number, 'job')} {what}, which nobody does."
        for what, number in sorted(unknown.items())
    ]


def find_warnings(*, now: dt.datetime) -> list[str]:
    """What somebody should look at although no promise is broken: mail that fails or stands still.

    A worker that doesn't run is no broken promise: its jobs are done when it runs again.
    """
    open_jobs = Job.done_at.is_(None)
    given_up = sa.and_(Job.attempts >= MOST_ATTEMPTS, sa.or_(*_let_go(now)))
    late = sa.and_(Job.attempts < MOST_ATTEMPTS, Job.run_at <= now - LATE, sa.or_(*_let_go(now)))
    failed, stuck = db.session.execute(
        sa.select(
            sa.func.count(Job.id).filter(open_jobs, given_up),
            sa.func.count(Job.id).filter(open_jobs, late),
        ),
        execution_options=EVERYWHERE,
    ).one()
    warnings = []
    if failed:
        warnings.append(
            f"Outbox: {count(failed, 'job')} failed for good. Staff can retry them in the outbox."
        )
    if stuck:
        verb = "has" if stuck == 1 else "have"
        warnings.append(
            f"Outbox: {count(stuck, 'job')} {verb} been due for more than an hour. "
            "Is a worker running?"
        )
    return [*warnings, *_find_stuck_works(now)]


def _find_stuck_works(now: dt.datetime) -> list[str]:
    """Long work that no job carries on any more, or whose job was given up."""
    live = (
        sa.select(Job.id)
        .where(
            Job.kind == LONG_WORK,
            Job.dedupe_key.like(sa.literal(f"{LONG_WORK}:") + LongWork.id + ":%"),
            Job.done_at.is_(None),
            Job.attempts < MOST_ATTEMPTS,
        )
        .exists()
    )
    works = db.session.scalars(
        sa.select(LongWork)
        .where(LongWork.state.in_(OPEN), LongWork.created_at <= now - LATE, sa.not_(live))
        .order_by(LongWork.id),
        execution_options=EVERYWHERE,
    )
    return [
        f"Long work {work.id} ({work.title}) stands still at {work.done} of {work.total}. "
        "Its page has a button that carries it on."
        for work in works
    ]


def _let_go(now: dt.datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return (Job.locked_until.is_(None), Job.locked_until <= now)


def find_wrong_counters() -> list[str]:
    """A sentence for every session whose counters differ from its live bookings."""
    live = sa.and_(
        SessionBooking.session_id == Session.id,
        SessionBooking.cancelled_at.is_(None),
        SessionBooking.status.in_(TAKING),
    )
    places = sa.func.coalesce(sa.func.sum(SessionBooking.places), 0)
    parties = sa.func.count(sa.distinct(SessionBooking.order_id))
    rows = db.session.execute(
        sa.select(Session.id, Session.places_taken, places, Session.parties_taken, parties)
        .join(SessionBooking, live, isouter=True)
        .group_by(Session.id, Session.places_taken, Session.parties_taken)
        .having(sa.or_(Session.places_taken != places, Session.parties_taken != parties)),
        execution_options=EVERYWHERE,
    )
    return [
        f"Session {row[0]}: {row[1]} places and {row[3]} parties are noted, "
        f"its bookings have {row[2]} and {row[4]}."
        for row in rows
    ]


def find_oversold() -> list[str]:
    """A sentence for every session with more places or parties taken than it has (H1, R9)."""
    rows = db.session.execute(
        sa.select(
            Session.id,
            Session.places_taken + Session.places_kept,
            Session.capacity,
            Session.parties_taken,
            Session.max_baskets,
        ).where(
            sa.or_(
                Session.places_taken + Session.places_kept > Session.capacity,
                Session.parties_taken > Session.max_baskets,
            )
        ),
        execution_options=EVERYWHERE,
    )
    return [
        f"Session {row[0]}: {row[1]} of {row[2]} places and {row[3]} parties are taken"
        + (f", {row[4]} are allowed." if row[4] is not None else ".")
        for row in rows
    ]


def find_wrong_links() -> list[str]:
    """A sentence for every session or private link whose kept places or uses are not the facts."""
    kept = sa.func.coalesce(sa.func.sum(PrivateLink.places_kept), 0)
    sessions = db.session.execute(
        sa.select(Session.id, Session.places_kept, kept)
        .join(PrivateLink, PrivateLink.session_id == Session.id, isouter=True)
        .group_by(Session.id, Session.places_kept)
        .having(Session.places_kept != kept),
        execution_options=EVERYWHERE,
    )
    live = sa.and_(
        SessionBooking.private_link_id == PrivateLink.id,
        SessionBooking.cancelled_at.is_(None),
        SessionBooking.status.in_(TAKING),
    )
    uses = sa.func.count(SessionBooking.id)
    links = db.session.execute(
        sa.select(PrivateLink.id, PrivateLink.uses, uses)
        .join(SessionBooking, live, isouter=True)
        .group_by(PrivateLink.id, PrivateLink.uses)
        .having(PrivateLink.uses != uses),
        execution_options=EVERYWHERE,
    )
    return [
        *(
            f"Session {row[0]}: {row[1]} places are kept, its links have {row[2]}."
            for row in sessions
        ),
        *(f"Private link {row[0]}: {row[1]} uses are noted, it has {row[2]}." for row in links),
    ]


def find_missing_guests() -> list[str]:
    """A sentence for every sold line that names some guests, but not as many as its places."""
    named = sa.func.count(Guest.id)
    rows = db.session.execute(
        sa.select(SessionBooking.id, SessionBooking.places, named)
        .join(Guest, Guest.session_booking_id == SessionBooking.id)
        .where(SessionBooking.status == "confirmed", SessionBooking.cancelled_at.is_(None))
        .group_by(SessionBooking.id, SessionBooking.places)
        .having(named != SessionBooking.places),
        execution_options=EVERYWHERE,
    )
    return [f"Booking {row[0]}: {row[1]} places, {row[2]} guests are named." for row in rows]


def find_sold_and_given_away() -> list[str]:
    """A sentence for every confirmed order whose line was ended by the clock (H3)."""
    rows = db.session.execute(
        sa.select(Order.order_ref, SessionBooking.id)
        .join(SessionBooking, SessionBooking.order_id == Order.id)
        .where(SessionBooking.status == "confirmed", SessionBooking.cancelled_by == "expired"),
        execution_options=EVERYWHERE,
    )
    return [f"Order {ref}: its line {line} was sold and given away." for ref, line in rows]


def find_broken_limits() -> list[str]:
    """A sentence for every limit that a live line passes; those agreed to count (R20, M8).

    Staff are bound by places only, and what they booked in spite of a rule is meant.
    """
    lines = _live_lines()
    return [
        *_wrong_parties(lines),
        *_too_often_in_a_basket(lines),
        *_too_often_for_a_guest(lines),
        *_too_often_for_a_member(lines),
    ]


def find_wrong_sums() -> list[str]:
    """A sentence for every order whose charges are not the price and fees of its lines (M1)."""
    priced = (
        sa.select(
            SessionBooking.order_id,
            sa.func.sum(OrderItem.unit_price * SessionBooking.places + SessionBooking.fee),
        )
        .join(OrderItem, SessionBooking.order_item_id == OrderItem.id)
        .where(SessionBooking.status == "confirmed", SessionBooking.cancelled_at.is_(None))
        .group_by(SessionBooking.order_id)
    )
    charged = (
        sa.select(LedgerEntry.order_id, sa.func.sum(LedgerEntry.amount))
        .where(LedgerEntry.kind.in_(("charge", "adjustment")), LedgerEntry.method != COMP)
        .group_by(LedgerEntry.order_id)
    )
    due = _by_order(cast("sa.Select[Any]", priced))
    noted = _by_order(cast("sa.Select[Any]", charged))
    return [
        f"Order {order_id}: {noted.get(order_id, 0)} is charged, its lines cost "
        f"{due.get(order_id, 0)}."
        for order_id in sorted(due.keys() | noted.keys())
        if due.get(order_id, 0) != noted.get(order_id, 0)
    ]


def find_wrong_totals() -> list[str]:
    """A sentence for every order beside which another sum stands than its ledger has (M1)."""
    amount, kind = LedgerEntry.amount, LedgerEntry.kind
    sums = [
        sa.func.coalesce(sa.func.sum(amount).filter(which), 0)
        for which in (kind == "charge", kind == "adjustment", sa.true())
    ]
    rows = db.session.execute(
        sa.select(Order.id, Order.charged, Order.adjusted, Order.balance, *sums)
        .outerjoin(LedgerEntry, LedgerEntry.order_id == Order.id)
        .group_by(Order.id, Order.charged, Order.adjusted, Order.balance)
        .order_by(Order.id),
        execution_options=EVERYWHERE,
    )
    return [
        f"Order {row[0]}: its ledger sums up to another balance than the {row[3]} beside it."
        for row in rows
        if tuple(row[1:4]) != tuple(int(value) for value in row[4:])
    ]


def find_wrong_books() -> list[str]:
    """A sentence for every ledger that gives back more than was paid, or waives too much (M1, M4).

    And for money of another currency than its order's (P8).
    """
    is_comp = (LedgerEntry.kind == "adjustment") & (LedgerEntry.method == COMP)
    sums = [
        sa.func.coalesce(sa.func.sum(LedgerEntry.amount).filter(which), 0)
        for which in (
            LedgerEntry.kind == "payment",
            LedgerEntry.kind == "refund",
            LedgerEntry.kind.in_(("charge", "adjustment")) & sa.not_(is_comp),
            is_comp,
        )
    ]
    columns: list[Any] = [LedgerEntry.order_id, *sums]
    ledger = sa.select(*columns).group_by(LedgerEntry.order_id).order_by(LedgerEntry.order_id)
    found = []
    for order_id, paid, back, charged, comps in db.session.execute(
        ledger, execution_options=EVERYWHERE
    ):
        if back > -paid:
            found.append(f"Order {order_id}: {back} went back, {-paid} was paid.")
        if -comps > max(0, charged):
            found.append(f"Order {order_id}: {-comps} is waived, {charged} is charged.")
    strange = db.session.execute(
        sa.select(LedgerEntry.order_id, LedgerEntry.currency, Order.currency)
        .join(Order, LedgerEntry.order_id == Order.id)
        .where(LedgerEntry.currency != Order.currency)
        .order_by(LedgerEntry.order_id),
        execution_options=EVERYWHERE,
    )
    return found + [f"Order {it[0]}: money of {it[1]} in an order of {it[2]}." for it in strange]


def find_wrong_fees() -> list[str]:
    """A sentence for every booking whose fee is not what the ledger has, or of an ended one."""
    noted = (
        sa.select(SessionBooking.id, SessionBooking.fee)
        .where(SessionBooking.fee != 0)
        .order_by(SessionBooking.id)
    )
    written = (
        sa.select(LedgerEntry.booking_id, sa.func.sum(LedgerEntry.amount))
        .where(LedgerEntry.fee.is_not(None), LedgerEntry.booking_id.is_not(None))
        .group_by(LedgerEntry.booking_id)
    )
    fees = _by_order(cast("sa.Select[Any]", noted))
    ledger = _by_order(cast("sa.Select[Any]", written))
    return [
        f"Booking {booking_id}: a fee of {fees.get(booking_id, 0)} is noted, the ledger has "
        f"{ledger.get(booking_id, 0)}."
        for booking_id in sorted(fees.keys() | ledger.keys())
        if fees.get(booking_id, 0) != ledger.get(booking_id, 0)
    ]


def find_broken_offers() -> list[str]:
    """A sentence for every offer without its deadline, and every entry that kept one (W2)."""
    entries = db.session.scalars(
        sa.select(SessionBooking).where(
            SessionBooking.waiting_since.is_not(None), SessionBooking.cancelled_at.is_(None)
        ),
        execution_options=EVERYWHERE,
    ).all()
    wrong = [f"Entry {it.id}: {text}" for it in entries if (text := _wrong_offer(it))]
    # One party, one list, one entry: nobody is offered two places of one session at once.
    times = Counter((it.session_id, it.customer_id) for it in entries if it.status != "confirmed")
    wrong += [
        f"Session {session_id}: customer {customer_id} waits {number} times."
        for (session_id, customer_id), number in times.items()
        if number > 1 and customer_id is not None
    ]
    return wrong


def find_broken_promises() -> list[str]:
    """A sentence for every booking whose places are promised to more than it gives up."""
    source = aliased(SessionBooking)
    promised = sa.func.sum(SessionBooking.places)
    rows = db.session.execute(
        sa.select(source.id, source.released_places, source.cancelled_at, promised)
        .join(source, SessionBooking.offered_from_id == source.id)
        .where(SessionBooking.cancelled_at.is_(None), SessionBooking.status == "waitlisted")
        .group_by(source.id, source.released_places, source.cancelled_at),
        execution_options=EVERYWHERE,
    )
    return [
        f"Booking {row[0]}: {row[3]} places are promised, it gives up "
        f"{row[1] if row[2] is None else 0}."
        for row in rows
        if row[2] is not None or row[3] > row[1]
    ]


def find_sleeping_lists(now: dt.datetime) -> list[str]:
    """A sentence for every list with a free place and a party that may have it (H10)."""
    return [
        f"Session {session_id}: a place is free and somebody who fits waits for it; "
        "the list should have been woken."
        for _, session_id, _ in find_forgotten(now)
    ]


def _wrong_offer(entry: SessionBooking) -> str:
    has_offer, has_deadline = entry.offered_at is not None, entry.expires_at is not None
    if entry.status == "confirmed":
        left_over = has_deadline or entry.offered_from_id is not None
        return "it is booked, and an offer is left over." if left_over else ""
    if entry.status != "waitlisted" and not has_offer:
        return "its places are held without an offer."
    if entry.status == "waitlisted" and has_offer and entry.offered_from_id is None:
        return "its offer holds no places."
    return "" if has_offer == has_deadline else "its offer has no deadline."


@dataclass(frozen=True, slots=True)
class _Line:
    """A booking that takes places, with what was agreed for it."""

    id: str
    order_id: str
    session_id: str
    session_type_id: str
    places: int
    status: str
    customer_id: str | None
    policy: dict[str, Any]
    excused: frozenset[str]

    def limit(self, name: str) -> int | None:
        """The agreed limit, None when there is none or staff went past it on purpose."""
        return None if name in self.excused else self.policy.get(name)


def _by_order(query: sa.Select[Any]) -> dict[str, int]:
    rows = db.session.execute(query, execution_options=EVERYWHERE)
    return {order_id: int(amount or 0) for order_id, amount in rows}


def _live_lines() -> list[_Line]:
    rows = db.session.execute(
        sa.select(SessionBooking, OrderItem.policy)
        .join(OrderItem, SessionBooking.order_item_id == OrderItem.id)
        .join(Order, SessionBooking.order_id == Order.id)
        .where(
            SessionBooking.cancelled_at.is_(None),
            SessionBooking.status.in_(TAKING),
            Order.sold_by == "shop",
        )
        .order_by(SessionBooking.id),
        execution_options=EVERYWHERE,
    )
    return [
        _Line(
            row.id,
            row.order_id,
            row.session_id,
            row.session_type_id,
            row.places,
            row.status,
            row.customer_id,
            policy,
            frozenset(row.overridden),
        )
        for row, policy in rows
    ]


def _wrong_parties(lines: Sequence[_Line]) -> Iterable[str]:
    for line in lines:
        least, most = line.limit("min_guests"), line.limit("max_guests")
        if (least and line.places < least) or (most and line.places > most):
            agreed = f"{least or 1} to {most}" if most else f"{least} or more"
            yield f"Booking {line.id}: a party of {line.places}, agreed were {agreed}."


def _too_often_in_a_basket(lines: Sequence[_Line]) -> Iterable[str]:
    groups: dict[tuple[str, str], list[_Line]] = defaultdict(list)
    for line in lines:
        groups[line.order_id, line.session_type_id].append(line)
    for (order_id, type_id), group in groups.items():
        limit = min((one for line in group if (one := line.limit("max_per_basket"))), default=None)
        if limit is not None and len(group) > limit:
            yield f"Order {order_id}: {len(group)} lines of type {type_id}, {limit} are allowed."


def _too_often_for_a_guest(lines: Sequence[_Line]) -> Iterable[str]:
    limited = {line.id: line for line in lines if line.limit("max_per_guest")}
    guests = db.session.scalars(
        sa.select(Guest).where(Guest.session_booking_id.in_(list(limited))),
        execution_options=EVERYWHERE,
    )
    times: Counter[tuple[str, str, str]] = Counter()
    limits: dict[tuple[str, str, str], int] = {}
    for guest in guests:
        line = limited[guest.session_booking_id]
        key = (line.order_id, line.session_type_id, guest_key(email=guest.email, name=guest.name))
        times[key] += 1
        limits[key] = line.limit("max_per_guest") or 0
    for key, number in times.items():
        if number > limits[key]:
            yield f"Order {key[0]}: one guest has type {key[1]} {number} times of {limits[key]}."


def _too_often_for_a_member(lines: Sequence[_Line]) -> Iterable[str]:
    """Counts lines that were sold to a member; a membership given later changes nothing."""
    as_member = [
        line
        for line in lines
        if line.status == "confirmed"
        and line.policy.get("as_member")
        and line.limit("max_bookings_per_member")
    ]
    persons = _persons({line.customer_id for line in as_member if line.customer_id})
    groups: dict[tuple[str, str], list[_Line]] = defaultdict(list)
    for line in as_member:
        groups[persons[line.customer_id or ""], line.session_id].append(line)
    for (person, session_id), group in groups.items():
        limit = min(line.limit("max_bookings_per_member") or 0 for line in group)
        if len(group) > limit:
            yield f"Session {session_id}: {person} has it {len(group)} times, {limit} are allowed."


def _persons(customer_ids: set[str]) -> dict[str, str]:
    """Who each customer row is: an account's address, else its own, else itself."""
    rows = db.session.execute(
        sa.select(Customer.id, Customer.organisation_id, Customer.address_key, Account.email_key)
        .join(Account, Customer.account_id == Account.id, isouter=True)
        .where(Customer.id.in_(customer_ids)),
        execution_options=EVERYWHERE,
    )
    return {row[0]: f"{row[1]}/{row[3] or row[2] or row[0]}" for row in rows}
