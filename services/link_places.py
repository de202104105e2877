"""What holds and bookings by a private link take from it and give back; nothing here commits."""

import datetime as dt
import hashlib
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from domain.eligibility import Slot, Viewer
from domain.errors import NotBookable, NotFound
from domain.private_links import SENTENCES, Terms, has_ended, link_state
from models import PrivateLink, Session, SessionBooking, db

FROM_KEPT = "from_kept"
"""In a line's policy: how many of its places came from those kept for its link."""
CAME_BY = "came_by"
"""In a line's policy: a digest of the type's own key that opened its page."""


@dataclass(frozen=True, slots=True)
class Way:
    """The private address that somebody came by: a type's own key, or a private link's id."""

    type_key: str = ""
    link_id: str = ""

    @property
    def digest(self) -> str:
        """What stands for a type's key where the key itself must not be kept."""
        return hashlib.sha256(self.type_key.encode()).hexdigest()[:32]


def way_of(line: SessionBooking) -> Way | None:
    """How a line was come by, as far as that still opens; None for a public one.

    Since its type's address was renewed, a line by the old one has no way any more.
    """
    if line.private_link_id is not None:
        return Way(link_id=line.private_link_id)
    noted = line.order_item.policy.get(CAME_BY)
    current = Way(type_key=line.session.session_type.link_key)
    return current if noted == current.digest else None


def terms_of(link: PrivateLink) -> Terms:
    """The values of a link's row."""
    return Terms(link.expires_at, link.max_uses, link.uses, link.revoked_at)


def load_link(organisation_id: str, link_id: str) -> PrivateLink | None:
    """The link as it is now, None when there is none."""
    return db.session.scalar(
        sa.select(PrivateLink)
        .where(PrivateLink.organisation_id == organisation_id, PrivateLink.id == link_id)
        .execution_options(populate_existing=True)
    )


def admit(
    way: Way | None, found: Session, viewer: Viewer, now: dt.datetime
) -> tuple[Viewer, PrivateLink | None]:
    """The viewer as their private address makes them for this session, asked again (D2, P9).

    The session is locked. Raises NotFound for a way that doesn't lead to it, NotBookable for a
    link that has ended.
    """
    if way is None:
        return viewer, None
    kind = found.session_type
    if not way.link_id:
        if way.type_key != kind.link_key:
            raise NotFound
        return replace(viewer, came_by_link=True), None
    link = load_link(found.organisation_id, way.link_id)
    if (
        link is None
        or link.session_type_id != found.session_type_id
        or link.session_id not in (None, found.id)
    ):
        raise NotFound
    state = link_state(terms_of(link), now)
    if state != "live":
        raise NotBookable(SENTENCES[state], code="visible")
    return replace(viewer, came_by_link=True, agreed_price=link.price), link


def as_held(line: SessionBooking, viewer: Viewer) -> Viewer:
    """The viewer with the price that a private link gave this line, which keeps it (P6)."""
    if line.order_item.price_source != "link":
        return viewer
    return replace(viewer, agreed_price=line.order_item.unit_price)


def with_kept(slot: Slot, link: PrivateLink | None) -> Slot:
    """The session as the bearer of a link meets it: what is kept for it is free."""
    if link is None or link.session_id != slot.id:
        return slot
    return replace(slot, places_taken=slot.places_taken - link.places_kept)


def begin_use(link: PrivateLink, places: int, now: dt.datetime) -> int | None:
    """Count a use and take places from those kept; how many, None when the link just ended.

    The session is locked by the caller; the last use is decided by this one statement.
    """
    from_kept = min(places, link.places_kept)
    begun = _change(
        link.organisation_id,
        link.id,
        sa.or_(PrivateLink.max_uses.is_(None), PrivateLink.uses < PrivateLink.max_uses),
        sa.or_(PrivateLink.expires_at.is_(None), PrivateLink.expires_at > now),
        PrivateLink.revoked_at.is_(None),
        PrivateLink.places_kept >= from_kept,
        uses=PrivateLink.uses + 1,
        places_kept=PrivateLink.places_kept - from_kept,
        first_seen_at=sa.func.coalesce(
            PrivateLink.first_seen_at, sa.literal(now, PrivateLink.first_seen_at.type)
        ),
    )
    db.session.expire(link)
    return from_kept if begun else None


def end_use(booking: SessionBooking, now: dt.datetime) -> int:
    """A hold or booking by a link has ended: its use comes back, and how many places stay kept."""
    if booking.private_link_id is None:
        return 0
    to_kept = _stays_kept(booking, min(from_kept_of(booking), booking.places), now)
    _change(
        booking.organisation_id,
        booking.private_link_id,
        uses=PrivateLink.uses - 1,
        places_kept=PrivateLink.places_kept + to_kept,
    )
    _note(booking, 0)
    return to_kept


def kept_in_change(booking: SessionBooking, places: int, now: dt.datetime) -> int:
    """How many of those kept a line of `places` takes more than now; below 0: so many come back.

    Only reads; `note_change` writes what the change then made of it.
    """
    if booking.private_link_id is None:
        return 0
    if places < booking.places:
        return -_stays_kept(booking, max(0, from_kept_of(booking) - places), now)
    link = load_link(booking.organisation_id, booking.private_link_id)
    if link is None or has_ended(terms_of(link), now) or link.session_id != booking.session_id:
        return 0
    return min(places - booking.places, link.places_kept)


def note_change(booking: SessionBooking, places: int, from_kept: int) -> None:
    """A line has `places` now, and has taken `from_kept` more of those kept."""
    if booking.private_link_id is None:
        return
    _note(booking, min(from_kept_of(booking) + max(0, from_kept), places))
    if from_kept:
        _change(
            booking.organisation_id,
            booking.private_link_id,
            places_kept=PrivateLink.places_kept - from_kept,
        )


def from_kept_of(booking: SessionBooking) -> int:
    """How many places of a line came from those kept for its link."""
    return int(booking.order_item.policy.get(FROM_KEPT, 0))


def _stays_kept(booking: SessionBooking, places: int, now: dt.datetime) -> int:
    """All of `places` while the link still opens that session, else none: they go on sale."""
    if not places or booking.private_link_id is None:
        return 0
    link = load_link(booking.organisation_id, booking.private_link_id)
    is_over = link is None or has_ended(terms_of(link), now)
    return 0 if is_over or link is None or link.session_id != booking.session_id else places


def _note(booking: SessionBooking, from_kept: int) -> None:
    if from_kept_of(booking) != from_kept:
        policy = {key: it for key, it in booking.order_item.policy.items() if key != FROM_KEPT}
        booking.order_item.policy = {**policy, FROM_KEPT: from_kept} if from_kept else policy


def _change(
    organisation_id: str, link_id: str, *conditions: sa.ColumnElement[bool], **values: Any
) -> bool:
    statement = sa.update(PrivateLink).where(
        PrivateLink.organisation_id == organisation_id, PrivateLink.id == link_id, *conditions
    )
    result: Any = db.session.execute(
        statement.values(**values), execution_options={"synchronize_session": False}
    )
    return bool(result.rowcount)
