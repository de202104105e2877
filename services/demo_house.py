"""Founding a demo organisation: its venues, offers, people and series."""

import datetime as dt
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from domain.eligibility import (
    Membership,
)
from domain.intake import Field
from domain.local_time import local_day
from domain.people import email_key
from domain.words import WEEKDAYS
from models import (
    Account,
    Base,
    Category,
    Customer,
    Media,
    MembershipType,
    Organisation,
    Practitioner,
    PriceRule,
    RecurrenceGroup,
    RecurrenceStartTime,
    Room,
    SessionType,
    Site,
    StaffGrant,
    Zone,
    db,
    practitioner_types,
)
from models import Membership as MembershipRow
from services.accounts import hash_password
from services.intake import save_form

Row = Mapping[str, Any]


_PICTURES = Path(__file__).resolve().parent.parent / "static" / "img"


_SEASONS_AHEAD = dt.timedelta(days=400)


_SEASON = dt.timedelta(days=90)


_SAME_IN_FIELD = "label kind help required asked_of options".split()


_SAME_IN_SITE = "slug name place zone currency locale email phone brand".split()


_TEXTS_OF_SITE = "legal headline lede strap description address hours directions facts".split()


_SAME_IN_TYPE = """
    slug name summary description duration visibility offered_online hidden_on_schedule
    customers_only members_only max_bookings_per_member membership_booking_windows_enabled
    max_baskets_per_session max_advance_bookings_interval min_advance_bookings_interval
    min_guests max_guests max_per_basket max_per_guest waitlist_enabled
    customer_cancellation_permitted customer_cancellation_min_duration
    late_after_minutes late_fee no_show_fee fees_waivable_hours
    include_pricing_on_calendar revenue_centre product_code
""".split()


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who books: with an account and its memberships, or without."""

    name: str
    email: str
    account_id: str | None = None
    memberships: tuple[Membership, ...] = ()


@dataclass(frozen=True, slots=True)
class House:
    """An organisation that stands: what its diary needs to know of it."""

    organisation_id: str
    type_ids: Mapping[str, str]
    group_ids: tuple[str, ...]
    customers: tuple[Person, ...]
    crowd: tuple[Person, ...]


class Founding:
    """One organisation's file turned into rows; its keys become ids on the way."""

    def __init__(self, plan: Row, now: dt.datetime) -> None:
        self._plan = plan
        self._now = now
        self._organisation_id = ""
        self._sites: dict[str, Site] = {}
        self._ids: dict[str, dict[str, str]] = {}

    def found(self, people: Sequence[Row]) -> House:
        """Every row but the dated sessions and what is sold of them."""
        organisation = Organisation(**self._plan["organisation"])
        _write([organisation])
        self._organisation_id = organisation.id
        self._found_sites()
        self._found_rooms()
        categories = self._found_categories()
        self._found_practitioners()
        self._found_membership_types()
        type_ids, group_ids = self._found_types(categories)
        self._found_staff()
        return House(
            organisation_id=organisation.id,
            type_ids=type_ids,
            group_ids=group_ids,
            customers=tuple(self._found_customer(row) for row in self._plan["customers"]),
            crowd=tuple(self._found_crowd(people)),
        )

    def _today(self, site_key: str | None = None) -> dt.date:
        key = site_key or self._plan["sites"][0]["key"]
        return local_day(self._now, self._sites[key].zoneinfo)

    def _found_sites(self) -> None:
        for row in self._plan["sites"]:
            texts = {name: row[name] for name in _TEXTS_OF_SITE}
            texts["hero_art"] = _art_path(row["hero_art"])
            texts["map_art"] = _art_path(row["map_art"]) if row.get("map_art") else ""
            self._sites[row["key"]] = Site(
                organisation_id=self._organisation_id,
                opening_hours={day: [row["opens_at"], row["closes_at"]] for day in WEEKDAYS},
                revenue_centres=sorted(
                    {
                        kind["revenue_centre"]
                        for kind in self._plan["session_types"]
                        if kind["site"] == row["key"] and kind.get("revenue_centre")
                    }
                ),
                texts=texts,
                **{name: row[name] for name in _SAME_IN_SITE},
            )
        _write(self._sites.values())

    def _found_rooms(self) -> None:
        zones = {
            row["key"]: Zone(
                organisation_id=self._organisation_id,
                site_id=self._sites[row["site"]].id,
                name=row["name"],
                position=position,
            )
            for position, row in enumerate(self._plan["zones"])
        }
        _write(zones.values())
        rooms = {
            row["key"]: Room(
                organisation_id=self._organisation_id,
                site_id=self._sites[row["site"]].id,
                zone_id=zones[row["zone"]].id,
                position=position,
                **{name: row[name] for name in "name cap colour turnaround".split()},
            )
            for position, row in enumerate(self._plan["rooms"])
        }
        _write(rooms.values())
        self._ids["rooms"] = {key: room.id for key, room in rooms.items()}

    def _found_categories(self) -> dict[str, Category]:
        categories = {
            row["key"]: Category(
                organisation_id=self._organisation_id,
                slug=row["key"],
                **{name: row[name] for name in "name blurb position".split()},
            )
            for row in self._plan["categories"]
        }
        _write(categories.values())
        return categories

    def _found_practitioners(self) -> None:
        people = {
            row["key"]: Practitioner(
                organisation_id=self._organisation_id,
                sites=[self._sites[key] for key in row["sites"]],
                **{name: row[name] for name in "name title bio".split()},
            )
            for row in self._plan["practitioners"]
        }
        _write(people.values())
        self._ids["practitioners"] = {key: person.id for key, person in people.items()}

    def _found_membership_types(self) -> None:
        kinds = {
            row["key"]: MembershipType(
                organisation_id=self._organisation_id, name=row["name"], blurb=row["blurb"]
            )
            for row in self._plan["membership_types"]
        }
        _write(kinds.values())
        self._ids["membership_types"] = {key: kind.id for key, kind in kinds.items()}

    def _found_types(
        self, categories: Mapping[str, Category]
    ) -> tuple[dict[str, str], tuple[str, ...]]:
        pictures = self._found_pictures()
        types = {
            row["key"]: self._type(row, position, categories, pictures)
            for position, row in enumerate(self._plan["session_types"])
        }
        _write(types.values())
        for row in self._plan["session_types"]:
            found = types[row["key"]]
            found.cross_sell_offerings = _offerings(row.get("goes_with", []), types)
            found.upsell_offerings = _offerings(row.get("followed_by", []), types)
        group_ids: list[str] = []
        for row in self._plan["session_types"]:
            type_id, today = types[row["key"]].id, self._today(row["site"])
            _write(self._price_rules(row, type_id, today))
            group_ids += self._found_groups(row, type_id, today)
        self._note_what_they_lead({key: found.id for key, found in types.items()})
        return {key: found.id for key, found in types.items()}, tuple(group_ids)

    def _note_what_they_lead(self, type_ids: Mapping[str, str]) -> None:
        """Everybody leads their own series, and what else their row names."""
        leads = {
            (group["practitioner"], row["key"])
            for row in self._plan["session_types"]
            for group in row.get("recurrence_groups", [])
            if "practitioner" in group
        } | {
            (row["key"], kind)
            for row in self._plan["practitioners"]
            for kind in row.get("leads", [])
        }
        people = self._ids["practitioners"]
        if leads:
            db.session.execute(
                sa.insert(practitioner_types),
                [
                    {"practitioner_id": people[who], "session_type_id": type_ids[kind]}
                    for who, kind in sorted(leads)
                ],
            )

    def _found_pictures(self) -> dict[str, Media]:
        pictures = {
            art: Media(
                organisation_id=self._organisation_id,
                file_name=f"{art}.svg",
                mime_type="image/svg+xml",
                size=(_PICTURES / f"{art}.svg").stat().st_size,
                original_url=_art_path(art),
            )
            for art in sorted({row["art"] for row in self._plan["session_types"]})
        }
        _write(pictures.values())
        return pictures

    def _type(
        self,
        row: Row,
        position: int,
        categories: Mapping[str, Category],
        pictures: Mapping[str, Media],
    ) -> SessionType:
        kinds = self._ids["membership_types"]
        windows = [
            {
                "membership_type_id": kinds[window["membership_type"]],
                **{name: value for name, value in window.items() if name != "membership_type"},
            }
            for window in row.get("membership_booking_windows", [])
        ]
        return SessionType(
            organisation_id=self._organisation_id,
            site_id=self._sites[row["site"]].id,
            currency=self._sites[row["site"]].currency,
            position=position,
            categories=[categories[key] for key in row["categories"]],
            image_id=pictures[row["art"]].id,
            details={"bring": row.get("bring", []), "spec": row.get("spec", [])},
            link_key=secrets.token_urlsafe(16),
            permitted_membership_type_ids=[
                kinds[key] for key in row.get("permitted_membership_types", [])
            ],
            membership_booking_windows=windows,
            created_at=self._now,
            updated_at=self._now,
            **{name: row[name] for name in _SAME_IN_TYPE if name in row},
        )

    def _price_rules(self, row: Row, type_id: str, today: dt.date) -> list[PriceRule]:
        kinds = self._ids["membership_types"]
        dated = [
            (rule, days)
            for rule in row["price_rules"]
            for days in _occurrences(rule.get("season"), today)
        ]
        return [
            PriceRule(
                organisation_id=self._organisation_id,
                session_type_id=type_id,
                position=position,
                label=rule["label"],
                price=rule["price"],
                date_from=date_from,
                date_to=date_to,
                time_from=_time(rule.get("time_from")),
                time_to=_time(rule.get("time_to")),
                weekdays=rule.get("weekdays", []),
                membership_type_ids=[kinds[key] for key in rule.get("membership_types", [])],
            )
            for position, (rule, (date_from, date_to)) in enumerate(dated)
        ]

    def _found_groups(self, row: Row, type_id: str, today: dt.date) -> list[str]:
        group_ids = []
        for plan in row.get("recurrence_groups", []):
            first = today + dt.timedelta(days=plan["starts_in_days"])
            leader = plan.get("practitioner")
            group = RecurrenceGroup(
                organisation_id=self._organisation_id,
                session_type_id=type_id,
                name=plan["name"],
                practitioner_id=self._ids["practitioners"][leader] if leader else None,
                room_id=self._ids["rooms"][plan["room"]],
                weekdays=plan["weekdays"],
                capacity=plan["capacity"],
                recurrence_start=first,
                recurrence_end=first + dt.timedelta(days=plan["lasts_days"]),
                start_times=[
                    RecurrenceStartTime(
                        organisation_id=self._organisation_id, value=dt.time.fromisoformat(text)
                    )
                    for text in plan["start_times"]
                ],
            )
            _write([group])
            group_ids.append(group.id)
        return group_ids

    def _found_staff(self) -> None:
        for row in self._plan["staff"]:
            account = self._account(row["name"], row["email"], row["password"])
            keys = row.get("sites", [])
            site_ids: list[str | None] = [self._sites[key].id for key in keys]
            _write(
                StaffGrant(
                    organisation_id=self._organisation_id,
                    account_id=account.id,
                    site_id=site_id,
                    right=right,
                    title=row["title"],
                )
                for right in row["rights"]
                for site_id in site_ids or [None]
            )

    def _found_customer(self, row: Row) -> Person:
        account = self._account(row["name"], row["email"], row["password"])
        held = [
            (plan["type"], plan["starts_in_days"], plan.get("ends_in_days"))
            for plan in row["memberships"]
        ]
        return self._customer(account, held)

    def _found_crowd(self, people: Sequence[Row]) -> Iterator[Person]:
        """Every other one has an account, without a password, and most of those a membership."""
        kinds: list[str | None] = [*self._ids["membership_types"], None]
        for number, row in enumerate(people):
            name = f"{row['first']} {row['last']}"
            if number % 2:
                yield Person(name, row["email"])
                continue
            kind = kinds[number // 2 % len(kinds)]
            account = self._account(name, row["email"], None)
            yield self._customer(account, [(kind, number - 300, None)] if kind else [])
        yield from _relatives(people)

    def _account(self, name: str, email: str, password: str | None) -> Account:
        account = db.session.scalar(sa.select(Account).where(Account.email_key == email_key(email)))
        if account is None:
            account = Account(
                email=email,
                email_key=email_key(email),
                name=name,
                password_hash=hash_password(password) if password else None,
                session_token=secrets.token_urlsafe(24),
                created_at=self._now,
            )
            _write([account])
        return account

    def _customer(self, account: Account, held: Sequence[tuple[str, int, int | None]]) -> Person:
        customer = Customer(
            organisation_id=self._organisation_id,
            account_id=account.id,
            name=account.name,
            email=account.email,
            email_key=account.email_key,
            address_key=account.email_key,
            created_at=self._now,
        )
        _write([customer])
        today = self._today()
        memberships = [
            Membership(
                self._ids["membership_types"][kind],
                today + dt.timedelta(days=starts_in),
                None if ends_in is None else today + dt.timedelta(days=ends_in),
            )
            for kind, starts_in, ends_in in held
        ]
        _write(
            MembershipRow(
                organisation_id=self._organisation_id,
                customer_id=customer.id,
                membership_type_id=membership.type_id,
                first_day=membership.first_day,
                last_day=membership.last_day,
                created_at=self._now,
            )
            for membership in memberships
        )
        return Person(account.name, account.email, account.id, tuple(memberships))


def _offerings(keys: Sequence[str], types: Mapping[str, SessionType]) -> list[dict[str, Any]]:
    """References as the contract has them (OfferingRef)."""
    return [{"offering_type": "session", "offering_id": types[key].id} for key in keys]


def found_forms(house: House, plan: Row, now: dt.datetime) -> None:
    """What the types ask before a visit, saved as staff would have, a season ago."""
    rows = db.session.execute(
        sa.select(SessionType.id, SessionType.site_id).where(
            SessionType.organisation_id == house.organisation_id
        )
    ).all()
    site_ids = {row.id: row.site_id for row in rows}
    for row in plan["session_types"]:
        type_id = house.type_ids[row["key"]]
        fields = [_field_of(asked, number) for number, asked in enumerate(row.get("intake", []))]
        save_form(
            house.organisation_id,
            site_ids[type_id],
            type_id,
            fields,
            expected=0,
            now=now - _SEASON,
        )


def _field_of(row: Row, number: int) -> Field:
    return Field.of(
        {"id": f"q{number + 1}", **{name: row[name] for name in _SAME_IN_FIELD if name in row}}
    )


def _relatives(people: Sequence[Row]) -> Iterator[Person]:
    """More people than the file lists: its first names with the last names of others."""
    for step in (17, 29):
        for row, other in zip(people, [*people[step:], *people[:step]], strict=True):
            first, host = row["email"].split(".")[0], row["email"].split("@")[1]
            last = other["email"].split("@")[0].split(".")[-1]
            yield Person(f"{row['first']} {other['last']}", f"{first}.{last}@{host}")


def _write(rows: Iterable[Base]) -> None:
    """Written at once: rows that follow refer to the ids of these."""
    db.session.add_all(rows)
    db.session.flush()


def _art_path(art: str) -> str:
    return f"img/{art}.svg"


def _time(text: str | None) -> dt.time | None:
    return dt.time.fromisoformat(text) if text else None


def _occurrences(
    season: Sequence[str] | None, today: dt.date
) -> Iterator[tuple[dt.date | None, dt.date | None]]:
    """First and last day of each coming occurrence of a yearly season."""
    if season is None:
        yield None, None
        return
    for year in range(today.year - 1, (today + _SEASONS_AHEAD).year + 1):
        first = dt.date.fromisoformat(f"{year}-{season[0]}")
        ends_in = year if season[0] <= season[1] else year + 1
        last = dt.date.fromisoformat(f"{ends_in}-{season[1]}")
        if last >= today and first <= today + _SEASONS_AHEAD:
            yield first, last
