from wtforms import StringField
from wtforms.validators import InputRequired, NumberRange

from blueprints.forms import Form, WholeNumber, obeys
from domain.eligibility import MAX_PARTY
from domain.people import check_email, check_name


class JoinForm(Form):
    guests = WholeNumber(
        "Guests",
        [
            InputRequired(message="Enter how many guests you are."),
            NumberRange(1, MAX_PARTY, message=f"A party is 1 to {MAX_PARTY} guests."),
        ],
    )
    name = StringField("Full name", [obeys(check_name)])
    email = StringField("Email", [obeys(check_email)])
    key = StringField()
