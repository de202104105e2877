"""One person's rows in an organisation: signed in, and as a guest with the same address (C8)."""

import datetime as dt

import sqlalchemy as sa

from domain.eligibility import Check, Offer, Party, Slot, Viewer, can_book
from models import Account, Customer, Membership, SessionBooking, db
from services.facts import membership_of


def rows_of_account(organisation_id: str, account_id: str) -> sa.ColumnElement[bool]:
    """The customers that are this account, or booked as guests with its confirmed address."""
    address = sa.select(Account.email_key).where(Account.id == account_id).scalar_subquery()
    return sa.and_(
        Customer.organisation_id == organisation_id,
        sa.or_(Customer.account_id == account_id, Customer.address_key == address),
    )


def rows_of_customer(customer: Customer) -> sa.ColumnElement[bool]:
    """The customers that are the same person as this row."""
    same: list[sa.ColumnElement[bool]] = [Customer.id == customer.id]
    if customer.address_key:
        same.append(Customer.address_key == customer.address_key)
    if customer.account_id:
        return sa.or_(*same, rows_of_account(customer.organisation_id, customer.account_id))
    return sa.and_(Customer.organisation_id == customer.organisation_id, sa.or_(*same))


def lock_person(customer: Customer) -> list[str]:
    """The ids of all rows of this person, locked in order, so that limits are counted alone."""
    db.session.scalars(_person_rows(customer).with_for_update(key_share=True)).all()
    # Asked again: a row that another guest's booking added while we waited was not seen before.
    return list_person(customer)


def _person_rows(customer: Customer) -> sa.Select[str]:
    return (
        sa.select(Customer.id)
        .where(Customer.organisation_id == customer.organisation_id, rows_of_customer(customer))
        .order_by(Customer.id)
    )


def count_booked(organisation_id: str, customer_ids: list[str]) -> dict[str, int]:
    """How often these rows together have each session booked, cancelled bookings left out (C8)."""
    rows = db.session.execute(
        sa.select(SessionBooking.session_id, sa.func.count())
        .where(
            SessionBooking.organisation_id == organisation_id,
            SessionBooking.customer_id.in_(customer_ids),
            SessionBooking.status == "confirmed",
            SessionBooking.cancelled_at.is_(None),
        )
        .group_by(SessionBooking.session_id)
    )
    return {row[0]: row[1] for row in rows}


def list_memberships(organisation_id: str, customer_ids: list[str]) -> list[Membership]:
    """What these rows together hold and may use."""
    return list(
        db.session.scalars(
            sa.select(Membership)
            .where(
                Membership.organisation_id == organisation_id,
                Membership.customer_id.in_(customer_ids),
                Membership.state == "active",
            )
            .order_by(Membership.id)
        )
    )


def ask_member_limit(
    customer: Customer, customer_ids: list[str], offer: Offer, slot: Slot, now: dt.datetime
) -> tuple[Check, bool]:
    """The check of max_bookings_per_member for all rows of a person; whether it binds them (C8)."""
    organisation_id = customer.organisation_id
    viewer = Viewer(
        is_signed_in=customer.account_id is not None,
        memberships=tuple(
            membership_of(row) for row in list_memberships(organisation_id, customer_ids)
        ),
        booked_on=count_booked(organisation_id, customer_ids),
    )
    checks = can_book(offer, slot, Party(is_held=True), viewer, now)
    check = next(check for check in checks if check.code == "max_bookings_per_member")
    return check, bool(viewer.types_valid_on(slot.local_start.date()))


def list_person(customer: Customer) -> list[str]:
    """The ids of all rows of this person."""
    return list(db.session.scalars(_person_rows(customer)))
