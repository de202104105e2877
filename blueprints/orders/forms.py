from typing import Any

from wtforms import StringField
from wtforms.validators import AnyOf, InputRequired, ValidationError

from blueprints.forms import Form, obeys
from domain.ledger import METHODS, check_note
from domain.money import exponent, read_amount
from domain.reasons import check_reason
from services.orders import RESENDABLE


class MoneyForm(Form):
    """A sum of one currency; `minor` is what was typed, in minor units."""

    amount = StringField("Amount", [InputRequired(message="Enter a sum.")])
    seen = StringField()
    key = StringField()

    def __init__(self, currency: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._currency = currency

    def validate_amount(self, field: StringField) -> None:
        try:
            read_amount(field.data or "", self._currency)
        except ValueError as error:
            like = {0: "1500", 3: "1.500"}.get(exponent(self._currency), "48 or 48.50")
            raise ValidationError(f"Enter a sum like {like}.") from error

    @property
    def minor(self) -> int:
        return read_amount(self.amount.data or "", self._currency)


class PaymentForm(MoneyForm):
    method = StringField("How", [AnyOf(tuple(METHODS), message="Choose how it was paid.")])
    note = StringField("Note", [obeys(check_note)])


class RefundForm(MoneyForm):
    reason = StringField("Why", [obeys(check_reason)])


class CompForm(MoneyForm):
    reason = StringField("Why", [obeys(check_reason)])


class MailForm(Form):
    letter = StringField("Mail", [AnyOf(RESENDABLE, message="Choose which mail to send.")])
    key = StringField()
