"""Why staff did something out of the ordinary: asked for, and kept with it."""

from domain.errors import RuleBroken

MAX_REASON = 500


def check_reason(text: str) -> str:
    """A reason of 1 to MAX_REASON characters, trimmed; raises RuleBroken."""
    reason = " ".join(text.split())
    if not reason:
        raise RuleBroken(
            "Say why, so that others understand it later.", code="reason_missing", field="reason"
        )
    if len(reason) > MAX_REASON:
        raise RuleBroken(
            f"Use at most {MAX_REASON} characters.", code="reason_too_long", field="reason"
        )
    return reason
