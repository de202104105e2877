"""Series: what the page shows is what saving does; nothing else is touched (R24, R25, S1-S3)."""

import datetime as dt
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from factories import (
    ANYWHERE,
    NOW,
    fetch,
    make_group,
    make_order,
    make_organisation,
    make_practitioner,
    make_room,
    make_session,
    make_site,
    make_type,
    save,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.editing import EditedMeanwhile, mark_of_values
from domain.errors import ImpactChanged, NotFound, WrongState
from domain.series_patterns import SeriesRefused, SeriesWish, TimeWish
from domain.session_edits import SessionWish
from domain.words import WEEKDAYS
from models import ClosedDay, LongWork, Session, SessionType, TimeOff, db
from services.doctor import find_oversold, find_wrong_counters
from services.long_works import carry_on
from services.scheduling import produce_sessions, roll_horizon_forward
from services.series import (
    archive_series,
    create_series,
    find_series,
    preview_archiving,
    preview_restoring,
    preview_series,
    restore_series,
    save_series,
    wish_of,
)
from services.series_choices import AT_ONCE, Choices, carry_out_one, item_of
from services.session_edits import apply_edit, find_edit
from services.touched import list_touched
from services.work_steps import STEPS

pytestmark = pytest.mark.usefixtures("ctx")

DAY = dt.timedelta(days=1)
COLUMNS = tuple(column for column in Session.__table__.c)


def rows_of(group_id):
    found = db.session.execute(
        sa.select(*COLUMNS).where(Session.recurrence_group_id == group_id),
        execution_options=ANYWHERE,
    ).mappings()
    return {row["id"]: {**row, "overridden": list(row["overridden"])} for row in found}


def live(group_id):
    return {i: row for i, row in rows_of(group_id).items() if row["deleted_at"] is None}


class House:
    """A site with two rooms, two people, a type, and one series of it."""

    def __init__(self, now=NOW, **given):
        self.now = now
        self.site = make_site(make_organisation())
        self.here = (self.site.organisation_id, self.site.id)
        self.rooms = [
            make_room(self.site, cap=20),
            make_room(self.site, name="Cold room", cap=6, turnaround=15),
        ]
        self.people = [make_practitioner(self.site), make_practitioner(self.site, name="Ines")]
        self.kind = make_type(self.site, duration=60)
        day = now.date()
        self.group = make_group(
            self.kind,
            self.rooms[0],
            **{
                "recurrence_start": day - 7 * DAY,
                "recurrence_end": day + 14 * DAY,
                "start_times": [dt.time(1, 30), dt.time(9), dt.time(18)],
                **given,
            },
        )
        produce_sessions(self.here[0], self.group.id, now=now)

    def wish(self, **given):
        wish = wish_of(find_series(*self.here, self.group.id))
        return SeriesWish(**{**{name: getattr(wish, name) for name in wish.__slots__}, **given})

    def preview(self, wish):
        return preview_series(*self.here, group_id=self.group.id, wish=wish, now=self.now)

    def save(self, wish, *, choices=None, shown=None, seen=None):
        before = wish_of(find_series(*self.here, self.group.id))
        return save_series(
            *self.here,
            self.group.id,
            wish,
            seen=mark_of_values(before.values) if seen is None else seen,
            shown=self.preview(wish).mark if shown is None else shown,
            choices=choices or Choices(),
            account_id=None,
            now=self.now,
        )

    def edit(self, **given):
        return self.save(self.wish(**given))

    def coming(self):
        found = [row for row in live(self.group.id).values() if row["start_time"] > self.now]
        return sorted(found, key=lambda row: (row["start_time"], row["id"]))


def shown_columns(slot):
    return {
        "local_start": slot.local_start,
        "start_time": slot.start_time,
        "end_time": slot.end_time,
        "room_id": slot.room_id,
        "practitioner_id": slot.practitioner_id,
        "capacity": slot.capacity,
    }


def check_done(house, plan, before, after, ids):
    """The rows afterwards are those before with exactly what the plan says."""
    written = {one.standing.id: one.slot for one in (*plan.moved, *plan.brought_back)}
    gone = {one.standing.id: one.by for one in plan.withdrawn}
    for row_id, row in before.items():
        now = after[row_id]
        if row_id in written:
            shown = shown_columns(written[row_id])
            assert {name: now[name] for name in shown} == shown
            assert (now["deleted_at"], now["withdrawn_by"]) == (None, None)
            # What was changed by hand is as it was (R5, CONTRACT 9).
            own = {"start_time", "room_id", "practitioner_id", "capacity"}
            for name in own.intersection(row["overridden"]):
                assert now[name] == row[name]
        elif row_id in gone:
            assert now["withdrawn_by"] == gone[row_id]
            assert now["deleted_at"] == house.now
        else:
            assert now == row
    made = {
        (row["recurrence_date"], row["local_start"]): row
        for row_id, row in after.items()
        if row_id not in before
    }
    assert len(made) == len(plan.made)
    for one in plan.made:
        row = made[one.recurrence_date, one.slot.local_start]
        shown = shown_columns(one.slot)
        assert {name: row[name] for name in shown} == shown


TIMES = [dt.time(1, 30), dt.time(7), dt.time(9), dt.time(9, 30), dt.time(18), dt.time(23, 30)]
PRESENTS = [
    NOW,
    dt.datetime(2026, 3, 26, 8, tzinfo=dt.UTC),
    dt.datetime(2026, 10, 22, 8, tzinfo=dt.UTC),
]

edits = st.fixed_dictionaries(
    {
        "weekdays": st.sets(st.sampled_from(WEEKDAYS), max_size=7),
        "times": st.lists(st.sampled_from(TIMES), unique=True, max_size=4),
        "keeps_ids": st.booleans(),
        "room": st.sampled_from([0, 0, 1, None]),
        "person": st.sampled_from([0, 1, None]),
        "capacity": st.sampled_from([1, 4, 6, None, 5]),
        "first": st.integers(-10, 6),
        "last": st.sampled_from([None, 5, 9, 20]),
        "closes": st.sets(st.integers(0, 9), max_size=2),
    }
)
deeds = st.lists(
    st.tuples(
        st.sampled_from(["book", "cancel", "capacity", "move", "room", "keep"]), st.integers(0, 40)
    ),
    max_size=5,
)


def by_hand(house, deed, number):
    rows = house.coming()
    if not rows:
        return
    row = fetch(Session, rows[number % len(rows)]["id"])
    if deed == "book":
        make_order(row, email=f"{row.id}@example.com", now=house.now)
    elif not row.places_taken:
        change_by_hand(house, row, deed)
        db.session.commit()


def change_by_hand(house, row, deed):
    if deed == "cancel":
        row.deleted_at = house.now
    elif deed == "keep":
        row.places_kept = 1
    elif deed == "capacity":
        row.capacity, row.overridden = 2, sorted({*row.overridden, "capacity"})
    elif deed == "room":
        row.room_id, row.overridden = house.rooms[1].id, sorted({*row.overridden, "room_id"})
        row.capacity = min(row.capacity, 6)
    else:
        hour = dt.timedelta(minutes=45)
        row.local_start += hour
        row.start_time, row.end_time = row.start_time + hour, row.end_time + hour
        row.overridden = sorted({*row.overridden, "start_time"})


def wished(house, edit):
    """A wish of the drawn values; start times move under their ids, or are taken out and added."""
    every = [row.id for row in find_series(*house.here, house.group.id).start_times]
    ids = [*every, *[""] * 9] if edit["keeps_ids"] else [""] * 9
    first = house.now.date() + edit["first"] * DAY
    cap = house.rooms[edit["room"]].cap if edit["room"] is not None else 20
    return house.wish(
        weekdays=tuple(sorted(edit["weekdays"])),
        start_times=tuple(TimeWish(i, at) for i, at in zip(ids, edit["times"], strict=False)),
        room_id=None if edit["room"] is None else house.rooms[edit["room"]].id,
        practitioner_id=None if edit["person"] is None else house.people[edit["person"]].id,
        capacity=None if edit["capacity"] is None else min(cap, edit["capacity"]),
        recurrence_start=first,
        recurrence_end=None if edit["last"] is None else first + edit["last"] * DAY,
    )


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from(PRESENTS), deeds, st.lists(edits, min_size=1, max_size=3))
def test_s2_what_the_preview_shows_is_what_saving_does(present, done, several):
    house = House(present)
    for deed, number in done:
        by_hand(house, deed, number)
    for edit in several:
        for number in edit["closes"]:
            day = house.now.date() + number * DAY
            if day not in {row.day for row in closed_days(house)}:
                close(house, day)
        wish = wished(house, edit)
        before, outlook = rows_of(house.group.id), house.preview(wish)
        saved = house.save(wish, shown=outlook.mark)
        assert saved.plan == outlook.plan
        after = rows_of(house.group.id)
        check_done(house, outlook.plan, before, after, None)
        untouched = [
            row
            for row in before.values()
            if row["start_time"] <= house.now
            or row["places_taken"]
            or row["places_kept"]
            or (row["deleted_at"] is not None and row["withdrawn_by"] is None)
        ]
        assert [after[row["id"]] for row in untouched] == untouched
        # Saving the same again changes nothing (S1).
        again = house.wish()
        assert house.preview(again).plan.is_nothing
        house.save(again)
        assert rows_of(house.group.id) == after
    assert [*find_wrong_counters(), *find_oversold()] == []


def closed_days(house):
    return db.session.scalars(
        sa.select(ClosedDay).where(ClosedDay.organisation_id == house.here[0])
    ).all()


def close(house, day):
    save(
        ClosedDay(
            organisation_id=house.here[0],
            site_id=house.here[1],
            day=day,
            reason="Spring clean",
            created_at=NOW,
        )
    )


@contextmanager
def counting():
    """Collects the statements of what is done within, many rows in one call being one."""
    seen = []

    def note(_connection, _cursor, statement, *_rest):
        seen.append(statement.split()[0])

    engine = db.session.get_bind()
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)


YEAR = {
    "weekdays": list(WEEKDAYS),
    "start_times": [dt.time(hour) for hour in (8, 10, 12, 14, 16)],
    "recurrence_start": NOW.date() + DAY,
    "recurrence_end": NOW.date() + 365 * DAY,
}


def test_a_year_is_made_and_changed_in_a_few_statements():
    house = House()
    first = House(**{**YEAR, "recurrence_end": NOW.date() + 7 * DAY})
    with counting() as for_a_week:
        first.edit(capacity=5)
    house = House(**YEAR)
    assert len(live(house.group.id)) == 365 * 5
    with counting() as for_a_year:
        house.edit(capacity=5)
    assert {row["capacity"] for row in live(house.group.id).values()} == {5}
    # However many sessions, the same statements.
    assert len(for_a_year) == len(for_a_week)
    with counting() as archiving:
        shown = preview_archiving(*house.here, house.group.id, now=NOW).mark
        archive_series(*house.here, house.group.id, shown=shown, now=NOW)
    assert live(house.group.id) == {}
    # Withdrawing names five hundred ids at a time.
    assert len([it for it in archiving if it == "UPDATE"]) <= 4 + 3


def test_s1_a_start_time_moved_under_its_own_id_keeps_the_sessions_ids():
    house = House()
    before = [row["id"] for row in house.coming()]
    times = house.wish().start_times
    later = {dt.time(1, 30): dt.time(9), dt.time(9): dt.time(18), dt.time(18): dt.time(20)}
    house.edit(start_times=tuple(TimeWish(it.id, later[it.value]) for it in times))
    after = house.coming()
    assert sorted(row["id"] for row in after) == sorted(before)
    assert {row["local_start"].hour for row in after} == {9, 18, 20}


@pytest.mark.parametrize("what", ["weekdays", "start_times"])
def test_what_is_taken_out_and_put_back_brings_its_sessions_back(what):
    house = House()
    before, wish = rows_of(house.group.id), house.wish()
    by_hand(house, "cancel", 1)
    gone = {i for i, row in rows_of(house.group.id).items() if row["deleted_at"]}
    house.edit(**{what: getattr(wish, what)[1:]})
    assert {row["withdrawn_by"] for row in rows_of(house.group.id).values()} == {None, "series"}
    # Typed anew, a start time has no id; it is the same one all the same.
    again = {
        "weekdays": wish.weekdays,
        "start_times": tuple(TimeWish("", it.value) for it in wish.start_times),
    }[what]
    house.edit(**{what: again})
    assert set(rows_of(house.group.id)) == set(before)
    assert set(live(house.group.id)) == set(before) - gone


@pytest.mark.parametrize(
    ("first", "starts", "instants"),
    [
        # The night in which 01:00 to 02:00 does not exist, and the one in which it comes twice.
        (dt.date(2026, 3, 28), dt.time(1, 30), ["01:30", "01:30", "00:30"]),
        (dt.date(2026, 10, 24), dt.time(1, 30), ["00:30", "00:30", "01:30"]),
        (dt.date(2026, 3, 28), dt.time(9), ["09:00", "08:00", "08:00"]),
        (dt.date(2026, 10, 24), dt.time(9), ["08:00", "09:00", "09:00"]),
    ],
)
def test_t1_t2_both_clock_changes(first, starts, instants):
    now = dt.datetime.combine(first - 5 * DAY, dt.time(9), tzinfo=dt.UTC)
    house = House(now, recurrence_start=first + 60 * DAY, recurrence_end=first + 70 * DAY)
    wish = house.wish(
        weekdays=tuple(WEEKDAYS),
        start_times=(TimeWish("", starts),),
        recurrence_start=first,
        recurrence_end=first + 2 * DAY,
    )
    outlook = house.preview(wish)
    house.save(wish)
    found = house.coming()
    assert [row["start_time"].strftime("%H:%M") for row in found] == instants
    assert {row["local_start"].time() for row in found} == {starts}
    assert {row["end_time"] - row["start_time"] for row in found} == {dt.timedelta(hours=1)}
    odd = [(it.local_start.date(), it.kind) for it in outlook.plan.odd]
    kind = {3: "skipped", 10: "repeated"}[first.month]
    assert odd == ([(first + DAY, kind)] if starts.hour == 1 else [])


def test_s2_what_was_changed_by_hand_since_it_was_chosen_is_left_as_it_is():
    house = House()
    moved, calm = (fetch(Session, row["id"]) for row in house.coming()[:2])
    for row in (moved, calm):
        make_order(row)
    wish = house.wish(room_id=house.rooms[1].id, capacity=6)
    left = house.preview(wish).plan.booked
    touched = list_touched(house.here[0], [one.standing.id for one in left])
    items = [
        item_of(one, "Yoga", touched[one.standing.id], do="along", reason="", withdrawn_by=None)
        for one in left
    ]
    own_room = make_room(house.site, name="Attic", cap=9)
    edit_room = SessionWish(room_id=own_room.id)
    mark = find_edit(*house.here, moved.id, edit_room, now=NOW).impact.mark
    apply_edit(*house.here, moved.id, edit_room, seen=mark, now=NOW)
    said = {}
    for item in items:
        try:
            carry_out_one(*house.here, item, NOW)
        except ImpactChanged as changed:
            said[item["session"]] = changed.sentence
    assert set(said) == {moved.id}
    assert "changed it meanwhile" in said[moved.id]
    assert fetch(Session, moved.id).room_id == own_room.id
    assert fetch(Session, moved.id).overridden == ["room_id"]
    assert (fetch(Session, calm.id).room_id, fetch(Session, calm.id).overridden) == (
        house.rooms[1].id, [],
    )  # fmt: skip
    # Done again, as after a worker that died, it changes nothing.
    carry_out_one(*house.here, next(it for it in items if it["session"] == calm.id), NOW)
    assert fetch(Session, calm.id).overridden == []


def test_s2_one_put_on_a_closed_day_by_hand_stays_there_when_its_series_is_saved():
    house = House()
    row = fetch(Session, house.coming()[0]["id"])
    day = row.local_start.date() + 2 * DAY
    save(
        ClosedDay(
            organisation_id=house.here[0], site_id=house.site.id, day=day, reason="", created_at=NOW
        )
    )
    there = SessionWish(local_start=dt.datetime.combine(day, dt.time(11)))
    mark = find_edit(*house.here, row.id, there, now=NOW).impact.mark
    apply_edit(*house.here, row.id, there, seen=mark, now=NOW)
    house.edit(capacity=5)
    assert fetch(Session, row.id).deleted_at is None


def test_r25_an_archived_series_comes_back_as_it_was():
    house = House()
    sold = fetch(Session, house.coming()[0]["id"])
    make_order(sold)
    by_hand(house, "cancel", 2)
    by_hand(house, "capacity", 3)
    before = live(house.group.id)
    past = {i: row for i, row in before.items() if row["start_time"] <= NOW}
    outlook = preview_archiving(*house.here, house.group.id, now=NOW)
    assert [one.standing.id for one in outlook.plan.booked] == [sold.id]
    archive_series(*house.here, house.group.id, shown=outlook.mark, now=NOW)
    assert set(live(house.group.id)) == {sold.id, *past}
    assert roll_horizon_forward(now=NOW) == 0
    shown = preview_restoring(*house.here, house.group.id, now=NOW).mark
    restore_series(*house.here, house.group.id, shown=shown, now=NOW)
    after = live(house.group.id)
    assert {i: row["capacity"] for i, row in after.items()} == {
        i: row["capacity"] for i, row in before.items()
    }


def test_a_series_of_an_archived_type_is_not_restored():
    house = House()
    shown = preview_archiving(*house.here, house.group.id, now=NOW).mark
    archive_series(*house.here, house.group.id, shown=shown, now=NOW)
    fetch(SessionType, house.kind.id).deleted_at = NOW
    db.session.commit()
    with pytest.raises(WrongState):
        restore_series(*house.here, house.group.id, shown="", now=NOW)


def test_s4_rooms_people_and_their_time_off_are_shown_and_forbid_nothing():
    house = House()
    day = NOW.date() + 4 * DAY
    other = make_type(house.site, name="Yoga", duration=60)
    # Over at 09:00, but the room needs a quarter of an hour to be turned round.
    at = dt.datetime.combine(day, dt.time(8))
    make_session(other, local_start=at, room_id=house.rooms[1].id, capacity=4)
    save(
        TimeOff(
            organisation_id=house.here[0],
            practitioner_id=house.people[0].id,
            local_start=dt.datetime.combine(day, dt.time(18)),
            local_end=dt.datetime.combine(day, dt.time(20)),
            reason="Dentist",
            created_at=NOW,
        )
    )
    wish = house.wish(
        weekdays=tuple(WEEKDAYS),
        room_id=house.rooms[1].id,
        practitioner_id=house.people[0].id,
        capacity=5,
    )
    found = house.preview(wish).clashes
    assert [(it.kind, it.wanted.local_start, it.reason) for it in found] == [
        ("room", dt.datetime.combine(day, dt.time(9)), ""),
        ("away", dt.datetime.combine(day, dt.time(18)), "Dentist"),
    ]
    house.save(wish)


def test_starts_outside_the_opening_hours_are_told():
    house = House()
    house.site.opening_hours = {"monday": ["09:00", "18:00"], "tuesday": ["07:00", "24:00"]}
    db.session.commit()
    found = house.preview(house.wish(weekdays=("monday", "tuesday", "sunday"))).outside
    assert found == (
        "Monday: 01:30, 18:00 are outside 09:00 to 18:00.",
        "Tuesday: 01:30 is outside 07:00 to 24:00.",
        "The venue is closed on Sundays.",
    )


def test_a_new_series_makes_nothing_that_is_past():
    house = House()
    wish = house.wish(
        weekdays=tuple(WEEKDAYS),
        start_times=(TimeWish("", dt.time(9)), TimeWish("", dt.time(11))),
        recurrence_start=NOW.date() - 7 * DAY,
        recurrence_end=NOW.date() + DAY,
    )
    shown = preview_series(*house.here, type_id=house.kind.id, wish=wish, now=NOW).mark
    made = [
        create_series(*house.here, house.kind.id, wish, shown=shown, key="k", now=NOW)
        for _ in range(2)
    ]
    assert made[0] == made[1]
    # It is 10:00 in London.
    starts = sorted(row["local_start"] for row in live(made[0]).values())
    assert [start.hour for start in starts] == [11, 9, 11]


def test_s5_an_open_series_keeps_what_lies_beyond_its_horizon():
    house = House(recurrence_end=NOW.date() + 200 * DAY)
    before = live(house.group.id)
    outlook = house.preview(house.wish(recurrence_end=None))
    assert outlook.plan.is_nothing
    house.edit(recurrence_end=None)
    assert live(house.group.id) == before
    assert roll_horizon_forward(now=NOW) == 0


def test_rolling_forward_leaves_closed_days_out():
    house = House(recurrence_end=None, weekdays=["thursday"], start_times=[dt.time(9)])
    close(house, NOW.date() + 14 * 7 * DAY)
    assert roll_horizon_forward(now=NOW + dt.timedelta(weeks=2)) == 1


def test_many_chosen_sessions_become_a_long_work_that_is_done_once():
    house = House(weekdays=list(WEEKDAYS), recurrence_end=NOW.date() + 20 * DAY)
    booked = [row["id"] for row in house.coming() if row["local_start"].hour == 9]
    booked = booked[: AT_ONCE + 2]
    for session_id in booked:
        make_order(fetch(Session, session_id), email=f"{session_id}@example.com")
    wish = house.wish(
        start_times=tuple(
            TimeWish(it.id, dt.time(9, 30) if it.value.hour == 9 else it.value)
            for it in house.wish().start_times
        )
    )
    choices = Choices(default="along", each={booked[0]: "keep"})
    saved = house.save(wish, choices=choices)
    work = fetch(LongWork, saved.aftermath.work_id)
    assert (work.total, work.done) == (AT_ONCE + 1, 0)
    for _ in range(2):
        carry_on(house.here[0], work.id, STEPS, now=NOW)
    work = fetch(LongWork, work.id)
    assert (work.state, work.failures) == ("done", [])
    rows = rows_of(house.group.id)
    minutes = [rows[session_id]["local_start"].minute for session_id in booked]
    assert minutes == [0, *[30] * (AT_ONCE + 1)]
    assert house.preview(house.wish()).plan.is_nothing


def test_s3_who_books_between_choosing_and_doing_is_not_cancelled():
    house = House()
    session_id = house.coming()[0]["id"]
    make_order(fetch(Session, session_id))
    wish = house.wish(weekdays=())
    shown = house.preview(wish).mark
    make_order(fetch(Session, session_id), email="late@example.com")
    with pytest.raises(ImpactChanged):
        house.save(wish, shown=shown, choices=Choices("cancel", reason="No more"))
    assert fetch(Session, session_id).deleted_at is None


def test_d4_the_second_of_two_is_told_what_the_first_saved():
    house = House()
    seen = mark_of_values(house.wish().values)
    house.edit(name="Theirs")
    with pytest.raises(EditedMeanwhile) as refused:
        house.save(house.wish(name="Mine"), seen=seen)
    assert [(it.field, it.theirs) for it in refused.value.differences] == [("name", "Theirs")]


def test_r22_r23_everything_wrong_is_named_at_once():
    house = House()
    wish = house.wish(
        room_id=make_room(make_site()).id,
        practitioner_id=make_practitioner(make_site()).id,
        recurrence_end=dt.date(2020, 1, 1),
        capacity=0,
    )
    with pytest.raises(SeriesRefused) as refused:
        house.preview(wish)
    fields = {field for field, _ in refused.value.problems}
    assert fields == {"room_id", "practitioner_id", "recurrence_end", "capacity"}


def test_d1_a_series_of_another_site_is_not_found():
    house, other = House(), House()
    with pytest.raises(NotFound):
        preview_archiving(*other.here, house.group.id, now=NOW)
    with pytest.raises(NotFound):
        find_series(house.here[0], other.here[1], house.group.id)
