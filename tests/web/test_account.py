"""Doors, mailed links, own bookings and settings, as people meet them."""

import datetime as dt
import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from factories import (
    ANYWHERE,
    NOW,
    fetch,
    make_account,
    make_member,
    make_order,
    make_room,
    make_session,
    make_site,
    make_staff,
    make_type,
    save,
)

from blueprints.links import sign_link
from domain.sign_in_tries import MOST_TRIES
from models import (
    Account,
    AccountLink,
    Base,
    LedgerEntry,
    Membership,
    Order,
    SessionBooking,
    db,
    new_object_id,
)
from services.outbox import list_jobs

ANA = {"email": "ana@example.com", "password": "quiet-rooms"}
GOOD = "river stones at dusk"


@pytest.fixture
def last_link(make):
    """The address in the newest mail with a link of this purpose, as its reader would open it."""
    pages = {
        "register": "register",
        "sign_in": "sign-in-link",
        "reset": "password-reset",
        "change_address": "address",
    }

    def find(purpose, **changed):
        def look():
            link = db.session.scalars(
                sa.select(AccountLink)
                .where(AccountLink.purpose == purpose)
                .order_by(AccountLink.created_at.desc())
            ).first()
            assert link is not None, f"no {purpose} link was mailed"
            for name, value in changed.items():
                setattr(link, name, value)
            db.session.commit()
            return f"/account/{pages[purpose]}/{sign_link(link.id, purpose)}"

        return make(look)

    return find


def ask(browser, page, email="ana@example.com", **fields):
    return browser.post(f"/account/{page}", {"email": email, **fields}, 303)


def follow(browser, page):
    return browser.get(page.response.headers["Location"])


def counted(app, deed):
    """What `deed` returns, and how many statements it took."""
    statements = []

    def count(*given):
        statements.append(given[2])

    with app.app_context():
        engine = db.engine
    sa.event.listen(engine, "before_cursor_execute", count)
    try:
        return deed(), len(statements)
    finally:
        sa.event.remove(engine, "before_cursor_execute", count)


def plain(page, *echoes):
    """A page without what differs for everybody: tokens, and the address that was typed."""
    html = re.sub(r'(name="csrf_token" value=")[^"]+', r"\1", page.html)
    for echo in echoes:
        html = html.replace(echo, "…")
    return html


# ---- Doors tell nobody who is known ----------------------------------------


@pytest.mark.parametrize("door", ["register", "sign-in-link", "password-reset"])
def test_a_door_answers_the_same_for_known_and_unknown(app, make, visitor, other_visitor, door):
    make(make_account)
    seen = []
    for browser, email in ((visitor, "ana@example.com"), (other_visitor, "bob@example.com")):
        page = ask(browser, door, email, name="Somebody")
        shown = follow(browser, page)
        seen.append((page.html, page.response.headers["Location"], plain(shown, email)))
    assert seen[0] == seen[1]
    assert "Check your mail" in seen[0][2]
    with app.app_context():
        assert len(list_jobs("mail")) == 2


def test_a_wrong_password_answers_the_same_for_known_and_unknown(make, visitor, other_visitor):
    make(make_account)
    seen = {
        plain(browser.post("/account/sign-in", {"email": email, "password": "x"}, 422), email)
        for browser, email in ((visitor, "ana@example.com"), (other_visitor, "bob@example.com"))
    }
    assert len(seen) == 1


def test_too_many_tries_close_the_door_with_the_time_to_wait(make, visitor, other_visitor):
    make(make_account)
    seen = set()
    for browser, email in ((visitor, "ana@example.com"), (other_visitor, "bob@example.com")):
        for _ in range(MOST_TRIES):
            browser.post("/account/sign-in", {"email": email, "password": "x"}, 422)
        page = browser.post("/account/sign-in", {"email": email, "password": "quiet-rooms"}, 429)
        assert 0 < int(page.response.headers["Retry-After"]) <= 900
        assert "have a sign-in link mailed to you" in page.text(".note--bad")
        assert page.all("button[formaction='/account/sign-in-link']")
        seen.add(plain(page, email))
    assert len(seen) == 1
    # Another person's door stays open, and so does the way by mail.
    make(lambda: make_account("dev@example.com", "Dev", "warm-stone-two"))
    visitor.sign_in("dev@example.com", "warm-stone-two")


def test_asking_too_often_gets_the_same_answer_and_no_mail(app, visitor):
    pages = {
        plain(follow(visitor, ask(visitor, "sign-in-link")), "ana@example.com") for _ in range(8)
    }
    assert len(pages) == 1
    with app.app_context():
        assert len(list_jobs("mail")) == 5


@pytest.mark.parametrize("door", ["register", "sign-in-link", "password-reset"])
@pytest.mark.parametrize("email", ["", "ana", "a@b", "a b@example.com", "x" * 300 + "@example.com"])
def test_an_address_that_is_none_is_refused_on_its_field(visitor, door, email):
    page = visitor.post(f"/account/{door}", {"email": email, "name": "Ana"}, 422)
    assert page.soup.title.get_text().startswith("Error:")
    assert page.all("#email[aria-invalid]")
    assert page.one("#email")["value"] == email
    assert page.all(".summary a[href='#email']")


def test_a_name_with_markup_opens_nothing(visitor):
    page = visitor.post("/account/register", {"email": "a@example.com", "name": "<b>Ana"}, 422)
    assert "Leave out the < and > signs." in page.text(".summary")
    visitor.post("/account/register", {"email": "a\0@example.com", "name": "Ana"}, 400)


# ---- Opening an account -----------------------------------------------------


def test_an_account_opens_with_its_link_and_has_the_guest_bookings(visitor, make, last_link):
    make(lambda: make_order(make_session()))
    visitor.get("/account/register")
    ask(visitor, "register", name="Ana Reyes", next="/")
    link = last_link("register")
    page = visitor.get(link)
    assert page.one("#name")["value"] == "Ana Reyes"
    assert "ana@example.com" in page.text("main")
    refused = visitor.post(link, {"name": "Ana Reyes", "password": "short"}, 422)
    assert "at least 10 characters" in refused.text(".summary")
    answer = visitor.post(link, {"name": "Ana Reyes", "password": GOOD}, 303)
    assert answer.response.headers["Location"] == "/"
    mine = visitor.get("/account/")
    assert "Thermal circuit" in mine.text(".bk")
    visitor.post("/account/sign-out", {}, 303)
    visitor.sign_in("ana@example.com", GOOD)


def test_a_password_may_be_left_out_and_chosen_later(visitor, last_link):
    ask(visitor, "register", name="Ana Reyes")
    visitor.post(last_link("register"), {"name": "Ana", "password": ""}, 303)
    page = visitor.get("/account/details")
    assert not page.all("#current")
    assert "Set password" in page.text("main")
    visitor.post("/account/password", {"password": GOOD}, 303)
    visitor.post("/account/sign-out", {}, 303)
    visitor.sign_in("ana@example.com", GOOD)
    assert visitor.get("/account/details").all("#current")


# ---- Links ------------------------------------------------------------------


def test_a_sign_in_link_opens_the_door_once(visitor, other_visitor, make, last_link):
    make(make_account)
    ask(visitor, "sign-in-link", next="/account/details")
    link = last_link("sign_in")
    assert "ana@example.com" in visitor.get(link).text("main")
    visitor.get("/account/", 303)
    answer = visitor.post(link, {}, 303)
    assert answer.response.headers["Location"] == "/account/details"
    visitor.get("/account/")
    for again in (other_visitor.get(link, 410), other_visitor.post(link, {}, 410)):
        assert "used already" in again.text("main")
        assert again.all("a[href='/account/sign-in-link']")
    assert "You are signed in" in visitor.get(link, 410).text("main")
    other_visitor.get("/account/", 303)


@pytest.mark.parametrize(
    ("seconds", "status"), [(-1, 410), (0, 410), (3600, 200)], ids=["late", "at the end", "in time"]
)
def test_an_old_link_offers_a_new_one(visitor, make, last_link, seconds, status):
    make(make_account)
    for door, purpose, again in (
        ("sign-in-link", "sign_in", "/account/sign-in-link"),
        ("password-reset", "reset", "/account/password-reset"),
    ):
        ask(visitor, door)
        link = last_link(purpose, expires_at=NOW + dt.timedelta(seconds=seconds))
        page = visitor.get(link, status)
        assert bool(page.all(f"main a[href='{again}']")) == (status == 410)
    ask(visitor, "register", "new@example.com", name="Ana")
    link = last_link("register", expires_at=NOW + dt.timedelta(seconds=seconds))
    page = visitor.get(link, status)
    assert bool(page.all("main a[href='/account/register']")) == (status == 410)


def test_a_tampered_or_foreign_link_is_told_apart_from_nothing(visitor, make, last_link):
    make(make_account)
    ask(visitor, "sign-in-link")
    ask(visitor, "password-reset")
    link, reset = last_link("sign_in"), last_link("reset")
    token = link.rpartition("/")[2]
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    wrong = [
        # Four last letters in a row carry the same bits.
        *(link[:-1] + letter for letter in letters if letter != link[-1]),
        link[:-4],
        "/account/sign-in-link/x",
        "/account/sign-in-link/" + "x" * 2000,
        "/account/sign-in-link/é",
        f"/account/password-reset/{token}",
        f"/account/register/{token}",
        f"/account/sign-in-link/{reset.rpartition('/')[2]}",
    ]
    for address in wrong:
        page = visitor.get(address, 404)
        assert "We don't know this link" in page.text("main")
        visitor.post(address, {"password": GOOD, "name": "Ana"}, 404)
    visitor.post(link, {}, 303)


def test_h7_of_two_presses_at_once_one_signs_in(app, make, last_link):
    make(make_account)
    client = app.test_client()
    app.config["WTF_CSRF_ENABLED"] = False
    try:
        client.post("/account/sign-in-link", data={"email": "ana@example.com"})
        link = last_link("sign_in")
        with ThreadPoolExecutor(4) as pool:
            said = list(pool.map(lambda _n: app.test_client().post(link).status_code, range(4)))
    finally:
        app.config["WTF_CSRF_ENABLED"] = True
    assert sorted(said) == [303, 410, 410, 410]


def test_h7_no_get_of_an_account_changes_anything(app, visitor, make, last_link):
    make(lambda: make_order(make_session(), account_id=make_account().id))
    visitor.sign_in(**ANA)
    for door, fields in (
        ("sign-in-link", {}),
        ("password-reset", {}),
        ("address", {"email": "new@example.com", "address_password": "quiet-rooms"}),
    ):
        ask(visitor, door, **fields)
    ask(visitor, "register", "fresh@example.com", name="Ana")

    def snapshot():
        with app.app_context():
            return [
                sorted(map(str, db.session.execute(table.select(), execution_options=ANYWHERE)))
                for table in Base.metadata.sorted_tables
            ]

    links = [last_link(purpose) for purpose in ("sign_in", "reset", "register", "change_address")]
    before = snapshot()
    for link in links:
        visitor.get(link)
    for page in ("", "?show=past", "?show=nothing", "details", "closing", "data.json"):
        visitor.get(f"/account/{page}")
    for page in ("sign-in", "register", "sign-in-link", "password-reset", "check-mail"):
        visitor.get(f"/account/{page}")
    assert snapshot() == before


def test_a_forgotten_password_is_changed_and_other_devices_are_out(
    visitor, other_visitor, make, last_link
):
    make(make_account)
    other_visitor.post("/account/sign-in", {**ANA, "remember": "y"}, 303)
    ask(visitor, "password-reset")
    ask(visitor, "sign-in-link")
    link, sign_in = last_link("reset"), last_link("sign_in")
    page = visitor.post(link, {"password": "password123"}, 422)
    assert "many people use" in page.text(".summary")
    visitor.post(link, {"password": GOOD}, 303)
    assert "Your password is changed" in visitor.get("/account/").text(".note--ok")
    other_visitor.get("/account/", 303)
    visitor.get(sign_in, 410)
    other_visitor.post("/account/sign-in", ANA, 422)
    other_visitor.sign_in("ana@example.com", GOOD)


def test_staff_come_back_to_the_desk_by_a_mailed_link(visitor, make, last_link):
    make(lambda: make_staff(make_site(slug="bath")))
    page = visitor.get("/staff/sign-in")
    links = [tag["href"] for tag in page.all("main a[href*='next=']")]
    assert links == ["/account/password-reset?next=/staff/", "/account/sign-in-link?next=/staff/"]
    form = visitor.get(links[0]).form("main form")
    assert form["next"] == "/staff/"
    visitor.post("/account/password-reset", {**form, "email": "maren@example.com"}, 303)
    answer = visitor.post(last_link("reset"), {"password": GOOD}, 303)
    assert answer.response.headers["Location"] == "/staff/"


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_a_link_leads_to_our_own_pages_only(visitor, make, last_link, target):
    make(make_account)
    ask(visitor, "sign-in-link", next=target)
    answer = visitor.post(last_link("sign_in"), {}, 303)
    assert answer.response.headers["Location"] == "/account/"


# ---- Visits -----------------------------------------------------------------


def test_signing_in_begins_a_visit_with_nothing_of_the_one_before(visitor, make, last_link):
    make(make_account)
    for sign_in in (
        lambda: visitor.sign_in(**ANA),
        lambda: visitor.post(last_link("sign_in"), {}, 303),
    ):
        ask(visitor, "sign-in-link")
        with visitor.client.session_transaction() as visit:
            planted = visit["csrf_token"]
            visit["planted"] = "by a stranger"
            visit["baskets"] = {"a site": "a basket"}
        sign_in()
        with visitor.client.session_transaction() as visit:
            assert "planted" not in visit
            assert visit.get("csrf_token") != planted
            assert visit["baskets"] == {"a site": "a basket"}
        visitor.post("/account/sign-out", {}, 303)


def test_keep_me_signed_in_outlives_a_change_of_password(visitor, make):
    make(make_account)
    visitor.post("/account/sign-in", {**ANA, "remember": "y"}, 303)
    visitor.post("/account/password", {"current": "quiet-rooms", "password": GOOD}, 303)
    visitor.client.delete_cookie("sundial")
    assert "Ana Reyes" in visitor.get("/account/").text("main")


def test_signing_out_everywhere_ends_every_visit(visitor, other_visitor, make):
    make(make_account)
    for browser in (visitor, other_visitor):
        browser.post("/account/sign-in", {**ANA, "remember": "y"}, 303)
    page = visitor.post("/account/sign-out-everywhere", {}, 303)
    assert "signed out on every device" in follow(visitor, page).text(".note--ok")
    for browser in (visitor, other_visitor):
        browser.get("/account/", 303)


# ---- Your details -----------------------------------------------------------


def test_details_are_known_and_kept_when_refused(visitor, make):
    make(make_account)
    visitor.sign_in(**ANA)
    page = visitor.get("/account/details")
    assert page.one("#name")["value"] == "Ana Reyes"
    assert "ana@example.com" in page.text("main")
    page = visitor.post("/account/name", {"name": "x" * 201}, 422)
    assert page.one("#name")["value"] == "x" * 201
    assert "too long" in page.text(".summary")
    # Asking for the refused page's address again leads back to the form.
    for part in ("name", "address", "password"):
        back = visitor.get(f"/account/{part}", 302)
        assert back.response.headers["Location"] == "/account/details"
    visitor.post("/account/name", {"name": "Ana Duarte"}, 303)
    assert visitor.get("/account/details").one("#name")["value"] == "Ana Duarte"


def test_a_new_password_wants_the_old_one(visitor, make):
    make(make_account)
    visitor.sign_in(**ANA)
    page = visitor.post("/account/password", {"current": "wrong", "password": GOOD}, 422)
    assert "That isn't your password." in page.text(".summary")
    assert page.all(".summary a[href='#current']")
    page = visitor.post("/account/password", {"current": "quiet-rooms", "password": "short"}, 422)
    assert page.all(".summary a[href='#password']")
    for _ in range(MOST_TRIES):
        visitor.post("/account/password", {"current": "wrong", "password": GOOD}, 422)
    page = visitor.post("/account/password", {"current": "quiet-rooms", "password": GOOD}, 429)
    assert page.response.headers["Retry-After"]


def test_a_new_address_is_confirmed_by_its_owner(visitor, other_visitor, make, last_link):
    make(make_account)
    visitor.post("/account/sign-in", {**ANA, "remember": "y"}, 303)
    wrong = {"email": "ana@new.example", "address_password": "wrong"}
    page = visitor.post("/account/address", wrong, 422)
    assert page.one("#email")["value"] == "ana@new.example"
    right = {**wrong, "address_password": "quiet-rooms"}
    shown = follow(visitor, visitor.post("/account/address", right, 303))
    assert "ana@new.example" in shown.text("main")
    link = last_link("change_address")
    # Whoever opens it elsewhere signs in first: a press alone gives nobody's address away.
    answer = other_visitor.get(link, 303)
    assert answer.response.headers["Location"] == f"/account/sign-in?next={link}"
    other_visitor.sign_in(**ANA)
    other_visitor.post(link, {}, 303)
    assert "ana@new.example" in other_visitor.get("/account/details").text("main")
    visitor.get("/account/", 303)
    visitor.post("/account/sign-in", ANA, 422)
    visitor.sign_in("ana@new.example", "quiet-rooms")
    visitor.get(link, 410)


def test_an_address_taken_meanwhile_is_told_at_its_link_only(visitor, make, last_link):
    make(make_account)
    visitor.sign_in(**ANA)
    fields = {"email": "bob@example.com", "address_password": "quiet-rooms"}
    free = follow(visitor, visitor.post("/account/address", fields, 303))
    link = last_link("change_address")
    make(lambda: make_account("bob@example.com", "Bob", "another-good-one"))
    taken = follow(visitor, visitor.post("/account/address", fields, 303))
    assert plain(free) == plain(taken)
    page = visitor.post(link, {}, 409)
    assert "belongs to another account" in page.text(".note--bad")
    assert "ana@example.com" in visitor.get("/account/details").text("main")


def test_somebody_elses_address_link_changes_nothing(visitor, other_visitor, make, last_link):
    make(make_account)
    make(lambda: make_account("bob@example.com", "Bob", "another-good-one"))
    visitor.sign_in(**ANA)
    fields = {"email": "bob@elsewhere.example", "address_password": "quiet-rooms"}
    visitor.post("/account/address", fields, 303)
    link = last_link("change_address")
    other_visitor.sign_in("bob@example.com", "another-good-one")
    other_visitor.get(link, 404)
    page = other_visitor.post(link, {}, 404)
    assert "for another account" in page.text("main")


# ---- Closing and data -------------------------------------------------------


def test_closing_shows_what_stays_and_asks_who_it_is(visitor, other_visitor, make):
    secret = make(lambda: make_order(make_session(), account_id=make_account().id))
    for browser in (visitor, other_visitor):
        browser.sign_in(**ANA)
    page = visitor.get("/account/closing")
    assert "1 coming booking" in page.text("main h2")
    assert page.all(f"a[href='/bookings/{secret}']")
    page = visitor.post("/account/closing", {"password": "wrong"}, 422)
    assert "That isn't your password." in page.text(".summary")
    page = visitor.post("/account/closing", {"password": "quiet-rooms"}, 303)
    assert "Your account is closed" in follow(visitor, page).text(".note--ok")
    for browser in (visitor, other_visitor):
        browser.get("/account/", 303)
        browser.get(f"/bookings/{secret}")
    visitor.post("/account/sign-in", ANA, 422)


def test_without_a_password_a_fresh_link_closes_the_account(app, visitor, make, last_link):
    def without():
        account = make_account()
        account.password_hash = None
        db.session.commit()

    make(without)
    ask(visitor, "sign-in-link")
    visitor.post(last_link("sign_in"), {}, 303)
    with visitor.client.session_transaction() as visit:
        visit["proved_at"] = (NOW - dt.timedelta(minutes=16)).isoformat()
    page = visitor.get("/account/closing")
    assert not page.all("form[action='/account/closing']")
    visitor.post("/account/closing", {"password": ""}, 403)
    form = page.form("main form[action='/account/sign-in-link']")
    visitor.post("/account/sign-in-link", form, 303)
    answer = visitor.post(last_link("sign_in"), {}, 303)
    assert answer.response.headers["Location"] == "/account/closing"
    assert visitor.get("/account/closing").all("form[action='/account/closing']")
    visitor.post("/account/closing", {}, 303)
    with app.app_context():
        assert db.session.scalars(sa.select(Account)).all() == []


def test_staff_are_told_whom_to_ask(visitor, make):
    make(lambda: make_staff(make_site(slug="bath")))
    visitor.sign_in("maren@example.com", "thermal-waters")
    assert "Ask the venue's owner" in visitor.get("/account/closing").text(".note")
    page = visitor.post("/account/closing", {"password": "thermal-waters"}, 422)
    assert "Ask the venue's owner" in page.text(".note--bad")


def test_everybody_can_take_their_data_along(visitor, make):
    make(lambda: make_order(make_session(), account_id=make_account().id))
    visitor.get("/account/data.json", 303)
    visitor.sign_in(**ANA)
    answer = visitor.client.get("/account/data.json")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["Cache-Control"] == "no-store"
    found = json.loads(answer.get_data())
    assert found["customers"][0]["orders"][0]["lines"][0]["session_type"] == "Thermal circuit"


# ---- My bookings ------------------------------------------------------------


def test_m5_a_card_says_until_when_it_can_be_cancelled(visitor, make):
    def build():
        site = make_site(phone="01225 555 0142")
        kind = make_type(site, customer_cancellation_min_duration="P1D")
        session = make_session(kind, room_id=make_room(site).id)
        return make_order(session, account_id=make_account().id, guests=2)

    secret = make(build)
    visitor.sign_in(**ANA)
    page = visitor.get("/account/")
    card = page.text(".bk")
    assert "Free to cancel until Thursday 11 June at 18:00" in card
    assert "18:00 to 20:00, Spring Hall, Stillwater Bath" in card
    assert "You and 1 guest" in card
    assert "Confirmed" in card
    assert "£96.00 due at the venue" in card
    assert page.text(".datebox") == "Fri 12 June"
    assert page.all(f".acts a[href='/bookings/{secret}']")
    assert page.all(f".acts a[href='/bookings/{secret}/calendar.ics']")
    acts = [str(link["href"]).rsplit("/", 1)[-1] for link in page.all(".acts a")]
    assert acts == [secret, "calendar.ics", "move", "guests", "cancellation"]


def test_t5_each_booking_stands_in_its_own_sites_time(visitor, make):
    def build():
        account = make_account()
        for zone, place in (("Asia/Tokyo", "Tokyo"), ("Atlantic/Reykjavik", "Reykjavík")):
            kind = make_type(make_site(zone=zone, place=place), price=0)
            make_order(make_session(kind, local_start="2026-06-12T23:30"), account_id=account.id)

    make(build)
    visitor.sign_in(**ANA)
    cards = visitor.get("/account/").all(".bk")
    # By the instant: Tokyo's evening comes first. Each by its own clock, on its own date.
    assert ["Tokyo" in card.get_text() for card in cards] == [True, False]
    for card in cards:
        text = " ".join(card.get_text(" ").split())
        assert "Friday 12 June 2026, 23:30 to 01:30" in text
        assert "Nothing to pay" in text


def test_bookings_stand_in_groups_and_cancelled_ones_say_by_whom(visitor, make):
    def build():
        account = make_account()
        kind = make_type()

        def booked(local_start, **changed):
            session = make_session(kind, local_start=local_start)
            secret = make_order(session, account_id=account.id, now=NOW - dt.timedelta(days=20))
            line = db.session.scalars(
                sa.select(SessionBooking).where(SessionBooking.session_id == session.id),
                execution_options=ANYWHERE,
            ).one()
            for name, value in changed.items():
                setattr(line, name, value)
            db.session.commit()
            return secret

        booked("2026-06-12T18:00")
        booked("2026-06-04T09:30")
        booked("2026-06-01T09:00", checked_in_at=NOW)
        booked("2026-06-02T09:00", is_no_show=True)
        for day, by in enumerate(("customer", "staff", "venue", "expired"), 20):
            booked(f"2026-06-{day}T09:00", cancelled_at=NOW, cancelled_by=by)

    make(build)
    visitor.sign_in(**ANA)
    coming = visitor.get("/account/")
    assert [" ".join(tag.get_text().split()) for tag in coming.all(".tabs a")] == [
        "Coming2",
        "Past2",
        "Cancelled3",
    ]
    assert [tag.get_text().strip() for tag in coming.all(".badge")] == ["Running now", "Confirmed"]
    past = visitor.get("/account/?show=past")
    assert [tag.get_text().strip() for tag in past.all(".badge")] == ["Missed", "Came"]
    off = visitor.get("/account/?show=cancelled")
    assert [tag.get_text().strip() for tag in off.all(".badge")] == [
        "Cancelled by Stillwater",
        "Cancelled for you by Stillwater",
        "Cancelled by you",
    ]
    assert "Free to cancel" not in off.text("main")


def test_a_payment_changes_what_is_due_and_what_can_be_done(visitor, make):
    def build():
        kind = make_type(customer_cancellation_permitted="unpaid")
        return make_order(make_session(kind), account_id=make_account().id)

    secret = make(build)
    visitor.sign_in(**ANA)
    assert "Free to cancel" in visitor.get("/account/").text(".bk")

    def pay():
        order = db.session.scalars(
            sa.select(Order).where(Order.secret == secret), execution_options=ANYWHERE
        ).one()
        save(
            LedgerEntry(
                id=new_object_id(),
                organisation_id=order.organisation_id,
                order_id=order.id,
                kind="payment",
                amount=-4800,
                currency="GBP",
                created_at=NOW,
            )
        )

    make(pay)
    card = visitor.get("/account/").text(".bk")
    assert "Paid" in card
    assert "It is paid for, so it can't be cancelled any more. Call 01225 000000" in card
    assert "Cancel Thermal" not in card


def test_memberships_stand_beside_the_bookings(visitor, make):
    def build():
        account = make_account()
        site = make_site()
        make_member(site.organisation_id, account)
        other = make_member(make_site().organisation_id, account, last_day=dt.date(2026, 12, 31))
        held = db.session.scalars(
            sa.select(Membership).where(Membership.membership_type_id == other.id),
            execution_options=ANYWHERE,
        ).one()
        fetch(Membership, held.id).state = "paused"
        db.session.commit()

    make(build)
    visitor.sign_in(**ANA)
    text = visitor.get("/account/").text(".member")
    assert "since 1 Jan 2026" in text
    assert "until 31 Dec 2026 Paused" in text


def test_many_bookings_take_no_more_queries_than_one(app, visitor, make):
    account = make(lambda: make_account().id)

    def add(number):
        def build():
            for _ in range(number):
                site = make_site()
                kind = make_type(site)
                session = make_session(kind, room_id=make_room(site).id)
                make_order(session, account_id=account, guests=2)

        make(build)

    add(1)
    visitor.sign_in(**ANA)
    visitor.get("/account/")
    _, few = counted(app, lambda: visitor.get("/account/"))
    add(7)
    page, many = counted(app, lambda: visitor.get("/account/"))
    assert len(page.all(".bk")) == 8
    assert few == many
