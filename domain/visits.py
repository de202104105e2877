"""A booking's visit: check-in, no-show and stages (R26-R28)."""

import datetime as dt
from dataclasses import dataclass, replace

from domain.errors import WrongState

STAGES = ("not_arrived", "arrived", "in_treatment", "checked_out")


@dataclass(frozen=True, slots=True)
class Visit:
    """The visit's side of a booking; the sale's side is `status` (C5)."""

    status: str
    stage: str = "not_arrived"
    checked_in_at: dt.datetime | None = None
    is_no_show: bool = False
    is_cancelled: bool = False
    is_session_cancelled: bool = False


def check_in(visit: Visit, *, arrived: bool, now: dt.datetime) -> Visit:
    """Set or clear the check-in; repeating changes nothing (R26, R27)."""
    _check_state(visit)
    if not arrived:
        stage = "not_arrived" if visit.stage == "arrived" else visit.stage
        return replace(visit, checked_in_at=None, stage=stage)
    return replace(
        visit,
        checked_in_at=visit.checked_in_at or now,
        is_no_show=False,
        stage="arrived" if visit.stage == "not_arrived" else visit.stage,
    )


def mark_no_show(visit: Visit, *, missed: bool) -> Visit:
    """Set or clear the no-show; setting it undoes a check-in (R27, R28)."""
    _check_state(visit)
    if not missed:
        return replace(visit, is_no_show=False)
    if visit.stage in ("in_treatment", "checked_out"):
        raise WrongState("This guest is already in the session, so they can't be a no-show.")
    return replace(visit, is_no_show=True, checked_in_at=None, stage="not_arrived")


def move_to_stage(visit: Visit, stage: str, *, now: dt.datetime) -> Visit:
    """Move the visit on or back; leaving "not arrived" checks the guest in (R27)."""
    _check_state(visit)
    if stage not in STAGES:
        raise WrongState("That is not a stage of a visit.")
    if stage == "not_arrived":
        return replace(visit, stage=stage, checked_in_at=None)
    return replace(visit, stage=stage, is_no_show=False, checked_in_at=visit.checked_in_at or now)


def _check_state(visit: Visit) -> None:
    if visit.is_session_cancelled:
        raise WrongState("This session was cancelled, so nobody can be checked in.")
    if visit.is_cancelled:
        raise WrongState("This booking was cancelled.")
    if visit.status != "confirmed":
        raise WrongState("This booking isn't confirmed yet.")
