"""A tap made without a connection and sent later: when it counts, and when somebody must look.

A page shows each booking with a mark of how it stood. A tap takes the mark along, and is done by
itself only where the booking still stands so, or already stands as the tap wants it.
"""

import datetime as dt
import hashlib
from dataclasses import dataclass
from enum import Enum

from domain.errors import RuleBroken
from domain.visits import Visit

LATEST = dt.timedelta(hours=6)
"""An older tap is not done by itself, and no tap is counted as made longer ago than this."""

STANDS = {
    "due": "Not arrived",
    "arrived": "Arrived",
    "in": "In session",
    "out": "Checked out",
    "noshow": "No-show",
}


@dataclass(frozen=True, slots=True)
class Sent:
    """How a tap came. One pressed on a page with a connection has no `seen`, and is just done."""

    key: str = ""
    """The same tap sent twice has the same key (H6); empty without script."""
    seen: str = ""
    """The booking's mark when it was tapped."""
    ago: dt.timedelta = dt.timedelta()
    """How long before it was sent: right even where the browser's clock isn't."""
    is_confirmed: bool = False
    """Somebody saw how old it is and wants it done."""


PRESSED = Sent()
"""A tap that came at once."""


class Verdict(Enum):
    """What is to be done with a tap."""

    APPLY = "apply"
    ALREADY = "already"
    CHANGED = "changed"
    TOO_OLD = "too_old"


class TapConflict(RuleBroken):
    """A tap that somebody has to decide about: nothing was done (409)."""

    code = "tap_conflict"

    def __init__(
        self, verdict: Verdict, *, stands: str, mark: str, changed_at: dt.datetime
    ) -> None:
        sentences = {
            Verdict.CHANGED: "This booking was changed after you saw it.",
            Verdict.TOO_OLD: "This tap is hours old.",
        }
        super().__init__(sentences[verdict])
        self.stands = stands
        self.mark = mark
        self.changed_at = changed_at


def judge(before: Visit, after: Visit, sent: Sent, *, mark: str) -> Verdict:
    """What to do with a tap that makes `before` into `after`, while the booking has this mark.

    A booking that stands as wanted needs nothing, whoever did it. One that was touched since in any
    other way is never overruled: also where it looks as before, somebody may have done and undone.
    """
    if before == after:
        return Verdict.ALREADY
    if not sent.seen:
        return Verdict.APPLY
    if sent.seen != mark:
        return Verdict.CHANGED
    return Verdict.TOO_OLD if sent.ago > LATEST and not sent.is_confirmed else Verdict.APPLY


def moment_of(sent: Sent, *, now: dt.datetime) -> dt.datetime:
    """When the tap counts as made: never in the future, never longer ago than LATEST.

    One without `seen` was pressed on a page with a connection: it counts from now.
    """
    if not sent.seen:
        return now
    return now - min(max(sent.ago, dt.timedelta()), LATEST)


def mark_of(
    visit: Visit, *, session_id: str, places: int, sequence: int, updated_at: dt.datetime
) -> str:
    """A short text that differs when the booking stands differently, or was touched in between."""
    facts = (
        *(visit.stage, visit.checked_in_at, visit.is_no_show, visit.is_cancelled, visit.status),
        *(session_id, places, sequence, updated_at.astimezone(dt.UTC).isoformat()),
    )
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:20]


def state_of(stage: str, *, is_no_show: bool) -> str:
    """due, arrived, in, out or noshow: how the desk sees a visit."""
    if is_no_show:
        return "noshow"
    return {
        "not_arrived": "due",
        "arrived": "arrived",
        "in_treatment": "in",
        "checked_out": "out",
    }[stage]
