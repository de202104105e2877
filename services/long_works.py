"""Work of many steps: begun by a form, done by the worker, watched and stopped on a page."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from domain.errors import NotFound, RuleBroken
from models import LongWork, db, new_object_id, transaction
from services.outbox import enqueue

LONG_WORK = "long_work"
"""The kind of job that carries a work on."""

ITEMS_A_ROUND = 20
"""After so many items the worker looks at its other jobs, and whether it should stop."""

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


def list_works(organisation_id: str, site_id: str, *, most: int = 20) -> list[LongWork]:
    """The last works of a site, newest first."""
    query = (
        sa.select(LongWork)
        .where(LongWork.organisation_id == organisation_id, LongWork.site_id == site_id)
        .order_by(LongWork.created_at.desc(), LongWork.id.desc())
    )
    return list(db.session.scalars(query.limit(most)))


def ask_to_stop(organisation_id: str, site_id: str, work_id: str, *, now: dt.datetime) -> None:
    """Nothing after the item at hand is done; one that has not begun stops at once."""
    with transaction():
        work = _lock(find_work(organisation_id, site_id, work_id))
        if work.state == "waiting":
            work.state, work.finished_at = "stopped", now
        if work.state == "running":
            work.is_stop_asked = True


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
        _enqueue(_lock(_load(organisation_id, work_id)), now)
    return "goes on"


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
        work = _lock(_load(organisation_id, work_id))
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
        work = _lock(_load(organisation_id, work_id))
        # Another worker may have taken over after a long silence: it counts once.
        if work.done != number:
            return
        work.done = number + 1
        if said:
            name = str(work.items[number].get("name", ""))
            work.failures = [*work.failures, {"item": number, "name": name, "said": said}]


def _load(organisation_id: str, work_id: str) -> LongWork:
    return db.session.scalars(
        sa.select(LongWork).where(
            LongWork.organisation_id == organisation_id, LongWork.id == work_id
        )
    ).one()


def _lock(work: LongWork) -> LongWork:
    return db.session.scalars(
        sa.select(LongWork)
        .where(LongWork.organisation_id == work.organisation_id, LongWork.id == work.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def _enqueue(work: LongWork, now: dt.datetime) -> None:
    enqueue(
        LONG_WORK,
        {"work": work.id},
        dedupe_key=f"{LONG_WORK}:{work.id}:{work.done}",
        now=now,
        organisation_id=work.organisation_id,
        site_id=work.site_id,
    )
