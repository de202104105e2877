"""What a signed-in person sees of the own bookings and memberships, in every organisation."""

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import contains_eager, joinedload, selectinload

from models import (
    Customer,
    Membership,
    MembershipType,
    Order,
    Organisation,
    Session,
    SessionBooking,
    db,
    unbound,
)

_EVERYWHERE = unbound("an account is one person's sign-in for the whole installation")


@dataclass(frozen=True, slots=True)
class HeldMembership:
    """A membership as its holder sees it."""

    name: str
    organisation: str
    first_day: dt.date
    last_day: dt.date | None
    is_paused: bool


def list_own_bookings(account_id: str, *, since: dt.datetime | None = None) -> list[SessionBooking]:
    """A person's sold lines, cancelled ones too, by their start; ended holds are none.

    With `since`, only those that end after it.
    """
    recent = [Session.end_time > since] if since is not None else []
    return list(
        db.session.scalars(
            sa.select(SessionBooking)
            .join(Customer, SessionBooking.customer_id == Customer.id)
            .join(SessionBooking.session)
            .where(Customer.account_id == account_id, SessionBooking.status == "confirmed", *recent)
            .options(
                contains_eager(SessionBooking.session).options(
                    joinedload(Session.room), joinedload(Session.session_type)
                ),
                joinedload(SessionBooking.order_item),
                joinedload(SessionBooking.order).options(
                    joinedload(Order.site), selectinload(Order.ledger)
                ),
                selectinload(SessionBooking.guests),
            )
            .order_by(Session.start_time, SessionBooking.id),
            execution_options=_EVERYWHERE,
        )
    )


def list_own_memberships(account_id: str, *, today: dt.date) -> list[HeldMembership]:
    """Memberships that have not ended, by name."""
    rows = db.session.execute(
        sa.select(Membership, MembershipType.name, Organisation.name)
        .join(Customer, Membership.customer_id == Customer.id)
        .join(MembershipType, Membership.membership_type_id == MembershipType.id)
        .join(Organisation, Membership.organisation_id == Organisation.id)
        .where(
            Customer.account_id == account_id,
            Membership.state != "ended",
            sa.or_(Membership.last_day.is_(None), Membership.last_day >= today),
        )
        .order_by(MembershipType.name, Membership.first_day),
        execution_options=_EVERYWHERE,
    )
    return [
        HeldMembership(name, house, row.first_day, row.last_day, row.state == "paused")
        for row, name, house in rows
    ]
