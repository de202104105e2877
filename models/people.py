"""Accounts, their links and tries, staff rights, customers and memberships."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from domain.roles import RIGHTS
from models.base import Base, ObjectId, Tenant, Uuid, one_of


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
    # The unguessable part of the own calendar feed's address; None until it is asked for.
    feed_key: Mapped[str | None] = mapped_column(unique=True)
    created_at: Mapped[dt.datetime]


class AccountLink(Base):
    """A link sent by mail that proves an address once: what it may do, until when.

    The address in the mail is this row's id under a signature, so the table holds no secret.
    """

    __tablename__ = "account_links"
    __table_args__ = (one_of("purpose", "register", "sign_in", "reset", "change_address"),)

    id: Mapped[Uuid]
    purpose: Mapped[str]
    account_id: Mapped[str | None] = mapped_column(sa.ForeignKey("accounts.id"), index=True)
    email: Mapped[str]
    name: Mapped[str] = mapped_column(default="")
    # Where the person was going: a path of ours.
    next: Mapped[str] = mapped_column(default="")
    created_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime]
    used_at: Mapped[dt.datetime | None]


class SignInTry(Base):
    """One failed sign-in of an address, known or not; shared by all web workers."""

    __tablename__ = "sign_in_tries"
    __table_args__ = (sa.Index("ix_sign_in_tries_who_tried_at", "who", "tried_at"),)

    id: Mapped[ObjectId]
    # A hash: what strangers typed as an address is nobody's business.
    who: Mapped[str]
    tried_at: Mapped[dt.datetime]


class StaffGrant(Tenant, Base):
    """One right of an account at one site, or at all sites of the organisation."""

    __tablename__ = "staff_grants"
    __table_args__ = (
        sa.UniqueConstraint("account_id", "organisation_id", "site_id", "right"),
        # NULLs are never equal: a right at all sites needs a guard of its own.
        sa.Index(
            "uq_staff_grants_everywhere", "account_id", "organisation_id", "right", unique=True,
            sqlite_where=sa.text("site_id IS NULL"), postgresql_where=sa.text("site_id IS NULL"),
        ),
        one_of("right", *RIGHTS),
    )  # fmt: skip

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
        sa.Index("ix_customers_organisation_address", "organisation_id", "address_key"),
    )

    id: Mapped[ObjectId]
    account_id: Mapped[str | None] = mapped_column(sa.ForeignKey("accounts.id"))
    name: Mapped[str]
    email: Mapped[str] = mapped_column(default="")
    # The address that is this row's alone; a guest who typed an account's address has none.
    email_key: Mapped[str | None]
    # The address as written, normalised: rows with the same one are counted as one person.
    address_key: Mapped[str] = mapped_column(default="")
    phone: Mapped[str] = mapped_column(default="")
    created_at: Mapped[dt.datetime]


class MembershipType(Tenant, Base):
    __tablename__ = "membership_types"

    id: Mapped[Uuid]
    name: Mapped[str]
    blurb: Mapped[str] = mapped_column(default="")
    deleted_at: Mapped[dt.datetime | None]


class Membership(Tenant, Base):
    __tablename__ = "memberships"
    __table_args__ = (
        sa.CheckConstraint("last_day IS NULL OR first_day <= last_day", name="days_in_order"),
        sa.UniqueConstraint("customer_id", "membership_type_id", "first_day"),
        one_of("state", "active", "paused", "ended"),
    )

    id: Mapped[ObjectId]
    customer_id: Mapped[str] = mapped_column(sa.ForeignKey("customers.id"), index=True)
    membership_type_id: Mapped[str] = mapped_column(sa.ForeignKey("membership_types.id"))
    first_day: Mapped[dt.date]
    last_day: Mapped[dt.date | None]
    # Only an active one counts; ended before its last day, or paused, it stays on record.
    state: Mapped[str] = mapped_column(default="active")
    created_at: Mapped[dt.datetime]
    membership_type: Mapped[MembershipType] = relationship()
