"""Steps that baskets and checkout share; none of them commits."""

import datetime as dt
import hashlib
import secrets
from collections.abc import Collection, Sequence
from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy.orm import joinedload, selectinload

from domain.eligibility import (
    Check,
    Party,
    Viewer,
    first_refusal,
    price_for,
    require_bookable,
)
from domain.errors import (
    NotBookable,
    NotFound,
)
from domain.guests import Attending
from domain.holds import first_deadline
from domain.private_links import SENTENCES
from domain.words import count
from models import (
    Account,
    Customer,
    Order,
    OrderItem,
    Organisation,
    PrivateLink,
    Session,
    SessionBooking,
    SessionType,
    Site,
    db,
    new_object_id,
    unbound,
)
from services.facts import offer_of, slot_of, venue_of
from services.link_places import CAME_BY, FROM_KEPT, Way, admit, as_held, begin_use, with_kept
from services.places import claim, let_go, lock_sessions
from services.waking import AGREED, pass_on_expired, wake

BY_SECRET = unbound("an order's secret is its own key, unique in the installation")


_REF_LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"


LINE = selectinload(Order.items).joinedload(OrderItem.booking)
TYPE = LINE.joinedload(SessionBooking.session).joinedload(Session.session_type)


WHOLE = (
    joinedload(Order.site),
    LINE.joinedload(SessionBooking.session).options(
        joinedload(Session.session_type).options(
            joinedload(SessionType.image), selectinload(SessionType.price_rules)
        ),
        joinedload(Session.room),
        joinedload(Session.practitioner),
    ),
    LINE.selectinload(SessionBooking.guests),
)


def load_session(organisation_id: str, session_id: str) -> Session:
    """The session as it is now, with its type and rules; raises NotFound."""
    found = db.session.scalar(
        sa.select(Session)
        .where(Session.organisation_id == organisation_id, Session.id == session_id)
        .options(joinedload(Session.session_type).selectinload(SessionType.price_rules))
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound("We couldn't find that session.")
    return found


def load_session_at(organisation_id: str, site_id: str, session_id: str) -> Session:
    """The session of this site, with what its pages show of it; raises NotFound (D1)."""
    found = db.session.scalar(
        sa.select(Session)
        .where(
            Session.organisation_id == organisation_id,
            Session.site_id == site_id,
            Session.id == session_id,
        )
        .options(
            joinedload(Session.session_type).selectinload(SessionType.price_rules),
            joinedload(Session.room),
            joinedload(Session.practitioner),
        )
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound("We couldn't find that session.")
    return found


def list_live_lines(
    organisation_id: str, session_id: str, now: dt.datetime
) -> list[SessionBooking]:
    """Everything live on a session: sold, held (unless it has run out), waiting; with its books."""
    return list_live_lines_on(organisation_id, [session_id], now)


def list_live_lines_on(
    organisation_id: str, session_ids: Collection[str], now: dt.datetime
) -> list[SessionBooking]:
    """The same of several sessions, in as few questions."""
    return list(
        db.session.scalars(
            sa.select(SessionBooking)
            .join(SessionBooking.order)
            .where(
                SessionBooking.organisation_id == organisation_id,
                SessionBooking.session_id.in_(session_ids),
                SessionBooking.cancelled_at.is_(None),
                sa.or_(SessionBooking.expires_at.is_(None), SessionBooking.expires_at > now),
            )
            .options(
                joinedload(SessionBooking.order_item),
                joinedload(SessionBooking.customer),
                joinedload(SessionBooking.order).selectinload(Order.ledger),
            )
            .order_by(SessionBooking.id)
            .execution_options(populate_existing=True)
        )
    )


def new_order(
    organisation_id: str,
    found: Session,
    account_id: str | None,
    now: dt.datetime,
    *,
    sold_by: str = "shop",
) -> Order:
    """A fresh basket at the session's site, with what is known of a signed-in person."""
    code, site = db.session.execute(
        sa.select(Organisation.code, Site)
        .join(Site, Site.organisation_id == Organisation.id)
        .where(Site.organisation_id == organisation_id, Site.id == found.site_id)
    ).one()
    customer, name, email = known_customer(organisation_id, account_id)
    order = Order(
        id=new_object_id(),
        organisation_id=organisation_id,
        site=site,
        customer_id=customer.id if customer else None,
        sold_by=sold_by,
        order_ref=_fresh_ref(organisation_id, code),
        secret=secrets.token_urlsafe(24),
        currency=site.currency,
        name=name,
        email=email,
        held_by_id=account_id,
        held_since=now,
        created_at=now,
        items=[],
    )
    db.session.add(order)
    return order


def _fresh_ref(organisation_id: str, code: str) -> str:
    while True:
        ref = f"{code} {''.join(secrets.choice(_REF_LETTERS) for _ in range(6))}"
        taken = db.session.scalar(
            sa.select(Order.id).where(
                Order.organisation_id == organisation_id, Order.order_ref == ref
            )
        )
        if taken is None:
            return ref


def hold_line(
    order: Order,
    found: Session,
    guests: int,
    viewer: Viewer,
    now: dt.datetime,
    way: Way | None = None,
) -> SessionBooking:
    """Check, claim and write one line; the claim is what decides (H1).

    `way` is the private address it is held by, asked again here and kept with the line (D2).
    """
    organisation_id = order.organisation_id
    lock_sessions(organisation_id, [found.id])
    # Whoever waits for a place comes first: what is free now is theirs (W1, H10).
    pass_on_expired(organisation_id, [found.id], now)
    live = live_lines(order, now=now)
    own = [line for line in live if line.session_id == found.id]
    for line in own:
        let_go(line, by="customer", now=now)
        live.remove(line)
    db.session.flush()
    db.session.refresh(found)
    venue = venue_of(order.site)
    viewer, link = admit(way, found, viewer, now)
    offer, slot = offer_of(found.session_type, venue), with_kept(slot_of(found), link)
    require_bookable(offer, slot, party_of(guests, found.session_type_id, live, order), viewer, now)
    noted = _take(found, guests, way, link, now)
    if not live:
        order.currency = offer.currency
    price = price_for(offer, slot, viewer)
    if price.amount is None:
        # Staff are not asked whether it is priced (R20), but nothing is given away by mistake.
        raise NotBookable("This time has no price yet, so it can't be sold.", code="priced")
    item = OrderItem(
        id=new_object_id(),
        organisation_id=organisation_id,
        order_id=order.id,
        places=guests,
        unit_price=price.amount,
        currency=order.currency,
        price_source=price.source,
        price_rule_id=price.rule_id,
        price_label=price.label,
        policy={**{name: getattr(found.session_type, name) for name in AGREED}, **noted},
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
        private_link_id=link.id if link else None,
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
    if own:
        # A smaller party than before leaves places to who waits.
        wake(organisation_id, [found.id], now=now)
    return line


def _take(
    found: Session, guests: int, way: Way | None, link: PrivateLink | None, now: dt.datetime
) -> dict[str, object]:
    """Take the places, and of a private link a use; what its line notes of it (H1)."""
    if link is None:
        if not claim(found.organisation_id, found.id, places=guests, parties=1):
            raise just_went(guests)
        return {CAME_BY: way.digest} if way else {}
    from_kept = begin_use(link, guests, now)
    if from_kept is None:
        raise NotBookable(SENTENCES["used_up"], code="visible")
    if not claim(found.organisation_id, found.id, places=guests, parties=1, from_kept=from_kept):
        raise just_went(guests)
    return {FROM_KEPT: from_kept} if from_kept else {}


def party_of(
    guests: int, session_type_id: str, others: Sequence[SessionBooking], order: Order
) -> Party:
    """The party of a new line, beside the other lines of its basket (H2, H8)."""
    return Party(
        guests=guests,
        lines_in_basket=len(others),
        currency_of_basket=order.currency if others else "",
        of_type_in_basket=sum(line.session_type_id == session_type_id for line in others),
    )


def held_refusal(
    order: Order,
    line: SessionBooking,
    others: Sequence[SessionBooking],
    viewer: Viewer,
    now: dt.datetime,
) -> Check | None:
    """Why a held line can no longer be confirmed by this person, None when it can (R20)."""
    found = line.session
    return first_refusal(
        offer_of(found.session_type, venue_of(order.site)),
        slot_of(found),
        replace(party_of(line.places, line.session_type_id, others, order), is_held=True),
        as_held(line, viewer),
        now,
    )


def just_went(places: int) -> NotBookable:
    """Somebody else was quicker by a moment: the claim decides, not what was read (H1)."""
    what = "That place" if places == 1 else f"Those {count(places, 'place')}"
    return NotBookable(f"{what} just went.", code="places_left")


def order_query(organisation_id: str, secret: str) -> sa.Select[Order]:
    """The order with its lines, locked where the database locks rows.

    Only its key may be looked at meanwhile: who writes a booking twice makes PostgreSQL do so.
    """
    return (
        sa.select(Order)
        .where(Order.organisation_id == organisation_id, Order.secret == secret)
        .options(LINE, TYPE.selectinload(SessionType.price_rules), selectinload(Order.site))
        .with_for_update(of=Order, key_share=True)
        .execution_options(populate_existing=True)
    )


def lock_order(organisation_id: str, secret: str) -> Order:
    """The order for a change; raises NotFound."""
    order = db.session.scalar(order_query(organisation_id, secret))
    if order is None:
        raise NotFound("We couldn't find that basket.")
    return order


def lock_basket(organisation_id: str, secret: str) -> Order:
    """An order that is still a basket; raises NotFound."""
    order = lock_order(organisation_id, secret)
    if order.state != "basket":
        raise NotFound("That basket has already been booked.")
    return order


def is_theirs(order: Order, account_id: str | None) -> bool:
    """Whether this person may use the basket: a visitor's is anybody's who has its secret."""
    return order.held_by_id is None or order.held_by_id == account_id


def basket_mark(order: Order, lines: Sequence[SessionBooking]) -> str:
    """What a page showed of a basket: another line, number or price makes another mark (P6, P9)."""
    shown = sorted(
        f"{line.id}:{line.places}:{line.order_item.unit_price}:{line.order_item.currency}"
        for line in lines
    )
    return hashlib.sha256("|".join([order.id, *shown]).encode()).hexdigest()[:24]


def lines_of(order: Order) -> list[SessionBooking]:
    """Every line of an order, ended ones too."""
    return [item.booking for item in order.items]


def live_lines(order: Order, *, now: dt.datetime) -> list[SessionBooking]:
    """The lines whose places are held at `now`, or sold."""
    live = [line for line in lines_of(order) if line.cancelled_at is None]
    if order.state == "confirmed":
        return live
    return [line for line in live if line.expires_at is not None and line.expires_at > now]


def expired_lines(order: Order, *, now: dt.datetime | None = None) -> list[SessionBooking]:
    """Lines ended by the clock: noted already, or (when `now` is given) only due to be."""
    return [
        line
        for line in lines_of(order)
        if (line.cancelled_by == "expired" and line.told_at is None)
        or (
            now is not None
            and line.cancelled_at is None
            and line.expires_at is not None
            and line.expires_at <= now
        )
    ]


def withdrawn_lines(order: Order) -> list[SessionBooking]:
    """Lines whose session the venue has cancelled, until the customer puts that aside (R12)."""
    return [
        line for line in lines_of(order) if line.cancelled_by == "venue" and line.told_at is None
    ]


def end_expired(order: Order, now: dt.datetime) -> set[str]:
    """Note the ends that the clock has brought; the types whose places came back.

    The sessions of `expired_lines` are locked by the caller.
    """
    due = [line for line in expired_lines(order, now=now) if line.cancelled_at is None]
    return {
        line.session_type_id
        for line in sorted(due, key=lambda line: line.session_id)
        if let_go(line, by="expired", now=now)
    }


def known_customer(
    organisation_id: str, account_id: str | None
) -> tuple[Customer | None, str, str]:
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
    account = db.session.get(Account, account_id)
    # Closed meanwhile, in another window: a visitor from now on.
    return (None, account.name, account.email) if account else (None, "", "")


def asks_for_names(line: SessionBooking) -> bool:
    """Names of all guests are asked only where the type needs them (DECISIONS)."""
    kind = line.session.session_type
    return kind.max_per_guest is not None or kind.intake_asks_guests


def attending(line: SessionBooking) -> Attending:
    """The values of a line that asks for names."""
    return Attending(
        type_id=line.session_type_id,
        name=line.session_type_name,
        local_start=line.session.local_start,
        places=line.places,
        max_per_guest=line.session.session_type.max_per_guest,
    )
