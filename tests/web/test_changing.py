"""Changing one's mind by both doors, without JavaScript (M4-M8, H6, H7, D1)."""

import datetime as dt

import pytest
import sqlalchemy as sa
from factories import (
    ANYWHERE,
    fetch,
    make_account,
    make_order,
    make_session,
    make_site,
    make_staff,
    make_type,
    save,
)

from blueprints.clock import read_clock
from models import (
    Job,
    LedgerEntry,
    Order,
    OrderItem,
    Session,
    SessionBooking,
    SessionType,
    db,
    new_object_id,
)
from services.cancelling import cancel_guests
from services.changing import door_of_order
from services.checkout import find_order
from services.giving_up import release_places

MINUS = "\N{MINUS SIGN}"
PHONE, MAIL = "01225 000000", "hello@stillwater.example"


class Shop:
    """A booked line of a type with two more times, and the addresses of its pages."""

    def __init__(self, guests=2, name="Ana Reyes", hours=72, people=(), account=None, **given):
        now = read_clock()
        self.site = make_site(slug="bath")
        kind = make_type(self.site, **given)
        start = (now + dt.timedelta(hours=hours)).replace(
            minute=0, second=0, microsecond=0, tzinfo=None
        )
        self.kind, self.type_id = kind, kind.id
        rows = [
            make_session(kind, local_start=start + dt.timedelta(days=days)) for days in (0, 1, 2)
        ]
        self.rows = [row.id for row in rows]
        self.secret = make_order(
            rows[0], guests=guests, name=name, people=people, now=now, account_id=account
        )
        self.booking_id = find_order(self.secret).items[0].booking.id
        self.order = f"/bookings/{self.secret}"
        self.line = f"{self.order}/lines/{self.booking_id}"
        self.desk = f"/staff/bath/bookings/{self.booking_id}"
        self.roster = f"/staff/bath/sessions/{self.rows[0]}"


@pytest.fixture
def shop(make):
    return lambda **given: make(lambda: Shop(**given))


@pytest.fixture
def maren(visitor, make):
    def sign_in(shop):
        make(lambda: make_staff(shop.site))
        visitor.sign_in("maren@example.com", "thermal-waters")
        return visitor

    return sign_in


ABOUT_CHANGES = ("booking_changed", "booking_cancelled")


def facts(app, shop):
    """Places, session, ended by, ledger, mails: all that a press could have changed."""
    with app.app_context():
        row = fetch(SessionBooking, shop.booking_id)
        amounts = db.session.scalars(
            sa.select(LedgerEntry.amount).order_by(LedgerEntry.id), execution_options=ANYWHERE
        ).all()
        mails = db.session.scalars(
            sa.select(Job.payload).order_by(Job.id), execution_options=ANYWHERE
        ).all()
        taken = [fetch(Session, one).places_taken for one in shop.rows]
        return {
            "places": row.places, "at": shop.rows.index(row.session_id), "by": row.cancelled_by,
            "money": list(amounts), "taken": taken, "released": row.released_places,
            "mails": [mail["letter"] for mail in mails if mail["letter"] in ABOUT_CHANGES],
        }  # fmt: skip


def settle(app, action):
    with app.app_context():
        action()
        db.session.commit()


class TestCancelling:
    def test_a_guest_without_an_account_cancels_and_is_told_what_it_costs(self, app, visitor, shop):
        it = shop()
        page = visitor.get(it.order)
        links = [str(link["href"]) for link in page.all(".change a")]
        assert links == [f"{it.line}/{page}" for page in ("move", "guests", "cancellation")]
        before = facts(app, it)
        page = visitor.get(f"{it.line}/cancellation")
        assert facts(app, it) == before
        text = page.text("main")
        assert "Free to cancel until" in text
        assert f"2 places given back {MINUS}£96.00 Then to pay at Stillwater £0.00" in text
        assert "Nothing was paid yet, so nothing has to come back." in text
        visitor.post(f"{it.line}/cancellation", page.form("main form"), 303)
        after = facts(app, it)
        assert (after["by"], after["money"], after["taken"]) == (
            "customer", [9600, -9600], [0, 0, 0],
        )  # fmt: skip
        assert after["mails"] == ["booking_cancelled"]
        page = visitor.get(it.order)
        assert "It is cancelled" in page.text(".note--ok")
        assert "This booking was cancelled." in page.text("h1")

    def test_h6_a_double_press_is_one_deed_and_another_tab_is_told(self, app, visitor, shop):
        it = shop()
        page = visitor.get(f"{it.line}/cancellation")
        other_tab = visitor.get(f"{it.line}/cancellation")
        for _ in range(2):
            visitor.post(f"{it.line}/cancellation", page.form("main form"), 303)
        page = visitor.post(f"{it.line}/cancellation", other_tab.form("main form"), 409)
        assert "This booking was cancelled already." in page.text("main")
        assert facts(app, it)["money"] == [9600, -9600]
        assert "cancelled already" in visitor.get(f"{it.line}/cancellation").text("main")

    def test_m4_what_was_paid_comes_back_and_the_page_shows_how(self, app, visitor, shop):
        it = shop()

        def pay():
            order = db.session.scalars(
                sa.select(Order).where(Order.secret == it.secret), execution_options=ANYWHERE
            ).one()
            save(
                LedgerEntry(
                    id=new_object_id(), organisation_id=order.organisation_id, order_id=order.id,
                    kind="payment", amount=-6000, currency="GBP", created_at=read_clock(),
                )
            )  # fmt: skip

        settle(app, pay)
        page = visitor.get(f"{it.line}/cancellation")
        assert "Paid so far £60.00 Stillwater gives back £60.00" in page.text("main")
        assert "gives you back £60.00: it goes the way you paid" in page.text("main")
        visitor.post(f"{it.line}/cancellation", page.form("main form"), 303)
        assert "Stillwater gives you back £60.00" in visitor.get(it.order).text(".paid")

    def test_m5_a_refusal_says_until_when_and_whom_to_ask(self, app, visitor, shop):
        it = shop(hours=20, customer_cancellation_min_duration="P1D")
        for page in ("cancellation", "guests", "move"):
            text = visitor.get(f"{it.line}/{page}").text("main")
            assert "Free cancellation ended on" in text
            assert PHONE in text
            assert MAIL in text
        before = facts(app, it)
        for page, fields in (
            ("cancellation", {}),
            ("guests", {"number": "1"}),
            ("move", {"to": it.rows[1], "price": "4800"}),
        ):
            page = visitor.post(f"{it.line}/{page}", {"seen": "0", **fields}, 422)
            assert "Free cancellation ended on" in page.text("main")
            assert page.soup.title.get_text().startswith("Error:")
        assert facts(app, it) == before

    def test_m8_the_agreed_policy_counts_on_the_page(self, app, visitor, shop):
        it = shop()

        def forbid():
            fetch(SessionType, it.type_id).customer_cancellation_permitted = "disallowed"

        settle(app, forbid)
        assert visitor.get(f"{it.line}/cancellation").all("main form")

    def test_d1_foreign_secrets_and_bookings_are_not_found(self, visitor, shop, make):
        it = shop()
        other = make(lambda: make_order(make_session(), email="c@d.example"))
        for secret, booking in ((other, it.booking_id), ("x", it.booking_id), (it.secret, "x")):
            for page in ("cancellation", "guests", "move", "release"):
                url = f"/bookings/{secret}/lines/{booking}/{page}"
                visitor.get(url, 404)
                visitor.post(url, {"seen": "0"}, 404)
            visitor.post(f"/bookings/{secret}/lines/{booking}/release/withdrawal", {}, 404)

    def test_the_accounts_cards_lead_to_the_same_pages(self, visitor, make):
        def build():
            account = make_account()
            return Shop(account=account.id)

        it = make(build)
        visitor.sign_in("ana@example.com", "quiet-rooms")
        acts = [str(link["href"]) for link in visitor.get("/account/").all(".bk .acts a")]
        assert [f"{it.line}/{page}" for page in ("move", "guests", "cancellation")] == acts[2:]
        page = visitor.get(f"{it.line}/cancellation")
        visitor.post(f"{it.line}/cancellation", page.form("main form"), 303)
        assert "Cancelled by you" in visitor.get("/account/?show=cancelled").text(".bk")


class TestOneGuest:
    def test_some_guests_leave_and_the_rest_stays(self, app, visitor, shop):
        it = shop(guests=3)
        page = visitor.get(f"{it.line}/guests")
        assert [option["value"] for option in page.all("select option")] == ["1", "2"]
        form = page.form("main form")
        visitor.post(f"{it.line}/guests", {**form, "number": "2"}, 303)
        visitor.post(f"{it.line}/guests", {**form, "number": "2"}, 303)
        after = facts(app, it)
        assert (after["places"], after["money"]) == (1, [14400, -9600])
        assert "2 guests fewer. The rest stays booked." in visitor.get(it.order).text(".note--ok")
        assert "only one booked" in visitor.get(f"{it.line}/guests").text("main")

    @pytest.mark.parametrize("number", ["0", "3", "-1", "999999", "two", "²", ""])
    def test_a_senseless_number_is_asked_again(self, app, visitor, shop, number):
        it = shop(guests=3)
        form = visitor.get(f"{it.line}/guests").form("main form")
        page = visitor.post(f"{it.line}/guests", {**form, "number": number}, 422)
        assert page.all("#who-error")
        assert facts(app, it)["places"] == 3

    def test_named_guests_are_chosen_by_name(self, app, visitor, shop):
        it = shop(guests=3, people=("Ben", "Cleo"), max_per_guest=1)
        page = visitor.get(f"{it.line}/guests")
        assert [label.get_text().strip() for label in page.all(".check")] == [
            "Ana Reyes", "Ben", "Cleo",
        ]  # fmt: skip
        form = page.form("main form")
        for wrong in ([], ["9"], ["x"], ["0", "1", "2"]):
            page = visitor.post(f"{it.line}/guests", {**form, "who": wrong}, 422)
            assert page.all("#who-error")
        visitor.post(f"{it.line}/guests", {**form, "who": ["1"]}, 303)
        assert "Ana Reyes, Cleo" in visitor.get(it.order).text(".ticket")

    def test_a_stale_page_shows_what_is_true_now(self, app, visitor, shop):
        it = shop(guests=3)
        form = visitor.get(f"{it.line}/guests").form("main form")

        def in_another_tab():
            door = door_of_order(it.secret, it.booking_id)
            cancel_guests(door, it.booking_id, number=1, now=read_clock())

        settle(app, in_another_tab)
        page = visitor.post(f"{it.line}/guests", {**form, "number": "1"}, 409)
        assert "This booking has changed since you opened the page" in page.text("[role=alert]")
        assert "and 1 guest" in page.text(".what")
        assert facts(app, it)["places"] == 2

    def test_m8_below_the_agreed_party_only_the_whole_booking_goes(self, visitor, shop):
        it = shop(guests=2, min_guests=2)
        page = visitor.get(f"{it.line}/guests")
        assert "This is for 2 guests or more" in page.text("main")
        assert not page.all("main form")
        assert "guests" not in [str(a["href"])[-6:] for a in visitor.get(it.order).all(".change a")]


class TestMoving:
    def test_m7_a_time_is_chosen_seen_and_confirmed(self, app, visitor, shop):
        it = shop()
        settle(app, lambda: setattr(fetch(Session, it.rows[1]), "price", 5000))
        before = facts(app, it)
        page = visitor.get(f"{it.line}/move")
        assert len(page.all(".days a")) >= 1
        page = visitor.get(f"{it.line}/move?to={it.rows[1]}")
        assert "The new time costs more +£4.00 Then to pay at Stillwater £100.00" in page.text(
            "main"
        )
        assert "Move for £4 more" in page.text("main form")
        assert facts(app, it) == before
        form = page.form("main form")
        visitor.post(f"{it.line}/move", form, 303)
        visitor.post(f"{it.line}/move", form, 303)
        after = facts(app, it)
        assert (after["at"], after["money"], after["taken"]) == (1, [9600, 400], [0, 2, 0])
        assert after["mails"] == ["booking_changed"]
        assert "Moved." in visitor.get(it.order).text(".note--ok")

    def test_h9_a_time_that_overlaps_with_the_rest_of_the_order_is_warned_about(
        self, app, visitor, shop
    ):
        it = shop()

        def also_then():
            """The order has a line half an hour before the last of the times."""
            start = fetch(Session, it.rows[2]).local_start - dt.timedelta(minutes=30)
            kind = make_type(it.site, slug="foot", name="Foot bath")
            row = make_session(kind, local_start=start)
            other = find_order(make_order(row, now=read_clock())).items[0]
            other.order_id = other.booking.order_id = fetch(SessionBooking, it.booking_id).order_id

        settle(app, also_then)
        near = visitor.get(f"{it.line}/move?to={it.rows[1]}")
        assert "at the same time" not in near.text("main")
        page = visitor.get(f"{it.line}/move?to={it.rows[2]}")
        assert "Foot bath, in the same order, overlaps with this" in page.text("[role=status]")
        visitor.post(f"{it.line}/move", page.form("main form"), 303)
        assert facts(app, it)["at"] == 2

    def test_a_price_that_changed_meanwhile_is_shown_before_it_is_charged(self, app, visitor, shop):
        it = shop()
        form = visitor.get(f"{it.line}/move?to={it.rows[1]}").form("main form")
        settle(app, lambda: setattr(fetch(Session, it.rows[1]), "price", 5000))
        page = visitor.post(f"{it.line}/move", form, 409)
        assert "The price of that session has changed" in page.text("[role=alert]")
        assert "+£4.00" in page.text("main")
        assert facts(app, it)["at"] == 0
        visitor.post(f"{it.line}/move", page.form("main form"), 303)
        assert facts(app, it)["money"] == [9600, 400]

    def test_m7_a_place_that_went_meanwhile_keeps_the_old_one(self, app, visitor, shop, make):
        it = shop()
        form = visitor.get(f"{it.line}/move?to={it.rows[1]}").form("main form")
        settle(app, lambda: setattr(fetch(Session, it.rows[1]), "capacity", 1))
        page = visitor.post(f"{it.line}/move", form, 409)
        assert "Nothing was changed. Only 1 place left" in page.text("[role=alert]")
        assert page.all(".opts a")
        assert facts(app, it)["at"] == 0

    @pytest.mark.parametrize(
        "query",
        ["month=1999-01", "month=9999-12", "month=2026-13", "month=x", "date=x", "date=9999-12-31"],
    )
    def test_senseless_addresses_show_what_there_is(self, visitor, shop, query):
        it = shop()
        assert visitor.get(f"{it.line}/move?{query}").all(".opts a, .days a, .chips a")

    def test_a_foreign_session_is_not_found(self, visitor, shop, make):
        it = shop()
        other = make(lambda: make_session(local_start="2030-01-01T10:00").id)
        for wrong in (other, "x" * 300, ""):
            if wrong:
                visitor.get(f"{it.line}/move?to={wrong}", 404)
            visitor.post(f"{it.line}/move", {"to": wrong, "seen": "0", "price": "4800"}, 404)


class TestGivingUp:
    def late(self, shop, **given):
        return shop(
            hours=20, customer_cancellation_min_duration="P1D", waitlist_enabled=True, **given
        )

    def test_a_place_is_offered_and_taken_back(self, app, visitor, shop):
        it = self.late(shop, guests=1)
        page = visitor.get(f"{it.line}/cancellation")
        assert page.all(f"main a[href='{it.line}/release']")
        page = visitor.get(f"{it.line}/release")
        assert facts(app, it)["released"] == 0
        visitor.post(f"{it.line}/release", page.form("main form"), 303)
        after = facts(app, it)
        assert (after["released"], after["places"], after["money"]) == (1, 1, [4800])
        page = visitor.get(it.order)
        assert "yours until somebody takes it" in page.text(".change")
        visitor.post(f"{it.line}/release/withdrawal", page.form(".change form"), 303)
        assert facts(app, it)["released"] == 0
        page = visitor.post(f"{it.line}/release/withdrawal", {}, 409)
        assert "Nothing is on offer any more" in page.text("[role=alert]")

    def test_how_many_is_asked_of_a_party(self, app, visitor, shop):
        it = self.late(shop, guests=3, min_guests=2)
        page = visitor.get(f"{it.line}/release")
        assert [option["value"] for option in page.all("select option")] == ["1", "3"]
        form = page.form("main form")
        page = visitor.post(f"{it.line}/release", {**form, "places": "2"}, 422)
        assert "Choose how many places" in page.text("#places-error")
        visitor.post(f"{it.line}/release", {**form, "places": "1"}, 303)
        assert facts(app, it)["released"] == 1

    def test_without_a_waitlist_there_is_nobody_to_give_it_to(self, visitor, shop):
        it = shop(hours=20, customer_cancellation_min_duration="P1D")
        assert not visitor.get(f"{it.line}/cancellation").all("a[href$=release]")
        page = visitor.get(f"{it.line}/release")
        assert "This session has no waitlist." in page.text("main")
        assert PHONE in page.text("main")
        visitor.post(f"{it.line}/release", {"places": "2"}, 422)
        early = visitor.get(f"{it.line}/release")
        assert not early.all("main form")

    def test_the_account_says_that_a_place_is_on_offer(self, app, visitor, make):
        it = make(
            lambda: Shop(
                account=make_account().id, guests=1, hours=20, waitlist_enabled=True,
                customer_cancellation_min_duration="P1D",
            )
        )  # fmt: skip
        visitor.sign_in("ana@example.com", "quiet-rooms")
        assert f"{it.line}/release" in str(visitor.get("/account/").one(".acts"))

        def offer():
            door = door_of_order(it.secret, it.booking_id)
            release_places(door, it.booking_id, 1, now=read_clock())

        settle(app, offer)
        assert "yours until somebody takes it" in visitor.get("/account/").text(".bk .until")


class TestByStaff:
    def test_r29_staff_take_out_a_guest_past_the_policy(self, app, maren, shop):
        it = shop(guests=3, customer_cancellation_permitted="disallowed")
        browser = maren(it)
        assert f"{it.desk}/guests" in str(browser.get(it.roster).one("#roster .dots-menu"))
        form = browser.get(f"{it.desk}/guests").form("main form")
        assert form["tell"] == "yes"
        fields = {**form, "number": "1"}
        page = browser.post(f"{it.desk}/guests", {**fields, "reason": " "}, 422)
        assert "Say why" in page.text("#reason-error")
        page = browser.post(f"{it.desk}/guests", {**fields, "number": "3", "reason": "Ill"}, 422)
        assert "That is everybody." in page.text("#who-error")
        assert page.form("main form")["reason"] == "Ill"
        browser.post(f"{it.desk}/guests", {**fields, "reason": "Ill"}, 303)
        after = facts(app, it)
        assert (after["places"], after["mails"]) == (2, ["booking_changed"])

    def test_r20_staff_move_a_booking_and_tell_or_not(self, app, maren, shop):
        it = shop(customer_cancellation_permitted="disallowed")
        browser = maren(it)
        assert f"{it.desk}/move" in str(browser.get(it.roster).one("#roster .dots-menu"))
        settle(app, lambda: setattr(fetch(Session, it.rows[1]), "price", 3000))
        assert browser.get(f"{it.desk}/move").all(".days a")
        page = browser.get(f"{it.desk}/move?to={it.rows[1]}")
        assert f"The new time costs less {MINUS}£36.00" in page.text("main")
        form = page.form("main form")
        del form["tell"]
        page = browser.post(f"{it.desk}/move", {**form, "price": "1"}, 409)
        assert "The price of that session has changed" in page.text("[role=alert]")
        browser.post(f"{it.desk}/move", form, 303)
        after = facts(app, it)
        assert (after["at"], after["money"], after["mails"]) == (1, [9600, -3600], [])
        page = browser.get(f"/staff/bath/sessions/{it.rows[1]}")
        assert "Moved here." in page.text(".note--ok")

    @pytest.mark.parametrize("tells", [True, False])
    def test_the_guest_is_told_of_a_cancellation_unless_unticked(self, app, maren, shop, tells):
        it = shop()
        browser = maren(it)
        form = browser.get(f"{it.desk}/cancellation").form("main form")
        if not tells:
            del form["tell"]
        browser.post(f"{it.desk}/cancellation", {**form, "reason": "Boiler"}, 303)
        after = facts(app, it)
        assert (after["by"], after["mails"]) == ("staff", ["booking_cancelled"] if tells else [])

    def test_d1_another_venues_desk_finds_nothing(self, maren, shop, make):
        it = shop()
        other = make(lambda: find_order(make_order(make_session())).items[0].booking.id)
        browser = maren(it)
        for page in ("cancellation", "guests", "move"):
            browser.get(f"/staff/bath/bookings/{other}/{page}", 404)
            fields = {"reason": "Ill", "seen": "0", "to": it.rows[1], "price": "1"}
            browser.post(f"/staff/bath/bookings/{other}/{page}", fields, 404)

    def test_who_is_here_stays(self, app, maren, shop):
        it = shop()
        browser = maren(it)
        browser.post(f"{it.desk}/check-in", {"set": "true"}, 303)
        for page in ("cancellation", "guests", "move"):
            assert "here already" in browser.get(f"{it.desk}/{page}", 422).text("main")
        fields = {"to": it.rows[1], "seen": "0", "price": "4800"}
        page = browser.post(f"{it.desk}/move", fields, 409)
        assert "here already" in page.text("main")


def test_m8_what_was_agreed_is_kept_when_a_booking_moves(app, visitor, shop):
    it = shop(customer_cancellation_min_duration="P1D")

    def policy():
        with app.app_context():
            row = fetch(SessionBooking, it.booking_id)
            return dict(fetch(OrderItem, row.order_item_id).policy)

    before = policy()
    visitor.post(
        f"{it.line}/move", visitor.get(f"{it.line}/move?to={it.rows[2]}").form("main form")
    )
    assert facts(app, it)["at"] == 2
    assert policy() == before


def test_what_a_form_sends_is_never_a_server_error(visitor, shop):
    it = shop()
    long, odd = "9" * 5000, "\u0663"
    for page in ("cancellation", "guests", "move", "release"):
        for value in ("", long, odd, "-1", "1e9", "<b>"):
            fields = dict.fromkeys(("seen", "key", "to", "price", "number", "who", "places"), value)
            answer = visitor.post(f"{it.line}/{page}", fields)
            assert answer.status in (404, 409, 422), (page, value)
        visitor.post(f"{it.line}/{page}", {"seen": "\0"}, 400)
