"""A client that returns parsed pages and checks each one it fetches."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag
from flask import Flask, session, url_for
from flask.sessions import SecureCookieSessionInterface
from flask.testing import FlaskClient
from flask_wtf.csrf import generate_csrf
from itsdangerous import BadSignature
from selectolax.lexbor import LexborHTMLParser
from werkzeug.test import TestResponse

TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


class Page:
    """A parsed answer."""

    def __init__(self, response: TestResponse) -> None:
        self.response = response
        self.status = response.status_code
        self.html = response.get_data(as_text=True)

    @cached_property
    def soup(self) -> BeautifulSoup:
        """Read when it is asked for: many answers are only a status and where to go."""
        return BeautifulSoup(self.html, "html5lib")

    def text(self, selector: str = "body") -> str:
        found = self.soup.select_one(selector)
        assert found is not None, f"nothing matches {selector}"
        return " ".join(found.get_text(" ").split())

    def all(self, selector: str) -> list[Tag]:
        return list(self.soup.select(selector))

    def one(self, selector: str) -> Tag:
        found = self.all(selector)
        assert len(found) == 1, f"{len(found)} match {selector}"
        return found[0]

    def form(self, selector: str) -> dict[str, str]:
        """What a browser would send for this form, its buttons left out."""
        form = self.one(selector)
        return {
            str(field["name"]): str(field.get("value", ""))
            for field in form.select("input[name]")
            if field.get("type") != "checkbox" or field.has_attr("checked")
        }


def check_page(page: Page) -> None:
    """What every page of ours keeps: one h1, a title, labels, actions, links beside hx-get.

    By a parser in C, as every page of every test is read here; no more than this is asked of it.
    """
    tree = LexborHTMLParser(page.html)
    assert len(tree.css("h1")) == 1, "one h1 a page"
    title = tree.css_first("title")
    assert title is not None
    assert title.text().strip()
    ids = [node.attributes["id"] for node in tree.css("[id]")]
    assert len(ids) == len(set(ids)), (
        f"duplicate ids: {sorted({i for i in ids if ids.count(i) > 1})}"
    )
    labelled = {label.attributes["for"] for label in tree.css("label[for]")}
    within = {node.mem_id for node in tree.css("label input, label select, label textarea")}
    for field in tree.css("input:not([type=hidden]), select, textarea"):
        known = field.attributes
        named = known.get("id") in labelled or field.mem_id in within or known.get("aria-label")
        assert named, f"no label for {field.html}"
    for form in tree.css("form"):
        assert form.attributes.get("action"), f"no action on {form.html}"
        assert form.attributes.get("method"), f"no method on {form.html}"
        if form.attributes["method"] == "post":
            assert form.css_first("[name=csrf_token]"), f"no CSRF token in {form.html}"
    for link in tree.css("a[hx-get]"):
        assert link.attributes.get("href"), f"no href on {link.html}"
    assert not tree.css("[style], style, script:not([src]), [onclick]"), "inline style or script"


@dataclass
class Browser:
    """One person's client; cookies and CSRF tokens are carried as a browser would."""

    client: FlaskClient
    app: Flask

    def url(self, endpoint: str, **values: Any) -> str:
        with self.app.test_request_context():
            return url_for(endpoint, **values)

    def get(self, url: str, status: int = 200, **kwargs: Any) -> Page:
        page = Page(self.client.get(url, **kwargs))
        assert page.status == status, f"{url}: {page.status}\n{page.text()[:600]}"
        if page.response.mimetype == "text/html" and status != 304 and "<html" in page.html:
            check_page(page)
        return page

    def fragment(self, url: str, status: int = 200) -> Page:
        return self.get(url, status, headers={"HX-Request": "true", "HX-Request-Type": "partial"})

    def token(self) -> str:
        """What every form of this visit carries; a visit that has none yet opens a page first."""
        visit = self._visit()
        if "csrf_token" in visit:
            with self.app.test_request_context():
                session.update(visit)
                return generate_csrf()
        found = TOKEN.search(self.client.get("/account/sign-in").get_data(as_text=True))
        assert found is not None
        return found[1]

    def _visit(self) -> dict[str, Any]:
        cookie = self.client.get_cookie("sundial")
        reader: Any = SecureCookieSessionInterface().get_signing_serializer(self.app)
        try:
            return reader.loads(cookie.decoded_value) if cookie else {}
        except BadSignature:
            return {}

    def post(
        self, url: str, fields: dict[str, Any], status: int | None = None, **kwargs: Any
    ) -> Page:
        fields = {"csrf_token": fields.get("csrf_token") or self.token(), **fields}
        page = Page(self.client.post(url, data=fields, **kwargs))
        if status is not None:
            assert page.status == status, f"{url}: {page.status}\n{page.text()[:600]}"
        if (
            page.response.mimetype == "text/html"
            and "<html" in page.html
            and page.status not in (303,)
        ):
            check_page(page)
        return page

    def sign_in(self, email: str, password: str, door: str = "/account/sign-in") -> None:
        self.post(door, {"email": email, "password": password}, 303)


@pytest.fixture
def visitor(app: Flask) -> Browser:
    return Browser(app.test_client(), app)


@pytest.fixture
def other_visitor(app: Flask) -> Browser:
    return Browser(app.test_client(), app)


@pytest.fixture
def make(app: Flask) -> Iterator[Any]:
    """Calls a factory in an application context of its own and returns plain ids and slugs."""

    def call(function: Any) -> Any:
        with app.app_context():
            return function()

    return call
