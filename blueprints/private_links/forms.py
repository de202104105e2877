import datetime as dt
from contextlib import suppress
from zoneinfo import ZoneInfo

from wtforms import StringField
from wtforms.validators import InputRequired

from blueprints.forms import Form
from domain.errors import RuleBroken
from domain.local_time import to_utc
from domain.money import read_amount
from services.private_links import NewLink

MAX_PRICE = 100_000_000


class LinkForm(Form):
    """A new private link; what needs the venue's zone or a type's currency is read by `wanted`."""

    type = StringField("For", [InputRequired("Choose what the link is for.")])
    name = StringField("Name")
    day = StringField("Day")
    time = StringField("Starts at")
    email = StringField("Email")
    price = StringField("Price of one place")
    expires_at = StringField("Ends")
    max_uses = StringField("Bookings")
    places_kept = StringField("Places kept")
    key = StringField()

    def wanted(self, zone: ZoneInfo, currency: str) -> NewLink:
        """The values of what was typed; raises RuleBroken with the field at fault."""
        ends = _moment(_said(self.expires_at), "expires_at")
        return NewLink(
            type_id=_said(self.type),
            name=_said(self.name),
            local_start=self._start(),
            email=_said(self.email),
            price=_price(_said(self.price), currency),
            expires_at=to_utc(ends, zone) if ends else None,
            max_uses=_number(_said(self.max_uses), "max_uses", "bookings"),
            places_kept=_number(_said(self.places_kept), "places_kept", "places") or 0,
        )

    def _start(self) -> dt.datetime | None:
        day, time = _said(self.day), _said(self.time)
        if not day and not time:
            return None
        if not (day and time):
            missing = "time" if day else "day"
            raise RuleBroken("A session needs its day and its time.", code="session", field=missing)
        return _moment(f"{day}T{time}", "time")


def _said(field: StringField) -> str:
    return (field.data or "").strip()


def _moment(text: str, field: str) -> dt.datetime | None:
    if not text:
        return None
    with suppress(ValueError, OverflowError):
        moment = dt.datetime.fromisoformat(text)
        if moment.tzinfo is None and 2000 <= moment.year <= 2200:
            return moment.replace(second=0, microsecond=0)
    raise RuleBroken("Enter a date and a time.", code="moment", field=field)


def _price(text: str, currency: str) -> int | None:
    if not text:
        return None
    with suppress(ValueError):
        price = read_amount(text, currency)
        if price <= MAX_PRICE:
            return price
    raise RuleBroken("Enter a price like 24 or 24.50, or 0 for free.", code="price", field="price")


def _number(text: str, field: str, what: str) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 6:
        raise RuleBroken(f"Enter a whole number of {what}.", code="number", field=field)
    return int(text)
