"""Accounts, staff rights, customers and memberships."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, ObjectId, Tenant, Uuid, one_of

RIGHTS = (
    "SETTINGS_MANAGE",
    "RESERVATIONS_MANAGE",
    "CUSTOMERS_MANAGE",
    "ORDERS_MANAGE",
    "REPORTS_VIEW",
    "STAFF_MANAGE",
)


class Account(Base):
    """One person's sign-in for the whole installation; customers and staff are its roles."""

    __tablename__ = "accounts"

    id: Mapped[ObjectId]
    email: Mapped[str]
    email_key: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    password_hash: Mapped[str | None]
    # Part of the sign-in cookie: changing it signs out everywhere.
    session_token: Mapped[str]
    created_at: Mapped[dt.datetime]


class StaffGrant(Tenant, Base):
    """One right of an account at one site, or at all sites of the organisation."""

    __tablename__ = "staff_grants"
    __table_args__ = (
        sa.UniqueConstraint("account_id", "organisation_id", "site_id", "right"),
        one_of("right", *RIGHTS),
    )

    id: Mapped[ObjectId]
    account_id: Mapped[str] = mapped_column(sa.ForeignKey("accounts.id"))
    site_id: Mapped[str | None] = mapped_column(sa.ForeignKey("sites.id"))
    right: Mapped[str] = mapped_column("right", quote=True)
    title: Mapped[str] = mapped_column(default="")


class Customer(Tenant, Base):
    """A person known to one organisation, with or without an account."""

    __tablename__ = "customers"
    __table_args__ = (
        sa.UniqueConstraint("organisation_id", "email_key"),
        sa.UniqueConstraint("organisation_id", "account_id"),
    )

    id: Mapped[ObjectId]
    account_id: Mapped[str | None] = mapped_column(sa.ForeignKey("accounts.id"))
    name: Mapped[str]
    email: Mapped[str] = mapped_column(default="")
    email_key: Mapped[str | None]
    phone: Mapped[str] = mapped_column(default="")
    created_at: Mapped[dt.datetime]


class MembershipType(Tenant, Base):
    __tablename__ = "membership_types"

    id: Mapped[Uuid]
    name: Mapped[str]
    blurb: Mapped[str] = mapped_column(default="")


class Membership(Tenant, Base):
    __tablename__ = "memberships"
    __table_args__ = (
        sa.CheckConstraint("last_day IS NULL OR first_day <= last_day", name="days_in_order"),
    )

    id: Mapped[ObjectId]
    customer_id: Mapped[str] = mapped_column(sa.ForeignKey("customers.id"), index=True)
    membership_type_id: Mapped[str] = mapped_column(sa.ForeignKey("membership_types.id"))
    first_day: Mapped[dt.date]
    last_day: Mapped[dt.date | None]
    membership_type: Mapped[MembershipType] = relationship()
