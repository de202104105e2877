"""What staff chose for booked sessions that a series or a closed day no longer wants (S2, S3)."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from domain.errors import ImpactChanged, RuleBroken
from domain.series_changes import Left, Slot
from domain.session_edits import CLEAR, OVERRIDES, SessionValues, SessionWish
from domain.session_edits import Choice as BookingChoice
from domain.words import say_day, say_time
from models import db, transaction
from services.lines import load_session_at
from services.long_works import begin
from services.places import lock_sessions
from services.session_changes import cancel_session, find_cancellable_session
from services.session_edits import apply_edit, find_edit, values_of
from services.touched import Touched, list_touched

SESSION_CHOICES = "session_choices"
"""The kind of long work that carries out what was chosen."""

AT_ONCE = 10
"""So many sessions are dealt with while the page waits; more become a long work."""

_WISHED_AS = {kept: wished for wished, kept in OVERRIDES.items()}

Choice = Literal["keep", "along", "move", "cancel"]


@dataclass(frozen=True, slots=True)
class Choices:
    """What becomes of booked sessions: for each by its id, and for all that are not named.

    `to` says where the bookings of one move that is not called off with them.
    """

    default: Choice = "keep"
    each: Mapping[str, Choice] = field(default_factory=dict)
    reason: str = ""
    to: Mapping[str, str] = field(default_factory=dict)

    def of(self, session_id: str) -> Choice:
        """What was chosen for one of them."""
        return self.each.get(session_id, self.default)


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What is done already, or which long work does it; `refused` says what was not, and why."""

    done: int = 0
    refused: tuple[tuple[str, str], ...] = ()
    work_id: str | None = None


def item_of(
    left: Left,
    name: str,
    touched: Touched | None,
    *,
    do: Choice,
    reason: str,
    withdrawn_by: str | None,
    to: str = "",
) -> dict[str, Any]:
    """One chosen session as plain values, with what is live on it as the page showed it."""
    local = left.standing.slot.local_start
    return {
        "name": f"{name}, {say_day(local.date())}, {say_time(local)}",
        "session": left.standing.id,
        "was": _slot_values(left.standing.slot),
        "do": do,
        "to": to,
        "facts": list(touched.facts) if touched else [],
        "reason": reason,
        "withdrawn_by": withdrawn_by,
        "wish": _wish_values(left) if do == "along" else {},
    }


def carry_out_one(organisation_id: str, site_id: str, item: Any, now: dt.datetime) -> None:
    """Do what was chosen for one session; doing it again changes nothing. A step of a long work.

    Raises RuleBroken, ImpactChanged among them when somebody booked since it was chosen, or
    changed the session by hand (S2, S3).
    """
    db.session.rollback()
    row = load_session_at(organisation_id, site_id, item["session"])
    if row.deleted_at is not None:
        return
    if item["do"] == "cancel":
        _cancel(organisation_id, site_id, item, now)
    elif item["do"] == "move":
        _move_away(organisation_id, site_id, item, now)
    else:
        _go_along(organisation_id, site_id, item, now)


def _cancel(organisation_id: str, site_id: str, item: Any, now: dt.datetime) -> None:
    at = (organisation_id, site_id, item["session"])
    mark = find_cancellable_session(*at, now=now).impact.mark
    _check_facts(organisation_id, item)
    cancel_session(
        *at,
        reason=item["reason"],
        seen=mark,
        check=lambda row: _check_unchanged(values_of(row), item),
        withdrawn_by=item["withdrawn_by"],
        now=now,
    )


def _move_away(organisation_id: str, site_id: str, item: Any, now: dt.datetime) -> None:
    """All bookings go elsewhere, then the session is called off; or it stays as it was (M7)."""
    if not item["to"]:
        raise RuleBroken("No other session near by has room for everybody, so it was left.")
    at, wish = (organisation_id, site_id, item["session"]), SessionWish(cancels=True)
    impact = find_edit(*at, wish, now=now).impact
    _check_facts(organisation_id, item)
    _check_unchanged(impact.before, item)
    apply_edit(
        *at,
        wish,
        default=BookingChoice("move", item["to"]),
        seen=impact.mark,
        reason=item["reason"],
        withdrawn_by=item["withdrawn_by"],
        now=now,
    )


def _go_along(organisation_id: str, site_id: str, item: Any, now: dt.datetime) -> None:
    at = (organisation_id, site_id, item["session"])
    wish = _wish_of(item["wish"])
    impact = find_edit(*at, wish, now=now).impact
    _check_facts(organisation_id, item)
    _check_unchanged(impact.before, item)
    apply_edit(*at, wish, seen=impact.mark, now=now)
    with transaction():
        lock_sessions(organisation_id, [item["session"]])
        row = load_session_at(*at)
        now_is = _slot_values(values_of(row))
        # It says what its series says: the series may change it again.
        follows = {
            OVERRIDES.get(it, it) for it, value in item["wish"].items() if now_is[it] == value
        }
        row.overridden = sorted({*row.overridden} - follows)


def _check_facts(organisation_id: str, item: Any) -> None:
    """Whether the same are on it as when staff chose (S3).

    Asked after the mark of the deed is taken: who comes later changes that one.
    """
    here = list_touched(organisation_id, [item["session"]]).get(item["session"])
    if list(here.facts if here else ()) != item["facts"]:
        raise ImpactChanged("Somebody booked or cancelled meanwhile, so it was left as it was.")


def _check_unchanged(values: SessionValues, item: Any) -> None:
    """Whether it still stands where it stood when staff chose, or goes already (S2)."""
    now_is, wish = _slot_values(values), item["wish"]
    was = item.get("was", now_is)
    if any(now_is[it] not in (was[it], wish.get(it)) for it in wish or ("local_start",)):
        raise ImpactChanged("Somebody changed it meanwhile, so it was left as it was.")


def _slot_values(slot: Slot | SessionValues) -> dict[str, Any]:
    return {
        "local_start": slot.local_start.isoformat(),
        "duration": slot.minutes if isinstance(slot, Slot) else slot.duration,
        "room_id": slot.room_id,
        "practitioner_id": slot.practitioner_id,
        "capacity": slot.capacity,
    }


def _wish_values(left: Left) -> dict[str, Any]:
    if left.slot is None:
        return {}
    values = _slot_values(left.slot)
    names = [_WISHED_AS.get(it, it) for it in left.changes]
    return {name: values[name] for name in names}


def _wish_of(values: dict[str, Any]) -> SessionWish:
    found: dict[str, Any] = {
        name: CLEAR if value is None else value for name, value in values.items()
    }
    if "local_start" in found:
        found["local_start"] = dt.datetime.fromisoformat(str(found["local_start"]))
    return SessionWish(**found)


def plan_aftermath(
    organisation_id: str,
    site_id: str,
    items: Sequence[dict[str, Any]],
    *,
    title: str,
    key: str,
    account_id: str | None,
    back: str,
    now: dt.datetime,
) -> str | None:
    """In the caller's transaction: many become a long work, whose id it returns."""
    if len(items) <= AT_ONCE:
        return None
    return begin(
        organisation_id,
        site_id,
        kind=SESSION_CHOICES,
        title=title,
        items=items,
        key=key,
        account_id=account_id,
        back=back,
        now=now,
    )


def carry_out(
    organisation_id: str,
    site_id: str,
    items: Sequence[dict[str, Any]],
    work_id: str | None,
    *,
    now: dt.datetime,
) -> Aftermath:
    """After the commit: the few are dealt with here, each in a transaction of its own."""
    if work_id is not None:
        return Aftermath(work_id=work_id)
    refused = []
    for item in items:
        try:
            carry_out_one(organisation_id, site_id, item, now)
        except RuleBroken as broken:
            db.session.rollback()
            refused.append((str(item["name"]), broken.sentence))
    return Aftermath(done=len(items) - len(refused), refused=tuple(refused))
