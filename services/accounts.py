"""Signing in, and what an account may see and do in an organisation."""

import datetime as dt
import secrets
from dataclasses import dataclass, replace

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy.orm import contains_eager, joinedload

from domain.eligibility import Viewer
from domain.errors import NotAllowed, NotFound, SignInFailed
from domain.people import email_key
from models import (
    Account,
    Customer,
    Membership,
    Order,
    Session,
    SessionBooking,
    Site,
    StaffGrant,
    db,
    unbound,
)
from services.facts import Venue, membership_of, venue_of
from services.persons import rows_of_account

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


def hash_password(password: str) -> str:
    """An argon2id hash."""
    return _HASHER.hash(password)


def find_account(account_id: str) -> Account | None:
    """The account of a sign-in cookie, None when it is gone."""
    return db.session.get(Account, account_id)


def check_sign_in(email: str, password: str) -> Account:
    """The account that these belong to; raises SignInFailed without saying which was wrong."""
    account = db.session.scalar(sa.select(Account).where(Account.email_key == email_key(email)))
    try:
        _HASHER.verify(
            account.password_hash if account and account.password_hash else _NOBODY, password
        )
    except (VerifyMismatchError, InvalidHashError) as error:
        raise SignInFailed from error
    if account is None:
        raise SignInFailed
    return account


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
    sites = db.session.scalars(
        sa.select(Site)
        .where(Site.organisation_id.in_({grant.organisation_id for grant in grants}))
        .order_by(Site.name, Site.place)
    )
    desks = []
    for site in sites:
        held = [
            grant
            for grant in grants
            if grant.organisation_id == site.organisation_id and grant.site_id in (None, site.id)
        ]
        if held:
            rights = frozenset(grant.right for grant in held)
            desks.append(Desk(venue_of(site), rights, held[0].title))
    return desks


def find_desk(account_id: str, site_slug: str, right: str) -> Desk:
    """The desk at a site; another organisation's is NotFound, a missing right NotAllowed (R1)."""
    desks = list_desks(account_id)
    desk = next((desk for desk in desks if desk.venue.slug == site_slug), None)
    if desk is None:
        organisations = {desk.venue.organisation_id for desk in desks}
        own = db.session.scalar(
            sa.select(Site.id).where(
                Site.organisation_id.in_(organisations), Site.slug == site_slug
            )
        )
        if own is not None:
            raise NotAllowed
        raise NotFound("We couldn't find that venue.")
    if right not in desk.rights:
        raise NotAllowed
    return replace(desk, is_only_one=len(desks) == 1)


def list_own_bookings(account_id: str, *, now: dt.datetime) -> list[SessionBooking]:
    """A signed-in person's confirmed bookings in every organisation, soonest first."""
    return list(
        db.session.scalars(
            sa.select(SessionBooking)
            .join(Customer, SessionBooking.customer_id == Customer.id)
            .join(SessionBooking.session)
            .where(
                Customer.account_id == account_id,
                SessionBooking.status == "confirmed",
                SessionBooking.cancelled_at.is_(None),
            )
            .options(
                contains_eager(SessionBooking.session),
                joinedload(SessionBooking.order).joinedload(Order.site),
            )
            .order_by(SessionBooking.id),
            execution_options=ANYWHERE,
        )
    )
