"""Waiting lists as they are looked at: by who waits, by who would join, and by the desk."""

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import contains_eager, joinedload

from domain.eligibility import (
    Viewer,
    largest_party,
    nearest_party,
    price_for,
)
from domain.errors import NotFound
from domain.waiting import has_room, waiting_refusal
from models import Customer, Order, Session, SessionBooking, SessionType, Site, db, unbound
from services.checkout import SOLD
from services.facts import Venue, offer_of, slot_of, venue_of
from services.lines import BY_SECRET, asks_for_names, load_session_at
from services.waking import Queue, entries_query, is_open_offer, read_queue

_EVERYWHERE = unbound("an account is one person's sign-in for the whole installation")
_OF_A_LETTER = unbound("a mail about a booking names it by its own id")

WITH_ALL = (
    joinedload(SessionBooking.session).options(
        joinedload(Session.room),
        joinedload(Session.practitioner),
        joinedload(Session.session_type),
    ),
    joinedload(SessionBooking.order).joinedload(Order.site),
    joinedload(SessionBooking.order_item),
    joinedload(SessionBooking.customer),
)


@dataclass(frozen=True, slots=True)
class Standing:
    """An entry as its party sees it; `position` counts from 1, 0 once it has ended."""

    entry: SessionBooking
    venue: Venue
    state: str
    """waiting, offered, missed, left, closed, over (it has started) or booked."""
    position: int
    of: int
    asks_names: bool

    @property
    def total(self) -> int:
        """What the party pays, in minor units, as quoted."""
        return self.entry.order_item.unit_price * self.entry.places

    def seconds_left(self, now: dt.datetime) -> int:
        """Whole seconds until the offer ends."""
        ends = self.entry.expires_at
        return max(0, int((ends - now).total_seconds())) if ends else 0


@dataclass(frozen=True, slots=True)
class Waitable:
    """A session whose list somebody would join, and what speaks against it."""

    session: Session
    guests: int
    least: int
    most: int
    unit_price: int | None
    currency: str
    refusal: str
    is_free: bool
    has_list: bool


@dataclass(frozen=True, slots=True)
class WaitingLine:
    """An entry as the desk sees it."""

    id: str
    position: int
    name: str
    email: str
    places: int
    since: dt.datetime
    state: str
    offered_until: dt.datetime | None
    is_backed: bool
    skipped_at: dt.datetime | None
    skip_reason: str
    fits: bool
    """Whether it could be offered what is free, out of turn."""


@dataclass(frozen=True, slots=True)
class WaitingList:
    """A session's list for the desk; what ended is not on it."""

    session: Session
    lines: tuple[WaitingLine, ...]

    @property
    def places(self) -> int:
        """How many places those who wait would take."""
        return sum(line.places for line in self.lines)


def find_standing(secret: str, *, now: dt.datetime) -> Standing:
    """The entry at an unguessable link; raises NotFound. Changes nothing (H7)."""
    entry = db.session.scalar(
        sa.select(SessionBooking)
        .join(Order, SessionBooking.order_id == Order.id)
        .where(Order.secret == secret, SessionBooking.waiting_since.is_not(None))
        .options(*WITH_ALL),
        execution_options=BY_SECRET,
    )
    if entry is None:
        raise NotFound("We couldn't find that place on the waitlist. Check the link.")
    return standing_of(entry, now)


def find_entry(booking_id: str, *, now: dt.datetime) -> Standing | None:
    """The entry that a letter is about, None when there is no such entry."""
    entry = db.session.scalar(
        sa.select(SessionBooking)
        .where(SessionBooking.id == booking_id, SessionBooking.waiting_since.is_not(None))
        .options(*WITH_ALL),
        execution_options=_OF_A_LETTER,
    )
    return standing_of(entry, now) if entry is not None else None


def standing_of(entry: SessionBooking, now: dt.datetime) -> Standing:
    """Where an entry stands at `now`, deadlines that have passed counted as passed."""
    ids = db.session.scalars(
        entries_query(entry.organisation_id, entry.session_id).with_only_columns(SessionBooking.id)
    ).all()
    state = _state_of(entry, now)
    return Standing(
        entry=entry,
        venue=venue_of(entry.order.site),
        state=state,
        position=ids.index(entry.id) + 1 if entry.id in ids and state == "waiting" else 0,
        of=len(ids),
        asks_names=asks_for_names(entry),
    )


def find_waitable(
    organisation_id: str,
    site_id: str,
    session_id: str,
    *,
    guests: int | None,
    viewer: Viewer,
    type_id: str | None = None,
    now: dt.datetime,
) -> Waitable:
    """The session that somebody would wait for; raises NotFound for what isn't shown (D2).

    `type_id` is the only type that a private address shows.
    """
    found = load_session_at(organisation_id, site_id, session_id)
    if not _is_shown(found.session_type, viewer, type_id):
        raise NotFound("We couldn't find that session.")
    site = db.session.scalars(
        sa.select(Site).where(Site.organisation_id == organisation_id, Site.id == site_id)
    ).one()
    offer, slot = offer_of(found.session_type, venue_of(site)), slot_of(found)
    party = nearest_party(offer, guests or offer.min_guests)
    refusal = waiting_refusal(offer, slot, party, viewer, now)
    return Waitable(
        session=found,
        guests=party,
        least=max(1, offer.min_guests),
        most=min(largest_party(offer), slot.capacity),
        unit_price=price_for(offer, slot, viewer).amount,
        currency=offer.currency,
        refusal=refusal.sentence if refusal else "",
        is_free=has_room(offer, slot, party, viewer, now),
        has_list=found.waitlist_enabled,
    )


def list_waiting(
    organisation_id: str, site_id: str, session_id: str, *, now: dt.datetime
) -> WaitingList:
    """The session's live entries in their order; raises NotFound (W1, W5)."""
    found = load_session_at(organisation_id, site_id, session_id)
    # The queue reads the entries anew, so that it comes first: it would forget their orders.
    queue = read_queue(organisation_id, session_id, now)
    entries = db.session.scalars(
        entries_query(organisation_id, session_id).options(joinedload(SessionBooking.order))
    ).all()
    lines = tuple(_line(number, it, queue, now) for number, it in enumerate(entries, 1))
    return WaitingList(found, lines)


def count_waiting(organisation_id: str, session_id: str) -> int:
    """How many parties are on the list, those with an offer too."""
    query = entries_query(organisation_id, session_id).order_by(None)
    return db.session.scalar(query.with_only_columns(sa.func.count(SessionBooking.id))) or 0


def list_own_waiting(account_id: str, *, now: dt.datetime) -> list[Standing]:
    """What a signed-in person waits for, by the sessions' start, offers too."""
    entries = db.session.scalars(
        sa.select(SessionBooking)
        .join(Customer, SessionBooking.customer_id == Customer.id)
        .join(SessionBooking.session)
        .where(
            Customer.account_id == account_id,
            SessionBooking.waiting_since.is_not(None),
            SessionBooking.status != "confirmed",
            SessionBooking.cancelled_at.is_(None),
            Session.start_time > now,
            Session.deleted_at.is_(None),
        )
        .options(
            contains_eager(SessionBooking.session).options(
                joinedload(Session.room), joinedload(Session.session_type)
            ),
            joinedload(SessionBooking.order).joinedload(Order.site),
            joinedload(SessionBooking.order_item),
        )
        .order_by(Session.start_time, SessionBooking.id),
        execution_options=_EVERYWHERE,
    )
    return [standing_of(entry, now) for entry in entries]


def _state_of(entry: SessionBooking, now: dt.datetime) -> str:
    if entry.order.state in SOLD:
        return "booked"
    if entry.cancelled_at is not None:
        ends = {"expired": "missed", "customer": "left"}
        return ends.get(entry.cancelled_by or "", "closed")
    if entry.session.deleted_at is not None:
        return "closed"
    if is_open_offer(entry, now):
        return "offered"
    if entry.offered_at is not None:
        # The worker has not come by yet; the deadline has passed all the same.
        return "missed"
    return "over" if entry.session.start_time <= now else "waiting"


def _is_shown(kind: SessionType, viewer: Viewer, type_id: str | None) -> bool:
    if kind.deleted_at is not None or not kind.offered_online:
        return False
    if type_id is not None:
        return kind.id == type_id and kind.visibility == "link_only" and viewer.came_by_link
    return kind.visibility == "public"


def _line(number: int, entry: SessionBooking, queue: Queue | None, now: dt.datetime) -> WaitingLine:
    is_open = is_open_offer(entry, now)
    most = max((queue.room.places, *(it.left for it in queue.sources))) if queue else 0
    return WaitingLine(
        id=entry.id,
        position=number,
        name=entry.order.name,
        email=entry.order.email,
        places=entry.places,
        since=entry.waiting_since or entry.created_at,
        state="offered" if is_open else "skipped" if entry.skip_reason else "waiting",
        offered_until=entry.expires_at if is_open else None,
        is_backed=entry.offered_from_id is not None,
        skipped_at=entry.skipped_at,
        skip_reason=entry.skip_reason,
        fits=queue is not None and entry in queue.waiting and entry.places <= most,
    )
