"""Headers, rights, sign-in and the other walls of every route."""

import pytest
from conftest import NOW, TEST_CONFIG, app_on
from factories import (
    make_account,
    make_organisation,
    make_session,
    make_site,
    make_staff,
    make_type,
)
from flask import Flask

from app import create_app
from blueprints.configuration import Misconfigured, configure
from blueprints.security import declared_rights


def test_d3_every_route_declares_its_right(app):
    missing = [
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if not declared_rights(app, rule.endpoint)
    ]
    assert missing == []


def test_the_policy_allows_nothing_inline(visitor, make):
    make(lambda: make_site(slug="bath"))
    headers = visitor.get("/bath/").response.headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(visitor):
    cookie = visitor.get("/account/sign-in").response.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_static_files_are_served_for_a_year(visitor):
    link = visitor.get("/account/sign-in").one("link[href*=tokens]")["href"]
    answer = visitor.client.get(link)
    assert answer.status_code == 200
    assert "immutable" in answer.headers["Cache-Control"]
    answer.close()


def test_production_refuses_a_set_clock_and_a_missing_key():
    for wrong in ({"PRODUCTION": True}, {"PRODUCTION": True, "NOW": None, "SECRET_KEY": None}):
        with pytest.raises(Misconfigured):
            create_app({**TEST_CONFIG, "NOW": NOW.isoformat(), **wrong})


def test_a_command_at_the_console_uses_the_key_that_was_made_for_the_machine(tmp_path):
    def key_of() -> object:
        shop = Flask("shop", instance_path=str(tmp_path))
        configure(shop, {"SECRET_KEY": None, "NOW": None})
        return shop.config["SECRET_KEY"]

    with pytest.raises(Misconfigured, match="SUNDIAL_SECRET_KEY"):
        key_of()
    (tmp_path / "secret_key").write_text("made by make run\n")
    assert key_of() == "made by make run"


@pytest.mark.parametrize("now", ["soon", "2026-06-04T09:00:00"])
def test_a_clock_that_cant_be_read_is_refused(now):
    with pytest.raises(Misconfigured):
        create_app({**TEST_CONFIG, "NOW": now})


def test_a_wrong_password_and_an_unknown_address_get_one_answer(visitor, make):
    make(make_account)
    answers = {
        visitor.post("/account/sign-in", {"email": email, "password": "wrong"}, 422).text(".note")
        for email in ("ana@example.com", "nobody@example.com")
    }
    assert len(answers) == 1


def test_what_was_typed_at_sign_in_is_kept_but_the_password(visitor, make):
    make(make_account)
    page = visitor.post("/account/sign-in", {"email": "ana@example.com", "password": "wrong"}, 422)
    assert page.one("#email")["value"] == "ana@example.com"
    assert page.one("#password").get("value", "") == ""


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_signing_in_leads_to_our_own_pages_only(visitor, make, target):
    make(make_account)
    fields = {"email": "ana@example.com", "password": "quiet-rooms", "next": target}
    page = visitor.post("/account/sign-in", fields, 303)
    assert page.response.headers["Location"] == "/account/"


def test_signing_in_goes_back_to_where_one_was(visitor, make):
    make(make_account)
    page = visitor.get("/account/", 303)
    assert page.response.headers["Location"] == "/account/sign-in?next=/account/"
    fields = {"email": "ana@example.com", "password": "quiet-rooms", "next": "/account/"}
    assert visitor.post("/account/sign-in", fields, 303).response.headers["Location"] == "/account/"
    assert "Ana Reyes" in visitor.get("/account/").text("main")


def test_sign_in_is_rate_limited(databases):
    app = app_on(databases.make(), SIGN_IN_LIMIT="3 per minute", WTF_CSRF_ENABLED=False)
    client = app.test_client()
    answers = [
        client.post("/staff/sign-in", data={"email": "a@example.com", "password": "x"})
        for _ in range(4)
    ]
    assert [answer.status_code for answer in answers] == [422, 422, 422, 429]
    assert "Wait a minute" in answers[-1].get_data(as_text=True)
    assert int(answers[-1].headers["Retry-After"]) > 0


def test_signing_out_ends_the_visit(visitor, make):
    make(make_account)
    visitor.sign_in("ana@example.com", "quiet-rooms")
    visitor.post("/account/sign-out", {}, 303)
    visitor.get("/account/", 303)


@pytest.fixture
def two_venues(make):
    def build():
        ours, theirs = make_site(slug="ours"), make_site(make_organisation(), slug="theirs")
        make_staff(ours, "maren@example.com")
        make_staff(ours, "viewer@example.com", rights=("REPORTS_VIEW",))
        make_site_of = make_site(slug="second", organisation=None)
        return {
            "ours": make_session(make_type(ours)).id,
            "theirs": make_session(make_type(theirs)).id,
            "loose": make_site_of.id,
        }

    return make(build)


def test_visitors_are_sent_to_the_staff_door(visitor, two_venues):
    page = visitor.get("/staff/ours/", 303)
    assert page.response.headers["Location"].startswith("/staff/sign-in")


def test_a_fragment_is_sent_to_the_door_as_a_whole(visitor, two_venues):
    page = visitor.fragment("/staff/ours/", 204)
    assert page.response.headers["HX-Redirect"].startswith("/staff/sign-in")


def test_r1_another_organisations_desk_is_not_found(visitor, two_venues):
    visitor.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    visitor.get("/staff/ours/")
    visitor.get("/staff/theirs/", 404)
    visitor.get(f"/staff/ours/sessions/{two_venues['theirs']}", 404)
    visitor.get("/staff/nowhere/", 404)


def test_a_missing_right_is_403_inside_ones_own_organisation(visitor, two_venues):
    visitor.sign_in("viewer@example.com", "thermal-waters", "/staff/sign-in")
    assert "Run the day" in visitor.get("/staff/ours/", 403).text("main")


def test_customers_are_no_staff(visitor, two_venues, make):
    make(make_account)
    visitor.sign_in("ana@example.com", "quiet-rooms")
    visitor.get("/staff/", 403)
    visitor.get("/staff/ours/", 404)


@pytest.mark.parametrize(
    "path", ["/nowhere", "/bath/book/x/y", "/staff/x/y/z", "/%00", "/bookings/", "/account/nothing"]
)
def test_an_unknown_address_is_a_calm_404(visitor, path):
    page = visitor.get(path, 404, follow_redirects=True)
    assert page.text("h1") == "Not found"


def test_health(visitor):
    assert visitor.client.get("/healthz").get_json() == {"status": "alive"}
    assert visitor.client.get("/readyz").get_json() == {"status": "ready"}


def test_signing_out_forgets_the_remembering_cookie_too(visitor, make):
    make(make_account)
    fields = {"email": "ana@example.com", "password": "quiet-rooms", "remember": "y"}
    visitor.post("/account/sign-in", fields, 303)
    visitor.post("/account/sign-out", {}, 303)
    visitor.get("/account/", 303)


def test_the_next_person_at_a_browser_doesnt_get_the_basket(visitor, make):
    def build():
        make_account()
        make_account("dev@example.com", "Dev Kapoor")
        return make_session(make_type(make_site(slug="bath"), slug="circuit")).id

    row = make(build)
    visitor.sign_in("ana@example.com", "quiet-rooms")
    visitor.post("/bath/book/circuit", {"session_id": row, "guests": "1", "key": "k"}, 303)
    assert visitor.get("/bath/checkout").one("#name")["value"] == "Ana Reyes"
    visitor.sign_in("dev@example.com", "quiet-rooms")
    assert "Your basket is empty" in visitor.get("/bath/checkout").text("h1")


def test_a_visitor_keeps_the_basket_when_signing_in(visitor, make):
    def build():
        make_account()
        return make_session(make_type(make_site(slug="bath"), slug="circuit")).id

    row = make(build)
    visitor.post("/bath/book/circuit", {"session_id": row, "guests": "1", "key": "k"}, 303)
    visitor.sign_in("ana@example.com", "quiet-rooms")
    assert visitor.get("/bath/checkout").all("#details")


@pytest.mark.parametrize("target", ["//[", "http://[", "/%09/[x", "/\r\nSet-Cookie: a=b"])
def test_a_broken_next_is_left_out(visitor, make, target):
    make(make_account)
    visitor.get("/account/sign-in", query_string={"next": target})
    fields = {"email": "ana@example.com", "password": "quiet-rooms", "next": target}
    assert visitor.post("/account/sign-in", fields, 303).response.headers["Location"] in (
        "/account/",
        "/%09/%5Bx",
    )


@pytest.mark.parametrize("host", ["..", "a" * 300, "x" * 64 + ".example", "a b", "", "[::1"])
def test_a_host_that_no_browser_sends_is_400(visitor, host):
    answer = visitor.client.get("/", headers={"Host": host})
    assert answer.status_code == 400


def test_a_nul_byte_is_refused_in_a_clear_way(visitor, make):
    make(lambda: make_session(make_type(make_site(slug="bath"), slug="circuit")))
    visitor.get("/bath/book/cir%00cuit", 404)
    visitor.get("/bath/?q=a%00b", 400)
    visitor.post("/account/sign-in", {"email": "a\0@example.com", "password": "x"}, 400)


def test_a_kept_page_is_never_made_for_a_strange_prefix(visitor, make):
    make(lambda: make_session(make_type(make_site(slug="bath"), slug="circuit")))
    visitor.client.get("/bath/book/circuit", environ_overrides={"SCRIPT_NAME": "//evil.example"})
    assert "evil.example" not in visitor.get("/bath/book/circuit").html


def test_a_site_that_is_not_public_is_not_found(visitor, make):
    make(lambda: make_session(make_type(make_site(slug="bath", is_public=False), slug="circuit")))
    visitor.get("/bath/", 404)
    visitor.get("/bath/book/circuit", 404)


def test_in_production_cookies_travel_over_https_alone(databases):
    app = app_on(databases.make(), PRODUCTION=True, NOW=None, PUBLIC_ADDRESS="https://book.example")
    cookie = app.test_client().get("/account/sign-in").headers["Set-Cookie"]
    assert "Secure" in cookie
