"""What a program that works through the API can be told, beside the refusals of the pages."""

from domain.errors import NotAllowed, RuleBroken, SeveralBroken


class Unauthenticated(RuleBroken):
    """No token, or one that is not valid any more."""

    code = "unauthenticated"

    def __init__(self) -> None:
        super().__init__("Send a token that works: Authorization: Bearer sundial_…")


class Forbidden(NotAllowed):
    """A token of this organisation, without the right that this needs at the site."""

    code = "forbidden"

    def __init__(self, right: str = "") -> None:
        needs = f"the right {right}" if right else "a right"
        super().__init__(f"This token doesn't have {needs} at this site.")


class Unreadable(RuleBroken):
    """The body is no JSON, or a value in the address can't be read."""

    code = "unreadable"


class Stale(RuleBroken):
    """The thing is no longer as the caller's `If-Match` says; nothing was changed."""

    code = "stale"

    def __init__(self) -> None:
        super().__init__("This has changed since you fetched it. Fetch it again, then decide.")


class Erased(RuleBroken):
    """A key comes again whose answer told of a person who has been erased since (H6)."""

    code = "erased"

    def __init__(self) -> None:
        super().__init__(
            "This was done once, about a person who has been erased since. It is not done again, "
            "and what was answered then is gone."
        )


class TooMany(RuleBroken):
    """More requests than this token may send in so short a time."""

    code = "too_many_requests"

    def __init__(self, seconds: int) -> None:
        super().__init__("That was a lot of requests in a short time. Wait, then go on.")
        self.seconds = seconds


class WrongBody(SeveralBroken):
    """Some fields are not of the kind that the document says; all are named at once."""
