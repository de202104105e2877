"""Writing into an order's ledger, which is append only (M1); none of it locks or commits."""

import datetime as dt
from collections.abc import Collection, Iterable

import sqlalchemy as sa

from domain.ledger import COMP, Entry, in_order, lapsing_comps
from models import LedgerEntry, Order, db, new_object_id

LAPSED = "What it waived is cancelled"
"""The one note that is ours and not somebody's."""


def entries_of(rows: Iterable[LedgerEntry]) -> tuple[Entry, ...]:
    """The rows of one order as plain values, as they were written."""
    return in_order(
        Entry(
            id=row.id,
            kind=row.kind,
            amount=row.amount,
            at=row.created_at,
            method=row.method,
            note=row.note,
            by_id=row.taken_by_id,
            refund_of=row.refund_of_id,
            fee=row.fee or "",
        )
        for row in rows
    )


def find_entries(organisation_id: str, order_id: str) -> tuple[Entry, ...]:
    """An order's ledger as the database has it now."""
    return entries_of(
        db.session.scalars(
            sa.select(LedgerEntry).where(
                LedgerEntry.organisation_id == organisation_id, LedgerEntry.order_id == order_id
            )
        )
    )


def balances_of(organisation_id: str, order_ids: Collection[str]) -> dict[str, int]:
    """By order what is still to be paid, below 0 what is to be given back; in minor units."""
    rows = db.session.execute(
        sa.select(Order.id, Order.balance).where(
            Order.organisation_id == organisation_id, Order.id.in_(order_ids)
        )
    )
    return {row[0]: row[1] for row in rows}


def let_comps_lapse(organisation_id: str, order_ids: Collection[str], *, now: dt.datetime) -> None:
    """Bring back what was waived of charges that are no longer there: it is never paid out.

    The caller has locked the orders and taken their charges back, in the same transaction.
    """
    is_comp = sa.and_(LedgerEntry.kind == "adjustment", LedgerEntry.method == COMP)
    charged = sa.func.sum(LedgerEntry.amount).filter(
        LedgerEntry.kind.in_(("charge", "adjustment")), sa.not_(is_comp)
    )
    waived = -sa.func.sum(LedgerEntry.amount).filter(is_comp)
    rows = db.session.execute(
        sa.select(LedgerEntry.order_id, sa.func.min(LedgerEntry.currency), charged, waived)
        .where(LedgerEntry.organisation_id == organisation_id, LedgerEntry.order_id.in_(order_ids))
        .group_by(LedgerEntry.order_id)
        .having(waived > 0)
    ).all()
    for order_id, currency, cost, comps in rows:
        amount = lapsing_comps(int(cost or 0), int(comps))
        if amount:
            db.session.add(
                LedgerEntry(
                    id=new_object_id(),
                    organisation_id=organisation_id,
                    order_id=order_id,
                    kind="adjustment",
                    amount=amount,
                    currency=currency,
                    method=COMP,
                    note=LAPSED,
                    created_at=now,
                )
            )
    db.session.flush()
