"""Links that prove an address once: how long each kind works, and how many are sent."""

import datetime as dt

from domain.errors import NotFound, RuleBroken

REGISTER, SIGN_IN, RESET, CHANGE_ADDRESS = "register", "sign_in", "reset", "change_address"

LIFETIME = {
    REGISTER: dt.timedelta(hours=24),
    SIGN_IN: dt.timedelta(minutes=20),
    RESET: dt.timedelta(hours=1),
    CHANGE_ADDRESS: dt.timedelta(hours=24),
}
"""From the press that asked for it; opening an account may wait for the evening's mail."""

MAILS_AN_HOUR = 5
"""To one address: strangers can't fill somebody's inbox with our links."""


class LinkGone(RuleBroken):
    """The link was real once: used already, or too old (H7)."""

    code = "link_gone"


class LinkUnknown(NotFound):
    """Tampered with, of another purpose or another account: told apart from nothing."""

    def __init__(
        self, sentence: str = "We don't know this link. Perhaps part of it is missing."
    ) -> None:
        super().__init__(sentence)


def check_link(*, expires_at: dt.datetime, used_at: dt.datetime | None, now: dt.datetime) -> None:
    """A link works until, not at, its last instant, and once; raises LinkGone."""
    if used_at is not None:
        raise LinkGone("This link was used already. Each one works once.", code="link_used")
    if now >= expires_at:
        raise LinkGone("This link is too old to use.", code="link_expired")
