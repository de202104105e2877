"""What the customer's and the staff's pages of changing a booking share."""

import datetime as dt
import re
from dataclasses import dataclass

from flask import request

from domain.errors import ChangedSince, KeyReused, NotBookable, NotChangeable, RuleBroken
from domain.local_time import local_day
from services.changing import Door, Standing
from services.moving import Target, Targets, find_target, list_targets
from services.timetable import is_planned_month

REFUSALS = (NotBookable, NotChangeable, KeyReused)
"""What a press can be answered with on its own page."""

CONFLICTS = ("places_left", "party_left", "cancelled", "checked_in")


def status_of(refusal: RuleBroken) -> int:
    """409 for what somebody else has changed meanwhile, 422 for what the rules say."""
    is_conflict = isinstance(refusal, ChangedSince | KeyReused) or refusal.code in CONFLICTS
    return 409 if is_conflict else 422


def sent_number(name: str) -> int:
    """A whole number of the form; -1, which no page shows, for anything else."""
    text = request.form.get(name, "")
    return int(text) if re.fullmatch(r"[0-9]{1,12}", text, re.ASCII) else -1


def sent_numbers(name: str) -> list[int]:
    """The ticked boxes of one name; -1 for what is no number."""
    texts = request.form.getlist(name)[:200]
    return [int(it) if re.fullmatch(r"[0-9]{1,4}", it, re.ASCII) else -1 for it in texts]


@dataclass(frozen=True, slots=True)
class Choosing:
    """The page on which another session is chosen: a month, a day, and one session."""

    targets: Targets
    day: dt.date | None
    target: Target | None
    refusal: RuleBroken | None = None
    """Why the session that was asked for can't be had."""

    @property
    def sessions(self) -> list[Target]:
        """What can be chosen on the day."""
        return self.targets.on(self.day)


def read_choosing(door: Door, standing: Standing, now: dt.datetime) -> Choosing:
    """From the address or the form: `to` one session, else `date`, else `month`."""
    wanted, target, refusal = request.values.get("to", "")[:64], None, None
    if wanted and standing.refusal is None:
        try:
            target = find_target(door, standing, wanted, now=now)
        except REFUSALS as broken:
            refusal = broken
    asked = _read_date(request.values.get("date", ""))
    if target is not None:
        asked = target.local_start.date()
    today = local_day(now, standing.venue.zone)
    month = (asked.year, asked.month) if asked else _read_month(request.values.get("month", ""))
    if month is not None and not is_planned_month(*month, today):
        month, asked = None, None
    targets = list_targets(door, standing, month=month, now=now)
    near = asked or standing.booking.session.local_start.date()
    return Choosing(targets, _nearest(targets.days, near), target, refusal)


def _nearest(days: list[dt.date], wanted: dt.date) -> dt.date | None:
    """The day itself, else the next one after it, else the last before; None without any."""
    return next((day for day in days if day >= wanted), days[-1] if days else None)


def _read_month(text: str) -> tuple[int, int] | None:
    found = re.fullmatch(r"(\d{4})-(\d{2})", text, re.ASCII)
    return (int(found[1]), int(found[2])) if found else None


def _read_date(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None
