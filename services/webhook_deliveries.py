"""The log of a webhook: what was sent, what was answered, and once more."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from domain.errors import NotFound, WrongState
from domain.webhooks import PING, Event, payload_of
from models import Webhook, WebhookDelivery, db, new_object_id
from services.idempotency import once
from services.paging import Cut, PageOf, cut_out
from services.webhook_events import Parcel, send_out
from services.webhooks import Keeper, find_own

PAGE = 25
"""Deliveries on one page of the log."""

STATES = ("delivered", "waiting", "failed")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one webhook."""

    id: str
    event_id: str
    kind: str
    payload: dict[str, Any]
    state: str
    is_again: bool
    attempts: int
    status_code: int | None
    answer: str
    error: str
    created_at: dt.datetime
    tried_at: dt.datetime | None
    next_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Log:
    """A page of one webhook's log, newest first, and how many there are of each state."""

    deliveries: tuple[Delivery, ...]
    counts: dict[str, int]
    number: int
    has_more: bool


def list_deliveries(keeper: Keeper, webhook_id: str, *, state: str = "", number: int = 1) -> Log:
    """The `number`th page of a webhook's log, of one state or of all. Raises NotFound."""
    find_own(keeper, webhook_id)
    its = _of(keeper, webhook_id)
    wanted = (*its, WebhookDelivery.state == state) if state in STATES else its
    rows = db.session.scalars(
        sa.select(WebhookDelivery)
        .where(*wanted)
        .order_by(WebhookDelivery.created_at.desc(), WebhookDelivery.id.desc())
        .offset(PAGE * (number - 1))
        .limit(PAGE + 1)
    ).all()
    counts: dict[str, int] = dict.fromkeys(STATES, 0)
    by_state = sa.select(WebhookDelivery.state, sa.func.count(WebhookDelivery.id)).where(*its)
    for name, many in db.session.execute(by_state.group_by(WebhookDelivery.state)):
        counts[name] = many
    return Log(tuple(_delivery(row) for row in rows[:PAGE]), counts, number, len(rows) > PAGE)


def page_deliveries(keeper: Keeper, webhook_id: str, cut: Cut, *, state: str = "") -> PageOf[Any]:
    """A page of the rows of its log, newest first, of one state or of all. Raises NotFound."""
    find_own(keeper, webhook_id)
    query = sa.select(WebhookDelivery).where(*_of(keeper, webhook_id))
    if state:
        query = query.where(WebhookDelivery.state == state)
    by = (WebhookDelivery.created_at.desc(), WebhookDelivery.id.desc())
    return cut_out(query, cut, by=by, key=WebhookDelivery.id)


def find_delivery(keeper: Keeper, webhook_id: str, delivery_id: str) -> Delivery:
    """One of the log; raises NotFound, also for another webhook's."""
    find_own(keeper, webhook_id)
    return _delivery(_find(keeper, webhook_id, delivery_id))


def send_again(
    keeper: Keeper, webhook_id: str, delivery_id: str, *, key: str = "", now: dt.datetime
) -> str:
    """The same event once more, as a delivery of its own; its id. The same `key` sends once (H6).

    Raises NotFound, and WrongState while it is paused.
    """

    def deed() -> str:
        row = _sendable(keeper, webhook_id)
        found = _find(keeper, webhook_id, delivery_id)
        parcel = Parcel(keeper.organisation_id, row.id, found.payload, now, is_again=True)
        return send_out([parcel])[0]

    return once(keeper.organisation_id, key, {"send again": delivery_id}, deed, now)


def send_test(keeper: Keeper, webhook_id: str, *, key: str = "", now: dt.datetime) -> str:
    """A ping, which says nothing but that it came; its id. Raises the same."""

    def deed() -> str:
        row = _sendable(keeper, webhook_id)
        event = Event(PING, "webhook", row.id, row.site_id, now)
        payload = payload_of(new_object_id(), event, keeper.organisation_id)
        return send_out([Parcel(keeper.organisation_id, row.id, payload, now)])[0]

    return once(keeper.organisation_id, key, {"ping": webhook_id}, deed, now)


def _sendable(keeper: Keeper, webhook_id: str) -> Webhook:
    row = find_own(keeper, webhook_id, is_locked=True)
    if row.paused_at is not None:
        raise WrongState("This webhook is paused. Resume it first.")
    return row


def _of(keeper: Keeper, webhook_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        WebhookDelivery.organisation_id == keeper.organisation_id,
        WebhookDelivery.webhook_id == webhook_id,
    )


def _find(keeper: Keeper, webhook_id: str, delivery_id: str) -> WebhookDelivery:
    row = db.session.scalar(
        sa.select(WebhookDelivery).where(
            *_of(keeper, webhook_id), WebhookDelivery.id == delivery_id
        )
    )
    if row is None:
        raise NotFound("We couldn't find that delivery. They are kept for 30 days.")
    return row


def _delivery(row: WebhookDelivery) -> Delivery:
    return Delivery(
        id=row.id,
        event_id=row.event_id,
        kind=row.kind,
        payload=dict(row.payload),
        state=row.state,
        is_again=row.is_again,
        attempts=row.attempts,
        status_code=row.status_code,
        answer=row.answer,
        error=row.error,
        created_at=row.created_at,
        tried_at=row.tried_at,
        next_at=row.next_at,
    )
