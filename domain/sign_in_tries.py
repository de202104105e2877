"""How often one address may be tried before its owner is asked to use a mailed link."""

import datetime as dt
from collections.abc import Sequence

from domain.errors import RuleBroken

MOST_TRIES = 10
WINDOW = dt.timedelta(minutes=15)


class TooManyTries(RuleBroken):
    """Deliberately the same for known and unknown addresses; `seconds` until the next try."""

    code = "too_many_tries"

    def __init__(self, seconds: int) -> None:
        minutes = -(-seconds // 60)
        wait = "a minute" if minutes == 1 else f"{minutes} minutes"
        super().__init__(
            f"That was a lot of tries for this address. Wait {wait}, "
            "or have a sign-in link mailed to you."
        )
        self.seconds = seconds


def check_tries(failed_at: Sequence[dt.datetime], now: dt.datetime) -> None:
    """Raise TooManyTries when the last `WINDOW` has seen `MOST_TRIES` failures."""
    recent = sorted(moment for moment in failed_at if moment > now - WINDOW)
    if len(recent) >= MOST_TRIES:
        again = recent[-MOST_TRIES] + WINDOW
        raise TooManyTries(max(1, int((again - now).total_seconds() + 0.999)))
