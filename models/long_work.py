"""Work of many steps that goes on while people do other things: what, how far, what failed."""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, ObjectId, Tenant, one_of


class LongWork(Tenant, Base):
    """A list of items done one by one by the worker, each in a transaction of its own."""

    __tablename__ = "long_works"
    __table_args__ = (
        sa.CheckConstraint("done >= 0 AND done <= total", name="done_within_total"),
        one_of("state", "waiting", "running", "done", "stopped"),
    )

    id: Mapped[ObjectId]
    site_id: Mapped[str] = mapped_column(sa.ForeignKey("sites.id"), index=True)
    account_id: Mapped[str | None] = mapped_column(sa.ForeignKey("accounts.id"))
    kind: Mapped[str]
    title: Mapped[str]
    # Where its page leads back to: a path of ours.
    back: Mapped[str] = mapped_column(default="")
    items: Mapped[list[Any]] = mapped_column(sa.JSON, default=list)
    total: Mapped[int]
    # How many items are behind us, done or refused.
    done: Mapped[int] = mapped_column(default=0)
    # What was refused: {"item": its number, "name": what it was, "said": the sentence}.
    failures: Mapped[list[Any]] = mapped_column(sa.JSON, default=list)
    state: Mapped[str] = mapped_column(default="waiting")
    is_stop_asked: Mapped[bool] = mapped_column(default=False)
    # The same form sent twice begins one work (H6).
    dedupe_key: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[dt.datetime]
    started_at: Mapped[dt.datetime | None]
    finished_at: Mapped[dt.datetime | None]
