"""Everything we hold about a person, for that person."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import joinedload, selectinload

from domain.errors import NotFound
from models import (
    BOOKER,
    Account,
    Customer,
    Membership,
    Order,
    OrderItem,
    Organisation,
    SessionBooking,
    db,
    unbound,
)
from services.intake import own_position
from services.passkeys import list_passkeys
from services.second_factor import has_second_step
from services.sign_ins import list_sign_ins

_EVERYWHERE = unbound("people may have a copy of all that is held about them")


def export_account(account_id: str, *, now: dt.datetime) -> dict[str, Any]:
    """Account, customer rows, memberships and orders as plain values; no secret among them.

    Instants are ISO 8601 in UTC, money is whole minor units with its currency.
    """
    account = db.session.get(Account, account_id)
    if account is None:
        raise NotFound("That account has been closed.")
    customers = db.session.execute(
        sa.select(Customer, Organisation.name)
        .join(Organisation, Customer.organisation_id == Organisation.id)
        .where(Customer.account_id == account_id)
        .order_by(Organisation.name),
        execution_options=_EVERYWHERE,
    ).all()
    ids = [row.id for row, _ in customers]
    memberships, orders = memberships_by_customer(ids), orders_by_customer(ids)
    return {
        "exported_at": _instant(now),
        "account": {
            "name": account.name,
            "email": account.email,
            "created_at": _instant(account.created_at),
            "has_password": account.password_hash is not None,
            "has_authenticator_app": has_second_step(account_id),
        },
        "passkeys": [
            {
                "name": one.name,
                "created_at": _instant(one.created_at),
                "last_used_at": _instant(one.last_used_at),
            }
            for one in list_passkeys(account_id)
        ],
        "signed_in_at": [
            {
                "browser": one.browser,
                "address": one.address,
                "since": _instant(one.created_at),
                "last_used_at": _instant(one.last_used_at),
            }
            for one in list_sign_ins(account_id)
        ],
        "customers": [
            {"organisation": house, **customer_as_told(row, memberships, orders)}
            for row, house in customers
        ],
    }


def customer_as_told(
    row: Customer, memberships: Mapping[str, list[Membership]], orders: Mapping[str, list[Order]]
) -> dict[str, Any]:
    """One customer row with what it holds and ordered, as plain values."""
    return {
        "name": row.name,
        "email": row.email,
        "phone": row.phone,
        "created_at": _instant(row.created_at),
        "memberships": [_membership(held) for held in memberships.get(row.id, [])],
        "orders": [_order(order) for order in orders.get(row.id, [])],
    }


def memberships_by_customer(customer_ids: Sequence[str]) -> dict[str, list[Membership]]:
    """What these rows hold, the oldest first; the caller found them inside the walls."""
    found: dict[str, list[Membership]] = {}
    for row in db.session.scalars(
        sa.select(Membership)
        .where(Membership.customer_id.in_(customer_ids))
        .options(joinedload(Membership.membership_type))
        .order_by(Membership.first_day, Membership.id),
        execution_options=_EVERYWHERE,
    ):
        found.setdefault(row.customer_id, []).append(row)
    return found


def orders_by_customer(customer_ids: Sequence[str]) -> dict[str, list[Order]]:
    """What these rows ordered, whole, the oldest first; found inside the walls like them."""
    line = selectinload(Order.items).joinedload(OrderItem.booking)
    found: dict[str, list[Order]] = {}
    for row in db.session.scalars(
        sa.select(Order)
        .where(Order.customer_id.in_(customer_ids), Order.confirmed_at.is_not(None))
        .options(
            joinedload(Order.site),
            selectinload(Order.ledger),
            line.joinedload(SessionBooking.session),
            line.selectinload(SessionBooking.guests),
            line.selectinload(SessionBooking.answers),
        )
        .order_by(Order.confirmed_at, Order.id),
        execution_options=_EVERYWHERE,
    ):
        found.setdefault(row.customer_id or "", []).append(row)
    return found


def _membership(row: Membership) -> dict[str, Any]:
    return {
        "type": row.membership_type.name,
        "first_day": row.first_day.isoformat(),
        "last_day": row.last_day.isoformat() if row.last_day else None,
        "state": row.state,
    }


def _order(order: Order) -> dict[str, Any]:
    return {
        "order_ref": order.order_ref,
        "venue": f"{order.site.name} {order.site.place}".strip(),
        "state": order.state,
        "name": order.name,
        "email": order.email,
        "currency": order.currency,
        "confirmed_at": _instant(order.confirmed_at),
        "lines": [_line(item) for item in order.items],
        "ledger": [
            {
                "kind": entry.kind,
                "amount": entry.amount,
                "method": entry.method,
                "created_at": _instant(entry.created_at),
            }
            for entry in order.ledger
        ],
    }


def _line(item: OrderItem) -> dict[str, Any]:
    booking = item.booking
    return {
        "id": booking.id,
        "session_type": booking.session_type_name,
        "start_time": _instant(booking.session.start_time),
        "end_time": _instant(booking.session.end_time),
        "places": booking.places,
        "unit_price": item.unit_price,
        "price_label": item.price_label,
        "policy": item.policy,
        "status": booking.status,
        "stage": booking.stage,
        "checked_in_at": _instant(booking.checked_in_at),
        "is_no_show": booking.is_no_show,
        "cancelled_at": _instant(booking.cancelled_at),
        "cancelled_by": booking.cancelled_by,
        "cancel_reason": booking.cancel_reason,
        "guests": [{"name": guest.name, "email": guest.email} for guest in booking.guests],
        # What other guests answered is theirs.
        "answers": [
            {"answers": answer.answers, "updated_at": _instant(answer.updated_at)}
            for answer in booking.answers
            if answer.position in (BOOKER, own_position(booking))
        ],
    }


def _instant(moment: dt.datetime | None) -> str | None:
    return moment.isoformat() if moment else None
