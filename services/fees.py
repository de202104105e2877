"""Fees for coming late or not at all, in the ledger: charged once, taken back by name (M1).

Nothing here locks or commits: the caller holds the order, then the booking (ADR 9). What stands
is kept beside the booking as `fee`, so that rosters and reports need not add up the ledger; the
database refuses a second charge of one number, and a second taking back of one charge.
"""

import datetime as dt
from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from domain.fees import (
    TOLD_AFTER,
    Charged,
    Coming,
    FeeRules,
    fee_of,
    is_late,
    may_waive,
    settle,
)
from domain.visits import Visit
from domain.words import say_time, say_weekday_short
from models import LedgerEntry, SessionBooking, db, new_object_id
from services.ledger import let_comps_lapse
from services.letters import post


def rules_of(booking: SessionBooking) -> FeeRules:
    """What was agreed for this booking (M8)."""
    return FeeRules.of(booking.order_item.policy)


def find_standing_fees(organisation_id: str, booking_ids: Collection[str]) -> dict[str, Charged]:
    """The fee that stands on each of these bookings, from the ledger; one statement."""
    if not booking_ids:
        return {}
    back = aliased(LedgerEntry)
    rows = db.session.scalars(
        sa.select(LedgerEntry).where(
            LedgerEntry.organisation_id == organisation_id,
            LedgerEntry.booking_id.in_(booking_ids),
            LedgerEntry.fee_number.is_not(None),
            ~sa.select(back.id)
            .where(back.organisation_id == organisation_id, back.reverses_id == LedgerEntry.id)
            .exists(),
        )
    )
    return {
        row.booking_id or "": Charged(row.id, row.fee or "", row.amount, row.created_at)
        for row in rows
    }


def find_late_fee(booking: SessionBooking, *, now: dt.datetime) -> int:
    """What checking in now would charge for being late, in minor units; 0 for nothing."""
    rules = rules_of(booking)
    return rules.late * booking.places if is_late(rules, _coming(booking), now) else 0


def settle_fee(
    booking: SessionBooking, before: Visit, after: Visit, *, by_id: str | None, now: dt.datetime
) -> None:
    """Charge or take back what a changed visit makes of the agreed rules.

    The booking's session and line are loaded.
    """
    rules = rules_of(booking)
    if not rules.charges and not booking.fee:
        return
    coming = _coming(booking)
    standing = _standing(booking)
    settling = settle(
        fee_of(rules, coming, before, now),
        fee_of(rules, coming, after, now),
        standing,
        may_waive=standing is not None and may_waive(rules, standing.at, now),
    )
    if settling.takes_back and standing is not None:
        take_back(booking, standing, "Undone at the desk", by_id=by_id, now=now)
    if settling.charge is not None:
        _charge(booking, settling.charge.kind, settling.charge.amount, by_id, now)
    elif settling.takes_back and standing is not None:
        tell_waived(booking, standing, now=now)


def take_back(
    booking: SessionBooking, fee: Charged, why: str, *, by_id: str | None = None, now: dt.datetime
) -> None:
    """Take a standing fee back by an adjustment that names it; what was waived of it lapses."""
    entry = _entry(booking, "adjustment", -fee.amount, fee.kind, why, by_id, now)
    entry.reverses_id = fee.entry_id
    db.session.add(entry)
    booking.fee = 0
    db.session.flush()
    let_comps_lapse(booking.organisation_id, [booking.order_id], now=now)
    db.session.expire(booking.order, ["ledger"])


def tell_waived(booking: SessionBooking, fee: Charged, *, now: dt.datetime) -> None:
    """Mail that a fee is no more, to whoever was told of it (E1)."""
    if now >= fee.at + TOLD_AFTER:
        _tell("fee_waived", booking, fee.entry_id, now=now, run_at=now)


def take_back_all(bookings: Sequence[SessionBooking], why: str, *, now: dt.datetime) -> None:
    """Bookings that end cost nothing any more: their fees go too (M6)."""
    charged = {booking.id: booking for booking in bookings if booking.fee}
    if not charged:
        return
    organisation_id = next(iter(charged.values())).organisation_id
    for booking_id, fee in find_standing_fees(organisation_id, charged).items():
        take_back(charged[booking_id], fee, why, now=now)


def _standing(booking: SessionBooking) -> Charged | None:
    if not booking.fee:
        return None
    return find_standing_fees(booking.organisation_id, [booking.id]).get(booking.id)


def _coming(booking: SessionBooking) -> Coming:
    return Coming(
        start=booking.session.start_time,
        booked_at=booking.created_at,
        places=booking.places,
        given_up=booking.released_places,
        is_walk_in=booking.is_walk_in,
    )


def _charge(
    booking: SessionBooking, kind: str, amount: int, by_id: str | None, now: dt.datetime
) -> None:
    start = booking.session.local_start
    about = f"{say_weekday_short(start.date())}, {say_time(start)}"
    entry = _entry(
        booking, "charge", amount, kind, f"{booking.session_type_name[:120]}, {about}", by_id, now
    )
    entry.fee_number = 1 + (
        db.session.scalar(
            sa.select(sa.func.count(LedgerEntry.id)).where(
                LedgerEntry.organisation_id == booking.organisation_id,
                LedgerEntry.booking_id == booking.id,
                LedgerEntry.fee_number.is_not(None),
            )
        )
        or 0
    )
    db.session.add(entry)
    booking.fee = amount
    db.session.flush()
    db.session.expire(booking.order, ["ledger"])
    _tell("fee_charged", booking, entry.id, now=now, run_at=now + TOLD_AFTER)


def _tell(
    letter: str, booking: SessionBooking, entry_id: str, *, now: dt.datetime, run_at: dt.datetime
) -> None:
    """One letter of a kind for each charge; none where the order has no address."""
    if not booking.order.email:
        return
    post(
        letter,
        {"booking": booking.id, "fee": entry_id},
        dedupe_key=entry_id,
        now=now,
        organisation_id=booking.organisation_id,
        site_id=booking.site_id,
        run_at=run_at,
    )


def _entry(
    booking: SessionBooking,
    kind: str,
    amount: int,
    fee: str,
    note: str,
    by_id: str | None,
    now: dt.datetime,
) -> LedgerEntry:
    return LedgerEntry(
        id=new_object_id(),
        organisation_id=booking.organisation_id,
        order_id=booking.order_id,
        kind=kind,
        amount=amount,
        currency=booking.order.currency,
        note=note,
        taken_by_id=by_id,
        fee=fee,
        booking_id=booking.id,
        created_at=now,
    )
