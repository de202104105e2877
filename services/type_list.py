"""The session types of a site as staff see them, each with what keeps it from being sold."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import joinedload, selectinload

from domain.eligibility import Offer
from domain.local_time import local_day, to_local
from domain.pricing import price_of
from domain.selling_checks import ComingSession, Hurdle, SellingFacts, find_hurdles
from domain.session_types import state_of
from models import (
    MembershipType,
    RecurrenceGroup,
    Room,
    Session,
    SessionType,
    db,
    session_type_categories,
)
from services.facts import Venue, offer_of
from services.session_types import find_type

PER_PAGE = 25
AHEAD = dt.timedelta(days=92)
"""How far the list looks for gaps; the page of one type looks at all that is coming."""

STATES = ("on_sale", "link_only", "staff_only", "archived")
SORTS = ("name", "next", "coming", "changed")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the list's address asks for; unknown words count as none."""

    text: str = ""
    state: str = ""
    category: str = ""
    sort: str = "name"
    page: int = 1


@dataclass(frozen=True, slots=True)
class TypeLine:
    """One type of the list; `hurdle` is the first thing that keeps it from being sold."""

    kind: SessionType
    state: str
    categories: tuple[str, ...]
    from_price: int | None
    next_start: dt.datetime | None
    coming: int
    hurdle: Hurdle | None


@dataclass(frozen=True, slots=True)
class TypeList:
    """One page of the list, with how many there are in each state."""

    lines: tuple[TypeLine, ...]
    counts: dict[str, int]
    found: int
    page: int
    pages: int


def list_types(venue: Venue, wanted: Wanted, *, now: dt.datetime) -> TypeList:
    """A page of the site's types; the number of queries does not grow with them."""
    counts = _count_states(venue)
    coming = _coming(venue, now)
    query = _narrowed(venue, wanted)
    found = db.session.scalar(query.with_only_columns(sa.func.count(SessionType.id))) or 0
    pages = max(1, -(-found // PER_PAGE))
    page = min(max(1, wanted.page), pages)
    rows = db.session.execute(
        query.outerjoin(coming, coming.c.session_type_id == SessionType.id)
        .add_columns(coming.c.sessions, coming.c.first)
        .options(
            joinedload(SessionType.image),
            selectinload(SessionType.price_rules),
            selectinload(SessionType.categories),
        )
        .order_by(*_order(wanted.sort, coming))
        .limit(PER_PAGE)
        .offset((page - 1) * PER_PAGE)
    ).all()
    facts = _Facts(venue, [row[0].id for row in rows], now, until=now + AHEAD)
    return TypeList(
        lines=tuple(_line(row[0], row[1] or 0, row[2], facts) for row in rows),
        counts=counts,
        found=found,
        page=page,
        pages=pages,
    )


def find_selling(venue: Venue, type_id: str, *, now: dt.datetime) -> tuple[Hurdle, ...]:
    """Everything that keeps one type from being sold; raises NotFound."""
    row = find_type(venue.organisation_id, venue.id, type_id)
    return tuple(_Facts(venue, [row.id], now, until=None).hurdles(row))


class _Facts:
    """What is asked of the database once for all types of a page."""

    def __init__(
        self, venue: Venue, type_ids: Sequence[str], now: dt.datetime, *, until: dt.datetime | None
    ) -> None:
        self._venue, self._now = venue, now
        self._sessions = _read_sessions(venue, type_ids, now, until)
        self._series = _read_series(venue, type_ids)
        self._live_kinds = _read_membership_types(venue)

    def hurdles(self, row: SessionType) -> list[Hurdle]:
        """What keeps it from being sold, first things first."""
        offer = offer_of(row, self._venue)
        permitted = offer.permitted_membership_type_ids
        held = (permitted or self._live_kinds) if row.members_only else frozenset()
        sessions = [self._coming(offer, held, found) for found in self._sessions[row.id]]
        return find_hurdles(
            SellingFacts(
                zone=self._venue.zone,
                sessions=sessions,
                is_archived=row.deleted_at is not None,
                offered_online=row.offered_online,
                visibility=row.visibility,
                members_only=row.members_only,
                permitted=len(permitted),
                permitted_live=len(permitted & self._live_kinds),
                membership_types=len(self._live_kinds),
                opens_before=offer.window.opens_before,
                closes_before=offer.window.closes_before,
                members_open_before=tuple(
                    window.opens_before
                    for window in offer.membership_windows.values()
                    if window.opens_before is not None
                ),
                live_series=self._series.get(row.id, 0),
            ),
            self._now,
        )

    def from_price(self, row: SessionType) -> int | None:
        """The least price of a place that a visitor finds in the coming sessions with room."""
        offer = offer_of(row, self._venue)
        prices = [
            price_of(found.local_start, offer.rules, override=found.price).amount
            for found in self._sessions[row.id]
            if not _is_full(found)
        ]
        return min((price for price in prices if price is not None), default=None)

    def _coming(self, offer: Offer, held: Iterable[str], found: Any) -> ComingSession:
        price = price_of(
            found.local_start, offer.rules, override=found.price, membership_type_ids=held
        )
        return ComingSession(
            found.local_start,
            has_price=price.amount is not None,
            is_full=_is_full(found),
            archived_room=found.room or "",
        )


def _is_full(found: Any) -> bool:
    is_party_left = found.max_baskets is None or found.parties_taken < found.max_baskets
    return bool(found.taken >= found.capacity or not is_party_left)


def _line(row: SessionType, coming: int, first: Any, facts: _Facts) -> TypeLine:
    return TypeLine(
        kind=row,
        state=state_of(
            is_archived=row.deleted_at is not None,
            visibility=row.visibility,
            offered_online=row.offered_online,
        ),
        categories=tuple(category.name for category in row.categories),
        from_price=facts.from_price(row),
        next_start=first,
        coming=coming,
        hurdle=next(iter(facts.hurdles(row)), None),
    )


def _of_site(venue: Venue) -> tuple[Any, ...]:
    return (
        SessionType.organisation_id == venue.organisation_id,
        SessionType.site_id == venue.id,
    )


def _state() -> Any:
    """The same words as `state_of`, for counting in the database."""
    return sa.case(
        (SessionType.deleted_at.is_not(None), "archived"),
        (
            sa.or_(sa.not_(SessionType.offered_online), SessionType.visibility == "private"),
            "staff_only",
        ),
        (SessionType.visibility == "public", "on_sale"),
        else_="link_only",
    )


def _count_states(venue: Venue) -> dict[str, int]:
    state = _state()
    rows = db.session.execute(
        sa.select(state.label("state"), sa.func.count()).where(*_of_site(venue)).group_by("state")
    ).all()
    return {**dict.fromkeys(STATES, 0), **{name: int(number) for name, number in rows}}


def _narrowed(venue: Venue, wanted: Wanted) -> sa.Select[Any]:
    query: sa.Select[Any] = sa.select(SessionType).where(*_of_site(venue))
    # Archived ones are shown only where they are asked for.
    if wanted.state in STATES:
        query = query.where(_state() == wanted.state)
    else:
        query = query.where(SessionType.deleted_at.is_(None))
    if wanted.category:
        query = query.where(
            SessionType.id.in_(
                sa.select(session_type_categories.c.session_type_id).where(
                    session_type_categories.c.category_id == wanted.category
                )
            )
        )
    for word in wanted.text.split()[:8]:
        query = query.where(
            sa.or_(
                SessionType.name.icontains(word, autoescape=True),
                SessionType.summary.icontains(word, autoescape=True),
                SessionType.product_code.icontains(word, autoescape=True),
                SessionType.external_id.icontains(word, autoescape=True),
            )
        )
    return query


def _coming(venue: Venue, now: dt.datetime) -> sa.Subquery:
    return (
        sa.select(
            Session.session_type_id,
            sa.func.count(Session.id).label("sessions"),
            sa.func.min(Session.local_start).label("first"),
        )
        .where(
            Session.organisation_id == venue.organisation_id,
            Session.site_id == venue.id,
            Session.deleted_at.is_(None),
            # By the index of local starts first; the instant decides.
            Session.local_start >= _midnight(venue, now),
            Session.start_time > now,
        )
        .group_by(Session.session_type_id)
        .subquery()
    )


def _order(sort: str, coming: sa.Subquery) -> tuple[Any, ...]:
    name = (sa.func.lower(SessionType.name), SessionType.id)
    orders: dict[str, tuple[Any, ...]] = {
        "next": (coming.c.first.asc().nulls_last(), *name),
        "coming": (sa.func.coalesce(coming.c.sessions, 0).desc(), *name),
        "changed": (SessionType.updated_at.desc(), *name),
    }
    return orders.get(sort, name)


def _midnight(venue: Venue, now: dt.datetime) -> dt.datetime:
    return dt.datetime.combine(local_day(now, venue.zone), dt.time())


def _read_sessions(
    venue: Venue, type_ids: Sequence[str], now: dt.datetime, until: dt.datetime | None
) -> dict[str, list[Any]]:
    query: Any = (
        sa.select(
            Session.session_type_id,
            Session.local_start,
            Session.price,
            Session.capacity,
            (Session.places_taken + Session.places_kept).label("taken"),
            Session.max_baskets,
            Session.parties_taken,
            sa.case((Room.deleted_at.is_not(None), Room.name)).label("room"),
        )
        .outerjoin(Room, Session.room_id == Room.id)
        .where(
            Session.organisation_id == venue.organisation_id,
            Session.session_type_id.in_(type_ids),
            Session.deleted_at.is_(None),
            Session.start_time > now,
            Session.local_start >= _midnight(venue, now),
        )
    )
    if until is not None:
        query = query.where(Session.local_start < to_local(until, venue.zone))
    found: dict[str, list[Any]] = defaultdict(list)
    for row in db.session.execute(query):
        found[row.session_type_id].append(row)
    return found


def _read_series(venue: Venue, type_ids: Sequence[str]) -> dict[str, int]:
    rows = db.session.execute(
        sa.select(RecurrenceGroup.session_type_id, sa.func.count())
        .where(
            RecurrenceGroup.organisation_id == venue.organisation_id,
            RecurrenceGroup.session_type_id.in_(type_ids),
            RecurrenceGroup.deleted_at.is_(None),
        )
        .group_by(RecurrenceGroup.session_type_id)
    ).all()
    return {row[0]: int(row[1]) for row in rows}


def _read_membership_types(venue: Venue) -> frozenset[str]:
    return frozenset(
        db.session.scalars(
            sa.select(MembershipType.id).where(
                MembershipType.organisation_id == venue.organisation_id,
                MembershipType.deleted_at.is_(None),
            )
        )
    )
