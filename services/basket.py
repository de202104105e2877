"""Holding places: a basket, its clock and its way back (H1-H4, H8)."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from domain.capacity import places_left
from domain.eligibility import Viewer, can_book, require_bookable
from domain.errors import (
    HoldCeilingReached,
    HoldExpired,
    NotBookable,
    NotFound,
)
from domain.guests import Stay, find_overlaps
from domain.holds import can_renew, renewed_deadline
from domain.people import MAX_NAME
from models import (
    Order,
    Session,
    SessionBooking,
    Site,
    db,
    transaction,
)
from services.facts import offer_of, slot_of, venue_of
from services.idempotency import once
from services.lines import (
    BY_SECRET,
    WHOLE,
    basket_mark,
    end_expired,
    expired_lines,
    held_refusal,
    hold_line,
    is_theirs,
    just_went,
    lines_of,
    live_lines,
    load_session,
    lock_basket,
    lock_order,
    new_order,
    order_query,
    party_of,
    withdrawn_lines,
)
from services.link_places import Way, as_held, kept_in_change, way_of
from services.places import (
    extend,
    let_go,
    lock_sessions,
    raise_revision,
    resize,
)
from services.waking import pass_on_expired, wake

MAX_TYPED = 1000
"""Characters kept of one field of a checkout form."""


@dataclass(frozen=True, slots=True)
class Badge:
    """What the head of every page says of the basket: lines, and when the first runs out."""

    lines: int
    expires_at: dt.datetime
    whole: int
    currency: str = ""
    # Of each line its type and its session.
    held: tuple[tuple[str, str], ...] = ()

    def seconds_left(self, now: dt.datetime) -> int:
        """Whole seconds until the first line runs out."""
        return max(0, int((self.expires_at - now).total_seconds()))


@dataclass(frozen=True, slots=True)
class RebuiltLine:
    """What became of one expired line when the basket was rebuilt (H4); prices of the line."""

    name: str
    sentence: str
    is_held: bool
    old_price: int = 0
    new_price: int = 0
    currency: str = ""

    @property
    def price_changed(self) -> bool:
        """Whether the line costs something else than before (P6)."""
        return self.is_held and self.old_price != self.new_price


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
    way: Way | None = None,
    now: dt.datetime,
) -> str:
    """Hold `guests` places in a basket; the basket's secret (H1, H2, H3, P6).

    A line for the same session is replaced. `way` is the private address it is held by. Raises
    NotBookable with the code of the first check that failed, NotFound, KeyReused.
    """
    body: dict[str, object] = {"session": session_id, "guests": guests}
    if way is not None:
        body["way"] = way.link_id or way.digest

    def deed() -> str:
        found = load_session(organisation_id, session_id)
        if found.session_type_id != session_type_id:
            raise NotFound("We couldn't find that session.")
        basket, touched = _open_basket(organisation_id, found, basket_secret, account_id, now)
        hold_line(basket, found, guests, viewer, now, way)
        _renew_lines(basket, now)
        raise_revision(organisation_id, {found.session_type_id, *touched})
        return basket.secret

    return once(organisation_id, key, body, deed, now)


def renew_hold(organisation_id: str, secret: str, *, now: dt.datetime) -> None:
    """Keep my places: all lines run again, up to the ceiling (H3)."""
    with transaction():
        order = lock_basket(organisation_id, secret)
        lines = live_lines(order, now=now)
        if not lines or order.held_since is None:
            raise HoldExpired
        expires_at = min(line.expires_at for line in lines if line.expires_at)
        hold = venue_of(order.site).hold
        if not can_renew(now, order.held_since, expires_at, hold):
            raise HoldCeilingReached
        for line in lines:
            if not extend(line, renewed_deadline(now, order.held_since, hold), now):
                raise HoldExpired


def drop_line(organisation_id: str, secret: str, booking_id: str, *, now: dt.datetime) -> None:
    """Take one line out of the basket; its places are free at once."""
    with transaction():
        order = lock_basket(organisation_id, secret)
        line = next((line for line in lines_of(order) if line.id == booking_id), None)
        if line is None:
            raise NotFound
        session_id, session_type_id = line.session_id, line.session_type_id
        lock_sessions(organisation_id, [session_id])
        if let_go(line, by="customer", now=now):
            wake(organisation_id, [session_id], now=now)
            raise_revision(organisation_id, [session_type_id])
        elif line in withdrawn_lines(order):
            line.told_at = now


def change_guests(
    organisation_id: str,
    secret: str,
    booking_id: str,
    *,
    guests: int,
    viewer: Viewer,
    now: dt.datetime,
) -> None:
    """Another number of guests on a held line, at the price quoted for it (P6).

    More are claimed all or none (H2); fewer are free for others at once. Raises NotBookable,
    HoldExpired, NotFound.
    """
    with transaction():
        order = lock_basket(organisation_id, secret)
        lines = live_lines(order, now=now)
        line = next((line for line in lines if line.id == booking_id), None)
        if line is None:
            raise (
                NotFound if all(line.id != booking_id for line in lines_of(order)) else HoldExpired
            )
        session_id, type_id, more = line.session_id, line.session_type_id, guests - line.places
        lock_sessions(organisation_id, [session_id])
        pass_on_expired(organisation_id, [session_id], now)
        found = load_session(organisation_id, session_id)
        others = [other for other in lines if other is not line]
        _require_party(line, found, guests, others, viewer, now)
        if more and not resize(line, guests, now):
            raise just_went(more)
        line.order_item.places = guests
        if more < 0:
            wake(organisation_id, [session_id], now=now)
        raise_revision(organisation_id, [type_id])


def _require_party(
    line: SessionBooking,
    found: Session,
    guests: int,
    others: Sequence[SessionBooking],
    viewer: Viewer,
    now: dt.datetime,
) -> None:
    """Ask for the whole party, and then for room for those who are new (R20, H2)."""
    order, more, viewer = line.order, guests - line.places, as_held(line, viewer)
    offer, slot = offer_of(found.session_type, venue_of(order.site)), slot_of(found)
    kept = kept_in_change(line, guests, now) if more > 0 else 0
    slot = replace(slot, places_taken=slot.places_taken - kept)
    party = replace(party_of(guests, found.session_type_id, others, order), is_held=True)
    require_bookable(offer, slot, party, viewer, now)
    if more > 0 and places_left(slot.capacity, slot.places_taken) < more:
        refusal = next(
            check
            for check in can_book(
                offer, slot, replace(party, guests=more, is_held=False), viewer, now
            )
            if check.code == "places_left"
        )
        raise NotBookable(refusal.sentence, code=refusal.code)


def rebuild_basket(
    organisation_id: str, secret: str, *, viewer: Viewer, now: dt.datetime
) -> list[RebuiltLine]:
    """Hold again every line that ran out, each whole or not at all, saying why not (H2, H4, P6)."""
    outcome = []
    with transaction():
        order = lock_basket(organisation_id, secret)
        gone = expired_lines(order, now=now)
        lock_sessions(organisation_id, [line.session_id for line in gone])
        touched = end_expired(order, now)
        wake(organisation_id, [line.session_id for line in gone], now=now)
        if not live_lines(order, now=now):
            order.held_since = now
        for line in sorted(expired_lines(order), key=lambda line: line.session_id):
            found = load_session(organisation_id, line.session_id)
            try:
                with db.session.begin_nested():
                    fresh = hold_line(order, found, line.places, viewer, now, way_of(line))
            except NotBookable as refusal:
                outcome.append(RebuiltLine(line.session_type_name, refusal.sentence, False))
            else:
                old, new = (it.order_item.unit_price * it.places for it in (line, fresh))
                outcome.append(
                    RebuiltLine(line.session_type_name, "", True, old, new, order.currency)
                )
            # The next rebuild must not try it again.
            line.told_at = now
            touched.add(line.session_type_id)
        raise_revision(organisation_id, touched)
    return outcome


def keep_details(
    organisation_id: str, secret: str, *, name: str, email: str, typed: dict[str, str]
) -> None:
    """Remember what was typed, so that an expired basket loses nothing (H4)."""
    with transaction():
        order = lock_order(organisation_id, secret)
        if order.state == "basket":
            order.name, order.email = name[:MAX_NAME], email[:254]
            order.typed = {field: text[:MAX_TYPED] for field, text in typed.items()}


@dataclass(frozen=True, slots=True)
class Review:
    """An open basket as it stands at a moment: what a page about it needs to know."""

    lines: tuple[SessionBooking, ...]
    gone: tuple[SessionBooking, ...]
    # Lines whose session the venue has cancelled meanwhile.
    withdrawn: tuple[SessionBooking, ...]
    # Line id to the sentence why it can no longer be confirmed by this person.
    refusals: dict[str, str]
    overlaps: tuple[tuple[Stay, Stay], ...]
    expires_at: dt.datetime | None
    can_keep: bool
    total: int
    mark: str

    def seconds_left(self, now: dt.datetime) -> int:
        """Whole seconds until the first line runs out."""
        return max(0, int((self.expires_at - now).total_seconds())) if self.expires_at else 0


def review_basket(order: Order, viewer: Viewer, *, now: dt.datetime) -> Review:
    """Each line asked again, the clock, the sum; changes nothing (R20, H3, H9)."""
    lines, hold = live_lines(order, now=now), venue_of(order.site).hold
    refusals = {}
    for line in lines:
        others = [other for other in lines if other is not line]
        refusal = held_refusal(order, line, others, viewer, now)
        if refusal is not None:
            refusals[line.id] = refusal.sentence
    stays = [
        Stay(line.session_type_name, line.session.start_time, line.session.end_time)
        for line in lines
    ]
    expires_at = min((line.expires_at for line in lines if line.expires_at), default=None)
    can_keep = (
        expires_at is not None
        and order.held_since is not None
        and can_renew(now, order.held_since, expires_at, hold)
    )
    return Review(
        lines=tuple(lines),
        gone=tuple(expired_lines(order, now=now)),
        withdrawn=tuple(withdrawn_lines(order)),
        refusals=refusals,
        overlaps=tuple(find_overlaps(stays)),
        expires_at=expires_at,
        can_keep=can_keep,
        total=sum(line.order_item.unit_price * line.places for line in lines),
        mark=basket_mark(order, lines),
    )


def find_basket(
    secret: str | None, *, account_id: str | None = None, now: dt.datetime
) -> Order | None:
    """The open basket with its lines, None when there is none for this person; changes nothing."""
    if not secret:
        return None
    order = db.session.scalar(
        sa.select(Order).where(Order.secret == secret, Order.state == "basket").options(*WHOLE),
        execution_options=BY_SECRET,
    )
    if order is None or not is_theirs(order, account_id):
        return None
    if not (live_lines(order, now=now) or expired_lines(order, now=now) or withdrawn_lines(order)):
        return None
    return order


def find_basket_badge(secret: str | None, *, now: dt.datetime) -> Badge | None:
    """The number of held lines and the first deadline, None when nothing is held."""
    if not secret:
        return None
    rows = db.session.execute(
        sa.select(
            SessionBooking.session_type_id,
            SessionBooking.session_id,
            SessionBooking.expires_at,
            Site.hold_minutes,
            Order.currency,
        )
        .select_from(SessionBooking)
        .join(Order, SessionBooking.order_id == Order.id)
        .join(Site, Order.site_id == Site.id)
        .where(
            Order.secret == secret,
            Order.state == "basket",
            SessionBooking.cancelled_at.is_(None),
            SessionBooking.expires_at > now,
        ),
        execution_options=BY_SECRET,
    ).all()
    if not rows:
        return None
    first = min(row.expires_at for row in rows)
    held = tuple((row.session_type_id, row.session_id) for row in rows)
    return Badge(len(rows), first, rows[0].hold_minutes * 60, rows[0].currency, held)


def _open_basket(
    organisation_id: str,
    found: Session,
    secret: str | None,
    account_id: str | None,
    now: dt.datetime,
) -> tuple[Order, set[str]]:
    order = None
    if secret:
        order = db.session.scalar(
            order_query(organisation_id, secret).where(
                Order.state == "basket", Order.site_id == found.site_id
            )
        )
    if order is None or not is_theirs(order, account_id):
        return new_order(organisation_id, found, account_id, now), set()
    order.held_by_id = account_id
    gone = [line.session_id for line in expired_lines(order, now=now)]
    lock_sessions(organisation_id, [found.id, *gone])
    touched = end_expired(order, now)
    wake(organisation_id, gone, now=now)
    if not live_lines(order, now=now):
        order.held_since = now
        for line in [*expired_lines(order), *withdrawn_lines(order)]:
            line.told_at = now
    return order, touched


def _renew_lines(order: Order, now: dt.datetime) -> None:
    held_since = order.held_since or now
    hold = venue_of(order.site).hold
    for line in live_lines(order, now=now):
        extend(line, renewed_deadline(now, held_since, hold), now)
