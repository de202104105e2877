"""A program that works through the API; every answer is held against the document."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jsonschema
import pytest
import sqlalchemy as sa
from factories import fetch, make_site
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from blueprints.api.document import build_document
from blueprints.clock import read_clock
from models import RIGHTS, Site, db
from services.api_tokens import make_token
from services.staff import EVERYWHERE


@cache
def _operations() -> dict[tuple[str, str], dict[str, Any]]:
    """By method and endpoint what the document says of it."""
    return {
        (operation["operationId"], method.upper()): operation
        for path in build_document()["paths"].values()
        for method, operation in path.items()
        if isinstance(operation, dict) and "operationId" in operation
    }


@cache
def _validator(reference: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(
        {"$ref": reference, "components": build_document()["components"]},
        format_checker=jsonschema.FormatChecker(),
    )


def check_answer(operation_id: str, method: str, response: TestResponse) -> None:
    """Status, type and shape are what the document promises, and the request has a name."""
    said = _operations()[operation_id, method]["responses"]
    assert str(response.status_code) in said, f"{operation_id}: {response.status_code} is not said"
    assert response.headers["Request-Id"]
    content = said[str(response.status_code)].get("content")
    if content is None:
        assert not response.data
        return
    assert response.mimetype == "application/json"
    schema = content["application/json"]["schema"]["$ref"]
    problems = list(_validator(schema).iter_errors(json.loads(response.data)))
    assert not problems, f"{operation_id}: {problems[0].message} at {list(problems[0].path)}"


@dataclass
class Program:
    """Sends requests with one token."""

    app: Flask
    client: FlaskClient
    token: str = ""
    sent: list[tuple[str, str]] = field(default_factory=list)

    def ask(
        self, method: str, path: str, status: int | None = None, *, body: Any = None, **kwargs: Any
    ) -> TestResponse:
        """Send a request to /api/shop; `body` is sent as JSON, `data` as it is."""
        headers = {**kwargs.pop("headers", {})}
        if self.token:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        if body is not None:
            kwargs["json"] = body
        url = f"/api/shop{path}"
        response = self.client.open(url, method=method, headers=headers, **kwargs)
        found = self._operation_of(method, url)
        if found:
            check_answer(found, method, response)
        if status is not None:
            assert response.status_code == status, response.get_data(as_text=True)[:800]
        return response

    def get(self, path: str, status: int = 200, **kwargs: Any) -> Any:
        """The body of a GET."""
        return self.ask("GET", path, status, **kwargs).get_json()

    def post(self, path: str, body: Any = None, status: int = 201, **kwargs: Any) -> Any:
        """The body of a POST's answer; None where there is none."""
        return self.ask("POST", path, status, body=body, **kwargs).get_json(silent=True)

    def put(self, path: str, body: Any = None, status: int = 200, **kwargs: Any) -> Any:
        """The body of a PUT's answer."""
        return self.ask("PUT", path, status, body=body, **kwargs).get_json(silent=True)

    def delete(self, path: str, status: int = 204, **kwargs: Any) -> Any:
        """The body of a DELETE's answer, None for 204."""
        return self.ask("DELETE", path, status, **kwargs).get_json(silent=True)

    def _operation_of(self, method: str, url: str) -> str:
        adapter = self.app.url_map.bind("localhost")
        path = url.partition("?")[0]
        if not adapter.test(path, method=method):
            return ""
        endpoint = adapter.match(path, method=method)[0].removeprefix("api.")
        first, *rest = endpoint.split("_")
        return first + "".join(word.title() for word in rest)


@pytest.fixture(scope="session")
def program_of() -> type[Program]:
    """Starts a program by hand: `program_of(app, app.test_client(), token)`."""
    return Program


@pytest.fixture
def make(app: Flask) -> Any:
    """Calls a factory in an application context of its own and returns plain values."""

    def call(function: Any) -> Any:
        with app.app_context():
            return function()

    return call


@pytest.fixture
def program(app: Flask) -> Any:
    """`program(site_id, "SETTINGS_MANAGE")`: a program with these rights at this site.

    Without rights named it has all of them; `everywhere=True` gives them at all sites.
    """

    def start(site_id: str, *rights: str, everywhere: bool = False) -> Program:
        with app.app_context():
            site = fetch(Site, site_id)
            _, token = make_token(
                site.organisation_id,
                name="A program",
                rights={EVERYWHERE if everywhere else site_id: rights or RIGHTS},
                by=None,
                now=read_clock(),
            )
        return Program(app, app.test_client(), token)

    return start


@pytest.fixture
def site_id(make: Any) -> str:
    return make(lambda: make_site().id)


@pytest.fixture
def statements(make: Any) -> Any:
    """Counts what is asked of the database inside a block."""

    @contextmanager
    def listen() -> Iterator[list[str]]:
        found: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            found.append(statement)

        engine = make(lambda: db.engine)
        sa.event.listen(engine, "before_cursor_execute", note)
        yield found
        sa.event.remove(engine, "before_cursor_execute", note)

    return listen
