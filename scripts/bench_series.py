"""How long a year of series takes: ten of them, five times a day, seven days a week.

Makes, changes and archives 18,250 sessions through the services that staff use, each with its
preview, on a database of its own; prints seconds. Run by `python scripts/bench_series.py`.
"""

import datetime as dt
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa
from flask_migrate import upgrade

from app import create_app
from domain.editing import mark_of_values
from domain.series_patterns import SeriesWish, TimeWish
from domain.words import WEEKDAYS
from models import (
    Organisation,
    Room,
    Session,
    SessionType,
    Site,
    db,
    new_object_id,
    new_uuid,
    transaction,
    unbound,
)
from services.series import (
    archive_series,
    create_series,
    find_series,
    preview_archiving,
    preview_series,
    save_series,
    wish_of,
)
from services.series_choices import Choices

ROOT = Path(__file__).resolve().parent.parent
NOW = dt.datetime(2026, 6, 1, 4, 0, tzinfo=dt.UTC)
GROUPS = 10


def fill() -> tuple[tuple[str, str], list[str], list[str]]:
    """A venue with ten rooms and ten types: where, the types, the rooms."""
    upgrade(directory=str(ROOT / "migrations"))
    house = Organisation(id=new_uuid(), name="Bench", code="BEN")
    site = Site(
        id=new_uuid(), organisation_id=house.id, slug="bench", name="Bench",
        zone="Europe/London", currency="GBP",
    )  # fmt: skip
    here = (house.id, site.id)
    rooms = [
        Room(organisation_id=house.id, site_id=site.id, name=f"Room {n}", cap=14)
        for n in range(GROUPS)
    ]
    types = [
        SessionType(
            id=new_object_id(), organisation_id=house.id, site_id=site.id, slug=f"t{n}",
            name="Thermal circuit", currency="GBP", link_key=new_uuid(), duration=60,
            offered_online=True, created_at=NOW, updated_at=NOW,
        )
        for n in range(GROUPS)
    ]  # fmt: skip
    with transaction():
        for rows in ([house], [site], [*rooms, *types]):
            db.session.add_all(rows)
            db.session.flush()
    return here, [row.id for row in types], [row.id for row in rooms]


def year_of(room_id: str) -> SeriesWish:
    """Five times a day, every day of a year."""
    return SeriesWish(
        weekdays=tuple(WEEKDAYS),
        start_times=tuple(TimeWish("", dt.time(hour)) for hour in (8, 10, 12, 14, 16)),
        room_id=room_id,
        capacity=8,
        recurrence_start=NOW.date() + dt.timedelta(days=1),
        recurrence_end=NOW.date() + dt.timedelta(days=365),
    )


def make(here: tuple[str, str], type_id: str, room_id: str) -> str:
    """One series, seen first and then saved; its id."""
    wish = year_of(room_id)
    shown = preview_series(*here, type_id=type_id, wish=wish, now=NOW).mark
    return create_series(*here, type_id, wish, shown=shown, key="", now=NOW)


def change(here: tuple[str, str], group_id: str) -> None:
    """Every session a quarter of an hour later, with fewer places."""
    saved = wish_of(find_series(*here, group_id))
    times = tuple(TimeWish(it.id, it.value.replace(minute=15)) for it in saved.start_times)
    wish = replace(saved, start_times=times, capacity=6)
    shown = preview_series(*here, group_id=group_id, wish=wish, now=NOW).mark
    seen = mark_of_values(saved.values)
    save_series(
        *here, group_id, wish, seen=seen, shown=shown, choices=Choices(), account_id=None, now=NOW
    )  # fmt: skip


def archive(here: tuple[str, str], group_id: str) -> None:
    """All of them go."""
    shown = preview_archiving(*here, group_id, now=NOW).mark
    archive_series(*here, group_id, shown=shown, now=NOW)


def measure(what: str, deed: Callable[[], object]) -> None:
    """Print how long it took, and how many sessions stand."""
    started = time.perf_counter()
    deed()
    seconds = time.perf_counter() - started
    stand = db.session.scalar(
        sa.select(sa.func.count(Session.id)).where(Session.deleted_at.is_(None)),
        execution_options=unbound("the bench counts all"),
    )
    print(f"{what:28} {seconds:6.1f} s   {stand:6} sessions stand")


def main() -> None:
    """Make, change, change nothing, archive."""
    here, types, rooms = fill()
    groups: list[str] = []
    measure(
        "10 series of a year made",
        lambda: groups.extend(make(here, *it) for it in zip(types, rooms, strict=True)),
    )
    measure("each session changed", lambda: [change(here, it) for it in groups])
    measure("saved again, unchanged", lambda: [change(here, it) for it in groups])
    measure("all archived", lambda: [archive(here, it) for it in groups])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("DATABASE_URL", f"sqlite:///{folder}/bench.db")
        shop = create_app(
            {"SECRET_KEY": "bench", "PRODUCTION": False, "NOW": NOW.isoformat(), "STARTED_AT": None}
        )
        with shop.app_context():
            main()
