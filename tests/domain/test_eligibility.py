import datetime as dt
import time
from dataclasses import dataclass, replace
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.durations import Interval
from domain.eligibility import (
    CHECKS,
    MAX_LINES,
    MAX_PARTY,
    BookingWindow,
    Membership,
    Offer,
    Party,
    Slot,
    Viewer,
    can_book,
    first_refusal,
    largest_party,
    members_pay_less,
    nearest_party,
    next_change,
    require_bookable,
    window_for,
)
from domain.errors import NotBookable
from domain.local_time import to_utc
from domain.pricing import PriceRule

LONDON = ZoneInfo("Europe/London")
at = dt.datetime.fromisoformat
day = dt.date.fromisoformat
MICROSECOND = dt.timedelta(microseconds=1)
SECOND = dt.timedelta(seconds=1)
GOLD = Membership("gold", day("2026-01-01"))

CODES = CHECKS


@dataclass(frozen=True)
class Case:
    offer: Offer
    slot: Slot
    party: Party
    viewer: Viewer
    now: dt.datetime

    def having(self, part, **changes):
        return replace(self, **{part: replace(getattr(self, part), **changes)})

    def checks(self):
        return can_book(self.offer, self.slot, self.party, self.viewer, self.now)

    def refusal(self):
        return first_refusal(self.offer, self.slot, self.party, self.viewer, self.now)

    def refused(self):
        return [check.code for check in self.checks() if not check.passed]


def slot_at(local, zone=LONDON, **changes):
    start = to_utc(at(local), zone)
    plain = Slot(
        id="s",
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


def good(local="2026-06-12T18:00", now="2026-06-02T12:00Z", **window_texts):
    return Case(
        Offer(
            id="t",
            name="Sauna",
            zone=LONDON,
            rules=(PriceRule("always", 4800),),
            window=window(**window_texts),
        ),
        slot_at(local),
        Party(guests=2),
        Viewer(is_signed_in=True, memberships=(GOLD,)),
        at(now),
    )


def with_window(case, **bounds):
    return case.having("offer", window=replace(case.offer.window, **bounds))


BREAK = {
    "type_live": lambda case: case.having("offer", is_live=False),
    "session_live": lambda case: case.having("slot", is_live=False),
    "offered_online": lambda case: case.having("offer", offered_online=False),
    "visible": lambda case: case.having("offer", visibility="private"),
    "priced": lambda case: case.having("offer", rules=()),
    "signed_in": lambda case: case.having("offer", customers_only=True).having(
        "viewer", is_signed_in=False
    ),
    "member": lambda case: case.having(
        "offer", members_only=True, permitted_membership_type_ids=frozenset({"platinum"})
    ),
    "window_open": lambda case: with_window(case, opens_before=Interval(days=5)),
    "window_closed": lambda case: with_window(case, closes_before=Interval(days=20)),
    "min_guests": lambda case: case.having("offer", min_guests=3),
    "max_guests": lambda case: case.having("offer", max_guests=1),
    "basket_full": lambda case: case.having("party", lines_in_basket=MAX_LINES),
    "same_currency": lambda case: case.having("party", currency_of_basket="JPY"),
    "max_per_basket": lambda case: case.having("offer", max_per_basket=1).having(
        "party", of_type_in_basket=1
    ),
    "max_per_guest": lambda case: case.having("offer", max_per_guest=1).having(
        "party", most_of_type_per_guest=1
    ),
    "max_bookings_per_member": lambda case: case.having("offer", max_bookings_per_member=1).having(
        "viewer", booked_on={"s": 1}
    ),
    "party_left": lambda case: case.having("slot", max_baskets=3, parties_taken=3),
    "places_left": lambda case: case.having("slot", places_taken=9),
}
"""How to break each check, and no other; one party cannot be both too small and too large."""

TOO_SMALL_AND_TOO_LARGE = ("min_guests", "max_guests")


def test_r20_a_sound_case_passes_every_check_in_order():
    checks = good().checks()
    assert tuple(check.code for check in checks) == CODES
    assert all(check.passed for check in checks)
    assert good().refusal() is None


@pytest.mark.parametrize("code", CODES)
def test_r20_every_refusal_has_a_code_of_the_list_and_a_sentence(code):
    broken = BREAK[code](good())
    assert broken.refused() == [code]
    refusal = broken.refusal()
    assert refusal.code == code
    assert refusal.sentence[0].isupper()
    assert refusal.sentence.endswith(".")
    with pytest.raises(NotBookable) as refused:
        require_bookable(broken.offer, broken.slot, broken.party, broken.viewer, broken.now)
    assert (refused.value.code, refused.value.sentence) == (code, refusal.sentence)


@pytest.mark.parametrize(
    ("earlier", "later"), [pair for pair in pairwise(CODES) if pair != TOO_SMALL_AND_TOO_LARGE]
)
def test_r20_reasons_are_told_in_order(earlier, later):
    for first, second in ((earlier, later), (later, earlier)):
        broken = BREAK[second](BREAK[first](good()))
        assert broken.refused() == [earlier, later]
        assert broken.refusal().code == earlier


@pytest.mark.parametrize("left_out", TOO_SMALL_AND_TOO_LARGE)
def test_r20_with_all_broken_the_list_is_the_order(left_out):
    case, broken = good(), [code for code in CODES if code != left_out]
    for code in broken:
        case = BREAK[code](case)
    assert case.refused() == broken


subsets = st.sets(st.sampled_from(CODES)).filter(
    lambda codes: not codes.issuperset(TOO_SMALL_AND_TOO_LARGE)
)


@settings(max_examples=100, deadline=None)
@given(subsets, st.randoms(use_true_random=False))
def test_r20_whatever_is_broken_and_in_whatever_order_the_first_of_the_list_is_told(codes, chance):
    shuffled = sorted(codes)
    chance.shuffle(shuffled)
    case = good()
    for code in shuffled:
        case = BREAK[code](case)
    assert case.refused() == [code for code in CODES if code in codes]
    refusal = case.refusal()
    assert (refusal.code if refusal else None) == next(iter(case.refused()), None)
    assert all(check.sentence for check in case.checks() if not check.passed)


STAFF_ARE_BOUND_BY = {"type_live", "session_live", "party_left", "places_left"}


@pytest.mark.parametrize("code", CODES)
def test_r20_staff_are_bound_by_places_parties_and_being_live_only(code):
    broken = BREAK[code](good()).having("viewer", is_staff=True)
    assert broken.refused() == ([code] if code in STAFF_ARE_BOUND_BY else [])


@pytest.mark.parametrize(
    ("visibility", "by_link", "shown"),
    [
        ("public", False, True),
        ("public", True, True),
        ("link_only", False, False),
        ("link_only", True, True),
        ("private", False, False),
        ("private", True, False),
    ],
)
def test_r30_d2_a_link_opens_what_is_link_only_and_nothing_opens_what_is_private(
    visibility, by_link, shown
):
    case = good().having("offer", visibility=visibility).having("viewer", came_by_link=by_link)
    assert case.refused() == ([] if shown else ["visible"])


@pytest.mark.parametrize(
    ("price", "rules", "refused"),
    [
        pytest.param(0, (), [], id="free by its own price"),
        pytest.param(None, (PriceRule("free", 0),), [], id="free by a rule"),
        pytest.param(None, (), ["priced"], id="no price at all"),
        pytest.param(
            None,
            (PriceRule("m", 1, membership_type_ids=frozenset({"platinum"})),),
            ["member"],
            id="a price for other members only",
        ),
    ],
)
def test_p4_r16_what_is_free_is_sold_and_what_has_no_price_is_not(price, rules, refused):
    case = good().having("slot", price=price).having("offer", rules=rules)
    assert case.refused() == refused


@pytest.mark.parametrize(
    ("permitted", "held", "let_in"),
    [
        pytest.param(set(), (), False, id="any type, none held"),
        pytest.param(set(), (Membership("bronze", day("2026-01-01")),), True, id="any type"),
        pytest.param({"gold"}, (GOLD,), True, id="a permitted one"),
        pytest.param({"silver"}, (GOLD,), False, id="another one"),
        pytest.param(
            {"gold"},
            (Membership("gold", day("2026-01-01"), day("2026-06-12")),),
            True,
            id="its last day is the session's",
        ),
        pytest.param(
            {"gold"},
            (Membership("gold", day("2026-01-01"), day("2026-06-11")),),
            False,
            id="over before the session",
        ),
        pytest.param(
            {"gold"}, (Membership("gold", day("2026-06-12")),), True, id="begins after today"
        ),
    ],
)
def test_r20_members_only_asks_for_a_permitted_membership_on_the_day(permitted, held, let_in):
    case = (
        good()
        .having("offer", members_only=True, permitted_membership_type_ids=frozenset(permitted))
        .having("viewer", memberships=held)
    )
    assert case.refused() == ([] if let_in else ["member"])


def test_r20_a_visitor_is_told_to_sign_in_and_a_customer_that_the_membership_does_not_cover_it():
    closed = BREAK["member"](good())
    assert "doesn't cover" in closed.refusal().sentence
    assert "Sign in" in closed.having("viewer", is_signed_in=False).refusal().sentence


@pytest.fixture
def machine_in_auckland():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "Pacific/Auckland")
        time.tzset()
        yield
    time.tzset()


OPENS, CLOSES = at("2026-06-05T17:00Z"), at("2026-06-11T17:00Z")


@pytest.mark.usefixtures("machine_in_auckland")
@pytest.mark.parametrize("step", [MICROSECOND, SECOND], ids=["microsecond", "second"])
@pytest.mark.parametrize(
    ("edge", "before", "on", "after"),
    [
        pytest.param(OPENS, ["window_open"], [], [], id="opening"),
        pytest.param(CLOSES, [], [], ["window_closed"], id="closing"),
    ],
)
def test_t4_both_edges_of_the_window_are_inside_it(edge, before, on, after, step):
    case = good(opens="P1W", closes="P1D")
    assert replace(case, now=edge - step).refused() == before
    assert replace(case, now=edge).refused() == on
    assert replace(case, now=edge + step).refused() == after


@pytest.mark.usefixtures("machine_in_auckland")
@pytest.mark.parametrize("step", [MICROSECOND, SECOND], ids=["microsecond", "second"])
def test_t4_without_a_minimum_a_session_can_be_booked_until_it_starts(step):
    case = good()
    start = case.slot.start_time
    assert replace(case, now=start - step).refused() == []
    for now in (start, start + step):
        refused = replace(case, now=now)
        assert refused.refused() == ["window_closed"]
        assert refused.refusal().sentence == "This session has started."


@pytest.mark.parametrize("now", [dt.timedelta(0), MICROSECOND], ids=["at the start", "after it"])
def test_t4_no_notice_at_all_never_outlives_the_start(now):
    case = good(closes="PT0S")
    assert replace(case, now=case.slot.start_time - MICROSECOND).refused() == []
    assert replace(case, now=case.slot.start_time + now).refused() == ["window_closed"]


def test_t4_without_a_maximum_booking_has_always_been_open():
    assert replace(good(), now=at("1999-01-01T00:00Z")).refused() == []


def test_t4_the_present_may_come_in_any_zone():
    case = good(opens="P1W", closes="P1D")
    tokyo = ZoneInfo("Asia/Tokyo")
    assert replace(case, now=CLOSES.astimezone(tokyo)).refused() == []
    assert replace(case, now=(CLOSES + SECOND).astimezone(tokyo)).refused() == ["window_closed"]


@pytest.mark.parametrize(
    ("least", "refused"), [("PT24H", ["window_closed"]), ("P1D", [])], ids=["24 hours", "a day"]
)
def test_t3_a_day_of_notice_is_not_24_hours_when_the_clocks_change(least, refused):
    case = good("2026-03-29T10:00", "2026-03-28T09:30Z", closes=least)
    assert case.refused() == refused


@pytest.mark.parametrize(
    ("window_texts", "now", "sentence"),
    [
        pytest.param(
            {"opens": "P1W"},
            "2026-06-01T12:00Z",
            "Booking opens on Friday 5 June at 18:00.",
            id="not yet",
        ),
        pytest.param(
            {"closes": "PT2H"},
            "2026-06-12T15:30Z",
            "Online booking closed at 16:00. Call us on 01632 960001.",
            id="closed on the day",
        ),
        pytest.param(
            {"closes": "P1D"},
            "2026-06-12T08:00Z",
            "Online booking closed at 18:00 on Thursday 11 June. Call us on 01632 960001.",
            id="closed the day before",
        ),
    ],
)
def test_t4_the_sentence_tells_the_edge_by_the_sites_clock(window_texts, now, sentence):
    case = good(now=now, **window_texts).having("offer", phone="01632 960001")
    assert case.refusal().sentence == sentence


def test_t4_a_venue_without_a_telephone_sends_nobody_to_one():
    case = good(now="2026-06-12T15:30Z", closes="PT2H")
    assert case.refusal().sentence == "Online booking closed at 16:00. Ask at the venue."


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/London", "Asia/Tokyo"])
def test_t4_an_absurd_notice_closes_booking_and_can_still_be_said(zone):
    case = good(closes="P9999Y").having("offer", zone=ZoneInfo(zone))
    assert case.refused() == ["window_closed"]
    assert case.refusal().sentence.endswith(".")


@pytest.mark.parametrize(
    ("memberships", "opens", "closes"),
    [
        pytest.param((), "2026-06-05T17:00Z", "2026-06-11T17:00Z", id="a visitor"),
        pytest.param((GOLD,), "2026-05-12T17:00Z", "2026-06-12T15:00Z", id="gold, instead"),
        pytest.param(
            (Membership("bronze", day("2026-01-01")),),
            "2026-06-05T17:00Z",
            "2026-06-11T17:00Z",
            id="a type without a window of its own",
        ),
        pytest.param(
            (Membership("gold", day("2026-01-01"), day("2026-06-11")),),
            "2026-06-05T17:00Z",
            "2026-06-11T17:00Z",
            id="over before the session",
        ),
        pytest.param(
            (Membership("late", day("2026-01-01")),),
            "2026-06-10T17:00Z",
            None,
            id="its own, though narrower",
        ),
        pytest.param(
            (GOLD, Membership("late", day("2026-01-01"))),
            "2026-05-12T17:00Z",
            None,
            id="of two the widest",
        ),
        pytest.param(
            (GOLD, Membership("silver", day("2026-01-01"))),
            "2026-05-12T17:00Z",
            "2026-06-12T16:00Z",
            id="each edge of the widest",
        ),
    ],
)
def test_r20_membership_booking_windows_stand_instead_of_the_types(memberships, opens, closes):
    case = good(opens="P1W", closes="P1D").having("viewer", memberships=memberships)
    case = case.having(
        "offer",
        membership_windows={
            "gold": window("P1M", "PT2H"),
            "silver": window("P1W", "PT1H"),
            "late": window("P2D", None),
        },
    )
    expected = tuple(moment and at(moment) for moment in (opens, closes))
    assert window_for(case.offer, case.slot, case.viewer, case.now) == expected


@pytest.mark.parametrize(
    ("least", "most", "guests", "refused"),
    [
        pytest.param(2, 4, 1, ["min_guests"], id="one too few"),
        pytest.param(2, 4, 2, [], id="the fewest"),
        pytest.param(2, 4, 4, [], id="the most"),
        pytest.param(2, 4, 5, ["max_guests"], id="one too many"),
        pytest.param(0, None, 0, ["min_guests"], id="nobody"),
    ],
)
def test_r20_a_party_is_between_the_fewest_and_the_most(least, most, guests, refused):
    case = good().having("offer", min_guests=least, max_guests=most)
    assert case.having("party", guests=guests).refused() == refused


@pytest.mark.parametrize(
    ("least", "most", "wanted", "nearest"),
    [
        (1, 4, 0, 1),
        (1, 4, -7, 1),
        (2, 4, 1, 2),
        (2, 4, 3, 3),
        (2, 4, 9, 4),
        (0, None, 0, 1),
        (1, None, 10**6, MAX_PARTY),
        (5, 3, 4, 5),
    ],
)
def test_r20_another_number_is_answered_with_the_nearest_allowed(least, most, wanted, nearest):
    offer = replace(good().offer, min_guests=least, max_guests=most)
    assert nearest_party(offer, wanted) == nearest
    assert max(1, least) <= nearest <= largest_party(offer)


@pytest.mark.parametrize(
    ("code", "offer_field", "part", "field"),
    [
        ("max_per_basket", "max_per_basket", "party", "of_type_in_basket"),
        ("max_per_guest", "max_per_guest", "party", "most_of_type_per_guest"),
    ],
)
def test_r20_a_limit_of_two_takes_a_second_and_no_third(code, offer_field, part, field):
    case = good().having("offer", **{offer_field: 2})
    assert case.having(part, **{field: 1}).refused() == []
    assert case.having(part, **{field: 2}).refused() == [code]
    assert good().having(part, **{field: 99}).refused() == []


def test_r20_a_member_is_limited_on_this_session_only():
    case = good().having("offer", max_bookings_per_member=1)
    assert case.having("viewer", booked_on={"another": 1}).refused() == []
    assert case.having("viewer", booked_on={"s": 1}).refused() == ["max_bookings_per_member"]
    visitor = case.having("viewer", booked_on={"s": 1}, memberships=())
    assert visitor.refused() == []


@pytest.mark.parametrize(
    ("guests", "taken", "refused"),
    [
        pytest.param(3, 7, [], id="the last three places"),
        pytest.param(3, 8, ["places_left"], id="two places for three"),
        pytest.param(1, 10, ["places_left"], id="full"),
        pytest.param(1, 12, ["places_left"], id="over full"),
    ],
)
def test_h2_a_party_is_never_split(guests, taken, refused):
    case = good().having("party", guests=guests).having("slot", places_taken=taken)
    assert case.refused() == refused


def test_h2_the_sentence_tells_how_many_places_are_left_and_for_how_many():
    case = good().having("party", guests=3).having("slot", places_taken=8)
    assert case.refusal().sentence == "Only 2 places left, too few for your party of 3."
    assert case.having("slot", places_taken=10).refusal().sentence == "This session is full."


@pytest.mark.parametrize(
    ("most", "taken", "already_on", "refused"),
    [
        pytest.param(None, 9, False, [], id="any number"),
        pytest.param(2, 1, False, [], id="the last party"),
        pytest.param(2, 2, False, ["party_left"], id="full while places are left"),
        pytest.param(2, 2, True, [], id="two lines of one basket are one party"),
        pytest.param(1, 1, False, ["party_left"], id="a room sold whole"),
    ],
)
def test_h8_r9_max_baskets_may_be_reached_while_places_are_left(most, taken, already_on, refused):
    case = good().having("slot", max_baskets=most, parties_taken=taken)
    assert case.having("party", is_on_session=already_on).refused() == refused


def test_h8_a_basket_on_the_session_still_needs_places():
    case = good().having("slot", max_baskets=1, parties_taken=1, places_taken=9)
    assert case.having("party", is_on_session=True).refused() == ["places_left"]


@pytest.mark.parametrize(
    ("now", "changes"),
    [
        pytest.param("2026-06-01T00:00Z", OPENS, id="not open yet"),
        pytest.param("2026-06-05T17:00Z", CLOSES + MICROSECOND, id="just open"),
        pytest.param("2026-06-11T17:00Z", CLOSES + MICROSECOND, id="the last instant"),
        pytest.param("2026-06-11T17:00:01Z", at("2026-06-12T17:00Z"), id="closed"),
        pytest.param("2026-06-12T17:00Z", None, id="started"),
        pytest.param("2026-06-13T17:00Z", None, id="over"),
    ],
)
def test_t4_the_next_change_is_the_next_edge(now, changes):
    case = good(opens="P1W", closes="P1D")
    assert next_change(case.offer, case.slot, case.viewer, at(now)) == changes


def test_t4_without_notice_the_start_is_the_last_change():
    case = good(closes="PT0S")
    start = case.slot.start_time
    assert next_change(case.offer, case.slot, case.viewer, start - MICROSECOND) == start
    assert next_change(case.offer, case.slot, case.viewer, start) is None


texts = st.sampled_from([None, "PT0S", "PT2H", "PT24H", "P1D", "P2D", "P1W", "P1M"])


@settings(max_examples=150, deadline=None)
@given(
    window_texts=st.tuples(texts, texts),
    own=st.none() | st.tuples(texts, texts),
    local=st.sampled_from(["2026-03-29T01:30", "2026-03-29T10:00", "2026-10-25T01:30"]),
    hours=st.integers(-40 * 24, 48),
    part=st.fractions(0, 1),
)
def test_t4_no_answer_changes_before_the_next_change(window_texts, own, local, hours, part):
    case = good(local, **dict(zip(("opens", "closes"), window_texts, strict=True)))
    if own is not None:
        case = case.having("offer", membership_windows={"gold": window(*own)})
    edges = [
        moment for moment in window_for(case.offer, case.slot, case.viewer, case.now) if moment
    ]
    start = case.slot.start_time
    moments = [start + dt.timedelta(hours=hours)]
    moments += [e + step for e in [*edges, start] for step in (-MICROSECOND, 0 * SECOND)]
    for now in moments:
        told = [
            (check.code, check.passed, check.sentence) for check in replace(case, now=now).checks()
        ]
        changes = next_change(case.offer, case.slot, case.viewer, now)
        assert changes is None or changes > now
        until = changes or now + dt.timedelta(days=400)
        inside = [now + (until - now) // part.denominator * part.numerator, until - MICROSECOND]
        inside += [moment for moment in moments if now <= moment < until]
        for moment in inside:
            if moment < until:
                later = replace(case, now=moment).checks()
                assert [(check.code, check.passed, check.sentence) for check in later] == told


@pytest.mark.parametrize(
    ("now", "code", "changes"),
    [
        pytest.param("2026-06-01T00:00Z", "window_open", OPENS, id="opens then"),
        pytest.param("2026-06-06T00:00Z", "window_closed", CLOSES, id="closes then"),
    ],
)
def test_t4_a_check_carries_the_moment_at_which_its_answer_changes(now, code, changes):
    case = replace(good(opens="P1W", closes="P1D"), now=at(now))
    assert next(check for check in case.checks() if check.code == code).changes_at == changes


def members_case(now, *windows):
    """A viewer with a membership for each window, and a type that closes a day before."""
    kinds = {f"kind{n}": window(*bounds) for n, bounds in enumerate(windows)}
    held = tuple(Membership(kind, day("2026-01-01")) for kind in kinds)
    case = good(opens="P1W", closes="P1D", now=now).having("offer", membership_windows=kinds)
    return case.having("viewer", memberships=held)


@pytest.mark.parametrize(
    ("now", "refused"),
    [
        pytest.param("2026-05-12T16:59:59.999999Z", ["window_open"], id="before the first"),
        pytest.param("2026-05-12T17:00Z", [], id="the first opens"),
        pytest.param("2026-05-29T17:00Z", [], id="the first is open to its last moment"),
        pytest.param("2026-05-29T17:00:00.000001Z", ["window_open"], id="between the two"),
        pytest.param("2026-06-10T17:00Z", [], id="the second opens"),
        pytest.param("2026-06-12T16:59:59.999999Z", [], id="until it starts"),
        pytest.param("2026-06-12T17:00Z", ["window_closed"], id="it has started"),
    ],
)
def test_t4_of_two_memberships_apart_each_opens_its_own_time(now, refused):
    assert members_case(now, ("P1M", "P2W"), ("P2D", None)).refused() == refused


def test_t4_between_two_windows_the_sentence_tells_when_the_next_opens():
    refusal = members_case("2026-06-01T10:00Z", ("P1M", "P2W"), ("P2D", None)).refusal()
    assert refusal.sentence == "Booking opens on Wednesday 10 June at 18:00."
    assert refusal.changes_at == at("2026-06-10T17:00Z")


@pytest.mark.parametrize(("lines", "refused"), [(49, False), (50, True), (51, True)])
def test_r20_a_basket_holds_fifty_sessions(lines, refused):
    case = good().having("party", lines_in_basket=lines)
    assert case.refused() == (["basket_full"] if refused else [])


@pytest.mark.parametrize(
    ("basket", "refused"), [("", False), ("GBP", False), ("JPY", True), ("gbp", True)]
)
def test_p8_a_basket_has_one_currency(basket, refused):
    case = good().having("offer", currency="GBP").having("party", currency_of_basket=basket)
    assert case.refused() == (["same_currency"] if refused else [])


def test_a_hold_may_be_confirmed_after_its_window_and_with_its_own_places_taken():
    case = good(opens="P5D", closes="P1D", now="2026-06-12T16:59Z")
    case = case.having("slot", places_taken=10, max_baskets=1, parties_taken=1)
    case = case.having("offer", offered_online=False, visibility="link_only")
    held = case.having("party", is_held=True)
    assert case.refused() == [
        "offered_online", "visible", "window_closed", "party_left", "places_left",
    ]  # fmt: skip
    assert held.refused() == []
    assert replace(held, now=at("2026-06-12T17:00Z")).refused() == ["window_closed"]


@pytest.mark.parametrize(
    ("code", "still"),
    [(code, code not in ("offered_online", "visible", "window_open", "party_left", "places_left"))
     for code in CHECKS if code != "window_closed"],
)  # fmt: skip
def test_r20_a_hold_is_asked_again_for_all_that_its_places_do_not_settle(code, still):
    assert BREAK[code](good()).having("party", is_held=True).refused() == ([code] if still else [])


MEMBER_RULES = (
    PriceRule("gold", 4000, membership_type_ids=frozenset({"gold"})),
    PriceRule("all", 4800),
)


@pytest.mark.parametrize(
    ("memberships", "rules", "less"),
    [
        pytest.param((), MEMBER_RULES, 4000, id="a visitor pays more"),
        pytest.param((GOLD,), MEMBER_RULES, None, id="a member pays no more than members"),
        pytest.param((Membership("gold", day("2026-06-13")),), MEMBER_RULES, 4000, id="not yet"),
        pytest.param((), (PriceRule("all", 4800),), None, id="no member price"),
        pytest.param((), MEMBER_RULES[::-1], None, id="never reached"),
        pytest.param((), MEMBER_RULES[:1], None, id="nobody else can buy it"),
    ],
)
def test_p10_the_page_says_what_members_pay_where_that_is_less(memberships, rules, less):
    case = good().having("offer", rules=rules).having("viewer", memberships=memberships)
    assert members_pay_less(case.offer, case.slot, case.viewer) == less


@pytest.mark.parametrize(
    ("memberships", "booked", "limit", "refused"),
    [
        pytest.param((GOLD,), 0, 1, False, id="none yet"),
        pytest.param((GOLD,), 1, 1, True, id="the one"),
        pytest.param((GOLD,), 1, 2, False, id="one of two"),
        pytest.param((GOLD,), 2, 2, True, id="both"),
        pytest.param((), 5, 1, False, id="no member is not limited as one"),
        pytest.param((Membership("gold", day("2026-01-01"), day("2026-06-11")),), 5, 1, False,
                     id="a membership that ended the day before"),
        pytest.param((Membership("gold", day("2026-01-01"), day("2026-06-12")),), 1, 1, True,
                     id="a membership whose last day it is"),
    ],
)  # fmt: skip
def test_r20_max_bookings_per_member_counts_for_members_of_the_day(
    memberships, booked, limit, refused
):
    case = good().having("offer", max_bookings_per_member=limit)
    case = case.having("viewer", memberships=memberships, booked_on={"s": booked})
    assert case.refused() == (["max_bookings_per_member"] if refused else [])
