"""What a venue must know before a visit: the questions of a form, and what people answer."""

import datetime as dt
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from domain.errors import RuleBroken
from domain.people import check_name
from domain.words import count

BOOKER = -1
"""The position that stands for questions asked once, of the booker."""

KINDS = {
    "text": "Short text",
    "long_text": "Long text",
    "choice": "One of several",
    "several": "Any of several",
    "tick": "A box to tick",
    "date": "Date",
    "number": "Number",
    "signature": "Typed signature",
}
"""What a question may ask for, with the name that the editor shows."""

ASKED_OF = {"booker": "The booker, once", "each_guest": "Each guest"}
WITH_OPTIONS = ("choice", "several")

MAX_FIELDS = 40
MAX_LABEL = 200
MAX_HELP = 500
MAX_OPTION = 200
FEWEST_OPTIONS, MOST_OPTIONS = 2, 30
MAX_TEXT = {"text": 1_000, "long_text": 20_000}
EARLIEST, LATEST = dt.date(1900, 1, 1), dt.date(2199, 12, 31)

_ID = re.compile(r"[a-z0-9_]{1,40}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,15}(?:[.,]\d{1,6})?", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?\d{1,3},\d{3}", re.ASCII)

Answer = Any
"""As JSON keeps it: text, a list of texts, True, or a signature's name, moment and hand."""


@dataclass(frozen=True, slots=True)
class Field:
    """One question; its id stays the same when its words change."""

    id: str
    label: str
    kind: str = "text"
    help: str = ""
    required: bool = True
    asked_of: str = "booker"
    options: tuple[str, ...] = ()

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> "Field":
        """The field that a form's JSON holds."""
        return cls(**{**kept, "options": tuple(kept.get("options", ()))})

    def as_kept(self) -> dict[str, Any]:
        """What a form's JSON holds of it."""
        return {
            "id": self.id,
            "label": self.label,
            "kind": self.kind,
            "help": self.help,
            "required": self.required,
            "asked_of": self.asked_of,
            "options": list(self.options),
        }


@dataclass(frozen=True, slots=True)
class Read:
    """What was typed, as values; what could not be read, as sentences by field id."""

    values: dict[str, Answer]
    errors: dict[str, str]


def check_form(fields: Sequence[Field]) -> tuple[Field, ...]:
    """The fields tidied, or RuleBroken with the first problem; no fields ask nothing."""
    tidy = tuple(_tidied(field) for field in fields)
    for problem in list_problems(tidy):
        raise problem
    return tidy


def list_problems(fields: Sequence[Field]) -> list[RuleBroken]:
    """Everything that stops these from being a form; `field` is "label-3" for the fourth label."""
    problems = []
    if len(fields) > MAX_FIELDS:
        problems.append(_problem(f"A form has at most {MAX_FIELDS} questions.", "fields"))
    ids = [field.id for field in fields]
    for number, field in enumerate(fields):
        if not _ID.fullmatch(field.id) or field.id in ids[:number]:
            problems.append(_problem("Two questions have the same id.", f"label-{number}"))
        found = (rule(_tidied(field)) for rule in (_label, _help, _kind, _asked_of, _options))
        problems += [_problem(text, f"{name}-{number}") for name, text in found if text]
    return problems


def fresh_id(taken: Iterable[str]) -> str:
    """The next id that no question of this form has had."""
    numbers = [int(it[1:]) for it in taken if re.fullmatch(r"q[0-9]{1,6}", it)]
    return f"q{max(numbers, default=0) + 1}"


def fields_for(fields: Iterable[Field], position: int) -> tuple[Field, ...]:
    """What is asked of the booker (BOOKER), or of the guest at a position."""
    asked_of = "booker" if position == BOOKER else "each_guest"
    return tuple(field for field in fields if field.asked_of == asked_of)


def read_answers(
    fields: Iterable[Field],
    typed: Mapping[str, Sequence[str]],
    *,
    now: dt.datetime,
    by: str = "guest",
    before: Mapping[str, Answer] | None = None,
) -> Read:
    """Typed texts by field id as values; empty ones are left out, wrong ones are errors.

    A signature keeps its moment from `before` while nothing at all has changed; what is signed
    anew is signed `now`, by the hand of `by` ("guest", "booker" or "desk").
    """
    read = Read({}, {})
    fields = tuple(fields)
    for field in fields:
        texts = [text for text in typed.get(field.id, ()) if text.strip()]
        if not texts:
            continue
        try:
            if field.kind != "several" and len(texts) > 1:
                raise RuleBroken("This was answered twice. Answer it once.")
            value = _READERS[field.kind](field, texts)
        except RuleBroken as broken:
            read.errors[field.id] = broken.sentence
        else:
            if value is not None:
                read.values[field.id] = value
    _sign(fields, read.values, before or {}, {"signed_at": now.isoformat(), "by": by})
    return read


def missing(fields: Iterable[Field], answers: Mapping[str, Answer]) -> tuple[Field, ...]:
    """The required questions without an answer that still fits the question."""
    return tuple(f for f in fields if f.required and not _is_answered(f, answers.get(f.id)))


def missing_by_position(
    fields: Sequence[Field],
    positions: Iterable[int],
    answers: Mapping[int, Mapping[str, Answer]],
) -> dict[int, tuple[Field, ...]]:
    """What is missing from the booker and from the guest at each position, if anything is."""
    found = {
        position: missing(fields_for(fields, position), answers.get(position, {}))
        for position in (BOOKER, *positions)
    }
    return {position: lacking for position, lacking in found.items() if lacking}


def intake_form_required(fields: Iterable[Field]) -> bool:
    """Whether a booking with this form must have something filled in before the visit."""
    return any(field.required for field in fields)


def intake_forms_completed(
    fields: Sequence[Field],
    positions: Iterable[int],
    answers: Mapping[int, Mapping[str, Answer]],
) -> bool:
    """Whether nothing that is required is missing or wrong; true as well when nothing is asked."""
    return not missing_by_position(fields, positions, answers)


def same_answer(one: Answer, other: Answer) -> bool:
    """Whether two answers say the same, whenever they were signed."""
    return bool(_without_moment(one) == _without_moment(other))


def _problem(sentence: str, field: str) -> RuleBroken:
    return RuleBroken(sentence, code="form_invalid", field=field)


def _tidied(field: Field) -> Field:
    options = field.options if field.kind in WITH_OPTIONS else ()
    return replace(
        field,
        label=_one_line(field.label),
        help=_one_line(field.help),
        options=tuple(text for text in (_one_line(option) for option in options) if text),
    )


def _one_line(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _label(field: Field) -> tuple[str, str]:
    if not field.label:
        return "label", "Write the question."
    if len(field.label) > MAX_LABEL:
        return "label", f"A question has at most {MAX_LABEL} characters."
    return "label", _markup(field.label)


def _help(field: Field) -> tuple[str, str]:
    if len(field.help) > MAX_HELP:
        return "help", f"The line of help has at most {MAX_HELP} characters."
    return "help", _markup(field.help)


def _kind(field: Field) -> tuple[str, str]:
    return "kind", "" if field.kind in KINDS else "Choose a kind of answer from the list."


def _asked_of(field: Field) -> tuple[str, str]:
    return "asked_of", "" if field.asked_of in ASKED_OF else "Choose who is asked."


def _options(field: Field) -> tuple[str, str]:
    if field.kind not in WITH_OPTIONS:
        return "options", ""
    if not FEWEST_OPTIONS <= len(field.options) <= MOST_OPTIONS:
        return "options", f"Give {FEWEST_OPTIONS} to {MOST_OPTIONS} options, one on each line."
    if len({option.casefold() for option in field.options}) < len(field.options):
        return "options", "Two of the options are the same."
    if any(len(option) > MAX_OPTION for option in field.options):
        return "options", f"An option has at most {MAX_OPTION} characters."
    return "options", _markup("".join(field.options))


def _markup(text: str) -> str:
    if "<" in text or ">" in text:
        return "Leave out the < and > signs."
    return "Leave out the characters that can't be seen." if _has_unseen(text) else ""


def _has_unseen(text: str, allowed: str = "") -> bool:
    return any(unicodedata.category(it) in ("Cc", "Cs") and it not in allowed for it in text)


def _read_text(field: Field, texts: Sequence[str]) -> str:
    text = unicodedata.normalize("NFC", texts[0]).replace("\r\n", "\n").replace("\r", "\n").strip()
    most = MAX_TEXT[field.kind]
    if len(text) > most:
        over = count(len(text) - most, "character")
        raise RuleBroken(f"That is {over} too long. Use at most {most:,}.")
    if _has_unseen(text, "\n\t"):
        raise RuleBroken("Leave out the characters that can't be seen.")
    return text if field.kind == "long_text" else " ".join(text.split())


def _read_choice(field: Field, texts: Sequence[str]) -> str:
    return _read_several(field, texts)[0]


def _read_several(field: Field, texts: Sequence[str]) -> list[str]:
    chosen = {_one_line(text) for text in texts}
    if not chosen <= set(field.options):
        raise RuleBroken("Choose from the list.")
    return [option for option in field.options if option in chosen]


def _read_tick(_field: Field, texts: Sequence[str]) -> bool | None:
    if texts[0] not in ("true", "false"):
        raise RuleBroken("Tick the box, or leave it empty.")
    return True if texts[0] == "true" else None


def _read_date(_field: Field, texts: Sequence[str]) -> str:
    text = texts[0].strip()
    try:
        if not _DATE.fullmatch(text):
            raise ValueError
        day = dt.date.fromisoformat(text)
    except ValueError as error:
        raise RuleBroken("Enter a date as year-month-day, like 1990-06-12.") from error
    if not EARLIEST <= day <= LATEST:
        raise RuleBroken(f"Enter a date between {EARLIEST.year} and {LATEST.year}.")
    return day.isoformat()


def _read_number(_field: Field, texts: Sequence[str]) -> str:
    text = texts[0].strip()
    if not _NUMBER.fullmatch(text) or _THOUSANDS.fullmatch(text):
        raise RuleBroken("Enter a number, like 1000 or 12.5.")
    number = Decimal(text.replace(",", "."))
    written = f"{number:f}"
    written = written.rstrip("0").rstrip(".") if "." in written else written
    return written if number else "0"


def _read_signature(_field: Field, texts: Sequence[str]) -> dict[str, str]:
    return {"name": check_name(texts[0], who="your full name")}


_READERS: dict[str, Callable[[Field, Sequence[str]], Answer]] = {
    "text": _read_text,
    "long_text": _read_text,
    "choice": _read_choice,
    "several": _read_several,
    "tick": _read_tick,
    "date": _read_date,
    "number": _read_number,
    "signature": _read_signature,
}


def _sign(
    fields: Iterable[Field],
    values: dict[str, Answer],
    before: Mapping[str, Answer],
    stamp: Mapping[str, str],
) -> None:
    """What is signed is all of it: a changed answer is signed again, by whoever changed it."""
    is_same = values.keys() == before.keys() and all(
        same_answer(value, before[name]) for name, value in values.items()
    )
    for field in fields:
        if field.kind == "signature" and field.id in values:
            kept = before[field.id] if is_same else stamp
            values[field.id] = {
                "name": values[field.id]["name"],
                "signed_at": kept["signed_at"],
                "by": kept["by"],
            }


def _without_moment(answer: Answer) -> Answer:
    return answer["name"] if isinstance(answer, dict) else answer


def _is_answered(field: Field, answer: Answer) -> bool:
    if not answer:
        return False
    if field.kind == "signature":
        return isinstance(answer, dict) and bool(answer.get("name"))
    if field.kind == "tick":
        return answer is True
    texts = answer if isinstance(answer, list) else [str(answer)]
    try:
        _READERS[field.kind](field, texts)
    except RuleBroken:
        return False
    return True
