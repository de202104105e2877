"""Names, addresses and when two guests are one person (D5, H9)."""

import re
import unicodedata

from domain.errors import RuleBroken

MAX_NAME = 200
_TAG = re.compile(r"<[^>]*>|[<>]")
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Marks above and below letters, and what takes no room.
_UNREAD = ("Mn", "Cf")
_STROKES = str.maketrans({"ø": "o", "đ": "d", "ł": "l", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe"})
_EMAIL = re.compile(r"[^\s@<>\"(),:;\[\]\\]+@[^\s@<>\"(),:;\[\]\\]+\.[^\s@.<>\"(),:;\[\]\\]{2,}")


def check_name(text: str, *, field: str = "name", who: str = "your name") -> str:
    """A tidy name, or RuleBroken: HTML and control characters are refused (D5)."""
    name = " ".join(unicodedata.normalize("NFC", text or "").split())
    if not name:
        raise RuleBroken(f"Enter {who}.", code="name_missing", field=field)
    if len(name) > MAX_NAME:
        raise RuleBroken(
            f"That name is too long. Use at most {MAX_NAME} characters.",
            code="name_too_long",
            field=field,
        )
    if not any(unicodedata.category(letter)[0] in "LN" for letter in name):
        raise RuleBroken(f"Enter {who}.", code="name_missing", field=field)
    if _TAG.search(name) or any(_is_unseen(letter) for letter in name):
        raise RuleBroken(
            "Leave out the < and > signs."
            if _TAG.search(name)
            else "Leave out the characters that can't be seen.",
            code="name_markup",
            field=field,
        )
    return name


def _is_unseen(letter: str) -> bool:
    """Control characters, and marks that would turn the text around them."""
    return unicodedata.category(letter) in ("Cc", "Cs") or letter in _TURNING


def check_email(text: str, *, field: str = "email") -> str:
    """A plausible address, trimmed, or RuleBroken with what to do about it."""
    address = unicodedata.normalize("NFC", text or "").strip()
    if not address:
        raise RuleBroken("Enter your email address.", code="email_missing", field=field)
    if address.endswith("@") or "@" not in address:
        raise RuleBroken(
            "Add the part after the @, like example.com.", code="email_incomplete", field=field
        )
    if any(_is_unseen(letter) for letter in address):
        raise RuleBroken(
            "Leave out the characters that can't be seen.", code="email_invalid", field=field
        )
    if len(address) > 254 or ".." in address or not _EMAIL.fullmatch(address):
        raise RuleBroken(
            "Enter an email address like name@example.com.", code="email_invalid", field=field
        )
    return address


def email_key(address: str) -> str:
    """What two spellings of one address have in common, and no two mailboxes have.

    Only case and composition are levelled: ß and ss, or ﬁ and fi, are different addresses.
    """
    return unicodedata.normalize("NFC", address).strip().lower()


def guest_key(*, guest_id: str = "", email: str = "", name: str = "") -> str:
    """Who a guest is: id, else e-mail, else name (H9)."""
    if guest_id:
        return f"id:{guest_id}"
    if email.strip():
        return f"email:{email_key(email)}"
    seen = "".join(letter for letter in name if unicodedata.category(letter) != "Cf")
    return f"name:{' '.join(unicodedata.normalize('NFKC', seen).casefold().split())}"


def split_name(name: str) -> tuple[str, str]:
    """First and last name of a name that is kept as one; either may be empty.

    The last word is the last name, with the small words before it: Ada van der Berg is Ada and
    van der Berg. A name of one word has no last name.
    """
    words = name.split()
    cut = max(1, len(words) - 1)
    while cut > 1 and words[cut - 1].islower():
        cut -= 1
    return " ".join(words[:cut]), " ".join(words[cut:])


def join_name(first_name: str, last_name: str) -> str:
    """One name of its two parts, as it is kept."""
    return f"{first_name.strip()} {last_name.strip()}".strip()


def fold_name(text: str) -> str:
    """A name as it is looked for: José, jose and JOSE\u0301 are one; ß is ss, ø is o."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(letter for letter in plain if unicodedata.category(letter) not in _UNREAD)
    return " ".join(letters.translate(_STROKES).split())


def fold_phone(text: str) -> str:
    """The digits of a phone number; signs, (0) and the 00 before a country's number go."""
    plain = unicodedata.normalize("NFKC", text).replace("(0)", "")
    digits = "".join(letter for letter in plain if letter.isdecimal())
    return digits.removeprefix("00")
