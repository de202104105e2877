import datetime as dt
from typing import Any

from wtforms import BooleanField, Field, StringField
from wtforms.validators import InputRequired, NumberRange
from wtforms.widgets import DateInput

from blueprints.forms import Form, WholeNumber, obeys
from domain.eligibility import MAX_PARTY
from domain.errors import RuleBroken
from domain.memberships import Days, check_type_name, read_day
from domain.notes import check_note
from domain.people import check_email, check_name
from domain.reasons import check_reason


class Day(Field):
    """A date whose refusal is a sentence of ours; keeps what was typed."""

    widget = DateInput()
    data: Any

    def __init__(self, label: str, what: str, *, is_needed: bool = True, **given: Any) -> None:
        super().__init__(label, **given)
        self.what, self.is_needed = what, is_needed

    def process_formdata(self, valuelist: list[str]) -> None:
        self.data = None
        text = valuelist[0].strip() if valuelist else ""
        if not text and not self.is_needed:
            return
        try:
            self.data = read_day(text, what=self.what, field=self.name)
        except RuleBroken as broken:
            raise ValueError(broken.sentence) from broken

    @property
    def typed(self) -> str:
        """What stands in the control."""
        if self.raw_data:
            return str(self.raw_data[0])[:40]
        return self.data.isoformat() if self.data else ""


class GiveForm(Form):
    type = StringField("Membership", [InputRequired("Choose a membership from the list.")])
    first_day = Day("First day", "first day")
    last_day = Day("Last day", "last day", is_needed=False)
    key = StringField()


class ShownForm(Form):
    """What the page showed of a membership when it was opened: pausing needs no more."""

    was_first_day = StringField()
    was_last_day = StringField()
    was_state = StringField()

    @property
    def was(self) -> Days:
        first = _read(self.was_first_day.data) or dt.date.min
        return Days(first, _read(self.was_last_day.data), self.was_state.data or "")


class DaysForm(ShownForm):
    first_day = Day("First day", "first day")
    last_day = Day("Last day", "last day", is_needed=False)


class EndForm(ShownForm):
    last_day = Day("Last day that counts", "last day")


class NoteForm(Form):
    text = StringField("Note", [obeys(check_note)])
    key = StringField()


class EraseForm(Form):
    cancels = BooleanField("End what is to come with it")
    sure = BooleanField("I know", [InputRequired("Tick that you know this can't be undone.")])
    seen = StringField()


class TypeForm(Form):
    name = StringField("Name", [obeys(check_type_name)])
    was = StringField()
    key = StringField()


def _check_guest_name(text: str) -> None:
    check_name(text, who="the guest's name")


def _check_address(text: str) -> None:
    if text.strip():
        check_email(text)


class OverrideForm(Form):
    """Booking in spite of rules, with the question that the checks were shown for."""

    session = StringField()
    customer = StringField()
    shown = StringField()
    link = BooleanField()
    guests = WholeNumber(
        "Guests",
        [
            InputRequired(message="Enter how many guests there are."),
            NumberRange(1, MAX_PARTY, message=f"A party is 1 to {MAX_PARTY} guests."),
        ],
    )
    name = StringField("Name", [obeys(_check_guest_name)])
    email = StringField("Email", [obeys(_check_address)])
    reason = StringField("Reason", [obeys(check_reason)])
    key = StringField()


def _read(text: str | None) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text or "")
    except ValueError:
        return None
