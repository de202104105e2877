"""What somebody booked as a guest joins the account once the address is proved."""

import datetime as dt

import sqlalchemy as sa

from models import Account, Customer, Order, db, unbound
from services.customer_rows import fold_into
from services.places import lock_sessions, raise_revision
from services.waking import end_doubles, sessions_waited_for, wake

_EVERYWHERE = unbound("an account is one person's sign-in for the whole installation")


def join_guest_bookings(account: Account, *, now: dt.datetime) -> None:
    """Give the account every customer row with its address that is nobody's, in all organisations.

    In the caller's transaction, and only after the address was proved. Where the account is a
    customer already, the bookings move to that row and the emptied one goes. Whoever then waits
    twice for one session keeps one place in the line.
    """
    found = _nobodys_rows(account.email_key, lock=False)
    if not found:
        return
    # Orders before customers: checkout holds its order when it looks for the customer.
    db.session.execute(
        sa.select(Order.id)
        .where(Order.customer_id.in_([row.id for row in found]))
        .order_by(Order.id)
        .with_for_update(),
        execution_options=_EVERYWHERE,
    ).all()
    # Sessions before customers too: accepting an offer has its session when it locks the person.
    waited = sessions_waited_for([row.id for row in found])
    for organisation_id, session_ids in waited.items():
        lock_sessions(organisation_id, session_ids)
    own = {row.organisation_id: row for row in own_rows(account.id)}
    for row in _nobodys_rows(account.email_key, lock=True):
        mine = own.get(row.organisation_id)
        if mine is None:
            row.account_id = account.id
            own[row.organisation_id] = row
            db.session.flush()
        else:
            fold_into(row, mine, now=now)
            _take_address(row, mine)
    for organisation_id, session_ids in waited.items():
        mine = own.get(organisation_id)
        types = end_doubles(organisation_id, mine.id, session_ids, now=now) if mine else set()
        if types:
            wake(organisation_id, session_ids, now=now)
            raise_revision(organisation_id, types)


def own_rows(account_id: str) -> list[Customer]:
    """The account's customer rows, one an organisation, locked."""
    return list(
        db.session.scalars(
            sa.select(Customer)
            .where(Customer.account_id == account_id)
            .order_by(Customer.id)
            .with_for_update(),
            execution_options={**_EVERYWHERE, "populate_existing": True},
        )
    )


def _nobodys_rows(key: str, *, lock: bool) -> list[Customer]:
    # The row that owns its address first: it is the one to keep.
    query = (
        sa.select(Customer)
        .where(Customer.address_key == key, Customer.account_id.is_(None))
        .order_by(Customer.organisation_id, Customer.email_key.is_(None), Customer.id)
    )
    if lock:
        query = query.with_for_update()
    options = {**_EVERYWHERE, "populate_existing": True}
    return list(db.session.scalars(query, execution_options=options))


def _take_address(row: Customer, mine: Customer) -> None:
    """The address that the emptied row had to itself is the account's now."""
    if mine.email_key is None and mine.address_key == row.address_key:
        mine.email_key = row.email_key
        db.session.flush()
