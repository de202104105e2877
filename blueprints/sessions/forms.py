import datetime as dt

from wtforms import BooleanField, StringField

from blueprints.forms import Form
from blueprints.sessions.area import read_moment
from domain.errors import RuleBroken
from domain.money import exponent, read_amount
from domain.new_sessions import NewSession
from domain.session_changes import MAX_CAPACITY
from domain.session_edits import CLEAR, LONGEST, Clear, SessionValues, SessionWish

FIELDS = {"local_start": "time", "room_id": "room", "practitioner_id": "practitioner"}
"""Where a rule's field stands in our forms."""
NOBODY = "none"
"""What a form sends for "no room" and "no host"."""


class SessionForm(Form):
    """The fields that new and standing sessions share, as they were typed."""

    date = StringField("Day")
    time = StringField("Starts at")
    duration = StringField("Minutes")
    room = StringField("Room")
    practitioner = StringField("Led by")
    capacity = StringField("Places")
    max_baskets = StringField("Most parties")
    waitlist_enabled = StringField("Waitlist")
    price = StringField("Price of one place")
    seen = StringField()

    def refuse_field(self, broken: RuleBroken) -> None:
        """The same as `refuse`, under the names that our forms have."""
        broken.field = FIELDS.get(broken.field or "", broken.field)
        self.refuse(broken)

    def said(self, name: str) -> str:
        """What stands in a field; a tick is the last of the values sent (D4)."""
        return str(
            self[name].raw_data[-1] if self[name].raw_data else self[name].data or ""
        ).strip()

    def start(self) -> dt.datetime:
        """Raises RuleBroken for anything but a day and a time."""
        day, time = self.said("date"), self.said("time")
        if read_moment(day, "12:00") is None:
            raise RuleBroken("Enter a day, like 12 June 2026.", code="day", field="date")
        moment = read_moment(day, time)
        if moment is None:
            raise RuleBroken("Enter a time, like 18:30.", code="time", field="time")
        return moment

    def number(self, name: str, most: int) -> int | None:
        """A whole number, None when nothing was typed; raises RuleBroken."""
        text = self.said(name)
        if not text:
            return None
        if not (text.isascii() and text.isdigit() and len(text) < 9 and 1 <= int(text) <= most):
            raise RuleBroken(f"Enter a whole number from 1 to {most}.", code=name, field=name)
        return int(text)

    def amount(self, currency: str) -> int | None:
        """Minor units, None when nothing was typed; raises RuleBroken."""
        text = self.said("price")
        if not text:
            return None
        try:
            return read_amount(text, currency)
        except ValueError as error:
            sentence = f"Enter a price in {currency}, like 12, or leave it empty."
            raise RuleBroken(sentence, code="price", field="price") from error


class NewForm(SessionForm):
    PREFILLED = ("type", "date", "time", "room", "practitioner", "duration", "capacity")

    type = StringField("Session type")
    key = StringField()

    def wanted(self, currency: str) -> NewSession:
        """Raises RuleBroken with the field at fault; what is empty is left to type and room."""
        waits = {"true": True, "false": False}.get(self.said("waitlist_enabled"))
        return NewSession(
            session_type_id=self.said("type"),
            local_start=self.start(),
            duration=self.number("duration", LONGEST),
            room_id=self.said("room") or None,
            practitioner_id=self.said("practitioner") or None,
            capacity=self.number("capacity", MAX_CAPACITY),
            max_baskets=self.number("max_baskets", MAX_CAPACITY),
            waitlist_enabled=waits,
            price=self.amount(currency),
        )


class EditForm(SessionForm):
    was = StringField()
    """The mark of the session as the form was filled from it (D4)."""
    shown = StringField()
    """What the impact on the page was the impact of."""
    default = StringField("What happens to the bookings")
    reason = StringField("Why")
    tell = BooleanField("Tell the guests by mail")

    def wish(self, before: SessionValues, currency: str) -> SessionWish:
        """What was sent and differs; a field that was not sent stays (D4). Raises RuleBroken."""
        return SessionWish(
            local_start=self._start(before),
            duration=self._required("duration", LONGEST),
            room_id=self._chosen("room"),
            practitioner_id=self._chosen("practitioner"),
            capacity=self._required("capacity", MAX_CAPACITY),
            max_baskets=_or_clear(self, "max_baskets", self.number("max_baskets", MAX_CAPACITY)),
            waitlist_enabled=(
                self.said("waitlist_enabled") == "true" if self._sent("waitlist_enabled") else None
            ),
            price=_or_clear(self, "price", self.amount(currency)),
        )

    def _sent(self, name: str) -> bool:
        return bool(self[name].raw_data)

    def _start(self, before: SessionValues) -> dt.datetime | None:
        if not (self._sent("date") or self._sent("time")):
            return None
        if not self._sent("date"):
            self["date"].raw_data = [before.local_start.date().isoformat()]
        if not self._sent("time"):
            self["time"].raw_data = [f"{before.local_start:%H:%M}"]
        start = self.start()
        return start if start != before.local_start.replace(second=0) else None

    def _required(self, name: str, most: int) -> int | None:
        number = self.number(name, most)
        if number is None and self._sent(name):
            raise RuleBroken(f"Enter a whole number from 1 to {most}.", code=name, field=name)
        return number

    def _chosen(self, name: str) -> str | Clear | None:
        sent = self.said(name)
        return CLEAR if sent == NOBODY else sent or None


def _or_clear(form: EditForm, name: str, number: int | None) -> int | Clear | None:
    """An empty field that was sent clears it; one that was not sent leaves it (R3)."""
    if number is None:
        return CLEAR if form[name].raw_data else None
    return number


def typed_price(minor: int, currency: str) -> str:
    """A sum as one would type it: 12 or 12.50."""
    decimals = exponent(currency)
    whole, rest = divmod(minor, 10**decimals)
    return f"{whole}.{rest:0{decimals}d}" if rest else str(whole)
