"""Organisations, their sites, and what sessions refer to: rooms, people, categories, media."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, ObjectId, Tenant, Uuid, one_of


class Organisation(Base):
    __tablename__ = "organisations"

    id: Mapped[Uuid]
    name: Mapped[str]
    code: Mapped[str] = mapped_column(unique=True)


class Site(Tenant, Base):
    __tablename__ = "sites"
    __table_args__ = (
        sa.CheckConstraint("hold_minutes BETWEEN 1 AND 45", name="hold_minutes_sane"),
        sa.CheckConstraint("offer_minutes BETWEEN 5 AND 2880", name="offer_minutes_sane"),
        sa.CheckConstraint("reminder_hours BETWEEN 0 AND 168", name="reminder_hours_sane"),
        one_of("cancelled_session_notices", "everyone", "confirmed", "nobody"),
    )

    id: Mapped[Uuid]
    slug: Mapped[str] = mapped_column(unique=True)
    # Raised by whatever changes what all pages of the site show.
    revision: Mapped[int] = mapped_column(default=0)
    name: Mapped[str]
    place: Mapped[str] = mapped_column(default="")
    zone: Mapped[str]
    currency: Mapped[str] = mapped_column(sa.String(3))
    locale: Mapped[str] = mapped_column(default="en_GB")
    email: Mapped[str] = mapped_column(default="")
    phone: Mapped[str] = mapped_column(default="")
    opens_at: Mapped[dt.time] = mapped_column(default=dt.time(7))
    closes_at: Mapped[dt.time] = mapped_column(default=dt.time(22))
    hold_minutes: Mapped[int] = mapped_column(default=15)
    # How long a party from the waiting list may think it over.
    offer_minutes: Mapped[int] = mapped_column(default=120)
    # Hours before the start; 0 sends no reminders.
    reminder_hours: Mapped[int] = mapped_column(default=24)
    # Who is told when a session is cancelled.
    cancelled_session_notices: Mapped[str] = mapped_column(default="everyone")
    is_public: Mapped[bool] = mapped_column(default=True)
    # Words and pictures of the shop window, and the few tokens of the venue's brand.
    texts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    brand: Mapped[dict[str, Any]] = mapped_column(default=dict)

    @property
    def zoneinfo(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    @property
    def full_name(self) -> str:
        return f"{self.name} {self.place}".strip()


class Zone(Tenant, Base):
    __tablename__ = "zones"

    id: Mapped[ObjectId]
    site_id: Mapped[str] = mapped_column(sa.ForeignKey("sites.id"), index=True)
    name: Mapped[str]


class Room(Tenant, Base):
    __tablename__ = "rooms"
    __table_args__ = (
        sa.CheckConstraint("cap >= 1", name="cap_positive"),
        sa.CheckConstraint("turnaround >= 0", name="turnaround_not_negative"),
        sa.CheckConstraint("colour BETWEEN 1 AND 6", name="colour_known"),
    )

    id: Mapped[ObjectId]
    site_id: Mapped[str] = mapped_column(sa.ForeignKey("sites.id"), index=True)
    zone_id: Mapped[str | None] = mapped_column(sa.ForeignKey("zones.id"))
    name: Mapped[str]
    cap: Mapped[int]
    colour: Mapped[int] = mapped_column(default=1)
    turnaround: Mapped[int] = mapped_column(default=0)
    position: Mapped[int] = mapped_column(default=0)
    zone: Mapped[Zone | None] = relationship()


practitioner_sites = sa.Table(
    "practitioner_sites",
    Base.metadata,
    sa.Column("practitioner_id", sa.ForeignKey("practitioners.id"), primary_key=True),
    sa.Column("site_id", sa.ForeignKey("sites.id"), primary_key=True),
)


class Practitioner(Tenant, Base):
    __tablename__ = "practitioners"

    id: Mapped[ObjectId]
    name: Mapped[str]
    title: Mapped[str] = mapped_column(default="")
    bio: Mapped[str] = mapped_column(default="")
    sites: Mapped[list[Site]] = relationship(secondary=practitioner_sites)


class Category(Tenant, Base):
    __tablename__ = "categories"
    __table_args__ = (sa.UniqueConstraint("organisation_id", "slug"),)

    id: Mapped[ObjectId]
    slug: Mapped[str]
    name: Mapped[str]
    blurb: Mapped[str] = mapped_column(default="")
    position: Mapped[int] = mapped_column(default=0)


class Media(Tenant, Base):
    __tablename__ = "media"

    id: Mapped[Uuid]
    file_name: Mapped[str]
    mime_type: Mapped[str]
    size: Mapped[int]
    original_url: Mapped[str]
