"""A random run of real deeds at the desk: whatever was done, reports and ledger agree (M1)."""

import datetime as dt
import random
from collections import Counter
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from factories import NOW, make_account, make_order, make_session, make_site, make_type

from domain.errors import RuleBroken
from domain.merging import KEPT
from domain.reporting import Period, steps
from models import Customer, LedgerEntry, OrderItem, SessionBooking, db
from services.cancelling import cancel, cancel_guests
from services.changing import Door
from services.desk import set_check_in, set_no_show, waive_fee
from services.doctor import examine
from services.erasing import erase_customer, find_erasure
from services.merging import find_merge, merge_customers
from services.moving import move
from services.orders import Till, comp, refund, take_payment
from services.report_people import count_visitors
from services.reports import Scope, find_books, summed, tally

pytestmark = pytest.mark.usefixtures("ctx")

EVER = Period(dt.date(2026, 5, 1), dt.date(2026, 7, 31))
MINUTE = dt.timedelta(minutes=1)
FEES = {"late_after_minutes": 10, "late_fee": 700, "no_show_fee": 1900, "fees_waivable_hours": 48}


class Desk:
    """A venue with sessions behind and ahead, and everybody's hands in them."""

    def __init__(self, seed):
        self.chance = random.Random(seed)  # noqa: S311 - a test that can be run again
        site = make_site(zone="Europe/London", revenue_centres=["Water", "Hands"])
        self.house = site.organisation_id
        self.at = (self.house, site.id)
        self.till = Till(*self.at)
        self.scope = Scope(self.house, (site.id,), ZoneInfo(site.zone))
        self.door = Door(self.house, site_id=site.id, reason="", tells=False)
        self.by = make_account("desk@example.com").id
        kinds = [make_type(site, revenue_centre=name, **FEES) for name in ("Water", "Hands")]
        self.past, self.coming = (
            [
                make_session(kind, local_start=f"2026-06-{day:02}T{hour}:00", capacity=40)
                for kind in kinds
                for hour in (10, 18)
            ]
            for day in (3, 9)
        )
        for number in range(24):
            slot = self.chance.choice(self.past + self.coming)
            make_order(
                slot, email=f"c{number % 9}@example.com", guests=self.chance.randint(1, 4),
                now=NOW - dt.timedelta(days=3),
            )  # fmt: skip
        self.lines = self.rows(SessionBooking)

    def rows(self, model):
        query = sa.select(model).where(model.organisation_id == self.house)
        return list(db.session.scalars(query.order_by(model.id)))

    def tap(self, line):
        start = line.session.start_time
        at = min(NOW, start + self.chance.choice((-5, 4, 25, 90)) * MINUTE)
        deed = self.chance.choice((set_check_in, set_no_show))
        wants = {"arrived" if deed is set_check_in else "missed": self.chance.random() < 0.7}
        deed(*self.at, line.id, now=at, **wants)

    def waive(self, _line):
        charged = [line for line in self.rows(SessionBooking) if line.fee]
        line = self.chance.choice(charged or self.lines)
        waive_fee(*self.at, line.id, reason="Ill", now=NOW)

    def comp(self, line):
        comp(self.till, line.order_id, amount=self.chance.randint(1, 2500), reason="Cold", now=NOW)

    def pay(self, line):
        sums = {"amount": self.chance.randint(1, 9000), "method": "card"}
        take_payment(self.till, line.order_id, now=NOW, **sums)

    def refund(self, line):
        refund(self.till, line.order_id, amount=self.chance.randint(1, 900), reason="x", now=NOW)

    def change(self, line):
        if self.chance.random() < 0.5:
            cancel(self.door, line.id, now=NOW)
        else:
            move(self.door, line.id, self.chance.choice(self.coming).id, now=NOW)

    def drop(self, line):
        cancel_guests(self.door, line.id, number=1, now=NOW)

    def merge(self, _line):
        stays, goes = self.chance.sample(self.rows(Customer), 2)
        shown = find_merge(self.house, stays.id, goes.id)
        chosen = dict.fromkeys(shown.fields, KEPT)
        merge_customers(
            self.house, stays.id, goes.id, chosen=chosen, seen=shown.mark, by_id=self.by, now=NOW
        )

    def erase(self, _line):
        row = self.chance.choice(self.rows(Customer))
        seen = find_erasure(self.house, row.id, now=NOW).mark
        erase_customer(self.house, row.id, cancels=True, seen=seen, hash_address=str.upper, now=NOW)

    def run(self, deeds):
        """How often each deed was done; what the rules refuse is refused whole."""
        done = Counter()
        often = [self.tap] * 6 + [self.pay, self.comp, self.refund, self.waive, self.waive]
        rare = [self.change, self.change, self.drop, self.drop, self.merge, self.erase]
        for _ in range(deeds):
            deed = self.chance.choice(often * 2 + rare)
            try:
                deed(self.chance.choice(self.lines))
                done[deed.__name__] += 1
            except RuleBroken:
                db.session.rollback()
        db.session.expire_all()
        return done

    def by_hand(self):
        """From the ledger's own lines: what each centre's sessions are worth, and all of it."""
        entries = self.rows(LedgerEntry)
        undone = {entry.reverses_id for entry in entries}
        prices = {item.id: item.unit_price for item in self.rows(OrderItem)}
        worth = Counter()
        for line in self.rows(SessionBooking):
            if line.cancelled_at is None:
                centre = line.session.session_type.revenue_centre
                worth[centre] += line.places * prices[line.order_item_id]
        for entry in entries:
            if entry.fee_number and entry.id not in undone:
                line = db.session.get(SessionBooking, entry.booking_id)
                assert line.cancelled_at is None
                worth[line.session.session_type.revenue_centre] += entry.amount
        booked = sum(it.amount for it in entries if it.kind in ("charge", "adjustment"))
        return {centre: sum_ for centre, sum_ in worth.items() if sum_}, booked


def test_m1_whatever_is_done_at_the_desk_reports_and_ledger_agree_to_the_penny():
    desk = Desk(seed=0)
    done = desk.run(120)
    # A run that does too little would prove nothing.
    assert min(done[name] for name in ("waive", "comp", "refund", "change", "merge", "erase")) > 0
    assert any(entry.fee for entry in desk.rows(LedgerEntry))
    worth, booked = desk.by_hand()
    found = tally(desk.scope, EVER, ("centre",), now=NOW)
    said = {key[0]: one.worth["GBP"].total for key, one in found.items()}
    assert {centre: sum_ for centre, sum_ in said.items() if sum_} == worth
    loose, ledgers = find_books(desk.scope, EVER, now=NOW)
    rest = sum(one.recognised + one.ahead for one in loose)
    assert sum(worth.values()) + rest == booked == sum(one.revenue for one in ledgers)
    whole = summed(list(tally(desk.scope, EVER, ("day",), now=NOW).values()))
    lines = [line for line in desk.rows(SessionBooking) if line.cancelled_at is None]
    begun = [line for line in lines if line.session.start_time <= NOW]
    assert whole.missed == sum(line.places for line in begun if line.is_no_show)
    # Two who became one are one, and whoever was erased is still one person of the books.
    orders = {line.order_id: line.customer_id for line in desk.rows(SessionBooking)}
    people = {row.id: row.address_key for row in desk.rows(Customer)}
    known = {people[customer_id] for customer_id in orders.values()} - {"", None}
    visitors = count_visitors(desk.scope, EVER, steps(EVER))
    assert (visitors.new, visitors.returning) == (len(known), 0)
    assert visitors.unknown == sum(not people[one] for one in orders.values())
    assert examine() == []
