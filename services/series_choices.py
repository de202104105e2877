"""What staff chose for booked sessions that a series or a closed day no longer wants (S2, S3)."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from domain.errors import RuleBroken
from domain.words import say_day, say_time
from models import Session, db, transaction
from services.long_works import begin
from services.session_changes import cancel_session, find_cancellable_session

SESSION_CHOICES = "session_choices"
"""The kind of long work that carries out what was chosen."""

AT_ONCE = 10
"""So many sessions are dealt with while the page waits; more become a long work."""

Choice = Literal["keep", "along", "cancel"]


@dataclass(frozen=True, slots=True)
class Choices:
    """What becomes of booked sessions: for each by its id, and for all that are not named."""

    default: Choice = "keep"
    each: Mapping[str, Choice] = ()  # type: ignore[assignment]
    reason: str = ""

    def of(self, session_id: str) -> Choice:
        """What was chosen for one of them."""
        return dict(self.each).get(session_id, self.default)

    def cancels_any_of(self, session_ids: Sequence[str]) -> bool:
        """Whether a reason is needed, for whoever booked."""
        return any(self.of(session_id) == "cancel" for session_id in session_ids)


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What is done already, or which long work does it; `refused` says what was not, and why."""

    done: int = 0
    refused: tuple[tuple[str, str], ...] = ()
    work_id: str | None = None


def cancelling_item(
    organisation_id: str,
    site_id: str,
    session_id: str,
    *,
    reason: str,
    withdrawn_by: str,
    now: dt.datetime,
) -> dict[str, Any]:
    """One session to be cancelled with its bookings, as the caller's transaction sees it now."""
    found = find_cancellable_session(organisation_id, site_id, session_id, now=now)
    local = found.session.local_start
    return {
        "name": f"{found.session.session_type_name}, {say_day(local.date())}, {say_time(local)}",
        "session": session_id,
        "do": "cancel",
        "seen": found.impact.mark,
        "reason": reason,
        "withdrawn_by": withdrawn_by,
    }


def carry_out_one(organisation_id: str, site_id: str, item: Any, now: dt.datetime) -> None:
    """Do what was chosen for one session; doing it again changes nothing. A step of a long work.

    Raises RuleBroken when the facts have moved since it was chosen.
    """
    cancel_session(
        organisation_id,
        site_id,
        item["session"],
        reason=item["reason"],
        seen=item["seen"],
        now=now,
    )
    with transaction():
        # It went with its series or day, and comes back with it.
        db.session.execute(
            sa.update(Session)
            .where(
                Session.organisation_id == organisation_id,
                Session.id == item["session"],
                Session.deleted_at.is_not(None),
            )
            .values(withdrawn_by=item["withdrawn_by"]),
            execution_options={"synchronize_session": False},
        )


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
