"""Several sessions in one basket: guests, limits, persons, what goes with them."""

import datetime as dt

import pytest
import sqlalchemy as sa
from factories import (
    ANYWHERE,
    NOW,
    fetch,
    make_account,
    make_customer,
    make_member,
    make_rule,
    make_session,
    make_site,
    make_staff,
    make_type,
)

from domain.eligibility import Viewer
from domain.errors import BasketChanged, HoldExpired, NotBookable, NotFound, RuleBroken, WrongState
from models import Account, Guest, LedgerEntry, Membership, Session, SessionBooking, db
from services.accounts import viewer_of
from services.basket import change_guests, find_basket, hold_places, rebuild_basket, review_basket
from services.cancelling import cancel_for_staff
from services.checkout import confirm_order, find_order
from services.desk import set_check_in
from services.doctor import examine
from services.facts import venue_of
from services.lines import live_lines
from services.related import suggest_cross_sell, suggest_upsell

pytestmark = pytest.mark.usefixtures("ctx")
MINUTE = dt.timedelta(minutes=1)


def hold(row, *, guests=2, basket=None, viewer=None, account=None, now=NOW):
    return hold_places(
        row.organisation_id, row.id, session_type_id=row.session_type_id, guests=guests,
        viewer=viewer or viewer_of(row.organisation_id, account, now=now),
        basket_secret=basket, account_id=account, now=now,
    )  # fmt: skip


def confirm(row, basket, **given):
    given = {"name": "Ana Reyes", "email": "ana@example.com", "now": NOW, **given}
    return confirm_order(row.organisation_id, basket, **given)


def change(row, basket, guests, *, now=NOW, line=None):
    found = line or live_lines(find_basket(basket, now=NOW), now=NOW)[0].id
    change_guests(row.organisation_id, basket, found, guests=guests, viewer=Viewer(), now=now)


def taken(row):
    found = fetch(Session, row.id)
    assert examine() == []
    return found.places_taken, found.parties_taken


class TestGuestsOfALine:
    def test_taking_out_a_guest_frees_the_place_at_once(self):
        row = make_session(capacity=3)
        basket = hold(row, guests=3)
        change(row, basket, 1)
        assert taken(row) == (1, 1)
        assert hold(row, guests=2)

    def test_h2_more_guests_fit_all_or_none(self):
        row = make_session(capacity=5)
        basket = hold(row, guests=2)
        hold(row, guests=2)
        change(row, basket, 3)
        assert taken(row) == (5, 2)
        with pytest.raises(NotBookable, match="This session is full") as refusal:
            change(row, basket, 4)
        assert refusal.value.code == "places_left"
        assert taken(row) == (5, 2)

    @pytest.mark.parametrize(
        ("guests", "code"), [(1, "min_guests"), (2, None), (4, None), (5, "max_guests")]
    )
    def test_min_guests_and_max_guests_hold_for_a_line_that_changes(self, guests, code):
        row = make_session(make_type(min_guests=2, max_guests=4), capacity=9)
        basket = hold(row, guests=3)
        if code is None:
            change(row, basket, guests)
            assert taken(row) == (guests, 1)
            return
        with pytest.raises(NotBookable) as refusal:
            change(row, basket, guests)
        assert refusal.value.code == code
        assert taken(row) == (3, 1)

    def test_h8_a_party_of_one_room_may_grow_in_it(self):
        row = make_session(make_type(max_baskets_per_session=1), capacity=4)
        basket = hold(row, guests=2)
        change(row, basket, 4)
        assert taken(row) == (4, 1)

    def test_p6_the_price_stays_the_one_that_was_quoted(self):
        row = make_session(make_type(price=4800))
        basket = hold(row, guests=1)
        fetch(Session, row.id).price = 9900
        db.session.commit()
        change(row, basket, 3)
        (line,) = live_lines(find_basket(basket, now=NOW), now=NOW)
        assert (line.places, line.order_item.places, line.order_item.unit_price) == (3, 3, 4800)

    def test_a_hold_that_ran_out_takes_no_more_guests(self):
        row = make_session()
        basket = hold(row, guests=2)
        with pytest.raises(HoldExpired):
            change(row, basket, 3, now=NOW + 15 * MINUTE)

    def test_a_line_of_another_basket_is_not_found(self):
        row = make_session()
        mine, other = hold(row), hold(row)
        line = live_lines(find_basket(other, now=NOW), now=NOW)[0].id
        with pytest.raises(NotFound):
            change(row, mine, 1, line=line)

    def test_a_place_freed_by_the_clock_is_there_for_one_guest_more(self):
        row = make_session(capacity=3)
        hold(row, guests=1, now=NOW - 16 * MINUTE)
        basket = hold(row, guests=2)
        change(row, basket, 3)
        assert taken(row) == (3, 1)


class TestPeople:
    def test_guests_are_named_once_and_come_to_both(self):
        kind = make_type(max_per_guest=2)
        first = make_session(kind)
        basket = hold(first)
        hold(make_session(kind, local_start="2026-06-13T18:00"), basket=basket)
        order = find_order(confirm(first, basket, people=["Jude Moss"]))
        names = [[guest.name for guest in line.guests] for line in live_lines(order, now=NOW)]
        assert names == [["Ana Reyes", "Jude Moss"]] * 2

    def test_max_per_guest_wants_other_people_for_the_second_time(self):
        kind = make_type(max_per_guest=1)
        first = make_session(kind)
        basket = hold(first)
        hold(make_session(kind, local_start="2026-06-13T18:00"), basket=basket)
        with pytest.raises(RuleBroken, match="a name for guest 3"):
            confirm(first, basket, people=["Jude Moss"])
        people = ["Jude Moss", "Ines Duarte", "Piet Jansen"]
        with pytest.raises(RuleBroken) as refusal:
            confirm(first, basket, people=people, who=[(0, 1), (1, 2)])
        assert (refusal.value.code, refusal.value.field) == ("max_per_guest", "who-1")
        order = find_order(confirm(first, basket, people=people, who=[(0, 3), (1, 2)]))
        names = [[guest.name for guest in line.guests] for line in live_lines(order, now=NOW)]
        assert names == [["Ana Reyes", "Piet Jansen"], ["Jude Moss", "Ines Duarte"]]
        assert examine() == []

    def test_who_books_need_not_come(self):
        row = make_session(make_type(max_per_guest=1))
        basket = hold(row, guests=1)
        order = find_order(confirm(row, basket, people=["Jude Moss"], who=[(1,)]))
        (guest,) = db.session.scalars(sa.select(Guest), execution_options=ANYWHERE)
        assert (guest.name, guest.email, order.name) == ("Jude Moss", "", "Ana Reyes")

    @pytest.mark.parametrize("who", [[()], [(0, 1, 2)], [(0, 9)], [(0, -1)], []])
    def test_a_forged_choice_of_people_is_refused(self, who):
        row = make_session(make_type(max_per_guest=1))
        basket = hold(row)
        with pytest.raises(RuleBroken, match="Choose 2 guests"):
            confirm(row, basket, people=["Jude Moss", "Ines"], who=who)
        assert find_basket(basket, now=NOW)


class TestConfirmAsksAgain:
    def held(self, **limits):
        kind = make_type(**limits)
        account = make_account()
        membership = make_member(kind.organisation_id, account)
        row = make_session(kind)
        return row, account, membership, hold(row, account=account.id)

    def test_a_membership_that_was_paused_meanwhile_no_longer_lets_in(self):
        row, account, _, basket = self.held(members_only=True)
        db.session.execute(sa.update(Membership).values(state="paused"), execution_options=ANYWHERE)
        db.session.commit()
        with pytest.raises(NotBookable) as refusal:
            confirm(row, basket, account_id=account.id)
        assert refusal.value.code == "member"
        review = review_basket(
            find_basket(basket, account_id=account.id, now=NOW),
            viewer_of(row.organisation_id, account.id, now=NOW),
            now=NOW,
        )
        assert list(review.refusals.values()) == [
            "This session is for members. Your membership doesn't cover it."
        ]

    def test_customers_only_is_asked_of_whoever_confirms(self):
        row, account, _, _ = self.held(customers_only=True)
        basket = hold(row, viewer=Viewer(is_signed_in=True))
        with pytest.raises(NotBookable) as refusal:
            confirm(row, basket)
        assert refusal.value.code == "signed_in"
        assert confirm(row, basket, account_id=account.id)

    def test_a_basket_is_nobody_elses_than_the_account_that_held_it(self):
        row, account, _, basket = self.held()
        other = make_account("jude@example.com")
        for somebody in (None, other.id):
            assert find_basket(basket, account_id=somebody, now=NOW) is None
            with pytest.raises(NotFound):
                confirm(row, basket, account_id=somebody)
        assert hold(row, basket=basket) != basket
        assert confirm(row, basket, account_id=account.id)

    def test_p9_what_was_not_shown_is_not_confirmed(self):
        row = make_session()
        basket = hold(row, guests=1)
        mark = review_basket(find_basket(basket, now=NOW), Viewer(), now=NOW).mark
        change(row, basket, 2)
        with pytest.raises(BasketChanged):
            confirm(row, basket, seen=mark)
        assert taken(row) == (2, 1)
        mark = review_basket(find_basket(basket, now=NOW), Viewer(), now=NOW).mark
        assert confirm(row, basket, seen=mark) == confirm(row, basket, seen="another")

    def test_an_account_closed_meanwhile_books_on_as_a_guest(self):
        row = make_session()
        account = make_account()
        basket = hold(row, account=account.id)
        db.session.delete(fetch(Account, account.id))
        db.session.commit()
        order = find_order(confirm(row, basket, account_id=account.id))
        assert order.customer.account_id is None

    def test_a_type_archived_while_its_places_are_held_is_not_sold(self):
        row, account, _, basket = self.held()
        row.session_type.deleted_at = NOW
        db.session.commit()
        with pytest.raises(NotBookable) as refusal:
            confirm(row, basket, account_id=account.id)
        assert refusal.value.code == "type_live"

    def test_of_several_lines_the_refused_one_is_named(self):
        site = make_site()
        row = make_session(make_type(site, name="Sauna"))
        gone = make_session(make_type(site, name="Steam"), local_start="2026-06-13T18:00")
        basket = hold(row)
        hold(gone, basket=basket)
        fetch(Session, gone.id).deleted_at = NOW
        db.session.commit()
        with pytest.raises(NotBookable, match=r"^Steam: The venue has cancelled"):
            confirm(row, basket)


class TestOnePerson:
    """Limits are counted across guest and signed-in bookings of one person (C8)."""

    def member(self):
        kind = make_type(max_bookings_per_member=1)
        account = make_account()
        make_member(kind.organisation_id, account)
        return make_session(kind), account

    def test_a_members_booking_as_a_guest_counts_and_is_limited(self):
        row, account = self.member()
        confirm(row, hold(row, guests=1))
        with pytest.raises(NotBookable) as refusal:
            hold(row, guests=1, account=account.id)
        assert refusal.value.code == "max_bookings_per_member"
        with pytest.raises(NotBookable, match="limit for each person") as refusal:
            confirm(row, hold(row, guests=1), email="ANA@Example.com ")
        assert refusal.value.code == "max_bookings_per_member"
        assert examine() == []

    def test_two_baskets_of_one_member_sell_one(self):
        row, account = self.member()
        first = hold(row, guests=1, account=account.id)
        second = hold(row, guests=1, account=account.id)
        confirm(row, first, account_id=account.id)
        with pytest.raises(NotBookable) as refusal:
            confirm(row, second, account_id=account.id)
        assert refusal.value.code == "max_bookings_per_member"

    def test_another_persons_bookings_do_not_count(self):
        row, account = self.member()
        confirm(row, hold(row, guests=1), email="jude@example.com")
        assert confirm(row, hold(row, guests=1, account=account.id), account_id=account.id)

    def test_a_member_by_a_row_of_the_staff_is_limited_as_a_guest_too(self):
        kind = make_type(max_bookings_per_member=1)
        make_member(kind.organisation_id, make_account("other@example.com"))
        customer = make_customer(kind.organisation_id, email="ana@example.com")
        held = db.session.scalars(sa.select(Membership), execution_options=ANYWHERE).one()
        held.customer_id = customer.id
        db.session.commit()
        row = make_session(kind)
        confirm(row, hold(row, guests=1))
        with pytest.raises(NotBookable, match="limit for each person"):
            confirm(row, hold(row, guests=1))


class TestSuggestions:
    def shop(self, **limits):
        site = make_site()
        massage = make_type(site, name="Massage", slug="massage", price=9500, **limits)
        ref = [{"offering_type": "session", "offering_id": massage.id}]
        bath = make_type(site, name="Bath", cross_sell_offerings=ref, upsell_offerings=ref)
        return site, massage, make_session(bath, local_start="2026-06-12T18:00")

    def suggested(self, site, row, *, guests=2, suggest=suggest_cross_sell, viewer=None):
        basket = hold(row, guests=guests)
        order = find_basket(basket, now=NOW)
        return suggest(
            venue_of(site), order, live_lines(order, now=NOW), viewer=viewer or Viewer(), now=NOW
        )

    def test_the_same_day_beside_the_visit_comes_first(self):
        site, massage, row = self.shop(max_guests=1)
        make_session(massage, local_start="2026-06-12T19:00")
        beside = make_session(massage, local_start="2026-06-12T20:00")
        make_session(massage, local_start="2026-06-13T09:00")
        (one,) = self.suggested(site, row)
        assert (one.session_id, one.guests, one.unit_price) == (beside.id, 1, 9500)
        assert one.is_same_day

    @pytest.mark.parametrize(
        "limits",
        [
            {"members_only": True},
            {"customers_only": True},
            {"offered_online": False},
            {"visibility": "link_only"},
            {"visibility": "private"},
            {"deleted_at": NOW},
            {"max_advance_bookings_interval": "P1D"},
            {"min_guests": 20, "max_guests": 30},
        ],
    )
    def test_what_cannot_be_booked_is_never_offered(self, limits):
        site, massage, row = self.shop(**limits)
        make_session(massage, local_start="2026-06-12T20:00")
        assert self.suggested(site, row) == []

    @pytest.mark.parametrize(
        "slot",
        [{"capacity": 1, "places_taken": 1}, {"deleted_at": NOW}, {"capacity": 1}],
    )
    def test_full_cancelled_and_too_small_sessions_are_not_offered(self, slot):
        site, massage, row = self.shop()
        make_session(massage, local_start="2026-06-12T20:00", **slot)
        assert self.suggested(site, row) == []

    def test_what_is_in_the_basket_or_of_another_site_is_not_offered(self):
        site, massage, row = self.shop()
        inside = make_session(massage, local_start="2026-06-12T20:00")
        basket = hold(row)
        hold(inside, basket=basket)
        order = find_basket(basket, now=NOW)
        lines = live_lines(order, now=NOW)
        assert suggest_cross_sell(venue_of(site), order, lines, viewer=Viewer(), now=NOW) == []
        elsewhere = make_site()
        assert suggest_cross_sell(
            venue_of(elsewhere), order, lines[:1], viewer=Viewer(), now=NOW
        ) == []  # fmt: skip

    def test_after_booking_the_types_own_next_offers_stand(self):
        site, massage, row = self.shop()
        make_session(massage, local_start="2026-06-20T20:00")
        order = find_order(confirm(row, hold(row)))
        lines = live_lines(order, now=NOW)
        (one,) = suggest_upsell(venue_of(site), order, lines, viewer=Viewer(), now=NOW)
        assert (one.name, one.is_same_day) == ("Massage", False)


class TestCancelledByStaff:
    def sold(self):
        site = make_site()
        first = make_session(make_type(site, price=4800), capacity=3)
        second = make_session(make_type(site, price=0), local_start="2026-06-13T10:00")
        basket = hold(first)
        hold(second, basket=basket)
        return site, first, second, find_order(confirm(first, basket))

    def cancel(self, site, line, **given):
        return cancel_for_staff(
            site.organisation_id, given.pop("site_id", site.id), line.id, reason="Boiler", now=NOW
        )

    def test_places_and_charge_come_back_and_the_other_line_stays(self):
        site, first, second, order = self.sold()
        line = next(one for one in live_lines(order, now=NOW) if one.session_id == first.id)
        assert self.cancel(site, line) == first.id
        assert taken(first) == (0, 0)
        assert taken(second) == (2, 1)
        found = find_order(order.secret)
        assert found.state == "confirmed"
        assert sum(entry.amount for entry in found.ledger) == 0
        ended = fetch(SessionBooking, line.id)
        assert (ended.cancelled_by, ended.cancel_reason, ended.status) == (
            "staff", "Boiler", "confirmed",
        )  # fmt: skip

    def test_repeating_changes_nothing_and_the_last_line_ends_the_order(self):
        site, first, _, order = self.sold()
        for line in live_lines(order, now=NOW):
            self.cancel(site, line)
            self.cancel(site, line)
        assert find_order(order.secret).state == "cancelled"
        assert taken(first) == (0, 0)
        entries = db.session.scalars(sa.select(LedgerEntry.amount), execution_options=ANYWHERE)
        assert sorted(entries) == [-9600, 9600]

    def test_who_is_here_is_not_cancelled(self):
        site, _, _, order = self.sold()
        line = live_lines(order, now=NOW)[0]
        set_check_in(site.organisation_id, site.id, line.id, arrived=True, now=NOW)
        with pytest.raises(WrongState, match="here already"):
            self.cancel(site, line)

    def test_d1_another_sites_booking_is_not_found(self):
        site, _, _, order = self.sold()
        with pytest.raises(NotFound):
            self.cancel(site, live_lines(order, now=NOW)[0], site_id=make_site().id)


def test_a_basket_is_rebuilt_with_every_line_that_still_fits():
    site = make_site()
    first = make_session(make_type(site, name="Bath"), capacity=2)
    second = make_session(make_type(site, name="Sauna"), local_start="2026-06-13T18:00")
    basket = hold(first)
    hold(second, basket=basket)
    later = NOW + 15 * MINUTE
    hold(first, now=later)
    fetch(Session, second.id).price = 9900
    db.session.commit()
    told = rebuild_basket(site.organisation_id, basket, viewer=Viewer(), now=later)
    assert [(line.name, line.is_held, line.price_changed) for line in told] == [
        ("Bath", False, False),
        ("Sauna", True, True),
    ]


def test_p8_the_currency_of_a_basket_is_that_of_its_first_line():
    site = make_site()
    yen = make_session(make_type(site, currency="JPY", price=1500))
    pound = make_session(make_type(site), local_start="2026-06-13T18:00")
    basket = hold(yen)
    assert find_basket(basket, now=NOW).currency == "JPY"
    with pytest.raises(NotBookable, match="basket is in JPY") as refusal:
        hold(pound, basket=basket)
    assert refusal.value.code == "same_currency"


def test_every_line_carries_the_limits_that_were_agreed():
    site = make_site()
    kind = make_type(site, max_per_basket=2, max_guests=4, max_bookings_per_member=3)
    make_rule(kind, price=100, position=9)
    make_staff(site)
    row = make_session(kind)
    order = find_order(confirm(row, hold(row)))
    (line,) = live_lines(order, now=NOW)
    policy = line.order_item.policy
    assert (policy["max_per_basket"], policy["max_guests"]) == (2, 4)
    kind.max_guests = 1
    db.session.commit()
    assert examine() == []
