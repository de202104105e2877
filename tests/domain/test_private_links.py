"""When a private link opens, what it costs and what it says when it doesn't."""

import datetime as dt
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from domain.eligibility import (
    Offer,
    Party,
    Slot,
    Viewer,
    first_refusal,
    members_pay_less,
    price_for,
)
from domain.errors import RuleBroken
from domain.money import read_amount
from domain.pricing import PriceRule, price_of, trace_price
from domain.private_links import (
    SENTENCES,
    Terms,
    check_expiry,
    check_max_uses,
    check_places_kept,
    has_ended,
    link_state,
    uses_left,
)

NOW = dt.datetime(2026, 6, 4, 9, 0, tzinfo=dt.UTC)
TICK = dt.timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("terms", "state"),
    [
        (Terms(), "live"),
        (Terms(expires_at=NOW + TICK), "live"),
        (Terms(expires_at=NOW), "expired"),
        (Terms(expires_at=NOW - TICK), "expired"),
        (Terms(max_uses=2, uses=1), "live"),
        (Terms(max_uses=2, uses=2), "used_up"),
        (Terms(uses=500), "live"),
        (Terms(revoked_at=NOW), "revoked"),
        (Terms(revoked_at=NOW, expires_at=NOW, max_uses=1, uses=1), "revoked"),
        (Terms(expires_at=NOW, max_uses=1, uses=1), "expired"),
    ],
)
def test_a_link_is_open_until_but_not_at_its_end(terms, state):
    assert link_state(terms, NOW) == state


def test_a_used_up_link_has_not_ended_since_a_use_may_come_back():
    assert not has_ended(Terms(max_uses=1, uses=1), NOW)
    assert has_ended(Terms(expires_at=NOW), NOW)
    assert has_ended(Terms(revoked_at=NOW), NOW)


def test_uses_left_counts_down_to_none_and_never_below():
    assert [uses_left(Terms(max_uses=2, uses=n)) for n in (0, 1, 2, 3)] == [2, 1, 0, 0]
    assert uses_left(Terms(uses=9)) is None


def test_d2_every_dead_link_has_its_own_sentence():
    assert len(set(SENTENCES.values())) == 4
    assert {"revoked", "expired", "used_up", "wrong"} == set(SENTENCES)


@pytest.mark.parametrize(
    ("check", "field"),
    [
        (lambda: check_expiry(NOW, NOW), "expires_at"),
        (lambda: check_max_uses(0), "max_uses"),
        (lambda: check_max_uses(1001), "max_uses"),
        (lambda: check_places_kept(-1, has_session=True), "places_kept"),
        (lambda: check_places_kept(1, has_session=False), "day"),
    ],
)
def test_a_new_link_that_makes_no_sense_is_refused_at_its_field(check, field):
    with pytest.raises(RuleBroken) as refused:
        check()
    assert refused.value.field == field


def test_a_new_link_may_have_no_limits_at_all():
    check_expiry(None, NOW)
    check_expiry(NOW + TICK, NOW)
    check_max_uses(None)
    check_max_uses(1000)
    check_places_kept(0, has_session=False)


LOCAL = dt.datetime.fromisoformat("2026-06-12T18:00")
OFFER = Offer("t", "Circuit", ZoneInfo("Europe/London"), "GBP", rules=[PriceRule("r", 4800)])
SLOT = Slot("s", NOW + dt.timedelta(days=8), NOW + dt.timedelta(days=8, hours=2), LOCAL, 8)


@pytest.mark.parametrize("agreed", [0, 1500, 9900])
def test_p9_a_links_price_comes_before_the_sessions_own_and_all_rules(agreed):
    price = price_of(LOCAL, OFFER.rules, override=100, agreed=agreed)
    assert (price.amount, price.source, price.rule_id) == (agreed, "link", None)
    assert trace_price(LOCAL, OFFER.rules, override=100, agreed=agreed).price == price
    assert price_for(OFFER, SLOT, Viewer(agreed_price=agreed)) == price
    assert price_for(OFFER, SLOT, Viewer()).amount == 4800


def test_p9_a_link_sells_what_has_no_price_otherwise():
    offer = replace(OFFER, rules=())
    assert first_refusal(offer, SLOT, Party(), Viewer(), NOW).code == "priced"
    assert first_refusal(offer, SLOT, Party(), Viewer(agreed_price=900), NOW) is None


def test_p10_the_bearer_of_a_price_is_not_told_of_members_prices():
    rules = [PriceRule("m", 100, membership_type_ids=frozenset({"gold"})), PriceRule("r", 4800)]
    offer = replace(OFFER, rules=rules)
    assert members_pay_less(offer, SLOT, Viewer()) == 100
    assert members_pay_less(offer, SLOT, Viewer(agreed_price=2000)) is None


@pytest.mark.parametrize("visibility", ["public", "link_only", "private"])
def test_r30_a_link_opens_what_is_public_or_by_link_and_never_what_is_private(visibility):
    offer = replace(OFFER, visibility=visibility)
    found = first_refusal(offer, SLOT, Party(), Viewer(came_by_link=True), NOW)
    assert (found is None) == (visibility != "private")
    without = first_refusal(offer, SLOT, Party(), Viewer(), NOW)
    assert (without is None) == (visibility == "public")


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("24", "GBP", 2400), ("24.5", "GBP", 2450), ("£1,200.05", "GBP", 120005), ("0", "GBP", 0),
        ("7500", "ISK", 7500), ("1.500", "KWD", 1500), (" 12 € ", "EUR", 1200),
        ("GBP 9", "GBP", 900), ("1,500", "GBP", 150000),
    ],
)  # fmt: skip
def test_p8_a_typed_price_is_read_in_minor_units(text, currency, minor):
    assert read_amount(text, currency) == minor


@pytest.mark.parametrize(
    "text",
    ["", "-1", "1.005", "abc", "1.2.3", "\uff11\uff12", "12,50", "1,50,000", ".5", "1e3", "9" * 13],
)
def test_p8_a_price_that_cannot_be_read_is_refused_not_guessed(text):
    with pytest.raises(ValueError):  # noqa: PT011
        read_amount(text, "GBP")
