"""The shop window: what a site offers, honestly priced, by category and by search (P7)."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import sqlalchemy as sa
from sqlalchemy.orm import joinedload, selectinload

from domain.calendar import Offering, offerings
from domain.eligibility import Offer, Party, Viewer, nearest_party
from domain.local_time import local_day, to_local
from domain.pictures import Picture
from models import Category, Session, SessionType, Site, db, unbound
from services.facts import (
    TimetableSlot,
    Venue,
    offer_of,
    picture_of,
    timetable_query,
    timetable_slot,
)
from services.timetable import viewer_key
from services.truth import TruthCache

WINDOW = dt.timedelta(days=62)
"""How far the shop window looks for a price and a next session."""

When = Literal["any", "today", "tomorrow", "weekend", "week"]
WHENS: tuple[str, ...] = get_args(When)


@dataclass(frozen=True, slots=True)
class Card:
    """One offer of the shop window for one kind of viewer."""

    slug: str
    name: str
    summary: str
    image: Picture | None
    duration: int
    from_price: int | None
    currency: str
    shows_price: bool
    next_start: dt.datetime | None
    next_places: int | None
    opens_on: dt.date | None
    is_full: bool
    members_only: bool
    customers_only: bool
    categories: tuple[str, ...]
    bookable_days: frozenset[dt.date]
    words: str
    rooms: tuple[str, ...]
    valid_until: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Shelf:
    """A category with its cards."""

    slug: str
    name: str
    blurb: str
    cards: tuple[Card, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """The shop's first page: shelves, and how many offers each category has in all."""

    shelves: tuple[Shelf, ...]
    counts: tuple[tuple[str, str, int], ...]
    total: int
    found: int


_CARDS: TruthCache[Card] = TruthCache(2048)


def open_window(
    venue: Venue,
    *,
    viewer: Viewer,
    now: dt.datetime,
    category: str | None = None,
    search: str = "",
    when: str = "any",
    guests: int | None = None,
) -> Window:
    """The offers of a site that this viewer may know of, narrowed by what they asked (R30, D2)."""
    revisions = db.session.execute(
        sa.select(SessionType.id, SessionType.revision)
        .where(*_is_listed(venue))
        .order_by(SessionType.position, SessionType.name)
    ).all()
    categories = db.session.scalars(
        sa.select(Category)
        .where(Category.organisation_id == venue.organisation_id)
        .order_by(Category.position, Category.name)
    ).all()
    cards = _cards(venue, [(row[0], row[1]) for row in revisions], viewer, guests, now)
    wanted = _days(when, local_day(now, venue.zone))
    fitting = [card for card in cards if _fits(card, search, wanted)]
    shelves = [
        Shelf(row.slug, row.name, row.blurb, _on_shelf(row.slug, fitting))
        for row in categories
        if category in (None, row.slug)
    ]
    if category is None:
        loose = tuple(card for card in fitting if not card.categories)
        shelves.append(Shelf("", "More", "", loose))
    return Window(
        shelves=tuple(shelf for shelf in shelves if shelf.cards),
        counts=tuple(
            (row.slug, row.name, number)
            for row in categories
            if (number := len(_on_shelf(row.slug, cards)))
        ),
        total=len(cards),
        found=sum(len(shelf.cards) for shelf in shelves),
    )


def list_public_offers() -> list[tuple[str, list[str], list[str]]]:
    """Of every public site its slug, its categories' and its public types' slugs (R30, D2)."""
    sites: dict[str, tuple[list[str], list[str]]] = {}
    rows = db.session.execute(
        sa.select(Site.slug, SessionType)
        .join(SessionType, SessionType.site_id == Site.id)
        .where(
            Site.is_public,
            SessionType.visibility == "public",
            SessionType.offered_online,
            SessionType.deleted_at.is_(None),
        )
        .options(selectinload(SessionType.categories))
        .order_by(Site.slug, SessionType.position, SessionType.slug),
        execution_options=unbound("the sitemap lists what every public site offers"),
    )
    for slug, kind in rows:
        categories, types = sites.setdefault(slug, ([], []))
        # A type stands on the shelf of its first category, so only that one has a page.
        categories += [it.slug for it in kind.categories[:1] if it.slug not in categories]
        types.append(kind.slug)
    return [(slug, categories, types) for slug, (categories, types) in sites.items()]


def _is_listed(venue: Venue) -> tuple[Any, ...]:
    return (
        SessionType.organisation_id == venue.organisation_id,
        SessionType.site_id == venue.id,
        SessionType.visibility == "public",
        SessionType.offered_online,
        SessionType.deleted_at.is_(None),
    )


def _on_shelf(slug: str, cards: Iterable[Card]) -> tuple[Card, ...]:
    # A type in two categories stands on the shelf of its first.
    return tuple(card for card in cards if card.categories[:1] == (slug,))


def _cards(
    venue: Venue,
    revisions: Sequence[tuple[str, int]],
    viewer: Viewer,
    guests: int | None,
    now: dt.datetime,
) -> list[Card]:
    def key(type_id: str, revision: int) -> tuple[object, ...]:
        return (type_id, revision, venue.revision, *viewer_key(viewer), guests)

    known = {type_id: _CARDS.get(key(type_id, revision), now) for type_id, revision in revisions}
    missing = [type_id for type_id, card in known.items() if card is None]
    if missing:
        fresh = _read_cards(venue, missing, viewer, guests, now)
        for type_id, revision in revisions:
            if type_id in fresh:
                known[type_id] = fresh[type_id]
                _CARDS.put(key(type_id, revision), fresh[type_id], fresh[type_id].valid_until)
    return [card for type_id, _ in revisions if (card := known[type_id]) is not None]


def _read_cards(
    venue: Venue,
    type_ids: Sequence[str],
    viewer: Viewer,
    guests: int | None,
    now: dt.datetime,
) -> dict[str, Card]:
    types = db.session.scalars(
        sa.select(SessionType)
        .where(SessionType.organisation_id == venue.organisation_id, SessionType.id.in_(type_ids))
        .options(
            joinedload(SessionType.image),
            selectinload(SessionType.price_rules),
            selectinload(SessionType.categories),
        )
    ).all()
    today = local_day(now, venue.zone)
    first = dt.datetime.combine(today, dt.time())
    slots: dict[str, list[TimetableSlot]] = defaultdict(list)
    for row in db.session.execute(
        timetable_query(venue.organisation_id).where(
            Session.session_type_id.in_(type_ids),
            Session.local_start >= first,
            Session.local_start < first + WINDOW,
        )
    ):
        slots[row[0]].append(timetable_slot(row))
    return {row.id: _card(row, venue, slots[row.id], viewer, guests, now) for row in types}


def _card(
    row: SessionType,
    venue: Venue,
    slots: Sequence[TimetableSlot],
    viewer: Viewer,
    guests: int | None,
    now: dt.datetime,
) -> Card:
    offer = offer_of(row, venue)
    party = Party(guests=_party(offer, guests))
    found = offerings(offer, [slot.facts for slot in slots], party, viewer, now)
    bookable = [one for one in found if one.is_bookable]
    coming = [one for one in found if one.slot.start_time > now]
    prices = [one.price.amount for one in bookable if one.price.amount is not None]
    opens = [one.opens_at for one in coming if one.opens_at is not None]
    words = [row.name, row.summary, *(c.name for c in row.categories)]
    words += {slot.practitioner for slot in slots} | {slot.room for slot in slots}
    return Card(
        slug=row.slug,
        name=row.name,
        summary=row.summary,
        image=picture_of(row.image),
        duration=row.duration,
        from_price=min(prices) if prices else None,
        currency=row.currency,
        shows_price=row.include_pricing_on_calendar,
        next_start=bookable[0].slot.local_start if bookable else None,
        next_places=bookable[0].left if bookable and bookable[0].is_few else None,
        opens_on=to_local(min(opens), venue.zone).date() if opens and not bookable else None,
        is_full=_all_full(coming),
        members_only=row.members_only,
        customers_only=row.customers_only,
        categories=tuple(c.slug for c in row.categories),
        bookable_days=frozenset(one.slot.local_start.date() for one in bookable),
        words=" ".join(words).casefold(),
        rooms=tuple(dict.fromkeys(slot.room for slot in slots if slot.room)),
        valid_until=_moment(found, venue, now),
    )


def _all_full(coming: Sequence[Offering]) -> bool:
    return bool(coming) and all(one.is_full for one in coming)


def _party(offer: Offer, guests: int | None) -> int:
    return nearest_party(offer, max(1, offer.min_guests) if guests is None else guests)


def _moment(found: Sequence[Offering], venue: Venue, now: dt.datetime) -> dt.datetime:
    tomorrow = local_day(now, venue.zone) + dt.timedelta(days=1)
    midnight = dt.datetime.combine(tomorrow, dt.time(), venue.zone).astimezone(dt.UTC)
    return min([midnight, *(one.changes_at for one in found if one.changes_at)])


def _fits(card: Card, search: str, days: frozenset[dt.date] | None) -> bool:
    words = search.casefold().split()
    if not all(word in card.words for word in words):
        return False
    return days is None or bool(card.bookable_days & days)


def _days(when: str, today: dt.date) -> frozenset[dt.date] | None:
    day = dt.timedelta(days=1)
    saturday = today + day * ((5 - today.weekday()) % 7)
    if today.weekday() == 6:
        saturday = today - day
    spans = {
        "today": (today, 1),
        "tomorrow": (today + day, 1),
        "weekend": (saturday, 2),
        "week": (today, 7),
    }
    if when not in spans:
        return None
    first, length = spans[when]
    return frozenset(first + day * number for number in range(length))
