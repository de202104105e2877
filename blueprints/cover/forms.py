"""The address of the page, and what becomes of each session."""

import datetime as dt
from typing import Any

from flask import request
from werkzeug.datastructures import MultiDict
from wtforms import StringField

from blueprints.forms import Form
from domain.errors import RuleBroken
from domain.reasons import MAX_REASON
from services.cover import Absence, Kind
from services.covering import Decision, Wish, field_of

DAYS = 7
"""So far the page looks when it isn't told how far."""

MOST_DAYS = 366
DAY = dt.timedelta(days=1)


class SpanForm(Form):
    """Who is away, from when to when: dates (the last one is meant whole), or wall times."""

    ARGS = ("practitioner", "room", "from", "to")

    practitioner = StringField("Practitioner")
    room = StringField("Room")
    begins = StringField("From", name="from")
    ends = StringField("To", name="to")

    @property
    def kind(self) -> Kind:
        """Whether the page is about a room: its field stands in the address, empty or not."""
        return "room" if "room" in request.args else "practitioner"

    @property
    def who(self) -> str:
        """The id that was chosen."""
        return (self.room.data if self.kind == "room" else self.practitioner.data) or ""

    def dates(self, today: dt.date) -> dict[str, str]:
        """What stands in the two fields."""
        return {
            "begins": self.begins.data or today.isoformat(),
            "ends": self.ends.data or (today + DAYS * DAY).isoformat(),
        }

    def absence(self, today: dt.date) -> Absence | None:
        """What the fields say; None when nobody was chosen yet. Raises RuleBroken by field."""
        begins = _read(self.begins.data, today, "begins")
        ends = _read(self.ends.data, (begins + DAYS * DAY).date(), "ends", whole_day=True)
        if ends <= begins:
            raise RuleBroken("Choose an end after the start.", field="ends")
        if ends - begins > MOST_DAYS * DAY:
            raise RuleBroken("Choose at most a year.", field="ends")
        return Absence(self.kind, self.who, begins, ends) if self.who else None


class CoverForm(Form):
    """What becomes of the sessions; their fields are named by `field_of`."""

    reason = StringField("Why")

    def __init__(self, formdata: Any = None) -> None:
        super().__init__(formdata=formdata)
        self.sent: MultiDict[str, str] = formdata or MultiDict()
        self._at: dict[str, list[str]] = {}

    @property
    def errors(self) -> dict[str, Any]:
        """Every refusal by its field, those of sessions too."""
        return {**super().errors, **self._at}

    def refuse(self, broken: RuleBroken) -> None:
        """A refused choice stands beside its session."""
        if broken.field and broken.field.startswith(field_of("")):
            self._at[broken.field] = [broken.sentence]
        else:
            super().refuse(broken)

    def at(self, session_id: str) -> str:
        """What is wrong with the choice for a session."""
        return next(iter(self._at.get(field_of(session_id), [])), "")

    def choice(self, session_id: str, proposed: str) -> str:
        """What was chosen for a session; before that what is proposed."""
        return str(self.sent.get(field_of(session_id), proposed))

    def ticked(self, name: str, *, otherwise: bool) -> bool:
        """An unticked box is sent as false."""
        sent = self.sent.getlist(name)
        return sent[-1] == "true" if sent else otherwise

    def wish(self) -> Wish:
        """Everything that was sent."""
        sent, begins = self.sent, len(field_of(""))
        return Wish(
            tuple(
                Decision(name[begins:], value, sent.get(f"seen-{name[begins:]}", ""))
                for name, value in sent.items()
                if name.startswith(field_of(""))
            ),
            tells=self.ticked("tells", otherwise=False),
            reason=(self.reason.data or "")[: MAX_REASON + 1],
            records_time_off=self.ticked("time_off", otherwise=False),
        )


def _read(
    text: str | None, otherwise: dt.date, field: str, *, whole_day: bool = False
) -> dt.datetime:
    typed = (text or otherwise.isoformat()).strip()
    try:
        moment = dt.datetime.fromisoformat(typed)
    except ValueError as error:
        raise RuleBroken("Enter a date.", field=field) from error
    if moment.tzinfo is not None or not 2000 <= moment.year <= 2100:
        raise RuleBroken("Enter a date between 2000 and 2100.", field=field)
    return moment + DAY if whole_day and len(typed) <= len("2026-06-04") else moment
