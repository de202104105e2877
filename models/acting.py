"""Who acts, from where and why: what the trail writes beside every change (ADR 20)."""

import datetime as dt
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

SESSIONS_MADE = "sessions_made"
"""Sessions that a series brings: the trail names the series alone, so their ids are remembered."""

KINDS = ("account", "token", "kiosk", "worker", "console", "visitor", "system")


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody, or something, that changes rows.

    `name` is that of staff as it then was; a customer's own name is personal and stays empty.
    `address` is where a colleague's request came from, and empty for everybody else.
    """

    kind: str = "system"
    id: str = ""
    name: str = ""
    door: str = ""
    address: str = ""
    request_id: str = ""
    clock: Callable[[], dt.datetime] | None = field(default=None, compare=False)


_actor: ContextVar[Callable[[], Actor] | None] = ContextVar("sundial_actor", default=None)
_why: ContextVar[str] = ContextVar("sundial_why", default="")
_facts: ContextVar[dict[str, Any] | None] = ContextVar("sundial_facts", default=None)
# No fact for the triggers: it is the same for all steps that join one transaction.
_memory: ContextVar[dict[str, list[Any]] | None] = ContextVar("sundial_memory", default=None)


def let_act(who: Callable[[], Actor] | None) -> None:
    """From here on `who` acts in this thread; asked once a transaction, None ends it."""
    _actor.set(who)


@contextmanager
def acting_as(actor: Actor) -> Iterator[None]:
    """`actor` does what the block does."""
    token = _actor.set(lambda: actor)
    try:
        yield
    finally:
        _actor.reset(token)


@contextmanager
def because(reason: str) -> Iterator[None]:
    """Every transaction of the block was done for this reason, unless it names another."""
    token = _why.set(reason)
    try:
        yield
    finally:
        _why.reset(token)


def find_actor() -> Actor:
    """Who acts now; may ask the database, so no transaction must be open."""
    who = _actor.get()
    return Actor() if who is None else who()


@contextmanager
def stated(actor: Actor, why: str, deed_id: str) -> Iterator[str]:
    """What the triggers read during one transaction, and the same as JSON."""
    facts: dict[str, Any] = {
        "kind": actor.kind,
        "id": actor.id,
        "name": actor.name,
        "door": actor.door,
        "address": actor.address,
        "request": actor.request_id,
        "why": why or _why.get(),
        "deed": deed_id,
    }
    if actor.clock is not None:
        facts["at"] = actor.clock().astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    token, kept = _facts.set(facts), _memory.set({})
    try:
        yield read_facts()
    finally:
        _facts.reset(token)
        _memory.reset(kept)


@contextmanager
def restated(why: str) -> Iterator[str]:
    """The same facts with another reason, where a step of the transaction names one; as JSON."""
    token = _facts.set({**(_facts.get() or {}), **({"why": why} if why else {})})
    try:
        yield read_facts()
    finally:
        _facts.reset(token)


def read_facts() -> str:
    """All facts of this transaction as JSON."""
    return json.dumps(_facts.get() or {}, ensure_ascii=False)


def state(name: str, value: Any) -> None:
    """One more fact for the triggers, until this transaction ends."""
    facts = _facts.get()
    if facts is None:
        raise RuntimeError("only a transaction of ours states facts")
    facts[name] = value


def remember(name: str, values: Iterable[Any]) -> None:
    """Remember `values` beside those of before, until this transaction ends."""
    memory = _memory.get()
    if memory is None:
        raise RuntimeError("only a transaction of ours remembers")
    memory.setdefault(name, []).extend(values)


def remembered(name: str) -> tuple[Any, ...]:
    """What this transaction has remembered under that name."""
    return tuple((_memory.get() or {}).get(name, ()))


def current_deed() -> str:
    """The id under which the trail keeps what this transaction changes; empty without one."""
    return str(read_fact("deed") or "")


def read_fact(name: str) -> Any:
    """SQLite's function `sundial_acting`: one fact for a trigger, NULL where nobody stated it."""
    return (_facts.get() or {}).get(name)
