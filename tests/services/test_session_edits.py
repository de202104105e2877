"""One session is changed with the bookings it touches, on a real database."""

import datetime as dt

import pytest
import sqlalchemy as sa
from conftest import NOW
from factories import (
    ANYWHERE,
    fetch,
    make_booked_line,
    make_order,
    make_practitioner,
    make_room,
    make_rule,
    make_session,
    make_site,
    make_type,
    save,
)

from domain.eligibility import Viewer
from domain.errors import ImpactChanged, NotFound, RuleBroken, WrongState
from domain.session_edits import CANCEL, CLEAR, KEEP, Choice, SessionWish
from models import Job, Session, SessionBooking, SessionType, Site, TimeOff, db
from services import session_edits
from services.basket import hold_places
from services.doctor import examine
from services.session_edits import ChoicesRefused, apply_edit, find_edit

pytestmark = pytest.mark.usefixtures("ctx")

LATER = NOW + dt.timedelta(minutes=5)
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def row():
    """A session of six places in a room for ten, eight days ahead, with two bookings."""
    site = make_site()
    kind = make_type(site)
    row = make_session(kind, capacity=6, room_id=make_room(site, cap=10).id)
    for name in ("Ana", "Bea"):
        make_order(row, guests=2, name=name, email=f"{name.lower()}@example.com")
    return again(row)


def again(row):
    return fetch(Session, row.id)


def fetch_type(row):
    return fetch(SessionType, row.session_type_id)


def fetch_site(row):
    return fetch(Site, row.site_id)


def look(row, **wanted):
    wish = SessionWish(**wanted)
    return find_edit(row.organisation_id, row.site_id, row.id, wish, now=LATER).impact


def edit(row, *, seen=None, choices=None, default=KEEP, reason="Moved", tells=True, **wanted):
    seen = look(row, **wanted).mark if seen is None else seen
    apply_edit(
        row.organisation_id, row.site_id, row.id, SessionWish(**wanted),
        choices=choices, default=default, seen=seen, reason=reason, tells=tells, now=LATER,
    )  # fmt: skip


def bookings(row):
    found = db.session.scalars(
        sa.select(SessionBooking)
        .where(SessionBooking.organisation_id == row.organisation_id)
        .order_by(SessionBooking.id)
        .execution_options(populate_existing=True)
    )
    return list(found)


def letters(kind):
    jobs = db.session.scalars(sa.select(Job).order_by(Job.id), execution_options=ANYWHERE)
    return [job for job in jobs if job.payload.get("letter") == kind]


def test_r7_a_start_alone_moves_the_end_and_who_stays_is_told(row):
    new, start, end = row.local_start + HOUR, row.start_time, row.end_time
    found = look(row, local_start=new)
    assert [it.name for it in found.touched] == ["Ana", "Bea"]
    assert found.changed == ("local_start",)
    edit(row, local_start=new)
    moved = again(row)
    assert (moved.local_start, moved.start_time) == (new, start + HOUR)
    assert moved.end_time == end + HOUR
    assert moved.overridden == ["start_time"]
    assert [it.sequence for it in bookings(row)] == [1, 1]
    assert len(letters("booking_changed")) == 2


def test_t1_a_duration_is_elapsed_time(row):
    edit(row, duration=45)
    moved = again(row)
    assert moved.end_time - moved.start_time == dt.timedelta(minutes=45)
    assert moved.overridden == ["duration"]


def test_t2_a_time_that_the_clocks_skip_is_told(row):
    assert look(row, local_start=dt.datetime.fromisoformat("2027-03-28T01:30")).oddity == "skipped"
    assert look(row, local_start=dt.datetime.fromisoformat("2026-10-25T01:30")).oddity == "repeated"
    assert look(row, local_start=row.local_start + HOUR).oddity is None


def test_each_booking_stays_moves_or_ends_as_chosen(row):
    other = make_session(
        fetch_type(row), local_start=row.local_start + dt.timedelta(days=1), capacity=6
    )
    make_order(row, guests=1, name="Cleo")
    ana, bea, third = bookings(row)
    edit(
        row,
        local_start=row.local_start + HOUR,
        choices={ana.id: Choice("move", other.id), bea.id: CANCEL},
        reason="The hall is let",
    )
    ana, bea, third = bookings(row)
    assert (ana.session_id, ana.cancelled_at) == (other.id, None)
    assert bea.cancelled_at == LATER
    assert (third.session_id, third.cancelled_at) == (row.id, None)
    assert again(row).places_taken == 1
    assert fetch(Session, other.id).places_taken == 2
    assert examine(now=LATER) == []


def test_m6_cancelling_the_session_moves_some_and_ends_the_rest(row):
    other = make_session(
        fetch_type(row), local_start=row.local_start + dt.timedelta(days=1), capacity=2
    )
    ana, bea = bookings(row)
    edit(row, cancels=True, choices={ana.id: Choice("move", other.id)}, reason="No heating")
    ana, bea = bookings(row)
    assert ana.session_id == other.id
    assert (bea.cancelled_at, bea.cancelled_by) == (LATER, "venue")
    assert again(row).deleted_at == LATER
    assert examine(now=LATER) == []


def test_m7_what_cannot_follow_leaves_the_session_as_it_was(row):
    other = make_session(
        fetch_type(row), local_start=row.local_start + dt.timedelta(days=1), capacity=2
    )
    ana, bea = bookings(row)
    both = dict.fromkeys((ana.id, bea.id), Choice("move", other.id))
    with pytest.raises(ChoicesRefused, match=r"Bea: .* 1 of the others|1 of the others"):
        edit(row, local_start=row.local_start + HOUR, choices=both)
    assert again(row).overridden == []
    ana, bea = bookings(row)
    assert (ana.session_id, bea.session_id) == (other.id, row.id)
    assert examine(now=LATER) == []


@pytest.mark.parametrize("cancels", [False, True])
def test_s3_a_booking_made_meanwhile_is_a_conflict(row, cancels):
    wanted = {"cancels": True} if cancels else {"local_start": row.local_start + HOUR}
    seen = look(row, **wanted).mark
    make_order(row, guests=1, name="Cleo")
    with pytest.raises(ImpactChanged):
        edit(row, seen=seen, **wanted)
    assert again(row).deleted_at is None


def test_s3_a_session_changed_meanwhile_is_a_conflict(row):
    seen = look(row, capacity=5).mark
    edit(row, capacity=7)
    with pytest.raises(ImpactChanged):
        edit(row, seen=seen, capacity=5)


def test_r8_fewer_places_than_are_taken_ask_who_leaves(row):
    found = look(row, capacity=2)
    assert (found.places_short, len(found.touched)) == (2, 2)
    with pytest.raises(RuleBroken, match="2 places too many would stay") as refused:
        edit(row, capacity=2)
    assert refused.value.field == "capacity"
    edit(row, capacity=2, choices={bookings(row)[0].id: CANCEL})
    assert (again(row).capacity, again(row).places_taken) == (2, 2)


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"capacity": 0}, "capacity"),
        ({"capacity": 11}, "capacity"),
        ({"duration": 0}, "duration"),
        ({"duration": 10081}, "duration"),
        ({"max_baskets": 0}, "max_baskets"),
        ({"max_baskets": 1}, "max_baskets"),
        ({"price": -1}, "price"),
        ({"room_id": "0" * 24}, "room_id"),
        ({"practitioner_id": "0" * 24}, "practitioner_id"),
        ({"local_start": dt.datetime.fromisoformat("2020-01-01T10:00")}, "local_start"),
    ],
)
def test_r6_r8_r9_wrong_values_are_refused_under_their_names(row, wanted, field):
    with pytest.raises(RuleBroken) as refused:
        look(row, **wanted)
    assert refused.value.field == field


def test_r6_archived_and_foreign_people_and_rooms_are_refused(row):
    site = make_site()
    for wanted in (
        {"practitioner_id": make_practitioner(site).id},
        {"room_id": make_room(site).id},
    ):
        with pytest.raises(RuleBroken):
            look(row, **wanted)


def test_r8_a_smaller_room_is_refused_by_name(row):
    site = fetch_site(row)
    small = make_room(site, name="Cedar Room", cap=2)
    with pytest.raises(RuleBroken, match="Cedar Room takes 2 places, and this session has 6"):
        look(row, room_id=small.id)
    assert look(row, room_id=CLEAR).after.room_id is None


def test_p5_a_price_touches_no_booking_and_can_go_back_to_the_rules(row):
    found = look(row, price=9900)
    assert (found.touched, found.changed) == ((), ("price",))
    edit(row, price=9900)
    assert (again(row).price, again(row).overridden) == (9900, ["price"])
    assert [it.order_item.unit_price for it in bookings(row)] == [4800, 4800]
    edit(row, price=CLEAR)
    assert (again(row).price, again(row).overridden) == (None, [])


def test_its_present_price_sent_back_is_no_price_of_its_own(row):
    assert look(row, price=4800).is_nothing
    make_rule(fetch_type(row), price=1, position=7)
    assert look(row, price=4800).is_nothing


def test_s4_clashes_are_shown_and_not_forbidden(row):
    site = fetch_site(row)
    host = make_practitioner(site)
    there = make_session(fetch_type(row), local_start=row.local_start, practitioner_id=host.id)
    found = look(row, practitioner_id=host.id)
    assert [(it.kind, it.other.key) for it in found.clashes if it.other] == [
        ("practitioner", there.id)
    ]
    edit(row, practitioner_id=host.id)
    assert again(row).practitioner_id == host.id


def test_s4_who_is_away_is_a_clash(row):
    host = make_practitioner(fetch_site(row))
    save(
        TimeOff(
            organisation_id=row.organisation_id,
            practitioner_id=host.id,
            local_start=row.local_start,
            local_end=row.local_start + HOUR,
            reason="Ill",
            created_at=NOW,
        )
    )
    assert [it.reason for it in look(row, practitioner_id=host.id).clashes] == ["Ill"]


def test_holds_at_the_old_time_run_out_and_wake_nobody_twice(row):
    hold_places(
        row.organisation_id, row.id, session_type_id=row.session_type_id, guests=1,
        viewer=Viewer(), basket_secret=None, now=NOW,
    )  # fmt: skip
    edit(row, local_start=row.local_start + HOUR)
    held = bookings(row)[-1]
    assert (held.cancelled_by, again(row).places_taken) == ("expired", 4)
    assert examine(now=LATER) == []


def test_nobody_is_told_when_it_is_not_wished_and_versions_rise_all_the_same(row):
    edit(row, local_start=row.local_start + HOUR, tells=False)
    assert letters("booking_changed") == []
    assert [it.sequence for it in bookings(row)] == [1, 1]


def test_nothing_changed_is_nothing_done(row):
    before = again(row).updated_at
    edit(row, capacity=6, local_start=row.local_start)
    assert (again(row).updated_at, again(row).overridden) == (before, [])
    assert letters("booking_changed") == []


def test_r5_a_cancelled_session_is_not_found(row):
    edit(row, cancels=True, reason="No heating")
    with pytest.raises(NotFound):
        look(row, capacity=5)


def test_a_session_that_is_over_is_not_cancelled(row):
    old = make_session(fetch_type(row), local_start=row.local_start - dt.timedelta(days=30))
    with pytest.raises(WrongState):
        look(old, cancels=True)


def test_a_guest_who_is_here_stays_whatever_is_chosen(row):
    ana, _bea = bookings(row)
    ana.checked_in_at, ana.stage = NOW, "arrived"
    db.session.commit()
    edit(row, duration=60, default=CANCEL)
    ana, bea = bookings(row)
    assert (ana.cancelled_at, bea.cancelled_at) == (None, LATER)


def test_bookings_made_line_by_line_are_all_touched(row):
    make_booked_line(row)
    assert len(look(row, duration=60).touched) == 3


def test_s3_what_changes_between_looking_and_locking_is_a_conflict(row, monkeypatch):
    """The second of two colleagues is stopped under the lock, not only by the first look."""
    seen = look(row, capacity=5).mark
    first_look = session_edits.find_edit

    def overtaken(*args, **given):
        found = first_look(*args, **given)
        monkeypatch.setattr(session_edits, "find_edit", first_look)
        edit(row, capacity=7)
        return found

    monkeypatch.setattr(session_edits, "find_edit", overtaken)
    with pytest.raises(ImpactChanged):
        edit(row, seen=seen, capacity=5)
    assert again(row).capacity == 7
