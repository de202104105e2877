"""Each report from its numbers: figures on top, a chart, and tables that are also files."""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from blueprints.reports.charts import Chart, Series, make_chart, warmth
from blueprints.reports.money import Centres, say_tick, series_of_centres
from blueprints.reports.sheets import Cell, Share, Sheet, say_cell
from domain.money import Money
from domain.reporting import Period, Step, say_lead, say_share_short, share, step_of, steps
from domain.words import DAY_NAMES
from services.facts import Venue
from services.report_people import count_leads, count_visitors, count_waiting_parties
from services.reports import (
    Choices,
    Ledger,
    Loose,
    Scope,
    Tally,
    Worth,
    find_books,
    list_taken,
    summed,
    tally,
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a report is to be about."""

    venue: Venue
    choices: Choices
    scope: Scope
    period: Period
    now: dt.datetime
    by: str = "type"
    # Id and name of the sites that the person may compare.
    sites: tuple[tuple[str, str], ...] = ()

    @property
    def steps(self) -> tuple[Step, ...]:
        """The bars of a chart over time."""
        return steps(self.period)

    @property
    def today(self) -> int | None:
        """The bar that the present stands in."""
        day = self.now.astimezone(self.venue.zone).date()
        return next((n for n, s in enumerate(self.steps) if s.first <= day <= s.last), None)


@dataclass(frozen=True, slots=True)
class Figure:
    """One number in large, with what it is a part of."""

    title: str
    value: str
    beside: str = ""


@dataclass(frozen=True, slots=True)
class HeatRow:
    """A weekday with its hours: class, words for the cell, words for a reader."""

    name: str
    cells: tuple[tuple[int, str, str], ...]


@dataclass(frozen=True, slots=True)
class Heat:
    """How full each hour of each weekday is, as a table that says its numbers."""

    hours: tuple[int, ...]
    rows: tuple[HeatRow, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """A whole report; its first sheet is the file that is offered first."""

    figures: tuple[Figure, ...]
    sheets: tuple[Sheet, ...]
    charts: tuple[Chart, ...] = ()
    heat: Heat | None = None
    notes: tuple[str, ...] = field(default=())


BY = {"type": "Session types", "room": "Rooms", "practitioner": "Practitioners", "site": "Venues"}
WITHOUT = {"room": "No room", "practitioner": "Nobody set"}


def occupancy(asked: Asked) -> Report:
    """How full the sessions are, by weekday and hour and over time."""
    by_day = tally(asked.scope, asked.period, ("day", "hour"), priced=False, now=asked.now)
    by_hour = regrouped(by_day, lambda key: (key[0].weekday(), key[1]))
    whole = summed(list(by_hour.values()))
    over_time = stepped(by_day, asked.steps)
    ordered = sorted(by_hour.items())
    hours = Sheet(
        "hours",
        "By weekday and hour",
        ("Weekday", "From", "Sessions", "Guests", "Places", "Occupancy"),
        tuple((DAY_NAMES[day], f"{hour:02}:00", *_filled(one)) for (day, hour), one in ordered),
        ("All", "", *_filled(whole)) if ordered else (),
    )
    days = Sheet(
        "days",
        "Over time",
        ("From", "Sessions", "Guests", "Places", "Occupancy"),
        tuple(
            (step.first, *_filled(one)) for step, one in zip(asked.steps, over_time, strict=True)
        ),
        ("All", *_filled(whole)),
    )
    rates = tuple(share(one.guests, one.capacity) or 0 for one in over_time)
    chart = make_chart(
        "occupancy",
        "Occupancy over time",
        [step.label for step in asked.steps],
        [Series("Occupancy", "c1", rates)],
        say=lambda tenths: say_share_short(tenths),
        now=asked.today,
        unit=100,
        at_least=1000,
    )
    figures = (
        Figure("Occupancy", say_share_short(share(whole.guests, whole.capacity))),
        Figure("Guests", f"{whole.guests:,}", f"of {whole.capacity:,} places"),
        Figure("Sessions", f"{whole.sessions:,}"),
    )
    return Report(figures, (hours, days), (chart,), heat_of(by_hour))


def revenue(asked: Asked) -> Report:
    """What was sold for, by revenue centre, recognised and ahead, tied to the ledger."""
    found = tally(asked.scope, asked.period, ("day", "centre"), now=asked.now)
    loose, ledgers = find_books(asked.scope, asked.period, now=asked.now)
    centres = Centres.of(found, loose)
    main = asked.venue.currency
    totals = [centres.total(currency) for currency in centres.currencies(main)]
    figures = (
        Figure("Recognised", say_cell(Money(totals[0].recognised, main)), "sessions begun"),
        Figure("Booked ahead", say_cell(Money(totals[0].ahead, main)), "sessions to come"),
        Figure("Together", say_cell(Money(totals[0].total, main))),
    )
    series = series_of_centres(found, main, asked.steps)
    chart = make_chart(
        "revenue",
        "Revenue by centre over time",
        [step.label for step in asked.steps],
        series,
        say=lambda amount: say_cell(Money(amount, main)),
        say_tick=lambda amount: say_tick(amount, main),
        now=asked.today,
        unit=100,
    )
    sheets = [centres.sheet(main), _revenue_over_time(asked, found, loose)]
    if not asked.scope.is_filtered:
        sheets += [_ledger_sheet(ledgers), _payments_sheet(asked)]
    return Report(figures, tuple(sheets), (chart,), notes=_money_notes(asked, centres, main))


def compare(asked: Asked) -> Report:
    """Types, rooms, practitioners or venues side by side."""
    scope, names = asked.scope, _names(asked)
    if asked.by == "site":
        scope = Scope(scope.organisation_id, tuple(dict(asked.sites)), scope.zone)
    found = tally(scope, asked.period, (asked.by,), now=asked.now)
    ordered = sorted(found.items(), key=lambda pair: (-pair[1].guests, names.get(pair[0][0], "")))
    rows: list[tuple[Any, ...]] = []
    for (key,), one in ordered:
        sums = one.worth or {asked.venue.currency: Worth()}
        for number, (currency, worth) in enumerate(sorted(sums.items())):
            # What was counted stands once, its money once for each currency.
            counted = _compared(one if not number else Tally())
            money = (Money(worth.recognised, currency), Money(worth.ahead, currency))
            rows.append((names.get(key, "Not known"), *counted, *money))
    sheet = Sheet(
        asked.by,
        BY[asked.by],
        ("Name", "Sessions", "Guests", "Places", "Occupancy", "No-shows", "Recognised", "Ahead"),
        tuple(rows),
    )
    chart = make_chart(
        "compare",
        f"Occupancy of {BY[asked.by].lower()}",
        [_short(names.get(key, "Not known")) for (key,), _ in ordered[:12]],
        [Series("Occupancy", "c1", tuple(_rate(one) for _, one in ordered[:12]))],
        say=lambda tenths: say_share_short(tenths),
        unit=100,
        at_least=1000,
    )
    whole = summed(list(found.values()))
    figures = (
        Figure(BY[asked.by], f"{len(found):,}"),
        Figure("Guests", f"{whole.guests:,}", f"of {whole.capacity:,} places"),
        Figure("Occupancy", say_share_short(share(whole.guests, whole.capacity))),
    )
    note = "What an order's fee or discount is for can't be told, so it isn't in these sums."
    return Report(figures, (sheet,), (chart,), notes=(note,))


def customers(asked: Asked) -> Report:
    """Who came for the first time, and who came back."""
    found = count_visitors(asked.scope, asked.period, asked.steps)
    sheet = Sheet(
        "customers",
        "Orders by who made them",
        ("From", "First orders", "Later orders", "No address"),
        tuple(
            (step.first, one.first, one.later, one.unknown)
            for step, one in zip(asked.steps, found.by_step, strict=True)
        ),
        (
            "All",
            *(sum(getattr(o, what) for o in found.by_step) for what in ("first", "later")),
            found.unknown,
        ),
    )
    chart = make_chart(
        "customers",
        "Orders of new and returning customers",
        [step.label for step in asked.steps],
        [
            Series("First orders", "c1", tuple(one.first for one in found.by_step)),
            Series("Later orders", "c4", tuple(one.later for one in found.by_step)),
            Series("No address", "c6", tuple(one.unknown for one in found.by_step)),
        ],
        say=lambda number: f"{number:,}",
        now=asked.today,
    )
    known = found.new + found.returning
    figures = (
        Figure("New customers", f"{found.new:,}", _of(found.new, known)),
        Figure("Returning customers", f"{found.returning:,}", _of(found.returning, known)),
        Figure("Orders without an address", f"{found.unknown:,}"),
    )
    note = (
        "New: their first order ever, at any of your venues, was confirmed here in these days."
        " Orders with one address are one customer's; who left none can't be told apart."
    )
    return Report(figures, (sheet,), (chart,), notes=(note,))


def lead_time(asked: Asked) -> Report:
    """How early people book."""
    found = count_leads(asked.scope, asked.period)
    rows = tuple(
        (name, number, guests, Share(share(number, found.total)))
        for (name, number), guests in zip(found.bookings, found.guests, strict=True)
    )
    total = ("All", found.total, sum(found.guests), Share(share(found.total, found.total)))
    sheet = Sheet(
        "lead-time",
        "From the booking to the start",
        ("Lead time", "Bookings", "Guests", "Share"),
        rows,
        total,
    )
    chart = make_chart(
        "lead",
        "Bookings by lead time",
        [name for name, _ in found.bookings],
        [Series("Bookings", "c1", tuple(number for _, number in found.bookings))],
        say=lambda number: f"{number:,}",
    )
    figures = (
        Figure("Half book at least", say_lead(found.median), "ahead" if found.total else ""),
        Figure("Bookings made", f"{found.total:,}", f"{sum(found.guests):,} guests"),
    )
    note = "Bookings confirmed in these days, also those that were cancelled later."
    return Report(figures, (sheet,), (chart,), notes=(note,))


def waitlist(asked: Asked) -> Report:
    """What became of the parties that joined a waiting list."""
    found = count_waiting_parties(asked.scope, asked.period, asked.steps, now=asked.now)
    whole, names = found.whole, dict(asked.choices.types)
    columns = ("Joined", "Accepted", "Offered now", "Still waiting", "Missed", "Left", "Closed")
    told = ("joined", "accepted", "offered", "waiting", "missed", "left", "closed")

    def cells(one: Any) -> tuple[Any, ...]:
        numbers = tuple(getattr(one, what) for what in told)
        return (*numbers, Share(share(one.accepted, one.joined)))

    ordered = sorted(found.by_type.items(), key=lambda pair: (-pair[1].joined, pair[0]))
    types = Sheet(
        "types",
        "By session type",
        ("Session type", *columns, "Accepted, share"),
        tuple((names.get(key, "Not known"), *cells(one)) for key, one in ordered),
        ("All", *cells(whole)) if ordered else (),
    )
    days = Sheet(
        "days",
        "By the day they joined",
        ("From", *columns, "Accepted, share"),
        tuple(
            (step.first, *cells(one)) for step, one in zip(asked.steps, found.by_step, strict=True)
        ),
        ("All", *cells(whole)),
    )
    chart = make_chart(
        "waitlist",
        "Parties that joined a waitlist",
        [step.label for step in asked.steps],
        [
            Series("Accepted an offer", "c1", tuple(one.accepted for one in found.by_step)),
            Series("Did not", "c4", tuple(one.joined - one.accepted for one in found.by_step)),
        ],
        say=lambda number: f"{number:,}",
        now=asked.today,
    )
    figures = (
        Figure("Joined", f"{whole.joined:,}", f"{whole.guests:,} guests"),
        Figure("Accepted", f"{whole.accepted:,}", f"{whole.accepted_guests:,} guests"),
        Figure("Conversion", say_share_short(share(whole.accepted, whole.joined))),
    )
    note = "Parties that joined in these days, and what has become of them by now."
    return Report(figures, (types, days), (chart,), notes=(note,))


def no_shows(asked: Asked) -> Report:
    """Guests who did not come, of those who were due."""
    by_day = tally(asked.scope, asked.period, ("day", "type"), priced=False, now=asked.now)
    by_type = regrouped(by_day, lambda key: key[1:])
    whole, names = summed(list(by_day.values())), dict(asked.choices.types)
    over_time = stepped(by_day, asked.steps)

    def cells(one: Tally) -> tuple[Any, ...]:
        return one.due_parties, one.due, one.missed_parties, one.missed, Share(_missing(one))

    columns = ("Parties due", "Guests due", "Parties missed", "Guests missed", "No-shows")
    ordered = sorted(by_type.items(), key=lambda pair: (-pair[1].missed, names.get(pair[0][0], "")))
    types = Sheet(
        "types",
        "By session type",
        ("Session type", *columns),
        tuple((names.get(key, "Not known"), *cells(one)) for (key,), one in ordered if one.due),
        ("All", *cells(whole)) if whole.due else (),
    )
    days = Sheet(
        "days",
        "Over time",
        ("From", *columns),
        tuple((s.first, *cells(one)) for s, one in zip(asked.steps, over_time, strict=True)),
        ("All", *cells(whole)),
    )
    chart = make_chart(
        "no-shows",
        "No-shows over time",
        [step.label for step in asked.steps],
        [Series("No-shows", "c2", tuple(_missing(one) or 0 for one in over_time))],
        say=lambda tenths: say_share_short(tenths),
        now=asked.today,
        unit=10,
        at_least=50,
    )
    figures = (
        Figure("No-shows", say_share_short(_missing(whole)), "of guests due"),
        Figure("Guests missed", f"{whole.missed:,}", f"of {whole.due:,} due"),
        Figure("Parties missed", f"{whole.missed_parties:,}", f"of {whole.due_parties:,}"),
    )
    return Report(figures, (types, days), (chart,), notes=("Sessions that have begun.",))


REPORTS: dict[str, tuple[str, str, Callable[[Asked], Report]]] = {
    "occupancy": ("Occupancy", "How full sessions are, by weekday and hour.", occupancy),
    "revenue": ("Revenue", "Recognised and booked ahead, tied to the ledger.", revenue),
    "compare": ("Side by side", "Types, rooms, practitioners and venues compared.", compare),
    "new-and-returning": (
        "Customers",
        "Who came for the first time, and who came back.",
        customers,
    ),
    "lead-time": ("Lead time", "How early people book.", lead_time),
    "waitlist": ("Waitlist", "How many who wait get a place.", waitlist),
    "no-shows": ("No-shows", "Who was expected and did not come.", no_shows),
}
"""Name in the address: title, one line about it, and what makes it."""


def stepped(found: Mapping[tuple[Any, ...], Tally], all_steps: tuple[Step, ...]) -> list[Tally]:
    """Tallies by day (first of their key) put together by step."""
    over_time = [Tally() for _ in all_steps]
    for key, one in found.items():
        over_time[step_of(all_steps, key[0])].add(one)
    return over_time


def regrouped(
    found: Mapping[tuple[Any, ...], Tally], key_of: Callable[[tuple[Any, ...]], tuple[Any, ...]]
) -> dict[tuple[Any, ...], Tally]:
    """The same tallies under fewer keys."""
    fewer: dict[tuple[Any, ...], Tally] = defaultdict(Tally)
    for key, one in found.items():
        fewer[key_of(key)].add(one)
    return dict(fewer)


def heat_of(found: Mapping[tuple[Any, ...], Tally]) -> Heat | None:
    """Tallies by weekday and hour as a table from the first to the last hour in use."""
    if not found:
        return None
    hours = tuple(range(min(h for _, h in found), max(h for _, h in found) + 1))
    rows = []
    for day, name in enumerate(DAY_NAMES):
        cells = []
        for hour in hours:
            one = found.get((day, hour), Tally())
            rate = share(one.guests, one.capacity)
            said = f"{one.guests:,} of {one.capacity:,} places" if one.capacity else "no sessions"
            cells.append((warmth(rate), "" if rate is None else str((rate + 5) // 10), said))
        rows.append(HeatRow(name, tuple(cells)))
    return Heat(hours, tuple(rows))


def _revenue_over_time(
    asked: Asked, found: Mapping[tuple[Any, ...], Tally], loose: tuple[Loose, ...]
) -> Sheet:
    sums: dict[tuple[int, str], list[int]] = {}

    def add(day: dt.date, currency: str, values: tuple[int, int, int]) -> None:
        mine = sums.setdefault((step_of(asked.steps, day), currency), [0, 0, 0])
        for number, value in enumerate(values):
            mine[number] += value

    for number in range(len(asked.steps)):
        sums[number, asked.venue.currency] = [0, 0, 0]
    for (day, _), one in found.items():
        for currency, worth in one.worth.items():
            add(day, currency, (worth.recognised, worth.ahead, 0))
    for extra in loose:
        add(extra.day, extra.currency, (0, 0, extra.recognised + extra.ahead))
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            asked.steps[number].first,
            *(Money(value, currency) for value in values),
            Money(sum(values), currency),
        )
        for (number, currency), values in sorted(sums.items())
    )
    return Sheet(
        "days",
        "Over time",
        ("From", "Recognised", "Ahead", "Not tied to a session", "Together"),
        rows,
    )


def _ledger_sheet(ledgers: tuple[Ledger, ...]) -> Sheet:
    return Sheet(
        "ledger",
        "From the ledger to this report",
        ("Currency", "Charges", "Adjustments", "Lines on other days", "Revenue"),
        tuple(
            (
                one.currency,
                *(
                    Money(value, one.currency)
                    for value in (one.charges, one.adjustments, -one.other_days, one.revenue)
                ),
            )
            for one in ledgers
        ),
        note="Of all orders with a session in these days. Revenue is the sum of the table above.",
    )


def _payments_sheet(asked: Asked) -> Sheet:
    return Sheet(
        "payments",
        "Money taken in these days",
        ("Method", "Payments", "Refunds", "Together", "Entries"),
        tuple(
            (
                one.method or "No method noted",
                Money(one.payments, one.currency),
                Money(one.refunds, one.currency),
                Money(one.payments + one.refunds, one.currency),
                one.number,
            )
            for one in list_taken(asked.scope, asked.period)
        ),
        note="By the day it was taken, whenever the session is.",
    )


def _money_notes(asked: Asked, centres: Centres, main: str) -> tuple[str, ...]:
    notes = [
        "Revenue stands on the day of the session. What was cancelled counts for nothing; a"
        " no-show who still owes counts."
    ]
    if asked.scope.is_filtered:
        notes.append(
            "Fees and discounts of whole orders belong to no one type, room or practitioner:"
            " they are left out here, and so is the way to the ledger."
        )
    if len(centres.currencies(main)) > 1:
        notes.append(f"The chart shows {main} only.")
    return tuple(notes)


def _names(asked: Asked) -> dict[Any, str]:
    known = {
        "type": asked.choices.types,
        "room": asked.choices.rooms,
        "practitioner": asked.choices.practitioners,
        "site": asked.sites,
    }[asked.by]
    return {None: WITHOUT.get(asked.by, "None"), **dict(known)}


def _filled(one: Tally) -> tuple[Any, ...]:
    return one.sessions, one.guests, one.capacity, Share(share(one.guests, one.capacity))


def _compared(one: Tally) -> tuple[Any, ...]:
    return (*_filled(one), Share(_missing(one)))


def _rate(one: Tally) -> int:
    return share(one.guests, one.capacity) or 0


def _missing(one: Tally) -> int | None:
    return share(one.missed, one.due)


def _of(part: int, whole: int) -> str:
    return f"{say_share_short(share(part, whole))} of {whole:,}" if whole else ""


def _short(name: str) -> str:
    return name if len(name) < 26 else f"{name[:24].rstrip()}…"
