"""The worker's side of webhooks: what is to be sent where, and what came of it."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from domain.webhooks import (
    ANSWER_KEPT,
    FAILING,
    FAILING_FOR,
    GONE,
    TRIES,
    rest_after,
    wait_after,
)
from models import Job, Webhook, WebhookDelivery, db, transaction, unbound
from services.outbox import NotYet, Work
from services.sealing import unseal
from services.webhook_events import WEBHOOK
from services.webhooks import USE

_OF_THE_JOB = unbound("a job names its delivery by its own id")
PAUSED = "Not sent: the webhook was paused."
DELETED = "Not sent: the webhook was deleted."
UNREADABLE = (
    "Not sent: its secret was sealed with another key of this installation. Renew the secret."
)


@dataclass(frozen=True, slots=True)
class Shipment:
    """What is to be sent now; `secrets` are those that sign, the newest first."""

    delivery_id: str
    event_id: str
    kind: str
    url: str
    payload: dict[str, Any]
    secrets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one try: a status and how the answer began, or what stood in its way."""

    status_code: int | None = None
    answer: str = ""
    error: str = ""

    @property
    def is_delivered(self) -> bool:
        """Any 2xx will do."""
        return self.status_code is not None and 200 <= self.status_code < 300


def find_shipment(work: Work, *, seal_key: str, now: dt.datetime) -> Shipment | str:
    """What a job stands for, or why nothing is sent; leaves no transaction open."""
    row, hook = _find(work)
    if row is None or hook is None:
        return DELETED
    if row.state != "waiting":
        return "Sent already."
    refusal = PAUSED if hook.paused_at is not None else ""
    secrets = _secrets(hook, seal_key, now)
    if not secrets:
        refusal = refusal or UNREADABLE
    if not refusal:
        shipment = Shipment(row.id, row.event_id, row.kind, hook.url, dict(row.payload), secrets)
        db.session.rollback()
        return shipment
    with transaction():
        row, _ = _find(work)
        if row is not None:
            row.state, row.error, row.next_at = "failed", refusal, None
    return refusal


def note_outcome(work: Work, outcome: Outcome, *, now: dt.datetime) -> str:
    """Write the log and what follows from it; what is noted beside the job.

    Raises NotYet when it is tried again. An answer of 410 pauses the webhook, and so does failing
    for days without one success.
    """
    with transaction():
        row, hook = _find(work, is_locked=True)
        if row is None or hook is None:
            return DELETED
        row.attempts, row.tried_at, row.next_at = work.attempt, now, None
        row.status_code, row.error = outcome.status_code, outcome.error
        row.answer = outcome.answer[:ANSWER_KEPT]
        if outcome.is_delivered:
            row.state = "delivered"
            hook.failing_since, hook.failures = None, 0
            return ""
        _note_failure(hook, outcome, now)
        wait = wait_after(work.attempt)
        if wait is None or hook.paused_at is not None:
            row.state = "failed"
            return f"Given up after {work.attempt} of {TRIES} tries."
        row.next_at = now + wait
        if outcome.status_code is None:
            _let_rest(hook, now)
    raise NotYet(outcome.error or f"It answered {outcome.status_code}.", wait)


def _note_failure(hook: Webhook, outcome: Outcome, now: dt.datetime) -> None:
    hook.failing_since = hook.failing_since or now
    hook.failures += 1
    if hook.paused_at is not None:
        return
    if outcome.status_code == 410:
        hook.paused_at, hook.paused_why = now, GONE
    elif hook.failing_since <= now - FAILING_FOR:
        hook.paused_at, hook.paused_why = now, FAILING


def _let_rest(hook: Webhook, now: dt.datetime) -> None:
    """Where nobody answers, everything else that is due for it waits too.

    Each try may take all the seconds there are, and other organisations' events wait behind it.
    """
    until = now + rest_after(hook.failures)
    db.session.execute(
        sa.update(Job)
        .where(
            Job.organisation_id == hook.organisation_id,
            Job.kind == WEBHOOK,
            Job.payload["webhook"].as_string() == hook.id,
            Job.done_at.is_(None),
            Job.locked_until.is_(None),
            Job.run_at < until,
        )
        .values(run_at=until),
        execution_options={"synchronize_session": False},
    )
    db.session.execute(
        sa.update(WebhookDelivery)
        .where(
            WebhookDelivery.organisation_id == hook.organisation_id,
            WebhookDelivery.webhook_id == hook.id,
            WebhookDelivery.state == "waiting",
            WebhookDelivery.next_at < until,
        )
        .values(next_at=until),
        execution_options={"synchronize_session": False},
    )


def _find(work: Work, *, is_locked: bool = False) -> tuple[WebhookDelivery | None, Webhook | None]:
    delivery_id = str(work.payload.get("delivery"))
    query = (
        sa.select(Webhook)
        .join(WebhookDelivery, WebhookDelivery.webhook_id == Webhook.id)
        .where(WebhookDelivery.id == delivery_id)
        .execution_options(populate_existing=True, **_OF_THE_JOB)
    )
    # The webhook first: its failures are counted by several workers at once.
    hook = db.session.scalar(
        query.with_for_update(key_share=True, of=Webhook) if is_locked else query
    )
    row = db.session.scalar(
        sa.select(WebhookDelivery)
        .where(WebhookDelivery.id == delivery_id)
        .execution_options(populate_existing=True, **_OF_THE_JOB)
    )
    return row, hook


def _secrets(hook: Webhook, seal_key: str, now: dt.datetime) -> tuple[str, ...]:
    sealed = [hook.sealed_secret]
    if hook.sealed_older and hook.older_until and hook.older_until > now:
        sealed.append(hook.sealed_older)
    opened = [unseal(one, key=seal_key, use=USE) for one in sealed]
    return tuple(one for one in opened if one is not None)
