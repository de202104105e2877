"""Notes that staff write for each other: about a customer, or about one booking."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, ObjectId, Tenant


class Note(Tenant, Base):
    """What somebody wrote; taken away it is shown no more, and stays on record."""

    __tablename__ = "notes"
    __table_args__ = (
        sa.CheckConstraint(
            "(customer_id IS NULL) <> (session_booking_id IS NULL)", name="about_one_thing"
        ),
    )

    id: Mapped[ObjectId]
    customer_id: Mapped[str | None] = mapped_column(sa.ForeignKey("customers.id"), index=True)
    session_booking_id: Mapped[str | None] = mapped_column(
        sa.ForeignKey("session_bookings.id"), index=True
    )
    text: Mapped[str]
    # Who wrote it, as they were called then; the account may be gone.
    author_id: Mapped[str | None] = mapped_column(sa.String(24))
    author_name: Mapped[str] = mapped_column(default="")
    created_at: Mapped[dt.datetime]
    taken_away_at: Mapped[dt.datetime | None]
    taken_away_by_id: Mapped[str | None] = mapped_column(sa.String(24))
