"""Giving, changing, pausing and ending memberships: whole days of the site, both ends included."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, replace

from domain.errors import RuleBroken
from domain.people import check_name
from domain.words import MONTH_NAMES

STATES = ("active", "paused", "ended")
"""Only an active membership counts; the others stay on record."""

FIRST = dt.date(2000, 1, 1)
LAST = dt.date(2100, 12, 31)


class ChangedMeanwhile(RuleBroken):
    """Somebody else changed what this form was showing (S3, D4)."""

    code = "changed_meanwhile"


@dataclass(frozen=True, slots=True)
class Days:
    """What a form shows of a membership: its days and its state."""

    first_day: dt.date
    last_day: dt.date | None
    state: str = "active"


@dataclass(frozen=True, slots=True)
class Held:
    """A membership on record, with the name of its type; `last_day` None is an open end."""

    id: str
    type_id: str
    type_name: str
    first_day: dt.date
    last_day: dt.date | None
    state: str = "active"

    @property
    def days(self) -> Days:
        """What a form shows of it."""
        return Days(self.first_day, self.last_day, self.state)

    def is_over(self, today: dt.date) -> bool:
        """Whether its last day has passed."""
        return self.last_day is not None and self.last_day < today

    def condition(self, today: dt.date) -> str:
        """ended, over, paused, coming or current: one word for what it is today."""
        if self.state == "ended":
            return "ended"
        if self.is_over(today):
            return "over"
        if self.state == "paused":
            return "paused"
        return "coming" if today < self.first_day else "current"


def say_date(day: dt.date) -> str:
    """12 June 2026."""
    return f"{day.day} {MONTH_NAMES[day.month - 1]} {day.year}"


def say_days(first_day: dt.date, last_day: dt.date | None) -> str:
    """1 June 2026 to 31 May 2027; from 1 June 2026, with no end."""
    if last_day is None:
        return f"from {say_date(first_day)}, with no end"
    return f"{say_date(first_day)} to {say_date(last_day)}"


def read_day(text: str, *, what: str, field: str) -> dt.date:
    """The day that `text` names, or RuleBroken that says how days are written."""
    try:
        day = dt.date.fromisoformat(text.strip())
    except ValueError as error:
        raise RuleBroken(
            f"Enter the {what} like 2026-06-12: year, month, day.", code="day", field=field
        ) from error
    if not FIRST <= day <= LAST:
        raise RuleBroken(
            f"Enter a {what} between {FIRST.year} and {LAST.year}.", code="day", field=field
        )
    return day


def check_type_name(text: str) -> str:
    """A tidy name of a membership type."""
    return check_name(text, who="a name for the membership")


def give(wanted: Held, others: Iterable[Held], *, today: dt.date) -> Held:
    """A new membership beside the customer's others of any type; raises RuleBroken."""
    _check_order(wanted.first_day, wanted.last_day)
    if wanted.is_over(today):
        raise RuleBroken(
            "This would be over already. Choose a last day from today on, or none.",
            code="in_the_past",
            field="last_day",
        )
    _check_overlap(wanted, others)
    return wanted


def change_days(
    held: Held,
    first_day: dt.date,
    last_day: dt.date | None,
    others: Iterable[Held],
    *,
    today: dt.date,
) -> Held:
    """The membership with other days: longer, shorter or open; raises RuleBroken."""
    if (first_day, last_day) == (held.first_day, held.last_day):
        return held
    _refuse_ended(held)
    _check_order(first_day, last_day)
    if last_day != held.last_day and last_day is not None and last_day < today:
        raise _in_the_past()
    changed = replace(held, first_day=first_day, last_day=last_day)
    _check_overlap(changed, others)
    return changed


def pause(held: Held, *, today: dt.date) -> Held:
    """On record, but without member prices until it is resumed; repeating changes nothing."""
    _refuse_ended(held)
    if held.state == "active" and held.is_over(today):
        raise RuleBroken("This membership is over, so there is nothing to pause.", code="over")
    return replace(held, state="paused")


def resume(held: Held) -> Held:
    """Counts again on its days; repeating changes nothing."""
    _refuse_ended(held)
    return replace(held, state="active")


def end(held: Held, last_day: dt.date | None, *, today: dt.date) -> Held:
    """Counts up to and including `last_day`; None ends it at once, today included.

    Raises RuleBroken for a day in the past, after the present end or before the first day.
    """
    if last_day is None:
        return _ended_at_once(held, today)
    _refuse_ended(held)
    if last_day < today:
        raise _in_the_past()
    if last_day < held.first_day:
        raise RuleBroken(
            f"It begins on {say_date(held.first_day)}. End it at once instead.",
            code="before_its_first_day",
            field="last_day",
        )
    if held.last_day is not None and last_day > held.last_day:
        raise RuleBroken(
            f"It ends on {say_date(held.last_day)} already. To make it longer, change its days.",
            code="after_its_last_day",
            field="last_day",
        )
    return replace(held, last_day=last_day)


def turn_into(held: Held, state: str, *, today: dt.date) -> Held:
    """The membership in another of STATES; raises RuleBroken."""
    if state == held.state:
        return held
    if state == "active":
        return resume(held)
    return pause(held, today=today) if state == "paused" else end(held, None, today=today)


def require_unchanged(held: Held, was: Days, wanted: Days) -> None:
    """Raise ChangedMeanwhile when `was` is not how it is, unless it is as wanted already (D4)."""
    if held.days not in (was, wanted):
        said = say_days(held.first_day, held.last_day)
        raise ChangedMeanwhile(
            f"Somebody changed this {held.type_name} meanwhile: it is now {said}, {held.state}. "
            "Nothing of yours is lost. Look at both, then save again if yours is right."
        )


def _ended_at_once(held: Held, today: dt.date) -> Held:
    if held.state == "ended":
        return held
    runs_on = held.last_day is None or held.last_day > today
    return replace(
        held,
        state="ended",
        last_day=today if runs_on and held.first_day <= today else held.last_day,
    )


def _check_order(first_day: dt.date, last_day: dt.date | None) -> None:
    if last_day is not None and last_day < first_day:
        raise RuleBroken(
            "The last day is before the first. Swap them, or leave the last day empty.",
            code="days_in_order",
            field="last_day",
        )


def _check_overlap(wanted: Held, others: Iterable[Held]) -> None:
    for other in others:
        if other.id == wanted.id or other.type_id != wanted.type_id:
            continue
        said = say_days(other.first_day, other.last_day)
        if other.state == "ended":
            if other.first_day == wanted.first_day:
                raise RuleBroken(
                    f"{other.type_name} from {say_date(other.first_day)} is on record as ended. "
                    "Begin the new one on another day.",
                    code="first_day_taken",
                    field="first_day",
                )
            continue
        is_apart = (other.last_day is not None and other.last_day < wanted.first_day) or (
            wanted.last_day is not None and wanted.last_day < other.first_day
        )
        if not is_apart:
            raise RuleBroken(
                f"They hold {other.type_name} already, {said}. Change that one, or choose days "
                "that don't overlap.",
                code="overlap",
                field="first_day",
            )


def _refuse_ended(held: Held) -> None:
    if held.state == "ended":
        raise RuleBroken(
            "This membership was ended. Give a new one instead.", code="membership_ended"
        )


def _in_the_past() -> RuleBroken:
    return RuleBroken(
        "That day has passed. Choose today or a later day.", code="in_the_past", field="last_day"
    )
