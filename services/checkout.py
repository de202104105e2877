"""From held places to a booking, all lines or none (H2, H6, M1)."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import selectinload

from domain.eligibility import Viewer
from domain.errors import (
    AlreadyStarted,
    HoldExpired,
    NotBookable,
    NotFound,
    RuleBroken,
)
from domain.people import check_email, check_name, email_key, guest_key
from domain.words import count
from models import (
    Account,
    Customer,
    Guest,
    LedgerEntry,
    Membership,
    Order,
    SessionBooking,
    db,
    new_object_id,
)
from services.idempotency import once
from services.intake import attach_forms
from services.lines import (
    BY_SECRET,
    WHOLE,
    asks_for_names,
    booked_on,
    expired_lines,
    hold_line,
    known_customer,
    live_lines,
    load_session,
    lock_order,
    new_order,
)
from services.places import raise_revision, sell


def confirm_order(
    organisation_id: str,
    secret: str,
    *,
    name: str,
    email: str,
    guest_names: Sequence[Sequence[str]] = (),
    account_id: str | None = None,
    key: str = "",
    now: dt.datetime,
) -> str:
    """Turn a basket's holds into bookings, all of them or none; the order's secret (H2, H6).

    `guest_names` has, for each line that asks for names, those of the guests after the booker.
    Raises RuleBroken for the fields, HoldExpired, AlreadyStarted, KeyReused.
    """
    body: dict[str, Any] = {
        "basket": secret,
        "name": name,
        "email": email,
        "guests": [list(g) for g in guest_names],
    }

    def deed() -> str:
        order = lock_order(organisation_id, secret)
        if order.state == "confirmed":
            return order.secret
        booker, address = check_name(name), check_email(email)
        lines = _confirmable_lines(order, now)
        _name_guests(lines, booker, address, guest_names)
        customer = _find_or_add_customer(organisation_id, booker, address, account_id, now)
        _check_member_limit(lines, customer)
        _settle(order, lines, customer, booker, address, now)
        raise_revision(organisation_id, [line.session_type_id for line in lines])
        return order.secret

    return once(organisation_id, key, body, deed, now)


def book_for_staff(
    organisation_id: str,
    session_id: str,
    *,
    name: str,
    guests: int,
    email: str = "",
    key: str = "",
    now: dt.datetime,
) -> str:
    """A walk-in: booked and checked in at once; the booking's id.

    Bound by places, parties and the type being live only (R20, DECISIONS Staff bookings).
    """
    body = {"session": session_id, "name": name, "guests": guests, "email": email}

    def deed() -> str:
        booker = check_name(name, who="the guest's name")
        address = check_email(email) if email.strip() else ""
        found = load_session(organisation_id, session_id)
        order = new_order(organisation_id, found, None, now, sold_by="staff")
        line = hold_line(order, found, guests, Viewer(is_staff=True), now)
        customer = _find_or_add_customer(organisation_id, booker, address, None, now)
        _settle(order, [line], customer, booker, address, now)
        line.is_walk_in = True
        line.stage, line.checked_in_at = "arrived", now
        raise_revision(organisation_id, [found.session_type_id])
        return line.id

    return once(organisation_id, key, body, deed, now)


def is_confirmed(secret: str) -> bool:
    """Whether this basket has become an order."""
    query = sa.select(Order.id).where(Order.secret == secret, Order.state == "confirmed")
    return db.session.scalar(query, execution_options=BY_SECRET) is not None


def find_order(secret: str) -> Order:
    """The confirmed order at an unguessable link; raises NotFound."""
    order = db.session.scalar(
        sa.select(Order)
        .where(Order.secret == secret, Order.state == "confirmed")
        .options(*WHOLE, selectinload(Order.ledger)),
        execution_options=BY_SECRET,
    )
    if order is None:
        raise NotFound("We couldn't find that booking. Check the link you were given.")
    return order


def _confirmable_lines(order: Order, now: dt.datetime) -> list[SessionBooking]:
    lines = live_lines(order, now=now)
    if not lines or expired_lines(order, now=now):
        raise HoldExpired
    for line in lines:
        if line.session.deleted_at is not None:
            raise NotBookable(
                f"The venue has cancelled {line.session_type_name}.", code="session_live"
            )
        if line.session.start_time <= now:
            raise AlreadyStarted(line.session_type_name)
    return lines


def _name_guests(
    lines: Sequence[SessionBooking], booker: str, email: str, guest_names: Sequence[Sequence[str]]
) -> None:
    asked = [line for line in lines if asks_for_names(line)]
    times: dict[tuple[str, str], int] = {}
    for number, line in enumerate(asked):
        names = list(guest_names[number]) if number < len(guest_names) else []
        line.guests.clear()
        db.session.flush()
        for position in range(line.places):
            field = f"guest-{number}-{position}"
            name = booker
            if position:
                typed = names[position - 1] if position <= len(names) else ""
                name = check_name(typed, field=field, who=f"a name for guest {position + 1}")
            who = guest_key(email=email if position == 0 else "", name=name)
            limit = line.session.session_type.max_per_guest
            seen = (line.session_type_id, who)
            times[seen] = times.get(seen, 0) + 1
            if limit is not None and times[seen] > limit:
                raise RuleBroken(
                    f"{name} is already on this booking. One guest can have it "
                    f"{count(limit, 'time')}.",
                    code="max_per_guest",
                    field=field,
                )
            line.guests.append(
                Guest(
                    id=new_object_id(),
                    organisation_id=line.organisation_id,
                    position=position,
                    name=name,
                    email=email if position == 0 else "",
                )
            )


def _check_member_limit(lines: Sequence[SessionBooking], customer: Customer) -> None:
    """Two baskets of one member must not pass the limit together (C8)."""
    limited = [line for line in lines if line.session.session_type.max_bookings_per_member]
    if not limited:
        return
    db.session.execute(
        sa.select(Customer.id)
        .where(Customer.organisation_id == customer.organisation_id, Customer.id == customer.id)
        .with_for_update()
    )
    held = db.session.scalar(
        sa.select(sa.func.count())
        .select_from(Membership)
        .where(
            Membership.organisation_id == customer.organisation_id,
            Membership.customer_id == customer.id,
        )
    )
    for line in limited:
        limit = line.session.session_type.max_bookings_per_member or 0
        others = booked_on(line.organisation_id, customer.id, line.session_id, confirmed_only=True)
        if held and others.get(line.session_id, 0) >= limit:
            raise NotBookable(
                "You have already booked this session.", code="max_bookings_per_member"
            )


def _find_or_add_customer(
    organisation_id: str, name: str, email: str, account_id: str | None, now: dt.datetime
) -> Customer:
    """The booker's row: a signed-in person's own, whatever address the order has; else by address.

    A stranger's booking is never put into an account that has the same address.
    """
    account = db.session.get_one(Account, account_id) if account_id else None
    address = account.email if account else email
    found = _customer_of(organisation_id, account, address)
    if found is not None:
        return found
    is_anothers = account is None and bool(address) and _with_address(organisation_id, address)
    fresh = Customer(
        id=new_object_id(),
        organisation_id=organisation_id,
        account_id=account_id,
        name=name,
        email=address,
        email_key=email_key(address) if address and not is_anothers else None,
        address_key=email_key(address),
        created_at=now,
    )
    try:
        with db.session.begin_nested():
            db.session.add(fresh)
    except IntegrityError:
        # Two first bookings of one person at once: the other one's row is theirs.
        found = _customer_of(organisation_id, account, address)
        if found is None:
            raise
        return found
    return fresh


def _customer_of(organisation_id: str, account: Account | None, address: str) -> Customer | None:
    if account is not None:
        known = known_customer(organisation_id, account.id)[0]
        if known is not None:
            return known
    found = _with_address(organisation_id, address) if address else None
    if found is None or found.account_id is not None:
        return None
    if account is not None:
        found.account_id = account.id
    return found


def _with_address(organisation_id: str, email: str) -> Customer | None:
    return db.session.scalar(
        sa.select(Customer).where(
            Customer.organisation_id == organisation_id, Customer.email_key == email_key(email)
        )
    )


def _settle(
    order: Order,
    lines: Sequence[SessionBooking],
    customer: Customer,
    name: str,
    email: str,
    now: dt.datetime,
) -> None:
    order.state, order.confirmed_at = "confirmed", now
    order.name, order.email, order.customer_id = name, email, customer.id
    db.session.flush()
    for line in sorted(lines, key=lambda line: line.id):
        if not sell(line, customer.id, now):
            raise HoldExpired
    attach_forms(order.organisation_id, lines)
    total = sum(line.order_item.unit_price * line.places for line in lines)
    if total:
        db.session.add(
            LedgerEntry(
                id=new_object_id(),
                organisation_id=order.organisation_id,
                order_id=order.id,
                kind="charge",
                amount=total,
                currency=order.currency,
                created_at=now,
            )
        )
