"""Tells the trail who acts: the request's account, a kiosk or token, the worker, the console."""

import getpass
import re
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from flask import Flask, Response, g, request
from flask_login import current_user

from blueprints.clock import read_clock
from blueprints.security import account_id
from models import Actor, acting_as, let_act

_REQUEST_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)


def install_acting(app: Flask) -> None:
    """Each request acts for whoever sent it; asked only when something is changed."""
    app.before_request(lambda: let_act(_who))
    app.teardown_request(lambda _error: let_act(None))
    app.after_request(_say_request_id)


def request_id() -> str:
    """What names this request in its answer, in the trail and in the log: the caller's own name
    for it, if that is a sensible one."""
    if "request_id" not in g:
        asked = request.headers.get("Request-Id") or request.headers.get("X-Request-ID", "")
        g.request_id = asked if _REQUEST_ID.fullmatch(asked) else uuid4().hex
    return str(g.request_id)


def _say_request_id(response: Response) -> Response:
    response.headers["Request-Id"] = request_id()
    return response


def act_as(kind: str, actor_id: str, name: str) -> None:
    """This request comes from a token, not from the account of a cookie."""
    g.actor = (kind, actor_id, name)


def _who() -> Actor:
    if "trail_actor" not in g:
        g.trail_actor = _find()
    return g.trail_actor


def _find() -> Actor:
    door = request.endpoint or request.path
    asked = request_id()
    address = request.remote_addr or ""
    if "actor" in g:
        kind, actor_id, name = g.actor
        return Actor(kind, actor_id, name, door, address, asked, read_clock)
    if "kiosk" in g:
        kiosk = g.kiosk
        return Actor("kiosk", kiosk.id, kiosk.name, door, address, asked, read_clock)
    person = account_id()
    if person is None:
        return Actor("visitor", door=door, request_id=asked, clock=read_clock)
    # Names and addresses are kept of colleagues at work, not of customers.
    name, address = (str(current_user.name), address) if "desk" in g else ("", "")
    return Actor("account", person, name, door, address, asked, read_clock)


@contextmanager
def worker_acts(door: str, job_id: str = "") -> Iterator[None]:
    """The worker does what the block does."""
    with acting_as(Actor("worker", job_id, door=door, clock=read_clock)):
        yield


@contextmanager
def console_acts(command: str) -> Iterator[None]:
    """Whoever sits at the console does what the block does; also for whole commands."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        # A container may run as a number without a name.
        name = ""
    with acting_as(Actor("console", name=name, door=command, clock=read_clock)):
        yield
