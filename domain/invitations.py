"""Inviting somebody to the staff: how long the link works, and when it says no."""

import datetime as dt
from dataclasses import dataclass

from domain.account_links import LinkGone

LIFETIME = dt.timedelta(days=7)
"""From the last letter: somebody may be away for a few days."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What decides whether an invitation still opens anything; `letter` counts its letters."""

    letter: int
    expires_at: dt.datetime
    accepted_at: dt.datetime | None = None
    withdrawn_at: dt.datetime | None = None

    def state(self, now: dt.datetime) -> str:
        """accepted, withdrawn, expired or open."""
        if self.accepted_at is not None:
            return "accepted"
        if self.withdrawn_at is not None:
            return "withdrawn"
        return "open" if now < self.expires_at else "expired"


SENTENCES = {
    "accepted": "This invitation was accepted already. Each one works once.",
    "withdrawn": "This invitation was withdrawn. Ask whoever invited you for another one.",
    "expired": "This invitation is too old to use. Ask whoever invited you to send it again.",
}


def check_open(standing: Standing, *, letter: int, now: dt.datetime) -> None:
    """An invitation works until its last instant, once, by its latest letter; raises LinkGone."""
    state = standing.state(now)
    if state != "open":
        raise LinkGone(SENTENCES[state], code=f"invitation_{state}")
    if letter != standing.letter:
        raise LinkGone(
            "This invitation was sent again. Use the link in the newest letter.",
            code="invitation_replaced",
        )


class InvitationVoid(LinkGone):
    """Whoever invited may no longer give what the invitation says."""

    code = "invitation_void"

    def __init__(self) -> None:
        super().__init__(
            "This invitation no longer holds: whoever sent it may not give these rights any more. "
            "Ask the venue for another one."
        )
