"""The day at a glance: figures beside last week's, what starts next, what needs attention."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from flask import url_for

from blueprints.reports.charts import CARD, Chart, line_of, make_chart
from blueprints.reports.money import Centres, say_tick, series_of_centres
from blueprints.reports.pages import Heat, heat_of
from blueprints.reports.sheets import Sheet, say_cell
from domain.local_time import local_day
from domain.money import Money
from domain.reporting import Period, say_share_short, share, steps, this_period
from domain.words import DAY_NAMES, count, say_time
from services.accounts import Desk
from services.outbox_desk import Scope as MailScope
from services.reports import Scope, Tally, find_books, summed, tally
from services.today import Coming, Matter, count_waiting_now, list_coming, list_matters

DESK = "RESERVATIONS_MANAGE"
SHOWN = 3
"""Sessions named under one matter; the rest are counted."""
FORTNIGHT, MONTH = 14, 30


@dataclass(frozen=True, slots=True)
class Kpi:
    """A figure of the day: what it was before in words, whether that is good, its small line."""

    title: str
    value: str
    beside: str
    change: str
    than: str
    # "up" is good, "down" is bad, "" says nothing.
    mood: str
    line: str


@dataclass(frozen=True, slots=True)
class Notice:
    """One kind of matter: its sentence and the pages where it is mended."""

    glyph: str
    mood: str
    sentence: str
    # Words and address; no address for who may not open it.
    links: tuple[tuple[str, str], ...]
    more: int = 0


class Board:
    """Everything the dashboard shows, read when it is asked for."""

    def __init__(self, desk: Desk, mail: MailScope, now: dt.datetime) -> None:
        self.venue, self._desk, self._mail, self._now = desk.venue, desk, mail, now
        self.today = local_day(now, self.venue.zone)
        self._scope = Scope(self.venue.organisation_id, (self.venue.id,), self.venue.zone)

    @cached_property
    def coming(self) -> list[Coming]:
        return list_coming(self.venue, now=self._now)

    @cached_property
    def waiting(self) -> tuple[int, int]:
        return count_waiting_now(self.venue.organisation_id, self.venue.id, now=self._now)

    @cached_property
    def notices(self) -> list[Notice]:
        by_kind: dict[str, list[Matter]] = {}
        for matter in list_matters(self.venue, self._mail, now=self._now):
            by_kind.setdefault(matter.kind, []).append(matter)
        return [self._notice(kind, matters) for kind, matters in by_kind.items()]

    @cached_property
    def kpis(self) -> list[Kpi]:
        return [self._guests(), self._occupancy(), self._revenue(), self._no_shows()]

    @cached_property
    def fortnight(self) -> Period:
        return Period(self.today - dt.timedelta(days=FORTNIGHT - 1), self.today)

    @cached_property
    def centres(self) -> Sheet:
        loose, _ = find_books(self._scope, self.fortnight, now=self._now)
        return Centres.of(self._lately, loose).sheet(self.venue.currency)

    @cached_property
    def chart(self) -> Chart:
        currency, days = self.venue.currency, steps(self.fortnight)
        return make_chart(
            "revenue",
            "Revenue by centre, last 14 days",
            [step.label for step in days],
            series_of_centres(self._lately, currency, days),
            say=lambda amount: say_cell(Money(amount, currency)),
            say_tick=lambda amount: say_tick(amount, currency),
            now=len(days) - 1,
            unit=100,
            chart_width=CARD,
        )

    @cached_property
    def heat(self) -> Heat | None:
        week = this_period("week", self.today)
        return heat_of(tally(self._scope, week, ("weekday", "hour"), priced=False, now=self._now))

    @cached_property
    def _days(self) -> dict[tuple[Any, ...], Tally]:
        """By day and centre, from so long ago that every figure has one to stand beside."""
        first = self.today - dt.timedelta(days=2 * MONTH - 1)
        last = self.today + dt.timedelta(days=6)
        return tally(self._scope, Period(first, last), ("day", "centre"), now=self._now)

    @cached_property
    def _lately(self) -> dict[tuple[Any, ...], Tally]:
        return {
            key: one
            for key, one in self._days.items()
            if self.fortnight.first <= key[0] <= self.fortnight.last
        }

    def _between(self, first: int, last: int) -> Tally:
        """Days counted from today, which is 0."""
        begins, ends = (self.today + dt.timedelta(days=n) for n in (first, last))
        return summed([one for (day, _), one in self._days.items() if begins <= day <= ends])

    def _line(self, value: Callable[[Tally], int | None], width: int = 1) -> str:
        """The last fortnight in a small line, or 8 spans of `width` days."""
        number = FORTNIGHT if width == 1 else 8
        spans = [(-width * n - width + 1, -width * n) for n in reversed(range(number))]
        return line_of([value(self._between(*span)) for span in spans])

    @property
    def _last(self) -> str:
        return f"than last {DAY_NAMES[self.today.weekday()]}"

    def _guests(self) -> Kpi:
        now, before = self._between(0, 0), self._between(-7, -7)
        change, mood = _more(now.guests - before.guests, lambda number: f"{number:,}")
        return Kpi(
            "Guests today",
            f"{now.guests:,}",
            f"of {now.capacity:,} places",
            change,
            self._last if change != "As many" else f"as last {DAY_NAMES[self.today.weekday()]}",
            mood,
            self._line(lambda one: one.guests),
        )

    def _occupancy(self) -> Kpi:
        begins = -self.today.weekday()
        now, before = self._between(begins, begins + 6), self._between(begins - 7, begins - 1)
        change, mood = _points(_full(now), _full(before))
        return Kpi(
            "Occupancy this week",
            say_share_short(_full(now)),
            "",
            change,
            "on last week" if change else "Nothing to compare with",
            mood,
            self._line(_full),
        )

    def _revenue(self) -> Kpi:
        currency = self.venue.currency
        now, before = self._between(0, 0), self._between(-7, -7)
        worth, was = (one.worth[currency].total for one in (now, before))
        change, mood = _more(worth - was, lambda amount: say_cell(Money(amount, currency)))
        return Kpi(
            "Revenue today",
            say_cell(Money(worth, currency)).removesuffix(".00"),
            "",
            change.replace(".00", ""),
            self._last if change != "As many" else f"as last {DAY_NAMES[self.today.weekday()]}",
            mood,
            self._line(lambda one: one.worth[currency].total),
        )

    def _no_shows(self) -> Kpi:
        now, before = self._between(1 - MONTH, 0), self._between(1 - 2 * MONTH, -MONTH)
        change, mood = _points(_missing(now), _missing(before))
        return Kpi(
            "No-shows, 30 days",
            say_share_short(_missing(now)),
            "of guests" if now.due else "",
            change,
            "on the 30 days before" if change else "Nothing to compare with",
            {"up": "down", "down": "up"}.get(mood, ""),
            self._line(_missing, 7),
        )

    def _notice(self, kind: str, matters: Sequence[Matter]) -> Notice:
        glyph, mood, sentence = _say(kind, matters)
        if kind == "mail":
            address = self._address("house.outbox", show="failed")
            return Notice(glyph, mood, sentence, (("Outbox", address),))
        endpoint = "waiting.desk_list" if kind == "waiting" else "desk.roster"
        first = self._next_first(matters)
        links = tuple(
            (
                f"{self._when(matter)} {matter.name}",
                self._address(endpoint, session_id=matter.session_id),
            )
            for matter in first[:SHOWN]
        )
        return Notice(glyph, mood, sentence, links, max(0, len(matters) - SHOWN))

    def _next_first(self, matters: Sequence[Matter]) -> list[Matter]:
        """Of a whole day's sessions those that run or come next, then the ones that are over."""
        local = self._now.astimezone(self.venue.zone).replace(tzinfo=None)
        hour_ago = local - dt.timedelta(hours=1)
        return sorted(
            matters, key=lambda one: one.local_start is None or one.local_start < hour_ago
        )

    def _when(self, matter: Matter) -> str:
        if matter.local_start is None:
            return ""
        day = matter.local_start.date()
        said = say_time(matter.local_start)
        if day == self.today:
            return said
        if day == self.today + dt.timedelta(days=1):
            return f"Tomorrow {said}"
        return f"{day:%a} {day.day} {day:%b} {said}"

    def _address(self, endpoint: str, **values: Any) -> str:
        if DESK not in self._desk.rights:
            return ""
        return url_for(endpoint, site=self.venue.slug, **values)


def _say(kind: str, matters: Sequence[Matter]) -> tuple[str, str, str]:
    number = sum(matter.number for matter in matters)
    if kind == "arrivals":
        return "clock", "sun", f"{count(number, 'party', 'parties')} expected at the desk now."
    if kind == "nobody":
        return "user", "bad", f"{count(number, 'session')} today or tomorrow with nobody to lead."
    if kind == "waiting":
        free = sum(matter.places for matter in matters)
        who = count(number, "party waits", "parties wait")
        return "hourglass", "sun", f"{who} where {count(free, 'place is', 'places are')} free."
    if kind == "forms":
        who = count(number, "party has", "parties have")
        return "file-text", "bad", f"{who} forms to fill in before today’s visit."
    if kind == "mail":
        return "mail", "bad", f"{count(number, 'mail')} could not be sent."
    sums: dict[str, int] = {}
    for matter in matters:
        sums[matter.currency] = sums.get(matter.currency, 0) + matter.amount
    owed = " and ".join(say_cell(Money(sum_, code)) for code, sum_ in sorted(sums.items()))
    return "wallet", "", f"{owed} to be paid on {count(number, 'order')} of today."


def _full(one: Tally) -> int | None:
    return share(one.guests, one.capacity)


def _missing(one: Tally) -> int | None:
    return share(one.missed, one.due)


def _more(difference: int, say: Callable[[int], str]) -> tuple[str, str]:
    if not difference:
        return "As many", ""
    more = difference > 0
    return f"{say(abs(difference))} {'more' if more else 'less'}", "up" if more else "down"


def _points(now: int | None, before: int | None) -> tuple[str, str]:
    """A difference of shares in points; nothing where one of them is missing."""
    if now is None or before is None:
        return "", ""
    difference = now - before
    if not difference:
        return "No change", ""
    tenths = abs(difference)
    said = f"{tenths // 10}" if tenths % 10 == 0 else f"{tenths // 10}.{tenths % 10}"
    up = difference > 0
    noun = "point" if tenths == 10 else "points"
    return f"{said} {noun} {'up' if up else 'down'}", "up" if up else "down"
