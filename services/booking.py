"""From a press of Book to a confirmed order: holds, baskets, confirmation (H1-H8)."""

import datetime as dt
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload, selectinload

from domain.eligibility import Party, Viewer, price_for, require_bookable
from domain.errors import (
    AlreadyStarted,
    HoldCeilingReached,
    HoldExpired,
    NotBookable,
    NotFound,
    RuleBroken,
)
from domain.holds import can_renew, first_deadline, renewed_deadline
from domain.people import check_email, check_name, email_key, guest_key
from domain.words import count
from models import (
    Account,
    Customer,
    Guest,
    LedgerEntry,
    Membership,
    Order,
    OrderItem,
    Organisation,
    Session,
    SessionBooking,
    SessionType,
    Site,
    db,
    new_object_id,
    transaction,
    unbound,
)
from models.base import UTCDateTime
from services.facts import offer_of, slot_of, venue_of
from services.idempotency import Repeated, find_answer, keep_answer
from services.places import claim, let_go, let_go_of_expired_on, raise_revision

BY_SECRET = unbound("an order's secret is its own key, unique in the installation")
_REF_LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True, slots=True)
class Badge:
    """What the head of every page says of the basket: lines, and when the first runs out."""

    lines: int
    expires_at: dt.datetime
    whole: int

    def seconds_left(self, now: dt.datetime) -> int:
        """Whole seconds until the first line runs out."""
        return max(0, int((self.expires_at - now).total_seconds()))


@dataclass(frozen=True, slots=True)
class RebuiltLine:
    """What became of one expired line when the basket was rebuilt (H4)."""

    name: str
    sentence: str
    is_held: bool
    price_changed: bool = False


def hold_places(
    organisation_id: str,
    session_id: str,
    *,
    session_type_id: str,
    guests: int,
    viewer: Viewer,
    basket_secret: str | None,
    account_id: str | None = None,
    key: str = "",
    now: dt.datetime,
) -> str:
    """Hold `guests` places in a basket; the basket's secret (H1, H2, H3, P6).

    A line for the same session is replaced. Raises NotBookable with the code of the first check
    that failed, NotFound, KeyReused.
    """
    body = {"session": session_id, "guests": guests}

    def deed() -> str:
        found = _load_session(organisation_id, session_id)
        if found.session_type_id != session_type_id:
            raise NotFound("We couldn't find that session.")
        basket = _open_basket(organisation_id, found, basket_secret, account_id, now)
        _hold_line(basket, found, guests, viewer, now)
        _renew_lines(basket, found.session_type_id, now)
        return basket.secret

    return _once(organisation_id, key, body, deed, now)


def renew_hold(organisation_id: str, secret: str, *, now: dt.datetime) -> None:
    """Keep my places: all lines run again, up to the ceiling (H3)."""
    with transaction():
        order = _lock_basket(organisation_id, secret)
        lines = _live_lines(order, now)
        if not lines or order.held_since is None:
            raise HoldExpired
        expires_at = min(line.expires_at for line in lines if line.expires_at)
        hold = venue_of(order.site).hold
        if not can_renew(now, order.held_since, expires_at, hold):
            raise HoldCeilingReached
        for line in lines:
            line.expires_at = renewed_deadline(now, order.held_since, hold)


def drop_line(organisation_id: str, secret: str, booking_id: str, *, now: dt.datetime) -> None:
    """Take one line out of the basket; its places are free at once."""
    with transaction():
        order = _lock_basket(organisation_id, secret)
        line = next((line for line in _lines(order) if line.id == booking_id), None)
        if line is None:
            raise NotFound
        session_type_id = line.session_type_id
        if let_go(line, by="customer", now=now):
            raise_revision(organisation_id, [session_type_id])


def rebuild_basket(
    organisation_id: str, secret: str, *, viewer: Viewer, now: dt.datetime
) -> list[RebuiltLine]:
    """Hold again every line that ran out, each whole or not at all, saying why not (H2, H4, P6)."""
    outcome = []
    with transaction():
        order = _lock_basket(organisation_id, secret)
        _end_expired(order, now)
        order.held_since = now
        touched = []
        for line in sorted(_expired_lines(order), key=lambda line: line.session_id):
            old_price = line.order_item.unit_price
            found = _load_session(organisation_id, line.session_id)
            try:
                fresh = _hold_line(order, found, line.places, viewer, now)
            except NotBookable as refusal:
                outcome.append(RebuiltLine(line.session_type_name, refusal.sentence, False))
            else:
                changed = fresh.order_item.unit_price != old_price
                outcome.append(RebuiltLine(line.session_type_name, "", True, changed))
            # Its story has been told: the next rebuild must not try it again.
            line.cancelled_by = "customer"
            touched.append(line.session_type_id)
        raise_revision(organisation_id, touched)
    return outcome


def confirm_order(
    organisation_id: str,
    secret: str,
    *,
    name: str,
    email: str,
    guest_names: Sequence[Sequence[str]] = (),
    account_id: str | None = None,
    key: str = "",
    now: dt.datetime,
) -> str:
    """Turn a basket's holds into bookings, all of them or none; the order's secret (H2, H6).

    `guest_names` has, for each line that asks for names, those of the guests after the booker.
    Raises RuleBroken for the fields, HoldExpired, AlreadyStarted, KeyReused.
    """
    body: dict[str, Any] = {
        "basket": secret,
        "name": name,
        "email": email,
        "guests": [list(g) for g in guest_names],
    }

    def deed() -> str:
        order = _lock_order(organisation_id, secret)
        if order.state == "confirmed":
            return order.secret
        booker, address = check_name(name), check_email(email)
        lines = _confirmable_lines(order, now)
        _name_guests(lines, booker, address, guest_names)
        customer = _find_or_add_customer(organisation_id, booker, address, account_id, now)
        _check_member_limit(lines, customer)
        _settle(order, lines, customer, booker, address, now)
        raise_revision(organisation_id, [line.session_type_id for line in lines])
        return order.secret

    return _once(organisation_id, key, body, deed, now)


def keep_details(organisation_id: str, secret: str, *, name: str, email: str) -> None:
    """Remember what was typed, so that an expired basket loses nothing (H4)."""
    with transaction():
        order = _lock_order(organisation_id, secret)
        if order.state == "basket":
            order.name, order.email = name[:200], email[:254]


def book_for_staff(
    organisation_id: str,
    session_id: str,
    *,
    name: str,
    guests: int,
    email: str = "",
    key: str = "",
    now: dt.datetime,
) -> str:
    """A walk-in: booked and checked in at once; the booking's id.

    Bound by places, parties and the type being live only (R20, DECISIONS Staff bookings).
    """
    body = {"session": session_id, "name": name, "guests": guests, "email": email}

    def deed() -> str:
        booker = check_name(name, who="the guest's name")
        address = check_email(email) if email.strip() else ""
        found = _load_session(organisation_id, session_id)
        order = _new_order(organisation_id, found, None, now, sold_by="staff")
        line = _hold_line(order, found, guests, Viewer(is_staff=True), now)
        customer = _find_or_add_customer(organisation_id, booker, address, None, now)
        _settle(order, [line], customer, booker, address, now)
        line.is_walk_in = True
        line.stage, line.checked_in_at = "arrived", now
        raise_revision(organisation_id, [found.session_type_id])
        return line.id

    return _once(organisation_id, key, body, deed, now)


def find_basket(secret: str | None, *, now: dt.datetime) -> Order | None:
    """The open basket with its lines, None when there is none; changes nothing."""
    if not secret:
        return None
    order = db.session.scalar(
        sa.select(Order).where(Order.secret == secret, Order.state == "basket").options(*_WHOLE),
        execution_options=BY_SECRET,
    )
    if order is None or not (_live_lines(order, now) or _expired_lines(order, now)):
        return None
    return order


def find_basket_badge(secret: str | None, *, now: dt.datetime) -> Badge | None:
    """The number of held lines and the first deadline, None when nothing is held."""
    if not secret:
        return None
    row = db.session.execute(
        sa.select(
            sa.func.count(),
            sa.func.min(SessionBooking.expires_at, type_=UTCDateTime),
            Site.hold_minutes,
        )
        .select_from(SessionBooking)
        .join(Order, SessionBooking.order_id == Order.id)
        .join(Site, Order.site_id == Site.id)
        .where(
            Order.secret == secret,
            Order.state == "basket",
            SessionBooking.cancelled_at.is_(None),
            SessionBooking.expires_at > now,
        )
        .group_by(Site.hold_minutes),
        execution_options=BY_SECRET,
    ).first()
    return Badge(row[0], row[1], row[2] * 60) if row and row[1] else None


def is_confirmed(secret: str) -> bool:
    """Whether this basket has become an order."""
    query = sa.select(Order.id).where(Order.secret == secret, Order.state == "confirmed")
    return db.session.scalar(query, execution_options=BY_SECRET) is not None


def find_order(secret: str) -> Order:
    """The confirmed order at an unguessable link; raises NotFound."""
    order = db.session.scalar(
        sa.select(Order)
        .where(Order.secret == secret, Order.state == "confirmed")
        .options(*_WHOLE, selectinload(Order.ledger)),
        execution_options=BY_SECRET,
    )
    if order is None:
        raise NotFound("We couldn't find that booking. Check the link you were given.")
    return order


def live_lines(order: Order, *, now: dt.datetime) -> list[SessionBooking]:
    """The lines whose places are held at `now`, or sold."""
    if order.state == "confirmed":
        return [line for line in _lines(order) if line.cancelled_at is None]
    return _live_lines(order, now)


def expired_lines(order: Order, *, now: dt.datetime) -> list[SessionBooking]:
    """The lines of a basket whose hold ran out and that can be tried again."""
    return _expired_lines(order, now)


_LINE = selectinload(Order.items).joinedload(OrderItem.booking)
_WHOLE = (
    joinedload(Order.site),
    _LINE.joinedload(SessionBooking.session).options(
        joinedload(Session.session_type).joinedload(SessionType.image),
        joinedload(Session.room),
        joinedload(Session.practitioner),
    ),
    _LINE.selectinload(SessionBooking.guests),
)


def _once(
    organisation_id: str,
    key: str,
    body: dict[str, Any],
    deed: Callable[[], str],
    now: dt.datetime,
) -> str:
    """Do `deed` in one transaction unless its key already has an answer (H6)."""
    try:
        with transaction():
            answer = find_answer(organisation_id, key, body)
            if answer is None:
                answer = deed()
                keep_answer(organisation_id, key, body, answer, now)
            return answer
    except Repeated:
        answer = find_answer(organisation_id, key, body)
        if answer is None:
            raise
        return answer


def _load_session(organisation_id: str, session_id: str) -> Session:
    found = db.session.scalar(
        sa.select(Session)
        .where(Session.organisation_id == organisation_id, Session.id == session_id)
        .options(joinedload(Session.session_type).selectinload(SessionType.price_rules))
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound("We couldn't find that session.")
    return found


def _open_basket(
    organisation_id: str,
    found: Session,
    secret: str | None,
    account_id: str | None,
    now: dt.datetime,
) -> Order:
    order = None
    if secret:
        order = db.session.scalar(
            _order_query(organisation_id, secret).where(
                Order.state == "basket", Order.site_id == found.site_id
            )
        )
    if order is None:
        return _new_order(organisation_id, found, account_id, now)
    _end_expired(order, now)
    if not _live_lines(order, now):
        order.held_since = now
        for line in _expired_lines(order):
            line.cancelled_by = "customer"
    return order


def _new_order(
    organisation_id: str,
    found: Session,
    account_id: str | None,
    now: dt.datetime,
    *,
    sold_by: str = "shop",
) -> Order:
    code, site = db.session.execute(
        sa.select(Organisation.code, Site)
        .join(Site, Site.organisation_id == Organisation.id)
        .where(Site.organisation_id == organisation_id, Site.id == found.site_id)
    ).one()
    customer, name, email = _known(organisation_id, account_id)
    order = Order(
        id=new_object_id(),
        organisation_id=organisation_id,
        site=site,
        customer_id=customer.id if customer else None,
        sold_by=sold_by,
        order_ref=f"{code} {''.join(secrets.choice(_REF_LETTERS) for _ in range(6))}",
        secret=secrets.token_urlsafe(24),
        currency=site.currency,
        name=name,
        email=email,
        held_since=now,
        created_at=now,
        items=[],
    )
    db.session.add(order)
    return order


def _hold_line(
    order: Order, found: Session, guests: int, viewer: Viewer, now: dt.datetime
) -> SessionBooking:
    """Check, claim and write one line; the claim is what decides (H1)."""
    organisation_id = order.organisation_id
    let_go_of_expired_on(organisation_id, found.id, now)
    live = _live_lines(order, now)
    for line in [line for line in live if line.session_id == found.id]:
        let_go(line, by="customer", now=now)
        live.remove(line)
    db.session.flush()
    db.session.refresh(found)
    venue = venue_of(order.site)
    offer, slot = offer_of(found.session_type, venue), slot_of(found)
    if viewer.is_signed_in and offer.max_bookings_per_member is not None and order.customer_id:
        viewer = replace(viewer, booked_on=_booked_on(organisation_id, order.customer_id, found.id))
    party = Party(
        guests=guests,
        of_type_in_basket=sum(line.session_type_id == found.session_type_id for line in live),
    )
    require_bookable(offer, slot, party, viewer, now)
    if not claim(organisation_id, found.id, places=guests, parties=1):
        raise NotBookable(f"Those {count(guests, 'place')} just went.", code="places_left")
    price = price_for(offer, slot, viewer)
    item = OrderItem(
        id=new_object_id(),
        organisation_id=organisation_id,
        order_id=order.id,
        places=guests,
        unit_price=price.amount or 0,
        currency=venue.currency,
        price_source=price.source,
        price_rule_id=price.rule_id,
        price_label=price.label,
        policy={
            "customer_cancellation_permitted": found.session_type.customer_cancellation_permitted,
            "customer_cancellation_min_duration": (
                found.session_type.customer_cancellation_min_duration
            ),
        },
    )
    line = SessionBooking(
        id=new_object_id(),
        organisation_id=organisation_id,
        site_id=found.site_id,
        session=found,
        session_type_id=found.session_type_id,
        session_type_name=found.session_type_name,
        order=order,
        order_item=item,
        places=guests,
        status="new",
        expires_at=first_deadline(now, venue.hold),
        created_at=now,
        updated_at=now,
        guests=[],
    )
    order.items.append(item)
    db.session.add(line)
    db.session.flush()
    return line


def _booked_on(
    organisation_id: str, customer_id: str, session_id: str, *, confirmed_only: bool = False
) -> dict[str, int]:
    query = (
        sa.select(sa.func.count())
        .select_from(SessionBooking)
        .where(
            SessionBooking.organisation_id == organisation_id,
            SessionBooking.customer_id == customer_id,
            SessionBooking.session_id == session_id,
            SessionBooking.cancelled_at.is_(None),
        )
    )
    if confirmed_only:
        query = query.where(SessionBooking.status == "confirmed")
    number = db.session.scalar(query)
    return {session_id: number or 0}


def _renew_lines(order: Order, session_type_id: str, now: dt.datetime) -> None:
    held_since = order.held_since or now
    hold = venue_of(order.site).hold
    for line in _live_lines(order, now):
        line.expires_at = renewed_deadline(now, held_since, hold)
    raise_revision(order.organisation_id, [session_type_id])


def _order_query(organisation_id: str, secret: str) -> sa.Select[Order]:
    return (
        sa.select(Order)
        .where(Order.organisation_id == organisation_id, Order.secret == secret)
        .options(_LINE, selectinload(Order.site))
        .with_for_update(of=Order)
        .execution_options(populate_existing=True)
    )


def _lock_order(organisation_id: str, secret: str) -> Order:
    order = db.session.scalar(_order_query(organisation_id, secret))
    if order is None:
        raise NotFound("We couldn't find that basket.")
    return order


def _lock_basket(organisation_id: str, secret: str) -> Order:
    order = _lock_order(organisation_id, secret)
    if order.state != "basket":
        raise NotFound("That basket has already been booked.")
    return order


def _lines(order: Order) -> list[SessionBooking]:
    return [item.booking for item in order.items]


def _live_lines(order: Order, now: dt.datetime) -> list[SessionBooking]:
    return [
        line
        for line in _lines(order)
        if line.cancelled_at is None and line.expires_at is not None and line.expires_at > now
    ]


def _expired_lines(order: Order, now: dt.datetime | None = None) -> list[SessionBooking]:
    """Ended by the clock: noted already, or (when `now` is given) only due to be."""
    return [
        line
        for line in _lines(order)
        if line.cancelled_by == "expired"
        or (
            now is not None
            and line.cancelled_at is None
            and line.expires_at is not None
            and line.expires_at <= now
        )
    ]


def _end_expired(order: Order, now: dt.datetime) -> None:
    touched = []
    for line in _lines(order):
        if line.cancelled_at is None and line.expires_at and line.expires_at <= now:
            touched.append(line.session_type_id)
            let_go(line, by="expired", now=now)
    raise_revision(order.organisation_id, touched)


def _confirmable_lines(order: Order, now: dt.datetime) -> list[SessionBooking]:
    lines = _live_lines(order, now)
    if not lines or _expired_lines(order, now):
        raise HoldExpired
    for line in lines:
        if line.session.deleted_at is not None:
            raise NotBookable("The venue has cancelled this session.", code="session_live")
        if line.session.start_time <= now:
            raise AlreadyStarted(line.session_type_name)
    return lines


def _name_guests(
    lines: Sequence[SessionBooking], booker: str, email: str, guest_names: Sequence[Sequence[str]]
) -> None:
    asked = [line for line in lines if asks_for_names(line)]
    times: dict[tuple[str, str], int] = {}
    for number, line in enumerate(asked):
        names = list(guest_names[number]) if number < len(guest_names) else []
        line.guests.clear()
        db.session.flush()
        for position in range(line.places):
            field = f"guest-{number}-{position}"
            name = booker
            if position:
                typed = names[position - 1] if position <= len(names) else ""
                name = check_name(typed, field=field, who=f"a name for guest {position + 1}")
            who = guest_key(email=email if position == 0 else "", name=name)
            limit = line.session.session_type.max_per_guest
            seen = (line.session_type_id, who)
            times[seen] = times.get(seen, 0) + 1
            if limit is not None and times[seen] > limit:
                raise RuleBroken(
                    f"{name} is already on this booking. One guest can have it "
                    f"{count(limit, 'time')}.",
                    code="max_per_guest",
                    field=field,
                )
            line.guests.append(
                Guest(
                    id=new_object_id(),
                    organisation_id=line.organisation_id,
                    position=position,
                    name=name,
                    email=email if position == 0 else "",
                )
            )


def _check_member_limit(lines: Sequence[SessionBooking], customer: Customer) -> None:
    """Two baskets of one member must not pass the limit together (C8)."""
    limited = [line for line in lines if line.session.session_type.max_bookings_per_member]
    if not limited:
        return
    db.session.execute(
        sa.select(Customer.id)
        .where(Customer.organisation_id == customer.organisation_id, Customer.id == customer.id)
        .with_for_update()
    )
    held = db.session.scalar(
        sa.select(sa.func.count())
        .select_from(Membership)
        .where(
            Membership.organisation_id == customer.organisation_id,
            Membership.customer_id == customer.id,
        )
    )
    for line in limited:
        limit = line.session.session_type.max_bookings_per_member or 0
        others = _booked_on(line.organisation_id, customer.id, line.session_id, confirmed_only=True)
        if held and others.get(line.session_id, 0) >= limit:
            raise NotBookable(
                "You have already booked this session.", code="max_bookings_per_member"
            )


def asks_for_names(line: SessionBooking) -> bool:
    """Names of all guests are asked only where the type needs them (DECISIONS)."""
    return line.session.session_type.max_per_guest is not None


def _find_or_add_customer(
    organisation_id: str, name: str, email: str, account_id: str | None, now: dt.datetime
) -> Customer:
    known = _known(organisation_id, account_id)[0]
    if known is not None:
        return known
    customer = _customer_with(organisation_id, email) if email else None
    if customer is not None:
        return customer
    fresh = Customer(
        id=new_object_id(),
        organisation_id=organisation_id,
        account_id=account_id,
        name=name,
        email=email,
        email_key=email_key(email) if email else None,
        created_at=now,
    )
    try:
        with db.session.begin_nested():
            db.session.add(fresh)
    except IntegrityError:
        # Two first bookings of one person at once: the other one's row is theirs.
        customer = _customer_with(organisation_id, email)
        if customer is None:
            raise
        return customer
    return fresh


def _known(organisation_id: str, account_id: str | None) -> tuple[Customer | None, str, str]:
    """A signed-in person's customer row here, if any, with the name and address to offer."""
    if account_id is None:
        return None, "", ""
    customer = db.session.scalar(
        sa.select(Customer).where(
            Customer.organisation_id == organisation_id, Customer.account_id == account_id
        )
    )
    if customer is not None:
        return customer, customer.name, customer.email
    account = db.session.get_one(Account, account_id)
    return None, account.name, account.email


def _customer_with(organisation_id: str, email: str) -> Customer | None:
    return db.session.scalar(
        sa.select(Customer).where(
            Customer.organisation_id == organisation_id, Customer.email_key == email_key(email)
        )
    )


def _settle(
    order: Order,
    lines: Sequence[SessionBooking],
    customer: Customer,
    name: str,
    email: str,
    now: dt.datetime,
) -> None:
    order.state, order.confirmed_at = "confirmed", now
    order.name, order.email, order.customer_id = name, email, customer.id
    for line in lines:
        line.status, line.expires_at = "confirmed", None
        line.customer_id, line.updated_at = customer.id, now
    total = sum(line.order_item.unit_price * line.places for line in lines)
    if total:
        db.session.add(
            LedgerEntry(
                id=new_object_id(),
                organisation_id=order.organisation_id,
                order_id=order.id,
                kind="charge",
                amount=total,
                currency=order.currency,
                created_at=now,
            )
        )
