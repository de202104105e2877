"""Membership types of an organisation, and what staff do with a customer's memberships."""

import datetime as dt
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload

from domain.errors import NotFound, RuleBroken
from domain.member_file import fold
from domain.memberships import (
    ChangedMeanwhile,
    Days,
    Held,
    change_days,
    check_type_name,
    end,
    give,
    pause,
    require_unchanged,
    resume,
)
from models import (
    Customer,
    Membership,
    MembershipType,
    PriceRule,
    SessionType,
    db,
    new_object_id,
    new_uuid,
    transaction,
)
from services.idempotency import once
from services.paging import Cut, PageOf, cut_out


@dataclass(frozen=True, slots=True)
class TypeLine:
    """A membership type with how many hold it, and how many offers ask for it."""

    id: str
    name: str
    blurb: str
    is_archived: bool
    holders: int
    offers: int


def list_types(organisation_id: str, *, today: dt.date) -> list[TypeLine]:
    """Every membership type, archived ones last, with its holders of today and later."""
    rows = db.session.execute(
        sa.select(
            MembershipType, sa.func.count(sa.distinct(Membership.customer_id)).label("holders")
        )
        .outerjoin(
            Membership,
            sa.and_(
                Membership.membership_type_id == MembershipType.id,
                Membership.state == "active",
                sa.or_(Membership.last_day.is_(None), Membership.last_day >= today),
            ),
        )
        .where(MembershipType.organisation_id == organisation_id)
        .group_by(MembershipType.id)
    ).all()
    asked_by = _asked_by(organisation_id)
    lines = [
        TypeLine(
            id=row.id,
            name=row.name,
            blurb=row.blurb,
            is_archived=row.deleted_at is not None,
            holders=holders,
            offers=asked_by[row.id],
        )
        for row, holders in rows
    ]
    return sorted(lines, key=lambda line: (line.is_archived, line.name.casefold(), line.id))


def page_types(
    organisation_id: str, *, is_archived: bool = False, cut: Cut
) -> PageOf[MembershipType]:
    """A page of the membership types by name: those that are given, or archived ones (R21)."""
    gone = MembershipType.deleted_at
    query = sa.select(MembershipType).where(
        MembershipType.organisation_id == organisation_id,
        gone.is_not(None) if is_archived else gone.is_(None),
    )
    by = (sa.func.lower(MembershipType.name), MembershipType.id)
    return cut_out(query, cut, by=by, key=MembershipType.id)


def list_choices(organisation_id: str) -> list[MembershipType]:
    """The types that can be given: those that are not archived, by name."""
    rows = db.session.scalars(
        sa.select(MembershipType).where(
            MembershipType.organisation_id == organisation_id, MembershipType.deleted_at.is_(None)
        )
    )
    return sorted(rows, key=lambda row: (row.name.casefold(), row.id))


def add_type(organisation_id: str, *, name: str, key: str = "", now: dt.datetime) -> str:
    """A new membership type; its id. Raises RuleBroken for a name that is taken."""

    def deed() -> str:
        row = MembershipType(
            id=new_uuid(), organisation_id=organisation_id, name=_free_name(organisation_id, name)
        )
        db.session.add(row)
        return row.id

    return once(organisation_id, key, {"membership_type": name}, deed, now)


def rename_type(organisation_id: str, type_id: str, *, name: str, was: str) -> None:
    """Another name; raises ChangedMeanwhile when it is no longer called `was` (D4)."""
    with transaction():
        row = _lock_type(organisation_id, type_id)
        wanted = check_type_name(name)
        if row.name == wanted:
            return
        if row.name != was:
            raise ChangedMeanwhile(
                f"Somebody renamed this meanwhile: it is now “{row.name}”. "
                "Save again if your name is the right one."
            )
        row.name = _free_name(organisation_id, wanted, but=type_id)


def archive_type(organisation_id: str, type_id: str, *, now: dt.datetime) -> None:
    """No longer given; it keeps counting for those who hold it. Repeating changes nothing."""
    with transaction():
        row = _lock_type(organisation_id, type_id)
        row.deleted_at = row.deleted_at or now


def restore_type(organisation_id: str, type_id: str) -> None:
    """Can be given again; raises RuleBroken when its name is taken meanwhile."""
    with transaction():
        row = _lock_type(organisation_id, type_id)
        if row.deleted_at is not None:
            _free_name(organisation_id, row.name, but=type_id)
            row.deleted_at = None


def give_membership(
    organisation_id: str,
    customer_id: str,
    *,
    type_id: str,
    first_day: dt.date,
    last_day: dt.date | None,
    key: str = "",
    now: dt.datetime,
    today: dt.date,
) -> str:
    """Give a customer a membership; its id. Raises NotFound, RuleBroken."""
    body = {
        "customer": customer_id,
        "type": type_id,
        "first": first_day.isoformat(),
        "last": last_day.isoformat() if last_day else None,
    }

    def deed() -> str:
        lock_customers(organisation_id, [customer_id])
        kind = db.session.scalar(
            sa.select(MembershipType).where(
                MembershipType.organisation_id == organisation_id,
                MembershipType.id == type_id,
                MembershipType.deleted_at.is_(None),
            )
        )
        if kind is None:
            raise RuleBroken("Choose a membership from the list.", code="type", field="type")
        wanted = Held(new_object_id(), kind.id, kind.name, first_day, last_day)
        given = give(wanted, list_held(organisation_id, customer_id), today=today)
        add_membership(organisation_id, customer_id, given, now)
        return given.id

    return once(organisation_id, key, body, deed, now)


def change_membership_days(
    organisation_id: str,
    customer_id: str,
    membership_id: str,
    *,
    first_day: dt.date,
    last_day: dt.date | None,
    was: Days,
    today: dt.date,
) -> None:
    """Other days for a membership; raises NotFound, RuleBroken, ChangedMeanwhile (D4)."""
    _change(
        organisation_id,
        customer_id,
        membership_id,
        was,
        lambda held, others: change_days(held, first_day, last_day, others, today=today),
        Days(first_day, last_day, was.state),
    )


def pause_membership(
    organisation_id: str, customer_id: str, membership_id: str, *, was: Days, today: dt.date
) -> None:
    """On record without counting; raises NotFound, RuleBroken, ChangedMeanwhile."""
    _change(
        organisation_id,
        customer_id,
        membership_id,
        was,
        lambda held, _: pause(held, today=today),
        Days(was.first_day, was.last_day, "paused"),
    )


def resume_membership(
    organisation_id: str, customer_id: str, membership_id: str, *, was: Days
) -> None:
    """Counts again; raises NotFound, RuleBroken, ChangedMeanwhile."""
    _change(
        organisation_id,
        customer_id,
        membership_id,
        was,
        lambda held, _: resume(held),
        Days(was.first_day, was.last_day, "active"),
    )


def end_membership(
    organisation_id: str,
    customer_id: str,
    membership_id: str,
    *,
    last_day: dt.date | None,
    was: Days,
    today: dt.date,
) -> None:
    """Counts up to `last_day`, or no more at once; raises NotFound, RuleBroken, ChangedMeanwhile.

    Ending at once twice is one ending, whatever day it wrote.
    """
    _change(
        organisation_id,
        customer_id,
        membership_id,
        was,
        lambda held, _: end(held, last_day, today=today),
        None if last_day is None else Days(was.first_day, last_day, was.state),
    )


def held_of(row: Membership) -> Held:
    """The values of a membership row whose type is loaded."""
    return Held(
        row.id,
        row.membership_type_id,
        row.membership_type.name,
        row.first_day,
        row.last_day,
        row.state,
    )


def list_held(organisation_id: str, customer_id: str) -> list[Held]:
    """All memberships of a customer, whatever their state, the newest first."""
    rows = db.session.scalars(
        sa.select(Membership)
        .where(Membership.organisation_id == organisation_id, Membership.customer_id == customer_id)
        .options(joinedload(Membership.membership_type))
        .order_by(Membership.first_day.desc(), Membership.id)
    )
    return [held_of(row) for row in rows]


def lock_customers(organisation_id: str, customer_ids: list[str]) -> None:
    """Lock customers in order of id before their memberships change; NotFound if one is missing."""
    found = db.session.scalars(
        sa.select(Customer.id)
        .where(
            Customer.organisation_id == organisation_id,
            Customer.id.in_(customer_ids),
            Customer.erased_at.is_(None),
        )
        .order_by(Customer.id)
        .with_for_update(key_share=True)
    ).all()
    if len(found) != len(set(customer_ids)):
        raise NotFound("We couldn't find that customer.")


def add_membership(organisation_id: str, customer_id: str, given: Held, now: dt.datetime) -> None:
    """Write a new membership; the customer is locked by the caller."""
    db.session.add(
        Membership(
            id=given.id,
            organisation_id=organisation_id,
            customer_id=customer_id,
            membership_type_id=given.type_id,
            first_day=given.first_day,
            last_day=given.last_day,
            state=given.state,
            created_at=now,
        )
    )


def write_memberships(organisation_id: str, changed: list[Held]) -> None:
    """Write days and states of memberships that exist; their customers are locked by the caller."""
    wanted = {held.id: held for held in changed}
    rows = db.session.scalars(
        sa.select(Membership).where(
            Membership.organisation_id == organisation_id, Membership.id.in_(wanted)
        )
    )
    for row in rows:
        held = wanted[row.id]
        row.first_day, row.last_day, row.state = held.first_day, held.last_day, held.state


def _change(
    organisation_id: str,
    customer_id: str,
    membership_id: str,
    was: Days,
    deed: Callable[[Held, list[Held]], Held],
    wanted: Days | None,
) -> None:
    try:
        with transaction():
            lock_customers(organisation_id, [customer_id])
            held = list_held(organisation_id, customer_id)
            mine = next((one for one in held if one.id == membership_id), None)
            if mine is None:
                raise NotFound("We couldn't find that membership.")
            require_unchanged(mine, was, wanted or Days(was.first_day, mine.last_day, "ended"))
            changed = deed(mine, held)
            write_memberships(organisation_id, [changed])
    except IntegrityError as error:
        raise RuleBroken(
            "They have this membership from that day already.", code="overlap", field="first_day"
        ) from error


def find_type(organisation_id: str, type_id: str) -> MembershipType:
    """A membership type of the organisation, archived or not; raises NotFound."""
    return _found_type(_type_query(organisation_id, type_id))


def _type_query(organisation_id: str, type_id: str) -> sa.Select[MembershipType]:
    return sa.select(MembershipType).where(
        MembershipType.organisation_id == organisation_id, MembershipType.id == type_id
    )


def _lock_type(organisation_id: str, type_id: str) -> MembershipType:
    return _found_type(_type_query(organisation_id, type_id).with_for_update())


def _found_type(query: sa.Select[MembershipType]) -> MembershipType:
    row = db.session.scalar(query)
    if row is None:
        raise NotFound("We couldn't find that membership.")
    return row


def _free_name(organisation_id: str, name: str, *, but: str = "") -> str:
    wanted = check_type_name(name)
    if any(
        fold(row.name) == fold(wanted) for row in list_choices(organisation_id) if row.id != but
    ):
        raise RuleBroken(
            f"There is a membership called {wanted} already.", code="name_taken", field="name"
        )
    return wanted


def _asked_by(organisation_id: str) -> Counter[str]:
    """How many offers name each type: in who may book, in windows or in prices."""
    asking: dict[str, set[str]] = {}
    for row in db.session.execute(
        sa.select(
            SessionType.id,
            SessionType.permitted_membership_type_ids,
            SessionType.membership_booking_windows,
        ).where(SessionType.organisation_id == organisation_id, SessionType.deleted_at.is_(None))
    ):
        asking[row[0]] = {*(row[1] or ()), *(w["membership_type_id"] for w in row[2] or ())}
    for type_id, named in db.session.execute(
        sa.select(PriceRule.session_type_id, PriceRule.membership_type_ids).where(
            PriceRule.organisation_id == organisation_id
        )
    ):
        if type_id in asking:
            asking[type_id].update(named or ())
    return Counter(kind for named in asking.values() for kind in named)
