import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.browsers import UNKNOWN, say_ago, say_browser
from domain.errors import RuleBroken
from domain.second_factor import (
    LETTERS,
    app_code,
    check_passkey_name,
    in_groups,
    is_fresh,
    recovery_code,
    step_of,
    steps_near,
)

NOW = dt.datetime(2026, 6, 4, 9, 0, tzinfo=dt.UTC)

BROWSERS = {
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0":
        "Firefox on Windows",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Safari/605.1.15": "Safari on Mac",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
    "Gecko) CriOS/137.0 Mobile/15E148 Safari/604.1": "Chrome on iPhone",
    "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) "
    "SamsungBrowser/28.0 Chrome/130.0 Mobile Safari/537.36": "Samsung Internet on Android",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/137.0 Safari/537.36 Edg/137.0": "Edge on Windows",
    "Something of my own (Linux)": "A browser on Linux",
    "Werkzeug/3.1": UNKNOWN,
    "": UNKNOWN,
}  # fmt: skip


@pytest.mark.parametrize(("said", "words"), BROWSERS.items())
def test_a_browser_is_called_as_its_owner_knows_it(said, words):
    assert say_browser(said) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "a moment ago"),
        (59, "a moment ago"),
        (60, "1 minute ago"),
        (7199, "1 hour ago"),
        (86400 * 3, "3 days ago"),
    ],
)
def test_how_long_ago_needs_no_zone(seconds, words):
    assert say_ago(NOW - dt.timedelta(seconds=seconds), NOW) == words


@given(st.text(alphabet=LETTERS, min_size=16, max_size=16))
def test_a_recovery_code_is_read_however_it_is_typed(code):
    for typed in (in_groups(code, "-"), in_groups(code), code.upper(), f" {code} "):
        assert recovery_code(typed) == code
        assert app_code(typed) == ""


@given(st.text())
def test_what_is_typed_is_one_kind_of_code_or_none(typed):
    assert not (app_code(typed) and recovery_code(typed))
    assert app_code(typed).isascii()


def test_codes_of_three_steps_are_taken():
    assert list(steps_near(NOW)) == [step_of(NOW) + drift for drift in (-1, 0, 1)]


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "<b>phone</b>", "a\u202eb"])
def test_a_passkey_needs_a_plain_name(name):
    with pytest.raises(RuleBroken) as refusal:
        check_passkey_name(name)
    assert refusal.value.field == "name"


def test_a_proof_is_fresh_until_its_last_instant():
    lasts = dt.timedelta(minutes=15)
    moment = dt.timedelta(microseconds=1)
    assert is_fresh(NOW, NOW, lasts)
    assert is_fresh(NOW, NOW + lasts - moment, lasts)
    for proved_at in (None, NOW - lasts, NOW + moment):
        assert not is_fresh(proved_at, NOW, lasts)
