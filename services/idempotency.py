"""The same form sent twice is one deed with one answer (H6)."""

import datetime as dt
import hashlib
import json
from collections.abc import Callable
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm.exc import StaleDataError

from domain.errors import KeyReused
from models import IdempotencyKey, db, is_joined, joining, transaction

Answer = TypeVar("Answer")

OF_PROGRAMS = "api:"
"""Keys that begin so are those of programs; what is kept for them is a whole answer."""

FORGOTTEN = "erased"
"""Stands for the answer to a program that told of a person who has been erased since."""

TRY_AGAIN = ("40P01", "40001", "23503", "23505")
"""Deadlock detected, serialisation failure; a row that another transaction took away or was
quicker to write. The second look finds what is there now."""


def retrying(deed: Callable[[], Answer], why: str = "") -> Answer:
    """Do `deed` in one transaction, again when PostgreSQL ends one of two that met.

    `why` is kept in the trail with everything that it changes.
    """
    # Inside a larger deed that one begins again, as a whole.
    for tries_left in (0,) if is_joined() else (2, 1, 0):
        try:
            with transaction(why):
                return deed()
        except StaleDataError:
            # A row that was read here has been taken away since.
            if not tries_left:
                raise
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in TRY_AGAIN or not tries_left:
                raise
    raise AssertionError("unreachable")


def once(
    organisation_id: str,
    key: str,
    body: dict[str, Any],
    deed: Callable[[], str],
    now: dt.datetime,
    why: str = "",
) -> str:
    """Do `deed` in one transaction unless its key already has an answer (H6)."""

    def answered() -> str:
        answer = _find_answer(organisation_id, key, body)
        if answer is None:
            answer = deed()
            _keep_answer(organisation_id, key, body, answer, now)
        return answer

    try:
        return retrying(answered, why)
    except _Repeated:
        if is_joined():
            raise
        # The key may be that of a step inside: done again, the step finds its answer.
        return retrying(answered, why)


def once_as_one(
    organisation_id: str,
    key: str,
    body: dict[str, Any],
    deed: Callable[[], str],
    now: dt.datetime,
) -> str:
    """The same for a deed of several services: all that they write is one transaction (H6)."""

    def joined() -> str:
        with joining():
            return deed()

    return once(organisation_id, key, body, joined, now)


def _find_answer(organisation_id: str, key: str, body: dict[str, Any]) -> str | None:
    """The answer stored under `key`; raises KeyReused when it belongs to another body."""
    if not key:
        return None
    kept = db.session.scalar(
        sa.select(IdempotencyKey).where(
            IdempotencyKey.organisation_id == organisation_id, IdempotencyKey.key == key
        )
    )
    if kept is None:
        return None
    if kept.body_hash != _digest(body):
        raise KeyReused
    return kept.answer


def _keep_answer(
    organisation_id: str, key: str, body: dict[str, Any], answer: str, now: dt.datetime
) -> None:
    """Store the answer in the transaction of the deed; a twin that was quicker raises _Repeated."""
    if not key:
        return
    db.session.add(
        IdempotencyKey(
            organisation_id=organisation_id,
            key=key,
            body_hash=_digest(body),
            answer=answer,
            created_at=now,
        )
    )
    try:
        db.session.flush()
    except IntegrityError as error:
        raise _Repeated from error


class _Repeated(Exception):
    """A twin of this form was committed meanwhile: its answer stands, this one is undone."""


def _digest(body: dict[str, Any]) -> str:
    text = json.dumps(body, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
