"""Memberships: days with both ends, states, and what is refused."""

import datetime as dt

import pytest

from domain.eligibility import Membership
from domain.errors import RuleBroken
from domain.memberships import (
    ChangedMeanwhile,
    Days,
    Held,
    change_days,
    end,
    give,
    pause,
    read_day,
    require_unchanged,
    resume,
    say_days,
    turn_into,
)

TODAY = dt.date(2026, 6, 4)
MAY, JUNE, JULY = dt.date(2026, 5, 1), dt.date(2026, 6, 1), dt.date(2026, 7, 1)


def held(first=JUNE, last=dt.date(2026, 6, 30), state="active", *, id="m1", type_id="river"):
    return Held(id, type_id, type_id.capitalize(), first, last, state)


@pytest.mark.parametrize(
    ("day", "counts"),
    [
        (dt.date(2026, 5, 31), False),
        (dt.date(2026, 6, 1), True),
        (dt.date(2026, 6, 30), True),
        (dt.date(2026, 7, 1), False),
    ],
)
def test_first_and_last_day_both_count(day, counts):
    assert Membership("river", JUNE, dt.date(2026, 6, 30)).is_valid_on(day) is counts


@pytest.mark.parametrize(
    ("first", "last", "state", "said"),
    [
        (JUNE, TODAY, "active", "current"),
        (JUNE, dt.date(2026, 6, 3), "active", "over"),
        (JUNE, dt.date(2026, 6, 3), "paused", "over"),
        (TODAY, None, "active", "current"),
        (dt.date(2026, 6, 5), None, "active", "coming"),
        (JUNE, None, "paused", "paused"),
        (JUNE, None, "ended", "ended"),
    ],
)
def test_one_word_for_what_it_is_today(first, last, state, said):
    assert held(first, last, state).condition(TODAY) == said


@pytest.mark.parametrize(
    ("first", "last", "is_refused"),
    [
        (MAY, dt.date(2026, 5, 31), "in_the_past"),
        (MAY, JUNE, "in_the_past"),
        (MAY, TODAY, "overlap"),
        (dt.date(2026, 6, 30), None, "overlap"),
        (JULY, None, None),
        (JULY, JUNE, "days_in_order"),
        (JUNE, None, "overlap"),
    ],
)
def test_two_of_one_type_never_overlap(first, last, is_refused):
    wanted = held(first, last, id="new")
    if is_refused is None:
        assert give(wanted, [held()], today=TODAY) == wanted
        return
    with pytest.raises(RuleBroken) as refusal:
        give(wanted, [held()], today=TODAY)
    assert refusal.value.code == is_refused


def test_a_paused_one_is_in_the_way_an_ended_one_or_another_type_is_not():
    wanted = held(dt.date(2026, 6, 5), None, id="new")
    with pytest.raises(RuleBroken, match="already"):
        give(wanted, [held(state="paused")], today=TODAY)
    give(wanted, [held(state="ended"), held(type_id="towpath")], today=TODAY)
    with pytest.raises(RuleBroken, match="on record as ended"):
        give(held(id="new"), [held(state="ended")], today=TODAY)


def test_an_open_end_is_in_the_way_of_everything_later():
    with pytest.raises(RuleBroken, match="with no end"):
        give(held(dt.date(2030, 1, 1), None, id="new"), [held(last=None)], today=TODAY)


def test_changing_days_longer_shorter_and_open():
    assert change_days(held(), JUNE, None, [held()], today=TODAY).last_day is None
    assert change_days(held(), JUNE, TODAY, [held()], today=TODAY).last_day == TODAY
    with pytest.raises(RuleBroken, match="passed"):
        change_days(held(), JUNE, dt.date(2026, 6, 3), [held()], today=TODAY)
    later = held(JULY, None, id="m2")
    with pytest.raises(RuleBroken, match="already"):
        change_days(held(), JUNE, JULY, [held(), later], today=TODAY)


def test_what_is_over_can_be_extended_and_what_is_ended_cannot():
    over = held(MAY, dt.date(2026, 5, 31))
    assert change_days(over, MAY, JULY, [over], today=TODAY).last_day == JULY
    with pytest.raises(RuleBroken, match="was ended"):
        change_days(held(state="ended"), JUNE, JULY, [], today=TODAY)


@pytest.mark.parametrize(
    ("last", "code"),
    [
        (dt.date(2026, 6, 3), "in_the_past"),
        (TODAY, None),
        (dt.date(2026, 6, 30), None),
        (JULY, "after_its_last_day"),
    ],
)
def test_ending_is_for_today_or_later_and_never_makes_it_longer(last, code):
    if code is None:
        assert end(held(), last, today=TODAY).last_day == last
        return
    with pytest.raises(RuleBroken) as refusal:
        end(held(), last, today=TODAY)
    assert refusal.value.code == code


def test_ending_at_once_notes_the_day_and_repeats_without_harm():
    ended = end(held(), None, today=TODAY)
    assert (ended.state, ended.last_day) == ("ended", TODAY)
    assert end(ended, None, today=JULY) == ended
    coming = held(JULY, None)
    assert end(coming, None, today=TODAY) == held(JULY, None, "ended")
    with pytest.raises(RuleBroken, match="begins"):
        end(coming, TODAY, today=TODAY)


def test_pausing_and_resuming_repeat_without_harm():
    paused = pause(held(), today=TODAY)
    assert paused.state == "paused"
    assert pause(paused, today=TODAY) == paused
    assert resume(paused) == held()
    assert resume(held()) == held()
    for deed in (lambda one: pause(one, today=TODAY), resume):
        with pytest.raises(RuleBroken, match="ended"):
            deed(held(state="ended"))
    with pytest.raises(RuleBroken, match="over"):
        pause(held(MAY, dt.date(2026, 5, 31)), today=TODAY)


def test_turning_into_a_state():
    assert turn_into(held(), "paused", today=TODAY).state == "paused"
    assert turn_into(held(state="paused"), "active", today=TODAY).state == "active"
    assert turn_into(held(), "ended", today=TODAY).state == "ended"
    assert turn_into(held(), "active", today=TODAY) == held()


def test_d4_a_stale_edit_is_noticed_unless_it_wants_what_is():
    was, wanted = Days(JUNE, None), Days(JUNE, JULY)
    require_unchanged(held(last=None), was, wanted)
    require_unchanged(held(last=JULY), was, wanted)
    with pytest.raises(ChangedMeanwhile, match="30 June 2026"):
        require_unchanged(held(), was, wanted)


@pytest.mark.parametrize(
    "text", ["", "soon", "2026-02-30", "12/06/2026", "1999-12-31", "2101-01-01"]
)
def test_a_day_that_cant_be_read_is_refused_with_how_to_write_it(text):
    with pytest.raises(RuleBroken, match="first day"):
        read_day(text, what="first day", field="first_day")


def test_days_in_words():
    assert say_days(JUNE, JULY) == "1 June 2026 to 1 July 2026"
    assert say_days(JUNE, None) == "from 1 June 2026, with no end"
