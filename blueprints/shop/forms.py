import datetime as dt

from wtforms import DateField, IntegerField, StringField
from wtforms.validators import InputRequired, Optional, Regexp

from blueprints.forms import Form


class HoldForm(Form):
    session_id = StringField(
        validators=[Regexp(r"^[0-9a-f]{24}$", message="Choose a session from the list.")]
    )
    guests = IntegerField(
        validators=[InputRequired(message="Choose how many guests you are, as a whole number.")]
    )
    date = DateField(validators=[Optional()])
    key = StringField()

    @property
    def party(self) -> int | None:
        return self.guests.data

    @property
    def day(self) -> dt.date | None:
        return self.date.data if isinstance(self.date.data, dt.date) else None
