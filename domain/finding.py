"""Finding a booking by whatever is at hand: how what is kept and what is typed are compared."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from domain.people import email_key

MOST_TYPED = 200
"""Characters that are looked at; nobody types more to find somebody."""
MOST_WORDS = 6
LEAST_LETTERS = 2
"""A single letter begins half of all names: a search waits for the second."""
LEAST_REFERENCE = 5
LEAST_DIGITS = 4
NATIONAL_DIGITS = 7
"""From so many digits on, one number may be the end of the other: +354 611 2345 and 611 2345."""
MOST_DIGITS = 15
LONGEST_WORD = 60
MOST_KEPT = 24

_CODE = re.compile(r"(?:^|[^0-9a-z])([0-9a-f]{20})$")
_ROW_ID = re.compile(r"[0-9a-f]{24}")
_PHONE = re.compile(r"[0-9+() ./-]+")
# Letters that stay themselves when marks are taken off, and how people without them write them.
_PLAIN = str.maketrans(
    {"ø": "o", "ð": "d", "đ": "d", "þ": "th", "æ": "ae", "œ": "oe", "ł": "l", "\u0131": "i"}
)
# A reference's own signs are none of these, so that each is a misreading.
_MISREAD = str.maketrans({"o": "0", "i": "1", "l": "1", "u": "v"})

REFERENCE, PHONE = "=", "#"
"""What the kept words that are no names begin with; no name has either sign."""


@dataclass(frozen=True, slots=True)
class Range:
    """Kept words that begin with `start`, or that are one of `exact`."""

    start: str = ""
    exact: tuple[str, ...] = ()

    @property
    def end(self) -> str:
        """The first text after all that begin with `start`, letter by letter."""
        return self.start + "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Typed:
    """What the box holds, read in every way that it can be meant.

    `ways` are alternatives; each asks for a kept word in all of its ranges.
    """

    text: str
    code: str = ""
    row_id: str = ""
    reference: str = ""
    ways: tuple[tuple[Range, ...], ...] = ()

    @property
    def is_empty(self) -> bool:
        """Nothing to look for: nothing typed, or too little."""
        return not (self.code or self.row_id or self.ways)


def fold(text: str) -> str:
    """Letters without case and marks, everything else as blanks: Þórsdóttir is thorsdottir."""
    bare = unicodedata.normalize("NFKD", text.casefold()).casefold().translate(_PLAIN)
    return " ".join(
        "".join(
            letter if unicodedata.category(letter)[0] in "LN" else " "
            for letter in bare
            if unicodedata.category(letter)[0] != "M" and letter not in "'\u2019\u02bc"
        ).split()
    )


def kept_words(
    *, names: Iterable[str] = (), email: str = "", phone: str = "", reference: str = ""
) -> tuple[str, ...]:
    """The words by which a row is found; each once, in order of first use."""
    words = [word for name in names for word in fold(name).split()]
    if email:
        words.append(email_key(email))
    if digits := phone_key(phone):
        words.append(PHONE + digits)
    if reference:
        words += [REFERENCE + reference_key(reference)]
        words += [REFERENCE + reference_key(part) for part in reference.split()[1:]]
    return tuple(dict.fromkeys(word[:LONGEST_WORD] for word in words))[:MOST_KEPT]


def phone_key(text: str) -> str:
    """A number's digits from the last one on, without zeros in front; "" for too few."""
    digits = _digits(text).lstrip("0")
    return digits[::-1][:MOST_DIGITS] if len(digits) >= LEAST_DIGITS else ""


def reference_key(text: str) -> str:
    """A reference without blanks and dashes, with letters that look alike made one."""
    bare = "".join(letter for letter in text.lower() if letter.isascii() and letter.isalnum())
    return bare.translate(_MISREAD)


def read_code(text: str) -> str:
    """The check-in code in what was scanned, an address of ours or the code alone; else "".

    A scanner that takes our keyboard for another one garbles the signs of an address, not these.
    """
    found = _CODE.search(text.strip().lower().rstrip("/"))
    return found.group(1) if found else ""


def read_typed(text: str) -> Typed:
    """Everything that the text can mean; too little, or nothing that is kept, is empty."""
    seen = (" " if unicodedata.category(letter) in ("Cc", "Cs") else letter for letter in text)
    text = " ".join(unicodedata.normalize("NFC", "".join(seen)[:MOST_TYPED]).split())
    if code := read_code(text):
        return Typed(text, code=code)
    if _ROW_ID.fullmatch(text.lower()):
        return Typed(text, row_id=text.lower())
    reference = reference_key(text)
    ways = [_read_names(text), *_read_phone(text)]
    if LEAST_REFERENCE <= len(reference) <= 24:
        ways.append((Range(REFERENCE + reference),))
    return Typed(text, reference=reference, ways=tuple(way for way in ways if way))


def is_meant(typed: Typed, order_ref: str) -> bool:
    """Whether the text names this very order: by ticket, id, or its whole reference."""
    if typed.code or typed.row_id:
        return True
    _, _, own = order_ref.partition(" ")
    return bool(typed.reference) and typed.reference in map(reference_key, (order_ref, own))


def is_last_name(typed: str, names: Sequence[str]) -> bool:
    """Whether it is the last name, or the whole name, of one of these people.

    Some go by the first of two last names, so that any run of words after the first one counts.
    """
    wanted = fold(typed).split()
    if not wanted:
        return False
    for name in names:
        words = fold(name).split()
        last = words[1:] or words
        runs = (last[at : at + len(wanted)] for at in range(len(last)))
        if wanted == words or wanted in runs:
            return True
    return False


def _read_names(text: str) -> tuple[Range, ...]:
    """Every word begins a name or an address, in any order."""
    parts = []
    for word in text.split()[:MOST_WORDS]:
        if "@" in word:
            parts.append(email_key(word))
        else:
            parts += fold(word).split()
    longest = max((len(part) for part in parts), default=0)
    if longest < LEAST_LETTERS:
        return ()
    # The most telling word first: the others are only asked about what it finds.
    parts.sort(key=len, reverse=True)
    return tuple(Range(part[:LONGEST_WORD]) for part in dict.fromkeys(parts[:MOST_WORDS]))


def _read_phone(text: str) -> list[tuple[Range, ...]]:
    """A whole number, or the last digits of one, which may begin with a zero."""
    if not _PHONE.fullmatch(text):
        return []
    ways: list[tuple[Range, ...]] = []
    if digits := phone_key(text):
        shorter = range(NATIONAL_DIGITS, len(digits))
        ways.append((Range(PHONE + digits, tuple(PHONE + digits[:length] for length in shorter)),))
    last = _digits(text)
    if last.startswith("0") and LEAST_DIGITS <= len(last) <= NATIONAL_DIGITS:
        ways.append((Range(PHONE + last[::-1]),))
    return ways


def _digits(text: str) -> str:
    return "".join(letter for letter in text.replace("(0)", "") if letter in "0123456789")
