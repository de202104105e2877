"""Private links: an offer for whoever holds the address, and shown nowhere else (D2)."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, Minor, ObjectId, Tenant
from models.people import Customer
from models.session import Session
from models.session_type import SessionType


class PrivateLink(Tenant, Base):
    """One address for one type, one session of it, or one customer; it may have its own price."""

    __tablename__ = "private_links"
    __table_args__ = (
        sa.CheckConstraint("price IS NULL OR price >= 0", name="price_not_negative"),
        sa.CheckConstraint("max_uses IS NULL OR max_uses >= 1", name="max_uses_positive"),
        sa.CheckConstraint(
            "uses >= 0 AND (max_uses IS NULL OR uses <= max_uses)", name="uses_within_limit"
        ),
        sa.CheckConstraint(
            "places_kept >= 0 AND (places_kept = 0 OR session_id IS NOT NULL)",
            name="places_kept_of_a_session",
        ),
    )

    id: Mapped[ObjectId]
    site_id: Mapped[str] = mapped_column(sa.ForeignKey("sites.id"), index=True)
    session_type_id: Mapped[str] = mapped_column(sa.ForeignKey("session_types.id"))
    session_id: Mapped[str | None] = mapped_column(sa.ForeignKey("sessions.id"), index=True)
    customer_id: Mapped[str | None] = mapped_column(sa.ForeignKey("customers.id"), index=True)
    # The unguessable part of the address; staff can read it again, as they can a type's own.
    key: Mapped[str] = mapped_column(unique=True)
    # For staff: whom or what it is for.
    name: Mapped[str] = mapped_column(default="")
    price: Mapped[Minor | None]
    expires_at: Mapped[dt.datetime | None]
    max_uses: Mapped[int | None]
    # Bookings made with it and holds running on it.
    uses: Mapped[int] = mapped_column(default=0)
    # Places of the session still kept for it; counted in the session's own places_kept.
    places_kept: Mapped[int] = mapped_column(default=0)
    first_seen_at: Mapped[dt.datetime | None]
    revoked_at: Mapped[dt.datetime | None]
    created_by_id: Mapped[str | None] = mapped_column(sa.String(24))
    created_at: Mapped[dt.datetime]

    session_type: Mapped[SessionType] = relationship()
    session: Mapped[Session | None] = relationship()
    customer: Mapped[Customer | None] = relationship()
