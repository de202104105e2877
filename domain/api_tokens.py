"""What a token for programs looks like, how long it works, and how often its use is noted."""

import datetime as dt
import hashlib
import re
import secrets

from domain.errors import RuleBroken

PREFIX = "sundial_"
"""Programs that look for secrets in public places know our tokens by it."""

NOTED_EVERY = dt.timedelta(minutes=1)
"""The last use is kept to the minute: a program that asks often does not write often."""

LASTS = {"30": 30, "90": 90, "365": 365, "": None}
"""What the form offers: days, or no end."""

_SHAPE = re.compile(r"sundial_[A-Za-z0-9_-]{43}")


def new_token() -> str:
    """A token nobody can guess: 256 random bits behind the prefix."""
    return PREFIX + secrets.token_urlsafe(32)


def hash_of(plain: str) -> str:
    """What is kept of a token.

    One round of SHA-256 is enough here: argon2 makes guessing slow where people choose words,
    and nobody guesses 256 random bits. It also is the same each time, so that a token is found
    by an index, and costs no request a tenth of a second.
    """
    return hashlib.sha256(plain.encode()).hexdigest()


def is_token(text: str) -> bool:
    """Whether it has a token's shape; everything else needs no look at the database."""
    return _SHAPE.fullmatch(text) is not None


def read_lasting(choice: str, now: dt.datetime) -> dt.datetime | None:
    """When a token ends that lasts as chosen, None for no end; raises RuleBroken."""
    if choice not in LASTS:
        raise RuleBroken("Choose how long it works.", code="lasting", field="lasts")
    days = LASTS[choice]
    return None if days is None else now + dt.timedelta(days=days)
