"""A site changes its zone: first what that does, then the deed (T6)."""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from domain.errors import ImpactChanged
from domain.venue_rules import check_zone
from domain.zone_changes import Coming, Moved, ZoneChange, plan_zone_change
from models import Order, Session, SessionBooking, SessionType, Site, db
from services.idempotency import retrying
from services.places import raise_revision
from services.reminders import Planned, replan_reminders
from services.venue_settings import load_site

_AT_A_TIME = 500


def find_zone_change(
    organisation_id: str, site_id: str, zone: str, *, now: dt.datetime
) -> ZoneChange:
    """What another zone would do to the coming sessions and their bookings (T6).

    Raises RuleBroken for a zone that nobody knows, NotFound.
    """
    wanted = ZoneInfo(check_zone(zone))
    return _plan(load_site(organisation_id, site_id), wanted, now)


def change_zone(
    organisation_id: str, site_id: str, zone: str, *, seen: str, now: dt.datetime
) -> int:
    """Move the site to `zone`: coming sessions keep their wall time, past ones their instant (T6).

    Versions of the bookings that get another instant are raised and their reminders planned anew;
    nobody is mailed, as no clock at the site shows anything else. The number of sessions moved;
    the zone that the site has changes nothing. Raises ImpactChanged when `seen` is not the mark
    of what it does now (S3), RuleBroken, NotFound.
    """
    wanted = ZoneInfo(check_zone(zone))

    def deed() -> int:
        site = load_site(organisation_id, site_id, lock=True)
        if site.zone == wanted.key:
            return 0
        _lock_coming(site, now)
        plan = _plan(site, wanted, now)
        if plan.mark != seen:
            raise ImpactChanged(
                "The sessions or bookings have changed since the page was opened. Look again."
            )
        site.zone = wanted.key
        site.revision += 1
        for part in _parts(plan.moved):
            _move(site, part, now)
        raise_revision(organisation_id, _type_ids(site))
        return plan.sessions

    return retrying(deed)


def _plan(site: Site, zone: ZoneInfo, now: dt.datetime) -> ZoneChange:
    rows = db.session.execute(
        sa.select(
            Session.id,
            Session.session_type_name,
            Session.local_start,
            Session.start_time,
            Session.end_time,
            Session.deleted_at.is_(None),
        )
        .where(*_coming(site, now))
        .order_by(Session.local_start, Session.id)
    )
    coming = [Coming(*row) for row in rows]
    first = plan_zone_change(coming, zone, now=now)
    moving = {one.session.id for one in first.moved}
    booked = db.session.execute(
        sa.select(SessionBooking.id, SessionBooking.session_id, SessionBooking.status)
        .join(Session, Session.id == SessionBooking.session_id)
        .where(
            *_coming(site, now),
            SessionBooking.cancelled_at.is_(None),
            SessionBooking.status.in_(("confirmed", "waitlisted")),
        )
    ).all()
    return plan_zone_change(
        coming,
        zone,
        bookings=[row.id for row in booked if row.status == "confirmed" and row[1] in moving],
        waiting=sum(row.status == "waitlisted" and row[1] in moving for row in booked),
        now=now,
    )


def _coming(site: Site, now: dt.datetime) -> tuple[sa.ColumnElement[bool], ...]:
    """Also the cancelled ones: restored, they take place by the new clock."""
    return (
        Session.organisation_id == site.organisation_id,
        Session.site_id == site.id,
        Session.start_time > now,
    )


def _lock_coming(site: Site, now: dt.datetime) -> None:
    db.session.execute(
        sa.select(Session.id)
        .where(*_coming(site, now))
        .order_by(Session.id)
        .with_for_update(key_share=True)
    ).all()


def _parts(moved: Sequence[Moved]) -> Iterator[Sequence[Moved]]:
    for first in range(0, len(moved), _AT_A_TIME):
        yield moved[first : first + _AT_A_TIME]


def _move(site: Site, part: Sequence[Moved], now: dt.datetime) -> None:
    """Sessions first, then their bookings, then the reminders of these."""
    table: Any = Session.__table__
    db.session.execute(
        table.update()
        .where(
            table.c.organisation_id == site.organisation_id, table.c.id == sa.bindparam("moved_id")
        )
        .values(start_time=sa.bindparam("starts"), end_time=sa.bindparam("ends"), updated_at=now),
        [
            {"moved_id": one.session.id, "starts": one.start_time, "ends": one.end_time}
            for one in part
        ],
    )
    ids = [one.session.id for one in part]
    on_these = (
        SessionBooking.organisation_id == site.organisation_id,
        SessionBooking.session_id.in_(ids),
        SessionBooking.cancelled_at.is_(None),
    )
    db.session.execute(
        sa.update(SessionBooking)
        .where(*on_these)
        .values(sequence=SessionBooking.sequence + 1, updated_at=now),
        execution_options={"synchronize_session": False},
    )
    starts = {one.session.id: one.start_time for one in part}
    sold = db.session.execute(
        sa.select(
            SessionBooking.id, SessionBooking.session_id, SessionBooking.sequence, Order.email
        )
        .join(Order, Order.id == SessionBooking.order_id)
        .where(*on_these, SessionBooking.status == "confirmed")
    ).all()
    planned = [
        Planned(row.id, site.organisation_id, site.id, row[2], starts[row[1]], bool(row.email))
        for row in sold
    ]
    if planned:
        replan_reminders(planned, site.reminder_hours, now=now)


def _type_ids(site: Site) -> list[str]:
    return list(
        db.session.scalars(
            sa.select(SessionType.id).where(
                SessionType.organisation_id == site.organisation_id,
                SessionType.site_id == site.id,
            )
        )
    )
