"""One dated slot with its places (2.4). "Session" is the product's word, never the database's."""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, LocalDateTime, Minor, ObjectId, Tenant, one_of
from models.session_type import SessionType
from models.venue import Practitioner, Room


class Session(Tenant, Base):
    __tablename__ = "sessions"
    __table_args__ = (
        sa.UniqueConstraint("recurrence_group_id", "recurrence_date", "start_time_id"),
        sa.CheckConstraint("end_time > start_time", name="end_after_start"),
        sa.CheckConstraint(
            "places_taken >= 0 AND places_kept >= 0 AND places_taken + places_kept <= capacity",
            name="places_within_capacity",
        ),
        sa.CheckConstraint(
            "parties_taken >= 0 AND (max_baskets IS NULL OR parties_taken <= max_baskets)",
            name="parties_within_limit",
        ),
        sa.CheckConstraint("price IS NULL OR price >= 0", name="price_not_negative"),
        one_of("withdrawn_by", "series", "archive", "closed_day"),
        sa.Index("ix_sessions_type_local_start", "session_type_id", "local_start"),
        sa.Index("ix_sessions_site_local_start", "site_id", "local_start"),
        sa.Index("ix_sessions_room_start", "room_id", "start_time"),
        sa.Index("ix_sessions_practitioner_start", "practitioner_id", "start_time"),
        # In the order of lists over all sites, with all that a page of them is found by.
        sa.Index(
            "ix_sessions_organisation_start",
            *("organisation_id", "start_time", "id", "site_id", "deleted_at"),
        ),
    )

    id: Mapped[ObjectId]
    site_id: Mapped[str] = mapped_column(sa.ForeignKey("sites.id"))
    session_type_id: Mapped[str] = mapped_column(sa.ForeignKey("session_types.id"))
    session_type_name: Mapped[str]
    recurrence_group_id: Mapped[str | None] = mapped_column(sa.ForeignKey("recurrence_groups.id"))
    recurrence_date: Mapped[dt.date | None]
    start_time_id: Mapped[str | None] = mapped_column(sa.ForeignKey("recurrence_start_times.id"))
    start_time: Mapped[dt.datetime]
    end_time: Mapped[dt.datetime]
    local_start: Mapped[LocalDateTime]
    capacity: Mapped[int]
    places_taken: Mapped[int] = mapped_column(default=0)
    # Kept for the bearers of private links, and sold to nobody else.
    places_kept: Mapped[int] = mapped_column(default=0)
    max_baskets: Mapped[int | None]
    parties_taken: Mapped[int] = mapped_column(default=0)
    waitlist_enabled: Mapped[bool] = mapped_column(default=False)
    practitioner_id: Mapped[str | None] = mapped_column(sa.ForeignKey("practitioners.id"))
    room_id: Mapped[str | None] = mapped_column(sa.ForeignKey("rooms.id"))
    price: Mapped[Minor | None]
    # Fields changed by hand, which the series no longer writes (R5).
    overridden: Mapped[list[Any]] = mapped_column(sa.JSON, default=list)
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime]
    deleted_at: Mapped[dt.datetime | None]
    # Set while `deleted_at` is, when no person cancelled it: its series, type or day did, and
    # brings it back (R24, R25); NULL says "by hand", and it stays away.
    withdrawn_by: Mapped[str | None]
    # What those who had booked were told when it was cancelled.
    cancel_reason: Mapped[str] = mapped_column(default="")

    session_type: Mapped[SessionType] = relationship()
    room: Mapped[Room | None] = relationship()
    practitioner: Mapped[Practitioner | None] = relationship()
