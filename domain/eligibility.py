"""Who may book what, when and how many: `can_book`, asked by every door (R20)."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from domain.capacity import FEW_LEFT, parties_left, places_left
from domain.durations import Interval
from domain.errors import NotBookable
from domain.local_time import to_local
from domain.pricing import Price, PriceRule, price_of
from domain.words import count, say_day, say_moment, say_time

MAX_PARTY = 100
"""The most guests one booking may have where a type sets no limit (DECISIONS, Numbers)."""

MAX_LINES = 50
"""The most sessions one basket holds (DECISIONS, Numbers)."""

CHECKS = (
    "type_live",
    "session_live",
    "offered_online",
    "visible",
    "priced",
    "signed_in",
    "member",
    "window_open",
    "window_closed",
    "min_guests",
    "max_guests",
    "basket_full",
    "same_currency",
    "max_per_basket",
    "max_per_guest",
    "max_bookings_per_member",
    "party_left",
    "places_left",
)
"""Every code a booking can be refused with, in the order in which reasons are told (R20)."""


@dataclass(frozen=True, slots=True)
class BookingWindow:
    """Bookable while start - opens_before <= now <= start - closes_before; None = no bound (T4)."""

    opens_before: Interval | None = None
    closes_before: Interval | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """What a session type says about who may book it (2.1)."""

    id: str
    name: str
    zone: ZoneInfo
    currency: str = ""
    is_live: bool = True
    offered_online: bool = True
    visibility: str = "public"
    customers_only: bool = False
    members_only: bool = False
    permitted_membership_type_ids: frozenset[str] = frozenset()
    window: BookingWindow = BookingWindow()
    membership_windows: Mapping[str, BookingWindow] = field(default_factory=dict)
    min_guests: int = 1
    max_guests: int | None = None
    max_per_basket: int | None = None
    max_per_guest: int | None = None
    max_bookings_per_member: int | None = None
    rules: Sequence[PriceRule] = ()
    phone: str = ""
    few_left: int = FEW_LEFT


@dataclass(frozen=True, slots=True)
class Slot:
    """One dated session as `can_book` needs it (2.4)."""

    id: str
    start_time: dt.datetime
    end_time: dt.datetime
    local_start: dt.datetime
    capacity: int
    places_taken: int = 0
    max_baskets: int | None = None
    parties_taken: int = 0
    waitlist_enabled: bool = False
    price: int | None = None
    is_live: bool = True


@dataclass(frozen=True, slots=True)
class Membership:
    """A membership with its first and last local day; None = open end."""

    type_id: str
    first_day: dt.date
    last_day: dt.date | None = None

    def is_valid_on(self, day: dt.date) -> bool:
        """Both days are included."""
        return self.first_day <= day and (self.last_day is None or day <= self.last_day)


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who is asking; staff are bound by places, parties and the type being live only (R20)."""

    is_signed_in: bool = False
    memberships: tuple[Membership, ...] = ()
    came_by_link: bool = False
    # What their private link makes of the price of one place; None: the usual price.
    agreed_price: int | None = None
    is_staff: bool = False
    booked_on: Mapping[str, int] = field(default_factory=dict)

    def types_valid_on(self, day: dt.date) -> frozenset[str]:
        """The membership types that count for a session on `day`."""
        if not self.memberships:
            return frozenset()
        return frozenset(held.type_id for held in self.memberships if held.is_valid_on(day))


@dataclass(frozen=True, slots=True)
class Party:
    """Who would come, and what else their basket holds (H2, H8).

    `is_held`: the places are held already, so the way to the offer, its window and its room are
    not asked again; only the start of the session ends that (DECISIONS, Time windows).
    """

    guests: int = 1
    lines_in_basket: int = 0
    currency_of_basket: str = ""
    of_type_in_basket: int = 0
    most_of_type_per_guest: int = 0
    is_on_session: bool = False
    is_held: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """One rule's answer: its code, the customer's sentence, and when the answer changes."""

    code: str
    passed: bool
    sentence: str = ""
    changes_at: dt.datetime | None = None


def can_book(
    offer: Offer, slot: Slot, party: Party, viewer: Viewer, now: dt.datetime
) -> list[Check]:
    """Every check in R20's order, each with the sentence that the viewer would read."""
    return list(_checks(offer, slot, party, viewer, now))


def first_refusal(
    offer: Offer, slot: Slot, party: Party, viewer: Viewer, now: dt.datetime
) -> Check | None:
    """The first check that fails, or None when the session can be booked (R20)."""
    for check in _checks(offer, slot, party, viewer, now):
        if not check.passed:
            return check
    return None


def require_bookable(
    offer: Offer, slot: Slot, party: Party, viewer: Viewer, now: dt.datetime
) -> None:
    """Raise NotBookable with the first refusal's code and sentence."""
    refusal = first_refusal(offer, slot, party, viewer, now)
    if refusal is not None:
        raise NotBookable(refusal.sentence, code=refusal.code, changes_at=refusal.changes_at)


def price_for(offer: Offer, slot: Slot, viewer: Viewer) -> Price:
    """What this viewer pays for one place (R16, P9, P10)."""
    return price_of(
        slot.local_start,
        offer.rules,
        override=slot.price,
        membership_type_ids=viewer.types_valid_on(slot.local_start.date()),
        agreed=viewer.agreed_price,
    )


def members_pay_less(offer: Offer, slot: Slot, viewer: Viewer) -> int | None:
    """What members pay, where that is less than this viewer pays; None otherwise (P10)."""
    if viewer.agreed_price is not None:
        return None
    least, own = member_price(offer, slot), price_for(offer, slot, viewer).amount
    return least if least is not None and own is not None and least < own else None


Span = tuple[dt.datetime | None, dt.datetime | None]
"""First and last bookable instant, both inside; None = no bound but the start itself (T4)."""


def member_price(offer: Offer, slot: Slot) -> int | None:
    """The least that any membership would make of this session's price, None without a price."""
    kinds = {kind for rule in offer.rules for kind in rule.membership_type_ids}
    prices = [
        price_of(
            slot.local_start, offer.rules, override=slot.price, membership_type_ids=[kind]
        ).amount
        for kind in kinds
    ]
    return min((amount for amount in prices if amount is not None), default=None)


def window_for(offer: Offer, slot: Slot, viewer: Viewer, now: dt.datetime) -> Span:
    """The window that answers at `now` (T3, T4).

    A membership's own window stands instead of the type's. With several memberships whatever
    any of them allows is allowed: windows that overlap are one wide window; of windows apart it
    is the one that is open, else the next to open, else the last that closed.
    """
    spans = _spans(offer, slot, viewer)
    ended = [span for span in spans if span[1] is not None and span[1] < now]
    return next((span for span in spans if span not in ended), spans[-1])


def next_change(offer: Offer, slot: Slot, viewer: Viewer, now: dt.datetime) -> dt.datetime | None:
    """The next moment at which time alone changes an answer about this session."""
    moments = [slot.start_time]
    for opens, closes in _spans(offer, slot, viewer):
        if opens is not None:
            moments.append(opens)
        if closes is not None:
            # Bookable up to and including `closes`, so the answer flips just after it.
            moments.append(closes + dt.timedelta(microseconds=1))
    return min((moment for moment in moments if now < moment <= slot.start_time), default=None)


def _spans(offer: Offer, slot: Slot, viewer: Viewer) -> list[Span]:
    """When this viewer may book: spans apart from each other, in order of time."""
    windows = [offer.window]
    if offer.membership_windows and viewer.memberships:
        held = viewer.types_valid_on(slot.local_start.date())
        windows = [
            window for type_id, window in offer.membership_windows.items() if type_id in held
        ] or windows
    spans = [
        (_bound(window.opens_before, offer, slot), _bound(window.closes_before, offer, slot))
        for window in windows
    ]
    return spans if len(spans) == 1 else _merged(spans, slot)


def _merged(spans: list[Span], slot: Slot) -> list[Span]:
    always = dt.datetime.min.replace(tzinfo=dt.UTC)
    apart: list[Span] = []
    for opens, closes in sorted(spans, key=lambda span: span[0] or always):
        if apart and (opens is None or opens <= (apart[-1][1] or slot.start_time)):
            first, last = apart[-1]
            apart[-1] = (first, None if closes is None or last is None else max(closes, last))
        else:
            apart.append((opens, closes))
    return apart


def nearest_party(offer: Offer, wanted: int) -> int:
    """The allowed party size nearest to `wanted` (DECISIONS, Party and guests)."""
    least = max(1, offer.min_guests)
    return max(least, min(wanted, largest_party(offer)))


def refuse_party(offer: Offer, guests: int) -> Check | None:
    """Why no booking of this type may have so many guests; None when one may."""
    checks = _party_checks(offer, Party(guests=guests))
    return next((check for check in checks if not check.passed), None)


def largest_party(offer: Offer) -> int:
    """The most guests a booking of this type may have."""
    least = max(1, offer.min_guests)
    return max(least, min(offer.max_guests or MAX_PARTY, MAX_PARTY))


def _bound(interval: Interval | None, offer: Offer, slot: Slot) -> dt.datetime | None:
    return None if interval is None else interval.before(slot.local_start, offer.zone)


def _checks(
    offer: Offer, slot: Slot, party: Party, viewer: Viewer, now: dt.datetime
) -> Iterator[Check]:
    yield Check("type_live", offer.is_live, "This is no longer offered.")
    yield Check("session_live", slot.is_live, "The venue has cancelled this session.")
    if viewer.is_staff:
        yield from _room_checks(slot, party)
        return
    yield from _door_checks(offer, party, viewer)
    is_priced = slot.price is not None or price_for(offer, slot, viewer).amount is not None
    for_members = not is_priced and member_price(offer, slot) is not None
    yield Check("priced", is_priced or for_members, "This time isn't on sale online.")
    yield from _person_checks(offer, slot, viewer, for_members=for_members)
    yield from _window_checks(offer, slot, party, viewer, now)
    yield from _party_checks(offer, party)
    yield from _basket_checks(offer, slot, party, viewer)
    if party.is_held:
        yield Check("party_left", True)
        yield Check("places_left", True)
    else:
        yield from _room_checks(slot, party)


def _door_checks(offer: Offer, party: Party, viewer: Viewer) -> Iterator[Check]:
    is_online = offer.offered_online or party.is_held
    yield Check("offered_online", is_online, "This is booked at the venue, not online.")
    shown = (
        party.is_held
        or offer.visibility == "public"
        or (offer.visibility == "link_only" and viewer.came_by_link)
    )
    yield Check("visible", shown, "This isn't sold in the shop.")


def _person_checks(
    offer: Offer, slot: Slot, viewer: Viewer, *, for_members: bool
) -> Iterator[Check]:
    """`for_members`: only rules limited to members set a price for this time."""
    yield Check(
        "signed_in",
        viewer.is_signed_in or not offer.customers_only,
        "Sign in to book this: it is for customers with an account.",
    )
    held = viewer.types_valid_on(slot.local_start.date())
    permitted = offer.permitted_membership_type_ids
    is_let_in = not offer.members_only or bool(held & permitted if permitted else held)
    yield Check(
        "member",
        is_let_in and not for_members,
        "This session is for members. "
        + (
            "Your membership doesn't cover it."
            if viewer.is_signed_in
            else "Sign in if you are one."
        ),
    )


def _window_checks(
    offer: Offer, slot: Slot, party: Party, viewer: Viewer, now: dt.datetime
) -> Iterator[Check]:
    opens, closes = (None, None) if party.is_held else window_for(offer, slot, viewer, now)
    is_open = opens is None or now >= opens
    yield Check(
        "window_open",
        is_open,
        ""
        if opens is None or is_open
        else f"Booking opens on {say_moment(to_local(opens, offer.zone))}.",
        None if is_open else opens,
    )
    if now >= slot.start_time:
        yield Check("window_closed", False, "This session has started.")
    elif closes is not None and now > closes:
        yield Check("window_closed", False, _closed_sentence(offer, slot, closes))
    else:
        yield Check("window_closed", True, "", closes or slot.start_time)


def _closed_sentence(offer: Offer, slot: Slot, closes: dt.datetime) -> str:
    local = to_local(closes, offer.zone)
    when = f"at {say_time(local)}"
    if local.date() != slot.local_start.date():
        when += f" on {say_day(local.date())}"
    call = f" Call us on {offer.phone}." if offer.phone else " Ask at the venue."
    return f"Online booking closed {when}.{call}"


def _party_checks(offer: Offer, party: Party) -> Iterator[Check]:
    least = max(1, offer.min_guests)
    most = largest_party(offer)
    yield Check(
        "min_guests", party.guests >= least, f"This is for {count(least, 'guest')} or more."
    )
    yield Check(
        "max_guests", party.guests <= most, f"One booking takes at most {count(most, 'guest')}."
    )


def _basket_checks(offer: Offer, slot: Slot, party: Party, viewer: Viewer) -> Iterator[Check]:
    yield Check(
        "basket_full",
        party.lines_in_basket < MAX_LINES,
        f"A basket holds at most {count(MAX_LINES, 'session')}.",
    )
    yield Check(
        "same_currency",
        party.currency_of_basket in ("", offer.currency),
        f"Your basket is in {party.currency_of_basket} and this is sold in {offer.currency}. "
        "Book it on its own.",
    )
    limit = offer.max_per_basket
    yield Check(
        "max_per_basket",
        limit is None or party.of_type_in_basket < limit,
        f"One basket takes this at most {count(limit or 0, 'time')}.",
    )
    limit = offer.max_per_guest
    yield Check(
        "max_per_guest",
        limit is None or party.most_of_type_per_guest < limit,
        f"One guest can book this at most {count(limit or 0, 'time')}.",
    )
    limit = offer.max_bookings_per_member
    yield Check(
        "max_bookings_per_member",
        limit is None
        or not viewer.types_valid_on(slot.local_start.date())
        or viewer.booked_on.get(slot.id, 0) < limit,
        "You have already booked this session."
        if limit == 1
        else f"You have booked this session {count(limit or 0, 'time')}, the most for one member.",
    )


def _room_checks(slot: Slot, party: Party) -> Iterator[Check]:
    parties = parties_left(slot.max_baskets, slot.parties_taken)
    yield Check(
        "party_left",
        parties is None or parties > 0 or party.is_on_session,
        "This session is taken."
        if slot.max_baskets == 1
        else "This session takes no more parties.",
    )
    left = places_left(slot.capacity, slot.places_taken)
    if left == 0:
        sentence = "This session is full."
    else:
        sentence = f"Only {count(left, 'place')} left, too few for your party of {party.guests}."
    yield Check("places_left", left >= party.guests, sentence)
