"""Why somebody can't book agrees with the shop; booking in spite of it is bound and on record."""

import datetime as dt
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from factories import (
    ANYWHERE,
    NOW,
    fetch,
    make_account,
    make_customer,
    make_organisation,
    make_rule,
    make_session,
    make_site,
    make_staff,
    make_type,
    save,
)

from domain.eligibility import Viewer
from domain.errors import NotAllowed, NotBookable, NotFound, RuleBroken
from domain.memberships import ChangedMeanwhile
from models import Membership, MembershipType, Session, SessionBooking, db, new_uuid
from services.accounts import viewer_of
from services.basket import hold_places
from services.checkout import confirm_order, find_order
from services.customers import lines_of_bookings
from services.desk import find_roster
from services.doctor import find_sold_and_given_away, find_wrong_counters
from services.eligibility import explain, list_sessions_to_ask, list_types_to_ask
from services.overrides import book_in_spite

BOTH = frozenset({"CUSTOMERS_MANAGE", "RESERVATIONS_MANAGE"})
DESK = frozenset({"RESERVATIONS_MANAGE"})

pytestmark = pytest.mark.usefixtures("ctx")


@pytest.fixture
def house(ctx):
    """A site with a member (an account), a guest without one, and staff."""
    site = make_site(slug="bath")
    organisation_id = site.organisation_id
    ana = make_account()
    kind = save(MembershipType(id=new_uuid(), organisation_id=organisation_id, name="River"))
    member = make_customer(organisation_id, ana)
    guest = make_customer(organisation_id, name="Jude Park", email="jude@example.com")
    for row in (member, guest):
        save(
            Membership(
                organisation_id=organisation_id, customer_id=row.id, membership_type_id=kind.id,
                first_day=dt.date(2026, 6, 1), last_day=dt.date(2026, 6, 30), created_at=NOW,
            )
        )  # fmt: skip
    return SimpleNamespace(
        site=site, id=organisation_id, ana=ana, kind=kind, member=member, guest=guest,
        staff=make_staff(site),
    )  # fmt: skip


def ask(house, session, customer=None, guests=1, at=NOW, **given):
    return explain(
        house.id, house.site.id, session_id=session.id,
        customer_id=customer.id if customer else None, guests=guests, at=at, **given,
    )  # fmt: skip


def in_spite(house, session, customer=None, shown=None, **given):
    values = {
        "name": "Ana Reyes", "email": "ana@example.com", "guests": 1, "reason": "Her birthday",
        "rights": BOTH, "account_id": house.staff.id, "now": NOW, **given,
    }  # fmt: skip
    asked = ask(house, session, customer, values["guests"])
    return book_in_spite(
        house.id, house.site.id, session.id, customer_id=customer.id if customer else None,
        shown=asked.failed if shown is None else shown, **values,
    )  # fmt: skip


def hold(house, session, guests=1, account=None, now=NOW):
    return hold_places(
        house.id, session.id, session_type_id=session.session_type_id, guests=guests,
        viewer=viewer_of(house.id, account.id if account else None, now=now),
        basket_secret=None, account_id=account.id if account else None, now=now,
    )  # fmt: skip


CASES = {
    "plain": ({}, {}),
    "archived": ({"deleted_at": NOW}, {}),
    "cancelled": ({}, {"deleted_at": NOW}),
    "at the venue": ({"offered_online": False}, {}),
    "link only": ({"visibility": "link_only"}, {}),
    "no price": ({"price": None}, {}),
    "for accounts": ({"customers_only": True}, {}),
    "for members": ({"members_only": True}, {}),
    "not open": ({"max_advance_bookings_interval": "P1D"}, {}),
    "closed": ({"min_advance_bookings_interval": "P30D"}, {}),
    "started": ({}, {"local_start": "2026-06-04T09:00"}),
    "too few": ({"min_guests": 3}, {}),
    "too many": ({"max_guests": 1}, {}),
    "full": ({}, {"capacity": 2, "places_taken": 2}),
    "nearly full": ({}, {"capacity": 2, "places_taken": 1}),
    "taken": ({}, {"max_baskets": 1, "parties_taken": 1}),
    "many reasons": ({"members_only": True, "min_advance_bookings_interval": "P30D"}, {}),
}


@pytest.mark.parametrize("who", ["visitor", "member", "guest"])
@pytest.mark.parametrize("case", CASES)
def test_r20_the_page_says_what_the_shop_says(house, case, who):
    of_type, of_session = CASES[case]
    session = make_session(make_type(house.site, **of_type), **of_session)
    asked = ask(house, session, {"member": house.member, "guest": house.guest}.get(who), 2)
    try:
        hold(house, session, 2, house.ana if who == "member" else None)
        said = None
    except NotBookable as refusal:
        said = (refusal.code, refusal.sentence)
    first = next((one for one in asked.findings if not one.passed), None)
    assert said == ((first.code, first.sentence) if first else None)


def test_holds_that_ran_out_count_here_as_little_as_in_the_shop(house):
    session = make_session(make_type(house.site), capacity=2, max_baskets=1)
    hold(house, session, 2)
    assert ask(house, session).failed == ("party_left", "places_left")
    later = NOW + dt.timedelta(minutes=16)
    assert ask(house, session, at=later).failed == ()
    # Asked for another moment, places are those of now.
    assert ask(house, session, at=later, present=NOW).failed == ("party_left", "places_left")
    assert fetch(Session, session.id).places_taken == 2


def test_a_limit_for_members_counts_their_bookings(house):
    session = make_session(make_type(house.site, max_bookings_per_member=1))
    confirm_order(
        house.id, hold(house, session, 1, house.ana), name="Ana", email="ana@example.com",
        account_id=house.ana.id, now=NOW,
    )  # fmt: skip
    assert ask(house, session, house.member).failed == ("max_bookings_per_member",)


def test_a_member_without_an_account_is_counted_as_confirming_counts_them(house):
    session = make_session(make_type(house.site, max_bookings_per_member=1))
    confirm_order(house.id, hold(house, session, 1), name="Jude", email="jude@example.com", now=NOW)
    assert ask(house, session, house.guest).failed == ("max_bookings_per_member",)


def test_it_says_when_the_answer_changes_in_the_sites_wall_time(house):
    kind = make_type(house.site, max_advance_bookings_interval="P2D")
    asked = ask(house, make_session(kind, local_start="2026-06-12T18:00"))
    opens = next(one for one in asked.findings if one.code == "window_open")
    assert opens.changes_at == dt.datetime(2026, 6, 10, 18, 0)  # noqa: DTZ001 - wall time
    assert "10 June at 18:00" in opens.sentence
    at = dt.datetime(2026, 6, 10, 17, 0, tzinfo=dt.UTC)
    assert ask(house, make_session(kind, local_start="2026-06-12T18:00"), at=at).failed == ()


@pytest.mark.parametrize(
    ("day", "price"),
    [("2026-05-31", 4800), ("2026-06-01", 3600), ("2026-06-30", 3600), ("2026-07-01", 4800)],
)
def test_p10_what_they_pay_follows_the_sessions_own_date(house, day, price):
    kind = make_type(house.site, price=None)
    make_rule(kind, price=3600, label="River member", membership_type_ids=[house.kind.id])
    make_rule(kind, price=4800, position=1)
    session = make_session(kind, local_start=f"{day}T23:00")
    asked = ask(house, session, house.member)
    assert asked.price.amount == price
    assert (asked.price.label == "River member") is (price == 3600)
    assert ask(house, session).price.amount == 4800
    # Without an account the shop can't know a member; the desk does.
    asked = ask(house, session, house.guest)
    assert (asked.price.amount, asked.desk_price.amount) == (4800, price)


@pytest.mark.parametrize("state", ["paused", "ended"])
def test_paused_and_ended_memberships_dont_count(house, state):
    session = make_session(make_type(house.site, members_only=True))
    assert ask(house, session, house.member).failed == ()
    db.session.execute(sa.update(Membership).values(state=state), execution_options=ANYWHERE)
    db.session.commit()
    assert ask(house, session, house.member).failed == ("member",)


def test_d1_another_sites_session_and_anothers_customer_are_not_found(house):
    session = make_session(make_type(house.site))
    second = make_session(make_type(make_site(slug="second")))
    stranger = make_customer(make_organisation().id)
    for wrong in (
        lambda: ask(house, second),
        lambda: ask(house, session, stranger),
        lambda: in_spite(house, second),
        lambda: in_spite(house, session, stranger),
    ):
        with pytest.raises(NotFound):
            wrong()


def test_types_and_sessions_to_ask_about_include_what_is_gone(house):
    kind = make_type(house.site, name="Zen", deleted_at=NOW)
    make_type(house.site, name="Bathe")
    session = make_session(kind, deleted_at=NOW)
    names = [(one.name, one.is_gone) for one in list_types_to_ask(house.id, house.site.id)]
    assert names == [("Bathe", False), ("Zen", True)]
    day = dt.date(2026, 6, 12)
    (one,) = list_sessions_to_ask(house.id, house.site.id, kind.id, day)
    assert (one.id, one.is_gone, one.left) == (session.id, True, 8)


# ---------------------------------------------------------------- in spite of it


def closed(house, **given):
    kind = make_type(house.site, min_advance_bookings_interval="P30D", **given)
    return make_session(kind, capacity=2)


def test_r20_what_failed_why_and_who_stay_on_record(house):
    session = closed(house, members_only=True)
    booking_id = in_spite(house, session, house.guest, guests=2)
    row = fetch(SessionBooking, booking_id)
    assert row.overridden == ["member", "window_closed"]
    assert (row.override_reason, row.booked_by_id) == ("Her birthday", house.staff.id)
    assert (row.status, row.customer_id, row.is_walk_in) == ("confirmed", house.guest.id, False)
    assert fetch(Session, session.id).places_taken == 2
    (line,) = find_roster(house.id, house.site.id, session.id, now=NOW).lines
    said = (line.in_spite_of, line.override_reason, line.booked_by)
    assert said == ("for members, booking closed", "Her birthday", "Maren Ellis")
    (line,) = lines_of_bookings(house.id, [booking_id])
    assert line.booked_by == "Maren Ellis"
    assert find_wrong_counters() + find_sold_and_given_away() == []


def test_h6_pressed_twice_is_one_booking(house):
    session = closed(house)
    first = in_spite(house, session, house.member, key="k")
    assert in_spite(house, session, house.member, key="k") == first
    assert fetch(Session, session.id).places_taken == 1


def test_p10_they_pay_their_own_price(house):
    kind = make_type(house.site, price=None, min_advance_bookings_interval="P30D")
    make_rule(kind, price=3600, label="River member", membership_type_ids=[house.kind.id])
    make_rule(kind, price=4800, position=1)
    session = make_session(kind)
    for customer, price in ((house.guest, 3600), (None, 4800)):
        row = fetch(SessionBooking, in_spite(house, session, customer))
        assert row.order_item.unit_price == price
        order = find_order(row.order.secret)
        assert [entry.amount for entry in order.ledger] == [price]
        assert order.sold_by == "staff"


def test_a_visitor_becomes_a_customer_with_or_without_an_address(house):
    session = closed(house)
    row = fetch(SessionBooking, in_spite(house, session, name="New One", email=""))
    assert (row.customer.name, row.customer.email_key) == ("New One", None)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"reason": "  "}, "reason"),
        ({"reason": "x" * 501}, "reason"),
        ({"name": ""}, "name"),
        ({"email": "nobody"}, "email"),
    ],
)
def test_it_is_refused_without_a_reason_or_a_name(house, given, field):
    session = closed(house)
    with pytest.raises(RuleBroken) as refusal:
        in_spite(house, session, house.member, **given)
    assert refusal.value.field == field
    assert fetch(Session, session.id).places_taken == 0


@pytest.mark.parametrize(
    ("of_type", "rights"),
    [
        ({"members_only": True}, DESK),
        ({"customers_only": True}, DESK),
        ({"min_guests": 3}, {"CUSTOMERS_MANAGE"}),
    ],
)
def test_each_rule_asks_for_its_own_right(house, of_type, rights):
    session = make_session(make_type(house.site, **of_type))
    with pytest.raises(NotAllowed):
        in_spite(house, session, rights=frozenset(rights))
    in_spite(house, session, rights=BOTH)


@pytest.mark.parametrize("case", ["archived", "cancelled", "no price", "full", "taken"])
def test_r20_nobody_books_in_spite_of_places_parties_and_what_is_live(house, case):
    of_type, of_session = CASES[case]
    session = make_session(make_type(house.site, **of_type), **of_session)
    with pytest.raises(NotBookable) as refusal:
        in_spite(house, session, house.member)
    assert refusal.value.code == ask(house, session, house.member).failed[0]


def test_a_started_session_takes_walk_ins_only(house):
    session = make_session(make_type(house.site), local_start="2026-06-04T10:00")
    with pytest.raises(NotBookable, match="walk-in"):
        in_spite(house, session, house.member)


def test_s3_a_reason_that_came_up_meanwhile_is_not_overridden_unseen(house):
    session = closed(house, members_only=True)
    with pytest.raises(ChangedMeanwhile):
        in_spite(house, session, shown=("window_closed",))
    assert fetch(Session, session.id).places_taken == 0


def test_a_member_price_alone_cant_be_sold_to_others(house):
    kind = make_type(house.site, price=None)
    make_rule(kind, price=3600, membership_type_ids=[house.kind.id])
    session = make_session(kind)
    asked = ask(house, session)
    assert asked.failed == ("member",)
    assert not asked.may_be_overridden(BOTH)
    with pytest.raises(NotBookable) as refusal:
        in_spite(house, session)
    assert refusal.value.code == "priced"
    assert fetch(Session, session.id).places_taken == 0
    assert ask(house, session, house.guest).may_be_overridden(BOTH)


def test_a_private_link_opens_the_door_it_is_for(house):
    session = make_session(make_type(house.site, visibility="link_only"))
    assert ask(house, session).failed == ("visible",)
    assert ask(house, session, came_by_link=True).failed == ()
    assert Viewer(came_by_link=True).came_by_link
