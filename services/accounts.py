"""Accounts, their passwords, and what they may see and do in an organisation."""

import datetime as dt
import secrets
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, replace

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from domain.eligibility import Viewer
from domain.errors import NotAllowed, NotFound
from domain.words import join_names
from models import (
    Account,
    Customer,
    Membership,
    Organisation,
    Session,
    SessionBooking,
    Site,
    StaffGrant,
    db,
    unbound,
)
from services.facts import Venue, membership_of, venue_of
from services.persons import rows_of_account
from services.staff_rights import list_givers, say_missing

_HASHER = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
# Checked when the address is unknown, so that both refusals take the same time.
_NOBODY = _HASHER.hash(secrets.token_hex(16))

ANYWHERE = unbound("an account is one person's sign-in for the whole installation")


@dataclass(frozen=True, slots=True)
class Desk:
    """A site that staff may work at, with their rights there."""

    venue: Venue
    rights: frozenset[str]
    title: str
    is_only_one: bool = True
    asks_second_factor: bool = False


@dataclass(frozen=True, slots=True)
class Identity:
    """What a browser must know to be signed in; `session_token` changes to sign out everywhere."""

    id: str
    session_token: str
    name: str
    email: str


def identity_of(account: Account) -> Identity:
    """The values of an account row."""
    return Identity(account.id, account.session_token, account.name, account.email)


def fresh_token() -> str:
    """A new session token: giving it to an account signs out all its browsers."""
    return secrets.token_urlsafe(16)


def lock_account(account_id: str) -> Account:
    """The account for a change; raises NotFound when it is gone."""
    account = db.session.scalar(
        sa.select(Account)
        .where(Account.id == account_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if account is None:
        raise NotFound("That account is closed.")
    return account


def hash_password(password: str) -> str:
    """An argon2id hash; two ways to write one letter are one password."""
    return _HASHER.hash(unicodedata.normalize("NFC", password))


def find_account(account_id: str) -> Account | None:
    """The account of a sign-in cookie, None when it is gone."""
    return db.session.get(Account, account_id)


def is_password(account: Account | None, password: str) -> bool:
    """Whether it opens the account; takes as long when there is no account or no password."""
    known = account.password_hash if account else None
    try:
        _HASHER.verify(known or _NOBODY, unicodedata.normalize("NFC", password))
    except (VerifyMismatchError, InvalidHashError):
        return False
    return known is not None


def viewer_of(organisation_id: str, account_id: str | None, *, now: dt.datetime) -> Viewer:
    """Who is looking at this organisation's shop, with the memberships they hold there."""
    if account_id is None:
        return Viewer()
    rows = db.session.scalars(
        sa.select(Membership)
        .join(Customer, Membership.customer_id == Customer.id)
        .where(
            Membership.organisation_id == organisation_id,
            Membership.state == "active",
            Customer.account_id == account_id,
        )
        .order_by(Membership.id)
    )
    booked = db.session.execute(
        sa.select(SessionBooking.session_id, sa.func.count())
        .join(Customer, SessionBooking.customer_id == Customer.id)
        .join(SessionBooking.session)
        .where(
            SessionBooking.organisation_id == organisation_id,
            rows_of_account(organisation_id, account_id),
            SessionBooking.status == "confirmed",
            SessionBooking.cancelled_at.is_(None),
            Session.start_time > now,
        )
        .group_by(SessionBooking.session_id)
    )
    return Viewer(
        is_signed_in=True,
        memberships=tuple(membership_of(row) for row in rows),
        booked_on={row[0]: row[1] for row in booked},
    )


def list_desks(account_id: str) -> list[Desk]:
    """The sites at which this account has rights, in order of name."""
    grants = db.session.scalars(
        sa.select(StaffGrant).where(StaffGrant.account_id == account_id),
        execution_options=ANYWHERE,
    ).all()
    if not grants:
        return []
    sites = db.session.execute(
        sa.select(Site, Organisation.staff_second_factor)
        .join(Organisation, Organisation.id == Site.organisation_id)
        .where(Site.organisation_id.in_({grant.organisation_id for grant in grants}))
        .order_by(Site.name, Site.place)
    )
    desks = []
    for site, asks in sites:
        held = [
            grant
            for grant in grants
            if grant.organisation_id == site.organisation_id and grant.site_id in (None, site.id)
        ]
        if held:
            rights = frozenset(grant.right for grant in held)
            desks.append(Desk(venue_of(site), rights, held[0].title, asks_second_factor=bool(asks)))
    return desks


def find_desk(account_id: str, site_slug: str, *rights: str) -> Desk:
    """The desk at a site, for whoever holds one of the rights there.

    Another organisation's is NotFound, a missing right NotAllowed (R1).
    """
    desks = list_desks(account_id)
    desk = next((desk for desk in desks if desk.venue.slug == site_slug), None)
    if desk is None:
        organisations = {desk.venue.organisation_id for desk in desks}
        own = db.session.scalar(
            sa.select(Site).where(Site.organisation_id.in_(organisations), Site.slug == site_slug)
        )
        if own is not None:
            raise NotAllowed(say_who_gives(venue_of(own), rights))
        raise NotFound("We couldn't find that venue.")
    if desk.rights.isdisjoint(rights):
        raise NotAllowed(say_who_gives(desk.venue, rights))
    return replace(desk, is_only_one=len(desks) == 1)


def say_who_gives(venue: Venue, rights: Collection[str]) -> str:
    """Which right is missing at a site, and who can give it."""
    givers = list_givers(venue.organisation_id, venue.id, rights)
    ask = join_names(givers, most=3) if givers else "the owner"
    return (
        f"This page needs the right {say_missing(rights)} at {venue.full_name}, "
        f"which your account doesn't have. You can ask {ask} for it."
    )
