"""Series: what the page shows is what saving does; nothing else is touched (R24, R25, S1-S3)."""

import datetime as dt

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
    make_site,
    make_type,
    save,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.editing import mark_of_values
from domain.series_patterns import SeriesWish, TimeWish
from domain.words import WEEKDAYS
from models import (
    ClosedDay,
    Session,
    db,
)
from services.doctor import find_oversold, find_wrong_counters
from services.scheduling import produce_sessions
from services.series import (
    find_series,
    preview_series,
    save_series,
    wish_of,
)
from services.series_choices import Choices

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
