"""Staff pages as people meet them: who works here, inviting somebody, tokens, what is refused."""

import logging
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from conftest import NOW
from factories import (
    ANYWHERE,
    fetch,
    make_account,
    make_customer,
    make_order,
    make_session,
    make_site,
    make_staff,
    make_type,
)
from sqlalchemy import event

from blueprints.clock import read_clock
from blueprints.mailing import text_of, write
from blueprints.security import declared_rights
from domain.roles import ROLES, STAFF
from models import RIGHTS, Account, ApiToken, Job, Organisation, Site, StaffInvitation, db
from services.api_tokens import find_token, list_tokens, make_token
from services.staff_rights import find_grants

WORDS = "warm slow water"


@pytest.fixture
def house(make):
    def build():
        bath = make_site(slug="bath")
        organisation = fetch(Organisation, bath.organisation_id)
        north = make_site(organisation, slug="north", place="North")
        people = {
            "owner": make_staff(bath, "imogen@example.com", rights=RIGHTS, everywhere=True),
            "local": make_staff(bath, "lena@example.com", rights=(STAFF, "RESERVATIONS_MANAGE")),
            "maren": make_staff(bath, "maren@example.com"),
        }
        return {
            "id": bath.organisation_id, "bath": bath.id, "north": north.id,
            **{name: account.id for name, account in people.items()},
        }  # fmt: skip

    return make(build)


@pytest.fixture
def imogen(visitor, house):
    visitor.sign_in("imogen@example.com", "thermal-waters", "/staff/sign-in")
    return visitor


@pytest.fixture
def colleague(other_visitor, house):
    def come(email):
        other_visitor.sign_in(email, "thermal-waters", "/staff/sign-in")
        return other_visitor

    return come


@contextmanager
def counting(app):
    statements = []

    def count(*args):
        statements.append(args[2])

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", count)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", count)


def held(house, who):
    return find_grants(house["id"], house[who])


def fields_of(page, **changed):
    """What the form of rights sends as it stands: its hidden fields, selects and title."""
    form = page.one("form.rights-card")
    sent = {
        field["name"]: field.get("value", "")
        for field in form.select("input[type=hidden], input.input")
    }
    for select in form.select("select"):
        chosen = select.select_one("option[selected]") or select.select_one("option")
        sent[select["name"]] = chosen["value"]
    for scope in form.select("[data-scope]"):
        ticked = [tick["value"] for tick in scope.select("[data-right][checked]")]
        sent[scope.select_one("[data-right]")["name"]] = ["", *ticked]
    return {**sent, **changed}


def letter_of(app, make):
    """The text of the newest invitation and the link in it."""

    def read():
        query = sa.select(Job.payload).order_by(Job.created_at.desc(), Job.id.desc())
        payload = db.session.scalars(query, execution_options=ANYWHERE).first()
        with app.test_request_context():
            found = write(payload)
            return found, text_of(found)

    found, text = make(read)
    return found, text, "/" + found.action[1].split("/", 3)[3]


def invite(imogen, house, email="noa@example.com", **given):
    page = imogen.get("/staff/bath/staff/invitations/new")
    fields = fields_of(page, email=email, **{f"role-{house['bath']}": "trainer", **given})
    return imogen.post("/staff/bath/staff/invitations", fields)


def test_the_list_says_who_may_do_what_where_in_as_many_queries_for_many_as_for_few(
    imogen, house, make
):
    def add(count):
        site = fetch(Site, house["bath"])
        for number in range(count):
            make_staff(site, f"guide{count}-{number}@example.com", rights=("REPORTS_VIEW",))

    make(lambda: add(2))
    with counting(imogen.app) as few:
        imogen.get("/staff/bath/staff")
    make(lambda: add(12))
    with counting(imogen.app) as many:
        page = imogen.get("/staff/bath/staff")
    assert len(many) == len(few) <= 10
    assert "17 people" in page.text("h1")
    owner = page.one(f".set-row a[href$='{house['owner']}']")
    assert "Signed in a moment ago" in owner.get_text(" ")
    assert "Not signed in yet" in page.one(f".set-row a[href$='{house['maren']}']").get_text(" ")
    assert "All venues: Owner" in page.text(".set-list")
    assert "Stillwater Bath: Trainer" in page.text(".set-list")
    assert "Nobody matches" in imogen.get("/staff/bath/staff?q=nobody%25").text("main")
    assert len(imogen.get("/staff/north/staff?at=here").all(".set-row")) == 1


def test_a_role_is_given_and_holds_from_the_next_page_on(imogen, colleague, house, make):
    maren = colleague("maren@example.com")
    maren.get("/staff/bath/orders", 403)
    url = f"/staff/bath/staff/{house['maren']}"
    fields = fields_of(imogen.get(url), **{f"role-{house['bath']}": "receptionist"})
    assert imogen.post(url, fields, 303).response.location.endswith("/staff/bath/staff")
    maren.get("/staff/bath/orders")
    page = imogen.get(f"{url}/removal")
    assert "Receptionist" in page.text("main form")
    imogen.post(f"{url}/removal", page.form("main form"), 303)
    for path in ("/staff/bath/orders", "/staff/bath/", "/staff/bath/staff"):
        maren.get(path, 404)
    maren.get("/staff/", 403)
    imogen.get(url, 404)
    assert make(lambda: held(house, "maren")) == frozenset()


def test_who_loses_all_rights_keeps_account_sign_in_and_bookings(imogen, colleague, house, make):
    def book():
        site = fetch(Site, house["bath"])
        make_customer(house["id"], fetch(Account, house["maren"]), email="maren@example.com")
        return make_order(
            make_session(make_type(site)), name="Maren", email="maren@example.com",
            account_id=house["maren"],
        )  # fmt: skip

    order = make(book)
    maren = colleague("maren@example.com")
    url = f"/staff/bath/staff/{house['maren']}/removal"
    imogen.post(url, imogen.get(url).form("main form"), 303)
    maren.get("/staff/bath/", 404)
    assert order in maren.get("/account/").html
    maren.get("/account/security")
    maren.post("/account/sign-out", {}, 303)
    maren.sign_in("maren@example.com", "thermal-waters")


def test_a_colleague_is_signed_out_everywhere_and_may_come_again(imogen, colleague, house):
    url = f"/staff/bath/staff/{house['maren']}"
    page = imogen.get(url)
    assert "Has not signed in yet" in page.text(".browsers-card")
    assert not page.all(".browsers-card form")
    maren = colleague("maren@example.com")
    page = imogen.get(url)
    assert len(page.all(".browsers li")) == 1
    # Where from is its owner's business.
    assert "127.0.0.1" not in page.html
    imogen.post(f"{url}/browsers/end", {}, 303)
    assert "signed out everywhere" in imogen.get(url).text(".note--ok")
    assert "Nowhere now" in imogen.get(url).text(".browsers-card")
    assert "sign-in" in maren.get("/staff/bath/", 303).response.location
    maren.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    maren.get("/staff/bath/")
    imogen.get(f"{url}/browsers/end", 303)
    imogen.post(f"/staff/bath/staff/{'0' * 24}/browsers/end", {}, 404)
    assert not imogen.get(f"/staff/bath/staff/{house['owner']}").all(".browsers-card form")


def test_nobody_signs_out_whose_rights_are_not_theirs_to_end(colleague, imogen, house):
    lena = colleague("lena@example.com")
    url = f"/staff/bath/staff/{house['owner']}"
    page = lena.get(url)
    assert not page.all(".browsers-card form, .browsers li")
    page = lena.post(f"{url}/browsers/end", {}, 422)
    assert "staff you don't manage" in page.text("[role=alert]")
    imogen.get("/staff/bath/staff")
    lena.post(f"/staff/bath/staff/{house['maren']}/browsers/end", {}, 303)


def test_a_venue_that_asks_for_a_second_factor_asks_who_was_just_invited(
    imogen, other_visitor, house, make
):
    def demand():
        fetch(Organisation, house["id"]).staff_second_factor = True
        db.session.commit()

    invite(imogen, house)
    _, _, link = letter_of(imogen.app, make)
    make(demand)
    form = {**other_visitor.get(link).form("main form"), "name": "Noa", "password": WORDS}
    other_visitor.post(link, form, 303)
    page = other_visitor.get(other_visitor.get("/staff/", 302).response.location, 303)
    assert page.response.location == "/account/security"
    page = other_visitor.get("/account/security")
    assert "asks its staff" in page.text("main")
    assert "This browser" in page.text(".badge--ok")
    # Fresh, so nothing more is asked before the app is set up.
    other_visitor.post("/account/authenticator", {}, 303)
    other_visitor.get("/account/authenticator")


def test_ticks_are_an_own_mixture_and_what_is_not_sent_stays(imogen, house, make):
    url = f"/staff/bath/staff/{house['maren']}"
    seen = imogen.get(url).form("form.rights-card")["seen"]
    at_north = {f"role-{house['north']}": "mixture", f"rights-{house['north']}": ["", STAFF]}
    imogen.post(url, {"seen": seen, **at_north}, 303)
    both = {(house["bath"], "RESERVATIONS_MANAGE"), (house["north"], STAFF)}
    assert make(lambda: held(house, "maren")) == both
    page = imogen.get(url)
    assert page.one(f"select[name=role-{house['north']}] [selected]")["value"] == "mixture"
    assert page.one("#title")["value"] == "Front desk"
    # A mixture whose ticks were not sent keeps its rights; unticked they are sent as none.
    seen = page.form("form.rights-card")["seen"]
    imogen.post(url, {"seen": seen, f"role-{house['north']}": "mixture"}, 303)
    assert make(lambda: held(house, "maren")) == both
    at_north[f"rights-{house['north']}"] = [""]
    imogen.post(url, {"seen": seen, **at_north}, 303)
    assert make(lambda: held(house, "maren")) == {(house["bath"], "RESERVATIONS_MANAGE")}


def test_d4_saved_meanwhile_shows_both_versions_and_keeps_what_was_chosen(imogen, house):
    url = f"/staff/bath/staff/{house['maren']}"
    stale = fields_of(imogen.get(url), **{f"role-{house['bath']}": "bookkeeper"})
    fresh = {**stale, f"role-{house['bath']}": "manager"}
    imogen.post(url, fresh, 303)
    page = imogen.post(url, stale, 409)
    assert page.soup.title.get_text().startswith("Error:")
    assert "Saved meanwhile: Manager" in page.text("#scopes")
    assert page.one(f"select[name=role-{house['bath']}] [selected]")["value"] == "bookkeeper"
    imogen.post(url, {**stale, "seen": page.form("form.rights-card")["seen"]}, 303)


def test_nobody_is_offered_or_given_more_than_the_giver_has(colleague, house, make):
    lena = colleague("lena@example.com")
    url = f"/staff/bath/staff/{house['maren']}"
    page = lena.get(url)
    offered = {option["value"] for option in page.all("[data-scope] option")}
    assert offered == {"none", "trainer", "mixture"}
    assert len(page.all("[data-scope]")) == 1
    for fields in (
        {f"role-{house['bath']}": "owner"},
        {"role-all": "trainer"},
        {f"role-{house['north']}": "trainer"},
        {f"role-{house['bath']}": "mixture", f"rights-{house['bath']}": ["", "ORDERS_MANAGE"]},
    ):
        refused = lena.post(url, {"seen": page.form("form.rights-card")["seen"], **fields}, 422)
        assert refused.one("#scopes > .error")
        assert refused.one(".summary a")["href"] == "#scopes"
    owner = lena.get(f"/staff/bath/staff/{house['owner']}")
    assert "Only somebody who manages staff at all venues" in owner.text("#scopes")
    removal = lena.get(f"/staff/bath/staff/{house['owner']}/removal")
    assert not removal.all("main .btn--danger")
    lena.post(f"/staff/bath/staff/{house['owner']}/removal", removal.form("main form"), 422)
    assert make(lambda: held(house, "owner")) == {(None, right) for right in RIGHTS}


def test_ending_ones_own_right_to_manage_staff_is_asked_twice(colleague, house, make):
    lena = colleague("lena@example.com")
    url = f"/staff/bath/staff/{house['local']}"
    fields = fields_of(lena.get(url), **{f"role-{house['bath']}": "trainer"})
    page = lena.post(url, fields, 422)
    assert "your own right to manage staff" in page.text(".summary")
    assert page.one(".summary a")["href"] == "#sure"
    answer = lena.post(url, {**fields, "sure": "y"}, 303)
    assert answer.response.location == "/staff/"
    assert make(lambda: held(house, "local")) == {(house["bath"], "RESERVATIONS_MANAGE")}


def test_the_last_owner_is_told_that_somebody_has_to_stay(imogen, house):
    url = f"/staff/bath/staff/{house['owner']}/removal"
    page = imogen.post(url, imogen.get(url).form("main form"), 422)
    assert "Nobody else manages staff at all venues" in page.text("[role=alert]")
    stale = imogen.post(url, {"seen": "older"}, 409)
    assert stale.soup.title.get_text().startswith("Error:")


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"email": "noa"}, "email"),
        ({"name": "<b>Noa</b>"}, "name"),
        ({"title": "x" * 201}, "title"),
        ({"role-all": "emperor"}, "scopes"),
        ({"role-elsewhere": "trainer"}, None),
        ({"email": "maren@example.com"}, "email"),
    ],
)
def test_an_invitation_is_refused_under_its_field_and_keeps_what_was_typed(
    imogen, house, changed, field
):
    page = invite(imogen, house, **{"name": "Noa Berg", **changed})
    if field is None:
        assert page.status == 404
        return
    assert page.status == 422
    assert page.one(".summary a")["href"] == f"#{field}"
    if "name" not in changed:
        assert page.one("#name")["value"] == "Noa Berg"
    chosen = page.one(f"select[name=role-{house['bath']}] [selected]")
    assert chosen["value"] == "trainer"


def test_somebody_new_is_invited_by_mail_and_begins_to_work(imogen, other_visitor, house, make):
    page = invite(imogen, house, name="Noa Berg", title="Weekends")
    assert page.status == 303
    found, text, link = letter_of(imogen.app, make)
    assert found.to == "noa@example.com"
    assert "Maren Ellis would like you to join the staff of Stillwater as Weekends" in text
    assert "Stillwater Bath" in text
    # H7: looking takes nothing.
    for _ in range(2):
        offer = other_visitor.get(link)
    assert "invites you to the staff as Weekends" in offer.text("main")
    form = {**offer.form("main form"), "password": "short"}
    refused = other_visitor.post(link, form, 422)
    assert refused.one(".summary a")["href"] == "#password"
    assert refused.one("#name")["value"] == "Noa Berg"
    other_visitor.post(link, {**form, "password": WORDS}, 303)
    page = other_visitor.get(other_visitor.client.get("/staff/").location)
    assert "Welcome to the team" in page.text("main")
    assert "This invitation was accepted already" in other_visitor.get(link, 410).text("main")
    assert "Accepted" in imogen.get("/staff/bath/staff/invitations").text("main")


def test_with_an_account_one_signs_in_and_accepts_and_nobody_else_can(
    imogen, other_visitor, house, make
):
    noa = make(lambda: make_account("noa@example.com", "Noa Berg", WORDS).id)
    make(lambda: make_account("eve@example.com", "Eve", WORDS))
    invite(imogen, house)
    _, _, link = letter_of(imogen.app, make)
    page = other_visitor.get(link)
    door = page.one("main a.btn--block")["href"]
    assert not page.all("input[name=password]")
    other_visitor.post(link, {"name": "Eve", "password": WORDS}, 303)
    other_visitor.sign_in("eve@example.com", WORDS)
    assert "another address" in other_visitor.get(link).text("main")
    other_visitor.post(link, {}, 409)
    other_visitor.post("/account/sign-out", {}, 303)
    back = other_visitor.post(door, {"email": "noa@example.com", "password": WORDS}, 303)
    assert back.response.location == link
    assert make(lambda: find_grants(house["id"], noa)) == frozenset()
    for _ in range(2):
        other_visitor.post(link, {}, 303)
    assert make(lambda: find_grants(house["id"], noa)) == {(house["bath"], "RESERVATIONS_MANAGE")}


def test_an_invitation_is_sent_again_and_withdrawn_and_its_old_links_say_so(
    imogen, other_visitor, house, make
):
    invite(imogen, house)
    _, _, first = letter_of(imogen.app, make)
    invitation = make(
        lambda: db.session.scalar(sa.select(StaffInvitation.id), execution_options=ANYWHERE)
    )
    url = f"/staff/bath/staff/invitations/{invitation}"
    imogen.post(f"{url}/letter", {}, 303)
    _, _, second = letter_of(imogen.app, make)
    assert first != second
    assert "newest letter" in other_visitor.get(first, 410).text("main")
    other_visitor.get(second)
    imogen.post(f"{url}/withdrawal", {}, 303)
    assert "withdrawn" in other_visitor.get(second, 410).text("main")
    other_visitor.post(second, {"name": "Noa", "password": WORDS}, 410)
    assert "is over" in imogen.post(f"{url}/letter", {}, 409).text("[role=alert]")
    for link in (
        second[:-1] + ("A" if second[-1] != "A" else "B"),
        second + "A",
        "/staff/invitations/x",
    ):
        other_visitor.get(link, 404)
    assert letter_of(imogen.app, make)[0].is_useful is False
    imogen.get(f"{url}/letter", 303)


def test_a_venues_outbox_never_shows_a_link_that_gives_rights(imogen, house):
    invite(imogen, house)
    imogen.get("/staff/bath/staff/invitations")
    assert "noa@example.com" not in imogen.get("/staff/bath/outbox").html


def token_form(imogen, house, **given):
    page = imogen.get("/staff/bath/tokens/new")
    return fields_of(page, **{"name": "Till", f"role-{house['bath']}": "bookkeeper", **given})


def test_a_token_is_shown_once_in_the_answer_and_nowhere_else(imogen, house, make, caplog):
    caplog.set_level(logging.DEBUG)
    fields = token_form(imogen, house)
    page = imogen.post("/staff/bath/tokens", fields, 200)
    plain = page.text("#token")
    assert page.response.headers["Cache-Control"] == "no-store"
    assert make(lambda: find_token(plain, read_clock())).organisation_id == house["id"]
    assert plain not in str(page.response.headers)
    assert plain not in caplog.text
    again = imogen.post("/staff/bath/tokens", {**fields, "csrf_token": imogen.token()}, 200)
    assert not again.all("#token")
    listed = imogen.get("/staff/bath/tokens")
    assert plain not in listed.html
    assert f"ends in {plain[-4:]}" in listed.text("main")
    assert len(listed.all("main .kind")) == 1
    assert "Bookkeeper" in listed.text("main")
    [token_id] = [tag["id"].removeprefix("token-") for tag in listed.all("main .kind")]
    ask = imogen.get(f"/staff/bath/tokens/{token_id}/revocation")
    imogen.post(f"/staff/bath/tokens/{token_id}/revocation", ask.form("main form"), 303)
    assert make(lambda: find_token(plain, read_clock())) is None
    assert "Revoked" in imogen.get("/staff/bath/tokens").text("main")


@pytest.mark.parametrize(
    ("changed", "field"),
    [({"name": ""}, "name"), ({"lasts": "7"}, "lasts"), ({"role-all": "x"}, "scopes")],
)
def test_a_token_is_refused_under_its_field(imogen, house, changed, field):
    page = imogen.post("/staff/bath/tokens", token_form(imogen, house, **changed), 422)
    assert page.one(".summary a")["href"] == f"#{field}"
    assert page.soup.title.get_text().startswith("Error:")
    nothing = {"role-all": "none", f"role-{house['bath']}": "none"}
    page = imogen.post("/staff/bath/tokens", token_form(imogen, house, **nothing), 422)
    assert "at least one right" in page.text("#scopes")


def test_a_token_of_other_venues_is_shown_and_not_ones_to_revoke(colleague, house, make):
    rights = {"all": ["REPORTS_VIEW"]}
    token_id = make(
        lambda: make_token(house["id"], name="All", rights=rights, by=house["owner"], now=NOW)[0]
    )
    lena = colleague("lena@example.com")
    assert not lena.get("/staff/bath/tokens").all(f"#token-{token_id} a[href*=revocation]")
    url = f"/staff/bath/tokens/{token_id}/revocation"
    assert not lena.get(url).all("main .btn--danger")
    lena.post(url, {}, 422)
    row = make(lambda: list_tokens(house["id"], own_id=house["owner"], now=NOW)[0])
    assert row.state == "live"


def command(app, *given):
    return app.test_cli_runner().invoke(args=["api-token", *given])


def test_the_command_prints_the_token_alone(app, house, make):
    rights = "SETTINGS_MANAGE,RESERVATIONS_MANAGE"
    answer = command(app, "--organisation", "stillwater", "--rights", rights)
    assert answer.exit_code == 0, answer.output
    plain = answer.stdout.strip()
    assert answer.stdout == f"{plain}\n"
    bearer = make(lambda: find_token(plain, read_clock()))
    assert bearer.grants == {(None, "SETTINGS_MANAGE"), (None, "RESERVATIONS_MANAGE")}
    code = make(lambda: fetch(Organisation, house["id"]).code)
    answer = command(
        app, "--organisation", code, "--rights", rights, "--site", "north", "--name", "Door"
    )
    bearer = make(lambda: find_token(answer.stdout.strip(), read_clock()))
    assert {site for site, _ in bearer.grants} == {house["north"]}
    assert make(lambda: fetch(ApiToken, bearer.token_id).name) == "Door"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("nobody", "REPORTS_VIEW", ""), "No organisation is called nobody"),
        (("stillwater", "REPORTS", ""), "There is no right REPORTS"),
        (("stillwater", "", ""), "Name at least one right"),
        (("stillwater", "REPORTS_VIEW", "nowhere"), "has no venue at /nowhere"),
    ],
)
def test_the_command_says_what_it_does_not_know_and_ends_with_2(app, house, given, said):
    organisation, rights, site = given
    answer = command(app, "--organisation", organisation, "--rights", rights, "--site", site)
    assert answer.exit_code == 2
    assert said in answer.stderr
    assert answer.stdout == ""


def test_a_refusal_names_the_right_that_is_missing_and_who_can_give_it(colleague, house, make):
    page = colleague("maren@example.com").get("/staff/bath/types", 403)
    assert "the right “Set up” at Stillwater Bath" in page.text("main")
    assert "You can ask Maren Ellis for it" in page.text("main")


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.key)
def test_the_menu_shows_what_ones_rights_open_and_all_of_it_opens(visitor, house, make, role):
    def build():
        site = fetch(Site, house["bath"])
        make_staff(site, "one@example.com", rights=tuple(role.rights))

    make(build)
    visitor.sign_in("one@example.com", "thermal-waters", "/staff/sign-in")
    front = visitor.client.get("/staff/").location
    links = {tag["href"] for tag in visitor.get(front).all(".rail nav a")}
    adapter = visitor.app.url_map.bind("localhost")
    for link in links:
        rights = declared_rights(visitor.app, adapter.match(link)[0])
        assert not role.rights.isdisjoint(rights) or "public" in rights, link
        assert visitor.client.get(link).status_code in (200, 302), link
