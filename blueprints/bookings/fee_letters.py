"""What the mails about fees say: charged by the agreed rules, and taken back."""

from typing import Any

from blueprints.booking_words import balance_of, details_of, say_sum, words_of
from blueprints.links import public_url
from blueprints.mailing import Letter, letter
from domain.fees import TITLES
from models import LedgerEntry, SessionBooking
from services.told import find_told_booking


@letter("fee_charged")
def fee_charged(payload: dict[str, Any]) -> Letter | None:
    return _letter(
        payload,
        "{title}: {amount}",
        ("We charged a {fee} of {amount}, as agreed when you booked.",),
        ("If something kept you that we should know of, please answer this mail.",),
        is_about_standing=True,
    )


@letter("fee_waived")
def fee_waived(payload: dict[str, Any]) -> Letter | None:
    return _letter(
        payload,
        "{title} waived: {amount}",
        ("The {fee} of {amount} was taken off your order.",),
        (),
        is_about_standing=False,
    )


def _letter(
    payload: dict[str, Any],
    subject: str,
    paragraphs: tuple[str, ...],
    small: tuple[str, ...],
    *,
    is_about_standing: bool,
) -> Letter | None:
    """Of use only while the books say the same: the fee stands still, or is gone."""
    booking = find_told_booking(str(payload["booking"]))
    charge = _charge(booking, str(payload["fee"])) if booking else None
    if booking is None or charge is None or not booking.order.email:
        return None
    order = booking.order
    title = TITLES[charge.fee or ""]
    said = {"title": title, "fee": title.lower(), "amount": say_sum(charge.amount, order)}
    return Letter(
        to=order.email,
        name=order.name,
        subject=subject.format(**said),
        paragraphs=(*(text.format(**said) for text in paragraphs), _to_pay(booking)),
        details=(details_of(booking, is_priced=False),),
        action=("See the order", public_url("bookings.booking", secret=order.secret)),
        small=small,
        site=order.site,
        words=words_of(booking),
        is_useful=is_about_standing != _is_taken_back(booking, charge),
    )


def _charge(booking: SessionBooking, entry_id: str) -> LedgerEntry | None:
    entries = (entry for entry in booking.order.ledger if entry.id == entry_id and entry.fee)
    return next(entries, None)


def _is_taken_back(booking: SessionBooking, charge: LedgerEntry) -> bool:
    return any(entry.reverses_id == charge.id for entry in booking.order.ledger)


def _to_pay(booking: SessionBooking) -> str:
    order, balance = booking.order, balance_of(booking.order)
    if balance > 0:
        return f"To pay at {order.site.full_name}: {say_sum(balance, order)}."
    return "There is nothing left to pay."
