"""Accounts, their links and tries, staff rights, customers and memberships."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from domain.people import fold_name, fold_phone
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
        sa.Index("ix_customers_organisation_name", "organisation_id", "name_key"),
        sa.Index("ix_customers_organisation_phone", "organisation_id", "phone_key"),
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
    # Name and phone as they are looked for: without case, accents and signs.
    name_key: Mapped[str] = mapped_column(default="", server_default="")
    phone_key: Mapped[str] = mapped_column(default="", server_default="")
    created_at: Mapped[dt.datetime]
    # Since when nothing says any more who this was.
    erased_at: Mapped[dt.datetime | None]

    @validates("name", "phone")
    def _fold(self, field: str, text: str) -> str:
        if field == "name":
            self.name_key = fold_name(text)
        else:
            self.phone_key = fold_phone(text)
        return text


class FormerCustomer(Tenant, Base):
    """A customer that became part of another one: where its old address leads (merging).

    Its row is gone, so that whoever was about to book for it is refused by the database and
    finds the one that stays.
    """

    __tablename__ = "former_customers"
    __table_args__ = (sa.Index("ix_former_customers_address", "organisation_id", "email_key"),)

    # The id that the customer had.
    id: Mapped[str] = mapped_column(sa.String(24), primary_key=True)
    customer_id: Mapped[str] = mapped_column(sa.ForeignKey("customers.id"), index=True)
    # The address that was given up: who books with it is the one that stays.
    email_key: Mapped[str | None]
    merged_at: Mapped[dt.datetime]
    merged_by_id: Mapped[str | None] = mapped_column(sa.String(24))


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
