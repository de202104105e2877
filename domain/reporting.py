"""What reports are about: periods of a site's own days, shares, and what each figure means.

The figures, in the words of the pages:

- Occupancy: guests of live confirmed bookings / capacity, over sessions that took or take place;
  cancelled sessions are left out, held and offered places count for nothing.
- Worth of a line: what was agreed for a place x its places, and a fee that stands for coming late
  or not at all; 0 once it is cancelled. Revenue is
  dated by the session, not by the payment: recognised when the session has started, booked ahead
  until then.
- Not tied to a session: what an order's ledger (charges and adjustments) says beyond the worth of
  its lines, such as a discount of the whole order. It stands on the day of the order's
  earliest session, so that over all days lines and this together are the ledger to the penny.
- New customer: the first order ever with the organisation was confirmed here in the period. Rows
  with one address are one person; who left no address can't be told apart and is counted alone.
- Lead time: from the confirmation to the start, of bookings confirmed in the period.
- Waitlist conversion: of the parties that joined in the period, those that accepted an offer.
- No-shows: guests marked as such / guests of live bookings of sessions that have started.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from domain.errors import RuleBroken
from domain.local_time import to_utc
from domain.words import MONTH_NAMES, say_month, say_short_day

PERIODS = {
    "week": "This week",
    "month": "This month",
    "quarter": "This quarter",
    "year": "This year",
    "custom": "Other days",
}
"""The name in the address and the words on the page, in the order they are offered."""

MOST_DAYS = 731
"""Two years with a leap day: what one report looks at."""

_FIRST, _LAST = dt.date(2000, 1, 1), dt.date(2099, 12, 31)
_DAYS_ONE_BY_ONE = 31
_DAYS_BY_WEEK = 186


class BadPeriod(RuleBroken):
    """The period can't be read; `field` says which of `period`, `from`, `to`."""

    code = "bad_period"


@dataclass(frozen=True, slots=True)
class Period:
    """Local days from `first` to `last`, both included (T5)."""

    first: dt.date
    last: dt.date
    name: str = "custom"

    @property
    def days(self) -> int:
        """How many days, 1 for a single one."""
        return (self.last - self.first).days + 1

    @property
    def local_edges(self) -> tuple[dt.datetime, dt.datetime]:
        """Wall time from (included) and until (excluded)."""
        return _midnight(self.first), _midnight(self.last + dt.timedelta(days=1))

    def edges(self, zone: ZoneInfo) -> tuple[dt.datetime, dt.datetime]:
        """The instants of its first moment (included) and of its end (excluded) at a site."""
        first, end = self.local_edges
        return to_utc(first, zone), to_utc(end, zone)


@dataclass(frozen=True, slots=True)
class Step:
    """One bar of a chart over time: some days of a period, with its label."""

    first: dt.date
    last: dt.date
    label: str


def this_period(name: str, today: dt.date) -> Period:
    """The week (from Monday), month, quarter or year that `today` lies in."""
    if name == "week":
        first = today - dt.timedelta(days=today.weekday())
        return Period(first, first + dt.timedelta(days=6), name)
    if name == "month":
        return _months(today.replace(day=1), 1, name)
    if name == "quarter":
        return _months(today.replace(month=(today.month - 1) // 3 * 3 + 1, day=1), 3, name)
    return _months(today.replace(month=1, day=1), 12, "year")


def read_period(name: str, first: str, last: str, today: dt.date) -> Period:
    """The period that an address asks for; the present month when it names none.

    Days alone ask for "custom". Raises BadPeriod with its field.
    """
    name = name or ("custom" if first or last else "month")
    if name not in PERIODS:
        raise BadPeriod("Choose one of the periods.", field="period")
    if name != "custom":
        return this_period(name, today)
    begins, ends = _read_day(first, "from", "first"), _read_day(last, "to", "last")
    if ends < begins:
        raise BadPeriod("The last day comes before the first.", field="to")
    if (ends - begins).days + 1 > MOST_DAYS:
        raise BadPeriod("A report covers at most two years. Choose fewer days.", field="to")
    return Period(begins, ends)


def beside(period: Period, number: int) -> Period:
    """The period `number` steps later, or earlier below 0.

    Whole months, quarters and years step by the calendar, anything else by its days.
    """
    months = _whole_months(period)
    if not months:
        step = dt.timedelta(days=period.days * number)
        return Period(period.first + step, period.last + step)
    return _months(_add_months(period.first, months * number), months, "custom")


def is_within_reach(period: Period) -> bool:
    """Whether reports go that far into past and future."""
    return period.first >= _FIRST and period.last <= _LAST


def say_period(period: Period) -> str:
    """1 to 7 June 2026, June 2026, 2026, 12 June 2026: as short as it can be said."""
    first, last = period.first, period.last
    months = _whole_months(period)
    if months == 1:
        return say_month(first.year, first.month)
    if months == 12 and first.month == 1:
        return str(first.year)
    if first == last:
        return _say(first)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day} to {_say(last)}"
    if first.year == last.year:
        return f"{first.day} {MONTH_NAMES[first.month - 1]} to {_say(last)}"
    return f"{_say(first)} to {_say(last)}"


def steps(period: Period) -> tuple[Step, ...]:
    """The period in days, weeks or months, whichever makes a chart that can be read."""
    if period.days <= _DAYS_ONE_BY_ONE:
        return tuple(
            Step(day, day, say_short_day(day))
            for day in (period.first + dt.timedelta(days=n) for n in range(period.days))
        )
    return tuple(_longer_steps(period))


def step_of(all_steps: tuple[Step, ...], day: dt.date) -> int:
    """The number of the step that a day lies in; raises LookupError for another day."""
    for number, step in enumerate(all_steps):
        if step.first <= day <= step.last:
            return number
    raise LookupError(day)


def share(part: int, whole: int) -> int | None:
    """`part` of `whole` in tenths of a percent, halves up; None when there is no whole."""
    if whole <= 0:
        return None
    return (2000 * part + whole) // (2 * whole)


def say_share(tenths: int | None) -> str:
    """74.3%, or a dash where nothing can be divided."""
    if tenths is None:
        return "–"
    return f"{_minus(tenths)}{abs(tenths) // 10}.{abs(tenths) % 10}%"


def say_share_short(tenths: int | None) -> str:
    """74%, or a dash; under 10% with its decimal, where one makes the difference."""
    if tenths is None or (-100 < tenths < 100 and tenths % 10):
        return say_share(tenths)
    return f"{_minus(tenths)}{(abs(tenths) + 5) // 10}%"


def _minus(number: int) -> str:
    return "\N{MINUS SIGN}" if number < 0 else ""


LEADS: tuple[tuple[str, int], ...] = (
    ("At the door", 0),
    ("Under 3 hours", 3),
    ("3 to 24 hours", 24),
    ("1 to 2 days", 72),
    ("3 to 6 days", 168),
    ("7 to 13 days", 336),
    ("14 to 29 days", 720),
)
"""Lead times, each with the hours that it stays under; walk-ins and later ones are at the door."""

LONGEST_LEAD = "30 days or more"


def say_lead(seconds: int | None) -> str:
    """A lead time in the largest unit that says something; a dash for none."""
    if seconds is None:
        return "–"
    hours = max(0, seconds) // 3600
    if hours < 1:
        return "under an hour"
    if hours < 48:
        return f"{hours} hour{'s' if hours > 1 else ''}"
    return f"{hours // 24} days"


def _longer_steps(period: Period) -> Iterator[Step]:
    first = period.first
    while first <= period.last:
        if period.days <= _DAYS_BY_WEEK:
            until = first + dt.timedelta(days=6 - first.weekday())
        else:
            until = _add_months(first.replace(day=1), 1) - dt.timedelta(days=1)
        last = min(until, period.last)
        weekly = period.days <= _DAYS_BY_WEEK
        label = say_short_day(first) if weekly else f"{MONTH_NAMES[first.month - 1][:3]}"
        yield Step(first, last, label if weekly else f"{label} {first:%y}")
        first = last + dt.timedelta(days=1)


def _read_day(text: str, field: str, which: str) -> dt.date:
    if not text.strip():
        raise BadPeriod(f"Enter the {which} day.", field=field)
    try:
        day = dt.date.fromisoformat(text.strip())
    except ValueError as error:
        raise BadPeriod(
            f"The {which} day isn't a date. Dates look like 2026-06-12.", field=field
        ) from error
    if not _FIRST <= day <= _LAST:
        raise BadPeriod("Reports know the years 2000 to 2099.", field=field)
    return day


def _whole_months(period: Period) -> int:
    """1, 3 or 12 when it is just so many calendar months, else 0."""
    if period.first.day != 1:
        return 0
    return next((n for n in (1, 3, 12) if _months(period.first, n).last == period.last), 0)


def _months(first: dt.date, number: int, name: str = "custom") -> Period:
    return Period(first, _add_months(first, number) - dt.timedelta(days=1), name)


def _add_months(first: dt.date, number: int) -> dt.date:
    years, month = divmod(first.year * 12 + first.month - 1 + number, 12)
    return dt.date(years, month + 1, 1)


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time())


def _say(day: dt.date) -> str:
    return f"{day.day} {MONTH_NAMES[day.month - 1]} {day.year}"
