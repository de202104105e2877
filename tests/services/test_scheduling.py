"""Series become sessions: once, at the site's wall time (R23, R24, S1, T1, T2)."""

import datetime as dt

import pytest
import sqlalchemy as sa
from factories import ANYWHERE, NOW, fetch, make_group, make_room, make_site, make_type

from domain.errors import NotFound
from models import Session, SessionType, db
from services.scheduling import produce_sessions, roll_horizon_forward

pytestmark = pytest.mark.usefixtures("ctx")


def sessions():
    return db.session.scalars(
        sa.select(Session).order_by(Session.start_time), execution_options=ANYWHERE
    ).all()


def make_series(**given):
    site = make_site(zone=given.pop("zone", "Europe/London"))
    return make_group(make_type(site, duration=60), make_room(site), **given)


def produce(group):
    return produce_sessions(group.organisation_id, group.id, now=NOW)


def test_s1_producing_twice_makes_the_same_rows():
    group = make_series()
    assert produce(group) == 18
    before = {(row.id, row.start_time) for row in sessions()}
    assert produce(group) == 0
    assert {(row.id, row.start_time) for row in sessions()} == before


def test_s1_what_was_changed_or_cancelled_by_hand_stays_so():
    group = make_series()
    produce(group)
    first, second = sessions()[:2]
    first.capacity, second.deleted_at = 3, NOW
    db.session.commit()
    assert produce(group) == 0
    assert fetch(Session, first.id).capacity == 3
    assert fetch(Session, second.id).deleted_at == NOW


def test_t1_wall_time_stays_when_the_clocks_change():
    group = make_series(
        weekdays=["monday"],
        start_times=[dt.time(9)],
        recurrence_start=dt.date(2026, 3, 23),
        recurrence_end=dt.date(2026, 3, 30),
    )
    produce(group)
    assert [row.start_time.hour for row in sessions()] == [9, 8]
    assert {row.local_start.hour for row in sessions()} == {9}


def test_t2_a_time_in_the_gap_and_a_repeated_one():
    days = {dt.date(2026, 3, 29): "2026-03-29T01:30Z", dt.date(2026, 10, 25): "2026-10-25T00:30Z"}
    for day, instant in days.items():
        group = make_series(
            weekdays=["sunday"],
            start_times=[dt.time(1, 30)],
            recurrence_start=day,
            recurrence_end=day,
        )
        produce(group)
        found = [row for row in sessions() if row.recurrence_date == day]
        assert [row.start_time for row in found] == [dt.datetime.fromisoformat(instant)]


def test_r9_r31_new_sessions_take_the_types_values():
    site = make_site()
    kind = make_type(
        site, name="Bath house", max_baskets_per_session=1, waitlist_enabled=True, duration=90
    )
    produce(make_group(kind, make_room(site)))
    row = sessions()[0]
    assert (row.session_type_name, row.max_baskets, row.waitlist_enabled) == ("Bath house", 1, True)
    assert row.end_time - row.start_time == dt.timedelta(minutes=90)


def test_c36_an_incomplete_group_produces_nothing():
    site = make_site()
    assert produce(make_group(make_type(site), None)) == 0
    assert produce(make_series(capacity=None)) == 0
    assert produce(make_series(weekdays=[])) == 0
    assert produce(make_series(deleted_at=NOW)) == 0


def test_s5_an_open_series_reaches_its_horizon_and_rolls_forward():
    group = make_series(weekdays=["thursday"], start_times=[dt.time(9)], recurrence_end=None)
    assert produce(group) == 14
    assert roll_horizon_forward(now=NOW) == 0
    assert roll_horizon_forward(now=NOW + dt.timedelta(weeks=2)) == 2


def test_producing_raises_the_revision_of_its_type():
    group = make_series()
    before = fetch(SessionType, group.session_type_id).revision
    produce(group)
    assert fetch(SessionType, group.session_type_id).revision == before + 1


def test_r1_another_organisations_group_is_not_found():
    group = make_series()
    with pytest.raises(NotFound):
        produce_sessions(make_site().organisation_id, group.id, now=NOW)
