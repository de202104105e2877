"""How long held places wait for their customer (H3)."""

import datetime as dt

HOLD = dt.timedelta(minutes=15)
CEILING = dt.timedelta(minutes=45)


def first_deadline(now: dt.datetime, hold: dt.timedelta = HOLD) -> dt.datetime:
    """When a hold taken at `now` ends."""
    return now + hold


def renewed_deadline(
    now: dt.datetime, held_since: dt.datetime, hold: dt.timedelta = HOLD
) -> dt.datetime:
    """The deadline after "keep my places", at most CEILING after the first line (H3)."""
    return min(now + hold, held_since + CEILING)


def can_renew(
    now: dt.datetime,
    held_since: dt.datetime,
    expires_at: dt.datetime,
    hold: dt.timedelta = HOLD,
) -> bool:
    """Whether renewing would still give more time."""
    return now < expires_at < renewed_deadline(now, held_since, hold)
