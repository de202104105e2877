"""Closed days of a site: what closing touches, closing, and opening again (S3, R24)."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from domain.errors import ImpactChanged, NotFound, RuleBroken
from domain.local_time import local_day
from domain.reasons import check_reason
from domain.series_changes import Left, Slot, Standing
from domain.session_changes import mark_of
from domain.words import say_day
from models import ClosedDay, RecurrenceGroup, Session, SessionType, Site, db, new_object_id
from services.idempotency import retrying
from services.places import raise_revision
from services.scheduling import bring_in_step, is_sold, withdraw_sessions
from services.series_choices import Aftermath, Choices, carry_out, item_of, plan_aftermath
from services.session_targets import MoveTarget, list_targets_around, share_out
from services.touched import Touched, list_touched

MOST_DAYS = 366
"""The longest range that is closed at once."""


@dataclass(frozen=True, slots=True)
class Closing:
    """What closing a range of days does; `mark` stands for what the page showed (S3)."""

    first: dt.date
    last: dt.date
    unsold: tuple[Session, ...] = ()
    booked: tuple[Session, ...] = ()
    touched: dict[str, Touched] = field(default_factory=dict)
    targets: dict[str, list[MoveTarget]] = field(default_factory=dict)
    """By type, sessions on other days that bookings could move to."""
    closed_already: tuple[dt.date, ...] = ()

    @property
    def days(self) -> tuple[dt.date, ...]:
        """The days that are not closed yet."""
        every = (
            self.first + dt.timedelta(days=n) for n in range((self.last - self.first).days + 1)
        )
        return tuple(day for day in every if day not in self.closed_already)

    @property
    def nearest(self) -> dict[str, MoveTarget]:
        """Where each booked session's guests would go if all moved to the nearest with room."""
        guests = {one.session_id: one.guests for one in self.touched.values()}
        return share_out(self.booked, guests, self.targets)

    @property
    def mark(self) -> str:
        """Another session, booking or day makes another one."""
        facts = [fact for one in self.touched.values() for fact in one.facts]
        return mark_of(
            [
                *(day.isoformat() for day in self.days),
                *sorted(f"unsold {row.id}" for row in self.unsold),
                *sorted(f"booked {row.id}" for row in self.booked),
                *sorted(facts),
                *(f"{key} to {self.nearest[key].id}" for key in sorted(self.nearest)),
            ]
        )


@dataclass(frozen=True, slots=True)
class Reopening:
    """A closed day that may be opened again: so many sessions went with it."""

    id: str
    day: dt.date
    reason: str
    withdrawn: int = 0


def list_closed_days(organisation_id: str, site_id: str) -> list[Reopening]:
    """Every closed day of a site in order, with what went with it; one query."""
    next_day = sa.func.date(Session.local_start) == sa.func.date(ClosedDay.day)
    went = (
        sa.select(sa.func.count(Session.id))
        .where(
            Session.organisation_id == organisation_id,
            Session.site_id == site_id,
            Session.withdrawn_by == "closed_day",
            next_day,
        )
        .scalar_subquery()
    )
    rows = db.session.execute(
        sa.select(ClosedDay.id, ClosedDay.day, ClosedDay.reason, went)
        .where(ClosedDay.organisation_id == organisation_id, ClosedDay.site_id == site_id)
        .order_by(ClosedDay.day)
    )
    return [Reopening(*row) for row in rows]


def find_closing(
    organisation_id: str, site_id: str, first: dt.date, last: dt.date, *, now: dt.datetime
) -> Closing:
    """What closing these days would take away, and whom it would meet (S3).

    Raises RuleBroken with its field for a range that can't be closed.
    """
    return _closing(_load_site(organisation_id, site_id), first, last, now)


def close_days(
    organisation_id: str,
    site_id: str,
    first: dt.date,
    last: dt.date,
    *,
    reason: str,
    choices: Choices,
    shown: str,
    account_id: str | None,
    now: dt.datetime,
) -> Aftermath:
    """Close days: unsold sessions are withdrawn, for booked ones staff chose (S3).

    Who booked a session that is cancelled is told as the settings say, who is moved is told where
    to. Closing closed days
    changes nothing. Raises RuleBroken with its field, ImpactChanged when `shown` is not what it
    touches now.
    """
    why = check_reason(reason)
    items: list[dict[str, Any]] = []

    def deed() -> str | None:
        items.clear()
        site = _load_site(organisation_id, site_id, is_locked=True)
        _lock_sessions_on(site, first, last)
        closing = _closing(site, first, last, now)
        if not closing.days:
            return None
        if closing.mark != shown:
            raise ImpactChanged
        items.extend(_items(closing, choices, why))
        db.session.add_all(
            ClosedDay(
                id=new_object_id(),
                organisation_id=organisation_id,
                site_id=site_id,
                day=day,
                reason=why,
                created_at=now,
            )
            for day in closing.days
        )
        ids = [row.id for row in closing.unsold]
        withdraw_sessions(organisation_id, ids, by="closed_day", reason=why, now=now)
        _raise_all(site, [row.session_type_id for row in closing.unsold])
        return plan_aftermath(
            organisation_id,
            site_id,
            items,
            title=f"Closed: {say_day(first)}",
            key=f"closed:{site_id}:{closing.mark}",
            account_id=account_id,
            back=f"/staff/{site.slug}/closed-days",
            now=now,
        )

    work_id = retrying(deed, reason)
    return carry_out(organisation_id, site_id, items, work_id, now=now)


def find_closed_day(organisation_id: str, site_id: str, day_id: str) -> ClosedDay:
    """A closed day of this site; raises NotFound."""
    found = db.session.scalar(
        sa.select(ClosedDay).where(
            ClosedDay.organisation_id == organisation_id,
            ClosedDay.site_id == site_id,
            ClosedDay.id == day_id,
        )
    )
    if found is None:
        raise NotFound("We couldn't find that closed day. It may be open already.")
    return found


def reopen_day(organisation_id: str, site_id: str, day_id: str, *, now: dt.datetime) -> int:
    """Open a day again: what went with it comes back if it is still wanted; how many (R24).

    Bookings that were cancelled stay so. Raises NotFound.
    """

    def deed() -> int:
        site = _load_site(organisation_id, site_id, is_locked=True)
        closed = find_closed_day(organisation_id, site_id, day_id)
        day = closed.day
        db.session.delete(closed)
        db.session.flush()
        groups = _groups(organisation_id, site_id)
        plans = bring_in_step(organisation_id, groups, now=now, days=[day])
        singles = _bring_singles_back(site, day, now)
        _raise_all(site, singles)
        return sum(len(plan.brought_back) + len(plan.made) for plan in plans) + len(singles)

    return retrying(deed)


def _load_site(organisation_id: str, site_id: str, *, is_locked: bool = False) -> Site:
    query = sa.select(Site).where(Site.organisation_id == organisation_id, Site.id == site_id)
    if is_locked:
        query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    return db.session.scalars(query).one()


def _closing(site: Site, first: dt.date, last: dt.date, now: dt.datetime) -> Closing:
    _check_range(first, last, local_day(now, site.zoneinfo))
    closed = db.session.scalars(
        sa.select(ClosedDay.day).where(
            ClosedDay.organisation_id == site.organisation_id,
            ClosedDay.site_id == site.id,
            ClosedDay.day.between(first, last),
        )
    ).all()
    rows = db.session.execute(
        sa.select(Session, is_sold())
        .where(*_on(site, first, last), Session.deleted_at.is_(None), Session.start_time > now)
        .options(joinedload(Session.session_type), joinedload(Session.room))
        .order_by(Session.local_start, Session.id)
        .execution_options(populate_existing=True)
    ).all()
    live = [(row, sold) for row, sold in rows if row.local_start.date() not in set(closed)]
    booked = tuple(row for row, sold in live if sold)
    return Closing(
        first=first,
        last=last,
        unsold=tuple(row for row, sold in live if not sold),
        booked=booked,
        touched=list_touched(site.organisation_id, [row.id for row in booked]),
        targets=list_targets_around(
            site.organisation_id,
            site.id,
            {row.session_type_id for row in booked},
            first,
            last,
            now=now,
        )
        if booked
        else {},
        closed_already=tuple(sorted(closed)),
    )


def _check_range(first: dt.date, last: dt.date, today: dt.date) -> None:
    if last < first:
        raise RuleBroken("The last day lies before the first.", code="range", field="last")
    if last < today:
        raise RuleBroken("That day is over. Choose one to come.", code="range", field="first")
    if (last - first).days >= MOST_DAYS:
        raise RuleBroken("Close a year at most at once.", code="range", field="last")


def _on(site: Site, first: dt.date, last: dt.date) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        Session.organisation_id == site.organisation_id,
        Session.site_id == site.id,
        Session.local_start >= dt.datetime.combine(first, dt.time()),
        Session.local_start < dt.datetime.combine(last, dt.time()) + dt.timedelta(days=1),
    )


def _lock_sessions_on(site: Site, first: dt.date, last: dt.date) -> None:
    db.session.execute(
        sa.select(Session.id)
        .where(*_on(site, first, last))
        .order_by(Session.id)
        .with_for_update(key_share=True)
    ).all()


def _items(closing: Closing, choices: Choices, why: str) -> list[dict[str, Any]]:
    nearest = {key: one.id for key, one in closing.nearest.items()}
    return [
        item_of(
            Left(_standing(row), "booked", None),
            row.session_type_name,
            closing.touched.get(row.id),
            do=choices.of(row.id),
            reason=why,
            withdrawn_by="closed_day",
            to=choices.to.get(row.id) or nearest.get(row.id, ""),
        )
        for row in closing.booked
        if choices.of(row.id) in ("cancel", "move")
    ]


def _standing(row: Session) -> Standing:
    slot = Slot(
        row.local_start,
        row.start_time,
        row.end_time,
        row.room_id,
        row.practitioner_id,
        row.capacity,
    )
    day = row.recurrence_date or row.local_start.date()
    return Standing(row.id, day, row.start_time_id or "", slot, is_sold=True)


def _groups(organisation_id: str, site_id: str) -> Sequence[str]:
    return db.session.scalars(
        sa.select(RecurrenceGroup.id)
        .join(SessionType, RecurrenceGroup.session_type_id == SessionType.id)
        .where(
            RecurrenceGroup.organisation_id == organisation_id,
            SessionType.site_id == site_id,
            RecurrenceGroup.deleted_at.is_(None),
            SessionType.deleted_at.is_(None),
        )
    ).all()


def _bring_singles_back(site: Site, day: dt.date, now: dt.datetime) -> list[str]:
    """Sessions of no series that went with the day; the types that they are of."""
    rows = db.session.scalars(
        sa.select(Session)
        .join(SessionType, Session.session_type_id == SessionType.id)
        .where(
            *_on(site, day, day),
            Session.recurrence_group_id.is_(None),
            Session.withdrawn_by == "closed_day",
            Session.start_time > now,
            SessionType.deleted_at.is_(None),
        )
        .order_by(Session.id)
        .with_for_update(key_share=True, of=Session)
        .execution_options(populate_existing=True)
    ).all()
    for row in rows:
        row.deleted_at, row.withdrawn_by, row.cancel_reason, row.updated_at = None, None, "", now
    db.session.flush()
    return [row.session_type_id for row in rows]


def _raise_all(site: Site, type_ids: Sequence[str]) -> None:
    """The types' pages, and those of the whole site: a closed day shows on all of them."""
    raise_revision(site.organisation_id, type_ids)
    db.session.execute(
        sa.update(Site)
        .where(Site.organisation_id == site.organisation_id, Site.id == site.id)
        .values(revision=Site.revision + 1),
        execution_options={"synchronize_session": False},
    )
