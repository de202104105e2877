"""Holds, baskets and confirmations on a real database."""

import datetime as dt
from dataclasses import dataclass

import pytest
import sqlalchemy as sa
from factories import (
    ANYWHERE,
    NOW,
    fetch,
    make_account,
    make_customer,
    make_member,
    make_organisation,
    make_rule,
    make_session,
    make_site,
    make_type,
)

from domain.eligibility import Viewer
from domain.errors import (
    HoldCeilingReached,
    HoldExpired,
    KeyReused,
    NotBookable,
    NotFound,
    RuleBroken,
)
from models import LedgerEntry, Order, Session, SessionBooking, db
from services.accounts import viewer_of
from services.basket import (
    drop_line,
    find_basket,
    find_basket_badge,
    hold_places,
    rebuild_basket,
    renew_hold,
)
from services.checkout import book_for_staff, confirm_order, find_order
from services.doctor import find_sold_and_given_away, find_wrong_counters
from services.lines import expired_lines, live_lines
from services.own_bookings import list_own_bookings
from services.places import extend, let_go, sell
from services.waking import release_expired_holds

pytestmark = pytest.mark.usefixtures("ctx")

MINUTE = dt.timedelta(minutes=1)


@dataclass
class Shop:
    """A type with one session, and the deeds on it with defaults."""

    session: Session

    @property
    def organisation_id(self) -> str:
        return self.session.organisation_id

    def hold(self, session: Session | None = None, **given) -> str:
        chosen = session or self.session
        return hold_places(
            given.pop("organisation_id", self.organisation_id),
            chosen.id,
            **{
                "session_type_id": chosen.session_type_id,
                "guests": 2,
                "viewer": Viewer(),
                "basket_secret": None,
                "now": NOW,
                **given,
            },
        )

    def confirm(self, secret: str, **given) -> str:
        return confirm_order(
            self.organisation_id,
            secret,
            **{"name": "Ana Reyes", "email": "ana@example.com", "now": NOW, **given},
        )

    def counters(self, session: Session | None = None) -> tuple[int, int]:
        row = fetch(Session, (session or self.session).id)
        assert find_wrong_counters() == []
        return row.places_taken, row.parties_taken


@pytest.fixture
def shop(ctx) -> Shop:
    return Shop(make_session(capacity=3))


def test_h1_a_hold_takes_its_places_at_once(shop):
    shop.hold(guests=2)
    assert shop.counters() == (2, 1)


def test_h1_a_full_session_takes_no_more_bookings(shop):
    shop.hold(guests=3)
    with pytest.raises(NotBookable) as refusal:
        shop.hold(guests=1)
    assert refusal.value.code == "places_left"
    assert shop.counters() == (3, 1)


def test_h2_a_party_is_never_split(shop):
    shop.hold(guests=2)
    with pytest.raises(NotBookable, match="Only 1 place left"):
        shop.hold(guests=2)
    assert shop.counters() == (2, 1)


def test_h1_the_database_itself_refuses_too_many_places(shop):
    with pytest.raises(sa.exc.IntegrityError):
        db.session.execute(
            sa.update(Session).where(Session.id == shop.session.id).values(places_taken=4),
            execution_options=ANYWHERE,
        )
    db.session.rollback()


def test_h8_a_party_limit_closes_a_session_with_places_left(ctx):
    shop = Shop(make_session(make_type(max_baskets_per_session=1), capacity=8))
    shop.hold(guests=2)
    with pytest.raises(NotBookable) as refusal:
        shop.hold(guests=2)
    assert refusal.value.code == "party_left"


def test_h8_two_presses_in_one_basket_are_one_party(ctx):
    shop = Shop(make_session(make_type(max_baskets_per_session=1), capacity=8))
    secret = shop.hold(guests=2)
    assert shop.hold(guests=3, basket_secret=secret) == secret
    assert shop.counters() == (3, 1)


def test_h3_a_hold_lasts_fifteen_minutes(shop):
    secret = shop.hold()
    badge = find_basket_badge(secret, now=NOW + 14 * MINUTE)
    assert badge is not None
    assert badge.seconds_left(NOW) == 15 * 60
    assert find_basket_badge(secret, now=NOW + 15 * MINUTE) is None


def test_h3_the_worker_gives_expired_places_back(shop):
    shop.hold(guests=3)
    assert release_expired_holds(NOW + 14 * MINUTE) == 0
    assert release_expired_holds(NOW + 15 * MINUTE) == 1
    assert shop.counters() == (0, 0)


def test_h3_an_expired_hold_never_blocks_a_sale(shop):
    shop.hold(guests=3)
    shop.hold(guests=3, now=NOW + 16 * MINUTE)
    assert shop.counters() == (3, 1)


def test_h3_a_hold_is_renewed_up_to_its_ceiling(shop):
    secret = shop.hold()
    for minutes in (14, 28):
        renew_hold(shop.organisation_id, secret, now=NOW + minutes * MINUTE)
    badge = find_basket_badge(secret, now=NOW + 28 * MINUTE)
    assert badge is not None
    assert badge.expires_at == NOW + 43 * MINUTE
    renew_hold(shop.organisation_id, secret, now=NOW + 40 * MINUTE)
    with pytest.raises(HoldCeilingReached):
        renew_hold(shop.organisation_id, secret, now=NOW + 44 * MINUTE)


def test_h3_an_expired_hold_cant_be_renewed(shop):
    secret = shop.hold()
    with pytest.raises(HoldExpired):
        renew_hold(shop.organisation_id, secret, now=NOW + 15 * MINUTE)


def test_h3_a_new_line_renews_all_lines(shop):
    other = make_session(fetch(Session, shop.session.id).session_type)
    secret = shop.hold()
    shop.hold(other, basket_secret=secret, now=NOW + 10 * MINUTE)
    badge = find_basket_badge(secret, now=NOW + 10 * MINUTE)
    assert badge is not None
    assert (badge.lines, badge.expires_at) == (2, NOW + 25 * MINUTE)


def test_a_line_taken_out_frees_its_places(shop):
    secret = shop.hold()
    order = find_basket(secret, now=NOW)
    drop_line(shop.organisation_id, secret, live_lines(order, now=NOW)[0].id, now=NOW)
    assert shop.counters() == (0, 0)
    assert find_basket(secret, now=NOW) is None


def test_confirming_books_the_places_and_writes_the_charge(shop):
    secret = shop.confirm(shop.hold(guests=2))
    order = find_order(secret)
    assert [(entry.kind, entry.amount) for entry in order.ledger] == [("charge", 9600)]
    assert [line.status for line in live_lines(order, now=NOW)] == ["confirmed"]
    assert shop.counters() == (2, 1)


def test_p4_a_free_session_writes_no_charge(ctx):
    shop = Shop(make_session(make_type(price=0)))
    order = find_order(shop.confirm(shop.hold()))
    assert order.ledger == []


def test_p4_a_session_without_a_price_is_not_sold(ctx):
    shop = Shop(make_session(make_type(price=None)))
    with pytest.raises(NotBookable) as refusal:
        shop.hold()
    assert refusal.value.code == "priced"


def test_p5_p6_r19_the_price_is_frozen_while_held_and_when_booked(shop):
    secret = shop.hold(guests=1)
    rule = fetch(Session, shop.session.id).session_type.price_rules[0]
    rule.price = 9900
    db.session.commit()
    order = find_order(shop.confirm(secret))
    db.session.delete(rule)
    db.session.commit()
    assert order.items[0].unit_price == 4800
    assert sum(entry.amount for entry in order.ledger) == 4800


def test_p6_after_expiry_the_price_is_asked_again_and_the_change_is_told(shop):
    secret = shop.hold(guests=1)
    rule = fetch(Session, shop.session.id).session_type.price_rules[0]
    rule.price = 9900
    db.session.commit()
    later = NOW + 20 * MINUTE
    lines = rebuild_basket(shop.organisation_id, secret, viewer=Viewer(), now=later)
    assert [(line.is_held, line.price_changed) for line in lines] == [(True, True)]
    order = find_basket(secret, now=later)
    assert [line.order_item.unit_price for line in live_lines(order, now=later)] == [9900]


def test_h3_an_expired_basket_is_not_confirmed(shop):
    secret = shop.hold()
    with pytest.raises(HoldExpired):
        shop.confirm(secret, now=NOW + 15 * MINUTE)


def test_h4_an_expired_basket_is_rebuilt_in_one_press_when_places_are_left(shop):
    secret = shop.hold(guests=2)
    later = NOW + 20 * MINUTE
    release_expired_holds(later)
    assert len(expired_lines(find_basket(secret, now=later), now=later)) == 1
    rebuild_basket(shop.organisation_id, secret, viewer=Viewer(), now=later)
    assert shop.counters() == (2, 1)
    shop.confirm(secret, now=later)


def test_h4_a_rebuilt_basket_says_why_a_line_is_gone(shop):
    secret = shop.hold(guests=2)
    later = NOW + 20 * MINUTE
    shop.hold(guests=2, now=later)
    lines = rebuild_basket(shop.organisation_id, secret, viewer=Viewer(), now=later)
    assert [line.is_held for line in lines] == [False]
    assert "Only 1 place left" in lines[0].sentence
    assert find_basket(secret, now=later) is None


def test_h6_the_same_key_and_form_is_one_hold(shop):
    first = shop.hold(key="a")
    assert shop.hold(key="a") == first
    assert shop.counters() == (2, 1)


def test_h6_the_same_key_with_another_form_is_refused(shop):
    shop.hold(key="a", guests=1)
    with pytest.raises(KeyReused):
        shop.hold(key="a", guests=2)


def test_h6_confirming_twice_is_one_order(shop):
    secret = shop.hold()
    assert shop.confirm(secret, key="k") == shop.confirm(secret, key="k")
    assert shop.confirm(secret, key="other") == secret
    entries = db.session.scalars(sa.select(LedgerEntry), execution_options=ANYWHERE).all()
    assert len(entries) == 1


def test_a_hold_is_confirmed_after_the_window_but_not_after_the_start(ctx):
    shop = Shop(
        make_session(
            make_type(min_advance_bookings_interval="PT1H"), local_start="2026-06-04T11:05"
        )
    )
    secret = shop.hold()
    shop.confirm(secret, now=NOW + 10 * MINUTE)
    late = Shop(make_session(make_type(), local_start="2026-06-04T10:05"))
    secret = late.hold()
    with pytest.raises(NotBookable, match="has started"):
        late.confirm(secret, now=NOW + 5 * MINUTE)


def test_a_cancelled_session_is_not_confirmed(shop):
    secret = shop.hold()
    row = fetch(Session, shop.session.id)
    row.deleted_at = NOW
    db.session.commit()
    with pytest.raises(NotBookable, match="cancelled"):
        shop.confirm(secret)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": "  "}, "name"),
        ({"name": "<b>Ana</b>"}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"email": "ana@"}, "email"),
        ({"email": "nobody"}, "email"),
    ],
)
def test_d5_bad_details_are_refused_by_field_and_the_hold_stands(shop, given, field):
    secret = shop.hold()
    with pytest.raises(RuleBroken) as broken:
        shop.confirm(secret, **given)
    assert broken.value.field == field
    assert shop.counters() == (2, 1)


def test_names_of_all_guests_are_asked_where_a_guest_may_come_once(ctx):
    shop = Shop(make_session(make_type(max_per_guest=1)))
    secret = shop.hold(guests=2)
    with pytest.raises(RuleBroken) as broken:
        shop.confirm(secret, people=[""])
    assert broken.value.field == "person-1"
    order = find_order(shop.confirm(secret, people=["Jude Moss"]))
    assert [guest.name for guest in live_lines(order, now=NOW)[0].guests] == [
        "Ana Reyes",
        "Jude Moss",
    ]


def test_h9_the_same_guest_twice_is_refused_where_a_guest_may_come_once(ctx):
    shop = Shop(make_session(make_type(max_per_guest=1)))
    secret = shop.hold(guests=3)
    with pytest.raises(RuleBroken) as broken:
        shop.confirm(secret, people=["José", "Jose\u0301"])
    assert broken.value.code == "max_per_guest"


def test_r20_max_per_basket_counts_lines_of_the_type(shop):
    kind = make_type(max_per_basket=1)
    first, second = make_session(kind), make_session(kind, local_start="2026-06-13T18:00")
    secret = shop.hold(first, organisation_id=first.organisation_id)
    with pytest.raises(NotBookable) as refusal:
        shop.hold(second, organisation_id=second.organisation_id, basket_secret=secret)
    assert refusal.value.code == "max_per_basket"


def test_r1_d1_another_organisations_session_is_not_found(shop):
    foreign = make_session(make_type(make_site(make_organisation())))
    with pytest.raises(NotFound):
        shop.hold(foreign)
    with pytest.raises(NotFound):
        confirm_order(
            foreign.organisation_id, shop.hold(), name="A", email="a@example.com", now=NOW
        )


def test_staff_bookings_are_bound_by_places_only(ctx):
    shop = Shop(
        make_session(
            make_type(members_only=True, max_guests=1), local_start="2026-06-04T09:30", capacity=2
        )
    )
    book_for_staff(shop.organisation_id, shop.session.id, name="Walk In", guests=2, now=NOW)
    row = db.session.scalar(sa.select(SessionBooking), execution_options=ANYWHERE)
    assert (row.status, row.stage, row.checked_in_at) == ("confirmed", "arrived", NOW)
    with pytest.raises(NotBookable) as refusal:
        book_for_staff(shop.organisation_id, shop.session.id, name="One More", guests=1, now=NOW)
    assert refusal.value.code == "places_left"


def test_every_deed_raises_the_revision_of_its_type(shop):
    def revision() -> int:
        row = fetch(Session, shop.session.id)
        db.session.refresh(row.session_type)
        return row.session_type.revision

    before = revision()
    secret = shop.hold()
    held = revision()
    shop.confirm(secret)
    assert before < held < revision()


def test_one_customer_for_one_address_however_it_is_written(shop):
    shop.confirm(shop.hold(guests=1), email="Ana@Example.com")
    shop.confirm(shop.hold(guests=1), email="ana@example.com ")
    customers = {
        order.customer_id
        for order in db.session.scalars(sa.select(Order), execution_options=ANYWHERE)
    }
    assert len(customers) == 1


def test_p9_the_price_agreed_is_the_price_of_the_first_matching_rule(shop):
    kind = make_type(price=None)
    make_rule(kind, price=3000, position=0, weekdays=["friday"], label="Friday")
    make_rule(kind, price=5000, position=1)
    row = make_session(kind)
    secret = shop.hold(row, organisation_id=row.organisation_id, guests=1)
    item = live_lines(find_basket(secret, now=NOW), now=NOW)[0].order_item
    assert (item.unit_price, item.price_label, item.price_source) == (3000, "Friday", "rule")


def test_a_site_decides_how_long_a_hold_lasts(ctx):
    shop = Shop(make_session(make_type(make_site(hold_minutes=5))))
    badge = find_basket_badge(shop.hold(), now=NOW)
    assert badge is not None
    assert badge.expires_at == NOW + 5 * MINUTE


def test_a_signed_in_person_becomes_a_customer_of_the_organisation(shop):
    account = make_account()
    secret = shop.hold(account_id=account.id)
    assert find_basket(secret, account_id=account.id, now=NOW).name == "Ana Reyes"
    shop.confirm(secret, account_id=account.id)
    mine = list_own_bookings(account.id)
    assert [booking.order.secret for booking in mine] == [secret]


def test_c8_two_baskets_of_one_member_dont_pass_the_limit_together(ctx):
    shop = Shop(make_session(make_type(max_bookings_per_member=1)))
    account = make_account()
    make_member(shop.organisation_id, account)
    viewer = viewer_of(shop.organisation_id, account.id, now=NOW)
    baskets = [shop.hold(guests=1, viewer=viewer, account_id=account.id) for _ in range(2)]
    shop.confirm(baskets[0], account_id=account.id)
    with pytest.raises(NotBookable) as refusal:
        shop.confirm(baskets[1], account_id=account.id)
    assert refusal.value.code == "max_bookings_per_member"


def test_h3_a_rebuild_doesnt_lift_the_ceiling_of_a_running_hold(shop):
    secret = shop.hold()
    rebuild_basket(shop.organisation_id, secret, viewer=Viewer(), now=NOW + 10 * MINUTE)
    assert find_basket(secret, now=NOW + 10 * MINUTE).held_since == NOW


def test_h3_a_line_given_away_meanwhile_is_not_sold(shop):
    secret = shop.hold()
    line = live_lines(find_basket(secret, now=NOW), now=NOW)[0]
    assert let_go(line, by="expired", now=NOW)
    assert not sell(line, "nobody", NOW)
    assert not extend(line, NOW + 20 * MINUTE, NOW)
    db.session.rollback()


def test_a_basket_holds_fifty_lines(ctx):
    kind = make_type()
    secret = None
    for number in range(50):
        row = make_session(kind, local_start=NOW.replace(tzinfo=None) + (60 + number) * 60 * MINUTE)
        shop = Shop(row)
        secret = shop.hold(guests=1, basket_secret=secret)
    with pytest.raises(NotBookable) as refusal:
        Shop(make_session(kind)).hold(guests=1, basket_secret=secret)
    assert refusal.value.code == "basket_full"


def test_p4_staff_dont_sell_what_has_no_price(ctx):
    row = make_session(make_type(price=None))
    with pytest.raises(NotBookable) as refusal:
        book_for_staff(row.organisation_id, row.id, name="Walk In", guests=1, now=NOW)
    assert refusal.value.code == "priced"


def test_a_stranger_with_a_known_address_is_not_put_into_that_account(shop):
    account = make_account()
    make_customer(shop.organisation_id, account)
    shop.confirm(shop.hold(guests=1), email="ana@example.com")
    assert list_own_bookings(account.id) == []


def test_an_account_finds_the_customer_that_it_was_as_a_guest(shop):
    shop.confirm(shop.hold(guests=1))
    account = make_account()
    shop.confirm(shop.hold(guests=1), email="elsewhere@example.com", account_id=account.id)
    assert len(list_own_bookings(account.id)) == 2


def test_the_doctor_names_an_order_that_was_sold_and_given_away(shop):
    secret = shop.confirm(shop.hold())
    assert find_sold_and_given_away() == []
    line = find_order(secret).items[0].booking
    line.cancelled_by, line.cancelled_at = "expired", NOW
    db.session.commit()
    assert len(find_sold_and_given_away()) == 1
