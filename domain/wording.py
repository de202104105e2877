"""What letters say in a venue's own words: our words, the places in them, and what is refused."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from domain.errors import RuleBroken

PLACES = {
    "name": "who the letter goes to",
    "session": "the session's name",
    "date": "the day, like Friday 12 June",
    "time": "the start, like 18:00",
    "venue": "your venue's name",
    "reference": "the booking reference",
}
"""What a text may name in braces; everything else is refused."""

MOST = {"subject": 120, "opening": 2000, "closing": 1000}
"""Characters of each text."""

_BRACED = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Wording:
    """Subject, opening and closing of one kind of letter; an empty text stands for ours."""

    subject: str = ""
    opening: str = ""
    closing: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """A letter whose words a venue may change: its title, when it goes, and our own words."""

    title: str
    sent: str
    ours: Wording
    button: str = "See my booking"
    fact: str = ""
    """What we add to it ourselves, as the preview shows it."""
    writes_subject: bool = False
    """Whether the letter has a better subject than ours here, such as one with its deadline."""


KINDS = {
    "booking_confirmed": Kind(
        "Confirmation",
        "When a booking is made",
        Wording("You're booked: {session}, {date}", "It's booked. We look forward to seeing you."),
    ),
    "booking_changed": Kind(
        "Booking changed",
        "When a booking was changed, by the guest or by you",
        Wording("Your booking has changed: {session}, {date}", "This is how it stands now."),
    ),
    "booking_cancelled": Kind(
        "Booking cancelled",
        "When a booking was cancelled, by the guest or by you",
        Wording("Cancelled: {session}, {date}", "This booking has been cancelled."),
        fact="There is nothing to pay for it.",
        button="See the order",
    ),
    "booking_reminder": Kind(
        "Reminder",
        "Some hours before the start, as your settings say",
        Wording(
            "See you {date} at {time}: {session}",
            "A short reminder that you're coming soon.",
        ),
        fact="If your plans have changed, please tell us so that somebody else can come.",
    ),
    "guest_form": Kind(
        "Form for a guest",
        "When a booking asks something of each guest",
        Wording(
            "Before you come: {session}, {date}",
            "We'd like a few answers before this visit.",
        ),
        fact="The link opens this guest's questions only.",
        button="Fill in the form",
    ),
    "fee_charged": Kind(
        "Fee charged",
        "Half an hour after a fee for coming late or not at all was charged, if it still stands",
        Wording("A fee was charged: {session}, {date}"),
        fact="We charged a no-show fee of £30.00, as agreed when you booked.",
        button="See the order",
        writes_subject=True,
    ),
    "fee_waived": Kind(
        "Fee waived",
        "When a fee that the guest was told of is taken back",
        Wording("The fee was waived: {session}, {date}"),
        fact="The no-show fee of £30.00 was taken off your order.",
        button="See the order",
        writes_subject=True,
    ),
    "waiting_joined": Kind(
        "On the waitlist",
        "When somebody joins the waitlist",
        Wording("You're on the waitlist: {session}, {date}"),
        button="See my place",
        writes_subject=True,
    ),
    "waiting_offer": Kind(
        "Offer from the waitlist",
        "When places have come free for somebody who waits",
        Wording("A place for you: {session}, {date}"),
        button="See the offer",
        writes_subject=True,
    ),
    "waiting_missed": Kind(
        "Offer ran out",
        "When an offer was not taken in time",
        Wording("The offer has ended: {session}, {date}"),
        button="See the waitlist",
        writes_subject=True,
    ),
    "waiting_closed": Kind(
        "Waitlist closed",
        "When the waitlist of a session is closed",
        Wording("The waitlist has closed: {session}, {date}"),
        button="See other times",
        writes_subject=True,
    ),
}
"""Every kind that a venue may word; waiting letters bring their own opening unless it is given."""


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with its places filled in once: a value is never read as a place itself."""
    return _BRACED.sub(lambda found: values.get(found[1].strip(), ""), text)


def places_in(text: str) -> set[str]:
    """The names that the text has in braces."""
    return {found.strip() for found in _BRACED.findall(text)}


def tidy(text: str, *, is_line: bool = False) -> str:
    """The text as it is kept: without control characters, trimmed, blank lines one at a time."""
    if is_line:
        return " ".join(_without_controls(text, keep="").split())
    lines = [" ".join(line.split()) for line in _without_controls(text, keep="\n").split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def paragraphs(text: str) -> tuple[str, ...]:
    """A text's paragraphs: blank lines part them, and single breaks stay as they are."""
    return tuple(part for part in re.split(r"\n\s*\n", text) if part.strip())


def list_wording_problems(wording: Wording) -> list[RuleBroken]:
    """Everything that is wrong with these texts, each naming its field."""
    found = []
    for field, most in MOST.items():
        text = getattr(wording, field)
        sentence = _problem(text, most)
        if sentence:
            found.append(RuleBroken(sentence, code="wording", field=field))
    return found


def _problem(text: str, most: int) -> str:
    if len(text) > most:
        return f"Use at most {most:,} characters; there are {len(text):,}."
    strange = sorted(places_in(text) - PLACES.keys())
    known = ", ".join(f"{{{name}}}" for name in PLACES)
    if strange:
        return f"There is no {{{strange[0][:40]}}}. You can use {known}."
    if re.search(r"[{}]", _BRACED.sub("", text)):
        return f"A brace stands alone. Braces go around a name only: {known}."
    return ""


def _without_controls(text: str, keep: str) -> str:
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(
        letter if letter in keep or (ord(letter) >= 32 and ord(letter) != 127) else " "
        for letter in plain
    )
