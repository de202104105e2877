import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import WrongState
from domain.visits import STAGES, Visit, check_in, mark_no_show, move_to_stage

FIRST = dt.datetime.fromisoformat("2026-06-12T17:55Z")
LATER = FIRST + dt.timedelta(minutes=20)

BOOKED = Visit("confirmed")
ARRIVED = Visit("confirmed", "arrived", FIRST)
TREATED = Visit("confirmed", "in_treatment", FIRST)
LEFT = Visit("confirmed", "checked_out", FIRST)
MISSED = Visit("confirmed", is_no_show=True)

ACTIONS = {
    "check in": lambda visit: check_in(visit, arrived=True, now=LATER),
    "undo check in": lambda visit: check_in(visit, arrived=False, now=LATER),
    "no-show": lambda visit: mark_no_show(visit, missed=True),
    "undo no-show": lambda visit: mark_no_show(visit, missed=False),
    **{
        f"to {stage}": lambda visit, stage=stage: move_to_stage(visit, stage, now=LATER)
        for stage in STAGES
    },
}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(BOOKED, Visit("confirmed", "arrived", LATER), id="booked"),
        pytest.param(MISSED, Visit("confirmed", "arrived", LATER), id="a no-show after all"),
        pytest.param(TREATED, TREATED, id="a later stage is not moved back"),
        pytest.param(
            Visit("confirmed", "checked_out"),
            Visit("confirmed", "checked_out", LATER),
            id="checked out without a time",
        ),
    ],
)
def test_r27_checking_in_sets_the_time_clears_the_no_show_and_arrives(before, after):
    assert check_in(before, arrived=True, now=LATER) == after


def test_r26_repeating_a_check_in_keeps_its_first_time():
    once = check_in(BOOKED, arrived=True, now=FIRST)
    assert once.checked_in_at == FIRST
    assert check_in(once, arrived=True, now=LATER) == once


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(ARRIVED, BOOKED, id="arrived goes back"),
        pytest.param(TREATED, Visit("confirmed", "in_treatment"), id="in treatment stays"),
        pytest.param(LEFT, Visit("confirmed", "checked_out"), id="checked out stays"),
        pytest.param(BOOKED, BOOKED, id="nothing to undo"),
        pytest.param(MISSED, MISSED, id="a no-show stays one"),
    ],
)
def test_r27_undoing_a_check_in_clears_the_time_and_moves_only_arrived_back(before, after):
    assert check_in(before, arrived=False, now=LATER) == after


@pytest.mark.parametrize("before", [BOOKED, ARRIVED, MISSED], ids=["booked", "arrived", "missed"])
def test_r27_a_no_show_undoes_a_check_in(before):
    assert mark_no_show(before, missed=True) == MISSED


@pytest.mark.parametrize("before", [BOOKED, ARRIVED, TREATED, LEFT, MISSED])
def test_r27_undoing_a_no_show_clears_the_flag_alone(before):
    assert mark_no_show(before, missed=False) == replace(before, is_no_show=False)


def test_r27_c22_of_check_in_and_no_show_the_later_wins():
    arrived = check_in(mark_no_show(BOOKED, missed=True), arrived=True, now=LATER)
    assert (arrived.is_no_show, arrived.checked_in_at) == (False, LATER)
    missed = mark_no_show(arrived, missed=True)
    assert (missed.is_no_show, missed.checked_in_at, missed.stage) == (True, None, "not_arrived")


@pytest.mark.parametrize(
    ("before", "stage", "after"),
    [
        pytest.param(BOOKED, "in_treatment", Visit("confirmed", "in_treatment", LATER), id="on"),
        pytest.param(ARRIVED, "checked_out", LEFT, id="the first time stays"),
        pytest.param(LEFT, "arrived", ARRIVED, id="back a stage"),
        pytest.param(TREATED, "not_arrived", BOOKED, id="back to the beginning"),
        pytest.param(MISSED, "arrived", Visit("confirmed", "arrived", LATER), id="came after all"),
    ],
)
def test_r27_leaving_not_arrived_checks_the_guest_in(before, stage, after):
    assert move_to_stage(before, stage, now=LATER) == after


def test_r28_a_stage_that_is_none_is_refused():
    with pytest.raises(WrongState) as refused:
        move_to_stage(BOOKED, "asleep", now=LATER)
    assert refused.value.sentence == "That is not a stage of a visit."


@pytest.mark.parametrize("before", [TREATED, LEFT], ids=["in treatment", "checked out"])
def test_r28_a_guest_who_is_in_the_session_is_no_no_show(before):
    with pytest.raises(WrongState) as refused:
        mark_no_show(before, missed=True)
    assert refused.value.code == "wrong_state"


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
@pytest.mark.parametrize(
    ("visit", "sentence"),
    [
        pytest.param(
            replace(BOOKED, is_cancelled=True), "This booking was cancelled.", id="cancelled"
        ),
        pytest.param(Visit("waitlisted"), "This booking isn't confirmed yet.", id="waitlisted"),
        pytest.param(
            replace(ARRIVED, is_session_cancelled=True),
            "This session was cancelled, so nobody can be checked in.",
            id="session cancelled",
        ),
        pytest.param(
            Visit("waitlisted", is_cancelled=True, is_session_cancelled=True),
            "This session was cancelled, so nobody can be checked in.",
            id="all of it, the session is told",
        ),
    ],
)
def test_r28_every_action_is_refused_in_a_wrong_state_with_a_sentence(visit, sentence, action):
    with pytest.raises(WrongState) as refused:
        action(visit)
    assert (refused.value.code, refused.value.sentence) == ("wrong_state", sentence)


histories = st.lists(st.sampled_from(sorted(ACTIONS)), max_size=8)


@settings(max_examples=150, deadline=None)
@given(histories)
def test_r26_r27_no_history_leaves_a_guest_both_here_and_missing(history):
    visit = BOOKED
    for name in history:
        try:
            visit = ACTIONS[name](visit)
        except WrongState:
            assert name == "no-show"
            assert visit.stage in ("in_treatment", "checked_out")
            continue
        assert ACTIONS[name](visit) == visit
        assert not (visit.is_no_show and visit.checked_in_at)
        assert not (visit.is_no_show and visit.stage != "not_arrived")
        assert visit.stage in STAGES
        assert visit.status == "confirmed"
