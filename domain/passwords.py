"""What a password must be: long, and not the first thing that a stranger would try."""

import unicodedata

from domain.errors import RuleBroken
from domain.people import email_key

MIN_PASSWORD = 10
MAX_PASSWORD = 200

_VERY_COMMON = frozenset(
    """
    1234567890 12345678910 0123456789 9876543210 0987654321 1111111111 0000000000 1212121212
    1q2w3e4r5t 1qaz2wsx3edc qwertyuiop qwertzuiop azertyuiop asdfghjkl1 qwerty1234 qwerty12345
    qwerty123456 password12 password123 password1234 password12345 password123456 passwordpassword
    passw0rd123 p@ssw0rd123 iloveyou12 iloveyou123 letmein123 letmeinplease welcome123 welcome1234
    admin12345 administrator changeme123 football123 baseball123 sunshine123 princess123
    superman123 dragon12345 monkey12345 abc1234567 abcd123456 abcdefghij abcdefgh12 1234567891
    123456789a a123456789 q1w2e3r4t5 zaq12wsxcde trustno1trustno1 mypassword mypassword1
    mypassword123 secret1234 secretpassword correcthorsebatterystaple sundial123 sundialsundial
    """.split()
)


def check_password(text: str, *, email: str, name: str, field: str = "password") -> str:
    """`text` composed (NFC), or RuleBroken with what to do about it.

    Length is counted in characters; kinds of characters are not asked for.
    """
    password = unicodedata.normalize("NFC", text)
    if len(password) < MIN_PASSWORD:
        raise RuleBroken(
            f"Use at least {MIN_PASSWORD} characters. A few words in a row work well.",
            code="password_short",
            field=field,
        )
    if len(password) > MAX_PASSWORD:
        raise RuleBroken(
            f"Use at most {MAX_PASSWORD} characters.", code="password_long", field=field
        )
    plain = _plain(password)
    if plain in _own_words(email, name):
        raise RuleBroken(
            "Your name or address is the first thing others would try. Choose something else.",
            code="password_own",
            field=field,
        )
    if plain in _VERY_COMMON or len(set(plain)) < 3:
        raise RuleBroken(
            "That password is one that many people use. Choose something else.",
            code="password_common",
            field=field,
        )
    return password


def _plain(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def _own_words(email: str, name: str) -> set[str]:
    key = email_key(email)
    return {key, key.partition("@")[0], _plain(name)} - {""}
