"""Whatever people do in whatever order: no place too many, no counter that lies (H1-H3, H8)."""

import datetime as dt
import os
from contextlib import suppress

import pytest
from factories import NOW, fetch, make_organisation, make_session, make_site, make_type
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
    run_state_machine_as_test,
)

from domain.eligibility import Viewer
from domain.errors import HoldCeilingReached, HoldExpired, NotBookable, NotFound
from models import Session, db
from services.basket import (
    drop_line,
    find_basket,
    hold_places,
    rebuild_basket,
    renew_hold,
)
from services.checkout import book_for_staff, confirm_order, find_order
from services.doctor import find_wrong_counters
from services.lines import live_lines
from services.places import release_expired_holds

pytestmark = pytest.mark.usefixtures("ctx")

ROOMS = ({"capacity": 4}, {"capacity": 6, "max_baskets": 2}, {"capacity": 3, "max_baskets": 1})


class Shop(RuleBasedStateMachine):
    """Three sessions, any number of browsers, one clock."""

    baskets = Bundle("baskets")
    booked = Bundle("booked")

    def __init__(self) -> None:
        super().__init__()
        kind = make_type(make_site(make_organisation()))
        self.type_id = kind.id
        self.organisation_id = kind.organisation_id
        self.sessions = [
            make_session(kind, local_start=f"2026-06-{day}T18:00", **room).id
            for day, room in zip((12, 13, 14), ROOMS, strict=True)
        ]
        self.now = NOW
        self.sold: dict[str, int] = {}

    @rule(target=baskets, room=st.sampled_from(range(3)), guests=st.integers(1, 5))
    def hold(self, room, guests):
        return self._hold(None, room, guests)

    @rule(
        target=baskets,
        basket=consumes(baskets),
        room=st.sampled_from(range(3)),
        guests=st.integers(1, 5),
    )
    def hold_more(self, basket, room, guests):
        return self._hold(basket, room, guests) or basket

    def _hold(self, basket, room, guests):
        try:
            return hold_places(
                self.organisation_id,
                self.sessions[room],
                session_type_id=self.type_id,
                guests=guests,
                viewer=Viewer(),
                basket_secret=basket,
                now=self.now,
            )
        except NotBookable as refusal:
            assert refusal.code in ("places_left", "party_left")  # noqa: PT017 - else it is held
            return basket

    @rule(basket=baskets)
    def renew(self, basket):
        if basket:
            with suppress(HoldExpired, HoldCeilingReached):
                renew_hold(self.organisation_id, basket, now=self.now)

    @rule(basket=baskets)
    def drop(self, basket):
        order = find_basket(basket, now=self.now)
        lines = live_lines(order, now=self.now) if order else []
        if lines:
            drop_line(self.organisation_id, basket, lines[0].id, now=self.now)

    @rule(basket=baskets)
    def rebuild(self, basket):
        if find_basket(basket, now=self.now):
            rebuild_basket(self.organisation_id, basket, viewer=Viewer(), now=self.now)

    @rule(target=booked, basket=consumes(baskets))
    def confirm(self, basket):
        if basket:
            try:
                secret = confirm_order(
                    self.organisation_id, basket, name="Ana", email="ana@example.com", now=self.now
                )
            except (HoldExpired, NotFound):
                return None
            self.sold[secret] = sum(
                line.places for line in live_lines(find_order(secret), now=self.now)
            )
            return secret
        return None

    @rule(secret=booked)
    def what_is_sold_stays_sold(self, secret):
        if secret:
            lines = live_lines(find_order(secret), now=self.now)
            assert sum(line.places for line in lines) == self.sold[secret]

    @rule(room=st.sampled_from(range(3)), guests=st.integers(1, 3))
    def walk_in(self, room, guests):
        try:
            book_for_staff(
                self.organisation_id, self.sessions[room], name="Walk In", guests=guests,
                now=self.now,
            )  # fmt: skip
        except NotBookable as refusal:
            assert refusal.code in ("places_left", "party_left")  # noqa: PT017 - else it is held

    @rule(minutes=st.sampled_from((1, 5, 14, 15, 16, 46)))
    def time_passes(self, minutes):
        self.now += dt.timedelta(minutes=minutes)

    @rule()
    def the_worker_comes_round(self):
        release_expired_holds(self.now)

    @invariant()
    def nothing_is_oversold_and_every_counter_is_true(self):
        wrong = find_wrong_counters()
        assert not [line for line in wrong if any(own in line for own in self.sessions)]
        for session_id in self.sessions:
            row = fetch(Session, session_id)
            assert 0 <= row.places_taken <= row.capacity
            assert row.max_baskets is None or row.parties_taken <= row.max_baskets

    def teardown(self):
        db.session.rollback()


def test_h1_no_order_of_deeds_oversells_or_leaves_a_counter_that_lies():
    thorough = os.environ.get("TEST_DATABASE") != "postgresql"
    run_state_machine_as_test(
        Shop,
        settings=settings(
            max_examples=60 if thorough else 15,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
