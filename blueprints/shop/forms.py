import datetime as dt
from contextlib import suppress

from wtforms import StringField
from wtforms.validators import InputRequired, Regexp

from blueprints.forms import Form, WholeNumber


class HoldForm(Form):
    session_id = StringField(
        validators=[Regexp(r"^[0-9a-f]{24}$", message="Choose a session from the list.")]
    )
    guests = WholeNumber(validators=[InputRequired(message="Enter a whole number of guests.")])
    date = StringField()
    key = StringField()

    @property
    def party(self) -> int | None:
        return self.guests.data

    @property
    def day(self) -> dt.date | None:
        """Only where to go back to: what can't be read is left out."""
        with suppress(ValueError):
            return dt.date.fromisoformat(self.date.data or "")
        return None
