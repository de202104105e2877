"""H6, H1: many programs at once: one ETag is good for one change, one key for one thing."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from api_house import ApiHouse, add_tokens, build_api_house
from conftest import app_on
from factories import ANYWHERE
from flask import Flask, request

from blueprints.api import operations
from blueprints.api.operations import Call, etag_of
from blueprints.api.tokens import find_bearer
from blueprints.clock import utcnow
from domain.api import Stale
from models import PriceRule, RecurrenceGroup, Session, SessionBooking, SessionType, db
from services.idempotency import once_as_one

WRITERS = 8
TIMES = 20
UNGUARDED_ROUNDS = 10

RULE = "/session-types/{session_type_id}/price-rules/{price_rule_id}"
CHANGED: dict[str, Any] = {
    RULE: lambda number: {"price": 5000 + number},
    "/session-types/{session_type_id}": lambda number: {"name": f"Warm water {number}"},
    "/sessions/{session_id}": lambda number: {"max_baskets": 3 + number},
    "/recurrence-groups/{recurrence_group_id}": lambda number: {"name": f"Summer {number}"},
    "/webhooks/{webhook_id}": lambda number: {"name": f"Till {number}"},
    "/rooms/{room_id}": lambda number: {"name": f"Hall {number}"},
}
"""What is changed, and what the numbered writer writes."""
MADE: dict[str, tuple[Any, Any]] = {
    "/session-types/{session_type_id}/price-rules": (PriceRule, lambda _ids: {"price": 990}),
    "/session-types": (SessionType, lambda _ids: {"name": "Warm water"}),
    "/session-types/{session_type_id}/copy": (SessionType, lambda _ids: {"name": "Twin"}),
    "/recurrence-groups": (
        RecurrenceGroup,
        lambda ids: {"session_type_id": ids["session_type_id"]},
    ),
    "/sessions": (
        Session,
        lambda ids: {
            "session_type_id": ids["session_type_id"],
            "start_time": "2026-08-20T10:00:00Z",
            "capacity": 8,
        },
    ),
    "/session-bookings": (
        SessionBooking,
        lambda ids: {
            "session_id": ids["session_id"],
            "guests": 1,
            "booked_as": "staff",
            "email": "ana@example.com",
            "first_name": "Ana",
            "last_name": "Reyes",
        },
    ),
}
"""What is made, which rows tell of it, and what is sent."""


class Shop:
    """The application on a database of its own, asked by many threads."""

    def __init__(self, app: Flask, house: ApiHouse) -> None:
        self.app, self.house = app, house

    def ask(self, method: str, path: str, *, token: str = "here", **kwargs: Any) -> Any:
        headers = {
            "Authorization": f"Bearer {self.house.tokens[token]}",
            **kwargs.pop("headers", {}),
        }
        url = f"/api/shop{path.format(**self.house.ids)}"
        return self.app.test_client().open(url, method=method, headers=headers, **kwargs)

    def at_once(self, *requests: dict[str, Any]) -> list[Any]:
        """Every request from a thread of its own, all at the same moment."""
        barrier = threading.Barrier(len(requests))

        def run(given: dict[str, Any]) -> Any:
            barrier.wait(timeout=60)
            return self.ask(**given)

        with ThreadPoolExecutor(len(requests)) as pool:
            return list(pool.map(run, requests))

    def count(self, model: Any) -> int:
        with self.app.app_context():
            found = db.session.scalar(
                sa.select(sa.func.count()).select_from(model), execution_options=ANYWHERE
            )
            db.session.remove()
        return int(found or 0)


@pytest.fixture(scope="module")
def shop(databases) -> Iterator[Shop]:
    app = app_on(databases.make())
    with app.app_context():
        house = build_api_house("bath")
        add_tokens(house, house)
        db.session.remove()
    yield Shop(app, house)
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def etag(shop: Shop, path: str) -> str:
    """What names the version that stands."""
    method = "PUT" if path.startswith("/recurrence-groups") else "GET"
    return str(shop.ask(method, path, json={} if method == "PUT" else None).headers["ETag"])


def writes(path: str, tag: str, number_of: Any) -> list[dict[str, Any]]:
    return [
        {
            "method": "PUT",
            "path": path,
            "json": CHANGED[path](number_of(number)),
            "headers": {"If-Match": tag},
        }
        for number in range(WRITERS)
    ]


def look_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look whether it is as it was seen, then write: a shop written in a hurry."""
    guarded = operations._answer

    def hurried(one: Any, ids: Any) -> Any:
        bearer = find_bearer()
        site_id = one.of(bearer.organisation_id, next(iter(ids.values())))
        call = Call(bearer, bearer.organisation_id, site_id, utcnow())
        stands = etag_of(one.current(call, **ids).data)
        db.session.rollback()
        if request.environ.pop("HTTP_IF_MATCH") != stands:
            raise Stale
        return guarded(one, ids)

    monkeypatch.setattr(operations, "_answer", hurried)


def test_the_race_for_one_etag_is_real_without_the_guard(shop, monkeypatch):
    for turn in range(UNGUARDED_ROUNDS):
        sent = writes(RULE, etag(shop, RULE), lambda number, turn=turn: 100 * turn + number)
        with monkeypatch.context() as unguarded:
            look_first(unguarded)
            answers = shop.at_once(*sent)
        if Counter(one.status_code for one in answers)[200] > 1:
            return
    pytest.fail("nobody was overwritten without the guard: the race below proves nothing")


@pytest.mark.parametrize("path", CHANGED)
@pytest.mark.parametrize("is_same", [False, True], ids=["each its own", "all the same"])
def test_h1_of_many_writers_with_one_etag_one_wins(shop, path, is_same):
    tag = etag(shop, path)
    start = 20 if is_same else 40
    answers = shop.at_once(*writes(path, tag, lambda number: start + (0 if is_same else number)))
    assert Counter(one.status_code for one in answers) == {200: 1, 412: WRITERS - 1}
    won = next(one for one in answers if one.status_code == 200)
    assert etag(shop, path) == won.headers["ETag"] != tag


def presses(path: str, body: Any, key: str, times: int = TIMES) -> list[dict[str, Any]]:
    return [
        {"method": "POST", "path": path, "json": body, "headers": {"Idempotency-Key": key}}
        for _ in range(times)
    ]


def test_the_race_for_one_key_is_real_without_the_guard(shop, monkeypatch):
    """Look whether there is an answer, else do it and keep what was answered."""
    kept: dict[str, str] = {}

    def hurried(organisation_id: str, key: str, body: Any, deed: Any, now: Any) -> str:
        if key not in kept:
            kept[key] = once_as_one(organisation_id, "", body, deed, now)
        return kept[key]

    monkeypatch.setattr(operations, "once_as_one", hurried)
    path, before = "/session-types/{session_type_id}/price-rules", shop.count(PriceRule)
    for turn in range(UNGUARDED_ROUNDS):
        shop.at_once(*presses(path, {"price": turn}, f"hurried-{turn}"))
        if shop.count(PriceRule) > before + turn + 1:
            return
    pytest.fail("one key made one thing without the guard: the race below proves nothing")


@pytest.mark.parametrize("path", MADE)
def test_h6_one_key_pressed_twenty_times_at_once_makes_one_thing(shop, path):
    model, body_of = MADE[path]
    before = shop.count(model)
    answers = shop.at_once(*presses(path, body_of(shop.house.ids), f"key of {path}"))
    assert {one.status_code for one in answers} == {201}, answers[0].text
    assert len({one.data for one in answers}) == 1
    assert shop.count(model) == before + 1


def test_h6_a_key_with_another_body_or_elsewhere_is_refused_and_makes_nothing(shop):
    path = "/session-types/{session_type_id}/price-rules"
    headers = {"Idempotency-Key": "taken"}
    assert shop.ask("POST", path, json={"price": 1}, headers=headers).status_code == 201
    before = shop.count(PriceRule), shop.count(SessionType)
    for other, body in ((path, {"price": 2}), ("/session-types", {"name": "Warm water"})):
        answer = shop.ask("POST", other, json=body, headers=headers)
        assert answer.status_code == 422
        assert answer.get_json()["code"] == "key_reused"
    assert (shop.count(PriceRule), shop.count(SessionType)) == before


def test_h6_the_key_of_one_token_is_not_anothers(shop):
    path = "/session-types/{session_type_id}/price-rules"
    headers = {"Idempotency-Key": "mine"}
    ids = {
        shop.ask("POST", path, json={"price": 7}, headers=headers, token=token).get_json()["data"][
            "id"
        ]
        for token in ("here", "all", "settings")
    }
    assert len(ids) == 3
