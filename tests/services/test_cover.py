"""A practitioner falls ill, a room is out of use: found, decided, carried out (R5, R6, S3, S4)."""

import datetime as dt
import random
import threading
from contextlib import suppress
from dataclasses import replace

import pytest
import sqlalchemy as sa
from conftest import NOW
from factories import (
    ANYWHERE,
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

from domain.errors import ImpactChanged, NotFound, RuleBroken
from models import (
    Job,
    LongWork,
    Organisation,
    Practitioner,
    Session,
    SessionType,
    TimeOff,
    Zone,
    db,
    practitioner_types,
    transaction,
)
from services.clashes import busy_of, list_clashes
from services.cover import MOST, Absence, find_cover, list_absent
from services.covering import Decision, Wish, begin_cover, cover_one
from services.doctor import examine
from services.session_changes import cancel_session, find_impacts
from services.work_steps import do_small_work

pytestmark = pytest.mark.usefixtures("ctx")

DAY = dt.date(2026, 6, 12)


class House:
    """A site, a type and people who lead it."""

    def __init__(self):
        self.site = make_site()
        self.kind = make_type(self.site)
        self.hall = make_room(self.site, cap=10)
        self.tomas = self.person("Tomas Vale")

    def person(self, name, *kinds, site=None, **given):
        row = make_practitioner(site or self.site, name=name, **given)
        with transaction():
            for kind in kinds or (self.kind,):
                db.session.execute(
                    sa.insert(practitioner_types).values(
                        practitioner_id=row.id, session_type_id=kind.id
                    )
                )
        return row

    def session(self, clock="10:00", who=None, day=DAY, **given):
        who = self.tomas if who is None else who
        return make_session(
            given.pop("kind", self.kind),
            local_start=f"{day}T{clock}",
            **{"practitioner_id": who.id, "room_id": self.hall.id, **given},
        )

    def absence(self, row=None, kind="practitioner", first=DAY, last=DAY):
        begins = dt.datetime.combine(first, dt.time())
        ends = dt.datetime.combine(last, dt.time()) + dt.timedelta(days=1)
        return Absence(kind, (row or self.tomas).id, begins, ends)

    def found(self, now=NOW, **given):
        here = self.site.organisation_id, self.site.id
        return find_cover(*here, self.absence(**given), now=now)

    def begin(self, *decisions, key="one", now=NOW, absence=None, **wish):
        return begin_cover(
            self.site.organisation_id,
            self.site.id,
            absence or self.absence(),
            Wish(tuple(decisions), **wish),
            key=key,
            account_id=None,
            back="",
            now=now,
        )

    def apply(self, *decisions, **given):
        work_id = self.begin(*decisions, **given)
        do_small_work(self.site.organisation_id, work_id, len(decisions), now=NOW)
        return fetch(LongWork, work_id)


@pytest.fixture
def house():
    return House()


def names(found):
    return [[option.name for option in one.options] for one in found.affected]


def test_all_coming_sessions_in_the_span_are_found_and_no_others(house):
    wanted = [house.session("10:00"), house.session("13:00")]
    house.session("10:00", day=DAY + dt.timedelta(days=1))
    house.session("16:00", deleted_at=NOW)
    house.session("16:00", who=house.person("Ruth Okoye"))
    house.session("09:30", day=NOW.date())
    found = house.found(first=NOW.date())
    assert [one.session.id for one in found.affected] == [row.id for row in wanted]


def test_only_who_is_active_works_here_leads_the_type_and_is_free_is_proposed(house):
    row = house.session("10:00")
    other = make_type(house.site)
    elsewhere = make_site(fetch(Organisation, house.site.organisation_id))
    house.person("Works elsewhere", site=elsewhere)
    house.person("Leads other things", other)
    house.person("Has left", deleted_at=NOW)
    house.session("11:00", who=house.person("Busy"))
    far = make_session(
        make_type(elsewhere), local_start=f"{DAY}T10:30",
        practitioner_id=house.person("Busy elsewhere").id,
    )  # fmt: skip
    assert far.site_id == elsewhere.id
    away = house.person("Away")
    save(
        TimeOff(
            organisation_id=away.organisation_id, practitioner_id=away.id, created_at=NOW,
            local_start=dt.datetime.combine(DAY, dt.time(11)),
            local_end=dt.datetime.combine(DAY, dt.time(11, 30)),
        )
    )  # fmt: skip
    back = house.person("Back by then")
    house.session("08:00", who=back)
    house.session("12:00", who=back)
    found = house.found()
    assert names(found) == [["Back by then"]]
    assert found.affected[0].proposed == back.id
    assert found.affected[0].session.id == row.id


@pytest.mark.parametrize("seed", range(6))
def test_s4_what_is_proposed_clashes_with_nothing_by_the_finder_of_clashes(house, seed):
    """Random days at two sites: the proposals together, asked of services/clashes."""
    dice = random.Random(seed)  # noqa: S311 - dice, no secret
    people = [house.person(name) for name in ("Anna", "Mira", "Zoe")]
    elsewhere = make_type(make_site(fetch(Organisation, house.site.organisation_id)))
    for person in people:
        for kind in dice.choices((house.kind, elsewhere), k=3):
            clock = f"{dice.randint(7, 19):02}:{dice.choice((0, 30)):02}"
            house.session(clock, who=person, kind=kind, room_id=None)
        off = dice.randint(7, 19)
        save(
            TimeOff(
                organisation_id=person.organisation_id, practitioner_id=person.id, created_at=NOW,
                local_start=dt.datetime.combine(DAY, dt.time(off)),
                local_end=dt.datetime.combine(DAY, dt.time(off + 2)),
            )
        )  # fmt: skip
    for hour in sorted(dice.sample(range(7, 20), 6)):
        house.session(f"{hour:02}:00")
    found = house.found()
    wanted = [
        replace(busy_of(one.session), practitioner_id=one.proposed, room_id=None)
        for one in found.affected
        if one.proposed
    ]
    here = [one.session.id for one in found.affected]
    assert list_clashes(house.site.organisation_id, wanted, instead_of=here) == ()
    for one in found.affected:
        alone = [
            person
            for person in people
            if not list_clashes(
                house.site.organisation_id,
                [replace(busy_of(one.session), practitioner_id=person.id, room_id=None)],
                instead_of=here,
            )
        ]
        assert {option.id for option in one.options} == {person.id for person in alone}


def test_who_led_the_series_lately_comes_first(house):
    group = make_group(house.kind, house.hall)
    house.session("10:00", recurrence_group_id=group.id)
    anna, zoe = house.person("Anna"), house.person("Zoe")
    house.session("10:00", who=zoe, day=dt.date(2026, 5, 20), recurrence_group_id=group.id)
    house.session("10:00", who=anna, day=dt.date(2026, 1, 20), recurrence_group_id=group.id)
    assert names(house.found()) == [["Zoe", "Anna"]]


def test_sessions_at_other_sites_are_counted(house):
    other = make_site(fetch(Organisation, house.site.organisation_id), place="York")
    make_session(make_type(other), local_start=f"{DAY}T20:00", practitioner_id=house.tomas.id)
    make_session(make_type(other), local_start="2026-06-14T20:00", practitioner_id=house.tomas.id)
    assert house.found().elsewhere == [("Stillwater York", 1)]


def test_s4_a_room_out_of_use_is_replaced_by_free_ones_that_are_large_enough(house):
    zone = save(Zone(organisation_id=house.site.organisation_id, site_id=house.site.id, name="W"))
    near = make_room(house.site, name="Near", cap=20, zone_id=zone.id)
    make_room(house.site, name="Fits", cap=8)
    make_room(house.site, name="Gone", cap=20, deleted_at=NOW)
    make_room(make_site(fetch(Organisation, house.site.organisation_id)), name="Far", cap=20)
    turned = make_room(house.site, name="Being turned round", cap=20, turnaround=20)
    house.session("12:10", who=house.person("Ruth"), room_id=turned.id)
    with transaction():
        db.session.merge(house.hall).zone_id = zone.id
    house.session("10:00")
    found = house.found(row=house.hall, kind="room")
    assert names(found) == [["Near", "Fits"]]
    assert found.affected[0].proposed == near.id


def test_r5_a_replacement_is_this_sessions_own_from_then_on(house):
    row, ruth = house.session("10:00"), house.person("Ruth Okoye")
    before = fetch(SessionType, house.kind.id).revision
    work = house.apply(Decision(row.id, ruth.id))
    assert (work.state, work.failures, work.title) == (
        "done", [], "Cover for Tomas Vale, 12 Jun",
    )  # fmt: skip
    found = fetch(Session, row.id)
    assert found.practitioner_id == ruth.id
    assert found.overridden == ["practitioner_id"]
    assert fetch(SessionType, house.kind.id).revision > before


def test_a_session_can_run_without_anybody_be_left_or_cancelled(house):
    rows = [house.session(clock) for clock in ("08:00", "11:00", "14:00")]
    make_order(rows[2], guests=2)
    seen = house.found().affected[2].impact.mark
    work = house.apply(
        Decision(rows[0].id, "none"),
        Decision(rows[1].id, ""),
        Decision(rows[2].id, "cancel", seen),
        reason="Tomas is ill",
    )
    assert work.failures == []
    assert work.total == 2
    assert fetch(Session, rows[0].id).practitioner_id is None
    assert fetch(Session, rows[1].id).practitioner_id == house.tomas.id
    assert fetch(Session, rows[2].id).cancel_reason == "Tomas is ill"
    assert examine() == []


def test_s3_the_impact_of_many_is_that_of_each(house):
    rows = [house.session(clock) for clock in ("08:00", "11:00")]
    make_order(rows[0], guests=2)
    impacts = find_impacts(house.site.organisation_id, [row.id for row in rows], now=NOW)
    assert [impacts[row.id].bookings for row in rows] == [1, 0]
    assert impacts[rows[0].id].guests == 2


def test_s3_a_cancellation_that_touches_more_than_was_shown_is_refused_before_anything(house):
    rows = [house.session(clock) for clock in ("08:00", "11:00")]
    seen = {one.session.id: one.impact.mark for one in house.found().affected}
    make_order(rows[1])
    with pytest.raises(ImpactChanged):
        house.begin(
            *(Decision(row.id, "cancel", seen[row.id]) for row in rows), reason="Tomas is ill"
        )
    assert [fetch(Session, row.id).deleted_at for row in rows] == [None, None]


def test_a_cancellation_needs_a_reason(house):
    row = house.session()
    seen = house.found().affected[0].impact.mark
    with pytest.raises(RuleBroken) as raised:
        house.begin(Decision(row.id, "cancel", seen))
    assert raised.value.field == "reason"


def test_s4_one_person_is_not_taken_for_two_sessions_at_once(house):
    rows, ruth = [house.session("10:00"), house.session("11:00")], house.person("Ruth Okoye")
    assert [one.proposed for one in house.found().affected] == [ruth.id, ""]
    with pytest.raises(RuleBroken, match="Ruth Okoye is chosen for two sessions") as raised:
        house.begin(*(Decision(row.id, ruth.id) for row in rows))
    assert raised.value.field == f"do-{rows[1].id}"


def test_s3_somebody_who_was_taken_since_the_page_was_opened_is_a_conflict(house):
    row, ruth = house.session("10:00"), house.person("Ruth Okoye")
    house.session("10:00", who=ruth)
    with pytest.raises(ImpactChanged, match="Ruth Okoye isn’t free any more"):
        house.begin(Decision(row.id, ruth.id))


@pytest.mark.parametrize("choice", ["x", "0" * 24])
def test_r6_somebody_of_elsewhere_is_no_choice(house, choice):
    row = house.session("10:00")
    stranger = make_practitioner(make_site(make_organisation()))
    for one in (choice, stranger.id):
        with pytest.raises(RuleBroken, match="Choose one of the list") as raised:
            house.begin(Decision(row.id, one))
        assert raised.value.field == f"do-{row.id}"


def test_r1_a_session_or_practitioner_of_elsewhere_is_not_found(house):
    stranger = make_session()
    with pytest.raises(NotFound):
        house.begin(Decision(stranger.id, "none"))
    with pytest.raises(NotFound):
        house.found(row=make_practitioner(make_site(make_organisation())))


def test_s3_a_session_that_was_covered_meanwhile_is_a_conflict(house):
    row = house.session("10:00")
    with transaction():
        db.session.merge(row).practitioner_id = None
    with pytest.raises(ImpactChanged):
        house.begin(Decision(row.id, "none"))


def test_nothing_chosen_is_refused(house):
    house.session()
    with pytest.raises(RuleBroken, match="at least one session"):
        house.begin()


def test_time_off_is_recorded_in_the_same_press_and_once(house):
    row = house.session("10:00")
    for _ in range(2):
        house.begin(Decision(row.id, "none"), records_time_off=True)
    assert house.begin(key="two", records_time_off=True) is None
    off = db.session.scalars(sa.select(TimeOff), execution_options=ANYWHERE).one()
    assert (off.local_start, off.local_end) == (
        house.absence().begins, house.absence().ends,
    )  # fmt: skip
    assert house.found().is_recorded


def test_h6_the_same_form_sent_twice_begins_one_work_also_after_it_is_done(house):
    row, ruth = house.session("10:00"), house.person("Ruth Okoye")
    first = house.apply(Decision(row.id, ruth.id))
    assert house.begin(Decision(row.id, ruth.id)) == first.id


def item(house, row, to, **given):
    kind = given.pop("kind", "practitioner")
    return {
        "name": "Thermal circuit", "session": row.id, "kind": kind, "from": house.tomas.id,
        "do": "replace", "to": to, "seen": "", "reason": "", "tells": False, **given,
    }  # fmt: skip


def carry_out(house, one, now=NOW):
    cover_one(house.site.organisation_id, house.site.id, one, now)


def test_done_again_a_replacement_changes_nothing_and_tells_nobody_twice(house):
    row, ruth = house.session("10:00"), house.person("Ruth Okoye")
    make_order(row)
    for _ in range(2):
        carry_out(house, item(house, row, ruth.id, tells=True))
    letters = db.session.scalars(sa.select(Job), execution_options=ANYWHERE).all()
    assert sum(job.payload.get("letter") == "booking_changed" for job in letters) == 1


def test_those_who_booked_are_told_only_when_asked_for(house):
    row, ruth = house.session("10:00"), house.person("Ruth Okoye")
    make_order(row)
    carry_out(house, item(house, row, ruth.id))
    letters = db.session.scalars(sa.select(Job), execution_options=ANYWHERE).all()
    assert not [job for job in letters if job.payload.get("letter") == "booking_changed"]


@pytest.mark.parametrize("what", ["taken", "cancelled", "begun", "covered", "away"])
def test_each_session_is_checked_again_as_it_is_changed(house, what):
    row, ruth = house.session("10:00"), house.person("Ruth Okoye")
    now, said = NOW, "Somebody else was put in charge of it meanwhile."
    if what == "taken":
        house.session("11:00", who=ruth)
        said = "Ruth Okoye isn’t free then any more."
    elif what == "cancelled":
        impact = house.found().affected[0].impact
        cancel_session(
            row.organisation_id, row.site_id, row.id, reason="x", seen=impact.mark, now=NOW
        )
        said = "It was cancelled meanwhile."
    elif what == "begun":
        now, said = row.start_time, "It has begun meanwhile."
    elif what == "covered":
        with transaction():
            db.session.merge(row).practitioner_id = None
    else:
        with transaction():
            fetch(Practitioner, ruth.id).deleted_at = NOW
        said = "Ruth Okoye isn’t free then any more."
    with pytest.raises(RuleBroken) as raised:
        carry_out(house, item(house, row, ruth.id), now)
    assert raised.value.sentence == said


def test_a_session_that_was_covered_meanwhile_is_not_cancelled(house):
    row = house.session("10:00")
    seen = house.found().affected[0].impact.mark
    with transaction():
        db.session.merge(row).practitioner_id = house.person("Ruth Okoye").id
    with pytest.raises(RuleBroken, match="Somebody else"):
        carry_out(house, item(house, row, None, do="cancel", reason="Ill", seen=seen))
    assert fetch(Session, row.id).deleted_at is None


def test_r8_a_smaller_room_brings_the_places_down_to_what_it_takes(house):
    row = house.session("10:00")
    make_order(row, guests=3)
    small = make_room(house.site, name="Small", cap=4)
    one = item(house, row, small.id, kind="room", **{"from": house.hall.id})
    carry_out(house, one)
    found = fetch(Session, row.id)
    assert (found.room_id, found.capacity) == (small.id, 4)
    assert found.overridden == ["capacity", "room_id"]
    assert examine() == []


def test_s4_two_who_want_one_person_at_one_time_meet_at_the_database(app, house):
    """Two sessions are two locks; the practitioner's row is the guard."""
    rows = [house.session("10:00"), house.session("11:00")]
    ruth = house.person("Ruth Okoye")
    organisation_id, site_id, items = (
        house.site.organisation_id, house.site.id, [item(house, row, ruth.id) for row in rows],
    )  # fmt: skip
    db.session.remove()
    start = threading.Barrier(2)

    def go(one):
        with app.app_context():
            start.wait()
            with suppress(RuleBroken):
                cover_one(organisation_id, site_id, one, NOW)
            db.session.remove()

    threads = [threading.Thread(target=go, args=(one,)) for one in items]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    led = [fetch(Session, row.id).practitioner_id for row in rows]
    assert sorted(who == ruth.id for who in led) == [False, True]


def test_the_questions_do_not_grow_with_the_sessions(app, house):
    def questions():
        asked = []
        listen = lambda *args: asked.append(args[2])  # noqa: E731
        db.session.remove()
        sa.event.listen(db.engine, "before_cursor_execute", listen)
        house.found(last=DAY + dt.timedelta(days=60))
        sa.event.remove(db.engine, "before_cursor_execute", listen)
        return len(asked)

    for name in ("Anna", "Zoe"):
        house.session("18:00", who=house.person(name))
    make_order(house.session("10:00"))
    few = questions()
    for n in range(1, 30):
        row = house.session("10:00", day=DAY + dt.timedelta(days=n))
        if n < 5:
            make_order(row)
    assert questions() == few


def test_at_most_so_many_are_shown_and_the_rest_is_said(house):
    first = house.session("10:00")
    values = {
        column.name: getattr(first, column.name) for column in Session.__table__.columns
    }  # fmt: skip
    with transaction():
        db.session.execute(
            sa.insert(Session), [{**values, "id": f"{n:024x}"} for n in range(MOST + 2)]
        )
    found = house.found()
    assert (len(found.affected), found.more) == (MOST, 3)


def test_practitioners_and_rooms_of_the_site_can_be_chosen(house):
    here = house.site.organisation_id, house.site.id
    house.person("Gone", deleted_at=NOW)
    assert [one.name for one in list_absent(*here, "practitioner")] == ["Tomas Vale"]
    assert [one.name for one in list_absent(*here, "room")] == ["Spring Hall"]
