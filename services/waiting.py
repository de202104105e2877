"""The waiting list: joining, offers, answers, and who is woken when a place comes free (W1-W5).

A party that misses or declines its offer is off the list, and may join again at its end.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from domain.eligibility import Viewer, first_refusal, price_for
from domain.errors import NotBookable, NotFound, WrongState
from domain.people import check_email, check_name
from domain.waiting import (
    BY_HAND,
    AlreadyWaiting,
    NoWaitlist,
    OfferOver,
    StillFree,
    has_room,
    say_unfit,
    waiting_refusal,
)
from domain.words import count
from models import (
    Customer,
    Order,
    OrderItem,
    Session,
    SessionBooking,
    SessionType,
    Site,
    db,
    new_object_id,
)
from services.accounts import viewer_of
from services.checkout import SOLD, booker_of, check_member_limit, name_guests, settle
from services.facts import offer_of, slot_of, venue_of
from services.idempotency import once, retrying
from services.letters import post_about_booking
from services.lines import (
    BY_SECRET,
    LINE,
    TYPE,
    asks_for_names,
    lines_of,
    load_session,
    new_order,
    party_of,
)
from services.link_places import Way, admit
from services.persons import rows_of_customer
from services.places import claim, lock_sessions, raise_revision
from services.releasing import take_over_released
from services.waking import (
    AGREED,
    Queue,
    end_entry,
    entries_query,
    is_open_offer,
    make_offer,
    pass_on_expired,
    read_queue,
    refuse_entry,
    release_expired_holds,
    viewer_of_entry,
    wake,
)

__all__ = [
    "accept",
    "close_waiting",
    "decline",
    "join",
    "leave",
    "offer_by_hand",
    "release_expired_holds",
    "remove_entry",
    "wake",
]

OVERLAPS = "You took a place at a time that overlaps with it."
TAKEN_OFF = "The venue took you off the list."
NOT_OPEN = "This offer was over already, so there was nothing to say no to."
CHANGED = "Your offer has just changed. Look at this page again."


def join(
    organisation_id: str,
    session_id: str,
    *,
    guests: int,
    name: str,
    email: str,
    viewer: Viewer | None = None,
    account_id: str | None = None,
    customer_id: str | None = None,
    way: Way | None = None,
    key: str = "",
    now: dt.datetime,
) -> str:
    """Put a party at the end of a full session's list; the entry's secret (W1).

    Every check of R20 but room is asked; `way` is the private address of a link-only type (R30),
    `customer_id` who waits, where that is known already.
    Raises NoWaitlist, StillFree, AlreadyWaiting, NotBookable, RuleBroken for the fields,
    NotFound, KeyReused.
    """
    body: dict[str, object] = {
        "waiting": session_id, "guests": guests, "name": name, "email": email,
    }  # fmt: skip
    if way is not None:
        body["way"] = way.digest

    def deed() -> str:
        booker, address = check_name(name), check_email(email)
        found = load_session(organisation_id, session_id)
        order = new_order(organisation_id, found, account_id, now)
        order.state, order.name, order.email = "waiting", booker, address
        customer = booker_of(organisation_id, customer_id, booker, address, account_id, now)
        order.customer_id = customer.id
        lock_sessions(organisation_id, [session_id])
        pass_on_expired(organisation_id, [session_id], now)
        found = load_session(organisation_id, session_id)
        who = viewer or viewer_of(organisation_id, account_id, now=now)
        who, _ = admit(way, found, who, now)
        _require_waitable(order, found, guests, who, now)
        _require_new(customer, session_id)
        entry = _new_entry(order, found, guests, who, now)
        entry.customer_id = customer.id
        db.session.flush()
        post_about_booking("waiting_joined", entry, now=now)
        # Somebody may be giving up places already, which nobody before could use.
        wake(organisation_id, [session_id], now=now)
        raise_revision(organisation_id, [found.session_type_id])
        return order.secret

    return once(organisation_id, key, body, deed, now)


def accept(
    secret: str,
    *,
    people: Sequence[str] = (),
    account_id: str | None = None,
    key: str = "",
    now: dt.datetime,
) -> str:
    """Take the offered places: a booking at the quoted price; the order's secret (W2-W4).

    `people` are the guests after the booker, where the type asks for names. Eligibility and
    limits are asked again. The person's overlapping entries end. Raises OfferOver, NotBookable,
    RuleBroken for a name, NotFound.
    """
    organisation_id = _organisation_of(secret)
    body = {"accept": secret, "people": list(people)}

    def deed() -> str:
        order, others = _lock_for_answer(organisation_id, secret, with_overlaps=True, now=now)
        if order.state in SOLD:
            return order.secret
        entry = _open_entry(order, now)
        customer = entry.customer
        if customer is None:
            raise NotFound("We couldn't find that place on the waitlist.")
        _take_places(entry, now)
        # What is charged is what was quoted, in the currency of that day (W3).
        order.currency = entry.order_item.currency
        if asks_for_names(entry):
            name_guests([entry], [order.name, *people], order.email, None)
        is_own = account_id is not None and account_id == customer.account_id
        check_member_limit([entry], customer, now, is_own=is_own)
        settle(order, [entry], customer, order.name, order.email, now)
        touched = _withdraw(others, now)
        wake(organisation_id, {entry.session_id, *(one[0] for one in touched)}, now=now)
        raise_revision(organisation_id, {entry.session_type_id, *(one[1] for one in touched)})
        return order.secret

    return once(organisation_id, key, body, deed, now)


def decline(secret: str, *, now: dt.datetime) -> None:
    """Say no to an open offer: the party is off the list, the places go to the next (W2).

    Raises OfferOver when there is none any more: who waits again meanwhile goes on waiting.
    """
    _go(secret, is_open_offer, now=now)


def leave(secret: str, *, now: dt.datetime) -> None:
    """Off the list with one press; repeating changes nothing (W4). Raises WrongState if booked."""
    _go(secret, lambda _entry, _now: True, now=now)


def offer_by_hand(organisation_id: str, site_id: str, booking_id: str, *, now: dt.datetime) -> str:
    """Offer free places to this entry, out of turn; its session's id (W5).

    Those who were before it are noted as passed over. Raises WrongState when it doesn't fit, may
    not book, or has an offer; NotFound.
    """
    session_id, type_id = find_place(organisation_id, site_id, booking_id)

    def deed() -> str:
        lock_sessions(organisation_id, [session_id])
        queue = read_queue(organisation_id, session_id, now)
        entry = next((it for it in queue.waiting if it.id == booking_id), None) if queue else None
        if queue is None or entry is None:
            raise WrongState("This entry can't be offered a place: it has ended, or has an offer.")
        _offer_to(entry, queue, now)
        for passed in queue.waiting[: queue.waiting.index(entry)]:
            passed.skipped_at, passed.skip_reason = now, BY_HAND
        db.session.flush()
        raise_revision(organisation_id, [type_id])
        return session_id

    return retrying(deed)


def remove_entry(organisation_id: str, site_id: str, booking_id: str, *, now: dt.datetime) -> str:
    """Take an entry off the list for the venue, and tell the party; its session's id.

    Raises WrongState when there is none any more: they accepted, left or were taken off; NotFound.
    """
    session_id, type_id = find_place(organisation_id, site_id, booking_id)

    def deed() -> str:
        lock_sessions(organisation_id, [session_id])
        pass_on_expired(organisation_id, [session_id], now)
        entry = next(
            (it for it in _entries(organisation_id, session_id) if it.id == booking_id), None
        )
        if entry is None:
            raise WrongState("This party is off the list already: they booked, left or were late.")
        end_entry(entry, by="staff", now=now, reason=TAKEN_OFF, letter="waiting_closed")
        wake(organisation_id, [session_id], now=now)
        raise_revision(organisation_id, [type_id])
        return session_id

    return retrying(deed)


def close_waiting(organisation_id: str, session_id: str, *, reason: str, now: dt.datetime) -> int:
    """End all entries and open offers of a session that the venue cancels; the number ended.

    In the caller's transaction, which has locked the session. Whether those who wait are told
    is the site's setting (DECISIONS, Session cancelled by the venue).
    """
    tells = db.session.scalar(
        sa.select(Site.cancelled_session_notices)
        .join(Session, Session.site_id == Site.id)
        .where(Site.organisation_id == organisation_id, Session.id == session_id)
    )
    letter = "waiting_closed" if tells == "everyone" else ""
    return sum(
        end_entry(entry, by="venue", now=now, reason=reason, letter=letter)
        for entry in _entries(organisation_id, session_id)
    )


def _require_waitable(
    order: Order, found: Session, guests: int, viewer: Viewer, now: dt.datetime
) -> None:
    offer, slot = offer_of(found.session_type, venue_of(order.site)), slot_of(found)
    refusal = waiting_refusal(offer, slot, guests, viewer, now)
    if refusal is not None:
        field = "guests" if refusal.code in ("min_guests", "max_guests") else None
        raise NotBookable(
            refusal.sentence, code=refusal.code, field=field, changes_at=refusal.changes_at
        )
    if not found.waitlist_enabled:
        raise NoWaitlist
    if guests > slot.capacity:
        raise NotBookable(
            f"This session has {count(slot.capacity, 'place')} in all, "
            f"too few for your party of {guests}.",
            code="places_left",
            field="guests",
        )
    if has_room(offer, slot, guests, viewer, now):
        raise StillFree


def _require_new(customer: Customer, session_id: str) -> None:
    """One live entry for each person: the session is locked, so nobody joins between."""
    same = (
        sa.select(SessionBooking.id)
        .join(Customer, SessionBooking.customer_id == Customer.id)
        .where(
            SessionBooking.organisation_id == customer.organisation_id,
            SessionBooking.session_id == session_id,
            SessionBooking.waiting_since.is_not(None),
            SessionBooking.status != "confirmed",
            SessionBooking.cancelled_at.is_(None),
            rows_of_customer(customer),
        )
    )
    if db.session.scalar(same.limit(1)) is not None:
        raise AlreadyWaiting


def _new_entry(
    order: Order, found: Session, guests: int, viewer: Viewer, now: dt.datetime
) -> SessionBooking:
    offer = offer_of(found.session_type, venue_of(order.site))
    price = price_for(offer, slot_of(found), viewer)
    item = OrderItem(
        id=new_object_id(),
        organisation_id=order.organisation_id,
        order_id=order.id,
        places=guests,
        # What it would cost now; the offer quotes again (W3).
        unit_price=price.amount or 0,
        currency=offer.currency,
        price_source=price.source,
        price_rule_id=price.rule_id,
        price_label=price.label,
        policy={name: getattr(found.session_type, name) for name in AGREED},
    )
    entry = SessionBooking(
        id=new_object_id(),
        organisation_id=order.organisation_id,
        site_id=found.site_id,
        session=found,
        session_type_id=found.session_type_id,
        session_type_name=found.session_type_name,
        order=order,
        order_item=item,
        places=guests,
        status="waitlisted",
        waiting_since=now,
        created_at=now,
        updated_at=now,
        guests=[],
    )
    order.items.append(item)
    db.session.add(entry)
    return entry


def _take_places(entry: SessionBooking, now: dt.datetime) -> None:
    """Ask the rules again, and take over what another booking gives up, if that was offered."""
    found = entry.session
    offer, slot = offer_of(found.session_type, venue_of(entry.order.site)), slot_of(found)
    party = replace(party_of(entry.places, found.session_type_id, [], entry.order), is_held=True)
    refusal = first_refusal(offer, slot, party, viewer_of_entry(entry, now), now)
    if refusal is not None:
        raise NotBookable(refusal.sentence, code=refusal.code)
    if entry.status != "waitlisted":
        return
    source = db.session.scalars(
        sa.select(SessionBooking)
        .where(
            SessionBooking.organisation_id == entry.organisation_id,
            SessionBooking.id == entry.offered_from_id,
        )
        .options(joinedload(SessionBooking.order_item))
        .execution_options(populate_existing=True)
    ).one()
    if source.cancelled_at is not None or source.released_places < entry.places:
        raise OfferOver(CHANGED)
    take_over_released(source, entry.places, now)
    if not claim(entry.organisation_id, entry.session_id, places=entry.places, parties=1):
        raise NotBookable("This session takes no more parties.", code="party_left")
    entry.status, entry.offered_from_id = "new", None
    db.session.flush()


def _open_entry(order: Order, now: dt.datetime) -> SessionBooking:
    entry = lines_of(order)[0]
    if is_open_offer(entry, now):
        return entry
    if entry.cancelled_at is None and entry.offered_at is None:
        raise OfferOver("You have no offer at the moment. You are still on the waitlist.")
    if entry.cancelled_by in ("staff", "venue"):
        raise OfferOver("The venue has closed this. See below what you can do.")
    if entry.cancelled_by == "customer":
        raise OfferOver("You left this waitlist, so the place went to the next party.")
    raise OfferOver("This offer has run out, so the place went to the next party.")


def _go(
    secret: str, may_go: Callable[[SessionBooking, dt.datetime], bool], *, now: dt.datetime
) -> None:
    organisation_id = _organisation_of(secret)

    def deed() -> None:
        order, _ = _lock_for_answer(organisation_id, secret, with_overlaps=False, now=now)
        if order.state in SOLD:
            raise WrongState("This is booked already. See your booking to change it.")
        entry = lines_of(order)[0]
        session_id, type_id = entry.session_id, entry.session_type_id
        if not may_go(entry, now):
            raise OfferOver(NOT_OPEN)
        if end_entry(entry, by="customer", now=now):
            wake(organisation_id, [session_id], now=now)
            raise_revision(organisation_id, [type_id])

    retrying(deed)


def _offer_to(entry: SessionBooking, queue: Queue, now: dt.datetime) -> None:
    if reason := refuse_entry(entry, queue, now):
        raise WrongState(reason)
    source = next((source.id for source in queue.sources if source.left >= entry.places), None)
    if not (
        make_offer(entry, queue, now)
        or (source is not None and make_offer(entry, queue, now, source_id=source))
    ):
        raise WrongState(say_unfit(entry.places, queue.room, queue.sources))


def _withdraw(entries: Iterable[SessionBooking], now: dt.datetime) -> list[tuple[str, str]]:
    """End the person's overlapping entries (W4); the sessions and types that they were of."""
    touched = []
    for entry in sorted(entries, key=lambda entry: entry.session_id):
        session_id, type_id = entry.session_id, entry.session_type_id
        if end_entry(entry, by="customer", now=now, reason=OVERLAPS, letter="waiting_closed"):
            touched.append((session_id, type_id))
    return touched


def _lock_for_answer(
    organisation_id: str, secret: str, *, with_overlaps: bool, now: dt.datetime
) -> tuple[Order, list[SessionBooking]]:
    """The entry's order and the overlapping entries: orders by id, then sessions by id."""
    seen = db.session.scalar(
        sa.select(SessionBooking)
        .join(Order, SessionBooking.order_id == Order.id)
        .where(SessionBooking.organisation_id == organisation_id, Order.secret == secret)
        .options(joinedload(SessionBooking.session), joinedload(SessionBooking.customer))
        .execution_options(populate_existing=True)
    )
    if seen is None:
        raise NotFound("We couldn't find that place on the waitlist. Check the link.")
    others = _overlapping(seen) if with_overlaps else []
    backed_by = seen.offered_from_id
    order_ids = {seen.order_id, *(entry.order_id for entry in others)}
    if backed_by and with_overlaps:
        order_ids |= set(
            db.session.scalars(
                sa.select(SessionBooking.order_id).where(
                    SessionBooking.organisation_id == organisation_id,
                    SessionBooking.id == backed_by,
                )
            )
        )
    orders = db.session.scalars(
        sa.select(Order)
        .where(Order.organisation_id == organisation_id, Order.id.in_(order_ids))
        .order_by(Order.id)
        .with_for_update(of=Order, key_share=True)
        .execution_options(populate_existing=True)
    ).all()
    lock_sessions(organisation_id, {seen.session_id, *(entry.session_id for entry in others)})
    # Read again: what was seen before the locks may be old.
    order = _read_order(organisation_id, next(it.id for it in orders if it.id == seen.order_id))
    entry = lines_of(order)[0]
    if with_overlaps and entry.status == "waitlisted" and entry.offered_from_id != backed_by:
        raise OfferOver(CHANGED)
    for other in others:
        db.session.refresh(other)
    return order, others


def _read_order(organisation_id: str, order_id: str) -> Order:
    return db.session.scalars(
        sa.select(Order)
        .where(Order.organisation_id == organisation_id, Order.id == order_id)
        .options(
            LINE.joinedload(SessionBooking.customer),
            LINE.selectinload(SessionBooking.guests),
            TYPE.selectinload(SessionType.price_rules),
            joinedload(Order.site),
        )
        .execution_options(populate_existing=True)
    ).one()


def _overlapping(entry: SessionBooking) -> list[SessionBooking]:
    """The person's other live entries whose times overlap, ends excluded (W4).

    A guest's address proves nothing: only a signed-in person's entry reaches those of an account.
    """
    customer = entry.customer
    if customer is None:
        return []
    own = [Customer.id == customer.id]
    if customer.address_key:
        own.append(
            sa.and_(Customer.account_id.is_(None), Customer.address_key == customer.address_key)
        )
    return list(
        db.session.scalars(
            sa.select(SessionBooking)
            .join(Session, SessionBooking.session_id == Session.id)
            .join(Customer, SessionBooking.customer_id == Customer.id)
            .where(
                SessionBooking.organisation_id == entry.organisation_id,
                SessionBooking.id != entry.id,
                SessionBooking.waiting_since.is_not(None),
                SessionBooking.status != "confirmed",
                SessionBooking.cancelled_at.is_(None),
                Session.start_time < entry.session.end_time,
                Session.end_time > entry.session.start_time,
                sa.or_(*own),
            )
            .order_by(SessionBooking.id)
        )
    )


def _entries(organisation_id: str, session_id: str) -> Sequence[SessionBooking]:
    return db.session.scalars(
        entries_query(organisation_id, session_id).execution_options(populate_existing=True)
    ).all()


def find_place(organisation_id: str, site_id: str, booking_id: str) -> tuple[str, str]:
    """The session and the type of an entry at this site; raises NotFound."""
    row = db.session.execute(
        sa.select(SessionBooking.session_id, SessionBooking.session_type_id).where(
            SessionBooking.organisation_id == organisation_id,
            SessionBooking.site_id == site_id,
            SessionBooking.id == booking_id,
            SessionBooking.waiting_since.is_not(None),
        )
    ).first()
    if row is None:
        raise NotFound("We couldn't find that place on the waitlist.")
    return row[0], row[1]


def _organisation_of(secret: str) -> str:
    found = db.session.scalar(
        sa.select(Order.organisation_id)
        .join(SessionBooking, SessionBooking.order_id == Order.id)
        .where(Order.secret == secret, SessionBooking.waiting_since.is_not(None)),
        execution_options=BY_SECRET,
    )
    if found is None:
        raise NotFound("We couldn't find that place on the waitlist. Check the link.")
    return found
