"""What a password must be, how often it may be tried, and how long a link works."""

import datetime as dt

import pytest

from domain.account_links import LIFETIME, SIGN_IN, LinkGone, check_link
from domain.errors import RuleBroken
from domain.passwords import check_password
from domain.sign_in_tries import MOST_TRIES, WINDOW, TooManyTries, check_tries

NOW = dt.datetime(2026, 6, 4, 9, 0, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)


def refusal(text):
    with pytest.raises(RuleBroken) as caught:
        check_password(text, email="ana.reyes@example.com", name="Ana María Reyes")
    return caught.value.code


@pytest.mark.parametrize("text", ["warm stones", "x1y2z3a4b5", "ÄÖÜ äöü ßß", "å" * 3 + "bcdefgh"])
def test_ten_characters_of_any_kind_will_do(text):
    check_password(text, email="ana.reyes@example.com", name="Ana María Reyes")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "password_short"),
        ("nine char", "password_short"),
        # Nine letters, however they are written.
        ("e\u0301" * 9, "password_short"),
        ("x" * 201, "password_long"),
        ("ana.reyes@example.com", "password_own"),
        ("ANA.REYES@example.com", "password_own"),
        ("Ana María Reyes", "password_own"),
        ("anamaríareyes", "password_own"),
        ("password123", "password_common"),
        ("QwertyUiop", "password_common"),
        ("aaaaaaaaaaaa", "password_common"),
        ("abababababab", "password_common"),
    ],
)
def test_what_a_stranger_would_try_first_is_refused(text, code):
    assert refusal(text) == code


def test_the_tenth_failure_in_fifteen_minutes_closes_the_door_and_says_for_how_long():
    tries = [NOW - SECOND * n for n in range(MOST_TRIES)]
    check_tries(tries[:-1], NOW)
    with pytest.raises(TooManyTries) as caught:
        check_tries(tries, NOW)
    assert caught.value.seconds == WINDOW.total_seconds() - (MOST_TRIES - 1)
    check_tries(tries, NOW + WINDOW - SECOND * (MOST_TRIES - 1))
    with pytest.raises(TooManyTries) as caught:
        check_tries(tries, NOW + WINDOW - SECOND * MOST_TRIES)
    assert caught.value.seconds == 1
    assert "Wait a minute," in caught.value.sentence


def test_h7_a_link_works_until_its_last_second_and_once():
    end = NOW + LIFETIME[SIGN_IN]
    check_link(expires_at=end, used_at=None, now=end - SECOND)
    for late in (end, end + SECOND):
        with pytest.raises(LinkGone):
            check_link(expires_at=end, used_at=None, now=late)
    with pytest.raises(LinkGone):
        check_link(expires_at=end, used_at=NOW, now=NOW)
