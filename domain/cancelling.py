"""Whether a customer may still cancel, and until when, by the policy agreed at booking (M5, M8)."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from domain.durations import Interval
from domain.local_time import to_local, to_utc
from domain.words import say_moment


@dataclass(frozen=True, slots=True)
class Cancelling:
    """The answer: `until` is the last instant at which it is allowed, None where there is none."""

    is_allowed: bool
    code: str
    sentence: str
    until: dt.datetime | None = None


def can_cancel(
    policy: Mapping[str, Any],
    *,
    local_start: dt.datetime,
    zone: ZoneInfo,
    is_paid: bool,
    now: dt.datetime,
) -> Cancelling:
    """Allowed while now ≤ start less the duration, and never once the session has started (M5).

    `policy` is that of the order's line, `local_start` the wall time at `zone`; days step the
    site's calendar (T3). `is_paid`: a payment was ever recorded on the order.
    """
    start = to_utc(local_start, zone)
    permitted = policy.get("customer_cancellation_permitted", "allowed")
    if now >= start:
        return Cancelling(False, "started", "It has started, so it can no longer be cancelled.")
    if permitted == "disallowed":
        return Cancelling(False, "disallowed", "This one can't be cancelled.")
    if permitted == "unpaid" and is_paid:
        return Cancelling(False, "paid", "It is paid for, so it can't be cancelled any more.")
    duration = policy.get("customer_cancellation_min_duration")
    until = Interval.parse(duration).before(local_start, zone) if duration else start
    said = say_moment(to_local(until, zone))
    if now > until:
        return Cancelling(False, "too_late", f"Free cancellation ended on {said}.", until)
    return Cancelling(True, "allowed", f"Free to cancel until {said}", until)
