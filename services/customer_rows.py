"""One customer's row becomes part of another: all that hangs on it moves, and it goes."""

import datetime as dt

import sqlalchemy as sa

from models import (
    Customer,
    FormerCustomer,
    Membership,
    Note,
    Order,
    PrivateLink,
    SessionBooking,
    db,
)

MOVED = (Order, SessionBooking, PrivateLink, Note, FormerCustomer)
"""What names a customer and moves as it is; memberships are looked at one by one."""


def fold_into(
    row: Customer, mine: Customer, *, now: dt.datetime, by_id: str | None = None
) -> FormerCustomer:
    """Everything of `row` becomes `mine`; what both have stays once, and `row` is deleted.

    The caller has locked both. Its old address leads on to `mine` from now on. Something that
    names `row` and was forgotten here is refused by the database.
    """
    for model in MOVED:
        db.session.execute(
            sa.update(model)
            .where(model.organisation_id == row.organisation_id, model.customer_id == row.id)
            .values(customer_id=mine.id),
            execution_options={"synchronize_session": False},
        )
    _move_memberships(row, mine)
    mine.phone = mine.phone or row.phone
    db.session.flush()
    # It must go before its address and account can be somebody's again.
    db.session.delete(row)
    db.session.flush()
    former = FormerCustomer(
        id=row.id,
        organisation_id=mine.organisation_id,
        customer_id=mine.id,
        merged_at=now,
        merged_by_id=by_id,
    )
    db.session.add(former)
    db.session.flush()
    return former


def _move_memberships(row: Customer, mine: Customer) -> None:
    held = {(own.membership_type_id, own.first_day): own for own in _memberships(mine)}
    for membership in _memberships(row):
        own = held.get((membership.membership_type_id, membership.first_day))
        if own is None:
            membership.customer_id = mine.id
            continue
        # Of two from one day the one that counts is kept.
        if own.state != "active" and membership.state == "active":
            own.state, own.last_day = membership.state, membership.last_day
        db.session.delete(membership)


def _memberships(row: Customer) -> list[Membership]:
    return list(
        db.session.scalars(
            sa.select(Membership)
            .where(
                Membership.organisation_id == row.organisation_id,
                Membership.customer_id == row.id,
            )
            .execution_options(populate_existing=True)
        )
    )
