"""What a deed comes to for webhooks: read from the trail at its end, written in its transaction.

No service calls this. Whatever changes a row, through whichever door, the database writes it down
(ADR 20), and `transaction` asks here before it commits. Where nobody listens that is one look at
an index.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from domain.webhooks import Change, Event, events_of, payload_of, session_made
from models import (
    SESSIONS_MADE,
    AuditEntry,
    Session,
    SessionBooking,
    Webhook,
    WebhookDelivery,
    current_deed,
    db,
    new_object_id,
    remembered,
    unbound,
)
from services.outbox import AT_ONCE, enqueue_all

WEBHOOK = "webhook"
"""The kind of job that sends one delivery."""

_OF_THE_DEED = unbound("a deed is told to the webhooks of its own organisation")
_IDS_AT_A_TIME = 500


@dataclass(frozen=True, slots=True)
class Listener:
    """A webhook that is not paused."""

    id: str
    organisation_id: str
    site_id: str | None
    kinds: tuple[str, ...]

    def hears(self, event: Event) -> bool:
        """Whether it asked to be told of this."""
        return event.kind in self.kinds and self.site_id in (None, event.site_id)


@dataclass(frozen=True, slots=True)
class Parcel:
    """A payload for one webhook, to be put on its way."""

    organisation_id: str
    webhook_id: str
    payload: Mapping[str, Any]
    at: dt.datetime
    is_again: bool = False


def write_events() -> None:
    """Put what this transaction changed on its way to whoever listens; none, nothing.

    The last part of every transaction (`models.before_commit`).
    """
    # What the trail is to tell has to be written first.
    db.session.flush()
    deed_id = current_deed()
    made = _made_by_series()
    listeners = _listeners(deed_id, tuple(made))
    for organisation_id, own in listeners.items():
        told = (
            *events_of(_changes(organisation_id, deed_id)),
            *_series_events(organisation_id, made.get(organisation_id, ())),
        )
        send_out(_parcels(organisation_id, own, told))


def send_out(parcels: Sequence[Parcel]) -> list[str]:
    """Write deliveries and the jobs that send them, in the caller's transaction; their ids."""
    rows = [
        {
            "id": new_object_id(),
            "organisation_id": parcel.organisation_id,
            "webhook_id": parcel.webhook_id,
            "event_id": parcel.payload["id"],
            "kind": parcel.payload["type"],
            "payload": dict(parcel.payload),
            "is_again": parcel.is_again,
            "created_at": parcel.at,
            "next_at": parcel.at,
        }
        for parcel in parcels
    ]
    for start in range(0, len(rows), AT_ONCE):
        db.session.execute(sa.insert(WebhookDelivery), rows[start : start + AT_ONCE])
    by_moment: dict[dt.datetime, dict[str, Any]] = defaultdict(dict)
    for row in rows:
        job = ({"delivery": row["id"], "webhook": row["webhook_id"]}, row["organisation_id"], None)
        by_moment[row["created_at"]][f"{WEBHOOK}:{row['id']}"] = job
    for moment, jobs in by_moment.items():
        enqueue_all(WEBHOOK, jobs, now=moment)
    return [row["id"] for row in rows]


def _made_by_series() -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for organisation_id, session_id in remembered(SESSIONS_MADE):
        found[organisation_id].append(session_id)
    return found


def _listeners(deed_id: str, others: Sequence[str]) -> dict[str, list[Listener]]:
    """By organisation whoever listens, of those that the deed touched."""
    touched = sa.select(AuditEntry.organisation_id).where(AuditEntry.deed_id == deed_id)
    rows = db.session.execute(
        sa.select(Webhook.id, Webhook.organisation_id, Webhook.site_id, Webhook.kinds)
        .where(
            Webhook.paused_at.is_(None),
            sa.or_(Webhook.organisation_id.in_(touched), Webhook.organisation_id.in_(others)),
        )
        .order_by(Webhook.id)
        # One that is being deleted is waited for, and gone then: no delivery is left without it.
        .with_for_update(read=True, key_share=True, of=Webhook),
        execution_options=_OF_THE_DEED,
    )
    found: dict[str, list[Listener]] = defaultdict(list)
    for webhook_id, organisation_id, site_id, kinds in rows:
        listener = Listener(webhook_id, organisation_id, site_id, tuple(kinds))
        found[organisation_id].append(listener)
    return found


def _changes(organisation_id: str, deed_id: str) -> Iterable[Change]:
    rows = db.session.execute(
        sa.select(
            AuditEntry.subject,
            AuditEntry.subject_id,
            AuditEntry.about,
            AuditEntry.about_id,
            AuditEntry.act,
            AuditEntry.before,
            AuditEntry.after,
            AuditEntry.site_id,
            AuditEntry.at,
            SessionBooking.status,
            SessionBooking.session_id,
        )
        .outerjoin(
            SessionBooking,
            sa.and_(
                AuditEntry.about == "session_bookings", SessionBooking.id == AuditEntry.about_id
            ),
        )
        .where(
            AuditEntry.organisation_id == organisation_id,
            AuditEntry.deed_id == deed_id,
            AuditEntry.about.in_(("session_bookings", "sessions", "session_types")),
        )
        .order_by(AuditEntry.id)
    )
    for row in rows:
        said = row._asdict()
        yield Change(**{**said, "status": said["status"] or ""})


def _series_events(organisation_id: str, ids: Sequence[str]) -> Iterable[Event]:
    """Those of the sessions that are really there: the series may have had one on that day."""
    for start in range(0, len(ids), _IDS_AT_A_TIME):
        rows = db.session.execute(
            sa.select(Session.id, Session.site_id, Session.created_at)
            .where(
                Session.organisation_id == organisation_id,
                Session.id.in_(ids[start : start + _IDS_AT_A_TIME]),
                Session.deleted_at.is_(None),
            )
            .order_by(Session.local_start, Session.id)
        )
        yield from (session_made(*row) for row in rows)


def _parcels(
    organisation_id: str, listeners: Sequence[Listener], events: Iterable[Event]
) -> list[Parcel]:
    found = []
    for event in events:
        hearing = [one for one in listeners if one.hears(event)]
        if hearing:
            payload = payload_of(new_object_id(), event, organisation_id)
            found += [Parcel(organisation_id, one.id, payload, event.at) for one in hearing]
    return found
