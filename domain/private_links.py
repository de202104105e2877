"""Private links: what they are for, when they end, and what their page says then (D2)."""

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from domain.errors import RuleBroken

MAX_USES = 1000
"""The most bookings that one link may be limited to."""

LinkState = Literal["live", "revoked", "expired", "used_up"]

SENTENCES = {
    "wrong": "This private link doesn't lead anywhere. Check that all of it was copied.",
    "revoked": "The venue has withdrawn this private link.",
    "expired": "This private link was good until a set time, which has passed.",
    "used_up": "Every booking that this private link was good for has been made.",
}
"""What is said to whoever comes by a dead link: never what it was for (D2)."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What ends a link, and what it has been used for; `uses` counts bookings and holds."""

    expires_at: dt.datetime | None = None
    max_uses: int | None = None
    uses: int = 0
    revoked_at: dt.datetime | None = None


def link_state(terms: Terms, now: dt.datetime) -> LinkState:
    """Whether the link opens; it is good until, but not at, the moment it ends."""
    if terms.revoked_at is not None:
        return "revoked"
    if has_ended(terms, now):
        return "expired"
    if terms.max_uses is not None and terms.uses >= terms.max_uses:
        return "used_up"
    return "live"


def has_ended(terms: Terms, now: dt.datetime) -> bool:
    """Revoked, or past its end: it will never open again, whatever becomes of its bookings."""
    return terms.revoked_at is not None or (
        terms.expires_at is not None and now >= terms.expires_at
    )


def uses_left(terms: Terms) -> int | None:
    """How many more bookings it opens, None without a limit."""
    return None if terms.max_uses is None else max(0, terms.max_uses - terms.uses)


def check_expiry(expires_at: dt.datetime | None, now: dt.datetime) -> None:
    """Raise RuleBroken when a new link would be dead from the start."""
    if expires_at is not None and expires_at <= now:
        raise RuleBroken("Choose an end that is still to come.", code="past", field="expires_at")


def check_max_uses(number: int | None) -> None:
    """Raise RuleBroken for a limit that makes no sense."""
    if number is not None and not 1 <= number <= MAX_USES:
        raise RuleBroken(
            f"Enter 1 to {MAX_USES} bookings, or leave it empty.", code="uses", field="max_uses"
        )


def check_places_kept(number: int, *, has_session: bool) -> None:
    """Places are kept in one session: raise RuleBroken for a number without one, or below 0."""
    if number < 0:
        raise RuleBroken("Enter 0 or more places.", code="places", field="places_kept")
    if number and not has_session:
        raise RuleBroken(
            "Places are kept in one session. Choose its day and time.",
            code="session_missing",
            field="day",
        )
