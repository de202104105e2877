from wtforms import BooleanField, StringField
from wtforms.validators import InputRequired, NumberRange

from blueprints.forms import Form, WholeNumber, obeys
from domain.eligibility import MAX_PARTY
from domain.people import check_name
from domain.reasons import check_reason


def _check_guest_name(text: str) -> None:
    check_name(text, who="the guest's name")


class ChangeForm(Form):
    """What every change of a guest's booking asks of staff."""

    reason = StringField("Why", [obeys(check_reason)])
    tell = BooleanField("Tell the guest by mail")
    key = StringField()


class MoveForm(Form):
    tell = BooleanField("Tell the guest by mail")
    key = StringField()


class WaiverForm(Form):
    """Why a fee is not asked for."""

    reason = StringField("Why", [obeys(check_reason)])
    key = StringField()


class WalkInForm(Form):
    name = StringField("Name", [obeys(_check_guest_name)])
    guests = WholeNumber(
        "Guests",
        [
            InputRequired(message="Enter how many guests there are."),
            NumberRange(1, MAX_PARTY, message=f"A party is 1 to {MAX_PARTY} guests."),
        ],
        default=1,
    )
    key = StringField()
