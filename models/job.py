"""The outbox: work written in the transaction of its cause and done after it (E1)."""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, ObjectId


class Job(Base):
    """One thing to be done once: a mail, later also offers and reminders."""

    __tablename__ = "jobs"
    __table_args__ = (
        sa.Index(
            "ix_jobs_due",
            "run_at",
            sqlite_where=sa.text("done_at IS NULL"),
            postgresql_where=sa.text("done_at IS NULL"),
        ),
    )

    id: Mapped[ObjectId]
    # None for what concerns an account, which belongs to no organisation.
    organisation_id: Mapped[str | None] = mapped_column(
        sa.ForeignKey("organisations.id"), index=True
    )
    # Whose staff may read it: None for what concerns the whole organisation or an account.
    site_id: Mapped[str | None] = mapped_column(sa.ForeignKey("sites.id"), index=True)
    kind: Mapped[str]
    payload: Mapped[dict[str, Any]] = mapped_column(default=dict)
    # Two causes of one message make one row (E1).
    dedupe_key: Mapped[str] = mapped_column(unique=True)
    run_at: Mapped[dt.datetime]
    locked_until: Mapped[dt.datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    done_at: Mapped[dt.datetime | None]
    error: Mapped[str] = mapped_column(default="")
    created_at: Mapped[dt.datetime]
