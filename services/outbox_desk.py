"""The outbox as staff see it: what waits, what went, what failed, and once more (E1)."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from domain.errors import NotFound
from models import Guest, Job, Order, SessionBooking, StaffGrant, db, transaction, unbound
from services.checkout import SOLD
from services.letters import MAIL
from services.outbox import MOST_ATTEMPTS

PAGE = 25
"""Letters on one page of the list."""

STATES = ("waiting", "sent", "failed")

_SOLD_ORDER = sa.case((Order.state.in_(SOLD), Order.id), else_="")


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose letters staff may read: their site's, and with `is_whole` those of no one site.

    Letters about accounts (sign-in links, password resets) belong to no organisation and are in
    nobody's scope.
    """

    organisation_id: str
    site_id: str
    is_whole: bool = False


@dataclass(frozen=True, slots=True)
class Posted:
    """One letter of the outbox, before it is written out."""

    id: str
    letter: str
    payload: dict[str, Any]
    state: str
    name: str
    address: str
    created_at: dt.datetime
    run_at: dt.datetime
    done_at: dt.datetime | None
    attempts: int
    error: str
    is_under_way: bool
    order_id: str = ""
    """The order that it is about, where there is one."""


@dataclass(frozen=True, slots=True)
class OutboxPage:
    """A page of one state's letters, and how many there are of each."""

    letters: tuple[Posted, ...]
    counts: dict[str, int]
    number: int
    has_more: bool


def works_everywhere(account_id: str, organisation_id: str, right: str) -> bool:
    """Whether an account has this right at all sites of an organisation."""
    query = sa.select(StaffGrant.id).where(
        StaffGrant.organisation_id == organisation_id,
        StaffGrant.account_id == account_id,
        StaffGrant.site_id.is_(None),
        StaffGrant.right == right,
    )
    return db.session.scalar(query.limit(1)) is not None


def list_outbox(scope: Scope, state: str, *, number: int = 1, now: dt.datetime) -> OutboxPage:
    """The `number`th page of letters that wait (soonest first), were sent or failed (newest)."""
    order = (Job.run_at, Job.id) if state == "waiting" else (_newest(state).desc(), Job.id.desc())
    jobs = db.session.scalars(
        sa.select(Job)
        .where(*_in(scope), _is(state, now))
        .order_by(*order)
        .offset(PAGE * (number - 1))
        .limit(PAGE + 1)
    ).all()
    counts = db.session.execute(
        sa.select(*(sa.func.count(Job.id).filter(_is(one, now)) for one in STATES)).where(
            *_in(scope)
        )
    ).one()
    return OutboxPage(
        letters=tuple(_posted(jobs[:PAGE], now)),
        counts=dict(zip(STATES, counts, strict=True)),
        number=number,
        has_more=len(jobs) > PAGE,
    )


def count_failed(scope: Scope, *, now: dt.datetime) -> int:
    """How many letters were given up."""
    query = sa.select(sa.func.count(Job.id)).where(*_in(scope), _is("failed", now))
    return db.session.scalar(query) or 0


def find_posted(scope: Scope, job_id: str, *, now: dt.datetime) -> Posted:
    """One letter of the outbox; NotFound for another site's."""
    job = db.session.scalar(sa.select(Job).where(*_in(scope), Job.id == job_id))
    if job is None:
        raise NotFound("We couldn't find that mail. Sent ones are kept for 30 days.")
    return next(iter(_posted([job], now)))


def list_about_order(
    scope: Scope, order_id: str, booking_ids: Sequence[str], *, since: dt.datetime, now: dt.datetime
) -> list[Posted]:
    """The letters about an order and its bookings, oldest first; sent ones are kept 30 days."""
    jobs = db.session.scalars(
        sa.select(Job)
        .where(
            *_in(scope),
            Job.created_at >= since,
            sa.or_(
                Job.payload["order"].as_string() == order_id,
                Job.payload["booking"].as_string().in_(booking_ids),
            ),
        )
        .order_by(Job.created_at, Job.id)
    ).all()
    return _posted(jobs, now)


def list_about_customer(
    organisation_id: str, customer_id: str, *, number: int, size: int, now: dt.datetime
) -> tuple[list[Posted], int]:
    """A page of the letters about a customer's orders and bookings, newest first; how many."""
    orders = sa.select(Order.id).where(
        Order.organisation_id == organisation_id, Order.customer_id == customer_id
    )
    bookings = sa.select(SessionBooking.id).where(
        SessionBooking.organisation_id == organisation_id,
        SessionBooking.customer_id == customer_id,
    )
    which = (
        Job.organisation_id == organisation_id,
        Job.kind == MAIL,
        sa.or_(
            Job.payload["order"].as_string().in_(orders),
            Job.payload["booking"].as_string().in_(bookings),
        ),
    )
    total = db.session.scalar(sa.select(sa.func.count(Job.id)).where(*which)) or 0
    jobs = db.session.scalars(
        sa.select(Job)
        .where(*which)
        .order_by(Job.created_at.desc(), Job.id.desc())
        .offset(size * (number - 1))
        .limit(size)
    ).all()
    return _posted(jobs, now), total


def retry(scope: Scope, job_id: str | None = None, *, now: dt.datetime) -> int:
    """Put one failed letter back, or all of them; how many. Two presses are one.

    What waits, was sent or is just being sent stays as it is. Raises NotFound.
    """
    with transaction():
        if job_id is not None:
            find_posted(scope, job_id, now=now)
        only = [Job.id == job_id] if job_id is not None else []
        result: Any = db.session.execute(
            sa.update(Job)
            .where(*_in(scope), _is("failed", now), *only)
            .values(attempts=0, run_at=now, locked_until=None),
            execution_options={"synchronize_session": False},
        )
        return int(result.rowcount)


def _in(scope: Scope) -> tuple[sa.ColumnElement[bool], ...]:
    own = Job.site_id == scope.site_id
    return (
        Job.kind == MAIL,
        Job.organisation_id == scope.organisation_id,
        sa.or_(own, Job.site_id.is_(None)) if scope.is_whole else own,
    )


def _is(state: str, now: dt.datetime) -> sa.ColumnElement[bool]:
    if state == "sent":
        return Job.done_at.is_not(None)
    # The last try is still under way while its lease runs.
    failed = sa.and_(
        Job.attempts >= MOST_ATTEMPTS,
        sa.or_(Job.locked_until.is_(None), Job.locked_until <= now),
    )
    return sa.and_(Job.done_at.is_(None), failed if state == "failed" else sa.not_(failed))


def _newest(state: str) -> Any:
    return Job.done_at if state == "sent" else Job.run_at


def _posted(jobs: Iterable[Job], now: dt.datetime) -> list[Posted]:
    jobs = list(jobs)
    people = _people(jobs)
    return [
        Posted(
            id=job.id,
            letter=str(job.payload.get("letter", "")),
            payload=dict(job.payload),
            state=_state(job, now),
            name=name,
            address=address,
            order_id=order_id,
            created_at=job.created_at,
            run_at=job.run_at,
            done_at=job.done_at,
            attempts=job.attempts,
            error=job.error,
            is_under_way=job.locked_until is not None and job.locked_until > now,
        )
        for job, (name, address, order_id) in zip(jobs, people, strict=True)
    ]


def _state(job: Job, now: dt.datetime) -> str:
    if job.done_at is not None:
        return "sent"
    is_let_go = job.locked_until is None or job.locked_until <= now
    return "failed" if job.attempts >= MOST_ATTEMPTS and is_let_go else "waiting"


def _people(jobs: list[Job]) -> list[tuple[str, str, str]]:
    """To whom, in three statements for a page: as it stands in the letter, else the booker.

    With the order that the letter is about.
    """
    guests = _rows(
        sa.select(Guest.id, Guest.name, Guest.email).where(Guest.id.in_(_ids(jobs, "guest")))
    )
    bookers = _rows(
        sa.select(SessionBooking.id, Order.name, Order.email, _SOLD_ORDER)
        .join(SessionBooking.order)
        .where(SessionBooking.id.in_(_ids(jobs, "booking")))
    )
    orders = _rows(
        sa.select(Order.id, Order.name, Order.email, _SOLD_ORDER).where(
            Order.id.in_(_ids(jobs, "order"))
        )
    )
    found = []
    for job in jobs:
        said = (str(job.payload.get("name", "")), str(job.payload.get("to", "")))
        guest = guests.get(str(job.payload.get("guest")))
        booker = bookers.get(str(job.payload.get("booking"))) or orders.get(
            str(job.payload.get("order")), ("", "", "")
        )
        name, address = said if said[1] else guest[:2] if guest and guest[1] else booker[:2]
        found.append((name, address, booker[2]))
    return found


def _ids(jobs: list[Job], key: str) -> list[str]:
    return [str(job.payload[key]) for job in jobs if key in job.payload]


def _rows(query: sa.Executable) -> dict[str, tuple[str, str, str]]:
    """By id a name, an address, and the order's id where the query asks for one."""
    found = db.session.execute(
        query, execution_options=unbound("rows named by letters inside the scope")
    )
    return {row[0]: (row[1], row[2], row[3] if len(row) > 3 else "") for row in found}
