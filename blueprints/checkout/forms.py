from wtforms import StringField

from blueprints.forms import Form, obeys
from domain.people import check_email, check_name


class DetailsForm(Form):
    name = StringField("Full name", [obeys(check_name)])
    email = StringField("Email", [obeys(check_email)])
    key = StringField()
