"""The demo venues: from the files of demo/ to a database with a lively diary."""

import datetime as dt
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from domain.venue_rules import RESERVED_SLUGS
from models import (
    Organisation,
    db,
    refresh_statistics,
    transaction,
)
from services.demo_diary import Diary
from services.demo_house import Founding, Row, found_forms
from services.demo_letters import put_letters_aside
from services.demo_links import found_links
from services.scheduling import produce_sessions


def is_empty() -> bool:
    """Whether the database has no organisation yet."""
    return db.session.scalar(sa.select(Organisation.id).limit(1)) is None


def load_demo(folder: Path, *, now: dt.datetime, say: Callable[[str], None]) -> None:
    """Load every organisation of `folder` and a diary around `now`; ValueError for a bad slug."""
    people = _read(folder / "people.toml")["people"]
    for plan in _read_organisations(folder):
        name = plan["organisation"]["name"]
        with transaction():
            house = Founding(plan, now).found(people)
        found_forms(house, plan, now)
        made = sum(
            produce_sessions(house.organisation_id, group_id, now=now)
            for group_id in house.group_ids
        )
        say(f"{name}: {len(plan['sites'])} sites, {len(house.type_ids)} offers, {made} sessions")
        diary = Diary(house, plan["bookings"], now)
        diary.book()
        diary.fill_in_forms(plan["session_types"])
        diary.run_the_desk()
        diary.take_payments()
        say(f"{name}: {diary.sold} bookings")
        found_links(house, plan, now)
    put_letters_aside(now=now)
    refresh_statistics()


def list_sign_ins(folder: Path) -> list[tuple[str, str, str, str]]:
    """Name, role, e-mail and password of everybody who can sign in to the demo."""
    found = []
    for plan in _read_organisations(folder):
        house = plan["organisation"]["name"]
        places = {site["key"]: site["place"] for site in plan["sites"]}
        kinds = {kind["key"]: kind["name"] for kind in plan["membership_types"]}
        for person in plan["staff"]:
            where = " and ".join(places[key] for key in person.get("sites", []))
            role = f"{person['title']}, {house} {where}".strip()
            found.append((person["name"], role, person["email"], person["password"]))
        for person in plan["customers"]:
            held = [kinds[membership["type"]] for membership in person["memberships"]]
            role = f"{house} customer, {' and '.join(held) or 'no membership'}"
            found.append((person["name"], role, person["email"], person["password"]))
    return found


def _read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text("utf-8"))


def _read_organisations(folder: Path) -> Sequence[Row]:
    files = [_read(path) for path in sorted(folder.glob("*.toml"))]
    plans = [plan for plan in files if "organisation" in plan]
    # The house with several sites first: it is the one that people look at.
    plans.sort(key=lambda plan: -len(plan["sites"]))
    for site in (site for plan in plans for site in plan["sites"]):
        if site["slug"] in RESERVED_SLUGS:
            raise ValueError(
                f"The site {site['name']} can't have the slug “{site['slug']}”: "
                "other pages have that address."
            )
    return plans
