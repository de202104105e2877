"""What is sold: session types, their price rules and their recurrence groups (2.1-2.3)."""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, Minor, ObjectId, Tenant, one_of
from models.venue import Category, Media

session_type_categories = sa.Table(
    "session_type_categories",
    Base.metadata,
    sa.Column("session_type_id", sa.ForeignKey("session_types.id"), primary_key=True),
    sa.Column("category_id", sa.ForeignKey("categories.id"), primary_key=True),
)


class SessionType(Tenant, Base):
    __tablename__ = "session_types"
    __table_args__ = (
        sa.UniqueConstraint("site_id", "slug"),
        one_of("visibility", "public", "link_only", "private"),
        one_of("customer_cancellation_permitted", "allowed", "disallowed", "unpaid"),
        sa.CheckConstraint("duration > 0", name="duration_positive"),
        sa.CheckConstraint("min_guests >= 1", name="min_guests_positive"),
        sa.CheckConstraint(
            "max_guests IS NULL OR max_guests >= min_guests", name="guests_in_order"
        ),
    )

    id: Mapped[ObjectId]
    site_id: Mapped[str] = mapped_column(sa.ForeignKey("sites.id"))
    slug: Mapped[str]
    # Raised, in the same transaction, by whatever changes what the type's pages show.
    revision: Mapped[int] = mapped_column(default=0)
    name: Mapped[str]
    summary: Mapped[str] = mapped_column(default="")
    description: Mapped[str] = mapped_column(default="")
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)
    product_code: Mapped[str | None]
    external_id: Mapped[str | None]
    currency: Mapped[str] = mapped_column(sa.String(3))
    hidden_on_schedule: Mapped[bool] = mapped_column(default=False)
    image_id: Mapped[str | None] = mapped_column(sa.ForeignKey("media.id"))
    offered_online: Mapped[bool] = mapped_column(default=False)
    visibility: Mapped[str] = mapped_column(default="public")
    link_key: Mapped[str]
    duration: Mapped[int]
    max_baskets_per_session: Mapped[int | None]
    max_advance_bookings_interval: Mapped[str | None]
    min_advance_bookings_interval: Mapped[str | None]
    customers_only: Mapped[bool] = mapped_column(default=False)
    members_only: Mapped[bool] = mapped_column(default=False)
    max_bookings_per_member: Mapped[int | None]
    permitted_membership_type_ids: Mapped[list[str]] = mapped_column(sa.JSON, default=list)
    membership_booking_windows_enabled: Mapped[bool] = mapped_column(default=False)
    membership_booking_windows: Mapped[list[dict[str, Any]]] = mapped_column(sa.JSON, default=list)
    customer_cancellation_permitted: Mapped[str] = mapped_column(default="allowed")
    customer_cancellation_min_duration: Mapped[str | None]
    # What coming late or not at all costs a guest; nothing set, nothing charged (domain/fees.py).
    late_after_minutes: Mapped[int | None]
    late_fee: Mapped[Minor | None]
    no_show_fee: Mapped[Minor | None]
    fees_waivable_hours: Mapped[int | None]
    waitlist_enabled: Mapped[bool] = mapped_column(default=False)
    min_guests: Mapped[int] = mapped_column(default=1)
    max_guests: Mapped[int | None]
    max_per_basket: Mapped[int | None]
    max_per_guest: Mapped[int | None]
    revenue_centre: Mapped[str | None]
    include_pricing_on_calendar: Mapped[bool] = mapped_column(default=True)
    # References to other offerings: at confirmation, and while booking (OfferingRef).
    upsell_offerings: Mapped[list[dict[str, Any]]] = mapped_column(sa.JSON, default=list)
    cross_sell_offerings: Mapped[list[dict[str, Any]]] = mapped_column(sa.JSON, default=list)
    related_retail_offerings: Mapped[list[dict[str, Any]]] = mapped_column(sa.JSON, default=list)
    # For search engines; empty ones fall back on name and summary.
    meta_title: Mapped[str] = mapped_column(default="")
    meta_description: Mapped[str] = mapped_column(default="")
    # The form in force, None when nothing is asked; kept in step by the service that saves forms.
    intake_form_version: Mapped[int | None]
    intake_asks_guests: Mapped[bool] = mapped_column(default=False)
    position: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime]
    deleted_at: Mapped[dt.datetime | None]

    image: Mapped[Media | None] = relationship()
    categories: Mapped[list[Category]] = relationship(
        secondary=session_type_categories, order_by=Category.position
    )
    price_rules: Mapped[list["PriceRule"]] = relationship(order_by="PriceRule.position")


class PriceRule(Tenant, Base):
    __tablename__ = "price_rules"
    __table_args__ = (
        sa.UniqueConstraint("session_type_id", "position"),
        sa.CheckConstraint("price >= 0", name="price_not_negative"),
        sa.CheckConstraint(
            "date_from IS NULL OR date_to IS NULL OR date_from <= date_to", name="dates_in_order"
        ),
        sa.CheckConstraint(
            "time_from IS NULL OR time_to IS NULL OR time_from < time_to", name="times_in_order"
        ),
    )

    id: Mapped[ObjectId]
    session_type_id: Mapped[str] = mapped_column(sa.ForeignKey("session_types.id"))
    position: Mapped[int]
    label: Mapped[str] = mapped_column(default="")
    price: Mapped[Minor]
    date_from: Mapped[dt.date | None]
    date_to: Mapped[dt.date | None]
    time_from: Mapped[dt.time | None]
    time_to: Mapped[dt.time | None]
    weekdays: Mapped[list[str]] = mapped_column(sa.JSON, default=list)
    membership_type_ids: Mapped[list[str]] = mapped_column(sa.JSON, default=list)


class RecurrenceGroup(Tenant, Base):
    __tablename__ = "recurrence_groups"
    __table_args__ = (
        sa.CheckConstraint("capacity IS NULL OR capacity >= 1", name="capacity_positive"),
        sa.CheckConstraint(
            "recurrence_start IS NULL OR recurrence_end IS NULL"
            " OR recurrence_start <= recurrence_end",
            name="days_in_order",
        ),
    )

    id: Mapped[ObjectId]
    session_type_id: Mapped[str] = mapped_column(sa.ForeignKey("session_types.id"), index=True)
    name: Mapped[str] = mapped_column(default="")
    practitioner_id: Mapped[str | None] = mapped_column(sa.ForeignKey("practitioners.id"))
    room_id: Mapped[str | None] = mapped_column(sa.ForeignKey("rooms.id"))
    weekdays: Mapped[list[str]] = mapped_column(sa.JSON, default=list)
    capacity: Mapped[int | None]
    recurrence_start: Mapped[dt.date | None]
    recurrence_end: Mapped[dt.date | None]
    deleted_at: Mapped[dt.datetime | None]

    every_start_time: Mapped[list["RecurrenceStartTime"]] = relationship(
        order_by="RecurrenceStartTime.value"
    )
    start_times: Mapped[list["RecurrenceStartTime"]] = relationship(
        primaryjoin="and_(RecurrenceGroup.id == RecurrenceStartTime.recurrence_group_id,"
        " RecurrenceStartTime.deleted_at.is_(None))",
        order_by="RecurrenceStartTime.value",
        overlaps="every_start_time",
    )


class RecurrenceStartTime(Tenant, Base):
    __tablename__ = "recurrence_start_times"
    __table_args__ = (
        sa.Index(
            "uq_recurrence_start_times_live_value",
            "recurrence_group_id",
            "value",
            unique=True,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        ),
    )

    id: Mapped[ObjectId]
    recurrence_group_id: Mapped[str] = mapped_column(sa.ForeignKey("recurrence_groups.id"))
    value: Mapped[dt.time]
    # Taken out of the pattern: its sessions keep their identity, and come back with it.
    deleted_at: Mapped[dt.datetime | None]
