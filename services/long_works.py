"""Work of many steps: begun by a form, done by the worker, watched and stopped on a page."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from domain.errors import NotFound, RuleBroken
from models import Job, LongWork, db, new_object_id, transaction
from services.idempotency import retrying
from services.outbox import LEASE, MOST_ATTEMPTS, enqueue

LONG_WORK = "long_work"
"""The kind of job that carries a work on."""

ITEMS_A_ROUND = 20
"""After so many items the worker looks at its other jobs, and whether it should stop."""

OPEN = ("waiting", "running")
"""The states in which something may still be done."""

PATIENCE = dt.timedelta(minutes=1)
"""A job that is due for so long while nobody takes it says that no worker runs."""

Step = Callable[[str, str, Any, dt.datetime], None]
"""Does one item (organisation, site, item, now) in a transaction of its own.

An item may be done twice when a worker dies: doing it again changes nothing. A refusal is a
RuleBroken, whose sentence is kept beside the item's `name`.
"""


def begin(
    organisation_id: str,
    site_id: str,
    *,
    kind: str,
    title: str,
    items: Sequence[Mapping[str, Any]],
    key: str,
    account_id: str | None,
    back: str = "",
    now: dt.datetime,
) -> str:
    """Write a work and its first job in the caller's transaction; its id.

    The same `key` begins one work (H6). Each item is JSON with a `name` that people read.
    """
    dedupe = f"{organisation_id}:{key}"
    known = db.session.scalar(
        sa.select(LongWork.id).where(
            LongWork.organisation_id == organisation_id, LongWork.dedupe_key == dedupe
        )
    )
    if known is not None:
        return known
    work = LongWork(
        id=new_object_id(),
        organisation_id=organisation_id,
        site_id=site_id,
        account_id=account_id,
        kind=kind,
        title=title,
        back=back,
        items=[dict(item) for item in items],
        total=len(items),
        dedupe_key=dedupe,
        created_at=now,
    )
    db.session.add(work)
    db.session.flush()
    _enqueue(work, now)
    return work.id


def find_work(organisation_id: str, site_id: str, work_id: str) -> LongWork:
    """A work of this site; raises NotFound."""
    work = db.session.scalar(
        sa.select(LongWork).where(
            LongWork.organisation_id == organisation_id,
            LongWork.site_id == site_id,
            LongWork.id == work_id,
        )
    )
    if work is None:
        raise NotFound("We couldn't find that work.")
    return work


@dataclass(frozen=True, slots=True)
class WorksPage:
    """Some works of a site, newest first, and whether more follow."""

    works: Sequence[LongWork]
    number: int
    has_more: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """A work and whether it moves.

    `is_still` says that no worker has taken it up for a while, `tries_at` when it is tried
    again after a fault, `has_stopped_short` that nobody will unless it is asked for.
    """

    work: LongWork
    is_still: bool = False
    tries_at: dt.datetime | None = None
    has_stopped_short: bool = False

    @property
    def is_open(self) -> bool:
        """Whether something may still be done."""
        return self.work.state in OPEN


def list_works(organisation_id: str, site_id: str, *, number: int = 1, most: int = 20) -> WorksPage:
    """A page of a site's works, newest first."""
    query = (
        sa.select(LongWork)
        .where(LongWork.organisation_id == organisation_id, LongWork.site_id == site_id)
        .order_by(LongWork.created_at.desc(), LongWork.id.desc())
        .offset((number - 1) * most)
    )
    rows = db.session.scalars(query.limit(most + 1)).all()
    return WorksPage(rows[:most], number, len(rows) > most)


def find_standing(
    organisation_id: str, site_id: str, work_id: str, *, now: dt.datetime
) -> Standing:
    """A work of this site and how its job stands; raises NotFound."""
    work = find_work(organisation_id, site_id, work_id)
    if work.state not in OPEN:
        return Standing(work)
    job = _live_job(work)
    if job is None:
        return Standing(work, has_stopped_short=True)
    if job.run_at > now:
        return Standing(work, tries_at=job.run_at)
    # Under way: its worker has it, and says so item by item.
    is_taken = job.locked_until is not None and job.locked_until > now
    return Standing(work, is_still=not is_taken and job.run_at <= now - PATIENCE)


def ask_to_stop(organisation_id: str, site_id: str, work_id: str, *, now: dt.datetime) -> None:
    """Nothing after the item at hand is done; one that nobody is at stops at once."""
    find_work(organisation_id, site_id, work_id)

    def deed() -> None:
        work = _lock(organisation_id, work_id)
        if work.state == "waiting" or (work.state == "running" and _live_job(work) is None):
            work.state, work.finished_at = "stopped", now
        elif work.state == "running":
            work.is_stop_asked = True

    retrying(deed)


def restart(organisation_id: str, site_id: str, work_id: str, *, now: dt.datetime) -> bool:
    """Put a work that was given up back into the queue; False when there is no need to."""
    find_work(organisation_id, site_id, work_id)

    def deed() -> bool:
        work = _lock(organisation_id, work_id)
        if work.state not in OPEN or _live_job(work) is not None:
            return False
        _enqueue(work, now, again=f":{now.isoformat()}")
        return True

    return retrying(deed)


def _live_job(work: LongWork) -> Job | None:
    """The job that carries it on; None when all are done or were given up."""
    return db.session.scalar(
        sa.select(Job)
        .where(
            Job.organisation_id == work.organisation_id,
            Job.kind == LONG_WORK,
            Job.dedupe_key.startswith(f"{LONG_WORK}:{work.id}:", autoescape=True),
            Job.done_at.is_(None),
            Job.attempts < MOST_ATTEMPTS,
        )
        .order_by(Job.run_at, Job.id)
        .limit(1)
    )


def carry_on(
    organisation_id: str, work_id: str, steps: Mapping[str, Step], *, now: dt.datetime
) -> str:
    """The worker's round: do some items, then queue the rest; a note for the outbox.

    How far it is stands in its row after each item, so that a page can show it and another
    worker can go on from there.
    """
    for _ in range(ITEMS_A_ROUND):
        step = _next(organisation_id, work_id, now)
        if step is None:
            return "ended"
        work, number = step
        said = _do(work, number, steps[work.kind], now)
        _note(organisation_id, work_id, number, said)
    with transaction():
        _enqueue(_lock(organisation_id, work_id), now)
    return "goes on"


def reach(organisation_id: str, work_id: str, done: int | None, *, now: dt.datetime) -> bool:
    """Note how far a step is that does many items in one go; False when it should stop.

    With `done` None only that it goes on. Its job stays its worker's for another lease.
    """
    with transaction():
        work = _lock(organisation_id, work_id)
        if done is not None:
            work.done = min(done, work.total)
        job = _live_job(work)
        if job is not None:
            job.locked_until = now + LEASE
        return work.state == "running" and not work.is_stop_asked


def _do(work: LongWork, number: int, step: Step, now: dt.datetime) -> str:
    """What was refused, in words; empty when it went well."""
    try:
        step(work.organisation_id, work.site_id, work.items[number], now)
    except RuleBroken as broken:
        db.session.rollback()
        return broken.sentence
    return ""


def _next(organisation_id: str, work_id: str, now: dt.datetime) -> tuple[LongWork, int] | None:
    with transaction():
        work = _lock(organisation_id, work_id)
        if work.state in ("done", "stopped"):
            return None
        if work.is_stop_asked or work.done >= work.total:
            work.state = "stopped" if work.done < work.total else "done"
            work.finished_at = now
            return None
        if work.state == "waiting":
            work.state, work.started_at = "running", now
        return work, work.done


def _note(organisation_id: str, work_id: str, number: int, said: str) -> None:
    with transaction():
        work = _lock(organisation_id, work_id)
        # Another worker may have taken over after a long silence: it counts once.
        if work.done != number:
            return
        work.done = number + 1
        if said:
            name = str(work.items[number].get("name", ""))
            work.failures = [*work.failures, {"item": number, "name": name, "said": said}]


def _lock(organisation_id: str, work_id: str) -> LongWork:
    return db.session.scalars(
        sa.select(LongWork)
        .where(LongWork.organisation_id == organisation_id, LongWork.id == work_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def _enqueue(work: LongWork, now: dt.datetime, *, again: str = "") -> None:
    enqueue(
        LONG_WORK,
        {"work": work.id},
        dedupe_key=f"{LONG_WORK}:{work.id}:{work.done}{again}",
        now=now,
        organisation_id=work.organisation_id,
        site_id=work.site_id,
    )
