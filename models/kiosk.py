"""A device at the door that checks guests in, signed in to one site."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, ObjectId, Tenant
from models.venue import Site


class Kiosk(Tenant, Base):
    """Its cookie holds the secret whose hash stands here; ending it here ends it there."""

    __tablename__ = "kiosks"
    __table_args__ = (sa.Index("ix_kiosks_site_ended_at", "site_id", "ended_at"),)

    id: Mapped[ObjectId]
    site_id: Mapped[str] = mapped_column(sa.ForeignKey("sites.id"))
    name: Mapped[str]
    secret_hash: Mapped[str]
    # The accounts of those who signed it in and out; they may be gone.
    signed_in_by_id: Mapped[str] = mapped_column(sa.String(24))
    ended_by_id: Mapped[str | None] = mapped_column(sa.String(24))
    created_at: Mapped[dt.datetime]
    # The last press of a guest: looking at a page writes nothing.
    last_used_at: Mapped[dt.datetime | None]
    ended_at: Mapped[dt.datetime | None]
    # The one booking that it shows now, and until when: no address of a kiosk names one.
    showing_id: Mapped[str | None] = mapped_column(
        sa.ForeignKey("session_bookings.id", ondelete="SET NULL")
    )
    showing_until: Mapped[dt.datetime | None]

    site: Mapped[Site] = relationship()
