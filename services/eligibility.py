"""Why somebody can or can't book: every check as the shop would answer it (R20)."""

import datetime as dt
from collections.abc import Set
from dataclasses import dataclass, replace

import sqlalchemy as sa

from domain.eligibility import Check, Party, Slot, Viewer, can_book, price_for
from domain.errors import NotFound
from domain.local_time import to_local
from domain.overrides import may_override, name_of, right_to_override
from domain.pricing import Price
from models import Customer, Session, SessionBooking, SessionType, Site, db
from services.accounts import viewer_of
from services.customers import find_customer
from services.facts import Venue, membership_of, offer_of, slot_of, venue_of
from services.lines import load_session
from services.persons import ask_member_limit, list_memberships, list_person
from services.places import HOLDING


@dataclass(frozen=True, slots=True)
class Finding:
    """One check as staff read it; `changes_at` is the site's wall time."""

    code: str
    name: str
    passed: bool
    sentence: str
    changes_at: dt.datetime | None
    needs: str | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the shop says to one person about one session at one moment."""

    session_id: str
    session_type_id: str
    type_name: str
    local_start: dt.datetime
    start_time: dt.datetime
    person: str
    has_account: bool
    findings: tuple[Finding, ...]
    price: Price
    desk_price: Price
    currency: str

    @property
    def failed(self) -> tuple[str, ...]:
        """The codes of the checks that failed, in their order."""
        return tuple(finding.code for finding in self.findings if not finding.passed)

    def may_be_overridden(self, rights: Set[str]) -> bool:
        """Whether staff with these rights may book all the same."""
        return self.desk_price.amount is not None and may_override(self.failed, rights)


@dataclass(frozen=True, slots=True)
class Choice:
    """A type or a session to ask about."""

    id: str
    name: str
    local_start: dt.datetime | None = None
    is_gone: bool = False
    left: int = 0


def explain(
    organisation_id: str,
    site_id: str,
    *,
    session_id: str,
    customer_id: str | None,
    guests: int,
    at: dt.datetime,
    came_by_link: bool = False,
    present: dt.datetime | None = None,
) -> Explanation:
    """Every check of the session for this customer, None for a visitor, asked at `at` (R20).

    Places and parties are those of `present` (now, unless given), holds that have run out left
    out as the shop would. Raises NotFound for what is another site's or organisation's (D1).
    """
    row, venue = find_session(organisation_id, site_id, session_id)
    customer = find_customer(organisation_id, customer_id) if customer_id else None
    viewer = shop_viewer(customer, organisation_id, at, came_by_link=came_by_link)
    offer, slot = offer_of(row.session_type, venue), _without_expired(row, present or at)
    checks = can_book(offer, slot, Party(guests=guests), viewer, at)
    if customer is not None and not viewer.is_signed_in:
        # Confirming counts the person, known by the address alone, as a member too.
        limit, _ = ask_member_limit(customer, list_person(customer), offer, slot, at)
        checks = [limit if check.code == limit.code else check for check in checks]
    return Explanation(
        session_id=row.id,
        session_type_id=row.session_type_id,
        type_name=row.session_type_name,
        local_start=row.local_start,
        start_time=row.start_time,
        person=customer.name if customer else "",
        has_account=viewer.is_signed_in,
        findings=tuple(_finding(check, venue) for check in checks),
        price=price_for(offer, slot, viewer),
        desk_price=price_for(offer, slot, desk_viewer(customer)),
        currency=offer.currency,
    )


def find_session(organisation_id: str, site_id: str, session_id: str) -> tuple[Session, Venue]:
    """The session at this site with its type and rules; raises NotFound for another site's (D1)."""
    row = load_session(organisation_id, session_id)
    site = db.session.scalar(
        sa.select(Site).where(Site.organisation_id == organisation_id, Site.id == row.site_id)
    )
    if site is None or site.id != site_id:
        raise NotFound("We couldn't find that session.")
    return row, venue_of(site)


def shop_viewer(
    customer: Customer | None, organisation_id: str, at: dt.datetime, *, came_by_link: bool = False
) -> Viewer:
    """Whom the shop would meet: without an account nobody can sign in, so a visitor."""
    viewer = viewer_of(organisation_id, customer.account_id if customer else None, now=at)
    return replace(viewer, came_by_link=came_by_link)


def desk_viewer(customer: Customer | None) -> Viewer:
    """The customer as the desk books for them: bound by places only, at their own price (R20)."""
    if customer is None:
        return Viewer(is_staff=True)
    held = list_memberships(customer.organisation_id, [customer.id])
    return Viewer(is_staff=True, memberships=tuple(membership_of(row) for row in held))


def list_types_to_ask(organisation_id: str, site_id: str) -> list[Choice]:
    """The site's session types by name, archived ones last."""
    rows = db.session.execute(
        sa.select(SessionType.id, SessionType.name, SessionType.deleted_at).where(
            SessionType.organisation_id == organisation_id, SessionType.site_id == site_id
        )
    )
    choices = [Choice(row[0], row[1], is_gone=row[2] is not None) for row in rows]
    return sorted(choices, key=lambda one: (one.is_gone, one.name.casefold(), one.id))


def list_sessions_to_ask(
    organisation_id: str, site_id: str, session_type_id: str, day: dt.date
) -> list[Choice]:
    """The type's sessions on the site's `day`, cancelled ones too: that is an answer as well."""
    first = dt.datetime.combine(day, dt.time())
    rows = db.session.execute(
        sa.select(
            Session.id,
            Session.session_type_name,
            Session.local_start,
            Session.deleted_at,
            Session.capacity - Session.places_taken,
        )
        .where(
            Session.organisation_id == organisation_id,
            Session.site_id == site_id,
            Session.session_type_id == session_type_id,
            Session.local_start >= first,
            Session.local_start < first + dt.timedelta(days=1),
        )
        .order_by(Session.local_start, Session.id)
    )
    return [Choice(row[0], row[1], row[2], row[3] is not None, row[4]) for row in rows]


def _finding(check: Check, venue: Venue) -> Finding:
    return Finding(
        code=check.code,
        name=name_of(check.code),
        passed=check.passed,
        sentence="" if check.passed else check.sentence,
        changes_at=to_local(check.changes_at, venue.zone) if check.changes_at else None,
        needs=right_to_override(check.code),
    )


def _without_expired(row: Session, now: dt.datetime) -> Slot:
    """The session as a hold would find it: places of holds that have run out are given back."""
    places, parties = db.session.execute(
        sa.select(sa.func.coalesce(sa.func.sum(SessionBooking.places), 0), sa.func.count()).where(
            SessionBooking.organisation_id == row.organisation_id,
            SessionBooking.session_id == row.id,
            SessionBooking.status.in_(HOLDING),
            SessionBooking.cancelled_at.is_(None),
            SessionBooking.expires_at <= now,
        )
    ).one()
    slot = slot_of(row)
    return replace(
        slot,
        places_taken=slot.places_taken - int(places),
        parties_taken=slot.parties_taken - parties,
    )
