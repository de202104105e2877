"""Codes of an authenticator app, recovery codes, passkeys, and how long a proof lasts."""

import datetime as dt
import re

from domain.errors import RuleBroken
from domain.people import check_name
from domain.sign_in_tries import TooManyTries

STEP = 30
"""Seconds for which an authenticator app shows one code."""

DRIFT = 1
"""Steps that a device's clock may be early or late."""

RECOVERY_CODES = 10
FEW_LEFT = 2
"""So many recovery codes left, and their owner is told to make new ones."""

MOST_PASSKEYS = 20
NAME_LENGTH = 60

SECOND_STEP_LASTS = dt.timedelta(minutes=10)
"""From the right password to the right code."""

CHALLENGE_LASTS = dt.timedelta(minutes=5)
"""For a device to ask its owner and answer."""

KEPT_FOR = dt.timedelta(days=366)
"""A browser that was told to stay signed in is forgotten after so long without use."""

UNUSED_FOR = dt.timedelta(days=30)
"""Any other browser, and one that has signed out."""

LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Of recovery codes: none that look alike. Sixteen of them are 79 bits, so a plain hash does."""

_RECOVERY = re.compile(r"[a-z0-9]{16}")


NO_CODE = (
    "That code isn't right. The app shows six digits; a recovery code has 16 letters and digits."
)
WRONG_DIGITS = (
    "That code isn't right. Type the one that the app shows now. "
    "If none works, set your phone's clock to the network's time."
)
WRONG_SPARE = "That code isn't right, or was used already: each recovery code works once."


class CodeWrong(RuleBroken):
    """Neither a code of these moments nor a recovery code that is left."""

    code = "code_wrong"

    def __init__(self, sentence: str = NO_CODE) -> None:
        super().__init__(sentence, field="code")


class CodeUsed(RuleBroken):
    """The right code, but it or a later one was taken before."""

    code = "code_used"

    def __init__(self) -> None:
        super().__init__(
            "That code was used already. Wait until the app shows the next one.", field="code"
        )


class KeyLost(RuleBroken):
    """The installation's own key was changed, so nobody can read the app's key any more."""

    code = "key_lost"

    def __init__(self) -> None:
        super().__init__(
            "We can't check codes of your app any more, because this shop's key was changed. "
            "Use a recovery code or a passkey, then set the app up again.",
            field="code",
        )


class TooManyCodes(TooManyTries):
    """As with passwords, and just as many."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.sentence = self.sentence.replace(
            "for this address", "with codes that weren't right"
        ).replace(", or have a sign-in link mailed to you", ", or use a passkey")
        self.args = (self.sentence,)
        self.field = "code"


class PasskeyRefused(RuleBroken):
    """Whatever was wrong with a device's answer: its owner can only try again."""

    code = "passkey_refused"

    def __init__(
        self, sentence: str = "That passkey didn't work. Try again, or sign in another way."
    ) -> None:
        super().__init__(sentence)


def step_of(now: dt.datetime) -> int:
    """The number of the 30 seconds that `now` is in (RFC 6238)."""
    return int(now.timestamp()) // STEP


def steps_near(now: dt.datetime) -> range:
    """The steps whose codes are taken now."""
    step = step_of(now)
    return range(step - DRIFT, step + DRIFT + 1)


def app_code(typed: str) -> str:
    """The six digits that were typed, in whatever groups; empty when it is no such code."""
    plain = re.sub(r"[\s-]", "", typed)
    return plain if re.fullmatch(r"[0-9]{6}", plain) else ""


def recovery_code(typed: str) -> str:
    """The recovery code that was typed, without its dashes; empty when it is none."""
    plain = re.sub(r"[\s-]", "", typed).lower()
    return plain if _RECOVERY.fullmatch(plain) else ""


def in_groups(key: str, between: str = " ") -> str:
    """A key as somebody types it off: in groups of four."""
    return between.join(key[at : at + 4] for at in range(0, len(key), 4))


def check_passkey_name(text: str) -> str:
    """What its owner calls a passkey; raises RuleBroken."""
    name = check_name(text, who="what the device is called")
    if len(name) > NAME_LENGTH:
        raise RuleBroken(f"Use at most {NAME_LENGTH} characters.", field="name")
    return name


def is_fresh(proved_at: dt.datetime | None, now: dt.datetime, lasts: dt.timedelta) -> bool:
    """Whether a proof still counts; one from the future doesn't."""
    return proved_at is not None and proved_at <= now < proved_at + lasts
