"""The back office against itself, its customers and the worker: real threads, one database."""

import datetime as dt
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
    make_room,
    make_site,
    make_type,
)

from domain.editing import EditedMeanwhile, mark_of_values
from domain.eligibility import Viewer
from domain.errors import HoldExpired, NotBookable, NotFound, RuleBroken
from domain.local_time import to_utc
from domain.new_sessions import NewSession
from domain.pricing import PriceRule
from domain.recurrence import HORIZON
from domain.session_edits import SessionWish
from models import (
    ClosedDay,
    RecurrenceGroup,
    Room,
    Session,
    SessionType,
    Site,
    db,
    transaction,
)
from models import PriceRule as PriceRuleRow
from services.basket import hold_places
from services.checkout import confirm_order
from services.closed_days import close_days, find_closing
from services.doctor import examine
from services.places import lock_site
from services.price_rules import find_prices, save_rules
from services.rooms import archive_room, find_room, room_values, save_room
from services.scheduling import produce_sessions, roll_horizon_forward
from services.series import find_series, preview_series, save_series, wish_of
from services.series_choices import Choices
from services.session_edits import apply_edit, find_edit
from services.session_types import find_type, mark_of_part, save_type, values_of
from services.sessions_made import LookFirst
from services.sessions_made import make_session as add_session
from services.type_archiving import archive_type, find_archiving
from services.zone_changes import change_zone, find_zone_change

pytestmark = pytest.mark.usefixtures("ctx")

DAY = dt.timedelta(days=1)
LATER = NOW + dt.timedelta(weeks=3)
"""By then an open series has sessions to make."""
NOON = dt.datetime.fromisoformat("2026-06-20T12:00")


class House:
    """A site with an open series of a type, whose sessions stand as far as the horizon of NOW."""

    def __init__(self):
        self.site = make_site()
        self.here = (self.site.organisation_id, self.site.id)
        self.rooms = [make_room(self.site, cap=20), make_room(self.site, name="Cold room", cap=20)]
        self.kind = make_type(self.site)
        self.group = make_group(
            self.kind, self.rooms[0], recurrence_start=NOW.date(), recurrence_end=None,
            weekdays=["monday", "wednesday", "friday"],
        )  # fmt: skip
        produce_sessions(self.here[0], self.group.id, now=NOW)
        self.room_ids = [room.id for room in self.rooms]
        self.kind_id, self.group_id = self.kind.id, self.group.id
        db.session.remove()

    def rows(self, *where):
        return db.session.scalars(
            sa.select(Session)
            .where(Session.organisation_id == self.here[0], *where)
            .order_by(Session.start_time)
            .execution_options(populate_existing=True)
        ).all()

    def live(self):
        return self.rows(Session.deleted_at.is_(None))

    def coming(self):
        return self.rows(Session.deleted_at.is_(None), Session.start_time > NOW)

    # What people and the worker do; each as its own form would, looked at first.

    def roll(self):
        roll_horizon_forward(now=LATER)

    def save_series(self, **given):
        wish = wish_of(find_series(*self.here, self.group_id))
        wanted = replace(wish, **given)
        shown = preview_series(*self.here, group_id=self.group_id, wish=wanted, now=NOW).mark
        save_series(
            *self.here, self.group_id, wanted, seen=mark_of_values(wish.values), shown=shown,
            choices=Choices(), account_id=None, now=NOW,
        )  # fmt: skip

    def close(self, day):
        shown = find_closing(*self.here, day, day, now=NOW).mark
        close_days(
            *self.here, day, day, reason="Works", choices=Choices(), shown=shown,
            account_id=None, now=NOW,
        )  # fmt: skip

    def archive_type(self):
        seen = find_archiving(*self.here, self.kind_id, now=NOW).mark
        archive_type(*self.here, self.kind_id, seen=seen, now=NOW)

    def change_zone(self):
        seen = find_zone_change(*self.here, "Asia/Tokyo", now=NOW).mark
        change_zone(*self.here, "Asia/Tokyo", seen=seen, now=NOW)

    def change_length(self):
        row = find_type(*self.here, self.kind_id)
        seen = mark_of_part(values_of(row), ("duration",))
        save_type(
            *self.here, self.kind_id, {"duration": 75}, part=("duration",), seen=seen, now=NOW
        )

    def add(self, local, room=None):
        with suppress(LookFirst):
            add_session(
                *self.here, NewSession(self.kind_id, local, room_id=room), seen="", key="", now=NOW
            )

    def edit(self, session_id, **wish):
        wanted = SessionWish(**wish)
        seen = find_edit(*self.here, session_id, wanted, now=NOW).impact.mark
        apply_edit(*self.here, session_id, wanted, seen=seen, now=NOW)

    def buy(self, session_id, email):
        with suppress(NotBookable, HoldExpired):
            secret = hold_places(
                self.here[0], session_id, session_type_id=self.kind_id, guests=1, viewer=Viewer(),
                basket_secret=None, now=NOW,
            )  # fmt: skip
            confirm_order(self.here[0], secret, name="Ana Reyes", email=email, now=NOW)


@pytest.fixture
def house():
    return House()


def insist(deed):
    for _ in range(12):
        try:
            return deed()
        except (RuleBroken, NotFound) as said:
            db.session.rollback()
            if said.code not in ("impact_changed", "edited_meanwhile"):
                return None
    return None


@pytest.fixture
def at_once(app):
    """Does deeds in threads of their own; each tries again when it is told to look again."""

    def run(*deeds):
        ready, failed = threading.Barrier(len(deeds)), []

        def go(deed):
            with app.app_context():
                ready.wait()
                try:
                    insist(deed)
                except Exception as error:
                    failed.append(error)
                finally:
                    db.session.remove()

        db.session.remove()
        threads = [threading.Thread(target=go, args=(deed,)) for deed in deeds]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
        db.session.remove()

    return run


def check_in_step(house):
    """Nobody is oversold or lost, and every coming session says what its site and type say."""
    assert examine() == []
    site, kind = fetch(Site, house.here[1]), fetch(SessionType, house.kind_id)
    for row in house.coming():
        assert row.start_time == to_utc(row.local_start, site.zoneinfo)
    return site, kind


def test_s1_the_horizon_rolls_while_a_day_is_closed(house, at_once):
    days = [(LATER + n * DAY).date() for n in range(40, 61)]
    at_once(house.roll, *(lambda day=day: house.close(day) for day in days[:8]))
    check_in_step(house)
    closed = db.session.scalars(sa.select(ClosedDay.day), execution_options=ANYWHERE).all()
    assert {row.local_start.date() for row in house.live()}.isdisjoint(closed)


@pytest.fixture
def meanwhile(app, on_postgresql):
    """Begins `deed` in a thread while this transaction is open, as far as it comes by itself."""

    def begin(deed):
        def go():
            with app.app_context():
                deed()
                db.session.remove()

        thread = threading.Thread(target=go)
        thread.start()
        waits = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        while on_postgresql and thread.is_alive() and not db.session.scalar(waits):
            thread.join(0.02)
        return thread

    return begin


def test_s1_the_horizon_waits_for_a_day_that_is_being_closed(house, meanwhile):
    day = max(row.local_start for row in house.live()).date() + 7 * DAY
    assert day <= LATER.date() + HORIZON
    with transaction():
        lock_site(*house.here)
        db.session.add(
            ClosedDay(
                organisation_id=house.here[0], site_id=house.here[1], day=day, reason="",
                created_at=NOW,
            )
        )  # fmt: skip
        db.session.flush()
        rolling = meanwhile(house.roll)
    rolling.join()
    days = {row.local_start.date() for row in house.live()}
    assert max(days) > day
    assert day not in days


def test_r25_the_horizon_waits_for_a_series_that_is_being_archived(house, meanwhile):
    with transaction():
        lock_site(*house.here)
        archiving = sa.update(RecurrenceGroup).where(RecurrenceGroup.id == house.group_id)
        db.session.execute(archiving.values(deleted_at=NOW), execution_options=ANYWHERE)
        before = len(house.rows())
        rolling = meanwhile(house.roll)
    rolling.join()
    assert len(house.rows()) == before


def test_s1_the_horizon_rolls_while_the_series_moves(house, at_once):
    at_once(
        house.roll, house.roll, lambda: house.save_series(capacity=5, room_id=house.room_ids[1])
    )
    check_in_step(house)
    assert {(row.capacity, row.room_id) for row in house.coming()} == {(5, house.room_ids[1])}


def test_r25_no_session_of_an_archived_type_comes_after_it(house, at_once):
    at_once(
        house.roll, house.archive_type,
        lambda: house.add(NOON),
        lambda: house.save_series(capacity=5),
    )  # fmt: skip
    check_in_step(house)
    assert house.coming() == []


def test_t6_every_session_follows_the_new_zone_whoever_makes_it(house, at_once):
    first, second = [row.id for row in house.coming()][:2]
    at_once(
        house.roll, house.change_zone,
        lambda: house.add(NOON),
        lambda: house.save_series(capacity=5),
        lambda: house.edit(first, local_start=NOON + DAY),
        lambda: house.buy(second, "g@example.com"),
    )  # fmt: skip
    site, _ = check_in_step(house)
    assert site.zone == "Asia/Tokyo"


def test_r24_a_new_length_reaches_the_sessions_that_are_made_meanwhile(house, at_once):
    at_once(house.roll, house.change_length, lambda: house.save_series(capacity=5))
    check_in_step(house)
    assert {row.end_time - row.start_time for row in house.coming()} == {dt.timedelta(minutes=75)}


def test_s2_who_buys_while_the_series_moves_keeps_the_time_they_bought(house, at_once):
    ids = [row.id for row in house.coming()][:4]
    before = {row.id: row.local_start for row in house.coming()}
    at_once(
        lambda: house.save_series(weekdays=("sunday",)),
        *(lambda i=i: house.buy(i, f"g{i}@example.com") for i in ids),
    )
    check_in_step(house)
    for row in house.live():
        if row.places_taken:
            assert row.local_start == before[row.id]
    for row in house.rows(Session.deleted_at.is_not(None)):
        assert row.places_taken == 0


def test_r14_who_buys_while_the_type_is_archived_is_refused_or_their_session_stands(house, at_once):
    ids = [row.id for row in house.coming()][:4]
    at_once(house.archive_type, *(lambda i=i: house.buy(i, f"g{i}@example.com") for i in ids))
    check_in_step(house)
    assert all(row.places_taken for row in house.coming())


def test_s3_two_edits_and_a_buyer_of_one_session(house, at_once):
    first = house.coming()[0].id
    at_once(
        lambda: house.edit(first, capacity=1),
        lambda: house.edit(first, room_id=house.room_ids[1]),
        lambda: house.buy(first, "a@example.com"),
        lambda: house.buy(first, "b@example.com"),
    )
    check_in_step(house)
    row = fetch(Session, first)
    assert row.room_id == house.room_ids[1]
    assert (row.capacity == 1) or row.places_taken == 2


def test_r6_nothing_is_put_into_a_room_while_it_is_archived(house, at_once):
    spare = house.room_ids[1]
    first = house.coming()[0].id
    at_once(
        lambda: archive_room(*house.here, spare, now=NOW),
        lambda: house.edit(first, room_id=spare),
        lambda: house.add(NOON, room=spare),
        lambda: house.save_series(room_id=spare),
    )
    check_in_step(house)
    if fetch(Room, spare).deleted_at is not None:
        assert not [row for row in house.coming() if row.room_id == spare]
        assert fetch(RecurrenceGroup, house.group_id).room_id != spare


def test_a_room_is_renamed_while_its_series_is_saved(house, at_once):
    def rename(name):
        kept = room_values(find_room(*house.here, house.room_ids[0]))
        with suppress(EditedMeanwhile):
            save_room(*house.here, house.room_ids[0], {"name": name}, seen=mark_of_values(kept))

    at_once(
        *(lambda n=n: rename(f"Room {n}") for n in range(3)),
        lambda: house.save_series(capacity=4),
        lambda: house.save_series(capacity=5),
        lambda: house.edit(house.coming()[3].id, room_id=house.room_ids[1]),
    )
    check_in_step(house)


def test_d4_of_two_who_save_prices_at_once_one_is_told(house, at_once):
    found = find_prices(*house.here, house.kind_id, now=NOW)
    told = []

    def deed(price):
        rules = [replace(found.rules[0], price=price), PriceRule(id="new", label="x", price=1)]
        try:
            save_rules(*house.here, house.kind_id, rules, seen=found.mark, now=NOW)
        except EditedMeanwhile:
            db.session.rollback()
            told.append(price)

    at_once(*(lambda price=price: deed(price) for price in (100, 200, 300)))
    assert len(told) == 2
    rows = db.session.scalars(
        sa.select(PriceRuleRow)
        .where(PriceRuleRow.session_type_id == house.kind_id)
        .order_by(PriceRuleRow.position),
        execution_options=ANYWHERE,
    ).all()
    assert [row.position for row in rows] == [0, 1]
    assert rows[0].price not in told
