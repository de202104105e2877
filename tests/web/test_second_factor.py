"""Signing in and security, as people meet it: app, recovery codes, passkeys, signed-in browsers."""

import datetime as dt
import json
import re

import pyotp
import pytest
import sqlalchemy as sa
from addresses import addresses, build_house
from factories import (
    ANYWHERE,
    make_account,
    make_customer,
    make_order,
    make_session,
    make_site,
    make_staff,
    make_type,
)
from passkey_device import Device

from blueprints.clock import read_clock
from blueprints.links import sign_link
from blueprints.security import PUBLIC, TOKEN, declared_rights
from domain.sign_in_tries import MOST_TRIES
from models import RIGHTS, Account, AccountLink, Order, db
from services.orders import Till, take_payment
from services.second_factor import begin_authenticator, confirm_authenticator, find_unconfirmed_key
from services.sign_ins import list_sign_ins
from services.staff_rights import find_grants

ANA = {"email": "ana@example.com", "password": "quiet-rooms"}
KEY = "a key for tests"
SECURITY = "/account/security"
CODE = "/account/sign-in/code"
STEP = dt.timedelta(seconds=30)


@pytest.fixture
def app_of(app, make):
    """The app and the recovery codes of an account whose app is switched on, an hour ago."""

    def switch_on(account_id):
        now = read_clock() - dt.timedelta(hours=1)
        begin_authenticator(account_id, key=KEY, now=now)
        shows = pyotp.TOTP(find_unconfirmed_key(account_id, key=KEY))
        return shows, confirm_authenticator(account_id, shows.at(now), key=KEY, now=now)

    return lambda account_id: make(lambda: switch_on(account_id))


@pytest.fixture
def ana(make, app_of):
    """Ana's app and recovery codes."""
    return app_of(make(lambda: make_account().id))


@pytest.fixture
def now(make):
    return lambda: make(read_clock)


def lapse(browser, minutes=16):
    """As if whoever is here had proved it so long ago."""
    with browser.client.session_transaction() as visit:
        proved_at = dt.datetime.fromisoformat(visit["proved_at"])
        visit["proved_at"] = (proved_at - dt.timedelta(minutes=minutes)).isoformat()


def to(page):
    return page.response.headers["Location"]


# ---- The second step ---------------------------------------------------------


def test_the_password_alone_opens_nothing(visitor, ana, now):
    page = visitor.post("/account/sign-in", {**ANA, "next": "/account/details"}, 303)
    assert to(page) == CODE
    for closed in ("/account/", SECURITY, "/account/details", "/staff/"):
        assert "sign-in?next" in to(visitor.get(closed, 303))
    visitor.get(CODE)
    page = visitor.post(CODE, {"code": "000 000"}, 422)
    assert "That code isn't right" in page.text(".summary")
    assert "clock" in page.text(".summary")
    assert visitor.get("/account/", 303)
    assert to(visitor.post(CODE, {"code": ana[0].at(now())}, 303)) == "/account/details"
    visitor.get("/account/")


def test_a_code_that_was_seen_opens_no_second_browser(visitor, other_visitor, ana, now):
    typed = ana[0].at(now())
    for browser in (visitor, other_visitor):
        browser.post("/account/sign-in", ANA, 303)
    visitor.post(CODE, {"code": typed}, 303)
    page = other_visitor.post(CODE, {"code": typed}, 422)
    assert "was used already" in page.text(".summary")
    other_visitor.get("/account/", 303)


def test_a_recovery_code_opens_once(visitor, other_visitor, ana):
    for browser, status in ((visitor, 303), (other_visitor, 422)):
        browser.post("/account/sign-in", ANA, 303)
        browser.post(CODE, {"code": ana[1][0].replace("-", " ").upper()}, status)
    assert "9 codes left" in visitor.get(SECURITY).text()


def test_a_mailed_link_and_a_reset_ask_for_the_code_too(visitor, ana, make, now):
    def link(purpose):
        row = db.session.scalars(sa.select(AccountLink).where(AccountLink.purpose == purpose)).one()
        return sign_link(row.id, purpose)

    visitor.post("/account/sign-in-link", {"email": ANA["email"]}, 303)
    page = visitor.post(f"/account/sign-in-link/{make(lambda: link('sign_in'))}", {}, 303)
    assert to(page) == CODE
    visitor.get("/account/", 303)
    visitor.post("/account/password-reset", {"email": ANA["email"]}, 303)
    fields = {"password": "river stones at dusk"}
    page = visitor.post(f"/account/password-reset/{make(lambda: link('reset'))}", fields, 303)
    assert to(page) == CODE
    assert "Your password is changed" in visitor.get(CODE).text(".note--ok")
    visitor.get("/account/", 303)
    visitor.post(CODE, {"code": ana[0].at(now())}, 303)
    visitor.get("/account/")


def test_the_second_step_ends_after_ten_minutes_and_with_the_password(visitor, ana, now):
    visitor.get(CODE, 303)
    visitor.post("/account/sign-in", ANA, 303)
    with visitor.client.session_transaction() as visit:
        kept = dict(visit["half_in"])
        visit["half_in"] = {**kept, "at": (now() - dt.timedelta(minutes=10)).isoformat()}
    page = visitor.post(CODE, {"code": ana[0].at(now())}, 303)
    assert to(page) == "/account/sign-in"
    assert "That took a while" in visitor.get("/account/sign-in").text(".note")
    with visitor.client.session_transaction() as visit:
        visit["half_in"] = {**kept, "token": "another"}
    assert to(visitor.get(CODE, 303)) == "/account/sign-in"
    visitor.post("/account/sign-in", ANA, 303)
    visitor.post(f"{CODE}/end", {}, 303)
    assert to(visitor.get(CODE, 303)) == "/account/sign-in"


def test_too_many_codes_wait(visitor, ana, now):
    visitor.post("/account/sign-in", ANA, 303)
    for _ in range(MOST_TRIES):
        visitor.post(CODE, {"code": "1"}, 422)
    page = visitor.post(CODE, {"code": ana[0].at(now())}, 429)
    assert 0 < int(page.response.headers["Retry-After"]) <= 900
    visitor.get("/account/", 303)


def test_staying_signed_in_outlives_the_second_step(visitor, ana, now):
    visitor.post("/account/sign-in", {**ANA, "remember": "y"}, 303)
    visitor.post(CODE, {"code": ana[0].at(now())}, 303)
    visitor.client.delete_cookie("sundial")
    assert "kept signed in" in visitor.get(SECURITY).text()


# ---- Setting the app up ------------------------------------------------------


def test_an_app_is_set_up_with_a_first_code_and_codes_shown_once(visitor, make, now):
    make(make_account)
    visitor.sign_in(**ANA)
    assert to(visitor.get("/account/authenticator", 302)) == SECURITY
    assert to(visitor.post("/account/authenticator", {}, 303)) == "/account/authenticator"
    page = visitor.get("/account/authenticator")
    assert page.all(".qr svg")
    app_key = page.text(".typed-key").replace(" ", "")
    # A second tab, begun anew, shows the same.
    visitor.post("/account/authenticator", {}, 303)
    assert visitor.get("/account/authenticator").text(".typed-key").replace(" ", "") == app_key
    page = visitor.post("/account/authenticator/confirmation", {"code": "123"}, 422)
    assert page.text(".typed-key").replace(" ", "") == app_key
    typed = pyotp.TOTP(app_key).at(now())
    typed = f" {typed[:3]} {typed[3:]} "
    page = visitor.post("/account/authenticator/confirmation", {"code": typed}, 200)
    codes = [one.get_text() for one in page.all(".codes code")]
    assert len(set(codes)) == 10
    visitor.post("/account/authenticator/confirmation", {"code": typed}, 303)
    shown = visitor.get(SECURITY)
    assert "10 codes left" in shown.text()
    assert codes[0] not in shown.html
    fields = shown.form("form[action='/account/recovery-codes']")
    page = visitor.post("/account/recovery-codes", fields, 200)
    fresh = [one.get_text() for one in page.all(".codes code")]
    assert codes[0] not in fresh
    # Loading that page again sends the form again, and makes none of them worthless.
    visitor.post("/account/recovery-codes", fields, 303)
    shown = visitor.get(SECURITY)
    assert "were shown already" in shown.text(".note")
    assert "10 codes left" in shown.text()
    visitor.post("/account/recovery-codes", {}, 303)
    visitor.post("/account/authenticator/end", {}, 303)
    assert "is switched off" in visitor.get(SECURITY).text(".note--ok")


def test_few_recovery_codes_are_warned_of(visitor, ana):
    for code in ana[1][:8]:
        visitor.post("/account/sign-in", ANA, 303)
        visitor.post(CODE, {"code": code}, 303)
        visitor.post("/account/sign-out", {}, 303)
    visitor.post("/account/sign-in", ANA, 303)
    visitor.post(CODE, {"code": ana[1][8]}, 303)
    assert "1 recovery code left" in visitor.get(SECURITY).text(".note--warn")


# ---- Is it you? --------------------------------------------------------------

DANGEROUS = {
    "account.app_setup",
    "account.ask_for_address",
    "account.begin_app",
    "account.begin_passkey",
    "account.close",
    "account.confirm_app",
    "account.end_app",
    "account.end_passkey",
    "account.keep_passkey",
    "account.renew_codes",
    "account.replace_password",
    "archives.ask",
    "archives.delete",
    "archives.fetch",
    "kiosk.make_kiosk",
    "orders.give_back",
    "orders.refunds",
    "people.erase",
    "people.export",
    "people.members_file",
    "people.merge",
    "people.review_erasure",
    "people.review_merge",
    "setup.demand_second_factor",
    "staff.change_person",
    "staff.end_browsers",
    "staff.make",
    "staff.new_invitation",
    "staff.new_token",
    "staff.removal",
    "staff.remove",
    "staff.revocation",
    "staff.revoke",
    "staff.send_invitation",
    "staff.send_invitation_again",
    "webhooks.change",
    "webhooks.edit",
    "webhooks.make",
    "webhooks.new",
    "webhooks.renew",
    "webhooks.secret",
}

LOOKS_DANGEROUS = re.compile(
    r"<site>/archive|authenticator|closing|/data|eras|export|invitation|kiosks|members\.csv|merge"
    r"|organisation/|passkey|password|recovery|refund|second.factor|/staff/<site>/staff|token|/webhooks"
)
"""Addresses of what gives or takes rights, secrets, money or somebody's data."""

HARMLESS = {
    "account.change_by_link": "asks for a mailed link, which was asked for with a proof",
    "account.confirm_by_passkey": "is the question itself",
    "account.name_passkey": "changes what its owner calls it",
    "archives.stop": "keeps things as they are",
    "kiosk.sign_out_kiosk": "ends what was open",
    "staff.withdraw_invitation": "ends what was open",
    "webhooks.again": "goes where it went",
    "webhooks.pause": "ends what was open",
    "webhooks.remove": "ends what was open",
    "webhooks.resume": "goes where it went, to an address that asked for a proof",
    "webhooks.test": "says nothing but that it came",
    **dict.fromkeys(
        (
            "trail.undo_api_tokens",
            "trail.undo_kiosks",
            "trail.undo_staff_invitations",
            "trail.undo_webhooks",
        ),
        "nothing of these can be undone: each is refused with the reason",
    ),
}


def dangerous(app):
    return {
        endpoint
        for endpoint, view in app.view_functions.items()
        if getattr(view, "is_dangerous", False)
    }


def test_dangerous_things_are_those_we_know(app):
    assert dangerous(app) == DANGEROUS


def test_whatever_looks_dangerous_asks_who_it_is_or_says_why_not(app):
    looks = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if LOOKS_DANGEROUS.search(rule.rule)
        and ("POST" in rule.methods or rule.rule.endswith((".zip", ".csv")))
        # Who needn't be signed in proves it on the page itself, by password, mail or passkey.
        # A program proves itself by its token, each time.
        and not {PUBLIC, TOKEN}.intersection(declared_rights(app, rule.endpoint))
    }
    assert looks - dangerous(app) == set(HARMLESS)


def test_every_dangerous_thing_asks_who_it_is_once_the_proof_is_old(app, visitor, make, app_of):
    """Somebody with an app, whose password alone is not enough anywhere."""
    examples = make(lambda: build_house(RIGHTS))
    boss = make(
        lambda: db.session.scalars(
            sa.select(Account.id).where(Account.email == "boss@bath.example")
        ).one()
    )
    _, codes = app_of(boss)
    who = {"email": "boss@bath.example", "password": "thermal-waters"}
    visitor.post("/account/sign-in", who, 303)
    visitor.post(CODE, {"code": codes[0]}, 303)
    lapse(visitor)
    asked = set()
    for rule, url in addresses(app, examples, "POST", most=1):
        if rule.endpoint in DANGEROUS:
            page = visitor.post(url, {"kept": "what was typed"}, 403)
            assert page.form("#proof")["kept"] == "what was typed"
            assert page.one("#proof")["action"] == url
            asked.add(rule.endpoint)
    for rule, url in addresses(app, examples, most=1):
        if rule.endpoint in DANGEROUS:
            assert to(visitor.get(url, 303)) == f"/account/confirm?next={url}"
            asked.add(rule.endpoint)
    assert asked == DANGEROUS


def test_a_file_is_fetched_from_its_page_after_the_proof(visitor, make):
    """A browser that is led on to a file would save it and go on asking."""

    def house():
        site = make_site(slug="bath")
        account = make_staff(site, rights=("CUSTOMERS_MANAGE",))
        return make_customer(site.organisation_id, account).id

    there = f"/staff/bath/customers/{make(house)}"
    visitor.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    assert not visitor.get(there).all("a[href$='data.zip'][download]")
    lapse(visitor)
    came_from = {"Referer": f"http://localhost{there}?page=1"}
    asked = visitor.get(to(visitor.get(f"{there}/data.zip", 303, headers=came_from)))
    fields = {**asked.form("#proof"), "proof_password": "thermal-waters"}
    assert to(visitor.post("/account/confirm", fields, 303)) == f"{there}?page=1"
    page = visitor.get(there)
    assert "You can download the file now" in page.text(".note--ok")
    assert visitor.client.get(f"{there}/data.zip").mimetype == "application/zip"


def test_ticks_of_one_name_are_all_kept_meanwhile(visitor, make):
    """Rights are sent as several fields of one name."""

    def house():
        site = make_site(slug="bath")
        make_staff(site, "imogen@example.com", everywhere=True, rights=RIGHTS)
        return site.id, make_staff(site).id, site.organisation_id

    site_id, maren, organisation_id = make(house)
    visitor.sign_in("imogen@example.com", "thermal-waters", "/staff/sign-in")
    url = f"/staff/bath/staff/{maren}"
    hidden = visitor.get(url).form("form.rights-card[action$='" + maren + "']")
    lapse(visitor)
    # Looking asks nothing.
    visitor.get(url)
    chosen = ["", "ORDERS_MANAGE", "REPORTS_VIEW"]
    fields = {
        **hidden,
        f"role-{site_id}": "mixture",
        f"rights-{site_id}": chosen,
    }
    page = visitor.post(url, fields, 403)
    kept = [(one["name"], one["value"]) for one in page.all("#proof input[type=hidden]")]
    assert [text for name, text in kept if name == f"rights-{site_id}"] == chosen
    again = {**page.form("#proof"), f"rights-{site_id}": chosen}
    visitor.post(url, {**again, "proof_password": "thermal-waters"}, 303)
    held = make(lambda: find_grants(organisation_id, maren))
    assert held == {(site_id, "ORDERS_MANAGE"), (site_id, "REPORTS_VIEW")}


def test_what_was_typed_is_done_with_the_password_and_not_before(visitor, make):
    """A refund whose form lay open for too long."""

    def paid():
        site = make_site(slug="bath")
        account = make_staff(site, rights=("ORDERS_MANAGE",))
        secret = make_order(make_session(make_type(site)))
        order = db.session.scalars(
            sa.select(Order).where(Order.secret == secret), execution_options=ANYWHERE
        ).one()
        till = Till(site.organisation_id, site.id, account.id)
        take_payment(
            till, order.id, amount=4800, method="cash", note="", seen="", key="1", now=read_clock()
        )
        return order.id

    url = f"/staff/bath/orders/{make(paid)}/refunds"
    visitor.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    form = visitor.get(f"{url}?amount=48").form("main form[method=post]")
    lapse(visitor)
    page = visitor.post(url, {**form, "reason": "<Came late>"}, 403)
    carried = page.form("#proof")
    assert carried["reason"] == "<Came late>"
    assert carried["key"] == form["key"]
    page = visitor.post(url, {**carried, "proof_password": "wrong"}, 422)
    assert "That isn't your password" in page.text(".summary")
    carried = page.form("#proof")
    assert "wrong" not in page.html
    assert to(visitor.post(url, {**carried, "proof_password": "thermal-waters"}, 303)) in url
    assert "given back" in visitor.get(url.removesuffix("/refunds")).text(".note--ok")
    # Proved for the next quarter of an hour.
    visitor.get(url)


def test_a_page_that_asks_leads_back_to_where_one_was_going(visitor, ana, now):
    visitor.post("/account/sign-in", ANA, 303)
    visitor.post(CODE, {"code": ana[1][0]}, 303)
    lapse(visitor)
    page = visitor.get(to(visitor.get("/account/authenticator", 303)))
    fields = page.form("#proof")
    assert fields["next"] == "/account/authenticator"
    right = {"proof_password": ANA["password"], "proof_code": ana[0].at(now())}
    for wrong in ({"proof_code": "1"}, {"proof_password": "x"}):
        page = visitor.post("/account/confirm", {**fields, **right, **wrong}, 422)
        assert page.all(".summary a")
    assert to(visitor.post("/account/confirm", {**fields, **right}, 303)) == fields["next"]
    assert to(visitor.get("/account/confirm?next=https://evil.example", 302)) == SECURITY


def test_a_part_of_a_page_that_asks_becomes_a_whole_page(visitor, make):
    make(make_account)
    visitor.sign_in(**ANA)
    lapse(visitor)
    asked = {"HX-Request-Type": "partial", "HX-Current-URL": f"http://localhost{SECURITY}"}
    page = visitor.post("/account/authenticator", {}, 204, headers=asked)
    assert page.response.headers["HX-Redirect"] == f"/account/confirm?next={SECURITY}"


def test_nobody_guesses_a_password_at_the_page_that_asks(visitor, make):
    make(make_account)
    visitor.sign_in(**ANA)
    lapse(visitor)
    for _ in range(MOST_TRIES):
        visitor.post("/account/authenticator", {"proof_password": "x"}, 422)
    page = visitor.post("/account/authenticator", {"proof_password": ANA["password"]}, 429)
    assert int(page.response.headers["Retry-After"]) > 0


def test_a_password_that_was_typed_stands_in_no_page(visitor, ana):
    visitor.post("/account/sign-in", ANA, 303)
    visitor.post(CODE, {"code": ana[1][0]}, 303)
    lapse(visitor)
    typed = {"current": "quiet-rooms", "password": "river stones at dusk"}
    page = visitor.post("/account/password", typed, 403)
    assert "river stones" not in page.html


def test_without_a_password_the_way_is_by_mail_or_passkey(visitor, make):
    def without():
        account = make_account()
        account.password_hash = None
        db.session.commit()
        return account.id

    make(without)
    visitor.post("/account/sign-in-link", {"email": ANA["email"]}, 303)

    def link():
        return sign_link(db.session.scalars(sa.select(AccountLink.id)).one(), "sign_in")

    visitor.post(f"/account/sign-in-link/{make(link)}", {}, 303)
    visitor.post("/account/authenticator", {}, 303)
    lapse(visitor)
    page = visitor.post("/account/authenticator/end", {}, 403)
    assert not page.all("input[type=password]")
    assert page.form("main form[action='/account/sign-in-link']")["email"] == ANA["email"]
    visitor.post("/account/password", {"password": "river stones at dusk"}, 403)
    visitor.post("/account/confirm", {"proof_password": ""}, 422)


# ---- A venue that asks its staff for more than a password --------------------


def test_staff_of_a_venue_that_asks_for_it_set_up_a_second_factor_first(
    visitor, other_visitor, make, app_of
):
    def staff():
        site = make_site(slug="bath")
        make_staff(site, "imogen@example.com", everywhere=True, rights=("SETTINGS_MANAGE",))
        return make_staff(site, rights=("RESERVATIONS_MANAGE",)).id

    maren = make(staff)
    visitor.sign_in("imogen@example.com", "thermal-waters", "/staff/sign-in")
    page = visitor.get("/staff/bath/organisation")
    form = "form[action$='/organisation/second-factor']"
    assert not page.one(f"{form} input[name=asked]").has_attr("checked")
    visitor.post("/staff/bath/organisation/second-factor", {"asked": "y"}, 303)
    who = {"email": "maren@example.com", "password": "thermal-waters"}
    other_visitor.post("/staff/sign-in", who, 303)
    assert to(visitor.get("/staff/bath/settings", 303)) == SECURITY
    assert to(other_visitor.get("/staff/bath/roster", 303)) == SECURITY
    assert "asks its staff" in other_visitor.get(SECURITY).text(".note")
    app_of(maren)
    other_visitor.get("/staff/bath/roster", 302)
    # A passkey does as well, when it is what one came with.
    device = Device(owner="")
    add_passkey(visitor, device)
    assert to(visitor.get("/staff/bath/organisation", 303)) == SECURITY
    visitor.post("/staff/sign-out", {}, 303)
    enter(visitor, device)
    page = visitor.get("/staff/bath/organisation")
    assert page.one(f"{form} input[name=asked]").has_attr("checked")
    visitor.post("/staff/bath/organisation/second-factor", {}, 303)
    visitor.post("/staff/sign-out", {}, 303)
    visitor.sign_in("imogen@example.com", "thermal-waters", "/staff/sign-in")
    visitor.get("/staff/bath/organisation")


# ---- Passkeys ----------------------------------------------------------------


def challenge(browser, url="/account/sign-in/passkey/challenge"):
    answer = browser.post(url, {}, 200)
    sent = json.loads(answer.html)
    return sent["options"]["challenge"], sent["ticket"]


def add_passkey(browser, device, name="My phone", status=303):
    asked, ticket = challenge(browser, "/account/passkeys/creation")
    fields = {"name": name, "credential": device.make(asked), "ticket": ticket}
    return browser.post("/account/passkeys", fields, status)


def enter(browser, device, status=303, **more):
    asked, ticket = challenge(browser)
    fields = {"credential": device.use(asked), "ticket": ticket, **more}
    return browser.post("/account/sign-in/passkey", fields, status)


@pytest.fixture
def phone(visitor, make):
    """A passkey of Ana, who is signed out again."""
    device = Device(owner=make(lambda: make_account().id))
    visitor.sign_in(**ANA)
    add_passkey(visitor, device)
    visitor.post("/account/sign-out", {}, 303)
    return device


def test_a_passkey_signs_in_without_password_and_code(visitor, phone, app_of):
    app_of(phone.owner)
    assert to(enter(visitor, phone, next="/account/details")) == "/account/details"
    page = visitor.get(SECURITY)
    assert "My phone" in page.text()
    fields = page.form("form[action='/account/recovery-codes']")
    visitor.post("/account/recovery-codes", fields, 200)
    visitor.post("/account/sign-out", {}, 303)
    assert to(enter(visitor, phone, door="desk")) == "/staff/"


def test_a_refused_passkey_shows_the_door_it_was_used_at(visitor, other_visitor, phone):
    asked, ticket = challenge(visitor)
    answer = phone.use(asked)
    for door, h1 in (("account", "Sign in"), ("desk", "Welcome back.")):
        fields = {"credential": answer, "ticket": "x", "door": door}
        page = visitor.post("/account/sign-in/passkey", fields, 422)
        assert page.text("h1") == h1
        assert "didn't work" in page.text(".note--bad")
    # A ticket is one browser's and one purpose's.
    fields = {"credential": answer, "ticket": ticket}
    other_visitor.post("/account/sign-in/passkey", fields, 422)
    visitor.post("/account/sign-in/passkey", fields, 303)
    other_visitor.post("/account/sign-in/passkey", fields, 422)


def test_passkeys_are_renamed_and_removed(visitor, phone):
    enter(visitor, phone)
    page = visitor.get(SECURITY)
    rename = str(page.one("form[action$='/name']")["action"])
    remove = str(page.one("form[action^='/account/passkeys/'][action$='/end']")["action"])
    page = visitor.post(rename, {"name": " "}, 422)
    assert page.text("title").startswith("Error:")
    visitor.post(rename, {"name": "Old phone"}, 303)
    assert "Old phone" in visitor.get(SECURITY).text(".keys")
    visitor.post(remove, {}, 303)
    visitor.post(remove, {}, 404)
    visitor.post("/account/sign-out", {}, 303)
    assert "don't know that passkey" in enter(visitor, phone, 422).text(".note--bad")


def test_a_passkey_proves_who_is_there(visitor, other_visitor, make, phone):
    enter(visitor, phone)
    lapse(visitor)
    visitor.post("/account/passkeys/creation", {}, 403)
    asked, ticket = challenge(visitor)
    fields = {"credential": phone.use(asked), "ticket": ticket}
    visitor.post("/account/confirm/passkey", fields, 204)
    visitor.post("/account/confirm/passkey", fields, 422)
    visitor.post("/account/passkeys/creation", {}, 200)
    # Another person's proves nothing here.
    make(lambda: make_account("bob@example.com", "Bob", "warm-stone-two"))
    other_visitor.sign_in("bob@example.com", "warm-stone-two")
    lapse(other_visitor)
    asked, ticket = challenge(other_visitor)
    fields = {"credential": phone.use(asked), "ticket": ticket}
    other_visitor.post("/account/confirm/passkey", fields, 422)
    other_visitor.post("/account/passkeys/creation", {}, 403)


def test_a_refused_passkey_keeps_its_name(visitor, make):
    make(make_account)
    visitor.sign_in(**ANA)
    for fields in (
        {"name": "My phone", "credential": "x", "ticket": "x"},
        {"name": "<b>", "credential": "x", "ticket": challenge(visitor)[1]},
    ):
        page = visitor.post("/account/passkeys", fields, 422)
        assert page.one("#name")["value"] == fields["name"]
    page = add_passkey(visitor, Device(), "", 422)
    assert "device" in page.text(".summary")


# ---- Where one is signed in --------------------------------------------------

FIREFOX = {"User-Agent": "Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0"}


def test_a_browser_that_was_ended_is_out_at_its_next_request(visitor, other_visitor, make):
    make(make_account)
    visitor.sign_in(**ANA)
    other_visitor.post("/account/sign-in", {**ANA, "remember": "y"}, 303, headers=FIREFOX)
    page = visitor.get(SECURITY)
    assert "Firefox on Windows" in page.text()
    assert len(page.all(".badge--ok")) == 1
    other_visitor.get(SECURITY)
    end = page.one("form[action^='/account/browsers/'][action$='/end']:not([action*=others])")
    visitor.post(str(end["action"]), {}, 303)
    other_visitor.get("/account/", 303)
    # Nor by the cookie that remembers.
    other_visitor.client.delete_cookie("sundial")
    other_visitor.get("/account/", 303)
    visitor.get("/account/")


def test_all_others_are_ended_and_foreign_ones_not_found(visitor, other_visitor, make):
    account_id = make(lambda: make_account().id)
    for browser in (other_visitor, visitor):
        browser.sign_in(**ANA)
    visitor.post("/account/browsers/others/end", {}, 303)
    other_visitor.get("/account/", 303)
    mine = make(lambda: list_sign_ins(account_id)[0].id)
    make(lambda: make_account("bob@example.com", "Bob", "warm-stone-two"))
    other_visitor.sign_in("bob@example.com", "warm-stone-two")
    other_visitor.post(f"/account/browsers/{mine}/end", {}, 404)
    visitor.post(f"/account/browsers/{mine}/end", {}, 303)
    visitor.get("/account/", 303)


def test_signing_out_and_a_new_password_end_the_rows(visitor, other_visitor, make):
    account_id = make(lambda: make_account().id)
    for browser in (visitor, other_visitor):
        browser.sign_in(**ANA)
    other_visitor.post("/account/sign-out", {}, 303)
    assert make(lambda: len(list_sign_ins(account_id))) == 1
    other_visitor.sign_in(**ANA)
    fields = {"current": ANA["password"], "password": "river stones at dusk"}
    visitor.post("/account/password", fields, 303)
    other_visitor.get("/account/", 303)
    assert make(lambda: len(list_sign_ins(account_id))) == 1
    visitor.get("/account/")


def test_h7_looking_writes_no_use_and_sending_does(visitor, make, now):
    account_id = make(lambda: make_account().id)
    visitor.sign_in(**ANA)

    def age():
        db.session.execute(
            sa.text("UPDATE sign_ins SET last_used_at = :then"),
            {"then": (read_clock() - dt.timedelta(days=1)).replace(tzinfo=None)
             if db.engine.dialect.name == "sqlite" else read_clock() - dt.timedelta(days=1)},
        )  # fmt: skip
        db.session.commit()

    def last():
        return make(lambda: list_sign_ins(account_id)[0].last_used_at)

    make(age)
    for page in ("/account/", SECURITY, "/account/sign-in"):
        visitor.get(page)
    assert last() < now() - dt.timedelta(hours=23)
    visitor.post("/account/name", {"name": "Ana R."}, 303)
    assert last() > now() - dt.timedelta(minutes=1)


def test_who_is_signed_in_takes_one_query(app, visitor, make):
    make(make_account)
    visitor.sign_in(**ANA)
    statements = []
    with app.app_context():
        engine = db.engine

    def count(*given):
        if given[2].startswith("SELECT"):
            statements.append(given[2])

    sa.event.listen(engine, "before_cursor_execute", count)
    try:
        visitor.get("/account/details")
    finally:
        sa.event.remove(engine, "before_cursor_execute", count)
    assert sum("sign_ins" in one for one in statements) == 1
