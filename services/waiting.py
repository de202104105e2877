"""The waiting list: joining, offers, answers, and who is woken when a place comes free (W1-W5)."""

import datetime as dt
from collections.abc import Iterable


def wake(organisation_id: str, session_ids: Iterable[str], *, now: dt.datetime) -> int:
    """Offer what has come free on these locked sessions to who waits; the number of offers (H10).

    In the caller's transaction, which has locked the sessions, and before `raise_revision`.
    """
    del organisation_id, session_ids, now
    return 0
