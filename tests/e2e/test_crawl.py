"""Every link followed and every form sent, by each kind of person; no browser needed."""

import re
import tomllib
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from html import unescape
from itertools import chain
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import pytest
import sqlalchemy as sa
from conftest import ROOT, app_on
from factories import ANYWHERE
from flask import Flask
from reading import Form, Reading
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule

from models import Base, Organisation, Session, SessionType, db

MOST_PAGES = 1200
MOST_OF_A_PATTERN = 6
SITES = ("stillwater-bath", "stillwater-reykjavik")
PRIVATE = {"hydrotherapy", "friends-of-the-weir", "house-viewing"}
STILLWATER = tuple(f"/{site}/" for site in SITES)
NUMBERED = ("secret", "form_secret", "token", "key", "name")
"""What names one of many in an address, besides everything that ends in _id."""
IS_PRIVATE = re.compile(r"/[^/]+/private/")
ID = re.compile(r"\b[0-9a-f]{24}\b|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
SENT_BY_ALL = {"shop.hold", "checkout.confirm", "checkout.renew", "checkout.remove"}
DESK = {"desk.check_in", "desk.stage", "desk.walk_in", "desk.end"}
SET_UP = {
    *("setup.save_group", "setup.make_room", "setup.change_room", "setup.make_person"),
    *("types.make", "types.save_details", "types.save_access", "media.upload"),
    *("prices.try_out", "prices.save", "series.create", "series.change", "series.archive"),
    *("sessions.make", "sessions.change", "cover.apply"),
}
DELETE = {"setup.remove_one_category", "setup.remove_one_zone", "setup.remove_away", "media.delete"}
"""Whatever else is left stays where it was, archived; after these an address is gone."""


@dataclass(frozen=True)
class Person:
    """Who walks, through which door they came in, and what they surely meet."""

    sends: set[str]
    door: str = ""
    email: str = ""
    password: str = ""


PEOPLE = {
    "a visitor": Person({"account.start", "desk.start"}),
    "a customer": Person(
        {"account.end"}, "/account/sign-in", "ana.reyes@example.com", "quiet-rooms-34"
    ),
    "a receptionist": Person(DESK, "/staff/sign-in", "maren@stillwater.example", "thermal-waters"),
    "an owner": Person(
        DESK | SET_UP, "/staff/sign-in", "imogen@stillwater.example", "river-before-dawn"
    ),
}


@dataclass
class Walk:
    """What one person found."""

    pages: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    posted: Counter = field(default_factory=Counter)
    private: set[str] = field(default_factory=set)
    """Addresses of private pages that a page gave away."""

    def under(self, *beginnings: str) -> dict[str, str]:
        return {url: text for url, text in self.pages.items() if url.startswith(beginnings)}


class Crawler:
    """Walks breadth first: from page to page, and through each kind of form once."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.client = app.test_client()
        self.adapter = app.url_map.bind("localhost")
        self.walked = Walk()
        self.waiting: deque[tuple[str, str]] = deque()
        self.seen: set[str] = set()
        self.gone: set[str] = set()
        self.patterns: Counter = Counter()
        self.last_forms: dict[str, tuple[str, Form]] = {}

    def token(self) -> str:
        page = Reading(self.client.get("/account/sign-in").get_data(as_text=True))
        return next(dict(form.fields)["csrf_token"] for form in page.forms("/") if form.fields)

    def sign_in(self, person: Person) -> None:
        fields = {"email": person.email, "password": person.password, "csrf_token": self.token()}
        assert self.client.post(person.door, data=fields).status_code == 303

    def desk_rules(self) -> list[Rule]:
        rules = self.app.url_map.iter_rules()
        return [rule for rule in rules if rule.rule.startswith("/staff/<site>/")]

    def knock(self, rule: Rule, token: dict[str, str], **values: str) -> int:
        """The status that an address of this rule answers with."""
        url = self.adapter.build(rule.endpoint, values)
        if "GET" in rule.methods:
            return self.client.get(url).status_code
        return self.client.post(url, headers=token).status_code

    def walk(self, *starts: str) -> Walk:
        for start in starts:
            self.enqueue(start, "the address line")
        while self.waiting:
            assert len(self.walked.pages) < MOST_PAGES, "More kinds of pages than were thought of"
            self.visit(*self.waiting.popleft())
        # Leaving comes last, or nobody would be signed in for the rest.
        for source, form in self.last_forms.values():
            self.send(form, source)
        return self.walked

    def enqueue(self, url: str, source: str) -> None:
        parts = urlsplit(url)
        if IS_PRIVATE.match(parts.path):
            self.walked.private.add(parts.path)
        if parts.netloc not in ("", "localhost") or parts.scheme not in ("", "http"):
            return
        url = parts.path + (f"?{parts.query}" if parts.query else "")
        if url in self.seen:
            return
        self.seen.add(url)
        pattern = self.pattern(parts.path, parts.query)
        if self.patterns[pattern] < MOST_OF_A_PATTERN:
            self.patterns[pattern] += 1
            self.waiting.append((url, source))

    def pattern(self, path: str, query: str) -> tuple[object, ...]:
        """Each page that has a name, and a few of each kind that has a number or a query."""
        try:
            endpoint, values = self.adapter.match(path, method="GET")
        except HTTPException:
            return (path,)
        if query:
            return endpoint, *sorted(name for name, _ in parse_qsl(query))
        return endpoint, *(value for name, value in values.items() if not is_number(name))

    def visit(self, url: str, source: str) -> None:
        answer = self.client.get(url)
        self.judge(answer, f"{url}, linked from {source}")
        # Whoever has a private address may see what it opens; from there on they would know.
        if not IS_PRIVATE.match(url):
            self.read(answer, url)
        answer.close()

    def judge(self, answer, what: str) -> None:
        if answer.status_code == 404 and self.gone.intersection(ID.findall(what)):
            return
        if answer.status_code >= 500 or answer.status_code in (400, 404, 405, 410):
            self.walked.faults.append(f"{answer.status_code}: {what}")

    def read(self, answer, url: str) -> None:
        if "Location" in answer.headers:
            self.enqueue(urljoin(url, answer.headers["Location"]), url)
        if answer.mimetype != "text/html":
            return
        html = answer.get_data(as_text=True)
        self.walked.pages[url] = self.walked.pages.get(url, "") + unescape(html)
        page = Reading(html)
        for link in page.links:
            self.enqueue(urljoin(url, link), url)
        for form in page.forms(url):
            if form.is_get:
                self.enqueue(f"{form.action.split('?')[0]}?{urlencode(form.fields)}", url)
            else:
                self.consider(form, url)

    def consider(self, form: Form, source: str) -> None:
        endpoint, _ = self.adapter.match(urlsplit(form.action).path, method="POST")
        if endpoint.endswith((".end", ".end_everywhere")):
            self.last_forms.setdefault(endpoint, (source, form))
        elif self.walked.posted[endpoint] == 0:
            self.send(form, source)

    def send(self, form: Form, source: str) -> None:
        endpoint, _ = self.adapter.match(urlsplit(form.action).path, method="POST")
        self.walked.posted[endpoint] += 1
        answer = self.client.post(form.action, data=MultiDict(form.fields))
        if answer.status_code >= 500:
            self.walked.faults.append(f"{answer.status_code}: POST {form.action} of {source}")
        if endpoint in DELETE:
            self.gone.update(ID.findall(form.action)[-1:])
        self.read(answer, form.action)
        # After the deed, pages that were seen show something else.
        for url in {source, urlsplit(answer.headers.get("Location", source)).path}:
            self.waiting.append((url, f"{form.action}, sent"))


def is_number(name: str) -> bool:
    return name.endswith("_id") or name in NUMBERED


@pytest.fixture(scope="module")
def arrive(copy_demo: Callable[[], str]) -> Iterator[Callable[[str], Crawler]]:
    """A crawler at the door, signed in if need be, in a copy of the demo of its own."""
    apps: list[Flask] = []

    def arrive(name: str) -> Crawler:
        apps.append(app_on(copy_demo()))
        crawler = Crawler(apps[-1])
        if PEOPLE[name].door:
            crawler.sign_in(PEOPLE[name])
        return crawler

    yield arrive
    for app in apps:
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


@pytest.fixture(scope="module")
def walks(arrive: Callable[[str], Crawler]) -> Callable[[str], Walk]:
    """What each person finds; they have signed out when it ends."""
    return cache(lambda name: arrive(name).walk("/", "/account/", "/staff/"))


@pytest.fixture(scope="module")
def crawl(arrive: Callable[[str], Crawler]) -> Callable[[str], Crawler]:
    """Somebody who has come, and is still there."""
    return cache(arrive)


@pytest.fixture(scope="module")
def ids(demo_app: Flask) -> Callable[..., dict[str, list[str]]]:
    """The ids of an organisation, by table."""

    def ids_of(organisation: str) -> dict[str, list[str]]:
        with demo_app.app_context():
            own = sa.select(Organisation.id).where(Organisation.name == organisation)
            own_id = db.session.scalar(own, execution_options=ANYWHERE)
            tables = [
                t for t in Base.metadata.sorted_tables if {"id", "organisation_id"} <= {*t.c.keys()}
            ]
            return {
                table.name: list(
                    db.session.execute(
                        sa.select(table.c.id).where(table.c.organisation_id == own_id)
                    ).scalars()
                )
                for table in tables
            }

    return ids_of


def names_in(file: str) -> list[str]:
    """What an organisation calls itself, its rooms, its people and what it sells."""
    plan = tomllib.loads((ROOT / "demo" / file).read_text("utf-8"))
    kinds = ("rooms", "practitioners", "session_types")
    return [plan["organisation"]["name"]] + [row["name"] for kind in kinds for row in plan[kind]]


def found_in(pages: dict[str, str], what: Iterable[str]) -> list[tuple[str, str]]:
    return [(url, it) for url, text in pages.items() for it in what if it in text]


def ids_in(pages: dict[str, str], ids: Iterable[str]) -> list[tuple[str, str]]:
    known = set(ids)
    return [(url, it) for url, text in pages.items() for it in {*ID.findall(text)} & known]


@pytest.mark.parametrize("person", PEOPLE)
def test_no_link_is_dead_and_no_form_breaks(walks, person):
    walk = walks(person)
    assert walk.faults == []
    assert set(walk.posted) >= SENT_BY_ALL
    assert PEOPLE[person].sends <= set(walk.posted)


@pytest.mark.parametrize("person", PEOPLE)
def test_d1_pages_of_stillwater_know_nothing_of_north_light(walks, ids, person):
    pages = walks(person).under(*STILLWATER, "/staff/")
    assert len(pages) > 50
    assert found_in(pages, names_in("stillwater.toml"))
    assert found_in(pages, names_in("north-light.toml")) == []
    assert ids_in(pages, chain(*ids("North Light").values())) == []


@pytest.mark.parametrize("person", ["a visitor", "a customer"])
def test_d1_pages_of_north_light_know_nothing_of_stillwater(walks, ids, person):
    pages = walks(person).under("/north-light/")
    assert len(pages) > 10
    assert found_in(pages, names_in("stillwater.toml")) == []
    assert ids_in(pages, chain(*ids("Stillwater").values())) == []


@pytest.mark.parametrize("person", PEOPLE)
def test_d2_what_is_not_for_the_public_is_on_no_public_page(walks, demo_app, person):
    pages = walks(person).under("/")
    pages = {url: text for url, text in pages.items() if not url.startswith("/staff/")}
    with demo_app.app_context():
        hidden = db.session.execute(
            sa.select(SessionType.id, SessionType.slug, SessionType.name).where(
                sa.or_(SessionType.visibility != "public", sa.not_(SessionType.offered_online))
            ),
            execution_options=ANYWHERE,
        ).all()
        sessions = db.session.scalars(
            sa.select(Session.id).where(Session.session_type_id.in_([row.id for row in hidden])),
            execution_options=ANYWHERE,
        ).all()
    assert {row.slug for row in hidden} >= PRIVATE
    assert found_in(pages, [row.name for row in hidden]) == []
    assert ids_in(pages, [row.id for row in hidden] + list(sessions)) == []


@pytest.mark.parametrize("person", PEOPLE)
def test_d2_only_who_makes_private_links_finds_one(walks, person):
    assert bool(walks(person).private) == (person == "an owner")


@pytest.mark.parametrize("person", PEOPLE)
def test_d2_what_is_not_for_the_public_answers_404(crawl, person):
    crawler = crawl(person)
    token = {"X-CSRFToken": crawler.token()}
    fields = {"session_id": "0" * 24, "guests": "1", "key": "k"}
    for slug in PRIVATE:
        url = f"/stillwater-bath/book/{slug}"
        for query in ("", "?date=2026-06-11", "?month=2026-07&guests=2"):
            assert crawler.client.get(url + query).status_code == 404
        assert crawler.client.post(url, data=fields, headers=token).status_code == 404


def test_d1_no_staff_address_answers_to_an_id_of_north_light(crawl, ids):
    crawler = crawl("an owner")
    theirs = ids("North Light")
    token = {"X-CSRFToken": crawler.token()}
    answered = []
    tried = 0
    for rule in crawler.desk_rules():
        names = rule.arguments - {"site"}
        is_get = "GET" in rule.methods
        # One of every kind, and some of a session's and a booking's: most addresses name one.
        foreign = [
            it
            for table, found in theirs.items()
            for it in found[-3 if table in ("sessions", "session_bookings") else -1 :]
        ]
        for one in foreign if names else ():
            url = crawler.adapter.build(
                rule.endpoint, {"site": SITES[0], **dict.fromkeys(names, one)}
            )
            # The address of a button leads back to its page, which must not be there either.
            answer = (
                crawler.client.get(url, follow_redirects=True)
                if is_get
                else crawler.client.post(url, headers=token)
            )
            tried += 1
            if answer.status_code != 404:
                answered.append((answer.status_code, url))
    assert answered == []
    assert tried > 1000


@pytest.mark.parametrize("person", ["a receptionist", "an owner"])
def test_d1_the_desk_of_north_light_is_not_found(crawl, ids, person):
    crawler = crawl(person)
    theirs = ids("North Light")
    token = {"X-CSRFToken": crawler.token()}
    own = {
        "session_id": theirs["sessions"][0],
        "booking_id": theirs["session_bookings"][0],
        "type_id": theirs["session_types"][0],
        "customer_id": theirs["customers"][0],
        "membership_id": theirs["memberships"][0],
        "group_id": theirs["recurrence_groups"][0],
        "room_id": theirs["rooms"][0],
        "person_id": theirs["practitioners"][0],
        "job_id": (theirs["jobs"] or ["0" * 24])[0],
        "kind": "booking_confirmed",
        "group": "venue",
    }
    for rule in crawler.desk_rules():
        # What North Light has none of: the venue alone must be enough.
        values = {name: own.get(name, "0" * 24) for name in rule.arguments - {"site"}}
        assert crawler.knock(rule, token, site="north-light", **values) == 404, rule
