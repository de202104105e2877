"""Private addresses: who comes by them, and how staff make, revoke and renew them (D2, R30)."""

import datetime as dt
import hmac
import secrets
import string
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from domain.errors import NotFound, RuleBroken
from domain.people import MAX_NAME, check_email, check_name, email_key
from domain.private_links import (
    LinkState,
    check_expiry,
    check_max_uses,
    check_places_kept,
    link_state,
)
from models import (
    Customer,
    PrivateLink,
    Session,
    SessionBooking,
    SessionType,
    Site,
    db,
    new_object_id,
    transaction,
    unbound,
)
from services.checkout import find_or_add_customer
from services.idempotency import once
from services.link_places import Way, terms_of
from services.places import HOLDING, lock_sessions, raise_revision
from services.timetable import WHOLE_TYPE, PageKey, Scope
from services.waiting import wake

BY_KEY = unbound("a private address is its own key, and says which organisation it is of")

SHOWN = ("public", "link_only")
"""Visibilities that a private link opens; `private` types answer 404 by any address (R30)."""

_LETTERS = string.ascii_letters + string.digits
_KEY_LENGTH = 22
_MOST_PARTS = 60


@dataclass(frozen=True, slots=True)
class Door:
    """What a private address opens: a type by its own address, or a private link of its own."""

    key: PageKey
    address: str
    way: Way
    scope: Scope = WHOLE_TYPE
    state: LinkState = "live"
    price: int | None = None
    expires_at: dt.datetime | None = None
    max_uses: int | None = None
    is_for_one: bool = False
    is_seen: bool = True
    session_start: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A private link as staff see it."""

    id: str
    name: str
    address: str
    type_name: str
    session_start: dt.datetime | None
    customer: str
    price: int | None
    currency: str
    expires_at: dt.datetime | None
    max_uses: int | None
    uses: int
    places_kept: int
    first_seen_at: dt.datetime | None
    state: LinkState
    is_offered: bool


@dataclass(frozen=True, slots=True)
class TypeRow:
    """A type that private links can be made for; link-only ones have an address of their own."""

    id: str
    name: str
    address: str
    is_link_only: bool
    currency: str


@dataclass(frozen=True, slots=True)
class NewLink:
    """What staff typed of a new link; the session by its local start."""

    type_id: str
    name: str = ""
    local_start: dt.datetime | None = None
    email: str = ""
    price: int | None = None
    expires_at: dt.datetime | None = None
    max_uses: int | None = None
    places_kept: int = 0


def new_key() -> str:
    """The part of a private address that nobody guesses (131 bits), without hyphens."""
    return "".join(secrets.choice(_LETTERS) for _ in range(_KEY_LENGTH))


def find_door(site_slug: str, address: str, now: dt.datetime) -> Door:
    """What `slug-key` opens at this site, dead links too; every other address is NotFound (D2)."""
    parts = address.split("-") if len(address) <= 300 else []
    keys = ["-".join(parts[n:]) for n in range(1, min(len(parts), _MOST_PARTS))]
    if keys:
        for door in (_door_of_type(site_slug, keys, address), _door(site_slug, keys, address, now)):
            if door is not None:
                return door
    raise NotFound("This private link doesn't lead anywhere.")


def note_seen(door: Door, now: dt.datetime) -> None:
    """The page of a link was opened in a browser; the first time is kept."""
    if not door.way.link_id:
        return
    with transaction():
        db.session.execute(
            sa.update(PrivateLink)
            .where(
                PrivateLink.organisation_id == door.key.organisation_id,
                PrivateLink.id == door.way.link_id,
                PrivateLink.first_seen_at.is_(None),
            )
            .values(first_seen_at=now),
            execution_options={"synchronize_session": False},
        )


def list_links(organisation_id: str, site_id: str, now: dt.datetime) -> list[LinkRow]:
    """A site's private links, the newest first."""
    rows = db.session.scalars(
        _of_site(organisation_id, site_id).order_by(
            PrivateLink.created_at.desc(), PrivateLink.id.desc()
        )
    )
    return [_row(link, now) for link in rows]


def find_link(organisation_id: str, site_id: str, link_id: str, now: dt.datetime) -> LinkRow:
    """One of them; raises NotFound."""
    link = db.session.scalar(_of_site(organisation_id, site_id).where(PrivateLink.id == link_id))
    if link is None:
        raise NotFound("We couldn't find that link.")
    return _row(link, now)


def list_link_types(organisation_id: str, site_id: str) -> list[TypeRow]:
    """The types that private links work for, in shop order (R30)."""
    rows = db.session.scalars(
        _types(organisation_id, site_id).order_by(
            SessionType.position, SessionType.name, SessionType.id
        )
    )
    return [_type_row(row) for row in rows]


def make_link(
    organisation_id: str,
    site_id: str,
    wanted: NewLink,
    *,
    by: str,
    key: str = "",
    now: dt.datetime,
) -> str:
    """Make a private link, keeping its places in the same transaction; its id.

    Raises RuleBroken with the field at fault, NotFound for another venue's type.
    """
    name = check_name(wanted.name, who="whom or what the link is for")
    check_expiry(wanted.expires_at, now)
    check_max_uses(wanted.max_uses)
    check_places_kept(wanted.places_kept, has_session=wanted.local_start is not None)
    body = {"type": wanted.type_id, "name": name, "email": wanted.email, "rest": repr(wanted)}

    def deed() -> str:
        kind = db.session.scalar(
            _types(organisation_id, site_id).where(SessionType.id == wanted.type_id)
        )
        if kind is None:
            raise NotFound("We couldn't find that session type.")
        session_id = _session_at(kind, wanted.local_start, now)
        customer = _customer(organisation_id, wanted.email, name, now)
        if session_id and wanted.places_kept:
            _keep_places(organisation_id, session_id, wanted.places_kept)
        link = PrivateLink(
            id=new_object_id(),
            organisation_id=organisation_id,
            site_id=site_id,
            session_type_id=kind.id,
            session_id=session_id,
            customer_id=customer.id if customer else None,
            key=new_key(),
            name=name[:MAX_NAME],
            price=wanted.price,
            expires_at=wanted.expires_at,
            max_uses=wanted.max_uses,
            places_kept=wanted.places_kept,
            created_by_id=by,
            created_at=now,
        )
        db.session.add(link)
        db.session.flush()
        raise_revision(organisation_id, [kind.id])
        return link.id

    return once(organisation_id, key, body, deed, now)


def revoke_link(organisation_id: str, site_id: str, link_id: str, *, now: dt.datetime) -> None:
    """The address is dead from now on, and what was kept for it goes back on sale (H10).

    Bookings made with it stay, and a hold begun in time may be confirmed. Repeating changes
    nothing. Raises NotFound.
    """
    with transaction():
        link = db.session.scalar(
            _of_site(organisation_id, site_id).where(PrivateLink.id == link_id)
        )
        if link is None:
            raise NotFound("We couldn't find that link.")
        type_id, session_id = link.session_type_id, link.session_id
        if session_id:
            lock_sessions(organisation_id, [session_id])
        _write(organisation_id, link_id, PrivateLink.revoked_at.is_(None), revoked_at=now)
        if session_id:
            _put_back_on_sale(organisation_id, session_id, link_id, now)
        raise_revision(organisation_id, [type_id])


def end_links_of(
    organisation_id: str, customer_ids: Collection[str], *, now: dt.datetime
) -> set[str]:
    """Revoke and unname what was made for these customers; the types whose pages change.

    In the caller's transaction, with the links' sessions locked.
    """
    links = db.session.scalars(
        sa.select(PrivateLink)
        .where(
            PrivateLink.organisation_id == organisation_id,
            PrivateLink.customer_id.in_(list(customer_ids)),
        )
        .order_by(PrivateLink.id)
    ).all()
    for link in links:
        _write(organisation_id, link.id, name="")
        _write(organisation_id, link.id, PrivateLink.revoked_at.is_(None), revoked_at=now)
        if link.session_id:
            _put_back_on_sale(organisation_id, link.session_id, link.id, now)
        db.session.expire(link)
    return {link.session_type_id for link in links}


def renew_address(organisation_id: str, site_id: str, type_id: str) -> None:
    """A link-only type gets another address; the old one is dead at once. Raises NotFound."""
    with transaction():
        kind = db.session.scalar(
            _types(organisation_id, site_id).where(
                SessionType.id == type_id, SessionType.visibility == "link_only"
            )
        )
        if kind is None:
            raise NotFound("We couldn't find that session type.")
        db.session.execute(
            sa.update(SessionType)
            .where(SessionType.organisation_id == organisation_id, SessionType.id == type_id)
            .values(link_key=new_key(), revision=SessionType.revision + 1),
            execution_options={"synchronize_session": False},
        )


def release_kept_places(now: dt.datetime, *, most: int = 200) -> int:
    """The worker's round: what is kept for links that have ended goes back on sale; links ended.

    A link that was used up by bookings keeps nothing either; while a hold may still end, it does.
    """
    links = db.session.execute(
        sa.select(
            PrivateLink.organisation_id,
            PrivateLink.session_id,
            PrivateLink.session_type_id,
            PrivateLink.id,
        )
        .where(
            PrivateLink.places_kept > 0, PrivateLink.session_id.is_not(None), _keeps_nothing(now)
        )
        .order_by(PrivateLink.id)
        .limit(most),
        execution_options=unbound("the worker ends links of every organisation"),
    ).all()
    db.session.rollback()
    for organisation_id, session_id, type_id, link_id in links:
        with transaction():
            lock_sessions(organisation_id, [str(session_id)])
            if _put_back_on_sale(organisation_id, str(session_id), link_id, now):
                raise_revision(organisation_id, [type_id])
    return len(links)


def _door_of_type(site_slug: str, keys: Sequence[str], address: str) -> Door | None:
    rows = db.session.execute(
        sa.select(Site, SessionType)
        .join(SessionType, SessionType.site_id == Site.id)
        .where(
            *_opens(site_slug),
            SessionType.visibility == "link_only",
            SessionType.link_key.in_(keys),
        ),
        execution_options=BY_KEY,
    )
    for site, kind in rows:
        if _is_address(kind.slug, kind.link_key, address):
            return Door(_page_key(site, kind), address, Way(type_key=kind.link_key))
    return None


def _door(site_slug: str, keys: Sequence[str], address: str, now: dt.datetime) -> Door | None:
    rows = db.session.execute(
        sa.select(Site, SessionType, PrivateLink)
        .join(SessionType, SessionType.site_id == Site.id)
        .join(PrivateLink, PrivateLink.session_type_id == SessionType.id)
        .where(
            *_opens(site_slug),
            SessionType.visibility.in_(SHOWN),
            PrivateLink.key.in_(keys),
        )
        .options(joinedload(PrivateLink.session))
        .execution_options(populate_existing=True),
        execution_options=BY_KEY,
    )
    for site, kind, link in rows:
        if _is_address(kind.slug, link.key, address):
            return Door(
                _page_key(site, kind),
                address,
                Way(link_id=link.id),
                Scope(link.session_id, link.places_kept, waits=kind.visibility == "public"),
                link_state(terms_of(link), now),
                link.price,
                link.expires_at,
                link.max_uses,
                link.customer_id is not None,
                link.first_seen_at is not None,
                link.session.local_start if link.session else None,
            )
    return None


def _opens(site_slug: str) -> tuple[Any, ...]:
    return (
        Site.slug == site_slug,
        Site.is_public,
        SessionType.offered_online,
        SessionType.deleted_at.is_(None),
    )


def _is_address(slug: str, key: str, address: str) -> bool:
    return hmac.compare_digest(f"{slug}-{key}".encode(), address.encode())


def _page_key(site: Site, kind: SessionType) -> PageKey:
    return PageKey(site.id, site.revision, site.organisation_id, kind.id, kind.revision)


def _of_site(organisation_id: str, site_id: str) -> sa.Select[PrivateLink]:
    return (
        sa.select(PrivateLink)
        .where(PrivateLink.organisation_id == organisation_id, PrivateLink.site_id == site_id)
        .options(
            joinedload(PrivateLink.session_type),
            joinedload(PrivateLink.session),
            joinedload(PrivateLink.customer),
        )
        .execution_options(populate_existing=True)
    )


def _types(organisation_id: str, site_id: str) -> sa.Select[SessionType]:
    return (
        sa.select(SessionType)
        .where(
            SessionType.organisation_id == organisation_id,
            SessionType.site_id == site_id,
            SessionType.visibility.in_(SHOWN),
            SessionType.offered_online,
            SessionType.deleted_at.is_(None),
        )
        .execution_options(populate_existing=True)
    )


def _row(link: PrivateLink, now: dt.datetime) -> LinkRow:
    kind = link.session_type
    return LinkRow(
        id=link.id,
        name=link.name,
        address=f"{kind.slug}-{link.key}",
        type_name=kind.name,
        session_start=link.session.local_start if link.session else None,
        customer=(link.customer.email or link.customer.name) if link.customer else "",
        price=link.price,
        currency=kind.currency,
        expires_at=link.expires_at,
        max_uses=link.max_uses,
        uses=link.uses,
        places_kept=link.places_kept,
        first_seen_at=link.first_seen_at,
        state=link_state(terms_of(link), now),
        is_offered=kind.visibility in SHOWN and kind.offered_online and kind.deleted_at is None,
    )


def _type_row(kind: SessionType) -> TypeRow:
    is_link_only = kind.visibility == "link_only"
    address = f"{kind.slug}-{kind.link_key}" if is_link_only else ""
    return TypeRow(kind.id, kind.name, address, is_link_only, kind.currency)


def _session_at(kind: SessionType, local_start: dt.datetime | None, now: dt.datetime) -> str | None:
    """The id of the type's session that starts then, locked; RuleBroken when there is none."""
    if local_start is None:
        return None
    found = db.session.scalars(
        sa.select(Session)
        .where(
            Session.organisation_id == kind.organisation_id,
            Session.session_type_id == kind.id,
            Session.local_start == local_start,
            Session.deleted_at.is_(None),
        )
        .order_by(Session.id)
    ).first()
    if found is None:
        raise RuleBroken(_no_session(kind, local_start.date()), code="no_session", field="time")
    if found.start_time <= now:
        raise RuleBroken("That session has started.", code="started", field="time")
    lock_sessions(kind.organisation_id, [found.id])
    return found.id


def _no_session(kind: SessionType, day: dt.date) -> str:
    first = dt.datetime.combine(day, dt.time())
    starts = db.session.scalars(
        sa.select(Session.local_start)
        .where(
            Session.organisation_id == kind.organisation_id,
            Session.session_type_id == kind.id,
            Session.local_start >= first,
            Session.local_start < first + dt.timedelta(days=1),
            Session.deleted_at.is_(None),
        )
        .order_by(Session.local_start)
    ).all()
    times = ", ".join(f"{start:%H:%M}" for start in starts)
    if not times:
        return f"{kind.name} has no session on that day."
    return f"{kind.name} starts at {times} on that day."


def _customer(organisation_id: str, email: str, name: str, now: dt.datetime) -> Customer | None:
    """Whom the link is for, None for its bearer; an address not known yet becomes a customer."""
    if not email.strip():
        return None
    address = check_email(email, field="email")
    found = db.session.scalars(
        sa.select(Customer)
        .where(
            Customer.organisation_id == organisation_id,
            Customer.address_key == email_key(address),
        )
        .order_by(Customer.account_id.is_(None), Customer.id)
        .with_for_update(read=True, key_share=True)
    ).first()
    return found or find_or_add_customer(organisation_id, name, address, None, now)


def _keep_places(organisation_id: str, session_id: str, places: int) -> None:
    """Take places off sale for a new link, in one statement; RuleBroken when they aren't free."""
    result: Any = db.session.execute(
        sa.update(Session)
        .where(
            Session.organisation_id == organisation_id,
            Session.id == session_id,
            Session.places_taken + Session.places_kept + places <= Session.capacity,
        )
        .values(places_kept=Session.places_kept + places),
        execution_options={"synchronize_session": False},
    )
    if not result.rowcount:
        raise RuleBroken(
            "That session hasn't as many free places. Keep fewer.",
            code="places",
            field="places_kept",
        )


def _keeps_nothing(now: dt.datetime) -> sa.ColumnElement[bool]:
    is_held = (
        sa.select(SessionBooking.id)
        .where(
            SessionBooking.organisation_id == PrivateLink.organisation_id,
            SessionBooking.private_link_id == PrivateLink.id,
            SessionBooking.cancelled_at.is_(None),
            SessionBooking.status.in_(HOLDING),
        )
        .exists()
    )
    return sa.or_(
        PrivateLink.revoked_at.is_not(None),
        PrivateLink.expires_at <= now,
        sa.and_(PrivateLink.uses >= PrivateLink.max_uses, sa.not_(is_held)),
    )


def _put_back_on_sale(
    organisation_id: str, session_id: str, link_id: str, now: dt.datetime
) -> bool:
    """What an ended link still keeps is everybody's; its session is locked by the caller."""
    kept = db.session.scalar(
        sa.select(PrivateLink.places_kept).where(
            PrivateLink.organisation_id == organisation_id,
            PrivateLink.id == link_id,
            _keeps_nothing(now),
        )
    )
    if not kept or not _write(
        organisation_id, link_id, PrivateLink.places_kept == kept, places_kept=0
    ):
        return False
    db.session.execute(
        sa.update(Session)
        .where(Session.organisation_id == organisation_id, Session.id == session_id)
        .values(places_kept=Session.places_kept - kept),
        execution_options={"synchronize_session": False},
    )
    wake(organisation_id, [session_id], now=now)
    return True


def _write(
    organisation_id: str, link_id: str, *conditions: sa.ColumnElement[bool], **values: Any
) -> bool:
    result: Any = db.session.execute(
        sa.update(PrivateLink)
        .where(
            PrivateLink.organisation_id == organisation_id, PrivateLink.id == link_id, *conditions
        )
        .values(**values),
        execution_options={"synchronize_session": False},
    )
    return bool(result.rowcount)
