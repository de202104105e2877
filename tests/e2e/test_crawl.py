"""Every link followed and every form sent, by each kind of person; no browser needed."""

import re
import tomllib
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import pytest
import sqlalchemy as sa
from bs4 import BeautifulSoup, Tag
from conftest import ROOT, app_on
from factories import ANYWHERE
from flask import Flask
from werkzeug.exceptions import HTTPException

from models import Base, Organisation, Session, db

MOST_PAGES = 400
MOST_OF_A_PATTERN = 6
SITES = ("stillwater-bath", "stillwater-reykjavik")
PEOPLE = {
    "a visitor": (),
    "a customer": ("/account/sign-in", "ana.reyes@example.com", "quiet-rooms-34"),
    "a receptionist": ("/staff/sign-in", "maren@stillwater.example", "thermal-waters"),
    "an owner": ("/staff/sign-in", "imogen@stillwater.example", "river-before-dawn"),
}
HIDDEN = ("Hydrotherapy", "Friends of the weir", "House viewing")
"""Names of types that are private, by link only, or not sold online."""


@dataclass(frozen=True)
class Form:
    """A form that posts, as a browser would send it untouched by this one of its buttons."""

    action: str
    fields: tuple[tuple[str, str], ...]


@dataclass
class Walk:
    """What one person found."""

    pages: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    posted: Counter = field(default_factory=Counter)

    @property
    def public_pages(self) -> dict[str, str]:
        return {url: text for url, text in self.pages.items() if not url.startswith("/staff/")}


class Crawler:
    """Walks breadth first: from page to page, and through each kind of form once."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.client = app.test_client()
        self.adapter = app.url_map.bind("localhost")
        self.walked = Walk()
        self.waiting: deque[tuple[str, str]] = deque()
        self.seen: set[str] = set()
        self.patterns: Counter = Counter()
        self.last_forms: dict[str, tuple[str, Form]] = {}

    def sign_in(self, door: str, email: str, password: str) -> None:
        page = BeautifulSoup(self.client.get(door).get_data(as_text=True), "html.parser")
        token = page.select_one("[name=csrf_token]")["value"]
        fields = {"csrf_token": token, "email": email, "password": password}
        assert self.client.post(door, data=fields).status_code == 303

    def walk(self, start: str = "/") -> Walk:
        self.enqueue(start, "the address line")
        while self.waiting and len(self.walked.pages) < MOST_PAGES:
            self.visit(*self.waiting.popleft())
        # Leaving comes last, or nobody would be signed in for the rest.
        for source, form in self.last_forms.values():
            self.send(form, source)
        return self.walked

    def enqueue(self, url: str, source: str) -> None:
        parts = urlsplit(url)
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

    def pattern(self, path: str, query: str) -> tuple:
        """Pages of one kind: a type's days, rosters, tickets."""
        names = frozenset(name for name, _ in parse_qsl(query))
        try:
            rule, values = self.adapter.match(path, method="GET", return_rule=True)
        except HTTPException:
            return path, names
        slugs = {name: value for name, value in values.items() if not name.endswith(("id", "secret"))}
        return rule.endpoint, tuple(sorted(slugs.items())), names

    def visit(self, url: str, source: str) -> None:
        answer = self.client.get(url)
        self.judge(answer, f"{url}, linked from {source}")
        self.read(answer, url)
        answer.close()

    def judge(self, answer, what: str) -> None:
        if answer.status_code >= 500 or answer.status_code in (400, 404, 405, 410):
            self.walked.faults.append(f"{answer.status_code}: {what}")

    def read(self, answer, url: str) -> None:
        if "Location" in answer.headers:
            self.enqueue(urljoin(url, answer.headers["Location"]), url)
        if answer.mimetype != "text/html":
            return
        html = answer.get_data(as_text=True)
        self.walked.pages.setdefault(url, html)
        page = BeautifulSoup(html, "html.parser")
        for link in page.select("[href], [hx-get], [src]"):
            for name in ("href", "hx-get", "src"):
                if link.get(name):
                    self.enqueue(urljoin(url, str(link[name])), url)
        for form in page.select("form"):
            for found in read_form(form, url):
                if form["method"] == "get":
                    self.enqueue(f"{found.action.split('?')[0]}?{urlencode(found.fields)}", url)
                else:
                    self.consider(found, url)

    def consider(self, form: Form, source: str) -> None:
        endpoint, _ = self.adapter.match(urlsplit(form.action).path, method="POST")
        if endpoint.endswith(".end"):
            self.last_forms.setdefault(endpoint, (source, form))
        elif self.walked.posted[endpoint] == 0:
            self.send(form, source)

    def send(self, form: Form, source: str) -> None:
        endpoint, _ = self.adapter.match(urlsplit(form.action).path, method="POST")
        self.walked.posted[endpoint] += 1
        answer = self.client.post(form.action, data=dict(form.fields))
        if answer.status_code >= 500:
            self.walked.faults.append(f"{answer.status_code}: POST {form.action} of {source}")
        self.read(answer, form.action)
        # What the page shows after the deed is another page.
        self.seen.discard(urlsplit(source).path)
        self.enqueue(source, form.action)


def read_form(form: Tag, url: str) -> Iterator[Form]:
    """The form as each of its buttons would send it."""
    fields = []
    page = form.find_parent("html") or form
    for control in form.select("input[name], select[name], textarea[name]"):
        kind = control.get("type", "")
        if kind in ("checkbox", "radio") and not control.has_attr("checked"):
            continue
        if control.name == "select":
            chosen = control.select_one("option[selected]") or control.select_one("option")
            fields.append((str(control["name"]), str(chosen["value"]) if chosen else ""))
        else:
            fields.append((str(control["name"]), str(control.get("value", ""))))
    buttons = [it for it in form.select("button") if it.get("type", "submit") == "submit"]
    if form.get("id"):
        buttons += page.select(f'button[form="{form["id"]}"]')
    for button in (it for it in buttons if not it.has_attr("disabled")):
        own = [(str(button["name"]), str(button.get("value", "")))] if button.get("name") else []
        action = str(button.get("formaction") or form["action"])
        yield Form(urljoin(url, action), (*fields, *own))


@pytest.fixture(scope="module")
def walks(copy_demo: Callable[[], str]) -> Callable[[str], Walk]:
    """What each person finds, each in a copy of the demo of their own."""
    kept: dict[str, Walk] = {}

    def walk(person: str) -> Walk:
        if person not in kept:
            app = app_on(copy_demo())
            crawler = Crawler(app)
            if PEOPLE[person]:
                crawler.sign_in(*PEOPLE[person])
            kept[person] = crawler.walk("/staff/" if "/staff" in PEOPLE[person][:1] else "/")
            with app.app_context():
                db.session.remove()
                db.engine.dispose()
        return kept[person]

    return walk


def names_in(file: str) -> list[str]:
    """What an organisation calls itself, its rooms, its people and what it sells."""
    plan = tomllib.loads((ROOT / "demo" / file).read_text("utf-8"))
    kinds = ("rooms", "practitioners", "session_types")
    return [plan["organisation"]["name"]] + [row["name"] for kind in kinds for row in plan[kind]]


@pytest.mark.parametrize("person", PEOPLE)
def test_no_link_is_dead_and_no_form_breaks(walks, person):
    walk = walks(person)
    assert walk.faults == []
    assert len(walk.pages) > 100
