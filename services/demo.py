"""The demo venues: from the files of demo/ to a database with a lively diary."""

import datetime as dt
import math
import random
import secrets
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import selectinload

from domain.eligibility import (
    Membership,
    Offer,
    Party,
    Slot,
    Viewer,
    first_refusal,
    largest_party,
    window_for,
)
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
    Session,
    SessionBooking,
    SessionType,
    Site,
    StaffGrant,
    Zone,
    db,
    transaction,
)
from models import Membership as MembershipRow
from services.accounts import hash_password
from services.basket import hold_places
from services.checkout import confirm_order
from services.desk import set_check_in, set_no_show, set_stage
from services.facts import offer_of, timetable_query, timetable_slot, venue_of
from services.scheduling import produce_sessions

Row = Mapping[str, Any]

RESERVED_SLUGS = frozenset(
    "account api bookings healthz kiosk media metrics readyz staff static".split()
)
"""First parts of addresses that no site may be called by (DECISIONS, Addresses)."""

_PICTURES = Path(__file__).resolve().parent.parent / "static" / "img"
_SEASONS_AHEAD = dt.timedelta(days=400)
_MINUTE = dt.timedelta(minutes=1)
_SAME_IN_SITE = "slug name place zone currency locale email phone brand".split()
_TEXTS_OF_SITE = "legal headline lede strap description address hours directions facts".split()
_SAME_IN_TYPE = """
    slug name summary description duration visibility offered_online hidden_on_schedule
    customers_only members_only max_bookings_per_member membership_booking_windows_enabled
    max_baskets_per_session max_advance_bookings_interval min_advance_bookings_interval
    min_guests max_guests max_per_basket max_per_guest waitlist_enabled
    customer_cancellation_permitted customer_cancellation_min_duration
    include_pricing_on_calendar revenue_centre product_code
""".split()


@dataclass(frozen=True, slots=True)
class _Person:
    """Somebody who books: with an account and its memberships, or without."""

    name: str
    email: str
    account_id: str | None = None
    memberships: tuple[Membership, ...] = ()


@dataclass(frozen=True, slots=True)
class _House:
    """An organisation that stands: what its diary needs to know of it."""

    organisation_id: str
    type_ids: Mapping[str, str]
    group_ids: tuple[str, ...]
    customers: tuple[_Person, ...]
    crowd: tuple[_Person, ...]


def is_empty() -> bool:
    """Whether the database has no organisation yet."""
    return db.session.scalar(sa.select(Organisation.id).limit(1)) is None


def load_demo(folder: Path, *, now: dt.datetime, say: Callable[[str], None]) -> None:
    """Load every organisation of `folder` and a diary around `now`; ValueError for a bad slug."""
    people = _read(folder / "people.toml")["people"]
    for plan in _read_organisations(folder):
        name = plan["organisation"]["name"]
        with transaction():
            house = _Founding(plan, now).found(people)
        made = sum(
            produce_sessions(house.organisation_id, group_id, now=now)
            for group_id in house.group_ids
        )
        say(f"{name}: {len(plan['sites'])} sites, {len(house.type_ids)} offers, {made} sessions")
        diary = _Diary(house, plan["bookings"], now)
        diary.book()
        diary.run_the_desk()
        say(f"{name}: {diary.sold} bookings")


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


class _Founding:
    """One organisation's file turned into rows; its keys become ids on the way."""

    def __init__(self, plan: Row, now: dt.datetime) -> None:
        self._plan = plan
        self._now = now
        self._organisation_id = ""
        self._sites: dict[str, Site] = {}
        self._ids: dict[str, dict[str, str]] = {}

    def found(self, people: Sequence[Row]) -> _House:
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
        return _House(
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
                opens_at=dt.time.fromisoformat(row["opens_at"]),
                closes_at=dt.time.fromisoformat(row["closes_at"]),
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
            )
            for row in self._plan["zones"]
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
        group_ids: list[str] = []
        for row in self._plan["session_types"]:
            type_id, today = types[row["key"]].id, self._today(row["site"])
            _write(self._price_rules(row, type_id, today))
            group_ids += self._found_groups(row, type_id, today)
        return {key: found.id for key, found in types.items()}, tuple(group_ids)

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

    def _found_customer(self, row: Row) -> _Person:
        account = self._account(row["name"], row["email"], row["password"])
        held = [
            (plan["type"], plan["starts_in_days"], plan.get("ends_in_days"))
            for plan in row["memberships"]
        ]
        return self._customer(account, held)

    def _found_crowd(self, people: Sequence[Row]) -> Iterator[_Person]:
        """Every other one has an account, without a password, and most of those a membership."""
        kinds: list[str | None] = [*self._ids["membership_types"], None]
        for number, row in enumerate(people):
            name = f"{row['first']} {row['last']}"
            if number % 2:
                yield _Person(name, row["email"])
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

    def _customer(self, account: Account, held: Sequence[tuple[str, int, int | None]]) -> _Person:
        customer = Customer(
            organisation_id=self._organisation_id,
            account_id=account.id,
            name=account.name,
            email=account.email,
            email_key=account.email_key,
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
            )
            for membership in memberships
        )
        return _Person(account.name, account.email, account.id, tuple(memberships))


def _relatives(people: Sequence[Row]) -> Iterator[_Person]:
    """More people than the file lists: its first names with the last names of others."""
    for step in (17, 29):
        for row, other in zip(people, [*people[step:], *people[:step]], strict=True):
            first, host = row["email"].split(".")[0], row["email"].split("@")[1]
            last = other["email"].split("@")[0].split(".")[-1]
            yield _Person(f"{row['first']} {other['last']}", f"{first}.{last}@{host}")


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


@dataclass(frozen=True, slots=True)
class _Dated:
    """A session that can be sold, with its offer and its distance from today in days."""

    offer: Offer
    site_id: str
    slot: Slot
    distance: int

    @property
    def day(self) -> dt.date:
        return self.slot.local_start.date()


class _Diary:
    """Sells past and coming sessions of one organisation, each at a moment when it could be."""

    NEAR = 14
    """Days ahead within which some days are sold out or nearly so."""
    SMALL = 30
    """Places of an offer in a day, up to which the whole day may be nearly gone."""
    OWN = 3
    """Past, and coming, bookings of each customer who can sign in."""

    def __init__(self, house: _House, plan: Row, now: dt.datetime) -> None:
        self._house = house
        self._now = now
        self._chance = random.Random(plan["seed"])  # noqa: S311 - a diary, not a secret
        self._fill = {house.type_ids[key]: float(share) for key, share in plan["fill"]}
        self._full = {(house.type_ids[key], weekday) for key, weekday in plan["full"]}
        self._visits: dict[tuple[str, dt.date], list[_Dated]] = defaultdict(list)
        self._sessions = self._load(plan["past_days"], plan["coming_days"])
        self._left = {dated.slot.id: dated.slot for dated in self._sessions}
        self.sold = 0

    def book(self) -> None:
        """The customers' own bookings first, then the crowd's, session by session."""
        for person in self._house.customers:
            self._book_for_customer(person)
        for _, group in groupby(self._sessions, lambda dated: (dated.offer.id, dated.day)):
            for dated, wanted, most in self._wanted(list(group)):
                self._fill_up(dated, wanted, most)

    def run_the_desk(self) -> None:
        """Check in who came until now, let them out again, and note who never did."""
        rows = db.session.execute(
            sa.select(
                SessionBooking.id, SessionBooking.site_id, Session.start_time, Session.end_time
            )
            .join(SessionBooking.session)
            .where(
                SessionBooking.organisation_id == self._house.organisation_id,
                Session.start_time <= self._now + 20 * _MINUTE,
            )
            .order_by(Session.start_time, SessionBooking.created_at)
        ).all()
        for booking_id, site_id, start, end in rows:
            self._receive(booking_id, site_id, start, end)

    def _load(self, past_days: int, coming_days: int) -> list[_Dated]:
        organisation_id = self._house.organisation_id
        types = db.session.execute(
            sa.select(SessionType, Site)
            .join(Site, SessionType.site_id == Site.id)
            .where(
                SessionType.organisation_id == organisation_id, SessionType.id.in_(list(self._fill))
            )
            .options(selectinload(SessionType.price_rules))
        ).all()
        offers = {row.id: (offer_of(row, venue_of(site)), site.id) for row, site in types}
        rows = db.session.execute(
            timetable_query(organisation_id).where(
                Session.session_type_id.in_(list(self._fill)),
                Session.start_time > self._now - dt.timedelta(days=past_days + 1),
                Session.start_time < self._now + dt.timedelta(days=coming_days + 1),
            )
        ).all()
        found = []
        for row in rows:
            offer, site_id = offers[row[0]]
            slot = timetable_slot(row).facts
            distance = (slot.local_start.date() - local_day(self._now, offer.zone)).days
            if -past_days <= distance <= coming_days:
                found.append(_Dated(offer, site_id, slot, distance))
        # Rows are expired at each rollback, so none is kept for the hundreds that follow.
        db.session.expunge_all()
        position = {type_id: number for number, type_id in enumerate(self._fill)}
        return sorted(found, key=lambda dated: (dated.day, position[dated.offer.id]))

    def _book_for_customer(self, person: _Person) -> None:
        held = {membership.type_id for membership in person.memberships}
        ours = [dated for dated in self._sessions if _suits(dated.offer, held)]
        for first, last in ((-16, -2), (2, 16)):
            near = [dated for dated in ours if first <= dated.distance <= last]
            self._chance.shuffle(near)
            met: set[str] = set()
            for dated in near:
                least = max(1, dated.offer.min_guests)
                size = min(largest_party(dated.offer), least + self._chance.randint(0, 1))
                if dated.offer.id not in met and self._sell(dated, [person], size):
                    met.add(dated.offer.id)
                if len(met) == self.OWN:
                    break

    def _wanted(self, group: Sequence[_Dated]) -> Iterator[tuple[_Dated, int, int]]:
        """Of each session of an offer's day the places to sell, and the most of them."""
        offer, day, distance = group[0].offer, group[0].day, group[0].distance
        is_near = 0 <= distance <= self.NEAR
        is_small = sum(dated.slot.capacity for dated in group) <= self.SMALL
        lot = self._chance.random() if is_near and is_small else 1.0
        if distance >= 0 and (offer.id, WEEKDAYS[day.weekday()]) in self._full:
            lot = 0.0
        for dated in group:
            capacity = dated.slot.capacity
            if lot < 0.05 or (lot < 0.15 and dated is not group[-1]):
                yield dated, capacity, capacity
            elif lot < 0.15 or (is_near and not is_small and self._chance.random() < 0.06):
                few = capacity - self._chance.randint(1, 3)
                yield dated, few, few
            else:
                yield dated, self._share(dated), capacity

    def _share(self, dated: _Dated) -> int:
        fill = self._fill[dated.offer.id] * _liveliness(dated.distance)
        fill = min(1.0, fill * self._chance.uniform(0.35, 1.65))
        if dated.slot.max_baskets == 1:
            return dated.slot.capacity if self._chance.random() < fill else 0
        # Rounded by lot: a couch with a third sold is one guest on each third day.
        return math.floor(dated.slot.capacity * fill + self._chance.random())

    def _fill_up(self, dated: _Dated, wanted: int, most: int) -> None:
        opens, _ = window_for(dated.offer, dated.slot, Viewer())
        if opens is not None and opens > self._now and not dated.offer.members_only:
            # Only members may book it yet, and they have not all heard.
            wanted = min(wanted, 2)
        least = max(1, dated.offer.min_guests)
        while (taken := self._left[dated.slot.id].places_taken) < wanted:
            room = most - taken
            if room < least:
                return
            size = self._party_size(dated.offer, room)
            if not self._sell(dated, self._candidates(dated), size):
                return

    def _party_size(self, offer: Offer, room: int) -> int:
        least, most = max(1, offer.min_guests), min(largest_party(offer), room)
        if least > 1:
            return self._chance.randint(least, most)
        (size,) = self._chance.choices((1, 2, 3, 4, 5, 6), weights=(24, 44, 13, 11, 4, 4))
        return min(size, most)

    def _candidates(self, dated: _Dated) -> list[_Person]:
        """The crowd in no order, those without a visit on that day first."""
        crowd = self._chance.sample(self._house.crowd, len(self._house.crowd))
        return sorted(crowd, key=lambda person: len(self._visits[person.email, dated.day]))

    def _sell(self, dated: _Dated, people: Sequence[_Person], size: int) -> bool:
        """Sell to the first of `people` who may book this and has the time for it."""
        for person in people:
            if self._is_elsewhere(person, dated):
                continue
            viewer = _viewer(dated.offer, person)
            moment = self._moment(dated, viewer)
            if moment is None:
                continue
            slot = self._left[dated.slot.id]
            if first_refusal(dated.offer, slot, Party(guests=size), viewer, moment) is None:
                self._order(dated, person, viewer, size, moment)
                return True
        return False

    def _is_elsewhere(self, person: _Person, dated: _Dated) -> bool:
        visits = self._visits[person.email, dated.day]
        return any(_is_in_the_way(visit, dated) for visit in visits)

    def _moment(self, dated: _Dated, viewer: Viewer) -> dt.datetime | None:
        """When they booked: in the window, before the start and before now."""
        opens, closes = window_for(dated.offer, dated.slot, viewer)
        last = min(self._now, dated.slot.start_time) - 6 * _MINUTE
        if closes is not None:
            last = min(last, closes)
        if opens is not None and opens > last:
            return None
        moment = last - dt.timedelta(days=self._chance.expovariate(1 / 4.0))
        if opens is not None and moment < opens:
            moment = opens + (last - opens) * self._chance.random()
        return moment.replace(microsecond=0)

    def _order(
        self, dated: _Dated, person: _Person, viewer: Viewer, size: int, moment: dt.datetime
    ) -> None:
        organisation_id = self._house.organisation_id
        secret = hold_places(
            organisation_id,
            dated.slot.id,
            session_type_id=dated.offer.id,
            guests=size,
            viewer=viewer,
            basket_secret=None,
            account_id=person.account_id,
            now=moment,
        )
        confirm_order(
            organisation_id,
            secret,
            name=person.name,
            email=person.email,
            guest_names=self._guest_names(dated, person, size),
            account_id=person.account_id,
            now=moment + dt.timedelta(seconds=self._chance.randint(40, 240)),
        )
        slot = self._left[dated.slot.id]
        self._left[dated.slot.id] = replace(
            slot, places_taken=slot.places_taken + size, parties_taken=slot.parties_taken + 1
        )
        self._visits[person.email, dated.day].append(dated)
        self.sold += 1

    def _guest_names(self, dated: _Dated, person: _Person, size: int) -> list[list[str]]:
        if dated.offer.max_per_guest is None:
            return []
        others = [
            other
            for other in self._candidates(dated)
            if other.email != person.email and not self._is_elsewhere(other, dated)
        ]
        guests = others[: size - 1]
        for guest in guests:
            self._visits[guest.email, dated.day].append(dated)
        return [[guest.name for guest in guests]]

    def _receive(self, booking_id: str, site_id: str, start: dt.datetime, end: dt.datetime) -> None:
        at_desk = (self._house.organisation_id, site_id, booking_id)
        lot = self._chance.random()
        early = start - self._chance.randint(3, 18) * _MINUTE
        if start > self._now:
            # About to begin: some are here already.
            if early <= self._now:
                set_check_in(*at_desk, arrived=True, now=early)
        elif lot < 0.05 and self._now > start + 10 * _MINUTE:
            set_no_show(*at_desk, missed=True, now=start + 10 * _MINUTE)
        elif lot < 0.96:
            set_check_in(*at_desk, arrived=True, now=early)
            if self._now >= end:
                set_stage(*at_desk, stage="checked_out", now=end)
            elif lot < 0.85:
                set_stage(*at_desk, stage="in_treatment", now=start)


def _suits(offer: Offer, held: set[str]) -> bool:
    """An offer that people with these memberships would choose, or anybody without one."""
    if offer.visibility != "public" or not offer.offered_online or offer.min_guests > 2:
        return False
    priced_for = {kind for rule in offer.rules for kind in rule.membership_type_ids}
    return bool(held & (priced_for | offer.permitted_membership_type_ids)) if held else True


def _liveliness(distance: int) -> float:
    """Today is busiest; what lies behind is thinned, and far days are still empty."""
    if distance == 0:
        return 1.25
    return 0.4 * math.exp((distance + 1) / 6) if distance < 0 else math.exp(-distance / 6)


def _is_in_the_way(visit: _Dated, dated: _Dated) -> bool:
    """Nobody is in two sessions at once, nor in two towns on one day."""
    return visit.site_id != dated.site_id or (
        visit.slot.start_time < dated.slot.end_time and dated.slot.start_time < visit.slot.end_time
    )


def _viewer(offer: Offer, person: _Person) -> Viewer:
    if not offer.offered_online:
        return Viewer(is_staff=True)
    return Viewer(
        is_signed_in=person.account_id is not None,
        memberships=person.memberships,
        came_by_link=offer.visibility == "link_only",
    )
