"""D3: every route asks for its right, and each kind of person gets what they should, everywhere.

The walk takes the application's own map, so that a page added later is asked too; one whose
address has no example in tests/addresses.py fails.
"""

import re
from collections import Counter
from html import unescape

import pytest
from addresses import addresses, build_house, values_of
from factories import fetch, make_account, make_site, make_staff

from blueprints.errors import STATUS_OF
from blueprints.security import KIOSK, PUBLIC, SIGNED_IN, STAFF, TOKEN, declared_rights
from domain.errors import NotAllowed, NotFound
from domain.roles import ROLES
from models import RIGHTS, Organisation, Session, Site

DOORS = {SIGNED_IN: "/account/sign-in", STAFF: "/staff/sign-in"}
ENDS_THE_VISIT = ("account.end", "account.end_everywhere", "account.close", "desk.end")
"""Making a kiosk of a browser ends its visit, too, but not without a name for it."""
PASSWORD = "thermal-waters"
NAMES_MORE = ("people.book_anyway", "intake.fill_booking_forms")
"""Forms that name what they are about in their fields: sent empty, that isn't found."""
TAKES_AWAY = ("webhooks.remove",)
"""What it takes away would be missed by whoever is asked next."""
FOR_THE_WHOLE_HOUSE = (
    *("setup.organisation", "setup.rename", "setup.new_venue", "setup.add_venue"),
    *("setup.demand_second_factor", "setup.back_to_organisation"),
    *("archives.index", "archives.ask", "archives.fetch", "archives.back_to_index"),
    *("archives.stop", "archives.delete"),
)
"""Asked of those whose right holds at all venues; tests/web/test_founding.py and test_archives.py
have both kinds."""
METHODS = ("GET", "POST", "PUT", "DELETE")
OF_DEVICES = frozenset({KIOSK, TOKEN})
"""Asked of a kiosk's cookie or a program's token: nobody's own sign-in opens these."""
MIXTURES = {
    **{f"role-{role.key}": tuple(sorted(role.rights)) for role in ROLES},
    **{f"only-{right}".lower(): (right,) for right in RIGHTS},
}
"""Everybody of the matrix: each role, and each right alone."""


@pytest.fixture
def house(app, make):
    """Two venues of two organisations with one of everything, and everybody who could ask."""

    def build():
        ours = build_house(RIGHTS, "bath")
        theirs = build_house(RIGHTS, "reykjavik")
        site = fetch(Site, _site_of(ours["session_id"][0]))
        near = make_site(fetch(Organisation, site.organisation_id), slug="next-door")
        make_staff(near, "near@example.com", rights=RIGHTS)
        for right in RIGHTS:
            make_staff(site, f"with-{right}@example.com".lower(), rights=(right,))
        for rights in {declared_rights(app, rule.endpoint) for rule in app.url_map.iter_rules()}:
            others = tuple(one for one in RIGHTS if one not in rights)
            if of_a_venue(rights):
                make_staff(site, without(rights), rights=others)
        make_account("ana@example.com", "Ana Reyes", PASSWORD)
        return {"ours": ours, "theirs": theirs}

    return make(build)


def _site_of(session_id):
    return fetch(Session, session_id).site_id


class Person:
    """One browser that stays signed in, whatever it opens and sends."""

    def __init__(self, app, email=""):
        self._app, self._email = app, email
        self._sign_in()

    def _sign_in(self):
        self.client = self._app.test_client()
        self.token = self._token()
        if self._email:
            fields = {"email": self._email, "password": PASSWORD, "csrf_token": self.token}
            assert self.client.post("/staff/sign-in", data=fields).status_code == 303
            self.token = self._token()

    def _token(self):
        text = self.client.get("/account/sign-in").get_data(as_text=True)
        return text.split('name="csrf_token" value="', 1)[1].split('"', 1)[0]

    def cookies(self):
        """As a header, for what is asked of the door only."""
        kept = self.client._cookies.values()
        return {"Cookie": "; ".join(f"{cookie.key}={cookie.value}" for cookie in kept)}

    def ask(self, rule, url, method, *, follows):
        """The answer's status, and where it leads."""
        if method == "GET":
            answer = self.client.get(url, follow_redirects=follows)
        else:
            answer = self.client.open(url, method=method, data={"csrf_token": self.token})
        if rule.endpoint in ENDS_THE_VISIT and method == "POST":
            self._sign_in()
        return answer.status_code, answer.headers.get("Location", "")


@pytest.fixture
def walk(visitor, house):
    """Asks every route by every method as one person, and notes what is not as expected."""
    app = visitor.app

    def go(people_of, expected, examples=house["ours"], keep=lambda _rule: True, follows=False):
        people, faults, asked = {}, [], Counter()
        for method in METHODS:
            for rule, url in list(addresses(app, examples, method, most=1)):
                rights = declared_rights(app, rule.endpoint)
                if not keep(rule):
                    continue
                asked.update(rights)
                for email in people_of(rights):
                    if email not in people:
                        people[email] = Person(app, email)
                    status, to = people[email].ask(rule, url, method, follows=follows)
                    if not expected(rights, status, to):
                        faults.append(f"{method} {url} ({rights}) {email}: {status} {to}")
        assert not faults, "\n".join(faults)
        return asked

    return go


def of_a_venue(rights):
    return not set(rights).isdisjoint(RIGHTS)


def without(rights):
    """The address of somebody who has every right but these."""
    return f"without-{'-and-'.join(rights)}@example.com".lower()


def test_every_part_of_an_address_has_an_example(app, house):
    missing = set()
    for rule in app.url_map.iter_rules():
        for name in rule.arguments:
            try:
                values_of(rule, name, house["ours"])
            except KeyError:
                missing.add(f"{name} of {rule.rule}")
    assert missing == set()


def test_d3_a_visitor_opens_what_is_public_and_is_sent_to_the_right_door_elsewhere(walk):
    def expected(rights, status, to):
        if PUBLIC in rights:
            return status < 500 and status not in (401, 403)
        if OF_DEVICES.intersection(rights):
            return status == 401
        return status == 303 and to.startswith(DOORS.get(rights[0], DOORS[STAFF]))

    asked = walk(lambda _rights: [""], expected)
    assert asked[PUBLIC] > 40
    assert asked[TOKEN] > 60
    assert sum(number for right, number in asked.items() if right in RIGHTS) > 60


def test_d3_a_customer_is_no_staff_on_any_route(walk):
    def expected(rights, status, to):
        if STAFF in rights:
            return status == 403
        if OF_DEVICES.intersection(rights):
            return status == 401
        if of_a_venue(rights):
            return status == 404
        return status < 500 and status not in (401, 403) and "sign-in?next" not in to

    walk(lambda _rights: ["ana@example.com"], expected)


def test_d3_staff_without_the_right_are_refused_on_every_route_that_asks_for_it(walk):
    asked = walk(
        lambda rights: [without(rights)],
        lambda _rights, status, _to: status == 403,
        keep=lambda rule: rule.rule.startswith("/staff/<site>/"),
    )
    assert set(asked) >= {"RESERVATIONS_MANAGE", "SETTINGS_MANAGE", "CUSTOMERS_MANAGE"}


def test_d3_staff_of_the_venue_next_door_are_refused_on_every_route(walk):
    walk(
        lambda _rights: ["near@example.com"],
        lambda _rights, status, _to: status == 403,
        keep=lambda rule: rule.rule.startswith("/staff/<site>/"),
    )


def test_r1_staff_of_another_organisation_find_nothing_on_any_route(walk):
    walk(
        lambda _rights: ["maren@reykjavik.example"],
        lambda _rights, status, _to: status == 404,
        keep=lambda rule: rule.rule.startswith("/staff/<site>/"),
    )


def test_r1_foreign_ids_are_not_found_at_ones_own_venue(walk, house):
    """Theirs is the desk, ours are the rows that the address names."""
    ids = {name: values for name, values in house["ours"].items() if name.endswith("_id")}
    walk(
        lambda _rights: ["maren@reykjavik.example"],
        lambda _rights, status, _to: status == 404,
        # The address of a button leads to its page, and that one isn't found.
        follows=True,
        examples={**house["theirs"], **ids},
        keep=lambda rule: (
            rule.rule.startswith("/staff/<site>/")
            and any(name.endswith("_id") for name in rule.arguments)
        ),
    )


def test_d3_any_one_right_that_a_route_asks_for_is_enough(walk):
    """Every page is there; a form that is sent empty is refused for what it lacks."""

    def expected(_rights, status, to):
        return status in (200, 302, 303, 409, 422) and "sign-in" not in to

    asked = walk(
        lambda rights: [f"with-{right}@example.com".lower() for right in rights],
        expected,
        keep=lambda rule: (
            rule.rule.startswith("/staff/<site>/")
            and rule.endpoint not in (*NAMES_MORE, *TAKES_AWAY, *FOR_THE_WHOLE_HOUSE)
        ),
    )
    assert asked["RESERVATIONS_MANAGE"] > 20


def dead_links(app, person):
    """What a person finds closed from the start page on, one page of each kind visited."""
    urls = app.url_map.bind("localhost")
    waiting, seen, dead = [("/staff/", "")], set(), []
    while waiting:
        url, source = waiting.pop(0)
        rule = urls.match(url.split("?")[0].split("#")[0], "GET")[0]
        if rule in seen:
            continue
        seen.add(rule)
        answer = person.client.get(url, follow_redirects=True)
        if answer.status_code in (401, 403, 404) or answer.status_code >= 500:
            dead.append(f"{answer.status_code} {url} on {source}")
        elif answer.mimetype == "text/html":
            links = re.findall(r'<a [^>]*?href="(/(?:staff|account)/[^"]*)"', answer.text)
            waiting += [(unescape(link), url) for link in links]
    return len(seen), dead


def test_d3_whoever_has_one_right_alone_starts_somewhere_and_meets_no_closed_door(app, house):
    for right in RIGHTS:
        person = Person(app, f"with-{right}@example.com".lower())
        visited, dead = dead_links(app, person)
        assert not dead, (right, dead)
        assert visited > 5, right


def ask_the_door(app, person, url, method):
    """What is decided before a view begins: None opens, else the refusal's status."""
    fields = {"csrf_token": person.token} if method == "POST" else None
    with app.test_request_context(url, method=method, data=fields, headers=person.cookies()):
        try:
            return app.preprocess_request()
        except (NotAllowed, NotFound) as refusal:
            return STATUS_OF[type(refusal)]


def test_r1_d3_the_matrix_of_every_role_and_right_over_the_whole_map(
    app, house, make, on_postgresql
):
    """At one's own venue, next door and in another organisation: the declared rights alone say
    what is expected, whatever code decides it.

    Asked of the door, which is all that comes before a view; that the pages behind it stand, and
    that others are refused in full, is asked above. Elsewhere each route is asked by those whom
    it would let in at their own venue.
    """
    if on_postgresql:
        pytest.skip("thousands of questions about rights, none of which is the database's")

    def build():
        site = fetch(Site, _site_of(house["ours"]["session_id"][0]))
        for who, rights in MIXTURES.items():
            make_staff(site, f"{who}@example.com", rights=rights)

    make(build)
    routes = [
        (url, method, frozenset(declared_rights(app, rule.endpoint)))
        for method in METHODS
        for rule, url in addresses(app, house["ours"], method, most=1)
        if of_a_venue(declared_rights(app, rule.endpoint))
    ]
    faults, seen = [], Counter()
    for who, held in MIXTURES.items():
        person = Person(app, f"{who}@example.com")
        for url, method, rights in routes:
            opens = not rights.isdisjoint(held)
            seen[who, opens] += 1
            said = [ask_the_door(app, person, url, method)]
            for place in ("next-door", "reykjavik") if opens else ():
                there = url.replace("/staff/bath/", f"/staff/{place}/", 1)
                said.append(ask_the_door(app, person, there, method))
            if said != ([None, 403, 404] if opens else [403]):
                faults.append(f"{who} {method} {url} ({', '.join(rights)}): {said}")
    assert not faults, "\n".join(faults)
    assert all(seen[who, True] > 3 for who in MIXTURES)
    assert all(seen[who, False] > 3 for who in MIXTURES if who != "role-owner")
