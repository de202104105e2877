"""Changing one's mind: cancelling, guest by guest, moving, giving up (M4-M8, H10, T3)."""

import datetime as dt

import pytest
import sqlalchemy as sa
from factories import (
    ANYWHERE,
    NOW,
    fetch,
    make_account,
    make_form,
    make_member,
    make_order,
    make_rule,
    make_session,
    make_site,
    make_type,
    save,
)

from domain.eligibility import CHECKS, Viewer
from domain.errors import NO_CHANGES, ChangedSince, NotBookable, NotChangeable, NotFound
from domain.intake import Field
from models import (
    Guest,
    IntakeAnswer,
    Job,
    LedgerEntry,
    Order,
    Session,
    SessionBooking,
    SessionType,
    db,
    new_object_id,
    transaction,
)
from services.basket import hold_places
from services.cancelling import cancel, cancel_for_staff, cancel_guests
from services.changing import Door, door_of_order, find_standing
from services.checkout import confirm_order, find_order
from services.desk import find_roster, set_check_in
from services.doctor import examine
from services.giving_up import release_places, take_back, why_no_release
from services.intake_answers import find_booking_forms, save_answers
from services.moving import find_target, list_targets, move
from services.places import lock_sessions
from services.releasing import take_over_released

pytestmark = pytest.mark.usefixtures("ctx")

SECOND = dt.timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _stays_sound(ctx):
    yield
    assert examine() == []


class Booked:
    """One line, sold, with what a test asks of it."""

    def __init__(self, secret):
        order = find_order(secret)
        self.secret, self.organisation_id, self.site_id = (
            secret,
            order.organisation_id,
            order.site_id,
        )
        self.id = order.items[-1].booking.id

    @property
    def row(self):
        return fetch(SessionBooking, self.id)

    @property
    def order(self):
        return find_order(self.secret)

    @property
    def door(self):
        return door_of_order(self.secret, self.id)

    @property
    def desk(self):
        return Door(self.organisation_id, site_id=self.site_id)

    @property
    def balance(self):
        return sum(self.entries)

    @property
    def entries(self):
        rows = db.session.scalars(
            sa.select(LedgerEntry.amount).order_by(LedgerEntry.id), execution_options=ANYWHERE
        )
        return list(rows)

    def pay(self, amount, kind="payment"):
        save(
            LedgerEntry(
                id=new_object_id(), organisation_id=self.organisation_id,
                order_id=self.row.order_id, kind=kind, amount=-amount, currency="GBP",
                created_at=NOW,
            )
        )  # fmt: skip


def booked(row=None, **given):
    return Booked(make_order(row or make_session(), **given))


def taken(row):
    found = fetch(Session, row.id)
    return found.places_taken, found.parties_taken


def letters():
    """What was posted about a change; a confirmation is about the order, a reminder comes later."""
    rows = db.session.scalars(sa.select(Job.payload).order_by(Job.id), execution_options=ANYWHERE)
    told = ("booking_changed", "booking_cancelled")
    return [(it["letter"], it["sequence"]) for it in rows if it["letter"] in told]


def refused(deed, *given, **named):
    with pytest.raises((NotChangeable, NotBookable)) as found:
        deed(*given, now=named.pop("now", NOW), **named)
    assert found.value.code in {*NO_CHANGES, *CHECKS}
    return found.value


class TestCancelling:
    def test_places_charge_and_order_end_together_and_a_mail_goes_out(self):
        row = make_session()
        mine = booked(row, guests=2)
        assert cancel(mine.door, mine.id, seen=0, now=NOW) == row.id
        assert taken(row) == (0, 0)
        assert mine.entries == [9600, -9600]
        assert (mine.row.cancelled_by, mine.row.sequence) == ("customer", 1)
        assert mine.order.state == "cancelled"
        assert letters() == [("booking_cancelled", 1)]

    def test_cancelling_twice_changes_nothing_and_says_so(self):
        row = make_session()
        mine = booked(row)
        cancel(mine.door, mine.id, now=NOW)
        again = refused(cancel, mine.door, mine.id)
        assert (again.code, again.sentence) == ("cancelled", "This booking was cancelled already.")
        assert taken(row) == (0, 0)
        assert mine.entries == [4800, -4800]
        assert len(letters()) == 1

    def test_h6_the_same_form_twice_is_one_answer(self):
        mine = booked()
        first = cancel(mine.door, mine.id, seen=0, key="a", now=NOW)
        assert cancel(mine.door, mine.id, seen=0, key="a", now=NOW) == first
        assert len(mine.entries) == 2

    @pytest.mark.parametrize(
        ("duration", "start", "until"),
        [
            ("P1D", "2026-06-12T18:00", "2026-06-11T17:00:00Z"),
            # Days are not hours: the clocks change in the night before.
            ("P1D", "2026-03-29T10:00", "2026-03-28T10:00:00Z"),
            ("PT24H", "2026-03-29T10:00", "2026-03-28T09:00:00Z"),
            ("P1M", "2026-10-31T18:00", "2026-09-30T17:00:00Z"),
        ],
    )
    def test_m5_t3_the_last_moment_counts_and_one_second_later_does_not(
        self, duration, start, until
    ):
        kind = make_type(customer_cancellation_min_duration=duration)
        row = make_session(kind, local_start=start)
        edge = dt.datetime.fromisoformat(until)
        before = edge - dt.timedelta(days=20)
        mine, other = (
            booked(row, email=mail, now=before) for mail in ("a@b.example", "c@d.example")
        )
        late = refused(cancel, mine.door, mine.id, now=edge + SECOND)
        assert late.code == "too_late"
        assert "Free cancellation ended on" in late.sentence
        cancel(mine.door, mine.id, now=edge)
        cancel(other.door, other.id, now=edge - SECOND)
        assert taken(row) == (0, 0)

    def test_m5_a_started_session_cannot_be_cancelled_by_the_customer(self):
        row = make_session()
        mine, other = booked(row), booked(row, email="c@d.example")
        assert refused(cancel, mine.door, mine.id, now=row.start_time).code == "started"
        cancel(other.door, other.id, now=row.start_time - SECOND)
        # Staff are not bound (R29).
        cancel_for_staff(
            mine.organisation_id, mine.site_id, mine.id, reason="Ill", now=row.start_time + SECOND
        )
        assert taken(row) == (0, 0)

    def test_m5_unpaid_counts_payments_and_disallowed_refuses(self):
        mine = booked(make_session(make_type(customer_cancellation_permitted="unpaid")))
        mine.pay(100)
        assert refused(cancel, mine.door, mine.id).code == "paid"
        never = booked(make_session(make_type(customer_cancellation_permitted="disallowed")))
        assert refused(cancel, never.door, never.id).code == "disallowed"

    def test_m8_the_policy_agreed_at_booking_counts(self):
        kind = make_type()
        mine = booked(make_session(kind))
        fetch(SessionType, kind.id).customer_cancellation_permitted = "disallowed"
        db.session.commit()
        cancel(mine.door, mine.id, now=NOW)
        assert mine.row.cancelled_by == "customer"

    def test_m4_what_was_paid_is_owed_and_no_more(self):
        mine = booked(guests=2)
        mine.pay(5000)
        mine.pay(-1000, "refund")
        standing = find_standing(mine.door, mine.id, now=NOW)
        assert standing.cost(2).to_return == 4000
        assert standing.cost(1).to_return == 0
        assert standing.cost(1).to_pay == 800
        cancel(mine.door, mine.id, now=NOW)
        assert mine.balance == -4000

    def test_who_is_here_is_not_cancelled(self):
        mine = booked()
        set_check_in(mine.organisation_id, mine.site_id, mine.id, arrived=True, now=NOW)
        assert refused(cancel, mine.door, mine.id).code == "checked_in"
        assert refused(cancel_guests, mine.door, mine.id, number=1).code == "checked_in"

    def test_the_other_line_of_the_order_stays(self):
        site = make_site()
        first, second = (make_session(make_type(site, price=p)) for p in (4800, 1000))
        mine = Booked(two_lines(first, second))
        cancel(mine.door, mine.id, now=NOW)
        assert mine.order.state == "confirmed"
        assert mine.balance == 4800
        assert (taken(first), taken(second)) == ((1, 1), (0, 0))

    def test_d1_a_foreign_secret_or_booking_is_not_found(self):
        mine, other = booked(), booked(email="c@d.example")
        for secret, booking in ((other.secret, mine.id), ("nonsense", mine.id), (mine.secret, "x")):
            with pytest.raises(NotFound):
                door_of_order(secret, booking)
        strangers = Door(other.organisation_id, order_secret=other.secret)
        foreign_desk = Door(other.organisation_id, site_id=other.site_id)
        for door in (strangers, foreign_desk):
            for deed in (cancel, cancel_guests):
                with pytest.raises(NotFound):
                    deed(door, mine.id, now=NOW)
            with pytest.raises(NotFound):
                move(door, mine.id, mine.row.session_id, now=NOW)

    def test_staff_tell_or_do_not_tell(self):
        for tells in (True, False):
            mine = booked()
            cancel_for_staff(
                mine.organisation_id, mine.site_id, mine.id, reason="Boiler", tells=tells, now=NOW
            )
            assert (mine.row.sequence, mine.row.cancel_reason) == (1, "Boiler")
        assert letters() == [("booking_cancelled", 1)]


def two_lines(first, second, **given):
    """One order with a place in each; the second line comes last."""
    basket = None
    for row in (first, second):
        basket = hold_places(
            row.organisation_id, row.id, session_type_id=row.session_type_id, guests=1,
            viewer=Viewer(), basket_secret=basket, now=NOW,
        )  # fmt: skip
    return confirm_order(
        first.organisation_id, basket, name="Ana", email="ana@example.com", now=NOW, **given
    )


class TestOneGuest:
    def test_places_and_their_charge_go_the_rest_stays(self):
        row = make_session()
        mine = booked(row, guests=3)
        cancel_guests(mine.door, mine.id, number=1, seen=0, now=NOW)
        assert taken(row) == (2, 1)
        assert (mine.row.places, mine.row.order_item.places, mine.row.sequence) == (2, 2, 1)
        assert mine.entries == [14400, -4800]
        assert letters() == [("booking_changed", 1)]
        assert mine.order.state == "confirmed"

    def test_m2_guest_by_guest_gives_back_the_whole(self):
        row = make_session()
        mine = booked(row, guests=4)
        for _ in range(3):
            cancel_guests(mine.door, mine.id, number=1, now=NOW)
        cancel(mine.door, mine.id, now=NOW)
        assert mine.entries == [19200, -4800, -4800, -4800, -4800]
        assert taken(row) == (0, 0)

    def test_m8_never_below_the_agreed_min_guests(self):
        kind = make_type(min_guests=2)
        mine = booked(make_session(kind), guests=3)
        fetch(SessionType, kind.id).min_guests = 1
        db.session.commit()
        assert refused(cancel_guests, mine.door, mine.id, number=2).code == "min_guests"
        cancel_guests(mine.door, mine.id, number=1, now=NOW)
        assert refused(cancel_guests, mine.door, mine.id, number=1).code == "min_guests"
        assert mine.row.places == 2

    def test_two_tabs_do_not_take_out_twice(self):
        mine = booked(guests=3)
        cancel_guests(mine.door, mine.id, number=1, seen=0, key="a", now=NOW)
        with pytest.raises(ChangedSince):
            cancel_guests(mine.door, mine.id, number=1, seen=0, key="b", now=NOW)
        assert mine.row.places == 2

    def test_named_guests_are_chosen_and_the_others_keep_their_answers(self):
        kind = make_type()
        make_form(kind, Field("q", "Health?", asked_of="each_guest", required=True))
        mine = booked(make_session(kind), guests=3, people=("Ben", "Cleo"))
        forms = find_booking_forms(mine.secret, mine.id, now=NOW)
        for part in forms.parts:
            save_answers(
                mine.organisation_id, mine.id, {part.position: {"q": [part.name]}},
                seen={part.position: part.seen}, by="booker", now=NOW,
            )  # fmt: skip
        assert refused(cancel_guests, mine.door, mine.id, who=[7]).code == "guests_leaving"
        assert refused(cancel_guests, mine.door, mine.id).code == "guests_leaving"
        cancel_guests(mine.door, mine.id, who=[1], now=NOW)
        assert self.answered(mine) == {"Ana Reyes": "Ana Reyes", "Cleo": "Cleo"}
        # The booker stays away; nobody becomes the booker.
        cancel_guests(mine.door, mine.id, who=[0], now=NOW)
        assert self.answered(mine) == {"Cleo": "Cleo"}
        (line,) = find_roster(
            mine.organisation_id, mine.site_id, mine.row.session_id, now=NOW
        ).lines
        assert (line.guests, line.booker_comes) == (("Cleo",), False)
        rows = [len(list(db.session.scalars(sa.select(kind.id), execution_options=ANYWHERE)))
                for kind in (Guest, IntakeAnswer)]  # fmt: skip
        assert rows == [1, 1]

    def test_guests_without_names_keep_their_answers_when_one_before_them_leaves(self):
        kind = make_type()
        mine = booked(make_session(kind), guests=3)
        make_form(kind, Field("q", "Health?", asked_of="each_guest"))
        form = db.session.scalars(sa.text("SELECT id FROM intake_forms")).one()
        db.session.execute(
            sa.update(SessionBooking)
            .where(SessionBooking.id == mine.id)
            .values(intake_form_id=form),
            execution_options=ANYWHERE,
        )
        db.session.commit()
        for part in find_booking_forms(mine.secret, mine.id, now=NOW).parts:
            save_answers(
                mine.organisation_id, mine.id, {part.position: {"q": [f"was {part.position}"]}},
                seen={part.position: part.seen}, by="booker", now=NOW,
            )  # fmt: skip
        people = find_standing(mine.door, mine.id, now=NOW).people
        assert [(it.name, it.can_leave) for it in people] == [
            ("Ana Reyes", False), ("Guest 2", True), ("Guest 3", True),
        ]  # fmt: skip
        cancel_guests(mine.door, mine.id, who=[1], now=NOW)
        assert self.answered(mine) == {"Ana Reyes": "was 0", "Guest 2": "was 2"}

    def answered(self, mine):
        parts = find_booking_forms(mine.secret, mine.id, now=NOW).parts
        return {part.name: part.answers.get("q") for part in parts}


class TestMoving:
    def pair(self, **given):
        kind = make_type(**given)
        row = make_session(kind)
        return kind, row, make_session(kind, local_start="2026-06-13T10:00", capacity=2)

    def test_m7_one_booking_moves_with_its_money_and_its_agreement(self):
        kind, old, new = self.pair()
        mine = booked(old, guests=2)
        fetch(Session, new.id).price = 5000
        fetch(SessionType, kind.id).customer_cancellation_permitted = "disallowed"
        db.session.commit()
        policy = dict(mine.row.order_item.policy)
        move(mine.door, mine.id, new.id, seen=0, seen_price=5000, now=NOW)
        assert (taken(old), taken(new)) == ((0, 0), (2, 1))
        row = mine.row
        assert (row.session_id, row.sequence, row.status) == (new.id, 1, "confirmed")
        assert (row.order_item.unit_price, row.order_item.price_source) == (5000, "override")
        assert row.order_item.policy == policy
        assert mine.entries == [9600, 400]
        assert letters() == [("booking_changed", 1)]
        # And back again, which is cheaper.
        move(mine.door, mine.id, old.id, seen=1, seen_price=4800, now=NOW)
        assert mine.entries == [9600, 400, -400]
        assert letters()[-1] == ("booking_changed", 2)

    def test_m7_if_the_new_place_goes_the_old_one_is_kept(self):
        _, old, new = self.pair()
        mine = booked(old, guests=2)
        booked(new, email="c@d.example")
        assert refused(move, mine.door, mine.id, new.id).code == "places_left"
        assert (taken(old), taken(new)) == ((2, 1), (1, 1))
        assert (mine.row.session_id, mine.row.sequence, mine.entries[0]) == (old.id, 0, 9600)

    def test_m7_the_old_cut_off_and_the_new_window_both_hold(self):
        kind, old, new = self.pair(
            customer_cancellation_min_duration="P1D", min_advance_bookings_interval="P2D"
        )
        early = make_session(kind, local_start="2026-06-06T09:00")
        mine = booked(old)
        # The new session's window: two days before, to the second.
        shut = dt.datetime(2026, 6, 4, 8, 0, tzinfo=dt.UTC)
        assert refused(move, mine.door, mine.id, early.id, now=NOW).code == "window_closed"
        move(mine.door, mine.id, early.id, now=shut)
        move(mine.door, mine.id, new.id, now=shut)
        move(mine.door, mine.id, old.id, now=shut)
        assert (
            refused(move, mine.door, mine.id, early.id, now=shut + SECOND).code == "window_closed"
        )
        # The old one's cut-off.
        cut = dt.datetime(2026, 6, 11, 17, 0, tzinfo=dt.UTC)
        later = make_session(kind, local_start="2026-06-20T09:00")
        assert refused(move, mine.door, mine.id, later.id, now=cut + SECOND).code == "too_late"
        move(mine.door, mine.id, later.id, now=cut)
        # The policy stays that of the booking, counted from the new start.
        cut = dt.datetime(2026, 6, 19, 8, 0, tzinfo=dt.UTC)
        assert refused(cancel, mine.door, mine.id, now=cut + SECOND).code == "too_late"

    def test_a_price_that_has_changed_is_asked_again(self):
        _, old, new = self.pair()
        mine = booked(old)
        make_rule(fetch(SessionType, old.session_type_id), price=6000, position=-1)
        assert refused(move, mine.door, mine.id, new.id, seen_price=4800).code == "price_changed"
        assert mine.row.session_id == old.id
        move(mine.door, mine.id, new.id, seen_price=6000, now=NOW)
        assert mine.balance == 6000

    def test_the_one_who_booked_pays_their_own_price_whoever_presses(self):
        kind, old, new = self.pair()
        account = make_account()
        member = make_member(kind.organisation_id, account)
        make_rule(kind, price=4000, position=-1, membership_type_ids=[member.id])
        secret = make_order(old, account_id=account.id)
        mine = Booked(secret)
        target = find_target(mine.door, find_standing(mine.door, mine.id, now=NOW), new.id, now=NOW)
        assert target.unit_price == 4000
        desk = find_target(mine.desk, find_standing(mine.desk, mine.id, now=NOW), new.id, now=NOW)
        assert desk.unit_price == 4000

    def test_max_bookings_per_member_holds_on_the_new_date_without_counting_itself(self):
        kind, old, new = self.pair(max_bookings_per_member=1)
        account = make_account()
        make_member(kind.organisation_id, account)
        mine = Booked(make_order(old, account_id=account.id))
        other = Booked(make_order(new, account_id=account.id))
        assert refused(move, mine.door, mine.id, new.id).code == "max_bookings_per_member"
        cancel(other.door, other.id, now=NOW)
        move(mine.door, mine.id, new.id, now=NOW)
        assert mine.row.order_item.policy["as_member"] is True

    def test_c8_a_guest_with_a_members_address_is_told_nothing_of_their_bookings(self):
        kind, old, new = self.pair(max_bookings_per_member=1)
        account = make_account()
        make_member(kind.organisation_id, account)
        make_order(new, account_id=account.id)
        mine = booked(old, email=account.email)
        no = refused(move, mine.door, mine.id, new.id)
        assert no.code == "max_bookings_per_member"
        assert "already" not in no.sentence

    def test_max_baskets_of_the_new_session_holds(self):
        _, old, new = self.pair()
        fetch(Session, new.id).max_baskets = 1
        db.session.commit()
        booked(new, email="c@d.example")
        mine = booked(old)
        assert refused(move, mine.door, mine.id, new.id).code == "party_left"

    def test_another_types_or_venues_session_is_not_found(self):
        mine = booked()
        for row in (make_session(), make_session(make_type(fetch_site(mine)))):
            with pytest.raises(NotFound):
                move(mine.door, mine.id, row.id, now=NOW)

    def test_h8_two_lines_of_an_order_never_meet_in_one_session(self):
        _, old, new = self.pair()
        mine = Booked(two_lines(old, new))
        assert refused(move, mine.door, mine.id, old.id).code == "same_session"
        assert refused(move, mine.desk, mine.id, old.id).code == "same_session"
        assert refused(move, mine.door, mine.id, new.id).code == "same_session"

    def test_an_agreed_party_moves_although_the_type_has_changed(self):
        kind, old, new = self.pair()
        mine = booked(old, guests=2)
        changed = fetch(SessionType, kind.id)
        changed.min_guests, changed.max_guests = 3, 4
        db.session.commit()
        move(mine.door, mine.id, new.id, now=NOW)
        assert mine.row.session_id == new.id

    def test_names_and_answers_stay_with_a_moved_booking(self):
        kind, old, new = self.pair()
        make_form(kind, Field("q", "Health?", asked_of="each_guest"))
        mine = booked(old, guests=2, people=("Ben",))
        part = find_booking_forms(mine.secret, mine.id, now=NOW).parts[1]
        save_answers(
            mine.organisation_id, mine.id, {1: {"q": ["Fine"]}}, seen={1: part.seen},
            by="booker", now=NOW,
        )  # fmt: skip
        move(mine.door, mine.id, new.id, now=NOW)
        part = find_booking_forms(mine.secret, mine.id, now=NOW).parts[1]
        assert (part.name, part.answers) == ("Ben", {"q": "Fine"})

    def test_r20_staff_move_past_windows_and_policy_but_not_past_places(self):
        kind, old, new = self.pair(
            customer_cancellation_permitted="disallowed", min_advance_bookings_interval="P1D"
        )
        mine = booked(old, guests=2)
        late = new.start_time - SECOND
        move(mine.desk, mine.id, new.id, now=late)
        assert mine.row.session_id == new.id
        full = make_session(kind, local_start="2026-06-14T10:00", capacity=1)
        assert refused(move, mine.desk, mine.id, full.id).code == "places_left"
        gone = make_session(kind, local_start="2026-06-15T10:00", deleted_at=NOW)
        assert refused(move, mine.desk, mine.id, gone.id).code == "session_live"
        assert refused(move, mine.desk, mine.id, new.id, now=new.end_time).code == "same_session"
        assert refused(move, mine.desk, mine.id, old.id, now=new.end_time).code == "started"

    def test_expired_holds_on_the_new_session_do_not_stand_in_the_way(self):
        kind, old, new = self.pair()
        mine = booked(old, guests=2)
        hold_places(
            new.organisation_id, new.id, session_type_id=kind.id, guests=2, viewer=Viewer(),
            basket_secret=None, now=NOW,
        )  # fmt: skip
        assert refused(move, mine.door, mine.id, new.id).code == "places_left"
        move(mine.door, mine.id, new.id, now=NOW + dt.timedelta(minutes=16))
        assert taken(new) == (2, 1)

    def test_only_what_this_party_can_have_is_offered_with_its_difference(self):
        kind, old, new = self.pair()
        make_session(kind, local_start="2026-06-14T10:00", capacity=1)
        make_session(kind, local_start="2026-06-15T10:00", deleted_at=NOW)
        dear = make_session(kind, local_start="2026-07-01T10:00", price=5300)
        mine = booked(old, guests=2)
        standing = find_standing(mine.door, mine.id, now=NOW)
        june = list_targets(mine.door, standing, month=None, now=NOW)
        assert [(it.session_id, it.cost.difference) for it in june.found] == [(new.id, 0)]
        assert june.months[:2] == ((2026, 6, 1), (2026, 7, 1))
        july = list_targets(mine.door, standing, month=(2026, 7), now=NOW)
        assert [(it.session_id, it.cost.difference) for it in july.found] == [(dear.id, 1000)]
        assert list_targets(mine.door, standing, month=(2020, 1), now=NOW).month == (2026, 6)

    def test_r30_a_link_only_booking_can_move_within_its_type(self):
        kind, old, new = self.pair()
        mine = booked(old)
        fetch(SessionType, kind.id).visibility = "link_only"
        db.session.commit()
        move(mine.door, mine.id, new.id, now=NOW)
        assert mine.row.session_id == new.id


def fetch_site(mine):
    return mine.order.site


class TestGivingUp:
    LATE = dt.datetime(2026, 6, 12, 9, 0, tzinfo=dt.UTC)

    def late(self, **given):
        kind = make_type(customer_cancellation_min_duration="P1D", **given)
        row = make_session(kind, waitlist_enabled=True)
        return row, booked(row, guests=3)

    def test_places_stay_the_customers_until_somebody_takes_them(self):
        row, mine = self.late()
        assert refused(release_places, mine.door, mine.id, 3).code == "can_cancel"
        release_places(mine.door, mine.id, 3, now=self.LATE)
        release_places(mine.door, mine.id, 3, now=self.LATE)
        assert (mine.row.released_places, taken(row), mine.balance) == (3, (3, 1), 14400)
        assert mine.row.cancelled_at is None
        assert letters() == []
        take_back(mine.door, mine.id, now=self.LATE)
        assert mine.row.released_places == 0
        with pytest.raises(ChangedSince):
            take_back(mine.door, mine.id, now=self.LATE)

    def test_only_where_somebody_can_wait_and_before_it_starts(self):
        row, mine = self.late()
        assert refused(release_places, mine.door, mine.id, 3, now=row.start_time).code == "started"
        fetch(Session, row.id).waitlist_enabled = False
        db.session.commit()
        no = refused(release_places, mine.door, mine.id, 3, now=self.LATE)
        assert no.code == "no_waiting_list"
        for never in ("disallowed", "unpaid"):
            kind = make_type(customer_cancellation_permitted=never, waitlist_enabled=True)
            other = booked(make_session(kind))
            other.pay(4800)
            assert why_no_release(find_standing(other.door, other.id, now=NOW)) is None

    def test_a_part_leaves_an_agreed_party(self):
        _, mine = self.late(min_guests=2)
        for wrong in (0, 2, 4, -1):
            no = refused(release_places, mine.door, mine.id, wrong, now=self.LATE)
            assert no.code == "release_size"
        release_places(mine.door, mine.id, 1, now=self.LATE)
        assert mine.row.released_places == 1

    def take(self, mine, places):
        with transaction():
            lock_sessions(mine.organisation_id, [mine.row.session_id])
            take_over_released(mine.row, places, self.LATE)

    def test_what_is_taken_brings_the_agreed_refund_by_itself(self):
        row, mine = self.late()
        mine.pay(14400)
        release_places(mine.door, mine.id, 3, now=self.LATE)
        self.take(mine, 1)
        assert (mine.row.places, mine.row.order_item.places) == (2, 2)
        assert (mine.row.released_places, mine.row.sequence) == (2, 1)
        assert (taken(row), mine.balance) == ((2, 1), -4800)
        self.take(mine, 2)
        assert (mine.row.cancelled_by, mine.order.state) == ("customer", "cancelled")
        assert (taken(row), mine.balance) == ((0, 0), -14400)
        assert letters() == [("booking_changed", 1), ("booking_cancelled", 2)]
        with pytest.raises(ChangedSince):
            take_back(mine.door, mine.id, now=self.LATE)

    def test_the_party_left_over_is_agreed_and_the_last_named_go_first(self):
        kind = make_type(
            min_guests=3, max_per_guest=1, customer_cancellation_permitted="disallowed"
        )
        row = make_session(kind, waitlist_enabled=True)
        mine = booked(row, guests=3, people=("Ben", "Cleo"))
        release_places(mine.door, mine.id, 3, now=NOW)
        self.take(mine, 1)
        assert [guest.name for guest in mine.row.guests] == ["Ana Reyes", "Ben"]
        assert mine.row.order_item.policy["min_guests"] == 2

    def test_fewer_places_are_never_released_than_booked(self):
        _, mine = self.late()
        release_places(mine.door, mine.id, 3, now=self.LATE)
        cancel_guests(mine.desk, mine.id, number=1, now=self.LATE)
        assert (mine.row.places, mine.row.released_places) == (2, 2)
        cancel_for_staff(mine.organisation_id, mine.site_id, mine.id, reason="Ill", now=self.LATE)
        assert mine.row.released_places == 0


def test_m1_nothing_of_an_order_is_edited_only_added():
    row = make_session()
    mine = booked(row, guests=3)
    before = db.session.scalars(sa.select(LedgerEntry.id), execution_options=ANYWHERE).all()
    cancel_guests(mine.door, mine.id, number=1, now=NOW)
    cancel(mine.door, mine.id, now=NOW)
    after = db.session.scalars(
        sa.select(LedgerEntry.id).order_by(LedgerEntry.id), execution_options=ANYWHERE
    ).all()
    assert after[0] == before[0]
    assert len(after) == 3
    assert db.session.scalar(sa.select(Order.state), execution_options=ANYWHERE) == "cancelled"
