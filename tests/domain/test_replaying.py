"""A tap that is sent later: done where nothing contradicts it, else somebody decides."""

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import WrongState
from domain.replaying import LATEST, PRESSED, Sent, Verdict, judge, mark_of, moment_of, state_of
from domain.visits import STAGES, Visit, check_in, mark_no_show, move_to_stage

NOW = dt.datetime(2026, 6, 4, 9, tzinfo=dt.UTC)
DUE = Visit("confirmed")
HERE = check_in(DUE, arrived=True, now=NOW)
MISSED = mark_no_show(DUE, missed=True)
IN = move_to_stage(DUE, "in_treatment", now=NOW)


def mark(visit, touches=0, **other):
    at = NOW + dt.timedelta(seconds=touches)
    return mark_of(
        visit, **{"session_id": "s", "places": 1, "sequence": 0, "updated_at": at, **other}
    )


def tap(seen, ago=60, *, is_confirmed=False):
    return Sent("key", seen, dt.timedelta(seconds=ago), is_confirmed)


OLD = int(LATEST.total_seconds()) + 1


@pytest.mark.parametrize(
    ("before", "wanted", "sent", "verdict"),
    [
        (DUE, HERE, PRESSED, Verdict.APPLY),
        (DUE, HERE, tap(mark(DUE)), Verdict.APPLY),
        (HERE, HERE, tap(mark(DUE)), Verdict.ALREADY),
        (HERE, HERE, tap(mark(DUE), OLD), Verdict.ALREADY),
        (MISSED, HERE, tap(mark(DUE)), Verdict.CHANGED),
        (IN, DUE, tap(mark(HERE)), Verdict.CHANGED),
        (DUE, HERE, tap("-"), Verdict.CHANGED),
        (DUE, HERE, tap(mark(DUE), OLD - 1), Verdict.APPLY),
        (DUE, HERE, tap(mark(DUE), OLD), Verdict.TOO_OLD),
        (DUE, HERE, tap(mark(DUE), OLD, is_confirmed=True), Verdict.APPLY),
        (MISSED, HERE, tap(mark(DUE), OLD, is_confirmed=True), Verdict.CHANGED),
    ],
)
def test_what_becomes_of_a_tap(before, wanted, sent, verdict):
    assert judge(before, wanted, sent, mark=mark(before)) is verdict


def test_done_and_undone_by_somebody_else_is_a_change_too():
    assert judge(DUE, HERE, tap(mark(DUE)), mark=mark(DUE, touches=2)) is Verdict.CHANGED


def test_moved_or_made_smaller_meanwhile_is_a_change():
    for other in ({"session_id": "t"}, {"places": 2}, {"sequence": 1}):
        assert judge(DUE, HERE, tap(mark(DUE)), mark=mark(DUE, **other)) is Verdict.CHANGED


def deeds():
    return st.one_of(
        st.booleans().map(lambda on: lambda visit: check_in(visit, arrived=on, now=NOW)),
        st.booleans().map(lambda on: lambda visit: mark_no_show(visit, missed=on)),
        st.sampled_from(STAGES).map(lambda to: lambda visit: move_to_stage(visit, to, now=NOW)),
    )


class Desk:
    """A booking that counts its changes, as the database does."""

    def __init__(self):
        self.visit, self.touches = DUE, 0

    @property
    def mark(self):
        return mark(self.visit, self.touches)

    def do(self, deed, sent=PRESSED):
        try:
            after = deed(self.visit)
        except WrongState:
            return None
        verdict = judge(self.visit, after, sent, mark=self.mark)
        if verdict is Verdict.APPLY:
            self.visit, self.touches = after, self.touches + 1
        return verdict


@given(st.lists(deeds(), max_size=4), st.lists(deeds(), max_size=4), deeds())
def test_a_late_tap_never_overrules_what_was_done_since(first, since, late):
    desk = Desk()
    for deed in first:
        desk.do(deed)
    seen, stood = desk.mark, desk.visit
    for deed in since:
        desk.do(deed)
    before = desk.visit, desk.touches
    verdict = desk.do(late, tap(seen))
    if before[1] > 0 and desk.touches > before[1]:
        assert (verdict, before[0]) == (Verdict.APPLY, stood)
    if seen != mark(*before):
        assert (desk.visit, desk.touches) == before


@given(st.lists(deeds(), max_size=6))
def test_taps_sent_in_order_end_where_pressing_them_would(made):
    pressed, later = Desk(), Desk()
    for deed in made:
        seen = later.mark
        assert (pressed.do(deed) is None) == (later.do(deed, tap(seen)) is None)
    assert pressed.visit == later.visit


@given(st.integers(-(10**6), 10**6))
def test_a_tap_counts_as_made_when_it_was_but_never_in_the_future_nor_long_ago(ago):
    moment = moment_of(tap("x", ago), now=NOW)
    assert NOW - LATEST <= moment <= NOW
    if 0 <= ago <= LATEST.total_seconds():
        assert moment == NOW - dt.timedelta(seconds=ago)


def test_the_states_of_the_desk():
    assert [state_of(stage, is_no_show=False) for stage in STAGES] == [
        "due",
        "arrived",
        "in",
        "out",
    ]
    assert state_of("not_arrived", is_no_show=True) == "noshow"
    assert mark(replace(DUE, is_cancelled=True)) != mark(DUE)
