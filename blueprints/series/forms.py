import datetime as dt
from contextlib import suppress
from typing import Any, cast

from flask import request
from wtforms import StringField

from blueprints.forms import Form
from domain.errors import RuleBroken
from domain.series_patterns import SeriesRefused, SeriesWish, TimeWish
from domain.words import WEEKDAYS, say_time
from services.series_choices import Choice, Choices

CHOICES = ("keep", "along", "move", "cancel")
CLOSING = ("keep", "move", "cancel")


class SeriesForm(Form):
    """A series as it is typed; days, times and choices come as lists of one name each."""

    name = StringField("Name")
    weekdays = StringField("Days")
    times = StringField("Start times")
    room_id = StringField("Room")
    practitioner_id = StringField("Led by")
    capacity = StringField("Places")
    recurrence_start = StringField("First day")
    recurrence_end = StringField("Last day")
    all = StringField("Booked sessions")
    reason = StringField("Why")
    seen = StringField()
    shown = StringField()
    key = StringField()

    @classmethod
    def of(cls, wish: SeriesWish) -> "SeriesForm":
        """Filled in with what is saved."""
        form = cls(
            formdata=None,
            name=wish.name,
            room_id=wish.room_id or "",
            practitioner_id=wish.practitioner_id or "",
            capacity="" if wish.capacity is None else str(wish.capacity),
            recurrence_start=wish.recurrence_start.isoformat() if wish.recurrence_start else "",
            recurrence_end=wish.recurrence_end.isoformat() if wish.recurrence_end else "",
        )
        form.days = list(wish.weekdays)
        form.starts = [(time.id, say_time(time.value)) for time in wish.start_times]
        return form

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        ticked = request.form.getlist("weekdays")
        self.days = [day for day in WEEKDAYS if day in ticked]
        ids, texts = request.form.getlist("time_id"), request.form.getlist("time")
        self.starts = list(zip([*ids, *[""] * len(texts)], texts, strict=False))[:60]

    def wanted(self, base: SeriesWish) -> SeriesWish:
        """What was typed; what was not sent stays as in `base` (D4). Raises SeriesRefused."""
        problems: list[tuple[str, str]] = []
        wish = SeriesWish(
            name=_text(self.name) if "name" in request.form else base.name,
            weekdays=tuple(self.days) if "weekdays" in request.form else base.weekdays,
            start_times=self._times(problems) if "time" in request.form else base.start_times,
            room_id=_chosen(self.room_id, base.room_id),
            practitioner_id=_chosen(self.practitioner_id, base.practitioner_id),
            capacity=_number(self.capacity, base.capacity, problems),
            recurrence_start=_day(self.recurrence_start, base.recurrence_start, problems),
            recurrence_end=_day(self.recurrence_end, base.recurrence_end, problems),
        )
        if problems:
            raise SeriesRefused(problems)
        return wish

    def refuse(self, broken: RuleBroken) -> None:
        """Every problem on its own field."""
        if not isinstance(broken, SeriesRefused):
            return super().refuse(broken)
        for field, sentence in broken.problems:
            super().refuse(RuleBroken(sentence, field=field))
        return None

    @property
    def choices(self) -> Choices:
        """What was chosen for booked sessions; anything unknown is "keep"."""
        each = {
            name.removeprefix("choice-"): cast(Choice, value)
            for name, value in request.form.items()
            if name.startswith("choice-") and value in CHOICES
        }
        default = self.all.data if self.all.data in CHOICES else "keep"
        return Choices(cast(Choice, default), each, _text(self.reason))

    def _times(self, problems: list[tuple[str, str]]) -> tuple[TimeWish, ...]:
        found = []
        for time_id, text in self.starts:
            if not text.strip():
                continue
            with suppress(ValueError):
                value = dt.time.fromisoformat(text.strip())
                if value.tzinfo is None:
                    found.append(TimeWish(time_id, value.replace(second=0, microsecond=0)))
                    continue
            problems.append(("times", "Enter each start time like 09:00 or 18:30."))
        return tuple(found)


class ClosingForm(Form):
    """Days to be closed."""

    first = StringField("First day")
    last = StringField("Last day")
    reason = StringField("Why")
    all = StringField("Booked sessions")
    shown = StringField()

    def days(self) -> tuple[dt.date, dt.date]:
        """The range that was typed; one day where no last one is. Raises RuleBroken."""
        problems: list[tuple[str, str]] = []
        first = _read_day(_text(self.first), "first", problems)
        last = _read_day(_text(self.last), "last", problems) or first
        if first is None and not problems:
            problems.append(("first", "Enter the day to close."))
        if problems or first is None or last is None:
            raise RuleBroken(problems[0][1], field=problems[0][0])
        return first, last

    @property
    def choices(self) -> Choices:
        """Keep, move or cancel, for each booked session and for all others."""
        sent = {
            name.removeprefix("choice-"): value.partition(":")
            for name, value in request.form.items()
            if name.startswith("choice-")
        }
        each = {key: cast(Choice, do) for key, (do, _, _) in sent.items() if do in CLOSING}
        default = self.all.data if self.all.data in CLOSING else "keep"
        to = {key: target[:64] for key, (do, _, target) in sent.items() if do == "move"}
        return Choices(cast(Choice, default), each, _text(self.reason), to)


def _text(field: StringField) -> str:
    return " ".join((field.data or "").split())


def _chosen(field: StringField, base: str | None) -> str | None:
    return (_text(field) or None) if field.name in request.form else base


def _number(field: StringField, base: int | None, problems: list[tuple[str, str]]) -> int | None:
    if field.name not in request.form:
        return base
    text = _text(field)
    if not text:
        return None
    if text.isascii() and text.isdecimal() and len(text) < 6:
        return int(text)
    problems.append((field.name, "Enter a whole number of places."))
    return None


def _day(
    field: StringField, base: dt.date | None, problems: list[tuple[str, str]]
) -> dt.date | None:
    if field.name not in request.form:
        return base
    return _read_day(_text(field), field.name, problems)


def _read_day(text: str, name: str, problems: list[tuple[str, str]]) -> dt.date | None:
    if not text:
        return None
    with suppress(ValueError):
        day = dt.date.fromisoformat(text)
        if 2000 <= day.year <= 2200:
            return day
    problems.append((name, "Enter a date, like 2026-06-12."))
    return None
