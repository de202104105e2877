"""What the pages for filling in a form share: reading what was typed, and drawing it again."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from flask import request

from blueprints.clock import utcnow
from domain.errors import AnswersChanged, FormClosed
from domain.intake import BOOKER, Answer, Field
from domain.words import count, say_day, say_time
from services.intake_answers import Part, save_answers

HANDS = {"guest": "", "booker": ", typed by the booker", "desk": ", typed at the desk"}
OPEN = {
    "tick": "Tick this box.",
    "signature": "Type your full name to sign.",
    "choice": "Choose an answer.",
    "several": "Choose at least one.",
    "date": "Enter a date.",
    "number": "Enter a number.",
}


@dataclass(frozen=True, slots=True)
class Question:
    """One question with what stands in it now."""

    field: Field
    id: str
    texts: tuple[str, ...] = ()
    error: str = ""
    signed: str = ""
    meanwhile: str = ""
    """What somebody else has saved here since the page was opened."""

    @property
    def text(self) -> str:
        """What a field with one line holds."""
        return self.texts[0] if self.texts else ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One person's part of the form, ready to be drawn."""

    part: Part
    prefix: str
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Filled:
    """What came of sending parts of a form: 303 to go on, or the status of the page again."""

    status: int = 200
    errors: Mapping[str, str] | None = None
    refusal: str = ""
    said: str = ""

    @property
    def typed(self) -> bool:
        """Whether the page shows what was sent instead of what is kept."""
        return self.status in (400, 409, 422)


OLD = Filled(400, {}, "This page was old. Look it over and press Save again.")
"""The page again after a token that was no longer good: nothing typed is lost."""


def prefix_of(position: int) -> str:
    """The beginning of the names of a person's fields."""
    return "b" if position == BOOKER else f"g{position}"


def fill_in(organisation_id: str, booking_id: str, parts: Mapping[str, Part], *, by: str) -> Filled:
    """Save what this request sent for these parts, by the beginning of their fields' names."""
    typed = {part.position: _typed(prefix, part) for prefix, part in parts.items()}
    seen = {part.position: request.form.get(f"{prefix}-seen", "") for prefix, part in parts.items()}
    try:
        saved = save_answers(organisation_id, booking_id, typed, seen=seen, by=by, now=utcnow())
    except (FormClosed, AnswersChanged) as refusal:
        return Filled(409, {}, refusal.sentence)
    errors: dict[str, str] = {}
    for prefix, part in parts.items():
        errors |= _errors(prefix, part, typed[part.position], saved.errors.get(part.position, {}))
    wrong = any(saved.errors.values())
    if wrong or (saved.missing and "later" not in request.form):
        return Filled(422, errors)
    left = f"Saved. {count(saved.missing, 'answer')} still to come." if saved.missing else ""
    return Filled(303, {}, said=left or "Saved. Nothing is missing.")


def sheet_of(part: Part, prefix: str, filled: Filled, zone: ZoneInfo) -> Sheet:
    """A person's part with what is kept, or with what this request has sent for it."""
    is_sent = filled.typed and f"{prefix}-seen" in request.form
    typed = _typed(prefix, part) if is_sent else {}
    errors = filled.errors or {}
    questions = []
    for field in part.fields:
        name, answer = f"{prefix}-{field.id}", part.answers.get(field.id)
        texts = tuple(typed[field.id]) if is_sent else texts_of(answer)
        is_other = filled.status == 409 and is_sent and texts != texts_of(answer)
        questions.append(
            Question(
                field,
                name,
                texts,
                error=errors.get(name, "") if is_sent else "",
                signed=say_answer(field, answer, zone) if field.kind == "signature" else "",
                meanwhile=say_answer(field, answer, zone) if is_other else "",
            )
        )
    return Sheet(part, prefix, tuple(questions))


def labelled(errors: Mapping[str, str] | None, sheets: Sequence[Sheet]) -> dict[str, str]:
    """The sentences for the summary, each with its question, in the order of the page."""
    return {
        one.id: f"{one.field.label}{'' if one.field.label[-1:] in '?!.:' else ':'} {errors[one.id]}"
        for sheet in sheets
        for one in sheet.questions
        if errors and one.id in errors
    }


def texts_of(answer: Answer) -> tuple[str, ...]:
    """A kept answer as a form's field would send it."""
    if isinstance(answer, dict):
        return (answer["name"],)
    if isinstance(answer, list):
        return tuple(answer)
    if answer is True:
        return ("true",)
    return (str(answer),) if answer else ()


def say_answer(field: Field, answer: Answer, zone: ZoneInfo) -> str:
    """An answer as it is read; empty when there is none."""
    if not answer:
        return ""
    if field.kind == "signature":
        local = dt.datetime.fromisoformat(answer["signed_at"]).astimezone(zone)
        moment = f"{say_day(local.date())} {local.year} at {say_time(local)}"
        return f"{answer['name']}, signed {moment}{HANDS.get(answer['by'], '')}"
    if field.kind == "date":
        day = dt.date.fromisoformat(answer)
        return f"{say_day(day)} {day.year}"
    if field.kind == "tick":
        return "Yes"
    return ", ".join(answer) if isinstance(answer, list) else str(answer)


def _typed(prefix: str, part: Part) -> dict[str, list[str]]:
    return {field.id: request.form.getlist(f"{prefix}-{field.id}") for field in part.fields}


def _errors(
    prefix: str, part: Part, typed: Mapping[str, Sequence[str]], wrong: Mapping[str, str]
) -> dict[str, str]:
    found = {}
    for field in part.fields:
        is_empty = not any(text.strip() for text in typed[field.id])
        if field.id in wrong:
            found[f"{prefix}-{field.id}"] = wrong[field.id]
        elif field.required and (is_empty or typed[field.id] == ["false"]):
            found[f"{prefix}-{field.id}"] = OPEN.get(field.kind, "Answer this.")
    return found
