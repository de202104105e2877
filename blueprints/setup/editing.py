"""Editors: what was typed, what is kept, and what somebody else saved meanwhile (D4)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import request
from werkzeug.datastructures import MultiDict
from wtforms import Field, StringField

from blueprints.forms import Form, obeys
from domain.editing import EditedMeanwhile, mark_of_values
from domain.errors import KeyReused, RuleBroken


class ChosenField(Field):
    """Every ticked value; the empty one that the page always sends says "none"."""

    def process_formdata(self, valuelist: list[str]) -> None:
        self.data = [text for text in valuelist if text]


class EditorForm(Form):
    """What every editor sends beside its own fields."""

    seen = StringField()
    key = StringField()
    # Which of its fields are lists of ticks.
    chosen: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Editing:
    """An editor as its page shows it: `theirs` is what is saved now where that differs."""

    form: EditorForm
    seen: str
    theirs: Mapping[str, str] = field(default_factory=dict)
    status: int = 200

    def refused(self, broken: RuleBroken) -> "Editing":
        """The same page with the refusal; what was typed is kept."""
        if isinstance(broken, EditedMeanwhile):
            self.form.form_errors.append(broken.sentence)
            theirs = {one.field: typed(one.theirs) for one in broken.differences}
            return Editing(self.form, broken.mark, theirs, 409)
        self.form.refuse(broken)
        return Editing(self.form, self.seen, status=409 if isinstance(broken, KeyReused) else 422)


def form_of(
    rules: Mapping[str, Callable[[str], object]], *, chosen: Sequence[str] = ()
) -> type[EditorForm]:
    """A form with a text for each rule, which it obeys, and ticks for `chosen`."""
    fields: dict[str, Any] = {
        name: StringField(validators=[obeys(rule)]) for name, rule in rules.items()
    }
    fields |= {name: ChosenField() for name in chosen}
    return type("TypedForm", (EditorForm,), {**fields, "chosen": tuple(chosen)})


def shown(form_class: type[EditorForm], kept: Mapping[str, Any]) -> Editing:
    """The editor as it opens."""
    return Editing(form_class(_texts(form_class, kept, MultiDict())), mark_of_values(kept))


def sent(form_class: type[EditorForm], kept: Mapping[str, Any]) -> Editing:
    """The editor as it was sent; what was not sent stays as it is (D4)."""
    form = form_class(_texts(form_class, kept, request.form))
    is_right = form.validate()
    return Editing(form, form.seen.data or "", status=200 if is_right else 422)


def typed(value: Any) -> str:
    """A value as it stands in its field: lists a line each, pairs with a bar."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return "\n".join(" | ".join(one) if isinstance(one, list) else str(one) for one in value)
    return "" if value is None else str(value)


def _texts(
    form_class: type[EditorForm], kept: Mapping[str, Any], given: MultiDict[str, str]
) -> MultiDict[str, str]:
    texts: MultiDict[str, str] = MultiDict()
    for name in ("seen", "key"):
        texts.add(name, given.get(name, ""))
    for name, value in kept.items():
        if name in given:
            texts.setlist(name, _last_first(given.getlist(name)))
        else:
            texts.setlist(name, list(value) if name in form_class.chosen else [typed(value)])
    return texts


def _last_first(values: list[str]) -> list[str]:
    # A tick box follows its own "no": a text field reads the first, so the tick stands first.
    return values[::-1]
