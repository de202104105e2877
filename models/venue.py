"""Organisations, their sites, and what sessions refer to: rooms, people, categories, media."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, LocalDateTime, ObjectId, Tenant, Uuid, one_of

_EARLY, _LATE = dt.time(7), dt.time(22)


class Organisation(Base):
    __tablename__ = "organisations"

    id: Mapped[Uuid]
    name: Mapped[str]
    code: Mapped[str] = mapped_column(unique=True)
    # Its staff come in with an authenticator app or a passkey, not with a password alone.
    staff_second_factor: Mapped[bool] = mapped_column(default=False, server_default=sa.false())


class Site(Tenant, Base):
    __tablename__ = "sites"
    __table_args__ = (
        sa.CheckConstraint("hold_minutes BETWEEN 1 AND 45", name="hold_minutes_sane"),
        sa.CheckConstraint("few_left BETWEEN 0 AND 100", name="few_left_sane"),
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
    # By weekday "07:00" and "22:00"; a day that is not named is closed every week.
    opening_hours: Mapped[dict[str, Any]] = mapped_column(default=dict)
    # With so many places left or fewer a session is "nearly gone".
    few_left: Mapped[int] = mapped_column(default=4)
    # Where revenue may go; a type names one of them (R22).
    revenue_centres: Mapped[list[str]] = mapped_column(sa.JSON, default=list)
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
    def opens_at(self) -> dt.time:
        """The earliest opening of the week; 07:00 where no hours are set."""
        return min(
            (dt.time.fromisoformat(h[0]) for h in self.opening_hours.values()), default=_EARLY
        )

    @property
    def closes_at(self) -> dt.time:
        """The latest closing of the week; 22:00 where no hours are set, 23:59 for midnight."""
        return max((_closing(h[1]) for h in self.opening_hours.values()), default=_LATE)

    @property
    def full_name(self) -> str:
        return f"{self.name} {self.place}".strip()


def _closing(text: str) -> dt.time:
    """Midnight as an end is kept as 24:00, which no time of the day is."""
    return dt.time(23, 59) if text == "24:00" else dt.time.fromisoformat(text)


class ClosedDay(Tenant, Base):
    """A day on which the site is shut, whatever its series say."""

    __tablename__ = "closed_days"
    __table_args__ = (sa.UniqueConstraint("site_id", "day"),)

    id: Mapped[ObjectId]
    site_id: Mapped[str] = mapped_column(sa.ForeignKey("sites.id"))
    day: Mapped[dt.date]
    reason: Mapped[str] = mapped_column(default="")
    created_at: Mapped[dt.datetime]


class Zone(Tenant, Base):
    __tablename__ = "zones"

    id: Mapped[ObjectId]
    site_id: Mapped[str] = mapped_column(sa.ForeignKey("sites.id"), index=True)
    name: Mapped[str]
    position: Mapped[int] = mapped_column(default=0)


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
    deleted_at: Mapped[dt.datetime | None]
    zone: Mapped[Zone | None] = relationship()


practitioner_sites = sa.Table(
    "practitioner_sites",
    Base.metadata,
    sa.Column("practitioner_id", sa.ForeignKey("practitioners.id"), primary_key=True),
    sa.Column("site_id", sa.ForeignKey("sites.id"), primary_key=True),
)


# What they lead; the service that saves them checks that the types are the organisation's own.
practitioner_types = sa.Table(
    "practitioner_types",
    Base.metadata,
    sa.Column("practitioner_id", sa.ForeignKey("practitioners.id"), primary_key=True),
    sa.Column("session_type_id", sa.ForeignKey("session_types.id"), primary_key=True),
)


class Practitioner(Tenant, Base):
    __tablename__ = "practitioners"

    id: Mapped[ObjectId]
    name: Mapped[str]
    title: Mapped[str] = mapped_column(default="")
    bio: Mapped[str] = mapped_column(default="")
    email: Mapped[str] = mapped_column(default="")
    deleted_at: Mapped[dt.datetime | None]
    sites: Mapped[list[Site]] = relationship(secondary=practitioner_sites)


class TimeOff(Tenant, Base):
    """When a practitioner is away, in the wall time of wherever they would have been."""

    __tablename__ = "time_off"
    __table_args__ = (sa.CheckConstraint("local_end > local_start", name="end_after_start"),)

    id: Mapped[ObjectId]
    practitioner_id: Mapped[str] = mapped_column(sa.ForeignKey("practitioners.id"), index=True)
    local_start: Mapped[LocalDateTime]
    local_end: Mapped[LocalDateTime]
    reason: Mapped[str] = mapped_column(default="")
    created_at: Mapped[dt.datetime]


class Category(Tenant, Base):
    __tablename__ = "categories"
    __table_args__ = (sa.UniqueConstraint("organisation_id", "slug"),)

    id: Mapped[ObjectId]
    slug: Mapped[str]
    name: Mapped[str]
    blurb: Mapped[str] = mapped_column(default="")
    position: Mapped[int] = mapped_column(default=0)


class Media(Tenant, Base):
    """A picture: one of ours (`original_url` is a static path), or uploaded, with its files."""

    __tablename__ = "media"

    id: Mapped[Uuid]
    file_name: Mapped[str]
    mime_type: Mapped[str]
    size: Mapped[int]
    original_url: Mapped[str]
    # What it shows, in words; empty for decoration.
    alt: Mapped[str] = mapped_column(default="")
    width: Mapped[int | None]
    height: Mapped[int | None]
    created_at: Mapped[dt.datetime | None]
    deleted_at: Mapped[dt.datetime | None]


class MediaFile(Tenant, Base):
    """One size and format of an uploaded picture, made anew from its pixels."""

    __tablename__ = "media_files"
    __table_args__ = (sa.UniqueConstraint("media_id", "width", "mime_type"),)

    id: Mapped[ObjectId]
    media_id: Mapped[str] = mapped_column(sa.ForeignKey("media.id"))
    width: Mapped[int]
    mime_type: Mapped[str]
    content: Mapped[bytes] = mapped_column(sa.LargeBinary, deferred=True)
