"""What the venue must know before a visit: forms in versions, and what people answered."""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from domain.intake import BOOKER
from models.base import Base, ObjectId, Tenant

__all__ = ["BOOKER", "IntakeAnswer", "IntakeForm"]


class IntakeForm(Tenant, Base):
    """One version of a session type's form; never edited, only followed by the next version."""

    __tablename__ = "intake_forms"
    __table_args__ = (sa.UniqueConstraint("session_type_id", "version"),)

    id: Mapped[ObjectId]
    session_type_id: Mapped[str] = mapped_column(sa.ForeignKey("session_types.id"))
    version: Mapped[int]
    fields: Mapped[list[dict[str, Any]]] = mapped_column(sa.JSON, default=list)
    created_at: Mapped[dt.datetime]


class IntakeAnswer(Tenant, Base):
    """What one person of a booking answered: the booker, or the guest at a position."""

    __tablename__ = "intake_answers"
    __table_args__ = (
        sa.UniqueConstraint("session_booking_id", "position"),
        sa.CheckConstraint("position >= -1", name="position_known"),
    )

    id: Mapped[ObjectId]
    session_booking_id: Mapped[str] = mapped_column(sa.ForeignKey("session_bookings.id"))
    intake_form_id: Mapped[str] = mapped_column(sa.ForeignKey("intake_forms.id"))
    position: Mapped[int]
    answers: Mapped[dict[str, Any]] = mapped_column(default=dict)
    # None while something that is required is still missing.
    completed_at: Mapped[dt.datetime | None]
    updated_at: Mapped[dt.datetime]
