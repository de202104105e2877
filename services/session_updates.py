"""Changing a session in one step, as programs do: what was decided on is what is there now.

The same deeds as on the pages, which show first what they touch (S3): here the caller has looked
for itself, and `If-Match` holds it to what it saw.
"""

import datetime as dt
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from domain.errors import NotFound, raise_all
from domain.session_changes import refuse_too_few
from domain.session_edits import changed_fields
from domain.session_updates import IDENTITY, Sent, Stands, read_new, read_update
from models import Session, Site, db
from services.idempotency import retrying
from services.lines import list_live_lines, load_session_at
from services.places import lock_sessions, lock_site
from services.session_changes import cancel_session, lock_orders, restore_session
from services.session_edits import apply_edit, find_problems_of, values_of, zone_of
from services.session_lists import price_now
from services.sessions_made import make_session
from services.waking import pass_on_expired

BY_PROGRAM = "The venue can't hold this session."
"""What those who had booked read as the reason: a program gives none."""


def update_session(
    organisation_id: str, site_id: str, session_id: str, sent: Sent, *, now: dt.datetime
) -> None:
    """Write what was sent and nothing else (R3); the same values again change nothing (C16).

    Who is booked stays booked, and is told of another time or room unless all of it is over.
    Clashes are let through (R6). Raises NotFound for a cancelled session (R5), RuleBroken naming
    every field at fault (R6-R9).
    """

    def deed() -> None:
        row = _lock(organisation_id, site_id, session_id, now)
        wish, problems = read_update(_stands(row), sent)
        before = values_of(row)
        after = wish.applied_to(before)
        if not problems and not changed_fields(before, after):
            return
        pass_on_expired(organisation_id, [session_id], now)
        db.session.refresh(row)
        problems += find_problems_of(row, wish, now)
        if after.capacity < row.places_taken + row.places_kept:
            problems.append(refuse_too_few(row.places_taken, row.places_kept))
        raise_all(problems)
        is_over = max(row.end_time, after.instants(zone_of(row))[1]) <= now
        apply_edit(
            organisation_id, site_id, session_id, wish, seen=None, tells=not is_over, now=now
        )

    retrying(deed)


def create_session(organisation_id: str, site_id: str, sent: Sent, *, now: dt.datetime) -> str:
    """A single session of one of the site's types; its id.

    Clashes, closed days and odd hours are let through (R6). Raises RuleBroken naming every
    field at fault (R6-R9, R22).
    """
    zone = db.session.scalars(
        sa.select(Site.zone).where(Site.organisation_id == organisation_id, Site.id == site_id)
    ).one()
    wanted, problems = read_new(sent, ZoneInfo(zone))
    return make_session(
        organisation_id, site_id, wanted, seen=None, key="", problems=problems, now=now
    )


def cancel_at_once(
    organisation_id: str, site_id: str, session_id: str, *, now: dt.datetime
) -> None:
    """Cancel a session with all that is booked on it, full refunds due (R12, M6).

    Raises NotFound for one that is cancelled (R11), WrongState for one that is over or whose
    guests are here.
    """

    def deed() -> None:
        here = (organisation_id, site_id, session_id)
        _lock(*here, now)
        cancel_session(*here, reason=BY_PROGRAM, seen=None, now=now)

    retrying(deed)


def restore_at_once(
    organisation_id: str, site_id: str, session_id: str, *, now: dt.datetime
) -> None:
    """A cancelled session takes place again; a live one stays as it is (R11, R13).

    Raises NotFound, WrongState for a past one or an archived type.
    """
    restore_session(organisation_id, site_id, session_id, seen=None, now=now)


def _lock(organisation_id: str, site_id: str, session_id: str, now: dt.datetime) -> Session:
    """The live session, which nobody else changes or books from here on (ADR 9)."""
    lock_site(organisation_id, site_id, shared=True)
    lines = list_live_lines(organisation_id, session_id, now)
    lock_orders(organisation_id, {line.order_id for line in lines})
    lock_sessions(organisation_id, [session_id])
    row = load_session_at(organisation_id, site_id, session_id)
    if row.deleted_at is not None:
        raise NotFound("This session is cancelled. Restore it before you change it.")
    return row


def _stands(row: Session) -> Stands:
    kind = row.session_type
    identity = {name: getattr(row, name) for name in IDENTITY if name != "currency"}
    return Stands(
        values=values_of(row),
        start=row.start_time,
        zone=zone_of(row),
        price=price_now(row).amount or 0,
        identity={**identity, "currency": kind.currency},
    )
