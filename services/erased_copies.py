"""What else holds a person who is to be forgotten: the trail, archives, offers to work here.

Nothing here commits; `erase_copies` comes before the rows themselves are emptied.
"""

import datetime as dt
import json
import re
from collections.abc import Collection, Iterator
from typing import Any

import sqlalchemy as sa

from models import (
    AuditEntry,
    AuditValues,
    FormerCustomer,
    Guest,
    IdempotencyKey,
    PrivateLink,
    StaffInvitation,
    db,
)
from services.archives import drop_archives
from services.idempotency import FORGOTTEN, OF_PROGRAMS
from services.person_traces import Person
from services.trail import erase_trail

AT_ONCE = 500
"""So many ids are named in one statement."""

_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{24}(?![0-9a-f])")


def erase_copies(person: Person, *, now: dt.datetime) -> None:
    """Take the person out of the trail, and take away what was made of their data.

    From here to the end of the transaction the trail writes nothing personal down.
    """
    erase_trail(person.organisation_id, subjects_of(person))
    _forget_what_names_them(person)
    db.session.execute(
        sa.delete(StaffInvitation).where(
            StaffInvitation.organisation_id == person.organisation_id,
            StaffInvitation.email_key.in_(person.keys),
        ),
        execution_options={"synchronize_session": False},
    )
    drop_archives(person.organisation_id, now=now)
    _answers_to_programs(person)


def subjects_of(person: Person) -> dict[str, Collection[str]]:
    """What of the trail tells of this person: a table's name and the ids of rows.

    With all that was merged into them, and what stood in the bookings where they were a guest.
    """
    own = person.organisation_id
    former = db.session.scalars(
        sa.select(FormerCustomer.id).where(
            FormerCustomer.organisation_id == own,
            FormerCustomer.customer_id.in_(person.customer_ids),
        )
    )
    links = db.session.scalars(
        sa.select(PrivateLink.id).where(
            PrivateLink.organisation_id == own, PrivateLink.customer_id.in_(person.customer_ids)
        )
    )
    return {
        "customers": [*person.customer_ids, *former],
        "private_links": list(links),
        "orders": person.order_ids,
        "session_bookings": person.booking_ids,
        "guests": person.guest_ids,
        "intake_answers": _answers_beside(person),
    }


def _answers_to_programs(person: Person) -> None:
    """What programs were told of them is kept no longer; their keys still do nothing twice (H6)."""
    own = IdempotencyKey.organisation_id == person.organisation_id
    ids = {it for several in subjects_of(person).values() for it in several}
    rows = db.session.execute(
        sa.select(IdempotencyKey.id, IdempotencyKey.answer)
        .where(
            own,
            IdempotencyKey.key.startswith(OF_PROGRAMS),
            IdempotencyKey.answer != FORGOTTEN,
        )
        .execution_options(yield_per=AT_ONCE)
    )
    named = [row_id for row_id, answer in rows if _tells_of(person, ids, answer)]
    for first in range(0, len(named), AT_ONCE):
        db.session.execute(
            sa.update(IdempotencyKey)
            .where(own, IdempotencyKey.id.in_(named[first : first + AT_ONCE]))
            .values(answer=FORGOTTEN),
            execution_options={"synchronize_session": False},
        )


def _tells_of(person: Person, ids: Collection[str], answer: str) -> bool:
    """Whether an answer has one of their ids, or their name, address or number in it."""
    try:
        whole = json.loads(answer)
    except ValueError:
        whole = None
    # Else what a service keeps by itself: an id, which by chance reads like a number.
    said = "\n".join(map(str, whole)) if isinstance(whole, list) else answer
    if any(found in ids for found in _ID.findall(said)):
        return True
    return person.texts is not None and person.texts.search(said) is not None


def _answers_beside(person: Person) -> list[str]:
    """All forms of the bookings where they were a guest, also such as were taken away since.

    Which of those was theirs nothing says any more.
    """
    bookings = sa.select(Guest.session_booking_id).where(
        Guest.organisation_id == person.organisation_id, Guest.id.in_(person.guest_ids)
    )
    return list(
        db.session.scalars(
            sa.select(AuditEntry.subject_id)
            .where(
                AuditEntry.organisation_id == person.organisation_id,
                AuditEntry.about == "session_bookings",
                AuditEntry.about_id.in_(bookings),
                AuditEntry.subject == "intake_answers",
            )
            .distinct()
        )
    )


def _forget_what_names_them(person: Person) -> None:
    """What the trail keeps about others and names this person: that it changed stays."""
    if person.texts is None:
        return
    kept = (AuditValues.before, AuditValues.after, AuditValues.why)
    rows = db.session.execute(
        sa.select(AuditValues.entry_id, *kept).where(
            AuditValues.organisation_id == person.organisation_id, _may_name(person)
        )
    )
    named = [
        row[0] for row in rows if any(person.texts.search(text) for text in _texts(list(row[1:])))
    ]
    for first in range(0, len(named), AT_ONCE):
        db.session.execute(
            sa.delete(AuditValues).where(
                AuditValues.organisation_id == person.organisation_id,
                AuditValues.entry_id.in_(named[first : first + AT_ONCE]),
            ),
            execution_options={"synchronize_session": False},
        )


def _may_name(person: Person) -> sa.ColumnElement[bool]:
    """Asked of the database, so that not every value of a large house is read here."""
    if "" in person.needles:
        return sa.true()
    texts = [
        sa.func.lower(sa.cast(column, sa.Text))
        for column in (AuditValues.before, AuditValues.after, AuditValues.why)
    ]
    return sa.or_(
        *(text.contains(needle, autoescape=True) for needle in person.needles for text in texts)
    )


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value of JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)
