"""What has served its time is taken away: tries, links, form keys, mails long sent,
works long done, archives that were there to be fetched, the log of webhooks."""

import datetime as dt
from typing import Any

import sqlalchemy as sa

from models import (
    AccountLink,
    Archive,
    ArchivePart,
    IdempotencyKey,
    Job,
    LongWork,
    SignInTry,
    WebhookDelivery,
    db,
    refresh_statistics,
    transaction,
    unbound,
)
from services.outbox import MOST_ATTEMPTS

_ANY = unbound("the worker sweeps for every organisation")

TRIES = dt.timedelta(days=1)
LINKS = dt.timedelta(days=7)
KEYS = dt.timedelta(days=7)
JOBS = dt.timedelta(days=30)
FAILED_JOBS = dt.timedelta(days=90)
WORKS = dt.timedelta(days=90)
DELIVERIES = dt.timedelta(days=30)


def sweep(*, now: dt.datetime) -> int:
    """The worker's hourly round: rows that nothing asks for any more are deleted; the number.

    The planner looks at what is left.
    """
    stale = sa.select(Archive.id).where(Archive.expires_at < now)
    old = (
        sa.delete(SignInTry).where(SignInTry.tried_at < now - TRIES),
        sa.delete(AccountLink).where(AccountLink.expires_at < now - LINKS),
        sa.delete(IdempotencyKey).where(IdempotencyKey.created_at < now - KEYS),
        sa.delete(Job).where(Job.done_at < now - JOBS),
        sa.delete(LongWork).where(LongWork.finished_at < now - WORKS),
        sa.delete(ArchivePart).where(ArchivePart.archive_id.in_(stale)),
        sa.delete(Archive).where(Archive.expires_at < now),
        sa.delete(WebhookDelivery).where(WebhookDelivery.created_at < now - DELIVERIES),
        # Given up: somebody had a month and more to read what the server said.
        sa.delete(Job).where(
            Job.done_at.is_(None), Job.attempts >= MOST_ATTEMPTS, Job.run_at < now - FAILED_JOBS
        ),
    )
    number = 0
    for statement in old:
        with transaction():
            result: Any = db.session.execute(
                statement, execution_options={**_ANY, "synchronize_session": False}
            )
            number += result.rowcount
    refresh_statistics()
    return number
