"""Filling a demo organisation's diary through the same services as a customer's."""

import datetime as dt
import math
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import sqlalchemy as sa
from sqlalchemy.orm import selectinload

from domain.eligibility import (
    Offer,
    Party,
    Slot,
    Viewer,
    first_refusal,
    largest_party,
    window_for,
)
from domain.local_time import local_day
from domain.words import WEEKDAYS
from models import (
    LedgerEntry,
    Session,
    SessionBooking,
    SessionType,
    Site,
    db,
)
from services.basket import hold_places
from services.checkout import confirm_order
from services.demo_house import House, Person, Row
from services.desk import set_check_in, set_no_show, set_stage
from services.facts import offer_of, timetable_query, timetable_slot, venue_of
from services.intake_answers import Part, find_desk_forms, save_answers
from services.orders import Till, take_payment

_MINUTE = dt.timedelta(minutes=1)


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


class Diary:
    """Sells past and coming sessions of one organisation, each at a moment when it could be."""

    NEAR = 14
    """Days ahead within which some days are sold out or nearly so."""
    SMALL = 30
    """Places of an offer in a day, up to which the whole day may be nearly gone."""
    OWN = 3
    """Past, and coming, bookings of each customer who can sign in."""

    def __init__(self, house: House, plan: Row, now: dt.datetime) -> None:
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

    def take_payments(self) -> None:
        """Whoever came has paid at the desk on the way in, but a few who pay when they leave."""
        balance = (
            sa.select(sa.func.coalesce(sa.func.sum(LedgerEntry.amount), 0))
            .where(
                LedgerEntry.organisation_id == self._house.organisation_id,
                LedgerEntry.order_id == SessionBooking.order_id,
            )
            .correlate(SessionBooking)
            .scalar_subquery()
        )
        rows = db.session.execute(
            sa.select(
                SessionBooking.order_id,
                SessionBooking.site_id,
                sa.func.min(SessionBooking.checked_in_at),
                balance,
            )
            .where(
                SessionBooking.organisation_id == self._house.organisation_id,
                SessionBooking.checked_in_at.is_not(None),
            )
            .group_by(SessionBooking.order_id, SessionBooking.site_id)
            .order_by(sa.func.min(SessionBooking.checked_in_at), SessionBooking.order_id)
        ).all()
        db.session.rollback()
        # A chance of its own: how people pay must not change whether they come.
        chance = random.Random(len(rows))  # noqa: S311 - a diary, not a secret
        for order_id, site_id, came_at, due in rows:
            lot = chance.random()
            method = "card" if lot < 0.62 else "cash" if lot < 0.9 else "voucher"
            is_here = came_at > self._now - dt.timedelta(hours=3)
            if due <= 0 or lot > (0.6 if is_here else 0.985):
                continue
            take_payment(
                Till(self._house.organisation_id, site_id),
                order_id,
                amount=int(due),
                method=method,
                note=f"Voucher {chance.randint(10000, 99999)}" if method == "voucher" else "",
                now=came_at + dt.timedelta(minutes=1),
            )

    def fill_in_forms(self, types: Sequence[Row]) -> None:
        """Answer what was asked: most who came have, of those who come some only in part."""
        samples = {
            self._house.type_ids[row["key"]]: [asked.get("answers", []) for asked in row["intake"]]
            for row in types
            if "intake" in row
        }
        rows = db.session.execute(
            sa.select(
                SessionBooking.id,
                SessionBooking.site_id,
                SessionBooking.session_type_id,
                SessionBooking.updated_at,
                Session.start_time,
            )
            .join(SessionBooking.session)
            .where(
                SessionBooking.organisation_id == self._house.organisation_id,
                SessionBooking.intake_form_id.is_not(None),
            )
            .order_by(Session.start_time, SessionBooking.created_at, SessionBooking.id)
        ).all()
        db.session.rollback()
        # A chance of its own: what people answer must not change what they book.
        chance = random.Random(len(rows))  # noqa: S311 - a diary, not a secret
        for row in rows:
            forms = find_desk_forms(
                self._house.organisation_id, row.site_id, row.id, now=row.updated_at
            )
            # Nearly all who came, every second of those who come; others in part or not at all.
            is_ready = chance.random() < (0.9 if row.start_time < self._now else 0.5)
            for part in forms.parts:
                if not is_ready and chance.random() < 0.5:
                    continue
                typed = self._answers(part, samples[row.session_type_id], chance)
                if not is_ready and chance.random() < 0.5:
                    # Begun, and put aside before the end.
                    typed.pop(part.fields[-1].id, None)
                save_answers(
                    self._house.organisation_id,
                    row.id,
                    {part.position: typed},
                    seen={part.position: part.seen},
                    by="guest" if part.form_secret and not part.is_own else "booker",
                    now=row.updated_at,
                )

    def _answers(
        self, part: Part, samples: Sequence[Sequence[str]], chance: random.Random
    ) -> dict[str, list[str]]:
        """What one person types: of optional questions about every second; a date by its day."""
        typed = {}
        for asked in part.fields:
            given = list(samples[int(asked.id[1:]) - 1])
            if asked.kind == "date":
                days = (self._now.date() + dt.timedelta(days=int(text)) for text in given)
                given = [day.isoformat() for day in days]
            given = {"signature": [part.name], "tick": ["true"]}.get(asked.kind, given)
            if asked.required or chance.random() < 0.5:
                number = min(len(given), chance.randint(1, 2)) if asked.kind == "several" else 1
                typed[asked.id] = chance.sample(given, number)
        return typed

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

    def _book_for_customer(self, person: Person) -> None:
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
        opens, _ = window_for(dated.offer, dated.slot, Viewer(), self._now)
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

    def _candidates(self, dated: _Dated) -> list[Person]:
        """The crowd in no order, those without a visit on that day first."""
        crowd = self._chance.sample(self._house.crowd, len(self._house.crowd))
        return sorted(crowd, key=lambda person: len(self._visits[person.email, dated.day]))

    def _sell(self, dated: _Dated, people: Sequence[Person], size: int) -> bool:
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

    def _is_elsewhere(self, person: Person, dated: _Dated) -> bool:
        visits = self._visits[person.email, dated.day]
        return any(_is_in_the_way(visit, dated) for visit in visits)

    def _moment(self, dated: _Dated, viewer: Viewer) -> dt.datetime | None:
        """When they booked: in the window, before the start and before now."""
        opens, closes = window_for(dated.offer, dated.slot, viewer, self._now)
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
        self, dated: _Dated, person: Person, viewer: Viewer, size: int, moment: dt.datetime
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
            people=self._other_guests(dated, person, size),
            account_id=person.account_id,
            now=moment + dt.timedelta(seconds=self._chance.randint(40, 240)),
        )
        slot = self._left[dated.slot.id]
        self._left[dated.slot.id] = replace(
            slot, places_taken=slot.places_taken + size, parties_taken=slot.parties_taken + 1
        )
        self._visits[person.email, dated.day].append(dated)
        self.sold += 1

    def _other_guests(self, dated: _Dated, person: Person, size: int) -> list[str]:
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
        return [guest.name for guest in guests]

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
            is_late = lot < 0.09 and self._now >= start + 20 * _MINUTE
            arrived_at = start + 20 * _MINUTE if is_late else early
            set_check_in(*at_desk, arrived=True, now=arrived_at)
            if self._now >= end:
                set_stage(*at_desk, stage="checked_out", now=end)
            elif lot < 0.85:
                set_stage(*at_desk, stage="in_treatment", now=max(start, arrived_at))


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


def _viewer(offer: Offer, person: Person) -> Viewer:
    if not offer.offered_online:
        return Viewer(is_staff=True)
    return Viewer(
        is_signed_in=person.account_id is not None,
        memberships=person.memberships,
        came_by_link=offer.visibility == "link_only",
    )
