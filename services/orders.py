"""Money at the desk: taking payments, giving back what was taken, waiving, mailing again (M1-M6).

Each deed locks its order first (ADR 9), reads the ledger under that lock, and only adds to it. So
two colleagues at once come one after the other, and the second one meets what the first has
written: `seen`, the mark of the ledger that its page showed, no longer holds. The same form sent
twice has one answer (`once`, H6). A refund above what was paid is refused by the database too.
"""

import datetime as dt
import hashlib
from dataclasses import dataclass

import sqlalchemy as sa

from domain.errors import NotFound, RuleBroken
from domain.ledger import (
    COMP,
    Entry,
    LedgerChanged,
    Share,
    Taking,
    books_of,
    check_comp,
    check_note,
    check_payment,
    mark_of_ledger,
    plan_refund,
)
from domain.reasons import check_reason
from models import LedgerEntry, Order, SessionBooking, db, new_object_id
from services.checkout import SOLD
from services.idempotency import once
from services.ledger import find_entries
from services.letters import post

RESENDABLE = ("booking_confirmed", "booking_cancelled")
"""Letters that staff may send once more: they say what is true now, whoever reads them when."""


@dataclass(frozen=True, slots=True)
class Till:
    """Whose order it is: one site of one organisation, and the account of who stands there."""

    organisation_id: str
    site_id: str
    by_id: str | None = None


def take_payment(
    till: Till,
    order_id: str,
    *,
    amount: int,
    method: str,
    note: str = "",
    seen: str = "",
    key: str = "",
    now: dt.datetime,
) -> Taking:
    """Note a payment at the desk, in minor units; what was taken, and the change in cash (M1).

    Raises NotFound, RuleBroken by field, LedgerChanged when `seen` is not how it stands now,
    KeyReused.
    """

    def deed() -> str:
        order, entries = _lock(till, order_id, seen)
        kept = check_note(note)
        due = books_of(entries).balance
        taking = check_payment(due, amount, method, kept, order.currency)
        _write(till, order, "payment", -taking.taken, now, method=method, note=kept)
        return f"{taking.taken}:{taking.change}"

    body: dict[str, object] = {
        "payment": order_id, "amount": amount, "method": method, "note": note,
    }  # fmt: skip
    taken, change = once(till.organisation_id, key, body, deed, now).split(":")
    return Taking(int(taken), int(change))


def refund(
    till: Till,
    order_id: str,
    *,
    amount: int,
    reason: str,
    seen: str = "",
    key: str = "",
    now: dt.datetime,
) -> int:
    """Give back what was taken, the newest payment first and the way it came; the sum (M4).

    One entry for each payment that something goes back to. Raises NotFound, RuleBroken without a
    reason or above what was captured less what was refunded, LedgerChanged, KeyReused.
    """

    def deed() -> str:
        order, entries = _lock(till, order_id, seen)
        why = check_reason(reason)
        for share in plan_refund(entries, amount):
            _write(
                till, order, "refund", share.amount, now,
                method=share.payment.method, note=why, refund_of=share.payment.id,
            )  # fmt: skip
        return str(amount)

    body: dict[str, object] = {"refund": order_id, "amount": amount, "reason": reason}
    return int(once(till.organisation_id, key, body, deed, now, reason))


def comp(
    till: Till,
    order_id: str,
    *,
    amount: int,
    reason: str,
    seen: str = "",
    key: str = "",
    now: dt.datetime,
) -> int:
    """Waive something of what is due, with a reason; the sum. Never more than is due (M1).

    Raises NotFound, RuleBroken, LedgerChanged, KeyReused.
    """

    def deed() -> str:
        order, entries = _lock(till, order_id, seen)
        why = check_reason(reason)
        check_comp(books_of(entries).balance, amount, order.currency)
        _write(till, order, "adjustment", -amount, now, method=COMP, note=why)
        return str(amount)

    body: dict[str, object] = {"comp": order_id, "amount": amount, "reason": reason}
    return int(once(till.organisation_id, key, body, deed, now, reason))


def resend(till: Till, order_id: str, *, letter: str, key: str, now: dt.datetime) -> str:
    """Post a letter about the order once more; the address it goes to (E1).

    Each form is one mail, with a dedupe key of its own. Raises NotFound, RuleBroken where the
    order has no address or nothing that such a letter could say.
    """

    def deed() -> str:
        order = lock_order_at(till, order_id)
        if not order.email:
            raise RuleBroken("This order has no email address.", code="no_address", field="letter")
        payload = _payload(order, letter)
        if payload is None:
            raise RuleBroken(
                "There is nothing for this mail to say any more.", code="letter", field="letter"
            )
        again = hashlib.sha256((key or now.isoformat()).encode()).hexdigest()[:16]
        post(
            letter,
            payload,
            dedupe_key=f"{order.id}:again:{again}",
            now=now,
            organisation_id=order.organisation_id,
            site_id=order.site_id,
        )
        return order.email

    return once(till.organisation_id, key, {"mail": order_id, "letter": letter}, deed, now)


def plan_refund_of(till: Till, order_id: str, amount: int) -> tuple[Share, ...]:
    """Where so much would go back to, for the page that shows its working (M4)."""
    return plan_refund(find_entries(till.organisation_id, order_id), amount)


def lock_order_at(till: Till, order_id: str) -> Order:
    """The site's order, locked; raises NotFound for any other, and for a basket (D1)."""
    order = db.session.scalar(
        sa.select(Order)
        .where(
            Order.organisation_id == till.organisation_id,
            Order.site_id == till.site_id,
            Order.id == order_id,
            Order.state.in_(SOLD),
        )
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if order is None:
        raise NotFound("We couldn't find that order.")
    return order


def _lock(till: Till, order_id: str, seen: str) -> tuple[Order, tuple[Entry, ...]]:
    order = lock_order_at(till, order_id)
    entries = find_entries(till.organisation_id, order_id)
    if seen and seen != mark_of_ledger(entries):
        raise LedgerChanged
    return order, entries


def _write(
    till: Till,
    order: Order,
    kind: str,
    amount: int,
    now: dt.datetime,
    *,
    method: str,
    note: str,
    refund_of: str | None = None,
) -> None:
    db.session.add(
        LedgerEntry(
            id=new_object_id(),
            organisation_id=till.organisation_id,
            order_id=order.id,
            kind=kind,
            amount=amount,
            currency=order.currency,
            method=method,
            note=note,
            taken_by_id=till.by_id,
            refund_of_id=refund_of,
            created_at=now,
        )
    )
    db.session.flush()


def _payload(order: Order, letter: str) -> dict[str, object] | None:
    """What the letter is about; None when the order has nothing of the kind."""
    of_order = sa.select(SessionBooking).where(
        SessionBooking.organisation_id == order.organisation_id,
        SessionBooking.order_id == order.id,
        SessionBooking.status == "confirmed",
    )
    if letter == "booking_confirmed":
        stands = db.session.scalar(of_order.where(SessionBooking.cancelled_at.is_(None)).limit(1))
        return {"order": order.id} if stands else None
    if letter == "booking_cancelled":
        ended = db.session.scalar(
            of_order.where(SessionBooking.cancelled_at.is_not(None))
            .order_by(SessionBooking.cancelled_at.desc(), SessionBooking.id)
            .limit(1)
        )
        return {"booking": ended.id, "sequence": ended.sequence} if ended else None
    raise RuleBroken("Choose which mail to send.", code="letter", field="letter")
