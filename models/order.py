"""Basket and order are one row; hold and booking are one row; money is a ledger (2.5, M1)."""

import datetime as dt
import secrets
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base import Base, Minor, ObjectId, Tenant, one_of
from models.intake import IntakeAnswer, IntakeForm
from models.people import Customer
from models.private_link import PrivateLink
from models.session import Session
from models.venue import Site


def new_check_in_code() -> str:
    """What a ticket's QR code holds: 80 random bits, in digits that any scanner types right."""
    return secrets.token_hex(10)


class Order(Tenant, Base):
    __tablename__ = "orders"
    __table_args__ = (
        sa.UniqueConstraint("organisation_id", "order_ref"),
        one_of("state", "basket", "waiting", "in_progress", "confirmed", "cancelled"),
        one_of("sold_by", "shop", "staff"),
        # Reports ask for the orders of a site that were confirmed in some days, and for each
        # customer's first one.
        sa.Index(
            "ix_orders_site_confirmed",
            *("site_id", "confirmed_at", "customer_id", "organisation_id"),
        ),
        sa.Index("ix_orders_customer_confirmed", "customer_id", "confirmed_at", "organisation_id"),
    )

    id: Mapped[ObjectId]
    site_id: Mapped[str] = mapped_column(sa.ForeignKey("sites.id"), index=True)
    customer_id: Mapped[str | None] = mapped_column(sa.ForeignKey("customers.id"))
    state: Mapped[str] = mapped_column(default="basket")
    sold_by: Mapped[str] = mapped_column(default="shop")
    order_ref: Mapped[str]
    secret: Mapped[str] = mapped_column(unique=True)
    currency: Mapped[str] = mapped_column(sa.String(3))
    # Asked before time runs out and kept when it does (H4).
    name: Mapped[str] = mapped_column(default="")
    email: Mapped[str] = mapped_column(default="")
    # Field to text: whatever else the checkout form holds.
    typed: Mapped[dict[str, Any]] = mapped_column(default=dict)
    # The account whose prices and limits a basket was held with: nobody else may confirm it.
    held_by_id: Mapped[str | None] = mapped_column(sa.String(24))
    held_since: Mapped[dt.datetime | None]
    created_at: Mapped[dt.datetime]
    confirmed_at: Mapped[dt.datetime | None]
    # Sums of the ledger, kept by the database with each entry (M1): for questions over many
    # orders. Nothing here writes them, and an order that is in memory doesn't see them change.
    charged: Mapped[Minor] = mapped_column(default=0, server_default="0")
    adjusted: Mapped[Minor] = mapped_column(default=0, server_default="0")
    balance: Mapped[Minor] = mapped_column(default=0, server_default="0")

    site: Mapped[Site] = relationship()
    customer: Mapped[Customer | None] = relationship()
    items: Mapped[list["OrderItem"]] = relationship(back_populates="order", order_by="OrderItem.id")
    ledger: Mapped[list["LedgerEntry"]] = relationship(order_by="LedgerEntry.id")


class OrderItem(Tenant, Base):
    """A line as agreed: nothing edited later changes it (P5, M8)."""

    __tablename__ = "order_items"
    __table_args__ = (
        sa.CheckConstraint("places >= 1", name="places_positive"),
        sa.CheckConstraint("unit_price >= 0", name="unit_price_not_negative"),
        sa.Index("ix_order_items_worth", "id", "unit_price", "currency"),
    )

    id: Mapped[ObjectId]
    order_id: Mapped[str] = mapped_column(sa.ForeignKey("orders.id"), index=True)
    places: Mapped[int]
    unit_price: Mapped[Minor]
    currency: Mapped[str] = mapped_column(sa.String(3))
    price_source: Mapped[str]
    price_rule_id: Mapped[str | None] = mapped_column(sa.String(24))
    price_label: Mapped[str] = mapped_column(default="")
    policy: Mapped[dict[str, Any]] = mapped_column(default=dict)

    order: Mapped[Order] = relationship(back_populates="items")
    booking: Mapped["SessionBooking"] = relationship(back_populates="order_item")


class SessionBooking(Tenant, Base):
    __tablename__ = "session_bookings"
    __table_args__ = (
        one_of("status", "new", "in_progress", "confirmed", "waitlisted"),
        one_of("stage", "not_arrived", "arrived", "in_treatment", "checked_out"),
        sa.CheckConstraint(
            "cancelled_by IS NULL OR cancelled_by IN ('customer', 'staff', 'venue', 'expired')",
            name="cancelled_by_known",
        ),
        sa.CheckConstraint("places >= 1", name="places_positive"),
        sa.CheckConstraint("released_places BETWEEN 0 AND places", name="released_within_places"),
        sa.CheckConstraint(
            "NOT (is_no_show AND checked_in_at IS NOT NULL)", name="no_show_or_checked_in"
        ),
        # These two hold all that reports count, so that they read no rows.
        sa.Index(
            "ix_session_bookings_session_counted",
            *("session_id", "status", "cancelled_at", "places", "is_no_show"),
            *("order_item_id", "order_id", "fee"),
        ),
        sa.Index(
            "ix_session_bookings_order_counted",
            *("order_id", "status", "cancelled_at", "session_id", "places", "order_item_id"),
            *("organisation_id", "fee"),
        ),
        sa.Index(
            "ix_session_bookings_waiting",
            "session_id",
            "waiting_since",
            sqlite_where=sa.text("status = 'waitlisted' AND cancelled_at IS NULL"),
            postgresql_where=sa.text("status = 'waitlisted' AND cancelled_at IS NULL"),
        ),
        sa.Index(
            "ix_session_bookings_waited",
            "site_id",
            "waiting_since",
            sqlite_where=sa.text("waiting_since IS NOT NULL"),
            postgresql_where=sa.text("waiting_since IS NOT NULL"),
        ),
        sa.Index(
            "ix_session_bookings_holding",
            "expires_at",
            sqlite_where=sa.text("expires_at IS NOT NULL AND cancelled_at IS NULL"),
            postgresql_where=sa.text("expires_at IS NOT NULL AND cancelled_at IS NULL"),
        ),
    )

    id: Mapped[ObjectId]
    site_id: Mapped[str] = mapped_column(sa.ForeignKey("sites.id"))
    session_id: Mapped[str] = mapped_column(sa.ForeignKey("sessions.id"))
    session_type_id: Mapped[str] = mapped_column(sa.ForeignKey("session_types.id"))
    session_type_name: Mapped[str]
    order_item_id: Mapped[str] = mapped_column(sa.ForeignKey("order_items.id"), unique=True)
    order_id: Mapped[str] = mapped_column(sa.ForeignKey("orders.id"))
    customer_id: Mapped[str | None] = mapped_column(sa.ForeignKey("customers.id"), index=True)
    places: Mapped[int]
    status: Mapped[str] = mapped_column(default="new")
    stage: Mapped[str] = mapped_column(default="not_arrived")
    checked_in_at: Mapped[dt.datetime | None]
    is_no_show: Mapped[bool] = mapped_column(default=False)
    is_walk_in: Mapped[bool] = mapped_column(default=False)
    # What stands charged for coming late or not at all: the ledger's, kept here to be summed.
    fee: Mapped[Minor] = mapped_column(default=0, server_default="0")
    expires_at: Mapped[dt.datetime | None]
    cancelled_at: Mapped[dt.datetime | None]
    cancelled_by: Mapped[str | None]
    # When the customer was told that the hold ran out: a rebuilt or left line is not told again.
    told_at: Mapped[dt.datetime | None]
    cancel_reason: Mapped[str] = mapped_column(default="")
    # Staff who booked in spite of a rule: which checks failed, why it was done, by whose account.
    # The waiting list: when the party joined, when its offer was made, and why it was passed over.
    waiting_since: Mapped[dt.datetime | None]
    offered_at: Mapped[dt.datetime | None]
    skipped_at: Mapped[dt.datetime | None]
    skip_reason: Mapped[str] = mapped_column(default="")
    # An offer of places that another booking gives up: they stay its own until this one accepts.
    offered_from_id: Mapped[str | None] = mapped_column(sa.ForeignKey("session_bookings.id"))
    # Places given up too late to cancel: still paid for and kept until somebody takes them.
    released_places: Mapped[int] = mapped_column(default=0)
    private_link_id: Mapped[str | None] = mapped_column(
        sa.ForeignKey("private_links.id"), index=True
    )
    # The version of its calendar entry and of the mails about it: raised by every change (E1, E3).
    sequence: Mapped[int] = mapped_column(default=0)
    # Finds the booking at the door and does nothing else: a ticket may be photographed.
    check_in_code: Mapped[str] = mapped_column(unique=True, default=new_check_in_code)
    overridden: Mapped[list[str]] = mapped_column(sa.JSON, default=list)
    override_reason: Mapped[str] = mapped_column(default="")
    booked_by_id: Mapped[str | None] = mapped_column(sa.String(24))
    # The version of the type's form that was agreed to at booking; None when nothing is asked.
    intake_form_id: Mapped[str | None] = mapped_column(sa.ForeignKey("intake_forms.id"))
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime]

    session: Mapped[Session] = relationship()
    private_link: Mapped[PrivateLink | None] = relationship()
    order: Mapped[Order] = relationship()
    order_item: Mapped[OrderItem] = relationship(back_populates="booking")
    customer: Mapped[Customer | None] = relationship()
    intake_form: Mapped[IntakeForm | None] = relationship()
    answers: Mapped[list[IntakeAnswer]] = relationship(order_by=IntakeAnswer.position)
    guests: Mapped[list["Guest"]] = relationship(
        order_by="Guest.position", cascade="all, delete-orphan"
    )


class Guest(Tenant, Base):
    """A named person of a booking; unnamed places have no row."""

    __tablename__ = "guests"
    __table_args__ = (sa.UniqueConstraint("session_booking_id", "position"),)

    id: Mapped[ObjectId]
    session_booking_id: Mapped[str] = mapped_column(sa.ForeignKey("session_bookings.id"))
    position: Mapped[int]
    name: Mapped[str]
    email: Mapped[str] = mapped_column(default="")
    # The unguessable part of this guest's own form link; None where nothing is asked of guests.
    form_secret: Mapped[str | None] = mapped_column(unique=True)


class LedgerEntry(Tenant, Base):
    """Append only; an order's balance is the sum of its entries (M1).

    The database itself refuses to change or delete one, and a refund above what was paid.
    """

    __tablename__ = "ledger_entries"
    __table_args__ = (
        one_of("kind", "charge", "payment", "refund", "adjustment"),
        sa.CheckConstraint(
            "(kind = 'payment' AND amount < 0) OR (kind IN ('charge', 'refund') AND amount > 0)"
            " OR (kind = 'adjustment' AND amount <> 0)",
            name="sign_of_kind",
        ),
        sa.CheckConstraint("refund_of_id IS NULL OR kind = 'refund'", name="only_refunds_go_back"),
        # Two taps at once charge one fee, and take it back once.
        sa.Index(
            "uq_ledger_entries_fee",
            "booking_id",
            "fee_number",
            unique=True,
            sqlite_where=sa.text("fee_number IS NOT NULL"),
            postgresql_where=sa.text("fee_number IS NOT NULL"),
        ),
        sa.Index(
            "uq_ledger_entries_reverses",
            "reverses_id",
            unique=True,
            sqlite_where=sa.text("reverses_id IS NOT NULL"),
            postgresql_where=sa.text("reverses_id IS NOT NULL"),
        ),
        sa.Index(
            "ix_ledger_entries_taken",
            "organisation_id",
            "created_at",
            sqlite_where=sa.text("kind IN ('payment', 'refund')"),
            postgresql_where=sa.text("kind IN ('payment', 'refund')"),
        ),
    )

    id: Mapped[ObjectId]
    order_id: Mapped[str] = mapped_column(sa.ForeignKey("orders.id"), index=True)
    kind: Mapped[str]
    amount: Mapped[Minor]
    currency: Mapped[str] = mapped_column(sa.String(3))
    # How it was paid, and goes back: a key of domain.ledger.METHODS; "comp" for what is waived.
    method: Mapped[str] = mapped_column(default="")
    # Why, or what staff noted with it; never a card's number.
    note: Mapped[str] = mapped_column(default="", server_default="")
    # The account of who wrote it at the desk; it may be gone.
    taken_by_id: Mapped[str | None] = mapped_column(sa.String(24))
    # The payment that a refund goes back to (M4).
    refund_of_id: Mapped[str | None] = mapped_column(sa.ForeignKey("ledger_entries.id"), index=True)
    # A fee for coming late or not at all: which ("late", "no_show"), of which booking, and its
    # how many-eth; what takes one back names its charge.
    fee: Mapped[str | None]
    booking_id: Mapped[str | None] = mapped_column(sa.ForeignKey("session_bookings.id"))
    fee_number: Mapped[int | None]
    reverses_id: Mapped[str | None] = mapped_column(sa.ForeignKey("ledger_entries.id"))
    created_at: Mapped[dt.datetime]


class IdempotencyKey(Tenant, Base):
    """The stored answer to a form that was sent, written with what it made (H6)."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (sa.UniqueConstraint("organisation_id", "key"),)

    id: Mapped[ObjectId]
    key: Mapped[str]
    body_hash: Mapped[str]
    answer: Mapped[str]
    created_at: Mapped[dt.datetime]
