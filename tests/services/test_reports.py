"""Reports say what a recount by hand says, and all their money is the ledger's (M1, T5)."""

import datetime as dt
import random
from collections import Counter, defaultdict
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from factories import (
    ANYWHERE,
    NOW,
    make_customer,
    make_group,
    make_order,
    make_organisation,
    make_practitioner,
    make_room,
    make_rule,
    make_session,
    make_site,
    make_type,
    save,
)

from domain.eligibility import Viewer
from domain.errors import NotFound
from domain.reporting import LEADS, LONGEST_LEAD, Period, steps
from models import (
    Customer,
    LedgerEntry,
    Order,
    OrderItem,
    Practitioner,
    Room,
    Session,
    SessionBooking,
    SessionType,
    Site,
    db,
    new_object_id,
)
from services.basket import hold_places
from services.cancelling import cancel, cancel_guests
from services.changing import Door
from services.checkout import book_for_staff, confirm_order, find_order
from services.facts import venue_of
from services.moving import move
from services.report_people import count_leads, count_visitors, count_waiting_parties
from services.reports import (
    Scope,
    find_books,
    list_choices,
    list_taken,
    scope_of,
    summed,
    tally,
)
from services.session_changes import cancel_session, find_cancellable_session

pytestmark = pytest.mark.usefixtures("ctx")

D = dt.date
EVER = Period(D(2026, 1, 1), D(2026, 12, 31))
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
ALL_KEYS = ("day", "weekday", "hour", "type", "room", "practitioner", "site", "centre")


class House:
    """Two sites in different zones and a stranger's, with bookings of every fate."""

    def __init__(self, seed):
        self.chance = random.Random(seed)  # noqa: S311 - a test that can be run again
        house = make_organisation()
        self.bath = make_site(house, zone="Europe/London", revenue_centres=["Water", "Hands"])
        self.north = make_site(house, zone="Pacific/Auckland")
        stranger = make_site(make_organisation())
        self.customers = [
            make_customer(house.id, email=f"c{number}@example.com", email_key=None)
            # Two rows of one person, and two who left no address.
            for number in (0, 0, 1, 2, 3, 4)
        ] + [make_customer(house.id, email="", email_key=None) for _ in range(2)]
        for site in (self.bath, self.north):
            self._fill(site, self.customers, 34)
        self._fill(stranger, [make_customer(stranger.organisation_id)], 8)

    def _fill(self, site, customers, orders):
        chance = self.chance
        rooms = [None, *(make_room(site, name=f"Room {n}") for n in range(2))]
        people = [None, *(make_practitioner(site, name=f"P {n}") for n in range(2))]
        kinds = [
            make_type(site, revenue_centre=centre, duration=90)
            for centre in ("Water", "Hands", None)
        ]
        slots = []
        for _ in range(16):
            # A small window around the present, with nights that are two dates in UTC.
            local = dt.datetime.fromisoformat("2026-05-30") + DAY * chance.randrange(12)
            room, person = chance.choice(rooms), chance.choice(people)
            slots.append(
                make_session(
                    chance.choice(kinds),
                    local_start=local + HOUR * chance.choice((0, 7, 12, 18, 23)),
                    capacity=chance.randint(40, 60),
                    room_id=room.id if room else None,
                    practitioner_id=person.id if person else None,
                    deleted_at=NOW if chance.random() < 0.15 else None,
                )
            )
        for _ in range(orders):
            self._order(site, chance.choice(customers), slots)
        db.session.commit()

    def _order(self, site, customer, slots):
        chance = self.chance
        confirmed_at = NOW - HOUR * chance.randrange(1, 300)
        state = chance.choice(("confirmed",) * 6 + ("basket", "waiting"))
        is_sold = state == "confirmed"
        order = Order(
            id=new_object_id(), organisation_id=site.organisation_id, site_id=site.id,
            customer_id=customer.id, state=state, order_ref=new_object_id(),
            secret=new_object_id(), currency=site.currency, created_at=confirmed_at,
            confirmed_at=confirmed_at if is_sold else None,
        )  # fmt: skip
        db.session.add(order)
        db.session.flush()
        lines = [self._line(order, slot) for slot in chance.sample(slots, chance.randint(1, 3))]
        db.session.flush()
        if not is_sold:
            return
        charge = sum(line.places * line.order_item.unit_price for line in lines)
        entries = [("charge", charge)]
        entries += [("charge", line.fee) for line in lines]
        entries += [
            ("adjustment", -line.places * line.order_item.unit_price)
            for line in lines
            if line.cancelled_at
        ]
        # A fee or a discount of the whole order, and money that was taken and given back.
        extra = chance.choice((0, 0, 0, 1500, -999))
        entries += [("charge" if extra > 0 else "adjustment", extra)] if extra else []
        paid = chance.randint(1, 9000) if chance.random() < 0.6 else 0
        entries.append(("payment", -paid))
        # No more comes back than was taken: the database would refuse it.
        if paid and chance.random() < 0.3:
            entries.append(("refund", chance.randint(1, min(paid, 500))))
        for kind, amount in entries:
            if not amount:
                continue
            db.session.add(
                LedgerEntry(
                    id=new_object_id(), organisation_id=site.organisation_id, order_id=order.id,
                    kind=kind, amount=amount, currency=site.currency,
                    method=chance.choice(("card", "cash", "")),
                    created_at=confirmed_at + HOUR * chance.randrange(200),
                )
            )  # fmt: skip

    def _line(self, order, slot):
        chance, is_sold = self.chance, order.state == "confirmed"
        item = OrderItem(
            id=new_object_id(), organisation_id=order.organisation_id, order_id=order.id,
            places=(places := chance.randint(1, 4)), unit_price=chance.choice((0, 1999, 4800)),
            currency=order.currency, price_source="rule", policy={},
        )  # fmt: skip
        waited = order.state == "waiting" or chance.random() < 0.2
        is_off = slot.deleted_at is not None or chance.random() < 0.2
        is_no_show = is_sold and not is_off and slot.start_time < NOW and chance.random() < 0.3
        db.session.add(item)
        db.session.flush()
        line = SessionBooking(
            id=new_object_id(), organisation_id=order.organisation_id, site_id=order.site_id,
            session_id=slot.id, session_type_id=slot.session_type_id, session_type_name="",
            order_id=order.id, order_item=item, customer_id=order.customer_id, places=places,
            status="confirmed" if is_sold else chance.choice(("waitlisted", "new")),
            cancelled_at=NOW if is_off else None,
            cancelled_by=chance.choice(("customer", "venue", "expired")) if is_off else None,
            is_no_show=is_no_show, is_walk_in=is_sold and chance.random() < 0.1,
            fee=chance.choice((0, 2500)) if is_no_show else 0,
            waiting_since=NOW - HOUR * chance.randrange(400) if waited else None,
            created_at=NOW, updated_at=NOW,
        )  # fmt: skip
        db.session.add(line)
        return line


def everything(model):
    return db.session.scalars(sa.select(model), execution_options=ANYWHERE).all()


def all_rows():
    """What is there, read once: by id, but lines and entries of the ledger in a list."""
    named = (Site, SessionType, Session, Order, SessionBooking, OrderItem, Customer, LedgerEntry)
    listed = (SessionBooking, LedgerEntry)
    return tuple(
        everything(model) if model in listed else {row.id: row for row in everything(model)}
        for model in named
    )


class ByHand:
    """The same questions, asked of all rows one by one."""

    def __init__(self, rows, scope, period):
        self.scope, self.period = scope, period
        (self.sites, self.kinds, self.slots, self.orders, self.lines, self.items,
         self.people, self.entries) = rows  # fmt: skip

    def day(self, instant, site_id):
        return instant.astimezone(ZoneInfo(self.sites[site_id].zone)).date()

    def is_in(self, instant, site_id):
        return self.period.first <= self.day(instant, site_id) <= self.period.last

    def is_wanted(self, slot):
        scope = self.scope
        return (
            slot.site_id in scope.site_ids
            and scope.type_id in (None, slot.session_type_id)
            and scope.room_id in (None, slot.room_id)
            and scope.practitioner_id in (None, slot.practitioner_id)
        )

    def is_here(self, slot):
        return self.is_wanted(slot) and self.is_in(slot.start_time, slot.site_id)

    def slot_of(self, line):
        return self.slots[line.session_id]

    def worth(self, line):
        if line.status != "confirmed" or line.cancelled_at:
            return 0
        return line.places * self.items[line.order_item_id].unit_price + line.fee

    def key(self, slot, keys):
        local = slot.start_time.astimezone(ZoneInfo(self.sites[slot.site_id].zone))
        known = {
            "day": local.date(), "weekday": local.weekday(), "hour": local.hour,
            "type": slot.session_type_id, "room": slot.room_id, "site": slot.site_id,
            "practitioner": slot.practitioner_id,
            "centre": self.kinds[slot.session_type_id].revenue_centre,
        }  # fmt: skip
        return tuple(known[key] for key in keys)

    def tally(self, keys):
        found = defaultdict(Counter)
        for slot in self.slots.values():
            if self.is_here(slot) and slot.deleted_at is None:
                found[self.key(slot, keys)] += Counter(sessions=1, capacity=slot.capacity)
        for line in self.lines:
            slot = self.slot_of(line)
            if not self.is_here(slot) or line.status != "confirmed" or line.cancelled_at:
                continue
            begun = slot.start_time <= NOW
            mine = found[self.key(slot, keys)]
            mine.update({"guests": line.places, "bookings": 1})
            mine.update({"due": line.places, "due_parties": 1} if begun else {})
            if begun and line.is_no_show:
                mine.update({"missed": line.places, "missed_parties": 1})
            mine.update({"recognised" if begun else "ahead": self.worth(line)})
        return {key: +counts for key, counts in found.items()}

    def books(self):
        """What orders owe beyond their lines, on the day of their earliest session."""
        loose = defaultdict(lambda: [0, 0])
        for order in self.orders.values():
            if order.site_id not in self.scope.site_ids or order.confirmed_at is None:
                continue
            lines = [line for line in self.lines if line.order_id == order.id]
            first = min((self.slot_of(line) for line in lines), key=lambda slot: slot.start_time)
            rest = sum(
                entry.amount
                for entry in self.entries
                if entry.order_id == order.id and entry.kind in ("charge", "adjustment")
            ) - sum(self.worth(line) for line in lines)
            if rest and self.is_in(first.start_time, order.site_id):
                day = self.day(first.start_time, order.site_id)
                loose[day, order.currency][first.start_time > NOW] += rest
        return {key: tuple(sums) for key, sums in loose.items() if any(sums)}

    def visitors(self):
        def person(order):
            customer = self.people[order.customer_id]
            return customer.address_key or None

        sold = [
            order
            for order in self.orders.values()
            if order.confirmed_at and order.organisation_id == self.scope.organisation_id
        ]
        first = {}
        for order in sorted(sold, key=lambda order: (order.confirmed_at, order.id)):
            first.setdefault(person(order), order.id)
        here = [
            order
            for order in sold
            if order.site_id in self.scope.site_ids
            and self.is_in(order.confirmed_at, order.site_id)
            and any(
                line.order_id == order.id and self.is_wanted(self.slot_of(line))
                for line in self.lines
            )
        ]
        known = {person(order) for order in here} - {None}
        new = {person(o) for o in here if person(o) and first[person(o)] == o.id}
        unknown = sum(person(order) is None for order in here)
        return len(new), len(known - new), unknown, len(here)

    def leads(self):
        found, all_leads = Counter(), []
        for line in self.lines:
            order, slot = self.orders[line.order_id], self.slot_of(line)
            if line.status != "confirmed" or not self.is_wanted(slot):
                continue
            if not self.is_in(order.confirmed_at, order.site_id):
                continue
            lead = slot.start_time - order.confirmed_at
            all_leads.append(int(lead.total_seconds()))
            name = next((n for n, hours in LEADS[1:] if lead < HOUR * hours), LONGEST_LEAD)
            found["At the door" if line.is_walk_in or lead <= HOUR * 0 else name] += 1
        ordered = sorted(all_leads)
        return found, ordered[(len(ordered) - 1) // 2] if ordered else None

    def waited(self):
        found = Counter()
        for line in self.lines:
            slot = self.slot_of(line)
            if line.waiting_since is None or not self.is_wanted(slot):
                continue
            if not self.is_in(line.waiting_since, line.site_id):
                continue
            found["joined"] += 1
            found["accepted"] += line.status == "confirmed"
        return found["joined"], found["accepted"]


def counted(one):
    """A tally as plain counts, its money in one currency."""
    names = ("sessions", "capacity", "guests", "bookings", "due", "due_parties")
    counts = Counter({name: getattr(one, name) for name in (*names, "missed", "missed_parties")})
    for worth in one.worth.values():
        counts.update(recognised=worth.recognised, ahead=worth.ahead)
    return +counts


def scopes_of(house):
    site, zone = house.bath, ZoneInfo(house.bath.zone)
    whole = Scope(site.organisation_id, (site.id,), zone)
    first = {
        model: db.session.scalar(
            sa.select(model.id).where(
                model.organisation_id == site.organisation_id, model.site_id == site.id
            )
        )
        for model in (SessionType, Room)
    }
    leader = db.session.scalar(
        sa.select(Practitioner.id).where(Practitioner.organisation_id == site.organisation_id)
    )
    north = Scope(site.organisation_id, (house.north.id,), ZoneInfo(house.north.zone))
    return [
        whole,
        north,
        Scope(*(site.organisation_id, (site.id,), zone), type_id=first[SessionType]),
        Scope(*(site.organisation_id, (site.id,), zone), room_id=first[Room]),
        Scope(*(site.organisation_id, (site.id,), zone), practitioner_id=leader),
    ]


PERIODS = [
    Period(D(2026, 6, 1), D(2026, 6, 7)),
    Period(D(2026, 6, 4), D(2026, 6, 4)),
    Period(D(2026, 5, 1), D(2026, 5, 31)),
    EVER,
]


@pytest.mark.parametrize("seed", range(3))
def test_reports_say_what_a_recount_of_random_bookings_says(seed):
    house = House(seed)
    rows = all_rows()
    for scope in scopes_of(house):
        for period in PERIODS:
            hand = ByHand(rows, scope, period)
            for keys in (ALL_KEYS, ("day",), ("weekday", "hour"), ("centre",), ("practitioner",)):
                found = tally(scope, period, keys, now=NOW)
                said = {key: counted(one) for key, one in found.items()}
                assert said == hand.tally(keys)
            unpriced = summed(list(tally(scope, period, ("day",), priced=False, now=NOW).values()))
            priced = summed(list(tally(scope, period, ("day",), now=NOW).values()))
            assert (unpriced.guests, unpriced.missed) == (priced.guests, priced.missed)
            assert not unpriced.worth
            all_steps = steps(period)
            visitors = count_visitors(scope, period, all_steps)
            orders = sum(one.total for one in visitors.by_step)
            said = (visitors.new, visitors.returning, visitors.unknown, orders)
            assert said == hand.visitors()
            leads = count_leads(scope, period)
            by_lead, median = hand.leads()
            assert +Counter(dict(leads.bookings)) == by_lead
            # Told by the whole hour.
            assert leads.median == (None if median is None else median // 3600 * 3600)
            waiting = count_waiting_parties(scope, period, all_steps, now=NOW)
            whole = waiting.whole
            assert (whole.joined, whole.accepted) == hand.waited()
            fates = (whole.waiting, whole.offered, whole.missed, whole.left, whole.closed)
            assert whole.joined == whole.accepted + sum(fates)
            assert sum(one.joined for one in waiting.by_step) == whole.joined


@pytest.mark.parametrize("seed", range(3, 5))
def test_m1_lines_and_what_is_tied_to_none_are_the_ledger_to_the_penny(seed):
    house = House(seed)
    rows = all_rows()
    for scope in scopes_of(house)[:2]:
        entries = db.session.scalars(
            sa.select(LedgerEntry)
            .join(Order, Order.id == LedgerEntry.order_id)
            .where(
                Order.site_id.in_(scope.site_ids),
                LedgerEntry.kind.in_(("charge", "adjustment")),
            ),
            execution_options=ANYWHERE,
        )
        booked = sum(entry.amount for entry in entries)
        # Over all days at once, and day by day.
        for parts in (
            [EVER],
            [Period(EVER.first + DAY * n, EVER.first + DAY * n) for n in range(147, 163)],
        ):
            total = 0
            for period in parts:
                worth = summed(list(tally(scope, period, ("day",), now=NOW).values())).worth["GBP"]
                loose, ledgers = find_books(scope, period, now=NOW)
                said = {(one.day, one.currency): (one.recognised, one.ahead) for one in loose}
                assert said == ByHand(rows, scope, period).books()
                revenue = worth.total + sum(one.recognised + one.ahead for one in loose)
                # The way from the ledger leads to just this sum.
                assert revenue == sum(one.revenue for one in ledgers)
                total += revenue
            assert total == booked


def test_payments_stand_on_the_day_they_were_taken_by_method():
    house = House(9)
    scope, period, rows = scopes_of(house)[0], PERIODS[0], all_rows()
    expected = defaultdict(lambda: [0, 0, 0])
    hand = ByHand(rows, scope, period)
    for entry in hand.entries:
        order = hand.orders[entry.order_id]
        if order.site_id not in scope.site_ids or entry.kind not in ("payment", "refund"):
            continue
        if hand.is_in(entry.created_at, order.site_id):
            sums = expected[entry.method]
            sums[entry.kind == "refund"] -= entry.amount
            sums[2] += 1
    found = {
        one.method: [one.payments, one.refunds, one.number] for one in list_taken(scope, period)
    }
    assert found == dict(expected)
    assert any(sums[0] > 0 for sums in expected.values())
    assert list_taken(scopes_of(house)[2], period) == ()
    assert find_books(scopes_of(house)[2], period, now=NOW) == ((), ())


class Sold:
    """Real orders of a real shop, changed as people change them."""

    def __init__(self):
        self.site = make_site()
        self.kind = make_type(self.site, price=4800, revenue_centre="Water")
        make_rule(self.kind, price=9900, position=1)
        self.scope = Scope(self.site.organisation_id, (self.site.id,), ZoneInfo(self.site.zone))
        self.door = Door(self.site.organisation_id, site_id=self.site.id, reason="", tells=False)

    def slot(self, day, **given):
        return make_session(self.kind, capacity=20, local_start=f"2026-06-{day:02}T18:00", **given)

    def line(self, slot, guests=2, **given):
        return find_order(make_order(slot, guests=guests, **given)).items[0].booking

    def revenue(self, first, last):
        period = Period(D(2026, 6, first), D(2026, 6, last))
        worth = summed(list(tally(self.scope, period, ("centre",), now=NOW).values())).worth["GBP"]
        loose, ledgers = find_books(self.scope, period, now=NOW)
        rest = sum(one.recognised + one.ahead for one in loose)
        assert sum(one.revenue for one in ledgers) == worth.total + rest
        return worth.total, rest

    def note(self, line, kind, amount):
        save(
            LedgerEntry(
                id=new_object_id(), organisation_id=self.site.organisation_id,
                order_id=line.order_id, kind=kind, amount=amount, currency="GBP", created_at=NOW,
            )
        )  # fmt: skip

    def ledger(self):
        return sum(entry.amount for entry in everything(LedgerEntry) if entry.kind != "payment")


def test_m1_cancelled_moved_comped_and_smaller_orders_all_stay_with_the_ledger():
    shop = Sold()
    one, other, off = shop.slot(12), shop.slot(13, price=6000), shop.slot(14)
    kept, gone, moved = shop.line(one), shop.line(one), shop.line(one)
    fewer, comped, swept = shop.line(one, 3), shop.line(one, 1), shop.line(off, 3)
    cancel(shop.door, gone.id, now=NOW)
    move(shop.door, moved.id, other.id, now=NOW)
    cancel_guests(shop.door, fewer.id, number=1, now=NOW)
    shop.note(comped, "adjustment", -4800)
    shop.note(gone, "charge", 1500)
    shop.note(kept, "payment", -9600)
    seen = find_cancellable_session(
        shop.site.organisation_id, shop.site.id, off.id, now=NOW
    ).impact.mark
    cancel_session(
        shop.site.organisation_id, shop.site.id, off.id, reason="Boiler", seen=seen, now=NOW
    )
    # kept 2, fewer 2 and comped 1 at 48; the comp and the late fee are tied to no session.
    assert shop.revenue(12, 12) == (5 * 4800, 1500 - 4800)
    assert shop.revenue(13, 13) == (2 * 6000, 0)
    assert shop.revenue(14, 14) == (0, 0)
    assert sum(shop.revenue(1, 30)) == shop.ledger()
    assert swept.order.state


def test_an_order_of_two_days_is_split_and_both_days_lead_back_to_its_ledger():
    shop = Sold()
    basket = None
    for slot in (shop.slot(12), shop.slot(20, price=1000)):
        basket = hold_places(
            shop.site.organisation_id, slot.id, session_type_id=shop.kind.id, guests=2,
            viewer=Viewer(), basket_secret=basket, account_id=None, now=NOW,
        )  # fmt: skip
    confirm_order(shop.site.organisation_id, basket, name="Ana", email="ana@example.com", now=NOW)
    line = find_order(basket).items[0].booking
    shop.note(line, "adjustment", -500)
    assert shop.revenue(12, 12) == (9600, -500)
    assert shop.revenue(20, 20) == (2000, 0)
    assert sum(shop.revenue(1, 30)) == shop.ledger() == 11100


def test_what_has_begun_is_recognised_from_its_first_second():
    shop = Sold()
    slot = shop.slot(12)
    shop.line(slot)
    period = Period(D(2026, 6, 12), D(2026, 6, 12))
    for now, said in (
        (slot.start_time - dt.timedelta(seconds=1), (0, 9600)),
        (slot.start_time, (9600, 0)),
    ):
        worth = tally(shop.scope, period, ("day",), now=now)[(D(2026, 6, 12),)].worth["GBP"]
        assert (worth.recognised, worth.ahead) == said


def test_t5_a_late_session_counts_on_its_own_day_of_the_site():
    site = make_site(zone="Asia/Tokyo")
    kind = make_type(site)
    make_session(kind, local_start="2026-06-05T00:30")
    scope = Scope(site.organisation_id, (site.id,), ZoneInfo(site.zone))
    found = tally(scope, Period(D(2026, 6, 5), D(2026, 6, 5)), ("weekday", "hour"), now=NOW)
    assert list(found) == [(4, 0)]
    assert tally(scope, Period(D(2026, 6, 4), D(2026, 6, 4)), ("day",), now=NOW) == {}


def test_a_walk_in_without_an_address_is_neither_new_nor_returning_and_stands_at_the_door():
    shop = Sold()
    slot = make_session(shop.kind, local_start="2026-06-04T10:30")
    book_for_staff(shop.site.organisation_id, slot.id, name="Wim", guests=1, now=NOW)
    period = Period(D(2026, 6, 4), D(2026, 6, 4))
    found = count_visitors(shop.scope, period, steps(period))
    assert (found.new, found.returning, found.unknown) == (0, 0, 1)
    assert dict(count_leads(shop.scope, period).bookings)["At the door"] == 1


def test_d1_a_report_is_narrowed_only_to_what_is_the_sites_own():
    site, other = make_site(), make_site()
    kind = make_type(site)
    venue = venue_of(site)
    choices = list_choices(site.organisation_id, site.id)
    assert scope_of(venue, choices, type_id=kind.id).is_filtered
    foreign = [make_type(other).id, "x", make_room(site).id]
    for wrong in foreign:
        with pytest.raises(NotFound):
            scope_of(venue, choices, type_id=wrong)
    with pytest.raises(NotFound):
        scope_of(venue, choices, room_id=make_room(other).id)
    with pytest.raises(NotFound):
        scope_of(venue, choices, practitioner_id=make_practitioner(other).id)


def test_who_led_here_once_can_still_be_asked_for():
    site = make_site()
    leaver = make_practitioner(site, name="Gone Greta")
    make_group(make_type(site), None, practitioner_id=leaver.id)
    make_session(make_type(site), practitioner_id=leaver.id)
    leaver.sites, leaver.deleted_at = [], NOW
    db.session.commit()
    assert (leaver.id, "Gone Greta") in list_choices(site.organisation_id, site.id).practitioners


def test_the_number_of_statements_does_not_grow_with_what_is_counted():
    house = House(11)
    scope = scopes_of(house)[0]
    numbers = []
    for period in (PERIODS[1], EVER):
        said = []

        def note(_c, _cursor, statement, *_rest, said=said):
            said.append(statement)

        sa.event.listen(db.engine, "before_cursor_execute", note)
        try:
            all_steps = steps(period)
            tally(scope, period, ("day", "centre"), now=NOW)
            find_books(scope, period, now=NOW)
            list_taken(scope, period)
            count_visitors(scope, period, all_steps)
            count_leads(scope, period)
            count_waiting_parties(scope, period, all_steps, now=NOW)
        finally:
            sa.event.remove(db.engine, "before_cursor_execute", note)
        numbers.append(len([one for one in said if one.lstrip().startswith(("SELECT", "WITH"))]))
    assert numbers == [8, 8]
