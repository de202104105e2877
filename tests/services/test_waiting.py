"""Waiting: in order, offered once, told why, and every freed place wakes the list (W1-W5, H10)."""

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
)

from domain.eligibility import Viewer
from domain.errors import KeyReused, NotBookable, NotFound, RuleBroken, WrongState
from domain.intake import Field
from domain.waiting import BY_HAND, AlreadyWaiting, NoWaitlist, OfferOver, StillFree
from models import (
    Account,
    Job,
    LedgerEntry,
    Order,
    PriceRule,
    Session,
    SessionBooking,
    SessionType,
    db,
    transaction,
)
from services.account_closing import close_account
from services.account_joining import join_guest_bookings
from services.accounts import viewer_of
from services.basket import change_guests, drop_line, find_basket, hold_places, rebuild_basket
from services.cancelling import cancel_for_staff
from services.changing import door_of_order
from services.checkout import book_for_staff, confirm_order, find_order
from services.desk import set_check_in
from services.doctor import examine
from services.giving_up import release_places
from services.lines import live_lines
from services.places import lock_sessions
from services.waiting import (
    OVERLAPS,
    accept,
    close_waiting,
    decline,
    join,
    leave,
    offer_by_hand,
    release_expired_holds,
    remove_entry,
    wake,
)
from services.waitlists import (
    count_waiting,
    find_standing,
    list_own_waiting,
    list_waiting,
)
from services.waking import find_forgotten, wake_forgotten

pytestmark = pytest.mark.usefixtures("ctx")

MINUTE = dt.timedelta(minutes=1)
OFFER = 120 * MINUTE


class Full:
    """A session of so many places, all sold, with a list; what people do with it."""

    def __init__(self, capacity: int = 2, *, parties: tuple[int, ...] = (), **kind) -> None:
        self.site = make_site(**kind.pop("site", {}))
        session = kind.pop("session", {})
        self.kind = make_type(self.site, **{"waitlist_enabled": True, **kind})
        self.row = make_session(self.kind, capacity=capacity, **session)
        self.organisation_id = self.row.organisation_id
        self.sold = [
            make_order(self.row, guests=guests, email=f"sold{n}@example.com")
            for n, guests in enumerate(parties or (1,) * capacity)
        ]

    def join(self, who: str, guests: int = 1, *, now: dt.datetime = NOW, **given) -> str:
        values = {"name": who.title(), "email": f"{who}@example.com", **given}
        row_id = values.pop("session_id", self.row.id)
        return join(self.organisation_id, row_id, guests=guests, now=now, **values)

    def hold(self, guests: int = 1, *, now: dt.datetime = NOW, basket: str | None = None) -> str:
        return hold_places(
            self.organisation_id,
            self.row.id,
            session_type_id=self.kind.id,
            guests=guests,
            viewer=Viewer(),
            basket_secret=basket,
            now=now,
        )

    def cancel(self, number: int = 0, *, now: dt.datetime = NOW) -> None:
        line = find_order(self.sold[number]).items[0].booking
        cancel_for_staff(self.organisation_id, self.site.id, line.id, reason="Ill", now=now)


def entry_of(secret: str) -> SessionBooking:
    return db.session.scalar(
        sa.select(SessionBooking)
        .join(Order, SessionBooking.order_id == Order.id)
        .where(Order.secret == secret)
        .execution_options(populate_existing=True),
        execution_options=ANYWHERE,
    )


def state(secret: str, now: dt.datetime = NOW) -> str:
    db.session.expire_all()
    return find_standing(secret, now=now).state


def mails(letter: str) -> list[str]:
    """The booking ids that letters of this name are about."""
    rows = db.session.scalars(sa.select(Job).order_by(Job.id), execution_options=ANYWHERE)
    return [row.payload["booking"] for row in rows if row.payload["letter"] == letter]


def taken(full: Full) -> tuple[int, int]:
    row = fetch(Session, full.row.id)
    return row.places_taken, row.parties_taken


@pytest.fixture(autouse=True)
def sound_afterwards(ctx):
    """Whatever a test did, the books are right and no free place is forgotten."""
    yield
    db.session.rollback()
    db.session.expire_all()
    assert examine() == []


# Joining


def test_a_party_joins_at_the_end_and_is_told(ctx):
    full = Full(2)
    ana, ben = full.join("ana"), full.join("ben", 2, now=NOW + MINUTE)
    entry = entry_of(ana)
    assert (entry.status, entry.places, entry.waiting_since) == ("waitlisted", 1, NOW)
    assert fetch(Order, entry.order_id).state == "waiting"
    assert mails("waiting_joined") == [entry.id, entry_of(ben).id]
    first, second = (find_standing(secret, now=NOW) for secret in (ana, ben))
    assert (first.position, first.of, second.position) == (1, 2, 2)


def test_h8_a_waiting_entry_takes_no_place_and_is_no_party(ctx):
    full = Full(2, max_baskets_per_session=2)
    before = taken(full)
    full.join("ana")
    assert taken(full) == before == (2, 2)


def test_only_a_full_session_takes_who_waits(ctx):
    full = Full(2, parties=(1,))
    with pytest.raises(StillFree):
        full.join("ana")
    # Two don't fit, though one would.
    assert state(full.join("ana", 2)) == "waiting"


def test_full_by_parties_is_full(ctx):
    full = Full(5, parties=(1,), max_baskets_per_session=1)
    assert state(full.join("ana")) == "waiting"
    full.cancel()
    assert taken(full) == (1, 1)


def test_without_a_list_nobody_joins(ctx):
    with pytest.raises(NoWaitlist):
        Full(1, waitlist_enabled=False).join("ana")


@pytest.mark.parametrize(
    ("kind", "guests", "code"),
    [
        ({"members_only": True}, 1, "member"),
        ({"customers_only": True}, 1, "signed_in"),
        ({"max_guests": 2}, 3, "max_guests"),
        ({"max_advance_bookings_interval": "P2D"}, 1, "window_open"),
        ({"min_advance_bookings_interval": "P20D"}, 1, "window_closed"),
        ({"offered_online": False}, 1, "offered_online"),
        ({"visibility": "private"}, 1, "visible"),
        ({"price": None}, 1, "priced"),
        ({}, 3, "places_left"),
    ],
)
def test_w3_everything_but_room_is_asked_when_joining(ctx, kind, guests, code):
    site = make_site()
    row = make_session(make_type(site, waitlist_enabled=True, **kind), capacity=2)
    with transaction():
        fetch(Session, row.id).places_taken = 0
    with pytest.raises(NotBookable) as refused:
        join(row.organisation_id, row.id, guests=guests, name="A", email="a@example.com", now=NOW)
    assert refused.value.code == code


def test_one_person_waits_once_for_a_session(ctx):
    full = Full(1)
    secret = full.join("ana")
    with pytest.raises(AlreadyWaiting):
        full.join("ana", name="Somebody", email="ANA@example.com")
    leave(secret, now=NOW)
    assert find_standing(full.join("ana"), now=NOW).position == 1


def test_an_account_and_a_guest_with_its_address_are_one_person(ctx):
    full = Full(1)
    account = make_account("ana@example.com")
    full.join("ana", account_id=account.id)
    with pytest.raises(AlreadyWaiting):
        full.join("ana")
    assert [one.position for one in list_own_waiting(account.id, now=NOW)] == [1]


def test_h6_the_same_form_twice_is_one_entry(ctx):
    full = Full(1)
    first = full.join("ana", key="k")
    assert full.join("ana", key="k") == first
    with pytest.raises(KeyReused):
        full.join("ben", key="k")
    assert count_waiting(full.organisation_id, full.row.id) == 1


def test_a_foreign_session_is_not_found(ctx):
    other = Full(1)
    with pytest.raises(NotFound):
        join(
            Full(1).organisation_id, other.row.id, guests=1, name="A", email="a@b.example", now=NOW
        )


# Order, offers and deadlines


def test_w1_the_first_party_that_fits_is_offered_the_place_and_the_others_keep_theirs(ctx):
    full = Full(2)
    three, one, later = full.join("a", 2), full.join("b"), full.join("c")
    full.cancel(0)
    assert [state(secret) for secret in (three, one, later)] == ["waiting", "offered", "waiting"]
    assert [find_standing(secret, now=NOW).position for secret in (three, later)] == [1, 3]
    skipped = entry_of(three)
    assert skipped.skip_reason == "Needs 2 places, 1 is free."
    assert skipped.skipped_at == NOW
    assert entry_of(later).skip_reason == ""


def test_h1_an_open_offer_holds_its_places_and_the_shop_is_full(ctx):
    full = Full(1)
    full.join("ana")
    full.cancel()
    assert taken(full) == (1, 1)
    with pytest.raises(NotBookable, match="full"):
        full.hold()


def test_w1_a_visitor_never_jumps_the_queue_over_a_hold_that_ran_out(ctx):
    full = Full(2, parties=(1,))
    full.hold()
    waiting = full.join("ana")
    later = NOW + 15 * MINUTE
    with pytest.raises(NotBookable):
        full.hold(now=later)
    release_expired_holds(later)
    assert state(waiting, later) == "offered"


def test_w1_a_visitor_may_book_what_fits_nobody_who_waits(ctx):
    full = Full(2)
    waiting = full.join("ana", 2)
    full.cancel()
    full.hold()
    assert state(waiting) == "waiting"
    assert taken(full) == (2, 2)


def test_w2_an_offer_lasts_as_long_as_the_site_says_and_ends_to_the_second(ctx):
    full = Full(1, site={"offer_minutes": 30})
    first, second = full.join("ana"), full.join("ben")
    full.cancel()
    ends = NOW + 30 * MINUTE
    assert entry_of(first).expires_at == ends
    assert release_expired_holds(ends - dt.timedelta(seconds=1)) == 0
    assert state(first, ends - dt.timedelta(seconds=1)) == "offered"
    assert state(first, ends) == "missed", "even before the worker has come by"
    assert release_expired_holds(ends) == 1
    assert (state(first, ends), state(second, ends)) == ("missed", "offered")
    assert entry_of(second).expires_at == ends + 30 * MINUTE
    assert mails("waiting_missed") == [entry_of(first).id]
    assert entry_of(first).cancelled_by == "expired"


def test_w2_the_deadline_is_the_booking_cut_off_where_that_is_sooner(ctx):
    full = Full(1, min_advance_bookings_interval="PT3H")
    secret = full.join("ana")
    cut_off = full.row.start_time - dt.timedelta(hours=3)
    full.cancel(now=cut_off - 10 * MINUTE)
    assert entry_of(secret).expires_at == cut_off


def test_w2_after_the_cut_off_nobody_is_offered_anything(ctx):
    full = Full(1, min_advance_bookings_interval="PT3H")
    secret = full.join("ana")
    full.cancel(now=full.row.start_time - dt.timedelta(hours=3))
    entry = entry_of(secret)
    assert entry.offered_at is None
    assert entry.skip_reason == "There is no time left to answer an offer."
    assert mails("waiting_offer") == []


def test_w2_the_start_ends_offers_too(ctx):
    full = Full(1)
    secret = full.join("ana")
    full.cancel(now=full.row.start_time - MINUTE)
    assert entry_of(secret).expires_at == full.row.start_time
    release_expired_holds(full.row.start_time)
    assert state(secret, full.row.start_time) == "missed"


def test_nobody_is_offered_twice_at_once(ctx):
    full = Full(2)
    secret = full.join("ana")
    full.cancel(0)
    full.cancel(1, now=NOW + MINUTE)
    assert mails("waiting_offer") == [entry_of(secret).id]
    assert taken(full) == (1, 1)


def test_w2_declining_passes_the_place_on_and_ends_the_entry(ctx):
    full = Full(1)
    first, second = full.join("ana"), full.join("ben")
    full.cancel()
    decline(first, now=NOW + MINUTE)
    with pytest.raises(OfferOver):
        decline(first, now=NOW + MINUTE)
    assert (state(first), state(second)) == ("left", "offered")
    again = full.join("ana", now=NOW + 2 * MINUTE)
    assert find_standing(again, now=NOW).position == 2


def test_w4_leaving_is_one_press_and_repeats_without_harm(ctx):
    full = Full(1)
    first, second = full.join("ana"), full.join("ben")
    leave(first, now=NOW)
    leave(first, now=NOW)
    assert state(first) == "left"
    assert find_standing(second, now=NOW).position == 1
    assert taken(full) == (1, 1)


# Accepting


def test_w2_accepting_makes_one_booking_with_one_charge(ctx):
    full = Full(2, parties=(2,))
    secret = full.join("ana", 2)
    full.cancel()
    assert accept(secret, now=NOW + MINUTE) == secret
    assert accept(secret, now=NOW + MINUTE) == secret
    order = find_order(secret)
    line = order.items[0].booking
    assert (order.state, line.status, line.expires_at) == ("confirmed", "confirmed", None)
    assert [entry.amount for entry in order.ledger] == [2 * 4800]
    assert taken(full) == (2, 1)
    with pytest.raises(WrongState):
        leave(secret, now=NOW + MINUTE)


def test_w3_the_price_is_the_one_quoted_in_the_offer(ctx):
    full = Full(1)
    secret = full.join("ana")
    rule = db.session.scalars(sa.select(PriceRule), execution_options=ANYWHERE).one()
    with transaction():
        fetch(PriceRule, rule.id).price = 5000
    full.cancel()
    assert find_standing(secret, now=NOW).total == 5000
    with transaction():
        fetch(PriceRule, rule.id).price = 9900
    accept(secret, now=NOW + MINUTE)
    charges = db.session.scalars(
        sa.select(LedgerEntry.amount).join(Order).where(Order.secret == secret),
        execution_options=ANYWHERE,
    ).all()
    assert charges == [5000]


def test_w3_a_members_price_is_quoted_to_a_member(ctx):
    full = Full(1)
    account = make_account()
    river = make_member(full.organisation_id, account)
    make_rule(full.kind, price=3000, position=-1, membership_type_ids=[river.id])
    secret = full.join("ana", account_id=account.id)
    full.cancel()
    assert find_standing(secret, now=NOW).total == 3000


def test_w3_eligibility_is_asked_again_at_acceptance(ctx):
    full = Full(1)
    secret = full.join("ana")
    full.cancel()
    with transaction():
        fetch(SessionType, full.kind.id).members_only = True
    with pytest.raises(NotBookable) as refused:
        accept(secret, now=NOW + MINUTE)
    assert refused.value.code == "member"
    assert state(secret) == "offered"


def test_w3_limits_are_asked_again_at_acceptance_and_count_only_what_is_confirmed(ctx):
    full = Full(2, max_bookings_per_member=1)
    account = make_account("ana@example.com")
    make_member(full.organisation_id, account)
    secret = full.join("ana", account_id=account.id)
    full.cancel(0)
    # Meanwhile she books another place of it at the desk of a friend: with her address.
    full.cancel(1)
    viewer = viewer_of(full.organisation_id, account.id, now=NOW)
    basket = hold_places(
        full.organisation_id, full.row.id, session_type_id=full.kind.id, guests=1,
        viewer=viewer, basket_secret=None, account_id=account.id, now=NOW,
    )  # fmt: skip
    confirm_order(
        full.organisation_id, basket, name="Ana", email="ana@example.com",
        account_id=account.id, now=NOW,
    )  # fmt: skip
    with pytest.raises(NotBookable) as refused:
        accept(secret, account_id=account.id, now=NOW + MINUTE)
    assert refused.value.code == "max_bookings_per_member"


def test_w3_the_wake_passes_over_who_may_no_longer_book(ctx):
    full = Full(1, members_only=False)
    account = make_account("mia@example.com", "Mia")
    make_member(full.organisation_id, account)
    guest, member = full.join("ana"), full.join("mia", account_id=account.id)
    with transaction():
        fetch(SessionType, full.kind.id).members_only = True
    full.cancel()
    assert (state(guest), state(member)) == ("waiting", "offered")
    assert entry_of(guest).skip_reason == "This session is for members. Sign in if you are one."


@pytest.mark.parametrize("late", [0, 1])
def test_an_offer_that_ran_out_is_not_accepted(ctx, late):
    full = Full(1)
    secret = full.join("ana")
    full.cancel()
    ends = NOW + OFFER
    if late:
        release_expired_holds(ends)
    with pytest.raises(OfferOver, match="run out"):
        accept(secret, now=ends)
    release_expired_holds(ends)
    assert taken(full) == (0, 0)


def test_an_offer_is_accepted_in_its_last_second(ctx):
    full = Full(1)
    secret = full.join("ana")
    full.cancel()
    accept(secret, now=NOW + OFFER - dt.timedelta(seconds=1))
    assert state(secret) == "booked"


def test_without_an_offer_nothing_is_accepted(ctx):
    full = Full(1)
    secret = full.join("ana")
    with pytest.raises(OfferOver, match="still on the waitlist"):
        accept(secret, now=NOW)
    leave(secret, now=NOW)
    with pytest.raises(OfferOver, match="left"):
        accept(secret, now=NOW)
    with pytest.raises(NotFound):
        accept("nonsense", now=NOW)


def test_guests_are_named_where_the_type_asks_and_forms_go_with_the_booking(ctx):
    full = Full(2, parties=(2,))
    make_form(
        full.kind, Field(id="allergies", label="Allergies", kind="text", asked_of="each_guest")
    )
    secret = full.join("ana", 2)
    full.cancel()
    with pytest.raises(RuleBroken) as refused:
        accept(secret, now=NOW)
    assert refused.value.field == "person-1"
    assert state(secret) == "offered"
    accept(secret, people=["Ben"], now=NOW)
    line = find_order(secret).items[0].booking
    assert [guest.name for guest in line.guests] == ["Ana", "Ben"]
    assert line.intake_form_id is not None


def test_w4_accepting_withdraws_the_persons_overlapping_entries_only(ctx):
    full = Full(1)
    during = make_session(full.kind, local_start="2026-06-12T19:00", capacity=1)
    after = make_session(full.kind, local_start="2026-06-12T20:00", capacity=1)
    for row in (during, after):
        make_order(row, email="x@example.com")
    secret = full.join("ana")
    overlapping = full.join("ana", session_id=during.id)
    touching = full.join("ana", session_id=after.id)
    anothers = full.join("ben", session_id=during.id)
    full.cancel()
    accept(secret, now=NOW)
    states = [state(one) for one in (overlapping, touching, anothers)]
    assert states == ["left", "waiting", "waiting"]
    assert entry_of(overlapping).cancel_reason == OVERLAPS
    assert mails("waiting_closed") == [entry_of(overlapping).id]


def test_w4_h10_an_overlapping_offer_that_is_withdrawn_goes_to_the_next(ctx):
    full = Full(1)
    during = make_session(full.kind, local_start="2026-06-12T19:00", capacity=1)
    sold = make_order(during, email="x@example.com")
    secret = full.join("ana")
    mine, next_one = (full.join(who, session_id=during.id) for who in ("ana", "ben"))
    full.cancel()
    line = find_order(sold).items[0].booking
    cancel_for_staff(full.organisation_id, full.site.id, line.id, reason="Ill", now=NOW)
    assert state(mine) == "offered"
    accept(secret, now=NOW)
    assert (state(mine), state(next_one)) == ("left", "offered")


def test_w4_a_guest_with_an_accounts_address_withdraws_nothing_of_the_account(ctx):
    full = Full(1)
    during = make_session(full.kind, local_start="2026-06-12T19:00", capacity=1)
    make_order(during, email="x@example.com")
    account = make_account("ana@example.com")
    owners = full.join("ana", session_id=during.id, account_id=account.id)
    stranger = full.join("ana")
    full.cancel()
    accept(stranger, now=NOW)
    assert state(owners) == "waiting"


# H10: every path that frees a place


def drop(full: Full, basket: str) -> None:
    line = live_lines(find_basket(basket, now=NOW), now=NOW)[0]
    drop_line(full.organisation_id, basket, line.id, now=NOW)


def make_smaller(full: Full, basket: str) -> None:
    line = live_lines(find_basket(basket, now=NOW), now=NOW)[0]
    change_guests(
        full.organisation_id, basket, line.id, guests=1, viewer=Viewer(), now=NOW + MINUTE
    )


def hold_again_with_fewer(full: Full, basket: str) -> None:
    full.hold(1, basket=basket, now=NOW + MINUTE)


def abandon(full: Full, basket: str) -> None:
    release_expired_holds(NOW + 15 * MINUTE)


def rebuild(full: Full, basket: str) -> None:
    outcome = rebuild_basket(full.organisation_id, basket, viewer=Viewer(), now=NOW + 15 * MINUTE)
    assert [line.is_held for line in outcome] == [False], "the waiting party comes first"


def hold_elsewhere(full: Full, basket: str) -> None:
    other = make_session(full.kind, local_start="2026-06-13T18:00")
    hold_places(
        full.organisation_id, other.id, session_type_id=full.kind.id, guests=1, viewer=Viewer(),
        basket_secret=basket, now=NOW + 15 * MINUTE,
    )  # fmt: skip


FREEING = (drop, make_smaller, hold_again_with_fewer, abandon, rebuild, hold_elsewhere)


@pytest.mark.parametrize("free", FREEING, ids=lambda free: free.__name__)
def test_h10_a_place_freed_in_a_basket_wakes_the_list_at_once(ctx, free):
    full = Full(3, parties=(1,))
    basket = full.hold(2)
    secret = full.join("ana")
    free(full, basket)
    assert entry_of(secret).offered_at is not None
    assert len(mails("waiting_offer")) == 1


def test_h10_cancelling_at_the_desk_wakes_the_list(ctx):
    full = Full(1)
    secret = full.join("ana")
    full.cancel()
    assert state(secret) == "offered"


@pytest.mark.parametrize(
    ("change", "value"), [("capacity", 3), ("max_baskets", 3), ("max_baskets", None)]
)
def test_h10_more_capacity_or_parties_wake_the_list(ctx, change, value):
    full = Full(2 if change == "capacity" else 9, parties=(1, 1), session={"max_baskets": 2})
    secret = full.join("ana")
    with transaction():
        lock_sessions(full.organisation_id, [full.row.id])
        row = fetch(Session, full.row.id)
        if change == "capacity":
            row.max_baskets = None
        setattr(row, change, value)
        db.session.flush()
        assert wake(full.organisation_id, [full.row.id], now=NOW) == 1
    assert state(secret) == "offered"


def test_h10_closing_an_account_keeps_its_place_and_its_bookings(ctx):
    full = Full(1)
    account = make_account("ana@example.com")
    secret = full.join("ana", account_id=account.id)
    close_account(account.id, who="x", now=NOW)
    assert db.session.get(Account, account.id) is None
    full.cancel()
    accept(secret, now=NOW)
    assert state(secret) == "booked"


def test_h10_what_time_alone_allows_is_found_by_the_worker(ctx):
    """A place that was free for nobody who waited, until somebody became a member."""
    full = Full(1)
    secret = full.join("ana")
    with transaction():
        fetch(SessionType, full.kind.id).members_only = True
    full.cancel()
    assert state(secret) == "waiting"
    assert (find_forgotten(NOW), wake_forgotten(NOW)) == ([], 0)
    with transaction():
        fetch(SessionType, full.kind.id).members_only = False
    assert [row[1] for row in find_forgotten(NOW)] == [full.row.id]
    assert [wake_forgotten(NOW), wake_forgotten(NOW)] == [1, 0]
    assert state(secret) == "offered"


def test_a_walk_in_does_not_jump_the_queue_either(ctx):
    full = Full(2, parties=(1,))
    full.hold()
    secret = full.join("ana")
    later = NOW + 15 * MINUTE
    with pytest.raises(NotBookable):
        book_for_staff(full.organisation_id, full.row.id, name="Wim", guests=1, now=later)
    release_expired_holds(later)
    assert state(secret, later) == "offered"


def test_a_rollback_offers_nothing(ctx):
    full = Full(1)
    secret = full.join("ana")

    @transaction()
    def raise_capacity_and_fail() -> None:
        lock_sessions(full.organisation_id, [full.row.id])
        fetch(Session, full.row.id).capacity = 2
        db.session.flush()
        assert wake(full.organisation_id, [full.row.id], now=NOW) == 1
        raise RuntimeError

    with pytest.raises(RuntimeError):
        raise_capacity_and_fail()
    assert state(secret) == "waiting"
    assert mails("waiting_offer") == []


# Offers of places that another booking gives up


def released(full: Full, number: int, places: int, *, now: dt.datetime = NOW) -> SessionBooking:
    """The booking releases places, as its customer would, too late to cancel."""
    line = find_order(full.sold[number]).items[0].booking
    with transaction():
        lock_sessions(full.organisation_id, [full.row.id])
        booking = fetch(SessionBooking, line.id)
        booking.released_places = places
        booking.sequence += 1
        db.session.flush()
        wake(full.organisation_id, [full.row.id], now=now)
    return fetch(SessionBooking, line.id)


def test_a_released_place_is_offered_without_being_taken_twice(ctx):
    full = Full(2, parties=(2,))
    ana, ben, cleo = (full.join(who) for who in ("ana", "ben", "cleo"))
    booking = released(full, 0, 1)
    entry = entry_of(ana)
    assert (entry.status, entry.offered_from_id) == ("waitlisted", booking.id)
    assert taken(full) == (2, 1)
    assert [state(secret) for secret in (ana, ben, cleo)] == ["offered", "waiting", "waiting"]
    accept(ana, now=NOW + MINUTE)
    assert taken(full) == (2, 2)
    left = fetch(SessionBooking, booking.id)
    assert (left.places, left.released_places, left.cancelled_at) == (1, 0, None)
    assert [entry.amount for entry in find_order(full.sold[0]).ledger] == [2 * 4800, -4800]
    assert [entry.amount for entry in find_order(ana).ledger] == [4800]
    assert mails("booking_changed") == [booking.id]


def test_w1_who_joins_while_a_place_is_being_given_up_is_asked_at_once(ctx):
    full = Full(2, parties=(2,))
    released(full, 0, 1)
    pair, ana = full.join("pair", 2), full.join("ana")
    assert [state(secret) for secret in (pair, ana)] == ["waiting", "offered"]
    assert taken(full) == (2, 1)


def test_a_booking_released_whole_and_taken_over_is_cancelled(ctx):
    full = Full(1, max_baskets_per_session=1)
    secret = full.join("ana")
    booking = released(full, 0, 1)
    accept(secret, now=NOW + MINUTE)
    gone = fetch(SessionBooking, booking.id)
    assert (gone.cancelled_by, fetch(Order, gone.order_id).state) == ("customer", "cancelled")
    assert taken(full) == (1, 1)
    assert mails("booking_cancelled") == [booking.id]


def test_a_released_place_whose_offer_is_missed_goes_to_the_next(ctx):
    full = Full(1)
    ana, ben = full.join("ana"), full.join("ben")
    released(full, 0, 1)
    later = NOW + OFFER
    assert release_expired_holds(later) == 1
    assert (state(ana, later), state(ben, later)) == ("missed", "offered")
    assert entry_of(ben).offered_from_id is not None
    assert taken(full) == (1, 1)
    decline(ben, now=later)
    assert fetch(SessionBooking, find_order(full.sold[0]).items[0].booking.id).released_places == 1


def test_a_release_that_is_taken_back_puts_its_offer_back_into_its_place(ctx):
    full = Full(1)
    ana, ben = full.join("ana"), full.join("ben")
    released(full, 0, 1)
    released(full, 0, 0)
    assert [state(secret) for secret in (ana, ben)] == ["waiting", "waiting"]
    assert find_standing(ana, now=NOW).position == 1
    with pytest.raises(OfferOver):
        decline(ana, now=NOW)
    assert state(ana) == "waiting"
    with pytest.raises(OfferOver):
        accept(ana, now=NOW)


def test_a_releasing_booking_that_is_cancelled_frees_its_places_for_the_same_party(ctx):
    full = Full(1)
    ana = full.join("ana")
    released(full, 0, 1)
    full.cancel(0, now=NOW + MINUTE)
    entry = entry_of(ana)
    assert (entry.status, entry.offered_from_id) == ("new", None)
    assert entry.expires_at == NOW + MINUTE + OFFER
    assert taken(full) == (1, 1)


# At the desk


def lines(full: Full, now: dt.datetime = NOW):
    db.session.expire_all()
    return list_waiting(full.organisation_id, full.site.id, full.row.id, now=now).lines


def test_w5_the_desk_sees_the_order_the_offers_and_why_anyone_was_skipped(ctx):
    full = Full(2)
    for who, guests in (("ana", 2), ("ben", 1), ("cleo", 1)):
        full.join(who, guests)
    full.cancel()
    seen = [(line.position, line.name, line.state, line.skip_reason) for line in lines(full)]
    assert seen == [
        (1, "Ana", "skipped", "Needs 2 places, 1 is free."),
        (2, "Ben", "offered", ""),
        (3, "Cleo", "waiting", ""),
    ]


def test_w5_an_offer_by_hand_notes_why_the_others_were_passed_over(ctx):
    full = Full(1)
    first, second = full.join("ana"), full.join("ben")
    with transaction():
        # The place is free, and nobody was woken yet.
        fetch(Session, full.row.id).capacity = 2
    offer_by_hand(full.organisation_id, full.site.id, entry_of(second).id, now=NOW)
    assert (state(first), state(second)) == ("waiting", "offered")
    assert entry_of(first).skip_reason == BY_HAND
    with pytest.raises(WrongState, match="has an offer"):
        offer_by_hand(full.organisation_id, full.site.id, entry_of(second).id, now=NOW)
    with pytest.raises(WrongState, match="Needs 1 place, 0 are free"):
        offer_by_hand(full.organisation_id, full.site.id, entry_of(first).id, now=NOW)


def test_an_entry_taken_off_at_the_desk_passes_its_offer_on(ctx):
    full = Full(1)
    first, second = full.join("ana"), full.join("ben")
    full.cancel()
    remove_entry(full.organisation_id, full.site.id, entry_of(first).id, now=NOW)
    assert (state(first), state(second)) == ("closed", "offered")
    assert mails("waiting_closed") == [entry_of(first).id]


def test_who_booked_meanwhile_is_not_said_to_be_taken_off(ctx):
    full = Full(1)
    ana = full.join("ana")
    full.cancel()
    accept(ana, now=NOW)
    with pytest.raises(WrongState, match="they booked"):
        remove_entry(full.organisation_id, full.site.id, entry_of(ana).id, now=NOW)
    assert (state(ana), mails("waiting_closed")) == ("booked", [])


def test_an_offer_is_no_basket(ctx):
    full = Full(1)
    ana = full.join("ana")
    full.cancel()
    with pytest.raises(NotFound):
        confirm_order(full.organisation_id, ana, name="Ana", email="ana@example.com", now=NOW)
    assert state(ana) == "offered"


def test_another_sites_entry_is_not_found_at_this_desk(ctx):
    full, other = Full(1), make_site()
    entry = entry_of(full.join("ana"))
    for act in (offer_by_hand, remove_entry):
        with pytest.raises(NotFound):
            act(full.organisation_id, other.id, entry.id, now=NOW)
        with pytest.raises(NotFound):
            act(other.organisation_id, full.site.id, entry.id, now=NOW)


@pytest.mark.parametrize(("tells", "told"), [("everyone", 2), ("confirmed", 0), ("nobody", 0)])
def test_a_cancelled_session_closes_its_list_and_tells_whom_the_site_wants_told(ctx, tells, told):
    full = Full(1, site={"cancelled_session_notices": tells})
    first, second = full.join("ana"), full.join("ben")
    full.cancel()
    with transaction():
        lock_sessions(full.organisation_id, [full.row.id])
        fetch(Session, full.row.id).deleted_at = NOW
        ended = close_waiting(full.organisation_id, full.row.id, reason="Storm.", now=NOW)
    assert ended == 2
    assert (state(first), state(second)) == ("closed", "closed")
    assert taken(full) == (0, 0)
    assert len(mails("waiting_closed")) == told
    assert entry_of(first).cancel_reason == "Storm."


def test_the_doctor_finds_a_list_that_should_have_been_woken_and_a_broken_offer(ctx):
    full = Full(1)
    secret = full.join("ana")
    with transaction():
        fetch(Session, full.row.id).capacity = 2
    assert any("should have been woken" in text for text in examine(now=NOW))
    wake_forgotten(NOW)
    assert examine(now=NOW) == []
    with transaction():
        fetch(SessionBooking, entry_of(secret).id).expires_at = None
    assert any("no deadline" in text for text in examine(now=NOW))
    with transaction():
        fetch(SessionBooking, entry_of(secret).id).expires_at = NOW + OFFER


# Places given up, and people who turn out to be one


def given_up(full: Full, number: int = 0, *, now: dt.datetime = NOW) -> str:
    """The id of a sold line whose places are given to the list."""
    line_id = find_order(full.sold[number]).items[0].booking.id
    release_places(door_of_order(full.sold[number], line_id), line_id, 1, now=now)
    return line_id


def test_h10_who_joins_after_a_place_was_given_up_is_offered_it_at_once(ctx):
    full = Full(1, customer_cancellation_min_duration="P30D")
    given_up(full)
    ana = full.join("ana")
    assert state(ana) == "offered"
    assert mails("waiting_joined") == mails("waiting_offer") == [entry_of(ana).id]
    assert examine(now=NOW) == []


def test_who_checks_in_keeps_the_places_that_were_given_up(ctx):
    full = Full(1, customer_cancellation_min_duration="P30D")
    line_id = given_up(full)
    ana = full.join("ana")
    set_check_in(full.organisation_id, full.site.id, line_id, arrived=True, now=NOW)
    assert state(ana) == "waiting"
    with pytest.raises(OfferOver):
        accept(ana, now=NOW)
    source = fetch(SessionBooking, line_id)
    assert (source.released_places, source.cancelled_at, taken(full)) == (0, None, (1, 1))
    set_check_in(full.organisation_id, full.site.id, line_id, arrived=False, now=NOW)
    assert (state(ana), examine(now=NOW)) == ("waiting", [])


@pytest.mark.parametrize("is_offered", [False, True])
def test_a_guest_and_an_account_that_turn_out_to_be_one_wait_once(ctx, is_offered):
    full = Full(2, parties=(1, 1))
    account = make_account(email="ben@example.com")
    guest = full.join("ana", 2)
    own = full.join("ben", email=account.email, account_id=account.id, now=NOW + MINUTE)
    if is_offered:
        full.cancel()
    with transaction():
        row = db.session.get(Account, account.id)
        row.email = row.email_key = "ana@example.com"
        db.session.flush()
        join_guest_bookings(row, now=NOW + 2 * MINUTE)
    kept, ended = (own, guest) if is_offered else (guest, own)
    assert state(kept, NOW + 2 * MINUTE) == ("offered" if is_offered else "waiting")
    assert state(ended, NOW + 2 * MINUTE) == "left"
    assert mails("waiting_closed") == [entry_of(ended).id]
    assert len(list_own_waiting(account.id, now=NOW + 2 * MINUTE)) == 1
