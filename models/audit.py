"""The trail: who changed what, when, from where, and why; written by triggers (ADR 20)."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.acting import KINDS, read_fact, state
from models.base import Base, db, one_of

ACTS = ("made", "changed", "removed")
HIDDEN = "…"
"""Stands for a secret: that it changed is written, what it was is not."""


class AuditValues(Base):
    """What is personal about an entry: the only part of the trail that an erasure takes away."""

    __tablename__ = "audit_values"

    entry_id: Mapped[int] = mapped_column(
        sa.ForeignKey("audit_entries.id"), primary_key=True, autoincrement=False
    )
    organisation_id: Mapped[str | None] = mapped_column(
        sa.ForeignKey("organisations.id"), index=True
    )
    before: Mapped[dict[str, Any]]
    after: Mapped[dict[str, Any]]
    why: Mapped[str]


class AuditEntry(Base):
    """One row that was made, changed or removed; the database refuses to alter it afterwards."""

    __tablename__ = "audit_entries"
    __table_args__ = (
        one_of("actor_kind", *KINDS),
        one_of("act", *ACTS),
        sa.Index("ix_audit_entries_about", "about", "about_id", "id"),
        sa.Index("ix_audit_entries_organisation", "organisation_id", "id"),
        # What one deed changed: asked at its end, for webhooks.
        sa.Index("ix_audit_entries_deed", "deed_id", "organisation_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(
        sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
        sa.Identity(),
        primary_key=True,
    )
    # None for what belongs to no organisation: accounts.
    organisation_id: Mapped[str | None] = mapped_column(sa.ForeignKey("organisations.id"))
    # None for what belongs to all sites; no foreign key, an entry outlives what it tells of.
    site_id: Mapped[str | None] = mapped_column(sa.String(36))
    at: Mapped[dt.datetime]
    actor_kind: Mapped[str]
    actor_id: Mapped[str]
    # Staff as they were called then; of everybody else only the id is kept.
    actor_name: Mapped[str]
    # Through which endpoint, job or command.
    door: Mapped[str]
    address: Mapped[str]
    request_id: Mapped[str]
    # The same for everything that one transaction changed.
    deed_id: Mapped[str]
    act: Mapped[str]
    # On whose page it is read, and the row itself: a table's name and an id.
    about: Mapped[str]
    about_id: Mapped[str]
    subject: Mapped[str]
    subject_id: Mapped[str]
    # Of a change the columns that differ, of a removed row all of it; nothing personal.
    before: Mapped[dict[str, Any]]
    after: Mapped[dict[str, Any]]
    why: Mapped[str]

    values: Mapped[AuditValues | None] = relationship(viewonly=True)


@dataclass(frozen=True, slots=True)
class Spec:
    """How the trail writes one table.

    `skipped` columns are caches, marks and churn; `personal` ones go to `audit_values`; of
    `secret` ones only the change is written. `draft` is SQL about `{row}`: while it holds the row
    is not there yet. `quiet` is SQL under which no "made" is written. `about` is the thing on
    whose page the row is read, with the column that names it; `or_about` another one, for rows
    that hang on one of two. `links` marks a table that only ties two things: written as a change
    of the first. `of_person`: reasons given are personal. `key` is the column that names the row.
    Of a row that is made `told` is kept: what it was can't be read on it once it is gone.
    """

    skipped: tuple[str, ...] = ()
    personal: tuple[str, ...] = ()
    secret: tuple[str, ...] = ()
    draft: str = ""
    quiet: str = ""
    about: tuple[str, str] | None = None
    or_about: tuple[str, str] | None = None
    key: str = "id"
    told: tuple[str, ...] = ()
    links: str = ""
    of_person: bool = False
    made_only: bool = False
    organisation: str = "{row}.organisation_id"
    # Whose staff may read it, where the row names no site itself; NULL for the organisation's.
    site: str = ""


def _link(parent: str, column: str, other: str, site: str = "") -> Spec:
    return Spec(
        site=site,
        about=(parent, column),
        links=other,
        organisation=f"(SELECT organisation_id FROM {parent} WHERE id = {{row}}.{column})",
    )


_IN_BASKET = "EXISTS (SELECT 1 FROM orders WHERE id = {row}.order_id AND state = 'basket')"
_ON_HOLD = (
    "EXISTS (SELECT 1 FROM session_bookings WHERE id = {row}.session_booking_id AND status = 'new')"
)

_OF_BOOKING = "(SELECT site_id FROM session_bookings WHERE id = {row}.session_booking_id)"
_OF_NOBODY = "NULL"
_OF_ORDER = "(SELECT site_id FROM orders WHERE id = {row}.order_id)"
_OF_TYPE = "(SELECT site_id FROM session_types WHERE id = {row}.session_type_id)"
_OF_GROUP = (
    "(SELECT t.site_id FROM session_types AS t JOIN recurrence_groups AS g"
    " ON g.session_type_id = t.id WHERE g.id = {row}.recurrence_group_id)"
)

AUDITED: dict[str, Spec] = {
    "accounts": Spec(
        personal=("email", "email_key", "name"),
        secret=("password_hash", "session_token", "feed_key"),
        of_person=True,
        organisation=_OF_NOBODY,
    ),
    "api_token_grants": Spec(about=("api_tokens", "token_id"), told=("site_id", "right")),
    # Four letters of a secret are a part of it.
    "api_tokens": Spec(skipped=("last_used_at",), secret=("token_hash", "hint")),
    # Who took everything along, and when it was there to be fetched.
    "archives": Spec(
        skipped=("work_id", "attempt", "size", "rows", "digest", "expires_at"),
        about=("organisations", "organisation_id"),
    ),
    # An app that no code has confirmed opens nothing and guards nothing.
    "authenticators": Spec(
        skipped=("last_step",),
        secret=("sealed_key",),
        draft="{row}.confirmed_at IS NULL",
        about=("accounts", "account_id"),
        key="account_id",
        of_person=True,
        organisation=_OF_NOBODY,
    ),
    "categories": Spec(),
    "closed_days": Spec(about=("sites", "site_id")),
    # The keys follow from name and phone.
    "customers": Spec(
        skipped=("name_key", "phone_key"),
        personal=("name", "email", "email_key", "address_key", "phone"),
        of_person=True,
    ),
    "former_customers": Spec(
        personal=("email_key",), about=("customers", "customer_id"), of_person=True
    ),
    "guests": Spec(
        site=_OF_BOOKING,
        personal=("name", "email"),
        secret=("form_secret",),
        draft=_ON_HOLD,
        about=("session_bookings", "session_booking_id"),
        of_person=True,
    ),
    "intake_answers": Spec(
        site=_OF_BOOKING,
        skipped=("updated_at",),
        personal=("answers",),
        about=("session_bookings", "session_booking_id"),
        of_person=True,
    ),
    "intake_forms": Spec(site=_OF_TYPE, about=("session_types", "session_type_id")),
    # Used all day: what it shows, and when, is no change of it.
    "kiosks": Spec(
        skipped=("last_used_at", "showing_id", "showing_until"), secret=("secret_hash",)
    ),
    "ledger_entries": Spec(
        site=_OF_ORDER, about=("orders", "order_id"), made_only=True, of_person=True
    ),
    "letter_wordings": Spec(skipped=("revision", "updated_at"), about=("sites", "site_id")),
    "media": Spec(),
    "membership_types": Spec(),
    "memberships": Spec(about=("customers", "customer_id"), of_person=True),
    "notes": Spec(
        site=_OF_BOOKING,
        personal=("text",),
        about=("customers", "customer_id"),
        or_about=("session_bookings", "session_booking_id"),
        of_person=True,
    ),
    "order_items": Spec(
        site=_OF_ORDER, draft=_IN_BASKET, about=("orders", "order_id"), of_person=True
    ),
    # A basket is nobody's order yet: its story begins when it is sent. The sums are the ledger's.
    "orders": Spec(
        skipped=("held_by_id", "held_since", "charged", "adjusted", "balance"),
        personal=("name", "email", "typed"),
        secret=("secret",),
        draft="{row}.state = 'basket'",
        of_person=True,
    ),
    "organisations": Spec(organisation="{row}.id"),
    "passkeys": Spec(
        skipped=("sign_count", "last_used_at"),
        personal=("name",),
        secret=("credential_id", "public_key"),
        about=("accounts", "account_id"),
        of_person=True,
        organisation=_OF_NOBODY,
    ),
    "practitioner_sites": _link("practitioners", "practitioner_id", "site_id"),
    "practitioner_types": _link("practitioners", "practitioner_id", "session_type_id"),
    "practitioners": Spec(personal=("email",)),
    "price_rules": Spec(site=_OF_TYPE, about=("session_types", "session_type_id")),
    # Visits and uses are counted there; the bookings say who used it.
    "private_links": Spec(
        skipped=("first_seen_at", "uses", "places_kept"), personal=("name",), secret=("key",)
    ),
    "recurrence_groups": Spec(
        site=_OF_TYPE,
    ),
    "recurrence_start_times": Spec(
        site=_OF_GROUP, about=("recurrence_groups", "recurrence_group_id")
    ),
    "recovery_codes": Spec(
        secret=("code_hash",),
        about=("accounts", "account_id"),
        of_person=True,
        organisation=_OF_NOBODY,
    ),
    "rooms": Spec(),
    # A hold is a booking that is not made yet, but who waits is known, also while an offer holds
    # places. The version only follows the changes, and the fee repeats the ledger.
    "session_bookings": Spec(
        skipped=("updated_at", "sequence", "told_at", "fee"),
        personal=("cancel_reason", "skip_reason", "override_reason"),
        secret=("check_in_code",),
        draft="{row}.status = 'new' AND {row}.waiting_since IS NULL",
        told=("status",),
        of_person=True,
    ),
    "session_type_categories": _link(
        "session_types", "session_type_id", "category_id", site=_OF_TYPE
    ),
    "session_types": Spec(skipped=("revision", "updated_at"), secret=("link_key",)),
    # The counters repeat what bookings and links say. What a series makes is told by the series,
    # which is in the trail: a line for each of its thousand sessions would say nothing more.
    # Why one was cancelled may name who asked for it.
    "sessions": Spec(
        skipped=("places_taken", "parties_taken", "places_kept", "updated_at"),
        personal=("cancel_reason",),
        of_person=True,
        quiet="{row}.recurrence_group_id IS NOT NULL",
    ),
    "sites": Spec(site="{row}.id", skipped=("revision",)),
    "staff_grants": Spec(about=("accounts", "account_id"), told=("site_id", "right")),
    # Rights at several sites may be in it: it is the organisation's.
    "staff_invitations": Spec(
        site=_OF_NOBODY, personal=("email", "email_key", "name", "title"), of_person=True
    ),
    "time_off": Spec(personal=("reason",), about=("practitioners", "practitioner_id")),
    # Who is sent what; that sending fails, and since when, stands in the log of deliveries.
    "webhooks": Spec(
        skipped=("failing_since", "failures", "older_until"),
        secret=("sealed_secret", "sealed_older"),
    ),
    "zones": Spec(),
}

NOT_AUDITED: dict[str, str] = {
    "account_links": "proves an address once; what it opened is written on the account",
    "archive_parts": "the bytes of an archive, which is in the trail",
    "audit_entries": "is the trail",
    "audit_values": "is the trail",
    "finding_words": "a cache: the words of names that are in the trail",
    "idempotency_keys": "the answer to a form that was sent; its deed is in the trail",
    "jobs": "the outbox keeps its own account of what was sent, tried and failed",
    "long_works": "names who began it and how far it is; what it changes is in the trail",
    "media_files": "a picture's pixels, written once with the picture, which is in the trail",
    "sign_in_tries": "counts who failed to sign in, as a hash, for some minutes",
    "sign_ins": "is itself the list of who was signed in where, from when until when",
    "spent_challenges": "random numbers that a passkey answered, kept for some minutes",
    "webhook_deliveries": "is itself the log of what was sent where, and what was answered",
}


def erasing() -> None:
    """What is personal may leave the trail until the transaction ends, and nothing enters.

    Only for the erasure of a person: it must leave no trace of them.
    """
    state("erasing", 1)
    if db.session.connection().dialect.name == "postgresql":
        db.session.execute(sa.text("SELECT set_config('sundial.erasing', 'yes', true)"))


@contextmanager
def taking_in() -> Iterator[None]:
    """Rows that are made in the block bring their own history: nothing is written about them.

    Only for an archive that is taken in. What guards the trail itself stays as it is, and the
    transaction that fails in here is not one to go on with.
    """
    _set_importing(is_on=True)
    yield
    _set_importing(is_on=False)


def _set_importing(*, is_on: bool) -> None:
    state("importing", int(is_on))
    if db.session.connection().dialect.name == "postgresql":
        value = "yes" if is_on else "no"
        db.session.execute(
            sa.text("SELECT set_config('sundial.importing', :value, true)"), {"value": value}
        )


def write_arrival(organisation_id: str, why: str, *, now: dt.datetime) -> None:
    """The one entry of a whole organisation that was taken in: who did it, and from what."""
    facts = {
        "actor_kind": "kind",
        "actor_id": "id",
        "actor_name": "name",
        "door": "door",
        "address": "address",
        "request_id": "request",
        "deed_id": "deed",
    }
    db.session.add(
        AuditEntry(
            organisation_id=organisation_id,
            at=now,
            act="made",
            about="organisations",
            about_id=organisation_id,
            subject="organisations",
            subject_id=organisation_id,
            before={},
            after={},
            why=why,
            **{name: read_fact(fact) or "" for name, fact in facts.items()},
        )
    )
    db.session.flush()
