from wtforms import StringField
from wtforms.validators import InputRequired, NumberRange

from blueprints.forms import Form, WholeNumber, obeys
from domain.eligibility import MAX_PARTY
from domain.people import check_name
from domain.reasons import check_reason


def _check_guest_name(text: str) -> None:
    check_name(text, who="the guest's name")


class CancelForm(Form):
    reason = StringField("Why", [obeys(check_reason)])


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
