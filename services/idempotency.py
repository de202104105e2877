"""The same form sent twice is one deed with one answer (H6)."""

import datetime as dt
import hashlib
import json
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from domain.errors import KeyReused
from models import IdempotencyKey, db


def find_answer(organisation_id: str, key: str, body: dict[str, Any]) -> str | None:
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


def keep_answer(
    organisation_id: str, key: str, body: dict[str, Any], answer: str, now: dt.datetime
) -> None:
    """Store the answer in the transaction of the deed; a twin that was quicker raises Repeated."""
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
        raise Repeated from error


class Repeated(Exception):
    """A twin of this form was committed meanwhile: its answer stands, this one is undone."""


def _digest(body: dict[str, Any]) -> str:
    text = json.dumps(body, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
