from collections.abc import Callable
from typing import Any

from wtforms import IntegerField, StringField
from wtforms.validators import AnyOf, InputRequired, NumberRange, Optional

from blueprints.forms import Form, obeys
from domain.reasons import check_reason
from domain.session_changes import MAX_CAPACITY
from services.notices import OFFER_MINUTES, REMINDER_HOURS, WHO


class Number(IntegerField):
    """A whole number; `message` is the sentence for anything else."""

    def __init__(self, *args: Any, message: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._message = message

    def process_formdata(self, valuelist: list[str]) -> None:
        try:
            super().process_formdata(valuelist)
        except ValueError as error:
            raise ValueError(self._message) from error

    @property
    def typed(self) -> str:
        """What stands in the field, as it was typed."""
        if self.raw_data:
            return str(self.raw_data[0])
        return "" if self.data is None else str(self.data)


def _whole(least: int, most: int, message: str) -> list[Callable[..., Any]]:
    return [InputRequired(message=message), NumberRange(least, most, message=message)]


_PLACES = f"Enter a whole number from 1 to {MAX_CAPACITY}."
_PARTIES = "Enter a whole number, or leave it empty for no limit."
_OFFER = f"Enter a whole number of minutes from {OFFER_MINUTES[0]} to {OFFER_MINUTES[1]}."
_REMINDER = f"Enter a whole number of hours from {REMINDER_HOURS[0]} to {REMINDER_HOURS[1]}."


class CancelSessionForm(Form):
    reason = StringField("Why", [obeys(check_reason)])
    seen = StringField()
    facts = StringField()
    """The same for when bookings move first: their mark is another one."""
    default = StringField("For all")


class RestoreSessionForm(Form):
    seen = StringField()


class PlacesForm(Form):
    capacity = Number("Places", _whole(1, MAX_CAPACITY, _PLACES), message=_PLACES)
    max_baskets = Number(
        "Most parties",
        [Optional(), NumberRange(1, MAX_CAPACITY, message=_PARTIES)],
        message=_PARTIES,
    )
    seen = StringField()


class NoticesForm(Form):
    cancelled_session_notices = StringField(
        "Who is told when a session is cancelled", [AnyOf(WHO, message="Choose who is told.")]
    )
    offer_minutes = Number("Minutes to decide", _whole(*OFFER_MINUTES, _OFFER), message=_OFFER)
    reminder_hours = Number("Hours before", _whole(*REMINDER_HOURS, _REMINDER), message=_REMINDER)
    was = StringField()
