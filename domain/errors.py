"""Every refusal that a person can meet, each carrying the sentence that the person reads."""

import datetime as dt
from collections.abc import Sequence


class RuleBroken(Exception):
    """A rule says no: `code` names it, `sentence` explains it, `field` is the input at fault."""

    code = "rule_broken"

    def __init__(self, sentence: str, *, code: str | None = None, field: str | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.field = field
        if code is not None:
            self.code = code


class SeveralBroken(RuleBroken):
    """Several rules say no at once: `problems` are all of them, the first one speaks."""

    def __init__(self, problems: Sequence[RuleBroken]) -> None:
        first = problems[0]
        code = first.code if first.code != RuleBroken.code else "wrong_fields"
        super().__init__(first.sentence, code=code, field=first.field)
        self.problems = tuple(problems)


def raise_all(problems: Sequence[RuleBroken]) -> None:
    """Nothing for no problem; the only one as it is, several as SeveralBroken."""
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise SeveralBroken(problems)


NO_REFUSALS = (
    "hold_expired",
    "hold_ceiling",
    "basket_changed",
    "key_reused",
    "guests_chosen",
    "other_address",
)
"""What a booking form can also be told: about its clock, its key and the people it names."""

NO_CHANGES = (
    "started",
    "disallowed",
    "paid",
    "too_late",
    "checked_in",
    "not_confirmed",
    "cancelled",
    "venue_cancelled",
    "guests_leaving",
    "min_guests",
    "same_session",
    "price_changed",
    "changed_meanwhile",
    "no_waiting_list",
    "can_cancel",
    "release_size",
    "release_taken",
    "marked_no_show",
    "guests_coming",
    "guest_twice",
    "released",
)
"""What someone who changes a booking can be told beside the checks of the new session."""


class NotFound(RuleBroken):
    """Missing, or another organisation's: the two are never told apart (R1, D1)."""

    code = "not_found"

    def __init__(self, sentence: str = "We couldn't find that page.") -> None:
        super().__init__(sentence)


class NotBookable(RuleBroken):
    """The first failed check of `can_book`, with its code: one of `eligibility.CHECKS` (R20).

    `changes_at` is the moment at which time alone changes the answer, where there is one.
    """

    def __init__(
        self,
        sentence: str,
        *,
        code: str,
        field: str | None = None,
        changes_at: dt.datetime | None = None,
    ) -> None:
        super().__init__(sentence, code=code, field=field)
        self.changes_at = changes_at


class HoldExpired(RuleBroken):
    """The places went back on sale before the booking was confirmed (H3)."""

    code = "hold_expired"

    def __init__(self) -> None:
        super().__init__("Your hold ran out, so the places went back on sale.")


class BasketChanged(RuleBroken):
    """What is about to be confirmed is not what the page showed (P6, P9)."""

    code = "basket_changed"

    def __init__(self) -> None:
        super().__init__(
            "Your basket has changed since this page was opened. Look it over and confirm again."
        )


class OtherAddress(RuleBroken):
    """A private link for one person, and somebody else's address; names neither (D2)."""

    code = "other_address"

    def __init__(self) -> None:
        super().__init__(
            "Use the address that the private link was sent to, or sign in with it.",
            field="email",
        )


class HoldCeilingReached(RuleBroken):
    """A hold can't be renewed for ever (H3)."""

    code = "hold_ceiling"

    def __init__(self) -> None:
        super().__init__(
            "These places have been held as long as we can. Please finish booking now."
        )


class WrongState(RuleBroken):
    """The booking is not in a state in which this can be done (R28)."""

    code = "wrong_state"


class NotChangeable(WrongState):
    """The booking can't be changed like this, with a code of NO_CHANGES (M5, M7)."""

    def __init__(self, sentence: str, *, code: str, field: str | None = None) -> None:
        super().__init__(sentence, code=code, field=field)


class ChangedSince(NotChangeable):
    """What was shown is no longer so: nothing was changed, and the page shows what is true now."""


class KeyReused(RuleBroken):
    """One key came with two different forms (H6)."""

    code = "key_reused"

    def __init__(self) -> None:
        super().__init__(
            "This form was already sent with other answers. Reload the page and try again."
        )


class FormClosed(RuleBroken):
    """A cancelled booking, or one whose session has ended, takes no more answers."""

    code = "form_closed"


class FormChanged(RuleBroken):
    """Somebody else saved the form since this page was opened (D4)."""

    code = "form_changed"


class WordingChanged(RuleBroken):
    """Somebody else saved the words of this letter since the page was opened (D4)."""

    code = "wording_changed"

    def __init__(self) -> None:
        super().__init__("Somebody else saved this letter while you were writing.")


class AnswersChanged(RuleBroken):
    """Somebody else saved answers of this person since the page was opened (D4)."""

    code = "answers_changed"


class ImpactChanged(RuleBroken):
    """What a disruptive change would touch is no longer what the page showed (S3, D4)."""

    code = "impact_changed"

    def __init__(
        self, sentence: str = "This has changed since the page was opened. Look again, then decide."
    ) -> None:
        super().__init__(sentence)


class SignInFailed(RuleBroken):
    """Deliberately the same for an unknown address and a wrong password."""

    code = "sign_in_failed"

    def __init__(self) -> None:
        super().__init__("That email and password don't belong together. Try again.")


class NotAllowed(RuleBroken):
    """Signed in, inside one's own organisation, but without the right."""

    code = "not_allowed"

    def __init__(
        self,
        sentence: str = "Your account isn't allowed to open this page. Ask your venue's owner.",
    ) -> None:
        super().__init__(sentence)
