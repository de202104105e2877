"""What may stand in one field of a venue's settings; each rule tidies, or says what is wrong."""

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from domain.errors import RuleBroken, SeveralBroken
from domain.people import check_email, check_name

MAX_LINE = 200
MAX_TEXT = 2000
MAX_LINES = 20

HOLD_MINUTES = (1, 45)
OFFER_MINUTES = (5, 2880)
FEW_LEFT = (0, 100)
ROOM_CAP = (1, 1000)
TURNAROUND = (0, 480)
COLOURS = (1, 6)

RESERVED_SLUGS = frozenset(
    (
        "account api bookings feeds forms healthz kiosk mail media metrics readyz"
        " robots.txt sitemap.xml staff static waiting invitations"
    ).split()
)
"""First parts of our own addresses, and of those below /staff, which no venue can have."""

WHOLE_NUMBER = re.compile(r"\d{1,6}", re.ASCII)
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_PHONE = re.compile(r"[0-9+() ./-]{3,40}")
_CODE = re.compile(r"[A-Z0-9]{2,12}")


def check_fields(
    rules: Mapping[str, Callable[[Any], Any]], values: Mapping[str, Any]
) -> dict[str, Any]:
    """The values that have a rule, each as it tidies it; raises all that is wrong at once."""
    refuse(find_problems(rules, values))
    return {name: rule(values[name]) for name, rule in rules.items() if name in values}


def refuse(problems: Sequence[RuleBroken]) -> None:
    """Raise all of these at once; nothing where there are none."""
    if problems:
        raise problems[0] if len(problems) == 1 else SeveralBroken(problems)


def find_problems(
    rules: Mapping[str, Callable[[Any], Any]], values: Mapping[str, Any]
) -> list[RuleBroken]:
    """What the rules say against these values, in the order of the rules."""
    found = []
    for name, rule in rules.items():
        try:
            if name in values:
                rule(values[name])
        except RuleBroken as broken:
            found.append(broken)
    return found


def check_line(text: str, *, field: str, most: int = MAX_LINE) -> str:
    """One tidy line, perhaps empty, without markup or what can't be seen (D5)."""
    line = " ".join(unicodedata.normalize("NFC", text or "").split())
    return _plain(line, field, most)


def check_text(text: str, *, field: str, most: int = MAX_TEXT) -> str:
    """Several lines, perhaps none, without markup or what can't be seen (D5)."""
    lines = unicodedata.normalize("NFC", text or "").replace("\r\n", "\n").split("\n")
    tidy = "\n".join(" ".join(line.split()) for line in lines).strip()
    for line in tidy.split("\n"):
        _plain(line, field, most)
    return _plain(tidy.replace("\n", " "), field, most) and tidy


def check_lines(text: str, *, field: str, most: int = MAX_LINES) -> list[str]:
    """A list of one entry a line; empty lines fall away."""
    lines = [check_line(line, field=field) for line in (text or "").splitlines()]
    lines = [line for line in lines if line]
    if len(lines) > most:
        raise RuleBroken(f"Use at most {most} lines.", code="too_many_lines", field=field)
    return lines


def check_facts(text: str, *, field: str = "facts") -> list[list[str]]:
    """Pairs of a value and its word, one a line with a bar between: "38° | water"."""
    pairs = []
    for line in check_lines(text, field=field, most=4):
        value, bar, label = (part.strip() for part in line.partition("|"))
        if not (value and bar and label):
            raise RuleBroken(
                "Put a bar between the value and its word, like “38° | warm water”.",
                code="facts",
                field=field,
            )
        pairs.append([value, label])
    return pairs


def check_whole(text: str, *, field: str, least: int, most: int, what: str = "") -> int:
    """A whole number within its bounds, or RuleBroken that names them."""
    said = (text or "").strip()
    if WHOLE_NUMBER.fullmatch(said) and least <= int(said) <= most:
        return int(said)
    of = f" of {what}" if what else ""
    raise RuleBroken(
        f"Enter a whole number{of} from {least} to {most}.", code="number", field=field
    )


def check_zone(text: str, *, field: str = "zone") -> str:
    """A time zone that is known here, or RuleBroken (T1)."""
    if text in zones():
        return text
    raise RuleBroken("Choose a time zone from the list.", code="zone", field=field)


@cache
def zones() -> frozenset[str]:
    """Names of places, and UTC; old abbreviations are left out."""
    named = {name for name in available_timezones() if "/" in name}
    return frozenset(
        {name for name in named if not name.startswith(("Etc/", "SystemV/", "US/"))} | {"UTC"}
    )


def check_choice(text: str, choices: Collection[str], *, field: str, what: str) -> str:
    """One of the choices, or RuleBroken."""
    if text in choices:
        return text
    raise RuleBroken(f"Choose {what} from the list.", code="choice", field=field)


def check_slug(text: str, *, reserved: Collection[str] = (), field: str = "slug") -> str:
    """The part of an address that names a thing: small letters, digits and hyphens."""
    slug = (text or "").strip().lower()
    if not _SLUG.fullmatch(slug) or len(slug) > 60:
        raise RuleBroken(
            "Use small letters, digits and single hyphens, like north-light.",
            code="slug",
            field=field,
        )
    if slug in reserved:
        raise RuleBroken(
            "That address is one of our own pages. Choose another.", code="slug", field=field
        )
    return slug


def slug_of(name: str) -> str:
    """An address made of a name: "Stillwater Reykjavík" becomes stillwater-reykjavik."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].strip("-")


def check_code(text: str, *, field: str = "code") -> str:
    """The short code of an organisation, in capitals."""
    code = (text or "").strip().upper()
    if _CODE.fullmatch(code):
        return code
    raise RuleBroken("Use 2 to 12 letters and digits, like STILL.", code="code", field=field)


def check_phone(text: str, *, field: str = "phone") -> str:
    """A telephone number as people write it, perhaps none."""
    number = check_line(text, field=field)
    if not number or (_PHONE.fullmatch(number) and any(sign.isdigit() for sign in number)):
        return number
    raise RuleBroken("Enter a number like +44 1225 000000.", code="phone", field=field)


def check_address(text: str, *, field: str = "email") -> str:
    """An e-mail address, perhaps none."""
    return check_email(text, field=field) if (text or "").strip() else ""


def check_title(text: str, *, field: str = "name", who: str = "a name") -> str:
    """The name of a venue, a room, a person or a category (D5)."""
    return check_name(text, field=field, who=who)


def _plain(line: str, field: str, most: int) -> str:
    if len(line) > most:
        raise RuleBroken(f"Use at most {most} characters.", code="too_long", field=field)
    if "<" in line or ">" in line:
        raise RuleBroken("Leave out the < and > signs.", code="markup", field=field)
    if line:
        # The same letters that no name may have; its sentence says which.
        _check_seen(line, field)
    return line


def _check_seen(line: str, field: str) -> None:
    if any(
        unicodedata.category(letter) in ("Cc", "Cs") or unicodedata.bidirectional(letter) in _TURNS
        for letter in line
    ):
        raise RuleBroken("Leave out the characters that can't be seen.", code="unseen", field=field)


_TURNS = ("LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI")
