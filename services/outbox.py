"""The outbox: work written with its cause, done after it, again when it failed (E1)."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from models import Job, db, new_object_id, transaction, unbound

LEASE = dt.timedelta(minutes=5)
"""A worker that has said nothing for so long has died, and another one does its job again."""

MOST_ATTEMPTS = 8
AT_ONCE = 1000
"""Rows of one statement: a database takes only so many values."""

_ANY = unbound("the outbox serves every organisation")
_INSERTS: dict[str, Callable[[type[Job]], Any]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


@dataclass(frozen=True, slots=True)
class Work:
    """A job that one worker holds until its lease ends; `attempt` says which try this is."""

    id: str
    kind: str
    payload: dict[str, Any]
    dedupe_key: str
    organisation_id: str | None
    attempt: int


def enqueue(
    kind: str,
    payload: dict[str, Any],
    *,
    dedupe_key: str,
    now: dt.datetime,
    organisation_id: str | None = None,
    site_id: str | None = None,
    run_at: dt.datetime | None = None,
) -> None:
    """Write a job in the caller's transaction; a second one with the same key is none (E1)."""
    enqueue_all(
        kind, {dedupe_key: (payload, organisation_id, site_id)}, run_at=run_at or now, now=now
    )


def enqueue_all(
    kind: str,
    jobs: Mapping[str, tuple[dict[str, Any], str | None, str | None]],
    *,
    run_at: dt.datetime | None = None,
    now: dt.datetime,
) -> None:
    """Write many jobs at once: by key their payload, organisation and site (E1)."""
    insert = _INSERTS[db.session.get_bind().dialect.name]
    rows = [
        {
            "id": new_object_id(),
            "organisation_id": organisation_id,
            "site_id": site_id,
            "kind": kind,
            "payload": payload,
            "dedupe_key": key,
            "run_at": run_at or now,
            "created_at": now,
        }
        for key, (payload, organisation_id, site_id) in jobs.items()
    ]
    for start in range(0, len(rows), AT_ONCE):
        # A twin may be committed at this moment: the database decides, in one statement.
        db.session.execute(
            insert(Job)
            .values(rows[start : start + AT_ONCE])
            .on_conflict_do_nothing(index_elements=["dedupe_key"])
        )


class NotYet(Exception):
    """A deed failed and says itself how long to wait until it is tried again."""

    def __init__(self, sentence: str, wait: dt.timedelta) -> None:
        super().__init__(sentence)
        self.wait = wait


def claim_job(
    *, now: dt.datetime, lease: dt.timedelta = LEASE, last: Sequence[str] = ()
) -> Work | None:
    """The job that is due longest, held for `lease`; None when nothing is due.

    Those of the kinds `last` come when nothing else is due: they may be slow, and many. Commits
    before the work begins, so that no transaction is open while a mail is sent.
    """
    if not last:
        return _claim(now, lease)
    return _claim(now, lease, Job.kind.not_in(last)) or _claim(now, lease, Job.kind.in_(last))


def _claim(now: dt.datetime, lease: dt.timedelta, *only: sa.ColumnElement[bool]) -> Work | None:
    db.session.rollback()
    due = sa.select(Job).where(*_is_due(now), *only).order_by(Job.run_at, Job.id).limit(1)
    # Looking first keeps an idle worker from taking SQLite's write lock every round.
    if db.session.scalar(due.with_only_columns(Job.id), execution_options=_ANY) is None:
        db.session.rollback()
        return None
    with transaction():
        job = db.session.scalar(due.with_for_update(skip_locked=True), execution_options=_ANY)
        if job is None:
            return None
        job.locked_until = now + lease
        job.attempts += 1
        return Work(
            job.id,
            job.kind,
            dict(job.payload),
            job.dedupe_key,
            job.organisation_id,
            job.attempts,
        )


def finish(work: Work, *, now: dt.datetime, note: str = "") -> bool:
    """Mark it done, with a `note` where that says more; False when its lease went to another."""
    return _settle(work, done_at=now, error=note)


def fail(work: Work, error: str, *, now: dt.datetime, wait: dt.timedelta | None = None) -> bool:
    """Try again after `wait`, else after 2, 4, 8 … minutes, up to `MOST_ATTEMPTS`.

    The last error is kept.
    """
    if wait is None:
        wait = dt.timedelta(minutes=2**work.attempt)
    return _settle(work, run_at=now + wait, error=error[:2000])


def give_up(work: Work, error: str) -> bool:
    """No further try: what is wrong with it will be wrong again."""
    return _settle(work, attempts=MOST_ATTEMPTS, error=error[:2000])


def list_jobs(kind: str, *, most: int = 50) -> list[Job]:
    """The last jobs of a kind, newest first."""
    query = sa.select(Job).where(Job.kind == kind).order_by(Job.created_at.desc(), Job.id.desc())
    return list(db.session.scalars(query.limit(most), execution_options=_ANY))


def _is_due(now: dt.datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        Job.done_at.is_(None),
        Job.run_at <= now,
        Job.attempts < MOST_ATTEMPTS,
        sa.or_(Job.locked_until.is_(None), Job.locked_until <= now),
    )


def _settle(work: Work, **values: Any) -> bool:
    # The attempt's number tells a worker that was too slow from the one that took over.
    with transaction():
        result: Any = db.session.execute(
            sa.update(Job)
            .where(Job.id == work.id, Job.attempts == work.attempt, Job.done_at.is_(None))
            .values(locked_until=None, **values),
            execution_options={**_ANY, "synchronize_session": False},
        )
        return bool(result.rowcount)
