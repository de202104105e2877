"""The demo is real input: two organisations apart, every kind of rule, a lively diary."""

import datetime as dt

import pytest
import sqlalchemy as sa
from conftest import NOW, ROOT
from factories import ANYWHERE

from models import (
    Job,
    LedgerEntry,
    Organisation,
    PriceRule,
    Session,
    SessionBooking,
    SessionType,
    Site,
    db,
)
from services.demo import is_empty, list_sign_ins
from services.demo_letters import KEPT
from services.doctor import find_wrong_books, find_wrong_counters, find_wrong_sums


@pytest.fixture
def demo(demo_app):
    with demo_app.app_context():
        yield demo_app
        db.session.remove()


def every(*columns):
    return db.session.execute(sa.select(*columns), execution_options=ANYWHERE).all()


def types():
    return db.session.scalars(sa.select(SessionType), execution_options=ANYWHERE).all()


def test_two_organisations_and_three_sites_stand(demo):
    assert not is_empty()
    assert {row[0] for row in every(Organisation.name)} == {"Stillwater", "North Light"}
    assert {tuple(row) for row in every(Site.zone, Site.currency)} == {
        ("Europe/London", "GBP"),
        ("Atlantic/Reykjavik", "ISK"),
        ("America/New_York", "USD"),
    }


def test_stillwater_uses_every_kind_of_limit(demo):
    kinds = types()
    assert len(kinds) >= 14
    assert {kind.visibility for kind in kinds} == {"public", "link_only", "private"}
    assert {kind.customer_cancellation_permitted for kind in kinds} == {
        "allowed",
        "disallowed",
        "unpaid",
    }
    for field in (
        "members_only",
        "customers_only",
        "hidden_on_schedule",
        "waitlist_enabled",
        "max_guests",
        "max_per_guest",
        "max_per_basket",
        "max_baskets_per_session",
        "max_bookings_per_member",
        "max_advance_bookings_interval",
        "min_advance_bookings_interval",
        "membership_booking_windows_enabled",
        "image_id",
    ):
        assert any(getattr(kind, field) for kind in kinds), field
    assert any(not kind.offered_online for kind in kinds)
    assert any(kind.min_guests > 1 for kind in kinds)
    assert any(not kind.include_pricing_on_calendar for kind in kinds)


def test_fees_of_both_kinds_are_agreed_and_some_stand(demo):
    kinds = types()
    assert any(kind.late_fee and kind.no_show_fee for kind in kinds)
    assert any(kind.no_show_fee and not kind.late_fee for kind in kinds)
    assert any(kind.fees_waivable_hours for kind in kinds)
    assert {row[0] for row in every(LedgerEntry.fee)} == {None, "late", "no_show"}


def test_price_rules_use_every_condition_and_one_is_free(demo):
    rules = db.session.scalars(sa.select(PriceRule), execution_options=ANYWHERE).all()
    for field in (
        "weekdays",
        "date_from",
        "date_to",
        "time_from",
        "time_to",
        "membership_type_ids",
    ):
        assert any(getattr(rule, field) for rule in rules), field
    assert any(rule.price == 0 for rule in rules)


def test_the_busiest_type_has_about_three_hundred_sessions_a_month(demo):
    july = (dt.datetime.fromisoformat("2026-07-01"), dt.datetime.fromisoformat("2026-08-01"))
    busiest = max(
        number
        for _, number in db.session.execute(
            sa.select(Session.session_type_id, sa.func.count())
            .where(Session.local_start >= july[0], Session.local_start < july[1])
            .group_by(Session.session_type_id),
            execution_options=ANYWHERE,
        )
    )
    assert 260 <= busiest <= 320


def test_the_diary_has_past_and_coming_bookings_and_true_counters(demo):
    starts = [row[0] for row in every(Session.start_time)]
    assert min(starts) < NOW < max(starts)
    booked = db.session.scalars(
        sa.select(Session.start_time).join(SessionBooking), execution_options=ANYWHERE
    ).all()
    assert sum(start < NOW for start in booked) > 100
    assert sum(start > NOW for start in booked) > 100
    assert find_wrong_counters() == []


def test_the_demo_sends_nothing_of_its_past_and_floods_no_outbox(demo):
    jobs = db.session.scalars(sa.select(Job), execution_options=ANYWHERE).all()
    past = [job for job in jobs if job.run_at <= NOW]
    assert 0 < len(past) <= 4 * KEPT
    assert all(job.done_at is not None for job in past)
    waiting = {job.payload["letter"] for job in jobs if job.done_at is None}
    assert waiting - {"fee_charged"} == {"booking_reminder"}


def test_the_sign_ins_are_printed_from_the_files():
    emails = {row[2] for row in list_sign_ins(ROOT / "demo")}
    assert {"maren@stillwater.example", "ana.reyes@example.com"} <= emails


def test_m1_who_came_has_mostly_paid_and_the_books_are_sound(demo):
    assert find_wrong_sums() == find_wrong_books() == []
    paid = {row[0] for row in every(LedgerEntry.order_id, LedgerEntry.kind) if row[1] == "payment"}
    came = {
        row[0]
        for row in every(SessionBooking.order_id, SessionBooking.checked_in_at)
        if row[1] is not None
    }
    assert len(came) * 0.7 < len(paid) < len(came)
    assert paid <= came
    methods = {row[0] for row in every(LedgerEntry.method)}
    assert methods == {"", "card", "cash", "voucher"}
