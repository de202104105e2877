"""Who is offered what comes free, and until when (W1, W2, W5)."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from domain.durations import Interval
from domain.eligibility import BookingWindow, Offer, Slot, Viewer
from domain.pricing import PriceRule
from domain.waiting import (
    Room,
    Source,
    Waiter,
    has_room,
    offer_deadline,
    plan_offers,
    waiting_refusal,
)

UTC = dt.UTC
NOW = dt.datetime(2026, 6, 4, 9, 0, tzinfo=UTC)
START = dt.datetime(2026, 6, 12, 17, 0, tzinfo=UTC)
TWO_HOURS = dt.timedelta(hours=2)
SECOND = dt.timedelta(seconds=1)


def offer(**given) -> Offer:
    rules = (PriceRule(id="r", price=4800),)
    return Offer(id="t", name="Circuit", zone=ZoneInfo("Europe/London"), rules=rules, **given)


def slot(**given) -> Slot:
    values = {"capacity": 8, "places_taken": 8, "waitlist_enabled": True, **given}
    return Slot(
        id="s",
        start_time=START,
        end_time=START + TWO_HOURS,
        local_start=dt.datetime.fromisoformat("2026-06-12T18:00"),
        **values,
    )


def said(verdicts) -> list[str]:
    return [f"{it.waiter.id}:{it.source_id or 'free' if it.is_offered else '-'}" for it in verdicts]


A, B, C = Waiter("a", 3), Waiter("b", 1), Waiter("c", 1)


def test_w1_the_first_party_that_fits_is_offered_and_then_the_next_while_places_remain():
    assert said(plan_offers(Room(1), [A, B, C])) == ["a:-", "b:free"]
    assert said(plan_offers(Room(2), [A, B, C])) == ["a:-", "b:free", "c:free"]
    assert said(plan_offers(Room(3), [A, B, C])) == ["a:free"]
    assert said(plan_offers(Room(4), [A, B, C])) == ["a:free", "b:free"]


def test_w1_nobody_has_a_verdict_when_nothing_is_free():
    assert plan_offers(Room(0), [A, B]) == []


def test_w5_the_reason_says_how_many_places_there_were():
    first, *_ = plan_offers(Room(1), [A, B])
    assert first.reason == "Needs 3 places, 1 is free."
    first, *_ = plan_offers(Room(2), [A])
    assert first.reason == "Needs 3 places, 2 are free."


def test_w5_parties_are_counted_as_well_as_places():
    verdicts = plan_offers(Room(5, parties=1), [B, C])
    assert said(verdicts) == ["b:free", "c:-"]
    assert verdicts[1].reason == "4 places are free, but no other party is taken."


def test_w3_a_party_that_may_not_book_is_passed_over_with_the_rule_that_says_so():
    asked = []

    def refuse(waiter: Waiter) -> str:
        asked.append(waiter.id)
        return "This session is for members." if waiter.id == "b" else ""

    verdicts = plan_offers(Room(1), [A, B, C], refuse=refuse)
    assert said(verdicts) == ["a:-", "b:-", "c:free"]
    assert verdicts[1].reason == "This session is for members."
    assert asked == ["b", "c"], "who doesn't fit is not asked"


def test_places_that_a_booking_gives_up_are_offered_only_whole():
    assert said(plan_offers(Room(0), [A, B, C], [Source("x", 4, 2)])) == ["a:-", "b:x", "c:x"]
    assert said(plan_offers(Room(0), [A], [Source("x", 3, 3)])) == ["a:x"]
    # One free place and one given up are not two of the same kind.
    assert said(plan_offers(Room(1), [Waiter("d", 2)], [Source("x", 4, 1)])) == ["d:-"]


def test_a_full_number_of_parties_lets_only_somebody_take_a_whole_booking_over():
    full = Room(0, parties=0)
    assert said(plan_offers(full, [B], [Source("x", 2, 1)])) == ["b:-"]
    assert said(plan_offers(full, [B], [Source("x", 1, 1)])) == ["b:x"]


@pytest.mark.parametrize(
    ("closes", "now", "ends"),
    [
        (None, NOW, NOW + TWO_HOURS),
        (None, START - dt.timedelta(hours=1), START),
        (None, START - SECOND, START),
        (None, START, None),
        # The booking cut-off is three hours before the start.
        ("PT3H", NOW, NOW + TWO_HOURS),
        ("PT3H", START - dt.timedelta(hours=4), START - dt.timedelta(hours=3)),
        ("PT3H", START - dt.timedelta(hours=3, seconds=1), START - dt.timedelta(hours=3)),
        ("PT3H", START - dt.timedelta(hours=3), None),
        ("PT3H", START - dt.timedelta(hours=2), None),
    ],
)
def test_w2_an_offer_never_ends_after_the_cut_off_nor_the_start(closes, now, ends):
    window = BookingWindow(closes_before=Interval.parse(closes) if closes else None)
    assert offer_deadline(offer(window=window), slot(), Viewer(), now, TWO_HOURS) == ends


def test_who_wants_to_wait_is_asked_everything_but_room():
    assert waiting_refusal(offer(), slot(), 2, Viewer(), NOW) is None
    assert waiting_refusal(offer(members_only=True), slot(), 2, Viewer(), NOW).code == "member"
    assert waiting_refusal(offer(max_guests=2), slot(), 3, Viewer(), NOW).code == "max_guests"
    assert waiting_refusal(offer(), slot(), 2, Viewer(), START).code == "window_closed"


def test_room_is_places_and_parties():
    assert not has_room(offer(), slot(), 1, Viewer(), NOW)
    assert has_room(offer(), slot(places_taken=7), 1, Viewer(), NOW)
    assert not has_room(offer(), slot(places_taken=7), 2, Viewer(), NOW)
    full = slot(places_taken=2, max_baskets=1, parties_taken=1)
    assert not has_room(offer(), full, 1, Viewer(), NOW)
