"""Looks the demo data over: references, price rules, rooms and people in two places at once.

Run: python demo/check.py
"""

import collections
import datetime as dt
import itertools
import pathlib
import sys
import tomllib
from typing import Any

HERE = pathlib.Path(__file__).parent
DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
TODAY = dt.datetime.now(dt.UTC).date()
GAPS_MEANT = {"weir-tea"}
KINDS = "text long_text choice several tick date number signature".split()
TABLES = (
    *("sites", "zones", "rooms", "practitioners"),
    *("categories", "membership_types", "session_types"),
)
Row = dict[str, Any]
problems: set[str] = set()


def need(ok: object, text: str) -> None:
    if not ok:
        problems.add(text)


def say(text: str) -> None:
    sys.stdout.write(text + "\n")


class Demo:
    """One file's rows by key, and what each room and person does when."""

    def __init__(self, name: str) -> None:
        self.data: Row = tomllib.loads((HERE / name).read_text("utf-8"))
        self.by: dict[str, dict[str, Row]] = {}
        for table in TABLES:
            rows = self.data[table]
            self.by[table] = {row["key"]: row for row in rows}
            need(len(self.by[table]) == len(rows), f"{table}: a key twice")
        self.arts = {path.stem for path in (HERE.parent / "static/img").glob("*.svg")}
        self.lanes: dict[str, list[tuple[dt.datetime, dt.datetime, str]]] = {}

    def refers(self, who: str, table: str, *keys: str) -> None:
        for key in keys:
            need(key in self.by[table], f"{who}: no “{key}” in {table}")

    def check_places(self) -> None:
        for site in self.by["sites"].values():
            for art in (site["hero_art"], site.get("map_art", site["hero_art"])):
                need(art in self.arts, f"{site['key']}: no picture {art}")
        for room in self.by["rooms"].values():
            self.refers(room["key"], "sites", room["site"])
            self.refers(room["key"], "zones", room["zone"])
            zone = self.by["zones"][room["zone"]]
            need(zone["site"] == room["site"], f"room {room['key']}: its zone is elsewhere")
        for person in self.by["practitioners"].values():
            self.refers(person["key"], "sites", *person["sites"])
            self.refers(person["key"], "session_types", *person.get("leads", []))

    def check_people(self) -> None:
        for person in self.data["staff"]:
            self.refers(person["name"], "sites", *person.get("sites", []))
        for person in self.data["customers"]:
            kinds = [membership["type"] for membership in person["memberships"]]
            self.refers(person["name"], "membership_types", *kinds)

    def check_bookings(self) -> None:
        for key, share in self.data["bookings"]["fill"]:
            self.refers("fill", "session_types", key)
            need(0 <= share <= 1, f"fill: {key}")
        for key, day in self.data["bookings"]["full"]:
            self.refers("full", "session_types", key)
            groups = self.by["session_types"][key]["recurrence_groups"]
            need(any(day in group["weekdays"] for group in groups), f"full: {key} {day}")

    def check_type(self, kind: Row) -> None:
        key = kind["key"]
        self.refers(key, "sites", kind["site"])
        self.refers(key, "categories", *kind["categories"])
        suggested = [*kind.get("goes_with", []), *kind.get("followed_by", [])]
        self.refers(key, "session_types", *suggested)
        need(key not in suggested, f"{key}: goes with itself")
        members = list(kind.get("permitted_membership_types", []))
        members += [w["membership_type"] for w in kind.get("membership_booking_windows", [])]
        for rule in kind["price_rules"]:
            members += rule.get("membership_types", [])
            need(set(rule.get("weekdays", [])) <= set(DAYS), f"{key}: weekday")
            first, last = rule.get("season", ["01-01", "12-31"])
            need(first <= last, f"{key}: season over the new year")
        self.refers(key, "membership_types", *members)
        need(kind["art"] in self.arts, f"{key}: no picture {kind['art']}")
        need(kind["min_guests"] <= kind["max_guests"], f"{key}: guests")
        has_fee = kind.get("late_fee") or kind.get("no_show_fee")
        need(has_fee or "fees_waivable_hours" not in kind, f"{key}: no fee to waive")
        need("late_fee" in kind or "late_after_minutes" not in kind, f"{key}: late for nothing")

    def check_intake(self, kind: Row) -> None:
        """Every question can be answered by the demo's people."""
        for asked in kind.get("intake", []):
            who = f"{kind['key']}: {asked['label']}"
            need(asked["kind"] in KINDS, f"{who}: kind")
            need(asked.get("asked_of", "booker") in ("booker", "each_guest"), f"{who}: asked of")
            options = asked.get("options", [])
            need(bool(options) == (asked["kind"] in ("choice", "several")), f"{who}: options")
            given = asked.get("answers", [])
            need(bool(given) == (asked["kind"] not in ("tick", "signature")), f"{who}: answers")
            need(not options or set(given) <= set(options), f"{who}: an answer is no option")
        need(
            not any(it.get("asked_of") == "each_guest" for it in kind.get("intake", []))
            or kind["max_guests"] == 1
            or kind.get("max_per_guest"),
            f"{kind['key']}: asks guests whose names the diary doesn't know",
        )

    def check_group(self, kind: Row, group: Row) -> None:
        key, room = kind["key"], self.by["rooms"][group["room"]]
        need(room["site"] == kind["site"], f"{key}: its room is elsewhere")
        need(kind["min_guests"] <= group["capacity"] <= room["cap"], f"{key}: capacity")
        if leader := group.get("practitioner"):
            sites = self.by["practitioners"][leader]["sites"]
            need(kind["site"] in sites, f"{key}: {leader} works elsewhere")

    def place(self, kind: Row, group: Row, start: dt.datetime) -> None:
        """Put one session into the lanes of its room and of who leads it."""
        site, room = self.by["sites"][kind["site"]], self.by["rooms"][group["room"]]
        end = start + dt.timedelta(minutes=kind["duration"])
        inside = site["opens_at"] <= f"{start:%H:%M}" < f"{end:%H:%M}" <= site["closes_at"]
        need(inside, f"{kind['key']} {start:%H:%M}: outside opening hours")
        free = end + dt.timedelta(minutes=room["turnaround"])
        self.lanes.setdefault(f"room {room['key']}", []).append((start, free, kind["key"]))
        if leader := group.get("practitioner"):
            self.lanes.setdefault(leader, []).append((start, end, kind["key"]))

    def check_lanes(self) -> None:
        for lane, spans in self.lanes.items():
            for (_, end, one), (start, _, other) in itertools.pairwise(sorted(spans)):
                need(start >= end, f"{lane}: {one} and {other} clash, {start:%a %H:%M}")


def starts(group: Row) -> list[dt.datetime]:
    first = TODAY + dt.timedelta(days=group["starts_in_days"])
    days = [first + dt.timedelta(days=n) for n in range(group["lasts_days"] + 1)]
    return [
        dt.datetime.combine(day, dt.time.fromisoformat(time))
        for day in days
        if DAYS[day.weekday()] in group["weekdays"]
        for time in group["start_times"]
    ]


def matches(rule: Row, start: dt.datetime) -> bool:
    """Whether a visitor pays by this rule, were it the only one."""
    first, last = rule.get("season", ["01-01", "12-31"])
    return (
        not rule.get("membership_types")
        and DAYS[start.weekday()] in rule.get("weekdays", DAYS)
        and first <= f"{start:%m-%d}" <= last
        and rule.get("time_from", "00:00") <= f"{start:%H:%M}" < rule.get("time_to", "24:00")
    )


def check_prices(kind: Row, when: list[dt.datetime]) -> int:
    """How many sessions no rule prices; a rule that never applies is a problem."""
    used = collections.Counter(
        next((n for n, rule in enumerate(kind["price_rules"]) if matches(rule, start)), None)
        for start in when
    )
    need(bool(used[None]) == (kind["key"] in GAPS_MEANT), f"{kind['key']}: gap of {used[None]}")
    for number, rule in enumerate(kind["price_rules"]):
        by_visit = not rule.get("membership_types") and not rule.get("season")
        need(
            not when or not by_visit or used[number],
            f"{kind['key']}: {rule['label']} never applies",
        )
    return used[None]


def check(name: str) -> None:
    demo = Demo(name)
    demo.check_places()
    demo.check_people()
    demo.check_bookings()
    say(f"\n{name}")
    total = 0
    for key, kind in demo.by["session_types"].items():
        demo.check_type(kind)
        demo.check_intake(kind)
        when: list[dt.datetime] = []
        for group in kind.get("recurrence_groups", []):
            demo.check_group(kind, group)
            for start in starts(group):
                demo.place(kind, group, start)
                when.append(start)
        gap = check_prices(kind, when)
        months = sorted(collections.Counter(f"{start:%Y-%m}" for start in when).items())
        note = f" ({gap} without a price)" if gap else ""
        counts = " ".join(str(number) for _, number in months) or "none scheduled"
        say(f"  {key:18}{len(when):5}  by month {counts}{note}")
        total += len(when)
    demo.check_lanes()
    say(f"  {len(demo.by['session_types'])} types, {total} sessions")


if __name__ == "__main__":
    for file in ("stillwater.toml", "north-light.toml"):
        check(file)
    crowd = tomllib.loads((HERE / "people.toml").read_text("utf-8"))["people"]
    need(len({person["email"] for person in crowd}) == len(crowd), "people: an e-mail twice")
    say(f"\npeople.toml: {len(crowd)} people")
    for problem in sorted(problems):
        say(f"PROBLEM {problem}")
    sys.exit(bool(problems))
