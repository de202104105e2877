"""Addresses of other programs that are told what happens, and the log of what was sent there."""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, ObjectId, Tenant, one_of


class Webhook(Tenant, Base):
    """One address of another program; its secret is sealed, the server has to sign with it."""

    __tablename__ = "webhooks"
    __table_args__ = (one_of("paused_why", "", "hand", "gone", "failing"),)

    id: Mapped[ObjectId]
    # None: it is told what happens at all sites.
    site_id: Mapped[str | None] = mapped_column(sa.ForeignKey("sites.id"))
    name: Mapped[str]
    url: Mapped[str]
    kinds: Mapped[list[str]] = mapped_column(sa.JSON)
    sealed_secret: Mapped[str]
    # The secret before this one signs along for a day.
    sealed_older: Mapped[str | None]
    older_until: Mapped[dt.datetime | None]
    paused_at: Mapped[dt.datetime | None]
    paused_why: Mapped[str] = mapped_column(default="")
    # Since the last success: when the first failure was, and how many there were.
    failing_since: Mapped[dt.datetime | None]
    failures: Mapped[int] = mapped_column(default=0)
    created_by_id: Mapped[str | None] = mapped_column(
        sa.ForeignKey("accounts.id", ondelete="SET NULL")
    )
    created_by_name: Mapped[str] = mapped_column(default="")
    created_at: Mapped[dt.datetime]


class WebhookDelivery(Tenant, Base):
    """One event on its way to one webhook: the log that staff read, kept for 30 days."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        one_of("state", "waiting", "delivered", "failed"),
        sa.Index("ix_webhook_deliveries_log", "webhook_id", "created_at"),
        sa.Index("ix_webhook_deliveries_created_at", "created_at"),
    )

    id: Mapped[ObjectId]
    webhook_id: Mapped[str] = mapped_column(sa.ForeignKey("webhooks.id"))
    # The same for every webhook and every repetition: receivers know by it what they have had.
    event_id: Mapped[str] = mapped_column(sa.String(24))
    kind: Mapped[str]
    payload: Mapped[dict[str, Any]]
    is_again: Mapped[bool] = mapped_column(default=False)
    state: Mapped[str] = mapped_column(default="waiting")
    attempts: Mapped[int] = mapped_column(default=0)
    status_code: Mapped[int | None]
    # How the answer began, or what stood in its way.
    answer: Mapped[str] = mapped_column(default="")
    error: Mapped[str] = mapped_column(default="")
    created_at: Mapped[dt.datetime]
    tried_at: Mapped[dt.datetime | None]
    next_at: Mapped[dt.datetime | None]

    webhook: Mapped[Webhook] = relationship()
