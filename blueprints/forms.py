"""What all forms share. CSRF is checked for every POST at the door, not form by form."""

from collections.abc import Callable

from flask_wtf import FlaskForm
from wtforms import Field, IntegerField, ValidationError

from domain.errors import RuleBroken
from domain.session_edits import CANCEL, KEEP, Choice


class Form(FlaskForm):
    """A form whose refusals are sentences, by field and above it."""

    class Meta:
        csrf = False

    def refuse(self, broken: RuleBroken) -> None:
        """Put a broken rule on the field it names, else above the form."""
        name = (broken.field or "").replace("-", "_")
        if name in self._fields:
            self._fields[name].errors = [*self._fields[name].errors, broken.sentence]
        else:
            self.form_errors.append(broken.sentence)

    @property
    def first_error(self) -> str:
        """The first sentence of all, for places that have room for one."""
        return next((text for errors in self.errors.values() for text in errors), "")


def obeys(rule: Callable[[str], object]) -> Callable[[Form, Field], None]:
    """A validator that asks a domain rule."""

    def check(_form: Form, field: Field) -> None:
        try:
            rule(field.data or "")
        except RuleBroken as broken:
            raise ValidationError(broken.sentence) from broken

    return check


def read_choice(sent: str) -> Choice | None:
    """What a select says of a booking: nothing, "keep", "cancel", or "move:" and a session."""
    kind, _, target = sent.partition(":")
    if kind == "move":
        return Choice("move", target[:64])
    return {"keep": KEEP, "cancel": CANCEL}.get(kind)


class WholeNumber(IntegerField):
    """A number whose refusal is a sentence of ours."""

    def process_formdata(self, valuelist: list[str]) -> None:
        try:
            super().process_formdata(valuelist)
        except ValueError as error:
            raise ValueError("Enter a whole number of guests.") from error
