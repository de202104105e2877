"""The roster whole: fees and their waiver, more guests, who waits, keys, and constant queries."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from factories import (
    ANYWHERE,
    fetch,
    make_booked_line,
    make_form,
    make_order,
    make_session,
    make_site,
    make_staff,
    make_type,
)
from sqlalchemy import event

from blueprints.clock import read_clock
from domain.intake import Field
from models import LedgerEntry, Session, SessionBooking, SessionType, Site, db, transaction
from services.waiting import join

PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}
FEES = {
    "late_after_minutes": 15, "late_fee": 1000, "no_show_fee": 2500, "fees_waivable_hours": 24,
}  # fmt: skip
BOTH = ("RESERVATIONS_MANAGE", "ORDERS_MANAGE")


def started(kind, minutes=40, **given):
    """A session that began so long ago."""
    local = read_clock().astimezone(ZoneInfo("Europe/London")).replace(tzinfo=None)
    return make_session(
        kind, local_start=local - dt.timedelta(minutes=minutes), **{"capacity": 8, **given}
    )


@pytest.fixture
def house(make):
    def build():
        site = make_site(slug="bath")
        kind = make_type(site, slug="circuit", max_per_guest=1, **FEES)
        row = started(kind)
        before = row.start_time - dt.timedelta(days=1)
        order = make_order(row, guests=2, people=("Jude Moss",), now=before)
        make_staff(site, rights=BOTH)
        line = db.session.scalars(sa.select(SessionBooking), execution_options=ANYWHERE).one()
        return {
            "org": site.organisation_id, "site": site.id, "kind": kind.id, "session": row.id,
            "booking": line.id, "order": line.order_id, "secret": order,
            "page": f"/staff/bath/sessions/{row.id}", "desk": f"/staff/bath/bookings/{line.id}",
        }  # fmt: skip

    return make(build)


@pytest.fixture
def maren(visitor, house):
    visitor.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    return visitor


def line(page, house):
    return page.text(f"#b-{house['booking']}")


def test_a_late_check_in_shows_its_fee_and_undo_takes_it_back(maren, house):
    form = maren.get(house["page"]).form(f"#b-{house['booking']} form[action*=check-in]")
    assert form["key"], "each tap has a key"
    page = maren.post(f"{house['desk']}/check-in", form, 200, headers=PARTIAL)
    assert "Late fee £20" in line(page, house)
    assert "£116 due" in line(page, house)
    page = maren.post(f"{house['desk']}/check-in", {"set": "false"}, 200, headers=PARTIAL)
    assert "Late fee" not in line(page, house)
    assert "£96 due" in line(page, house)
    # The first tap, sent once more by a queue: it was done already.
    page = maren.post(f"{house['desk']}/check-in", form, 200, headers=PARTIAL)
    assert "Not arrived" in line(page, house)


def test_a_tap_that_was_queued_says_when_it_was_made(maren, house):
    seen = maren.get(house["page"]).one(f"#b-{house['booking']}")["data-mark"]
    fields = {"set": "true", "key": "q-1", "seen": seen, "ago": str(30 * 60)}
    page = maren.post(f"{house['desk']}/check-in", fields, 200, headers=PARTIAL)
    assert "Arrived" in line(page, house)
    assert "Late fee" not in line(page, house)
    for odd in ("soon", "-5", "9" * 40):
        maren.post(f"{house['desk']}/check-in", {"set": "true", "key": odd, "ago": odd}, 303)


def test_a_fee_is_waived_from_the_roster_with_a_reason(app, maren, house):
    maren.post(f"{house['desk']}/no-show", {"set": "true"}, 303)
    page = maren.get(house["page"])
    etag = page.response.headers["ETag"]
    maren.get(house["page"], 304, headers={"If-None-Match": etag})
    link = page.one(f"#b-{house['booking']} a[data-key=w]")
    page = maren.get(str(link["href"]))
    assert "No-show fee" in page.text("main")
    form = page.form("main form")
    page = maren.post(f"{house['desk']}/fee", {**form, "reason": " "}, 422)
    assert "Say why" in page.text("#reason-error")
    assert page.text("title").startswith("Error:")
    maren.post(f"{house['desk']}/fee", {**form, "reason": "Ill"}, 303)
    maren.post(f"{house['desk']}/fee", {**form, "reason": "Ill"}, 303)
    # Colleagues see it with their next look: the page has changed.
    page = maren.get(house["page"], headers={"If-None-Match": etag})
    assert "No-show fee" not in line(page, house)
    assert "No-show" in line(page, house)
    page = maren.post(f"{house['desk']}/fee", {"reason": "Again", "key": "other"}, 409)
    assert "No fee stands on this booking any more." in page.text("[role=alert]")
    with app.app_context():
        sums = db.session.scalars(sa.select(LedgerEntry.amount), execution_options=ANYWHERE)
        assert sorted(sums) == [-5000, 5000, 9600]


def test_a_fee_is_waived_from_its_order_and_leads_back_there(maren, house):
    maren.post(f"{house['desk']}/check-in", {"set": "true"}, 303)
    order = f"/staff/bath/orders/{house['order']}"
    page = maren.get(order)
    assert "Late fee £20" in page.text(".fee-line")
    assert "Late fee" in page.text(".ledger")
    link = str(page.one(".fee-line a")["href"])
    form = maren.get(link).form("main form")
    answer = maren.post(f"{house['desk']}/fee", {**form, "reason": "Snow"}, 303)
    assert answer.response.headers["Location"] == order
    page = maren.get(order)
    assert "Late fee waived" in page.text(".ledger")
    assert "Snow" in page.text(".ledger")
    assert not page.all(".fee-line")


def test_the_customer_reads_the_rules_before_and_the_fee_after(maren, house):
    said = "Coming more than 15 minutes late costs £10 a guest."
    assert said in maren.get("/bath/book/circuit").text(".spec")
    page = maren.get(f"/bookings/{house['secret']}")
    assert said in page.text("main")
    assert "Late fee" not in page.text(".paid")
    maren.post(f"{house['desk']}/check-in", {"set": "true"}, 303)
    page = maren.get(f"/bookings/{house['secret']}")
    assert "Late fee £20.00" in page.text(".paid")
    assert "£116.00" in page.text(".paid .total")


def test_a_fee_that_has_stood_too_long_says_so_and_whoever_may_is_led_to_the_order(
    maren, house, make
):
    maren.post(f"{house['desk']}/no-show", {"set": "true"}, 303)

    def age():
        with transaction():
            item = fetch(SessionBooking, house["booking"]).order_item
            item.policy = {**item.policy, "fees_waivable_hours": -1}

    make(age)
    page = maren.get(f"{house['desk']}/fee")
    assert "The time for waiving it has passed." in page.text("main")
    assert page.all(f"main a[href$='/orders/{house['order']}']")
    assert not maren.get(house["page"]).all("a[data-key=w]")
    page = maren.post(f"{house['desk']}/fee", {"reason": "Ill", "key": "k"}, 422)
    assert "could be waived" in page.text("[role=alert]")


def test_guests_are_added_by_name_from_the_roster_and_told(app, maren, house):
    link = maren.get(house["page"]).one(f"#b-{house['booking']} a[data-key=g]")
    page = maren.get(str(link["href"]))
    assert "6 places are free. Each costs £48, as was agreed." in page.text("main")
    form = page.form("main form")
    url = f"{house['desk']}/more-guests"
    page = maren.post(url, {**form, "guest-0": "jude moss"}, 422)
    assert "comes already" in page.text("#guest-0-error")
    assert page.one("#guest-0")["value"] == "jude moss"
    page = maren.post(url, form, 422)
    assert "Say who comes along." in page.text("[role=alert]")
    for _ in range(2):
        answer = maren.post(url, {**form, "guest-0": "Noa Lind"}, 303)
    assert answer.response.headers["Location"].endswith(f"{house['page']}#b-{house['booking']}")
    page = maren.get(house["page"])
    assert "3 guests, with Jude Moss, Noa Lind" in line(page, house)
    page = maren.post(url, {**form, "key": "late", "guest-0": "Per Ek"}, 409)
    assert "has changed since you opened the page" in page.text("[role=alert]")


def test_more_than_there_is_room_for_is_a_clear_no(maren, house, make):
    def fill():
        with transaction():
            fetch(Session, house["session"]).capacity = 2

    make(fill)
    form = maren.get(f"{house['desk']}/more-guests").form("main form")
    page = maren.post(f"{house['desk']}/more-guests", {**form, "guest-0": "Noa Lind"}, 409)
    assert "just went" in page.text("[role=alert]")
    assert page.one("#guest-0")["value"] == "Noa Lind"


def test_who_waits_stands_beside_the_roster_and_is_offered_places_from_there(maren, house, make):
    def wait():
        row = started(fetch(SessionType, house["kind"]), minutes=-600, capacity=2,
                      waitlist_enabled=True)  # fmt: skip
        make_booked_line(row, guests=2, names=("Jude Moss",))
        for name, guests in (("Ben", 2), ("Cleo", 1)):
            join(
                house["org"], row.id, guests=guests, name=name,
                email=f"{name}@example.com", now=read_clock(),
            )  # fmt: skip
        with transaction():
            fetch(Session, row.id).capacity = 3
        return row.id

    url = f"/staff/bath/sessions/{make(wait)}"
    page = maren.get(url)
    assert [item.b.get_text() for item in page.all(".wl li")] == ["Ben", "Cleo"]
    offer = page.one(".wl form")
    answer = maren.post(str(offer["action"]), page.form(".wl form"), 303)
    assert answer.response.headers["Location"] == url
    assert "offered until" in maren.get(url).text(".wl")


def test_every_key_of_the_list_presses_something_that_stands_on_the_page(maren, house):
    page = maren.get(house["page"])
    row = page.one(f"#b-{house['booking']}")
    assert row["data-guest"] == "Ana Reyes"
    keys = {tag["data-key"] for tag in row.select("[data-key]")}
    assert keys == {"c", "n", "m", "g"}
    for tag in row.select("button[data-key]"):
        assert tag["aria-keyshortcuts"] == tag["data-key"]
        assert tag.find_parent("form")["method"] == "post"
    maren.post(f"{house['desk']}/check-in", {"set": "true"}, 303)
    row = maren.get(house["page"]).one(f"#b-{house['booking']}")
    assert {tag["data-key"] for tag in row.select("[data-key]")} == {"s", "u", "n", "g", "w"}
    assert maren.get(house["page"]).one("[data-roster-said]")["role"] == "status"


def test_without_the_right_to_orders_no_link_leads_there(other_visitor, house, make):
    make(lambda: make_staff(fetch(Site, house["site"]), "x@b.example"))
    other_visitor.sign_in("x@b.example", "thermal-waters", "/staff/sign-in")
    page = other_visitor.get(house["page"])
    assert "£96 due" in line(page, house)
    assert not page.all("a[href*='/orders/']")


@pytest.mark.parametrize("what", ["fee", "more-guests"])
def test_r1_what_is_of_another_site_is_not_found(visitor, house, make, what):
    make(lambda: make_staff(make_site(slug="elsewhere"), "stranger@example.com"))
    visitor.sign_in("stranger@example.com", "thermal-waters", "/staff/sign-in")
    url = f"/staff/elsewhere/bookings/{house['booking']}/{what}"
    visitor.get(url, 404)
    visitor.post(url, {"reason": "x", "guest-0": "Noa", "key": "k"}, 404)


def test_sixty_guests_are_answered_in_as_many_queries_as_five(app, maren, house, make):
    def fill(number):
        def build():
            kind = fetch(SessionType, house["kind"])
            if number == 5:
                make_form(kind, Field("ill", "Anything?"))
            row = started(kind, minutes=-600, capacity=100, waitlist_enabled=True)
            for n in range(number):
                made = make_booked_line(row, name=f"Guest {n}")
                with transaction():
                    made.fee, made.booked_by_id = 100, "a" * 24
            with transaction():
                fetch(Session, row.id).capacity = number
            for n in range(number // 3):
                join(house["org"], row.id, guests=1, name=f"W {n}",
                     email=f"w{n}-{number}@example.com", now=read_clock())  # fmt: skip
            return row.id

        return make(build)

    numbers = []
    for number in (5, 60):
        url, asked = f"/staff/bath/sessions/{fill(number)}", []

        def note(_conn, _cursor, statement, *_rest, asked=asked):
            asked.append(statement)

        with app.app_context():
            engine = db.engine
        event.listen(engine, "before_cursor_execute", note)
        page = maren.get(url)
        event.remove(engine, "before_cursor_execute", note)
        assert len(page.all(".roster > li")) == number
        numbers.append(len(asked))
    assert numbers[0] == numbers[1] <= 25, numbers
