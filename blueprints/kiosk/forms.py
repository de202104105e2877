from wtforms import StringField

from blueprints.forms import Form, obeys
from domain.errors import RuleBroken
from domain.finding import read_code
from domain.kiosk import check_kiosk_name


def check_reference(text: str) -> None:
    """Something must be typed or scanned."""
    if not text.strip():
        raise RuleBroken("Enter your reference, or scan your ticket.", field="reference")


class ArrivalForm(Form):
    reference = StringField("Booking reference", [obeys(check_reference)])
    last_name = StringField("Last name")

    def validate_last_name(self, field: StringField) -> None:
        """A scanned ticket needs no name."""
        if self.reference.data and not read_code(self.reference.data):
            _require(field)


class KioskForm(Form):
    name = StringField("What you call it", [obeys(check_kiosk_name)])


def _require(field: StringField) -> None:
    if not (field.data or "").strip():
        field.errors = [*field.errors, "Enter your last name."]
