"""The shape of a token, and how long it lasts."""

import datetime as dt

import pytest

from domain.account_links import LinkGone
from domain.api_tokens import hash_of, is_token, new_token, read_lasting
from domain.errors import RuleBroken
from domain.invitations import Standing, check_open

NOW = dt.datetime(2026, 6, 4, 9, 0, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)


def test_a_token_is_known_by_its_prefix_and_no_two_are_alike():
    made = {new_token() for _ in range(200)}
    assert len(made) == 200
    assert all(is_token(one) and one.startswith("sundial_") for one in made)
    assert len({hash_of(one) for one in made}) == 200


@pytest.mark.parametrize(
    "text", ["", "sundial_", "sundial_short", " " + "sundial_" + "a" * 43, "sundial_" + "é" * 43]
)
def test_what_has_not_the_shape_is_no_token(text):
    assert not is_token(text)


def test_a_token_lasts_as_long_as_was_chosen():
    assert read_lasting("30", NOW) == NOW + dt.timedelta(days=30)
    assert read_lasting("", NOW) is None
    with pytest.raises(RuleBroken):
        read_lasting("31", NOW)


@pytest.mark.parametrize(
    ("given", "letter", "at", "code"),
    [
        ({}, 1, NOW, None),
        ({}, 1, NOW + SECOND, "invitation_expired"),
        ({}, 2, NOW, "invitation_replaced"),
        ({"withdrawn_at": NOW}, 1, NOW, "invitation_withdrawn"),
        ({"accepted_at": NOW}, 1, NOW, "invitation_accepted"),
        ({"accepted_at": NOW, "withdrawn_at": NOW}, 1, NOW, "invitation_accepted"),
    ],
)
def test_an_invitation_opens_until_its_last_instant_once_by_its_latest_letter(
    given, letter, at, code
):
    standing = Standing(1, NOW + SECOND, **given)
    if code is None:
        check_open(standing, letter=letter, now=at)
        return
    with pytest.raises(LinkGone) as refusal:
        check_open(standing, letter=letter, now=at)
    assert refusal.value.code == code
