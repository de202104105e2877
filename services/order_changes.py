"""What was done to one order and its bookings, as the trail has it, for the order's own story."""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from domain.trail_words import Change, Tongue, say_change
from models import AuditEntry, db
from services.trail import Reader, change_of, fold_rows, reason_of, say_names, say_who

MOST = 300
"""Entries that are read of one order; what is older is on the page of its history."""

GUEST = "the guest"

_SAID_BY_THE_BOOKS = ("ledger_entries", "order_items")
_SAID_BY_THE_ROWS = {
    "orders": {"state"},
    "session_bookings": {"status", "waiting_since", "offered_at", "skipped_at", "skip_reason"},
    "guests": {"form_secret"},
}
"""Columns that the order's story tells already, from the rows as they are."""


@dataclass(frozen=True, slots=True)
class OrderChange:
    """One thing that was done: `booking_id` is empty for the order itself."""

    at: dt.datetime
    who: str
    booking_id: str
    subject: str
    columns: frozenset[str]
    said: tuple[str, ...]
    why: str


def list_order_changes(
    reader: Reader, order_id: str, booking_ids: Collection[str]
) -> tuple[OrderChange, ...]:
    """Oldest first, without what made the order, and without money; constant queries."""
    rows = db.session.scalars(
        sa.select(AuditEntry)
        .where(
            AuditEntry.organisation_id == reader.organisation_id,
            AuditEntry.subject.not_in(_SAID_BY_THE_BOOKS),
            sa.or_(
                sa.and_(AuditEntry.about == "orders", AuditEntry.about_id == order_id),
                sa.and_(
                    AuditEntry.about == "session_bookings",
                    AuditEntry.about_id.in_(list(booking_ids)),
                ),
            ),
        )
        .options(joinedload(AuditEntry.values))
        .order_by(AuditEntry.id.desc())
        .limit(MOST)
    ).all()
    begun = {row.deed_id for row in rows if (row.subject, row.act) == ("orders", "made")}
    told = [row for row in rows if row.deed_id not in begun]
    changes = {row.id: _without_doubles(change_of(row)) for row in told}
    names = say_names(reader.organisation_id, told, list(changes.values()))
    tongue = Tongue(reader.zone, reader.money, names)
    found: list[OrderChange] = []
    for _, group in groupby(told, key=lambda row: row.deed_id):
        found += _of_deed(list(group), changes, tongue)
    return tuple(reversed(found))


def _of_deed(
    rows: Sequence[AuditEntry], changes: dict[int, Change], tongue: Tongue
) -> list[OrderChange]:
    whys = dict.fromkeys(filter(None, map(reason_of, rows)))
    found: dict[object, OrderChange] = {}
    for row, change in fold_rows(rows, changes):
        if change.act == "changed" and not change.fields:
            continue
        named = replace(change, thing=tongue.names.get(row.subject_id, ""))
        one = OrderChange(
            row.at,
            GUEST if row.actor_kind in ("visitor", "account") and not row.actor_name
            else say_who(row),
            row.about_id if row.about == "session_bookings" else "",
            row.subject,
            frozenset(field.name for field in change.fields),
            tuple(said.text for said in say_change(named, tongue)),
            "; ".join(whys),
        )  # fmt: skip
        found.setdefault((one.booking_id, one.said), one)
    return list(found.values())


def _without_doubles(change: Change) -> Change:
    known = _SAID_BY_THE_ROWS.get(change.subject, set())
    return replace(change, fields=tuple(it for it in change.fields if it.name not in known))
