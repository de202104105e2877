"""Whatever happens in whatever order: no queue jumped, no place lost or sold twice (W1-W5, H10)."""

import datetime as dt
import os
from collections import Counter

import pytest
from factories import NOW, fetch, make_organisation, make_session, make_site, make_type
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from domain.eligibility import CHECKS, Viewer
from domain.errors import NotBookable, RuleBroken
from models import Order, Session, SessionBooking, db
from services.basket import (
    change_guests,
    drop_line,
    find_basket,
    hold_places,
    rebuild_basket,
)
from services.cancelling import cancel, cancel_for_staff, cancel_guests
from services.changing import door_of_order
from services.checkout import book_for_staff, confirm_order, find_order
from services.desk import set_check_in
from services.doctor import examine
from services.giving_up import release_places, take_back
from services.lines import live_lines
from services.link_places import Way
from services.moving import move
from services.private_links import NewLink, make_link, release_kept_places, revoke_link
from services.session_changes import (
    cancel_session,
    change_capacity,
    find_cancellable_session,
    find_places,
    find_restorable_session,
    restore_session,
)
from services.waiting import accept, decline, join, leave, offer_by_hand
from services.waking import release_expired_holds

pytestmark = pytest.mark.usefixtures("ctx")

STARTS = ("2026-06-05T07:00", "2026-06-12T18:00", "2026-06-13T18:00")
"""The first is too near to be cancelled by its customers, who may give their places up."""
PEOPLE = 6
pick_session = st.sampled_from(range(len(STARTS)))
pick_person = st.integers(1, PEOPLE)


def is_waiting(row):
    """On the list, and offered nothing."""
    return row.status == "waitlisted" and row.offered_at is None


def place_in_line(row):
    return (row.waiting_since, row.id)


class Queue(RuleBasedStateMachine):
    """Three sessions with few places, six people, a venue that changes its mind, one clock."""

    entries = Bundle("entries")
    baskets = Bundle("baskets")
    booked = Bundle("booked")
    links = Bundle("links")

    def __init__(self) -> None:
        super().__init__()
        # What earlier runs left would be examined again with each step.
        db.session.remove()
        self.make_empty()
        self.site = make_site(make_organisation())
        self.organisation_id = self.site.organisation_id
        offer = make_type(
            self.site,
            waitlist_enabled=True,
            max_guests=3,
            customer_cancellation_min_duration="PT24H",
        )
        self.type_id = offer.id
        self.sessions = [
            make_session(offer, local_start=start, capacity=3, waitlist_enabled=True).id
            for start in STARTS
        ]
        self.now = NOW
        self.steps = 0
        self.by_hand: str | None = None
        self.before = self.look()
        self.wrong_before = examine(now=self.now)

    def attempt(self, deed):
        """Do it, or be refused with a sentence, and a booking with a code of the list."""
        try:
            return deed()
        except RuleBroken as refusal:
            assert refusal.sentence  # noqa: PT017
            if isinstance(refusal, NotBookable):
                assert refusal.code in CHECKS  # noqa: PT017
        return None

    def email(self, person):
        return f"p{person}-{self.site.slug}@example.com"

    @rule(target=baskets, number=pick_session, guests=st.integers(1, 3))
    def hold(self, number, guests):
        return self.attempt(
            lambda: hold_places(
                self.organisation_id, self.sessions[number], session_type_id=self.type_id,
                guests=guests, viewer=Viewer(), basket_secret=None, now=self.now,
            )
        )  # fmt: skip

    @rule(
        target=links,
        number=pick_session | st.none(),
        kept=st.integers(0, 2),
        uses=st.none() | st.integers(1, 2),
        lasts=st.none() | st.integers(1, 200),
    )
    def make_link(self, number, kept, uses, lasts):
        start = fetch(Session, self.sessions[number]).local_start if number is not None else None
        wanted = NewLink(
            self.type_id, "For Ines", start, "", None,
            self.now + dt.timedelta(minutes=lasts) if lasts else None, uses,
            kept if start else 0,
        )  # fmt: skip
        link_id = self.attempt(
            lambda: make_link(self.organisation_id, self.site.id, wanted, by="staff", now=self.now)
        )
        return (link_id, number) if link_id else None

    @rule(link=links)
    def revoke(self, link):
        if link:
            revoke_link(self.organisation_id, self.site.id, link[0], now=self.now)

    @rule(target=baskets, link=links, number=pick_session, guests=st.integers(1, 3))
    def hold_by_link(self, link, number, guests):
        if not link:
            return None
        at = self.sessions[link[1] if link[1] is not None else number]
        return self.attempt(
            lambda: hold_places(
                self.organisation_id, at, session_type_id=self.type_id, guests=guests,
                viewer=Viewer(), basket_secret=None, way=Way(link_id=link[0]), now=self.now,
            )
        )  # fmt: skip

    @rule(target=booked, link=links, number=pick_session, guests=st.integers(1, 3),
          person=pick_person)  # fmt: skip
    def buy_by_link(self, link, number, guests, person):
        basket = self.hold_by_link(link, number, guests)
        return self.confirmed(basket, person) if basket else None

    @rule(basket=baskets, guests=st.integers(1, 3))
    def other_party(self, basket, guests):
        order = find_basket(basket, now=self.now)
        for line in live_lines(order, now=self.now) if order else ():
            self.attempt(
                lambda line=line: change_guests(
                    self.organisation_id, basket, line.id, guests=guests, viewer=Viewer(),
                    now=self.now,
                )
            )  # fmt: skip

    @rule(basket=baskets)
    def rebuild(self, basket):
        if basket and find_basket(basket, now=self.now):
            rebuild_basket(self.organisation_id, basket, viewer=Viewer(), now=self.now)

    @rule(order=booked, arrived=st.booleans())
    def check_in(self, order, arrived):
        line = self.line_of(order)
        if line:
            self.attempt(
                lambda: set_check_in(
                    self.organisation_id, self.site.id, line.id, arrived=arrived, now=self.now
                )
            )

    @rule(basket=baskets)
    def drop(self, basket):
        order = find_basket(basket, now=self.now)
        for line in live_lines(order, now=self.now) if order else ():
            drop_line(self.organisation_id, basket, line.id, now=self.now)

    @rule(target=booked, basket=baskets, person=pick_person)
    def confirm(self, basket, person):
        return self.confirmed(basket, person) if basket else None

    @rule(target=booked, number=pick_session, guests=st.integers(1, 3), person=pick_person)
    def buy_at_once(self, number, guests, person):
        basket = self.hold(number, guests)
        return self.confirmed(basket, person) if basket else None

    def confirmed(self, basket, person):
        return self.attempt(
            lambda: confirm_order(
                self.organisation_id, basket, name=f"Person {person}", email=self.email(person),
                now=self.now,
            )
        )  # fmt: skip

    @rule(number=pick_session, guests=st.integers(1, 2))
    def walk_in(self, number, guests):
        self.attempt(
            lambda: book_for_staff(
                self.organisation_id, self.sessions[number], name="Walk In", guests=guests,
                now=self.now,
            )
        )  # fmt: skip

    @rule(target=entries, number=pick_session, guests=st.integers(1, 3), person=pick_person)
    def join(self, number, guests, person):
        return self.attempt(
            lambda: join(
                self.organisation_id, self.sessions[number], guests=guests,
                name=f"Person {person}", email=self.email(person), now=self.now,
            )
        )  # fmt: skip

    @rule(target=entries, number=pick_session, people=st.permutations(range(1, PEOPLE + 1)))
    def a_crowd_comes(self, number, people):
        """All places are taken, then two parties of different sizes wait."""
        for person in people[:3]:
            self.buy_at_once(number, 1 + person % 2, person)
        self.join(number, 2, people[3])
        return self.join(number, 1, people[4])

    @rule(target=booked, entry=entries)
    def accept(self, entry):
        return self.attempt(lambda: accept(entry, now=self.now)) if entry else None

    @rule(entry=entries)
    def decline(self, entry):
        if entry:
            self.attempt(lambda: decline(entry, now=self.now))

    @rule(entry=entries)
    def leave(self, entry):
        if entry:
            self.attempt(lambda: leave(entry, now=self.now))

    @rule(which=st.integers(0, 5))
    def offer_by_hand(self, which):
        waiting = sorted(key for key, row in self.look().items() if is_waiting(row))
        if waiting:
            self.by_hand = waiting[which % len(waiting)]
            self.attempt(
                lambda: offer_by_hand(
                    self.organisation_id, self.site.id, self.by_hand, now=self.now
                )
            )

    def line_of(self, order):
        lines = live_lines(find_order(order), now=self.now) if order else []
        return lines[0] if lines else None

    @rule(order=booked)
    def cancel(self, order):
        line = self.line_of(order)
        if line:
            self.attempt(lambda: cancel(door_of_order(order, line.id), line.id, now=self.now))

    @rule(order=booked)
    def one_guest_less(self, order):
        line = self.line_of(order)
        if line:
            door = door_of_order(order, line.id)
            self.attempt(lambda: cancel_guests(door, line.id, number=1, now=self.now))

    @rule(order=booked, number=pick_session)
    def move(self, order, number):
        line = self.line_of(order)
        if line:
            door = door_of_order(order, line.id)
            self.attempt(lambda: move(door, line.id, self.sessions[number], now=self.now))

    @rule(order=booked, places=st.integers(1, 3))
    def release(self, order, places):
        line = self.line_of(order)
        if line:
            door = door_of_order(order, line.id)
            self.attempt(lambda: release_places(door, line.id, places, now=self.now))

    @rule(order=booked)
    def take_back(self, order):
        line = self.line_of(order)
        if line:
            self.attempt(lambda: take_back(door_of_order(order, line.id), line.id, now=self.now))

    @rule(target=booked, person=pick_person, other=pick_person)
    def a_late_place_is_given_up_and_taken(self, person, other):
        order = self.buy_at_once(0, 3, person)
        entry = self.join(0, 1, other)
        self.release(order, 2)
        self.accept(entry)
        return order

    @rule(order=booked)
    def staff_cancel(self, order):
        line = self.line_of(order)
        if line:
            self.attempt(
                lambda: cancel_for_staff(
                    self.organisation_id, self.site.id, line.id, reason="Boiler", now=self.now
                )
            )

    @rule(
        number=pick_session,
        capacity=st.integers(1, 6),
        parties=st.none() | st.integers(1, 4),
        waits=st.sampled_from((True, True, True, False)),
    )
    def change_places(self, number, capacity, parties, waits):
        row = (self.organisation_id, self.site.id, self.sessions[number])

        def deed():
            _session, places = find_places(*row, now=self.now)
            change_capacity(
                *row, capacity=capacity, max_baskets=parties, waitlist_enabled=waits,
                seen=places.mark, now=self.now,
            )  # fmt: skip

        self.attempt(deed)

    @rule(number=pick_session)
    def the_venue_cancels(self, number):
        row = (self.organisation_id, self.site.id, self.sessions[number])

        def deed():
            seen = find_cancellable_session(*row, now=self.now).impact.mark
            cancel_session(*row, reason="Boiler", seen=seen, now=self.now)

        self.attempt(deed)

    @rule(number=pick_session)
    def the_venue_restores(self, number):
        row = (self.organisation_id, self.site.id, self.sessions[number])

        def deed():
            seen = find_restorable_session(*row, now=self.now).clash_mark
            restore_session(*row, seen=seen, now=self.now)

        self.attempt(deed)

    @rule(minutes=st.sampled_from((1, 14, 15, 46, 119, 120, 400)))
    def time_passes(self, minutes):
        self.now += dt.timedelta(minutes=minutes)

    @rule()
    def the_worker_comes_round(self):
        release_expired_holds(self.now)
        release_kept_places(self.now)

    def look(self):
        """Everything live, read once for all that is asked of it."""
        db.session.rollback()
        rows = db.session.execute(
            select(
                SessionBooking.id, SessionBooking.session_id, SessionBooking.order_id,
                SessionBooking.places, SessionBooking.released_places, SessionBooking.status,
                SessionBooking.waiting_since, SessionBooking.offered_at,
                SessionBooking.expires_at, SessionBooking.offered_from_id,
                SessionBooking.private_link_id, Order.email,
            )
            .join(Order, Order.id == SessionBooking.order_id)
            .where(
                SessionBooking.organisation_id == self.organisation_id,
                SessionBooking.cancelled_at.is_(None),
            )
        )  # fmt: skip
        return {row.id: row for row in rows}

    @invariant()
    def all_promises_hold(self):
        after = self.look()
        sessions = db.session.execute(
            select(
                Session.id, Session.capacity, Session.places_taken, Session.parties_taken,
                Session.places_kept, Session.max_baskets, Session.start_time,
            ).where(Session.organisation_id == self.organisation_id)
        ).all()  # fmt: skip
        for session in sessions:
            here = [row for row in after.values() if row.session_id == session.id]
            self._is_never_oversold(session, [row for row in here if row.status != "waitlisted"])
            self._loses_no_place(session, [row for row in here if is_waiting(row)])
        self._offers_nobody_twice(after)
        self._jumps_no_queue(after)
        self._takes_no_place_of_who_came()
        self.before, self.by_hand = after, None
        # The doctor looks at all venues of the database: it comes every fifth time, and at the end.
        self.steps += 1
        if self.steps % 5 == 0:
            assert examine(now=self.now) == self.wrong_before

    def _is_never_oversold(self, session, rows):
        assert session.places_taken == sum(row.places for row in rows)
        assert session.places_taken + session.places_kept <= session.capacity
        assert session.parties_taken == len({row.order_id for row in rows})
        assert session.max_baskets is None or session.parties_taken <= session.max_baskets

    def _loses_no_place(self, session, waiting):
        """Nobody who would fit is left without an offer."""
        has_room = session.max_baskets is None or session.parties_taken < session.max_baskets
        if session.start_time > self.now and has_room:
            free = session.capacity - session.places_taken - session.places_kept
            assert [row for row in waiting if row.places <= free] == []

    def _offers_nobody_twice(self, after):
        entries = [row for row in after.values() if row.waiting_since and row.status != "confirmed"]
        people = Counter((row.session_id, row.email) for row in entries)
        assert all(number == 1 for number in people.values())
        backed = Counter()
        for row in entries:
            if row.offered_at is not None:
                assert row.expires_at is not None
                assert (row.status == "new") == (row.offered_from_id is None)
                if row.offered_from_id:
                    backed[row.offered_from_id] += row.places
        for source_id, places in backed.items():
            assert places <= after[source_id].released_places

    def _jumps_no_queue(self, after):
        """Who took or was offered places in this step left nobody behind who fits as well."""
        for key, row in after.items():
            was = self.before.get(key)
            took_places = not is_waiting(row) and (
                was is None or is_waiting(was) or was.session_id != row.session_id
            )
            # What a private link keeps stands beside the line.
            came_by_link = row.private_link_id is not None and was is None
            if not took_places or key == self.by_hand or came_by_link:
                continue
            passed = [
                other
                for other_key, other in self.before.items()
                if is_waiting(other)
                and other.session_id == row.session_id
                and other.places <= row.places
                and after.get(other_key) == other
                and (row.waiting_since is None or place_in_line(other) < place_in_line(row))
            ]
            assert passed == []

    def _takes_no_place_of_who_came(self):
        came = select(SessionBooking.id).where(
            SessionBooking.organisation_id == self.organisation_id,
            SessionBooking.checked_in_at.is_not(None),
            SessionBooking.cancelled_at.is_not(None),
        )
        assert db.session.scalars(came).all() == []

    def teardown(self):
        db.session.rollback()
        assert examine(now=self.now) == self.wrong_before


# Ten thousand steps take a few minutes of a busy machine.
@pytest.mark.timeout(1200)
def test_w1_h10_no_order_of_deeds_jumps_the_queue_or_loses_a_place(make_empty):
    thorough = os.environ.get("TEST_DATABASE") != "postgresql"
    run_state_machine_as_test(
        type("Queue", (Queue,), {"make_empty": staticmethod(make_empty)}),
        settings=settings(
            max_examples=200 if thorough else 8,
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
