"""Who is offered what comes free, and what happens when a deadline passes (W1, W2, W5, H10).

Below the baskets, which wake the list before they take a place: nobody jumps the queue. Locks
sessions and writes bookings, never an order: accepting locks the order first.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from domain.capacity import parties_left, places_left
from domain.eligibility import Offer, Slot, Viewer, price_for
from domain.fees import AGREED_FEES
from domain.waiting import (
    Room,
    Source,
    Verdict,
    Waiter,
    offer_deadline,
    plan_offers,
    waiting_refusal,
)
from models import Session, SessionBooking, SessionType, Site, db, transaction, unbound
from services.accounts import viewer_of
from services.facts import offer_of, slot_of, venue_of
from services.letters import post_about_booking
from services.persons import ask_member_limit, list_person
from services.places import (
    HOLDING,
    claim,
    let_go,
    let_go_of_expired_on,
    lock_sessions,
    raise_revision,
)

AGREED = (
    "customer_cancellation_permitted",
    "customer_cancellation_min_duration",
    "min_guests",
    "max_guests",
    "max_per_basket",
    "max_per_guest",
    "max_bookings_per_member",
    *AGREED_FEES,
)
"""What of a type is kept with a line: later edits change nothing that was sold (M8)."""

TWICE = "You were on it twice. Your other place on the list stays as it is."

_EVERYWHERE = unbound("the worker looks at the waiting lists of every organisation")


@dataclass(frozen=True, slots=True)
class Queue:
    """A session with its list as it is: enough to say who comes next."""

    session: Session
    offer: Offer
    slot: Slot
    lasts: dt.timedelta
    # Live entries that have no offer, in order.
    waiting: tuple[SessionBooking, ...]
    sources: tuple[Source, ...]
    # Of those, the ones whose offer is backed by nothing any more.
    fallen_back: tuple[SessionBooking, ...]

    @property
    def room(self) -> Room:
        """What is free for somebody new."""
        slot = self.slot
        return Room(
            places_left(slot.capacity, slot.places_taken),
            parties_left(slot.max_baskets, slot.parties_taken),
        )


def is_open_offer(entry: SessionBooking, now: dt.datetime) -> bool:
    """Whether the party may still accept."""
    return (
        entry.cancelled_at is None
        and entry.status != "confirmed"
        and entry.offered_at is not None
        and entry.expires_at is not None
        and entry.expires_at > now
    )


def entries_query(organisation_id: str, session_id: str) -> sa.Select[Any]:
    """The live entries of a session, offered ones too, in their order (W1)."""
    query: Any = (
        sa.select(SessionBooking)
        .where(
            SessionBooking.organisation_id == organisation_id,
            SessionBooking.session_id == session_id,
            SessionBooking.waiting_since.is_not(None),
            SessionBooking.status != "confirmed",
            SessionBooking.cancelled_at.is_(None),
        )
        .order_by(SessionBooking.waiting_since, SessionBooking.id)
    )
    return query  # type: ignore[no-any-return]


def wake(organisation_id: str, session_ids: Iterable[str], *, now: dt.datetime) -> int:
    """Offer what has come free on these locked sessions to who waits; the number of offers (H10).

    In the caller's transaction, which has locked the sessions, and before `raise_revision`.
    """
    return sum(
        _wake_one(organisation_id, session_id, now) for session_id in sorted(set(session_ids))
    )


def pass_on_expired(organisation_id: str, session_ids: Iterable[str], now: dt.datetime) -> int:
    """End what has run out on these locked sessions and wake their lists; the number ended (H3).

    Whoever takes a place calls it first, so that the place goes to who has waited for it.
    """
    ended = 0
    for session_id in sorted(set(session_ids)):
        ended += _end_missed(organisation_id, session_id, now)
        ended += let_go_of_expired_on(organisation_id, session_id, now)
        _wake_one(organisation_id, session_id, now)
    return ended


def release_expired_holds(now: dt.datetime, *, most: int = 200) -> int:
    """The worker's round: end holds and offers that have run out, session by session (H3, W2).

    What comes free is offered to who waits in the same transaction. The number ended.
    """
    ended = 0
    for organisation_id, session_id, session_type_id in _sessions(
        SessionBooking.status.in_((*HOLDING, "waitlisted")),
        SessionBooking.expires_at <= now,
        most=most,
    ):
        with transaction():
            lock_sessions(organisation_id, [session_id])
            number = pass_on_expired(organisation_id, [session_id], now)
            if number:
                raise_revision(organisation_id, [session_type_id])
        ended += number
    return ended


def wake_forgotten(now: dt.datetime, *, most: int = 200) -> int:
    """The worker's round: offers what time alone has freed or allowed; the number of offers.

    A booking window that opens, or a membership given, brings nobody to a freed place's door.
    """
    offered = 0
    for organisation_id, session_id, session_type_id in find_forgotten(now, most=most):
        with transaction():
            lock_sessions(organisation_id, [session_id])
            number = wake(organisation_id, [session_id], now=now)
            if number:
                raise_revision(organisation_id, [session_type_id])
        offered += number
    return offered


def find_forgotten(now: dt.datetime, *, most: int = 200) -> list[tuple[str, str, str]]:
    """Sessions with a free place and a party that could be offered it; locks and writes nothing.

    Organisation, session and type.
    """
    free = sa.select(Session.id).where(
        Session.deleted_at.is_(None),
        Session.start_time > now,
        sa.or_(
            Session.places_taken + Session.places_kept < Session.capacity,
            Session.id.in_(
                sa.select(SessionBooking.session_id).where(
                    SessionBooking.released_places > 0, SessionBooking.cancelled_at.is_(None)
                )
            ),
        ),
    )
    candidates = _sessions(
        SessionBooking.status == "waitlisted",
        SessionBooking.offered_at.is_(None),
        SessionBooking.session_id.in_(free),
        most=most,
    )
    found = []
    for row in candidates:
        queue = _read_queue(row[0], row[1], now)
        if queue is not None and any(verdict.is_offered for verdict in _plan(queue, now)):
            found.append(row)
    db.session.rollback()
    return found


def end_entry(
    entry: SessionBooking, *, by: str, now: dt.datetime, reason: str = "", letter: str = ""
) -> bool:
    """Take an entry off the list, its offer too; False when it has ended already.

    Its session is locked by the caller, who wakes the list afterwards.
    """
    if entry.cancelled_at is not None or entry.status == "confirmed":
        return False
    if entry.status == "waitlisted":
        # It has taken nothing.
        entry.cancelled_at, entry.cancelled_by = now, by
        entry.expires_at, entry.updated_at = None, now
    elif not let_go(entry, by=by, now=now):
        return False
    entry.cancel_reason = reason
    entry.sequence += 1
    db.session.flush()
    if letter:
        post_about_booking(letter, entry, now=now)
    return True


def sessions_waited_for(customer_ids: Iterable[str]) -> dict[str, list[str]]:
    """By organisation, the sessions that these customers wait for, in the order of locking."""
    rows = db.session.execute(
        sa.select(SessionBooking.organisation_id, SessionBooking.session_id)
        .where(
            SessionBooking.customer_id.in_(list(customer_ids)),
            SessionBooking.waiting_since.is_not(None),
            SessionBooking.status != "confirmed",
            SessionBooking.cancelled_at.is_(None),
        )
        .distinct()
        .order_by(SessionBooking.organisation_id, SessionBooking.session_id),
        execution_options=unbound("an account is one person's sign-in everywhere"),
    )
    found: dict[str, list[str]] = defaultdict(list)
    for organisation_id, session_id in rows:
        found[organisation_id].append(session_id)
    return found


def end_doubles(
    organisation_id: str, customer_id: str, session_ids: Iterable[str], *, now: dt.datetime
) -> set[str]:
    """A customer who waits twice for one of these locked sessions keeps one entry: the one with
    an offer, else the first in the line. The types of the sessions where one ended.
    """
    types = set()
    for session_id in session_ids:
        own = db.session.scalars(
            entries_query(organisation_id, session_id)
            .where(SessionBooking.customer_id == customer_id)
            .execution_options(populate_existing=True)
        ).all()
        for entry in sorted(own, key=lambda it: not is_open_offer(it, now))[1:]:
            type_id = entry.session_type_id
            if end_entry(entry, by="customer", now=now, reason=TWICE, letter="waiting_closed"):
                types.add(type_id)
    return types


def make_offer(
    entry: SessionBooking,
    queue: Queue,
    now: dt.datetime,
    *,
    source_id: str | None = None,
) -> bool:
    """Offer the entry its places until a deadline, at the price of now; False when it can't (W2).

    Places that are free are claimed (H1); those of `source_id` stay that booking's own until
    the offer is accepted.
    """
    viewer = viewer_of_entry(entry, now)
    ends = offer_deadline(queue.offer, queue.slot, viewer, now, queue.lasts)
    price = price_for(queue.offer, queue.slot, viewer)
    if ends is None or price.amount is None:
        return False
    if source_id is None:
        if not claim(entry.organisation_id, entry.session_id, places=entry.places, parties=1):
            return False
        entry.status = "new"
    item = entry.order_item
    item.unit_price, item.currency = price.amount, queue.offer.currency
    item.price_source, item.price_label = price.source, price.label
    item.price_rule_id = price.rule_id
    item.policy = {name: getattr(queue.session.session_type, name) for name in AGREED}
    entry.offered_at, entry.expires_at, entry.offered_from_id = now, ends, source_id
    entry.skipped_at, entry.skip_reason, entry.updated_at = None, "", now
    entry.sequence += 1
    db.session.flush()
    post_about_booking("waiting_offer", entry, now=now)
    return True


def refuse_entry(entry: SessionBooking, queue: Queue, now: dt.datetime) -> str:
    """Why this party may not be offered a place even if one fits; empty when it may (R20, W2)."""
    viewer = viewer_of_entry(entry, now)
    check = waiting_refusal(queue.offer, queue.slot, entry.places, viewer, now)
    if check is not None:
        return check.sentence
    if offer_deadline(queue.offer, queue.slot, viewer, now, queue.lasts) is None:
        return "There is no time left to answer an offer."
    if queue.offer.max_bookings_per_member and entry.customer is not None:
        person = list_person(entry.customer)
        limit, _ = ask_member_limit(entry.customer, person, queue.offer, queue.slot, now)
        return "" if limit.passed else limit.sentence
    return ""


def viewer_of_entry(entry: SessionBooking, now: dt.datetime) -> Viewer:
    """Whom the shop would meet if this party booked; it has found the offer once already."""
    account_id = entry.customer.account_id if entry.customer else None
    viewer = viewer_of(entry.organisation_id, account_id, now=now)
    return replace(viewer, came_by_link=True)


def read_queue(organisation_id: str, session_id: str, now: dt.datetime) -> Queue | None:
    """The session's list as it is; None when nobody can be offered anything any more."""
    return _read_queue(organisation_id, session_id, now)


def _wake_one(organisation_id: str, session_id: str, now: dt.datetime) -> int:
    queue = _read_queue(organisation_id, session_id, now)
    if queue is None:
        return 0
    for entry in queue.fallen_back:
        entry.offered_at = entry.expires_at = entry.offered_from_id = None
        entry.sequence += 1
    entries = {entry.id: entry for entry in queue.waiting}
    offered = 0
    for verdict in _plan(queue, now):
        entry = entries[verdict.waiter.id]
        if verdict.is_offered and make_offer(entry, queue, now, source_id=verdict.source_id):
            offered += 1
            continue
        entry.skipped_at, entry.updated_at = now, now
        entry.skip_reason = verdict.reason or "The place was taken a moment before."
    db.session.flush()
    return offered


def _plan(queue: Queue, now: dt.datetime) -> list[Verdict]:
    entries = {entry.id: entry for entry in queue.waiting}
    return plan_offers(
        queue.room,
        [Waiter(entry.id, entry.places) for entry in queue.waiting],
        queue.sources,
        lambda waiter: refuse_entry(entries[waiter.id], queue, now),
    )


def _read_queue(organisation_id: str, session_id: str, now: dt.datetime) -> Queue | None:
    live = db.session.scalars(
        entries_query(organisation_id, session_id)
        .options(joinedload(SessionBooking.order_item), joinedload(SessionBooking.customer))
        .execution_options(populate_existing=True)
    ).all()
    if not live:
        return None
    found = db.session.scalars(
        sa.select(Session)
        .where(Session.organisation_id == organisation_id, Session.id == session_id)
        .options(joinedload(Session.session_type).selectinload(SessionType.price_rules))
        .execution_options(populate_existing=True)
    ).one()
    if found.deleted_at is not None or found.start_time <= now:
        return None
    site = db.session.scalars(
        sa.select(Site).where(Site.organisation_id == organisation_id, Site.id == found.site_id)
    ).one()
    sources, fallen_back = _sources(organisation_id, session_id, live)
    return Queue(
        session=found,
        offer=offer_of(found.session_type, venue_of(site)),
        slot=slot_of(found),
        lasts=dt.timedelta(minutes=site.offer_minutes),
        waiting=tuple(entry for entry in live if entry.offered_at is None or entry in fallen_back),
        sources=sources,
        fallen_back=fallen_back,
    )


def _sources(
    organisation_id: str, session_id: str, live: Sequence[SessionBooking]
) -> tuple[tuple[Source, ...], tuple[SessionBooking, ...]]:
    """Bookings that give places up, less what is promised already; offers they no longer back."""
    giving = {
        booking.id: booking
        for booking in db.session.scalars(
            sa.select(SessionBooking)
            .where(
                SessionBooking.organisation_id == organisation_id,
                SessionBooking.session_id == session_id,
                SessionBooking.status == "confirmed",
                SessionBooking.cancelled_at.is_(None),
                SessionBooking.released_places > 0,
            )
            .order_by(SessionBooking.id)
            .execution_options(populate_existing=True)
        )
    }
    promised: dict[str, int] = defaultdict(int)
    fallen_back = []
    for entry in live:
        if entry.offered_from_id is None:
            continue
        source = giving.get(entry.offered_from_id)
        sum_of = promised[entry.offered_from_id] + entry.places
        if source is not None and sum_of <= source.released_places:
            promised[source.id] = sum_of
        else:
            fallen_back.append(entry)
    sources = tuple(
        Source(one.id, one.places - promised[one.id], one.released_places - promised[one.id])
        for one in giving.values()
        if one.released_places > promised[one.id]
    )
    return sources, tuple(fallen_back)


def _end_missed(organisation_id: str, session_id: str, now: dt.datetime) -> int:
    missed = db.session.scalars(
        entries_query(organisation_id, session_id)
        .where(SessionBooking.expires_at <= now)
        .execution_options(populate_existing=True)
    ).all()
    return sum(end_entry(entry, by="expired", now=now, letter="waiting_missed") for entry in missed)


def _sessions(*conditions: sa.ColumnElement[bool], most: int) -> list[tuple[str, str, str]]:
    """Organisation, session and type of live bookings like these, in every organisation."""
    rows = db.session.execute(
        sa.select(
            SessionBooking.organisation_id,
            SessionBooking.session_id,
            SessionBooking.session_type_id,
        )
        .where(SessionBooking.cancelled_at.is_(None), *conditions)
        .distinct()
        .limit(most),
        execution_options=_EVERYWHERE,
    ).all()
    db.session.rollback()
    return [(row[0], row[1], row[2]) for row in rows]
