"""Fees for coming late or not at all: charged once, as agreed, and taken back by name."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from factories import ANYWHERE, NOW, fetch, make_order, make_session, make_site, make_type
from sqlalchemy.exc import IntegrityError

from domain.errors import RuleBroken, WrongState
from domain.replaying import Sent
from domain.reporting import Period
from models import Job, LedgerEntry, Order, Session, SessionBooking, SessionType, db, new_object_id
from services.cancelling import cancel
from services.changing import Door, find_standing
from services.checkout import book_for_staff, find_order
from services.desk import find_fee, find_roster, set_check_in, set_no_show, set_stage, waive_fee
from services.doctor import examine
from services.ledger import find_entries
from services.order_pages import find_order_page
from services.orders import Till, comp
from services.reports import Scope, find_books, summed, tally
from services.session_changes import cancel_session, find_cancellable_session

pytestmark = pytest.mark.usefixtures("ctx")

MINUTE, HOUR = dt.timedelta(minutes=1), dt.timedelta(hours=1)
FEES = {
    "late_after_minutes": 15, "late_fee": 1000, "no_show_fee": 2500, "fees_waivable_hours": 24,
}  # fmt: skip


class House:
    """One session with a party of two whose type charges for both."""

    def __init__(self, **given):
        self.site = make_site()
        self.kind = make_type(self.site, revenue_centre="Water", **{**FEES, **given})
        self.row = make_session(self.kind, local_start="2026-06-04T11:00", capacity=8)
        self.start = self.row.start_time
        self.order = find_order(make_order(self.row, guests=2, now=NOW - HOUR))
        self.id = self.order.items[0].booking.id
        self.at = (self.site.organisation_id, self.site.id, self.id)

    def check_in(self, after, arrived=True, **given):
        set_check_in(*self.at, arrived=arrived, now=self.start + after, **given)

    def no_show(self, after, missed=True, **given):
        set_no_show(*self.at, missed=missed, now=self.start + after, **given)

    @property
    def fees(self):
        """What the ledger says of fees, in order."""
        return [
            (entry.fee, entry.amount)
            for entry in find_entries(self.site.organisation_id, self.order.id)
            if entry.fee
        ]

    @property
    def due(self):
        return sum(it.amount for it in find_entries(self.site.organisation_id, self.order.id))


def test_m1_a_late_check_in_charges_the_agreed_fee_for_each_guest_and_undoing_takes_it_back():
    house = House()
    house.check_in(16 * MINUTE)
    assert house.fees == [("late", 2000)]
    assert house.due == 9600 + 2000
    (line,) = find_roster(*house.at[:2], house.row.id, now=NOW).lines
    assert (line.fee.charged.title, line.fee.charged.amount) == ("Late fee", 2000)
    house.check_in(17 * MINUTE, arrived=False)
    assert house.fees == [("late", 2000), ("late", -2000)]
    assert house.due == 9600
    assert examine() == []


def test_who_comes_in_time_pays_nothing_more():
    house = House()
    house.check_in(15 * MINUTE)
    set_stage(*house.at, stage="in_treatment", now=house.start + HOUR)
    assert house.fees == []


def test_a_stage_checks_in_too_and_is_late_too():
    house = House()
    set_stage(*house.at, stage="in_treatment", now=house.start + HOUR)
    set_stage(*house.at, stage="checked_out", now=house.start + HOUR * 2)
    assert house.fees == [("late", 2000)]


def test_r27_who_comes_after_a_no_show_pays_for_being_late_instead():
    house = House()
    house.no_show(10 * MINUTE)
    house.no_show(11 * MINUTE)
    assert house.fees == [("no_show", 5000)]
    house.check_in(20 * MINUTE)
    assert house.fees == [("no_show", 5000), ("no_show", -5000), ("late", 2000)]
    assert fetch(SessionBooking, house.id).fee == 2000
    assert examine() == []


def test_a_no_show_before_the_start_costs_nothing_and_a_walk_in_is_never_late():
    house = House()
    house.no_show(-MINUTE)
    walk_in = book_for_staff(
        house.site.organisation_id, house.row.id, name="Walter", guests=1, now=house.start + HOUR
    )
    set_check_in(*house.at[:2], walk_in, arrived=False, now=house.start + HOUR)
    set_check_in(*house.at[:2], walk_in, arrived=True, now=house.start + HOUR)
    assert (house.fees, fetch(SessionBooking, walk_in).fee) == ([], 0)


def test_after_the_agreed_time_undoing_leaves_the_fee_and_nothing_is_charged_twice():
    house = House()
    house.no_show(MINUTE)
    house.no_show(MINUTE + 25 * HOUR, missed=False)
    house.no_show(MINUTE + 26 * HOUR)
    assert house.fees == [("no_show", 5000)]
    with pytest.raises(RuleBroken) as refused:
        waive_fee(*house.at, reason="Ill", now=house.start + 26 * HOUR)
    assert refused.value.code == "fee_too_old"
    assert examine() == []


def test_m8_editing_the_type_later_changes_no_order():
    house = House()
    kind = fetch(SessionType, house.kind.id)
    kind.late_fee, kind.no_show_fee, kind.late_after_minutes = 9900, None, 0
    db.session.commit()
    house.check_in(16 * MINUTE)
    house.no_show(17 * MINUTE)
    assert [fee for fee in house.fees if fee[1] > 0] == [("late", 2000), ("no_show", 5000)]


def test_m1_a_waiver_is_an_adjustment_that_names_its_charge_with_its_reason():
    house = House()
    house.no_show(MINUTE, by_id="a" * 24)
    booking, fee = find_fee(*house.at, now=house.start + HOUR)
    assert (booking.id, fee.may_waive) == (house.id, True)
    with pytest.raises(RuleBroken):
        waive_fee(*house.at, reason=" ", now=house.start + HOUR)
    for _ in range(2):
        waive_fee(*house.at, reason="Ill", by_id="b" * 24, key="k", now=house.start + HOUR)
    charge, waiver = db.session.scalars(
        sa.select(LedgerEntry).where(LedgerEntry.fee.is_not(None)).order_by(LedgerEntry.created_at),
        execution_options=ANYWHERE,
    )
    assert (waiver.kind, waiver.amount, waiver.note) == ("adjustment", -5000, "Ill")
    assert (waiver.reverses_id, waiver.booking_id) == (charge.id, house.id)
    assert (charge.taken_by_id, waiver.taken_by_id) == ("a" * 24, "b" * 24)
    with pytest.raises(RuleBroken) as refused:
        waive_fee(*house.at, reason="Again", now=house.start + HOUR)
    assert refused.value.code == "no_fee"
    # It stays a no-show; what it does next charges nothing by itself.
    assert fetch(SessionBooking, house.id).is_no_show
    house.no_show(2 * HOUR)
    assert house.due == 9600
    assert examine() == []


def test_the_database_refuses_a_second_charge_of_one_number_and_a_second_taking_back():
    house = House()
    house.no_show(MINUTE)
    charge = db.session.scalar(
        sa.select(LedgerEntry).where(LedgerEntry.fee_number == 1), execution_options=ANYWHERE
    )
    same = {
        "organisation_id": charge.organisation_id, "order_id": charge.order_id, "fee": "no_show",
        "currency": "GBP", "booking_id": charge.booking_id, "created_at": NOW,
    }  # fmt: skip
    house.no_show(2 * MINUTE, missed=False)
    for twin in (
        {"kind": "charge", "amount": 5000, "fee_number": 1},
        {"kind": "adjustment", "amount": -5000, "reverses_id": charge.id},
    ):
        db.session.add(LedgerEntry(id=new_object_id(), **same, **twin))
        with pytest.raises(IntegrityError):
            db.session.flush()
        db.session.rollback()


def test_the_same_tap_sent_again_is_done_once_whatever_a_colleague_did_meanwhile():
    house = House()
    house.check_in(16 * MINUTE, sent=Sent(key="tap"))
    house.check_in(17 * MINUTE, arrived=False)
    house.check_in(18 * MINUTE, sent=Sent(key="tap"))
    assert fetch(SessionBooking, house.id).checked_in_at is None
    assert house.due == 9600


def test_a_tap_that_waited_for_the_network_makes_nobody_late():
    house = House()
    (line,) = find_roster(*house.at[:1], house.site.id, house.row.id, now=NOW).lines
    house.check_in(18 * MINUTE, sent=Sent(ago=4 * MINUTE, seen=line.mark))
    assert fetch(SessionBooking, house.id).checked_in_at == house.start + 14 * MINUTE
    assert house.fees == []


def test_m6_a_session_that_the_venue_cancels_takes_its_fees_back():
    house = House()
    house.no_show(MINUTE)
    now = house.start + 30 * MINUTE
    found = find_cancellable_session(*house.at[:2], house.row.id, now=now)
    assert found.impact.no_longer_due == 9600 + 5000
    cancel_session(*house.at[:2], house.row.id, reason="Boiler", seen=found.impact.mark, now=now)
    assert (house.due, fetch(SessionBooking, house.id).fee) == (0, 0)
    assert fetch(Order, house.order.id).state == "cancelled"
    assert examine() == []


def test_a_no_show_is_undone_before_it_is_changed_and_cancelling_takes_what_stands_along():
    house = House()
    house.no_show(MINUTE)
    desk = Door(house.site.organisation_id, site_id=house.site.id, reason="Ill", tells=False)
    with pytest.raises(WrongState) as refused:
        cancel(desk, house.id, now=house.start + HOUR)
    assert refused.value.code == "marked_no_show"
    # Undone too late to take the fee back: it goes with the booking.
    late = house.start + 30 * HOUR
    house.no_show(30 * HOUR, missed=False)
    standing = find_standing(desk, house.id, now=late)
    assert standing.cost(2).taken_back == 9600 + 5000
    cancel(desk, house.id, now=late)
    assert house.due == 0
    assert examine() == []


def letters(house):
    """Kind and moment of every letter about a fee."""
    query = sa.select(Job).where(Job.organisation_id == house.site.organisation_id)
    jobs = db.session.scalars(query.order_by(Job.run_at))
    return [(it.payload["letter"], it.run_at) for it in jobs if "fee" in it.payload]


def test_e1_a_fee_is_told_once_when_it_can_be_no_slip_and_so_is_its_end():
    house = House()
    house.no_show(30 * MINUTE)
    told_at = house.start + HOUR
    assert letters(house) == [("fee_charged", told_at)]
    waive_fee(*house.at, reason="Ill", now=told_at + MINUTE)
    assert letters(house) == [("fee_charged", told_at), ("fee_waived", told_at + MINUTE)]


def test_e1_a_fee_that_goes_before_it_was_told_goes_without_a_word():
    house = House()
    house.no_show(30 * MINUTE)
    house.no_show(31 * MINUTE, missed=False)
    assert [kind for kind, _ in letters(house)] == ["fee_charged"]


def test_what_was_waived_of_a_fee_by_hand_lapses_with_it():
    house = House()
    house.no_show(MINUTE)
    till = Till(house.site.organisation_id, house.site.id)
    comp(till, house.order.id, amount=14600, reason="All of it", now=house.start + HOUR)
    house.no_show(2 * HOUR, missed=False)
    assert house.due == 0
    assert examine() == []


def test_m1_fees_are_revenue_of_their_session_and_its_centre_to_the_penny():
    house = House()
    house.no_show(MINUTE)
    scope = Scope(house.site.organisation_id, (house.site.id,), ZoneInfo(house.site.zone))
    period, now = Period(dt.date(2026, 6, 4), dt.date(2026, 6, 4)), house.start + HOUR
    found = tally(scope, period, ("centre",), now=now)
    assert found["Water",].worth["GBP"].recognised == 9600 + 5000
    loose, (ledger,) = find_books(scope, period, now=now)
    assert (loose, ledger.revenue) == ((), summed(list(found.values())).worth["GBP"].total)
    house.check_in(20 * MINUTE)
    found = tally(scope, period, ("centre",), now=now)
    assert found["Water",].worth["GBP"].recognised == 9600 + 2000


def test_the_orders_page_names_the_fee_and_the_doctor_one_that_the_ledger_does_not_know():
    house = House()
    house.check_in(HOUR)
    page = find_order_page(*house.at[:2], house.order.id, now=house.start + HOUR)
    assert page.fees[house.id].title == "Late fee"
    fetch(SessionBooking, house.id).fee = 2100
    db.session.commit()
    assert [f"Booking {house.id}: a fee of 2100 is noted, the ledger has 2000."] == [
        said for said in examine() if said.startswith("Booking")
    ]
    assert fetch(Session, house.row.id).places_taken == 2
