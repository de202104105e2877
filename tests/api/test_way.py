"""The way of every request: in which order it is refused, what it may carry, what it leaves."""

import json

import pytest
import sqlalchemy as sa
from factories import ANYWHERE, fetch, make_account, make_type

from blueprints.api import operations
from blueprints.api.tokens import _asked
from blueprints.configuration import DEFAULTS
from models import ApiToken, AuditEntry, IdempotencyKey, PriceRule, Site, db


@pytest.fixture
def type_id(make, site_id):
    return make(lambda: make_type(fetch(Site, site_id)).id)


@pytest.fixture
def at(type_id):
    return f"/session-types/{type_id}/price-rules"


@pytest.fixture
def shop(program, site_id):
    return program(site_id)


def send(shop, method, path, data=None, **headers):
    """A request as it is, body and headers, without the program's own help."""
    all_headers = {"Authorization": f"Bearer {shop.token}", **headers}
    return shop.client.open(f"/api/shop{path}", method=method, data=data, headers=all_headers)


# ---- in which order ----------------------------------------------------------------------


def test_a_request_is_refused_by_the_first_thing_that_is_wrong_with_it(
    app, shop, program, site_id, at
):
    weak = program(site_id, "RESERVATIONS_MANAGE")
    unknown, wrong = "/session-types/no-such-type/price-rules", {"price": "x"}
    nobody = type(shop)(app, app.test_client())
    nobody.post(unknown, wrong, 401)
    shop.post(unknown, wrong, 404)
    weak.post(unknown, wrong, 404)
    weak.post(at, wrong, 403)
    shop.post(at, wrong, 422)
    shop.ask("GET", f"{at}?page=x", 400)


def test_who_has_no_token_is_told_so_wherever_it_knocks(app, shop, at):
    for header in ("", "Basic YTpi", "Bearer", "Bearer  ", f"bearer{shop.token}", "Bearer é"):
        answer = shop.client.get(f"/api/shop{at}", headers={"Authorization": header})
        assert answer.status_code == 401, header
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="Sundial"'
        assert answer.get_json()["code"] == "unauthenticated"
    answer = shop.client.get(f"/api/shop{at}", headers={"Authorization": f"bearer {shop.token}"})
    assert answer.status_code == 200


def test_a_token_in_the_address_or_a_cookie_is_none(shop, at):
    shop.client.set_cookie("token", shop.token)
    for where in (f"{at}?token={shop.token}", f"{at}?access_token={shop.token}"):
        assert shop.client.get(f"/api/shop{where}").status_code == 401


def test_whoever_is_signed_in_in_the_browser_has_no_token_by_it(app, make, at, shop):
    make(lambda: make_account("ana@example.com", "Ana Reyes", "quiet-rooms"))
    browser = app.test_client()
    page = browser.get("/account/sign-in").get_data(as_text=True)
    token = page.split('name="csrf_token" value="', 1)[1].split('"', 1)[0]
    fields = {"email": "ana@example.com", "password": "quiet-rooms", "csrf_token": token}
    assert browser.post("/account/sign-in", data=fields).status_code == 303
    assert browser.get(f"/api/shop{at}").status_code == 401
    assert browser.post(f"/api/shop{at}", json={"price": 1}).status_code == 401


def test_a_revoked_token_opens_nothing_from_that_moment(make, shop, at):
    shop.get(at)

    def revoke():
        row = db.session.scalars(sa.select(ApiToken), execution_options=ANYWHERE).one()
        row.revoked_at = row.created_at
        db.session.commit()

    make(revoke)
    shop.ask("GET", at, 401)


def test_when_a_token_was_used_is_noted_by_a_look_too(make, shop, at):
    def used():
        return db.session.scalar(sa.select(ApiToken.last_used_at), execution_options=ANYWHERE)

    assert make(used) is None
    shop.get(at)
    assert make(used) is not None


# ---- how often ---------------------------------------------------------------------------


def test_too_many_requests_are_told_when_to_come_back(app, monkeypatch, program, site_id, shop, at):
    monkeypatch.setitem(app.config, "API_LIMIT", "3 per hour")
    for _ in range(3):
        shop.ask("GET", at, 200)
    answer = shop.ask("GET", at, 429)
    assert 0 < int(answer.headers["Retry-After"]) <= 3600
    assert answer.get_json()["code"] == "too_many_requests"
    program(site_id).ask("GET", at, 200)
    monkeypatch.setitem(app.config, "API_LIMIT", "100000 per second")
    shop.ask("GET", at, 200)


def test_guesses_are_counted_by_where_they_come_from(app, monkeypatch, shop, at):
    monkeypatch.setitem(app.config, "API_LIMIT", "3 per hour")
    nobody = type(shop)(app, app.test_client())
    _asked.storage.reset()
    told = [nobody.ask("GET", at).status_code for _ in range(5)]
    assert told == [401, 401, 401, 429, 429]
    shop.ask("GET", at, 200)


def test_limits_leave_a_hundred_a_second_as_the_shop_is_set_up():
    """CONTRACT 9."""
    number, _, unit = str(DEFAULTS["API_LIMIT"]).partition(" per ")
    assert int(number) >= 100
    assert unit == "second"


# ---- what nobody offers ------------------------------------------------------------------


@pytest.mark.parametrize("method", ["PATCH", "TRACE", "OPTIONS", "DELETE", "HEAD"])
def test_another_method_is_405_with_those_that_are_offered(shop, at, method):
    answer = send(shop, method, at)
    if method == "HEAD":
        assert answer.status_code == 200
        assert not answer.data
        return
    assert answer.status_code == 405
    assert {one.strip() for one in answer.headers["Allow"].split(",")} >= {"GET", "POST"}
    assert answer.get_json()["message"]


@pytest.mark.parametrize(
    "path", ["/nothing", "", "/", "/session-types/x/y/z", "//session-types", "/Session-Types"]
)
def test_an_address_that_is_none_is_404_in_json(shop, path):
    answer = send(shop, "GET", path)
    assert answer.status_code == 404
    assert answer.mimetype == "application/json"
    assert set(answer.get_json()) == {"message"}


def test_a_slash_at_the_end_or_inside_an_id_leads_to_no_page(shop, at, type_id):
    for path in (
        f"{at}/",
        f"/session-types/{type_id[:12]}%2F{type_id[12:]}/price-rules",
        f"{at}/%2e%2e",
    ):
        answer = send(shop, "GET", path)
        assert answer.status_code == 404, path
        assert answer.mimetype == "application/json"


def test_no_answer_sets_a_cookie_or_lets_another_website_in(shop, at, type_id):
    for method, path in (("GET", at), ("POST", at), ("GET", "/nothing"), ("OPTIONS", at)):
        answer = send(shop, method, path, Origin="https://elsewhere.example")
        assert "Set-Cookie" not in answer.headers
        assert not [name for name, _ in answer.headers if name.lower().startswith("access-control")]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "no-store" in answer.headers["Cache-Control"]


# ---- what a body may be ------------------------------------------------------------------

DEEP = 100_000


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("", 400),
        ("   ", 400),
        ("{", 400),
        ('{"price": NaN}', 400),
        ('{"price": Infinity}', 400),
        ('{"price": -Infinity}', 400),
        ('{"price": 1e400}', 400),
        (f'{{"price": {"9" * 5000}}}', 400),
        (f'{{"price": {"9" * 50}}}', 422),
        ('{"price": 1e20}', 422),
        ('{"price": 9007199254740993}', 422),
        ('{"price": 2147483648}', 422),
        ('{"price": 1.5}', 422),
        ('{"price": -0.0}', 201),
        ('{"price": 5.0}', 201),
        ('{"price": 1, "price": 2}', 201),
        ('{"price": 1, "label": "\\u0000"}', 422),
        ('{"price": 1, "label": "\\ud800"}', 422),
        ('{"price": 1, "no_such_field": "\\ud800\\u0000"}', 201),
        ('{"price": 1, "label": "' + "x" * 5000 + '"}', 422),
        ("[" * DEEP + "]" * DEEP, 400),
        ('{"a": ' * 40 + "1" + "}" * 40, 400),
        ('{"price": 1, "weekdays": ' + "[" * 500 + "]" * 500 + "}", 400),
        ("null", 422),
        ("[]", 422),
        ('"text"', 422),
    ],
    ids=range(26),
)
def test_a_body_of_any_kind_is_read_or_refused_and_breaks_nothing(shop, at, text, status):
    answer = shop.ask("POST", at, data=text, content_type="application/json")
    assert answer.status_code == status, answer.text


def test_a_body_is_json_whatever_its_type_is_called(shop, at):
    for kind in ("application/json", "text/plain", "application/x-www-form-urlencoded", "", "x"):
        shop.ask("POST", at, 201, data='{"price": 1}', headers={"Content-Type": kind})
    shop.ask("POST", at, 400, data="price=1", content_type="application/x-www-form-urlencoded")


def test_a_body_that_is_too_large_is_413(app, shop, at):
    size = app.config["MAX_CONTENT_LENGTH"] + 1
    answer = send(shop, "POST", at, data=b" " * size, **{"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert answer.mimetype == "application/json"


def test_a_key_that_is_too_long_or_unprintable_is_400(shop, at):
    for key in ("k" * 256, "a\tb"):
        shop.ask("POST", at, 400, body={"price": 1}, headers={"Idempotency-Key": key})
    shop.ask("POST", at, 201, body={"price": 1}, headers={"Idempotency-Key": "k" * 255})


def test_if_match_takes_a_list_a_star_and_nothing_weak(shop, at):
    made = shop.post(at, {"price": 1})["data"]["id"]
    one = f"{at}/{made}"

    def put(tag, status):
        return shop.ask("PUT", one, status, body={}, headers={"If-Match": tag})

    tag = put("*", 200).headers["ETag"]
    put(tag, 200)
    put(f'"other", {tag}', 200)
    for wrong in ('"other"', tag.strip('"'), f"W/{tag}", "x" * 5000):
        put(wrong, 412)


# ---- pages -------------------------------------------------------------------------------


def test_r21_pages_at_their_edges(shop, at):
    for number in range(3):
        shop.post(at, {"price": number})
    assert shop.get(f"{at}?page=9")["data"] == []
    assert shop.get(f"{at}?page=1000000000000")["meta"]["total"] == 4
    assert shop.get(f"{at}?per_page=1000")["meta"]["per_page"] == 100
    assert shop.get(f"{at}?per_page=999999999999999")["meta"]["per_page"] == 100
    for wrong in (
        "page=0",
        "page=-1",
        "page=",
        "page=x",
        "per_page=0",
        "page=1.0",
        "page=1&page=2",
    ):
        shop.ask("GET", f"{at}?{wrong}", 400)
    for huge in ("page=1000000000000000000", f"page={'9' * 5000}"):
        assert shop.ask("GET", f"{at}?{huge}").status_code in (200, 400)


def test_r21_links_keep_what_was_asked_and_lead_to_every_row_once(shop, at):
    for number in range(4):
        shop.post(at, {"price": number, "weekdays": ["friday"]})
    url, seen = f"{at}?per_page=2&weekdays=friday,monday&date_from=2026-07-01&page=1", []
    while url:
        page = shop.get(url)
        seen += [one["id"] for one in page["data"]]
        assert "per_page=2" in page["links"]["first"]
        assert "date_from=2026-07-01" in page["links"]["last"]
        url = (page["links"]["next"] or "").removeprefix("/api/shop")
    assert len(seen) == len(set(seen)) == 5
    assert page["links"]["prev"] is not None


# ---- what it leaves ----------------------------------------------------------------------


def test_a_request_has_one_name_in_its_answer_its_log_line_and_the_trail(make, shop, at, capsys):
    answer = shop.ask("POST", at, 201, body={"price": 1}, headers={"Request-Id": "till-7.a"})
    assert answer.headers["Request-Id"] == "till-7.a"
    shown = capsys.readouterr().err
    [line] = [line for line in shown.splitlines() if "request=till-7.a" in line]
    assert f"POST /api/shop{at} 201" in line
    assert shop.token not in shown

    def trail():
        entries = db.session.scalars(
            sa.select(AuditEntry).where(AuditEntry.request_id == "till-7.a"),
            execution_options=ANYWHERE,
        )
        return {(one.actor_kind, one.door, one.subject) for one in entries}

    assert ("token", "api.create_session_type_price_rule", PriceRule.__tablename__) in make(trail)


def test_what_breaks_is_told_and_logged_under_the_requests_name(app, shop, at, capsys, monkeypatch):
    def break_down(*_: object) -> None:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr(operations, "_find_places", break_down)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    answer = app.test_client().get(
        f"/api/shop{at}",
        headers={"Authorization": f"Bearer {shop.token}", "Request-Id": "till-8"},
    )
    assert (answer.status_code, answer.headers["Request-Id"]) == (500, "till-8")
    assert "broken on purpose" not in answer.get_data(as_text=True)
    shown = capsys.readouterr().err
    assert "ERROR sundial request=till-8" in shown
    assert "INFO sundial.api request=till-8" in shown


def test_an_address_makes_no_log_line_of_its_own(app, capsys):
    app.test_client().get("/api/shop/x%0aINFO sundial.api request=forged")
    lines = capsys.readouterr().err.splitlines()
    assert not [line for line in lines if line.startswith("INFO")]
    assert len([line for line in lines if "sundial.api" in line]) == 1


def test_a_request_without_a_sensible_name_is_given_one(shop, at):
    names = {
        shop.ask("GET", at, headers={"Request-Id": given}).headers["Request-Id"]
        for given in ("", "x" * 65, "a b", "é")
    }
    assert len(names) == 4
    assert all(len(one) == 32 for one in names)


def test_even_a_host_that_is_none_gets_an_answer_with_a_name(app):
    answer = app.test_client().get("/api/shop/sessions", headers={"Host": "a b"})
    assert answer.status_code == 400
    assert answer.get_json()["message"]
    assert answer.headers["Request-Id"]


def test_what_a_program_calls_its_request_is_not_kept(make, shop, at):
    key = {"headers": {"Idempotency-Key": "Ana Reyes, Sunday"}}
    first = shop.post(at, {"price": 100}, **key)
    assert shop.post(at, {"price": 100}, **key) == first
    query = sa.select(IdempotencyKey.key)
    [kept] = make(lambda: db.session.scalars(query, execution_options=ANYWHERE).all())
    assert "Ana" not in kept


def test_what_is_refused_leaves_nothing_behind(make, shop, at):
    def rows():
        return db.session.scalar(
            sa.select(sa.func.count(AuditEntry.id)), execution_options=ANYWHERE
        )

    shop.get(at)
    before = make(rows)
    shop.post(at, {"price": "x"}, 422)
    shop.post(at, {"price": 1, "date_from": "2026-07-02", "date_to": "2026-07-01"}, 422)
    shop.ask("DELETE", f"{at}/{'0' * 24}", 404)
    assert make(rows) == before


def test_the_document_is_open_to_all_and_says_the_same(app):
    client = app.test_client()
    first, second = (client.get("/api/openapi.json") for _ in range(2))
    assert first.status_code == 200
    assert first.data == second.data
    assert json.loads(first.data)["openapi"] == "3.1.0"
