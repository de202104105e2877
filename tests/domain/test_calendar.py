import datetime as dt
from dataclasses import replace
from itertools import combinations
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.calendar import (
    NEARNESS,
    STATE_OF_REFUSAL,
    Day,
    Offering,
    build_month,
    offering,
    offerings,
    say_cell,
)
from domain.durations import Interval
from domain.eligibility import (
    BookingWindow,
    Membership,
    Offer,
    Party,
    Slot,
    Viewer,
    can_book,
    price_for,
    window_for,
)
from domain.local_time import to_utc
from domain.pricing import PriceRule, trace_price

LONDON = ZoneInfo("Europe/London")
at = dt.datetime.fromisoformat
day = dt.date.fromisoformat
MICROSECOND = dt.timedelta(microseconds=1)
NOW = at("2026-06-04T11:00Z")
SCHEDULED = day("2026-06-28")

OFFER = Offer(id="t", name="Sauna", zone=LONDON, rules=(PriceRule("always", 4800),))
VISITOR = Viewer()
TWO = Party(guests=2)


def slot_at(local, zone=LONDON, **changes):
    start = to_utc(at(local), zone)
    plain = Slot(
        id=local,
        start_time=start,
        end_time=start + dt.timedelta(hours=1),
        local_start=at(local),
        capacity=10,
    )
    return replace(plain, **changes)


def window(opens=None, closes=None):
    return BookingWindow(
        Interval.parse(opens) if opens else None, Interval.parse(closes) if closes else None
    )


def month_of(
    slots, offer=OFFER, *, party=TWO, viewer=VISITOR, now=NOW, until=SCHEDULED, at=(2026, 6)
):
    in_order = sorted(slots, key=lambda slot: slot.start_time)
    found = offerings(offer, in_order, party, viewer, now)
    return build_month(*at, found, offer, now=now, scheduled_until=until)


def cell(date, slots, offer=OFFER, **asked):
    return month_of(slots, offer, **asked).day(day(date))


# One way for a session of 12 June to be in each state, by its own values or its own rules.
GOLD_ONLY = replace(OFFER, members_only=True)
OPENS_IN_JUNE = replace(OFFER, window=window(opens="P1W"))
CLOSES_EARLY = replace(OFFER, window=window(closes="P10D"))
FULL = {"places_taken": 10}
WAITING = {"places_taken": 10, "waitlist_enabled": True}


@pytest.mark.parametrize(
    ("offer", "changes", "state"),
    [
        pytest.param(OFFER, {}, "available", id="available"),
        pytest.param(OFFER, {"places_taken": 8}, "few", id="few"),
        pytest.param(OFFER, FULL, "full", id="full by places"),
        pytest.param(OFFER, {"places_taken": 9}, "full", id="too few for the party"),
        pytest.param(OFFER, {"max_baskets": 1, "parties_taken": 1}, "full", id="full by parties"),
        pytest.param(OFFER, WAITING, "waiting_list", id="waiting list"),
        pytest.param(OPENS_IN_JUNE, WAITING, "opens_later", id="full, but not open yet"),
        pytest.param(OPENS_IN_JUNE, {}, "opens_later", id="opens later"),
        pytest.param(GOLD_ONLY, {}, "members_only", id="members only"),
        pytest.param(replace(OFFER, customers_only=True), {}, "sign_in", id="signed in only"),
        pytest.param(CLOSES_EARLY, {}, "too_soon", id="too soon"),
        pytest.param(CLOSES_EARLY, WAITING, "too_soon", id="full, and too late to wait"),
        pytest.param(replace(OFFER, rules=()), {}, "nothing", id="no price"),
        pytest.param(replace(OFFER, is_live=False), {}, "nothing", id="archived"),
        pytest.param(OFFER, {"is_live": False}, "nothing", id="cancelled"),
    ],
)
def test_p7_a_day_is_in_the_state_of_its_session(offer, changes, state):
    found = cell("2026-06-12", [slot_at("2026-06-12T18:00", **changes)], offer)
    assert found.state == state
    assert found.is_link == (state not in ("closed", "past", "over", "nothing", "unscheduled"))


@pytest.mark.parametrize(
    ("date", "state"),
    [
        pytest.param("2026-06-01", "past", id="the first"),
        pytest.param("2026-06-03", "past", id="yesterday"),
        pytest.param("2026-06-04", "over", id="today, all started"),
        pytest.param("2026-06-05", "closed", id="nothing that day"),
        pytest.param("2026-06-28", "closed", id="the last scheduled day"),
        pytest.param("2026-06-29", "unscheduled", id="the day after it"),
    ],
)
def test_s5_beyond_the_schedule_it_says_not_yet_and_never_full(date, state):
    slots = [
        slot_at("2026-06-01T18:00"),
        slot_at("2026-06-03T18:00"),
        slot_at("2026-06-04T09:00"),
        slot_at("2026-06-04T12:00"),  # 11:00 in UTC: it starts at this very moment
    ]
    found = cell(date, slots)
    assert found.state == state
    assert not found.is_link
    assert found.from_price is None
    assert found.is_today == (date == "2026-06-04")


def test_s5_without_any_schedule_every_coming_day_is_unscheduled():
    month = month_of([], until=None)
    states = [found.state for week in month.weeks for found in week if found]
    assert states == ["past"] * 3 + ["unscheduled"] * 27


def test_t4_a_day_is_over_only_when_its_last_session_has_started():
    slots = [slot_at("2026-06-04T09:00"), slot_at("2026-06-04T12:01", **FULL)]
    assert cell("2026-06-04", slots).state == "full"
    assert cell("2026-06-04", slots, now=NOW + dt.timedelta(minutes=1)).state == "over"


UNBOOKABLE = {
    "waiting_list": (WAITING, {}),
    "opens_later": ({}, {"opens": "P1D"}),
    "members_only": ({}, {"membership": "gold"}),
    "too_soon": ({}, {"closes": "P20D"}),
    "full": (FULL, {}),
    "nothing": ({}, {"unpriced": True}),
}


def refused(state, hour):
    """A session of 12 June whose own offer puts it into `state`."""
    changes, rules = UNBOOKABLE[state]
    offer = replace(
        OFFER,
        window=window(rules.get("opens"), rules.get("closes")),
        members_only="membership" in rules,
        rules=() if rules.get("unpriced") else OFFER.rules,
    )
    return offering(offer, slot_at(f"2026-06-12T{hour}:00", **changes), TWO, VISITOR, NOW)


@pytest.mark.parametrize("state", UNBOOKABLE)
def test_p7_each_unbookable_state_can_be_had(state):
    assert refused(state, 18).state == state


def test_p7_the_order_of_nearness_is_the_settled_one():
    assert NEARNESS == (
        "waiting_list",
        "opens_later",
        "members_only",
        "sign_in",
        "too_soon",
        "full",
        "booked",
    )
    assert set(STATE_OF_REFUSAL.values()) <= set(NEARNESS)


@pytest.mark.parametrize(
    ("nearer", "further"),
    [pytest.param(*pair, id=" before ".join(pair)) for pair in combinations(UNBOOKABLE, 2)],
)
def test_p7_of_several_unbookable_sessions_the_nearest_to_bookable_is_told(nearer, further):
    for morning, evening in ((nearer, further), (further, nearer)):
        found = [refused(morning, 10), refused(evening, 18)]
        month = build_month(2026, 6, found, OFFER, now=NOW, scheduled_until=SCHEDULED)
        told = month.day(day("2026-06-12"))
        assert told.state == nearer
        sentences = {one.state: one.refusal.sentence for one in found}
        assert told.refusal == sentences[nearer]


def test_p7_a_session_that_has_started_never_speaks_for_the_day():
    offer = replace(OFFER, window=window(closes="PT10H"), phone="01632 960001")
    slots = [slot_at("2026-06-04T09:00"), slot_at("2026-06-04T18:00")]
    told = cell("2026-06-04", slots, offer)
    assert told.state == "too_soon"
    assert told.refusal == "Online booking closed at 08:00. Call us on 01632 960001."


def test_p7_one_bookable_session_makes_the_day_bookable():
    slots = [slot_at("2026-06-12T10:00", **WAITING), slot_at("2026-06-12T18:00")]
    assert cell("2026-06-12", slots).state == "available"
    assert cell("2026-06-12", slots).sessions_available == 1


def test_p7_a_session_with_too_few_places_for_the_party_is_not_the_from_price():
    slots = [
        slot_at("2026-06-12T10:00", price=1000, places_taken=9),
        slot_at("2026-06-12T18:00", price=5000),
    ]
    assert cell("2026-06-12", slots, party=Party(guests=2)).from_price == 5000
    assert cell("2026-06-12", slots, party=Party(guests=1)).from_price == 1000


@pytest.mark.parametrize(
    ("changes", "offer"),
    [
        pytest.param({"places_taken": 10}, {}, id="full"),
        pytest.param({"max_baskets": 1, "parties_taken": 1}, {}, id="no party left"),
        pytest.param({"is_live": False}, {}, id="cancelled"),
    ],
)
def test_p7_the_from_price_is_never_that_of_a_session_nobody_can_book(changes, offer):
    slots = [
        slot_at("2026-06-12T10:00", price=1000, **changes),
        slot_at("2026-06-12T18:00", price=5000),
    ]
    assert cell("2026-06-12", slots, replace(OFFER, **offer)).from_price == 5000


def test_p7_the_from_price_is_never_that_of_a_session_that_has_closed():
    offer = replace(OFFER, window=window(closes="PT2H"))
    slots = [slot_at("2026-06-04T13:00", price=1000), slot_at("2026-06-04T18:00", price=5000)]
    assert cell("2026-06-04", slots, offer).from_price == 5000


def test_p10_members_see_what_they_pay_and_visitors_what_visitors_do():
    rules = (PriceRule("m", 3600, membership_type_ids=frozenset({"gold"})), *OFFER.rules)
    offer = replace(OFFER, rules=rules)
    slots = [slot_at("2026-06-12T18:00"), slot_at("2026-06-13T18:00")]
    member = Viewer(True, (Membership("gold", day("2026-01-01"), day("2026-06-12")),))
    assert cell("2026-06-12", slots, offer).from_price == 4800
    assert cell("2026-06-12", slots, offer, viewer=member).from_price == 3600
    assert cell("2026-06-13", slots, offer, viewer=member).from_price == 4800


def test_p4_a_free_day_has_a_price_and_a_gap_has_none():
    free = cell("2026-06-12", [slot_at("2026-06-12T18:00", price=0)])
    gap = cell("2026-06-12", [slot_at("2026-06-12T18:00")], replace(OFFER, rules=()))
    assert (free.state, free.from_price) == ("available", 0)
    assert (gap.state, gap.from_price, gap.sessions_available) == ("nothing", None, 0)


def test_p4_staff_see_a_gap_without_a_price():
    gap = cell(
        "2026-06-12",
        [slot_at("2026-06-12T18:00")],
        replace(OFFER, rules=()),
        viewer=Viewer(is_staff=True),
    )
    assert (gap.state, gap.from_price, gap.is_cheapest) == ("available", None, False)
    assert say_cell(gap, "") == "Friday 12 June, 1 session available."


@pytest.mark.parametrize(
    ("left", "few"),
    [
        pytest.param(5, False, id="five"),
        pytest.param(4, True, id="four"),
        pytest.param(2, True, id="two"),
    ],
)
def test_h1_a_day_is_nearly_gone_by_the_places_of_all_its_bookable_sessions(left, few):
    slots = [
        slot_at("2026-06-12T10:00", places_taken=10 - left // 2),
        slot_at("2026-06-12T14:00", places_taken=10 - (left - left // 2)),
        slot_at("2026-06-12T18:00", is_live=False),
    ]
    found = cell("2026-06-12", slots, party=Party(guests=1))
    assert found.state == ("few" if few else "available")
    assert found.places_left == left


@pytest.mark.parametrize(
    ("few_left", "taken", "few"),
    [
        (4, 5, False), (4, 6, True), (4, 9, True), (4, 10, False),
        (0, 9, False), (1, 8, False), (1, 9, True), (100, 0, True),
    ],
)  # fmt: skip
def test_h1_a_session_is_nearly_gone_from_the_sites_own_number_of_places(few_left, taken, few):
    slot = slot_at("2026-06-12T18:00", places_taken=taken)
    offer = replace(OFFER, few_left=few_left)
    found = offering(offer, slot, Party(guests=1), VISITOR, NOW)
    assert found.is_few is few
    assert found.left == 10 - taken
    assert found.is_full is (taken == 10)


def test_r9_a_room_sold_whole_is_never_nearly_gone():
    slot = slot_at("2026-06-12T18:00", capacity=2, max_baskets=1)
    assert not offering(OFFER, slot, TWO, VISITOR, NOW).is_few
    found = cell("2026-06-12", [slot])
    assert (found.state, found.places_left) == ("available", None)
    assert cell("2026-06-12", [slot, slot_at("2026-06-12T20:00", capacity=2)]).state == "few"


def prices(*amounts):
    return [
        slot_at(f"2026-06-{number:02}T18:00", price=amount)
        for number, amount in enumerate(amounts, start=10)
        if amount is not None
    ]


@pytest.mark.parametrize(
    ("amounts", "marked"),
    [
        pytest.param([3400, 4800, 4800], [10], id="one"),
        pytest.param([3400, 3400, 4800, 4800], [10, 11], id="exactly half"),
        pytest.param([3400, 3400, 4800], [], id="more than half"),
        pytest.param([3400, 3400], [], id="all"),
        pytest.param([3400], [], id="a single day"),
        pytest.param([0, 4800], [10], id="free"),
        pytest.param([], [], id="no price at all"),
    ],
)
def test_p7_the_lowest_of_the_month_is_marked_unless_on_more_than_half_its_days(amounts, marked):
    month = month_of(prices(*amounts))
    days = [found for week in month.weeks for found in week if found]
    assert [found.date.day for found in days if found.is_cheapest] == marked
    assert month.lowest == min(amounts, default=None)


def test_p7_a_day_without_a_price_of_its_own_counts_for_no_half():
    slots = [*prices(3400, 4800), slot_at("2026-06-20T18:00", price=100, **FULL)]
    month = month_of(slots)
    assert month.lowest == 3400
    assert month.day(day("2026-06-10")).is_cheapest
    assert month.day(day("2026-06-20")).from_price is None


def test_t5_a_late_session_stands_on_its_own_date_and_month():
    last = slot_at("2026-06-30T23:30")
    assert cell("2026-06-30", [last]).sessions_available == 1
    july = month_of([last], at=(2026, 7), until=day("2026-07-31"))
    assert not any(found.sessions_available for week in july.weeks for found in week if found)


@pytest.mark.parametrize(
    ("now", "today"),
    [
        pytest.param("2026-06-04T22:59Z", "2026-06-04", id="23:59 at the site"),
        pytest.param("2026-06-04T23:00Z", "2026-06-05", id="midnight at the site"),
    ],
)
def test_t5_today_is_the_sites_own(now, today):
    month = month_of([], now=at(now))
    assert [d.date for week in month.weeks for d in week if d and d.is_today] == [day(today)]


def test_t5_the_month_is_a_table_of_whole_weeks():
    month = month_of([])
    assert {len(week) for week in month.weeks} == {7}
    days = [found.date for week in month.weeks for found in week if found]
    assert days == [dt.date(2026, 6, number) for number in range(1, 31)]
    assert month.weeks[0][0].date.weekday() == 0
    assert month.day(day("2026-07-01")) is None
    sunday_first = build_month(2026, 6, [], OFFER, now=NOW, scheduled_until=None, first_weekday=6)
    assert sunday_first.weeks[0][:2] == (None, sunday_first.day(day("2026-06-01")))


def test_t4_a_month_tells_when_it_opens_and_what_can_be_booked_first():
    offer = replace(OFFER, window=window(opens="P1W"))
    slots = [slot_at(f"2026-06-{number}T18:00") for number in (10, 20, 25)]
    month = month_of(slots, offer)
    assert month.first_bookable == day("2026-06-10")
    assert month.opens_on == day("2026-06-13")
    assert month.day(day("2026-06-20")).opens_on == day("2026-06-13")


def test_t4_a_day_opens_with_the_first_of_its_sessions():
    offer = replace(OFFER, window=window(opens="PT100H"))
    slots = [slot_at("2026-06-20T01:00"), slot_at("2026-06-20T23:00")]
    assert cell("2026-06-20", slots, offer).opens_on == day("2026-06-15")


def test_h1_every_session_is_a_mark_on_the_line_of_its_day():
    slots = [
        slot_at("2026-06-12T09:30"),
        slot_at("2026-06-12T13:00", places_taken=8),
        slot_at("2026-06-12T18:15", **FULL),
    ]
    assert cell("2026-06-12", slots).marks == ((9.5, "free"), (13.0, "few"), (18.25, "off"))


@pytest.mark.parametrize(
    ("found", "price", "said"),
    [
        pytest.param(
            Day(day("2026-06-12"), "available", 4800, 3),
            "£48",
            "Friday 12 June, from £48, 3 sessions available.",
            id="available",
        ),
        pytest.param(
            Day(day("2026-06-16"), "available", 3400, 4, is_cheapest=True),
            "£34",
            "Tuesday 16 June, from £34, 4 sessions available, lowest price this month.",
            id="lowest",
        ),
        pytest.param(
            Day(day("2026-06-14"), "few", 4800, 1, places_left=3),
            "£48",
            "Sunday 14 June, from £48, 1 session available, only 3 places left.",
            id="few",
        ),
        pytest.param(
            Day(day("2026-06-14"), "few", 4800, 1, places_left=1),
            "£48",
            "Sunday 14 June, from £48, 1 session available, only 1 place left.",
            id="the last place",
        ),
        pytest.param(
            Day(day("2026-06-13"), "waiting_list"),
            "",
            "Saturday 13 June, fully booked, join the waitlist.",
            id="full, with a waitlist",
        ),
        pytest.param(
            Day(day("2026-06-13"), "full"), "", "Saturday 13 June, fully booked.", id="full"
        ),
        pytest.param(
            Day(day("2026-06-21"), "available", 6400, 1, thanks_to="member"),
            "£64",
            "Sunday 21 June, for members, from £64, 1 session available.",
            id="members",
        ),
        pytest.param(
            Day(day("2026-06-21"), "members_only"),
            "",
            "Sunday 21 June, members only.",
            id="for members, seen by others",
        ),
        pytest.param(
            Day(day("2026-06-04"), "too_soon", is_today=True),
            "",
            "Thursday 4 June, today, too late to book online, call us.",
            id="too soon",
        ),
        pytest.param(
            Day(day("2026-06-27"), "opens_later", opens_at=at("2026-06-05T10:00")),
            "",
            "Saturday 27 June, opens for booking on Friday 5 June at 10:00.",
            id="too far",
        ),
        pytest.param(
            Day(day("2026-06-08"), "closed"), "", "Monday 8 June, no sessions.", id="closed"
        ),
        pytest.param(Day(day("2026-06-01"), "past"), "", "Monday 1 June, past.", id="past"),
        pytest.param(
            Day(day("2026-06-29"), "unscheduled"),
            "",
            "Monday 29 June, not yet scheduled.",
            id="unscheduled",
        ),
        pytest.param(
            Day(day("2026-06-04"), "over", is_today=True),
            "",
            "Thursday 4 June, today, no more sessions today.",
            id="over",
        ),
        pytest.param(
            Day(day("2026-06-12"), "available", 0, 2),
            "Free",
            "Friday 12 June, Free, 2 sessions available.",
            id="free is not from free",
        ),
        pytest.param(
            Day(day("2026-06-12"), "available", 4800, 2),
            "",
            "Friday 12 June, 2 sessions available.",
            id="prices are not shown on the calendar",
        ),
    ],
)
def test_p7_one_sentence_says_the_whole_cell(found, price, said):
    assert say_cell(found, price) == said


def test_s5_every_state_of_a_day_has_a_sentence():
    for state in (*NEARNESS, "nothing", "unscheduled", "closed", "over", "past"):
        said = say_cell(Day(day("2026-06-12"), state, opens_at=at("2026-06-05T10:00")), "")
        assert said.startswith("Friday 12 June, ")
        assert said.endswith(".")
        assert "{" not in said


texts = st.sampled_from([None, None, "PT0S", "PT3H", "PT24H", "P1D", "P3D", "P1W", "P1M"])
windows = st.builds(window, texts, texts)
prices_or_none = st.none() | st.sampled_from([0, 1000, 3400])
slots = st.builds(
    slot_at,
    st.builds(
        lambda date, time: f"{date.isoformat()}T{time}",
        st.dates(day("2026-03-25"), day("2026-04-02")),
        st.sampled_from(["00:30", "01:30", "09:00", "18:00", "23:30"]),
    ),
    places_taken=st.integers(0, 10),
    waitlist_enabled=st.booleans(),
    price=prices_or_none,
    is_live=st.sampled_from([True, True, True, False]),
    max_baskets=st.sampled_from([None, None, 1]),
    parties_taken=st.integers(0, 1),
)
offers = st.builds(
    replace,
    st.just(OFFER),
    window=windows,
    membership_windows=st.dictionaries(st.sampled_from(["gold", "silver"]), windows, max_size=2),
    members_only=st.booleans(),
    customers_only=st.booleans(),
    rules=st.sampled_from(
        [(), OFFER.rules, (PriceRule("m", 1, membership_type_ids=frozenset({"gold"})),)]
    ),
)
viewers = st.sampled_from(
    [
        VISITOR,
        Viewer(is_signed_in=True),
        Viewer(True, (Membership("gold", day("2026-01-01"), day("2026-03-30")),)),
        Viewer(
            True, (Membership("gold", day("2026-01-01")), Membership("silver", day("2026-01-01")))
        ),
    ]
)
shops = st.tuples(offers, st.lists(slots, max_size=6), viewers, st.integers(1, 3))


def spring(offer, found, viewer, guests, now):
    return month_of(
        found,
        offer,
        party=Party(guests),
        viewer=viewer,
        now=now,
        until=day("2026-03-31"),
        at=(2026, 3),
    )


def edges(offer, found, viewer):
    """The moments worth standing at: every edge, and a microsecond either side of it."""
    moments = [at("2026-03-28T00:00Z"), at("2026-03-28T23:30Z"), at("2026-03-29T23:00Z")]
    for slot in found:
        moments.append(slot.start_time)
        moments.extend(moment for moment in window_for(offer, slot, viewer, NOW) if moment)
    return sorted(
        {m + step for m in moments for step in (-MICROSECOND, 0 * MICROSECOND, MICROSECOND)}
    )


@pytest.mark.parametrize("least", [None, "PT0S", "P0D"])
def test_t4_a_month_without_notice_is_true_until_the_session_starts(least):
    offer, slot = replace(OFFER, window=window(closes=least)), slot_at("2026-06-04T18:00")
    assert month_of([slot], offer).valid_until == slot.start_time
    started = month_of([slot], offer, now=slot.start_time)
    assert started.day(day("2026-06-04")).state == "over"
    assert started.valid_until == at("2026-06-04T23:00Z")


def test_t4_a_month_is_true_through_the_last_bookable_instant():
    offer, slot = replace(OFFER, window=window(closes="PT2H")), slot_at("2026-06-04T18:00")
    closes = at("2026-06-04T15:00Z")
    assert month_of([slot], offer).valid_until == closes + MICROSECOND
    assert month_of([slot], offer, now=closes).valid_until == closes + MICROSECOND
    assert month_of([slot], offer, now=closes + MICROSECOND).valid_until == slot.start_time


@settings(max_examples=60, deadline=None)
@given(shops, st.data())
def test_t4_t5_a_month_is_true_until_the_moment_it_names(shop, data):
    offer, found, viewer, guests = shop
    stands = edges(offer, found, viewer)
    now = data.draw(st.sampled_from(stands))
    month = spring(offer, found, viewer, guests, now)
    assert month.valid_until > now
    inside = [moment for moment in stands if now <= moment < month.valid_until]
    for moment in {*inside[:8], inside[-1], month.valid_until - MICROSECOND}:
        assert spring(offer, found, viewer, guests, moment) == month


@settings(max_examples=60, deadline=None)
@given(shops, st.data())
def test_p7_p9_a_day_says_what_its_sessions_say(shop, data):
    offer, found, viewer, guests = shop
    now = data.draw(st.sampled_from(edges(offer, found, viewer)))
    month = spring(offer, found, viewer, guests, now)
    for told in (one for week in month.weeks for one in week if one):
        bookable = [
            slot
            for slot in found
            if slot.local_start.date() == told.date
            and all(c.passed for c in can_book(offer, slot, Party(guests), viewer, now))
        ]
        charged = [price_for(offer, slot, viewer).amount for slot in bookable]
        assert told.sessions_available == len(bookable)
        assert told.from_price == min(charged, default=None)
        assert (told.state in ("available", "few")) == bool(bookable)
        assert say_cell(told, "£1").endswith(".")


@settings(max_examples=60, deadline=None)
@given(offers, slots, viewers)
def test_p9_the_day_panel_the_charge_and_the_trace_are_one_amount(offer, slot, viewer):
    shown = offering(offer, slot, TWO, viewer, NOW)
    trace = trace_price(
        slot.local_start,
        offer.rules,
        override=slot.price,
        membership_type_ids=viewer.types_valid_on(slot.local_start.date()),
    )
    assert isinstance(shown, Offering)
    assert shown.price == price_for(offer, slot, viewer) == trace.price
