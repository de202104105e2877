"""An order's ledger: what may be taken, given back or waived, and where refunds go (M1, M4)."""

import datetime as dt
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from domain.changing import Books
from domain.errors import RuleBroken
from domain.money import exponent

METHODS = {
    "cash": "Cash",
    "card": "Card machine",
    "transfer": "Bank transfer",
    "voucher": "Voucher",
    "other": "Other",
}
"""How money is taken at the desk: the key stands in the ledger, the words on pages."""

COMP = "comp"
"""The method of an adjustment that waives something of what is due, and of its way back."""

MAX_NOTE = 200
MAX_SUM = 10**12
"""Minor units above which a sum is a slip of the hand."""


class LedgerChanged(RuleBroken):
    """Somebody else wrote into the order's ledger since the page was opened (D4)."""

    code = "ledger_changed"

    def __init__(self) -> None:
        super().__init__(
            "Somebody else has just changed what is paid or due here, so nothing was done. "
            "This is how it stands now."
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger; `amount` in minor units, payments and waivers below 0 (M1)."""

    id: str
    kind: str
    amount: int
    at: dt.datetime
    method: str = ""
    note: str = ""
    by_id: str | None = None
    refund_of: str | None = None
    fee: str = ""
    """Which fee it charges or takes back (domain/fees.py); empty for anything else."""

    @property
    def is_comp(self) -> bool:
        """Whether it waives something, or brings back what was waived."""
        return self.kind == "adjustment" and self.method == COMP


@dataclass(frozen=True, slots=True)
class Balanced:
    """An entry with the order's balance after it."""

    entry: Entry
    balance: int


@dataclass(frozen=True, slots=True)
class Share:
    """So much of a refund goes back to one payment, the way that it came."""

    payment: Entry
    amount: int


@dataclass(frozen=True, slots=True)
class Taking:
    """What a payment puts into the till, and what is handed back of the cash."""

    taken: int
    change: int


def in_order(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """The entries as they were written."""
    return tuple(sorted(entries, key=lambda entry: (entry.at, entry.id)))


def books_of(entries: Iterable[Entry]) -> Books:
    """The ledger in sums."""
    return Books.of((entry.kind, entry.amount) for entry in entries)


def with_balances(entries: Iterable[Entry]) -> tuple[Balanced, ...]:
    """Each entry with the balance after it; the last is the order's (M1)."""
    balance, found = 0, []
    for entry in in_order(entries):
        balance += entry.amount
        found.append(Balanced(entry, balance))
    return tuple(found)


def charged(entries: Iterable[Entry]) -> int:
    """What the order's live lines cost: charges, less what was taken back."""
    return sum(
        entry.amount
        for entry in entries
        if entry.kind in ("charge", "adjustment") and not entry.is_comp
    )


def comped(entries: Iterable[Entry]) -> int:
    """What is waived, never below 0."""
    return -sum(entry.amount for entry in entries if entry.is_comp)


def owed_back(entries: Iterable[Entry]) -> int:
    """What the venue owes: paid above what is charged, never more than was captured (M4, M6)."""
    books = books_of(entries)
    return min(max(0, -books.balance), books.refundable)


def lapsing_comps(charged: int, comped: int) -> int:
    """What of a waiver goes as nothing is left that it waives: a waiver is never paid out."""
    return max(0, comped - max(0, charged))


def mark_of_ledger(entries: Iterable[Entry]) -> str:
    """What a page showed, short: it differs once anything is written (D4)."""
    said = ",".join(f"{entry.id}:{entry.amount}" for entry in in_order(entries))
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def left_of_payments(entries: Sequence[Entry]) -> tuple[Share, ...]:
    """What can still go back of each payment, the newest first, without those used up (M4).

    A refund that names no payment counts against the newest ones.
    """
    payments = [entry for entry in reversed(in_order(entries)) if entry.kind == "payment"]
    left = {payment.id: -payment.amount for payment in payments}
    loose = 0
    for entry in entries:
        if entry.kind != "refund":
            continue
        if entry.refund_of in left:
            left[entry.refund_of] -= entry.amount
        else:
            loose += entry.amount
    for payment in payments:
        part = min(loose, max(0, left[payment.id]))
        left[payment.id] -= part
        loose -= part
    return tuple(Share(payment, left[payment.id]) for payment in payments if left[payment.id] > 0)


def plan_refund(entries: Sequence[Entry], amount: int) -> tuple[Share, ...]:
    """Where a refund goes: back to where it came from, the newest payment first (M4).

    Raises RuleBroken for nothing, and for more than was captured and not refunded.
    """
    most = books_of(entries).refundable
    if not most:
        raise RuleBroken(
            "There is nothing to give back: nothing was paid, or it all went back already.",
            code="nothing_to_refund",
            field="amount",
        )
    if amount < 1:
        raise RuleBroken("Enter a sum above 0.", code="refund_sum", field="amount")
    if amount > most:
        raise RuleBroken(
            "That is more than was paid and not given back yet.", code="refund_sum", field="amount"
        )
    shares, rest = [], amount
    for share in left_of_payments(entries):
        part = min(rest, share.amount)
        if part:
            shares.append(Share(share.payment, part))
        rest -= part
    return tuple(shares)


def check_payment(due: int, amount: int, method: str, note: str, currency: str) -> Taking:
    """What is taken of a sum that a guest hands over; raises RuleBroken, by field.

    More than is due is refused, but in cash: then the rest is change.
    """
    _check_means(method, note)
    if due <= 0:
        raise RuleBroken("Nothing is due on this order.", code="nothing_due", field="amount")
    _check_sum(amount)
    if amount <= due:
        return Taking(amount, 0)
    if method == "cash":
        return Taking(due, amount - due)
    raise RuleBroken(
        f"Only {plain_amount(due, currency)} {currency} is due. Take that, or a part of it.",
        code="overpaid",
        field="amount",
    )


def check_note(note: str) -> str:
    """A note as it is kept, trimmed; raises RuleBroken above MAX_NOTE characters."""
    text = " ".join(note.split())
    if len(text) > MAX_NOTE:
        raise RuleBroken(
            f"Use at most {MAX_NOTE} characters; there are {len(text)}.",
            code="note_too_long",
            field="note",
        )
    return text


def check_comp(due: int, amount: int, currency: str) -> None:
    """Waiving never goes beyond what is due; raises RuleBroken."""
    if due <= 0:
        raise RuleBroken("Nothing is due on this order.", code="nothing_due", field="amount")
    _check_sum(amount)
    if amount > due:
        raise RuleBroken(
            f"Only {plain_amount(due, currency)} {currency} is due, so no more can be waived.",
            code="comp_sum",
            field="amount",
        )


def plain_amount(minor: int, currency: str) -> str:
    """48.00 or 1500: a sum as it stands in a field, by the currency's decimals (P8)."""
    decimals = exponent(currency)
    if not decimals:
        return str(minor)
    whole, part = divmod(abs(minor), 10**decimals)
    return f"{'-' if minor < 0 else ''}{whole}.{part:0{decimals}d}"


def _check_sum(amount: int) -> None:
    if amount < 1:
        raise RuleBroken("Enter a sum above 0.", code="sum", field="amount")
    if amount >= MAX_SUM:
        raise RuleBroken("That is more than anything costs here.", code="sum", field="amount")


def _check_means(method: str, note: str) -> None:
    if method not in METHODS:
        raise RuleBroken("Choose how it was paid.", code="method", field="method")
    if method == "other" and not note:
        raise RuleBroken("Say how it was paid.", code="note_missing", field="note")
