"""Table by table: what is written of a person who is to be forgotten, taken out.

Nothing here locks or commits. What hangs on the person goes whole; in what others wrote, their
full name, address and number give way to `GONE`.
"""

import datetime as dt
import re
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa

from domain.people import email_key, guest_key
from models import (
    Account,
    AccountLink,
    FormerCustomer,
    Guest,
    IdempotencyKey,
    IntakeAnswer,
    Job,
    LedgerEntry,
    LongWork,
    Note,
    Order,
    PrivateLink,
    Session,
    SessionBooking,
    StaffInvitation,
    db,
    unbound,
)
from services.account_closing import remove_account
from services.erased_copies import erase_copies
from services.idempotency import OF_PROGRAMS
from services.ledger import LAPSED
from services.letters import MAIL
from services.person_traces import Person, spellings

GONE = "[erased]"
NOBODY = "Erased guest"

TRACES: Mapping[str, str] = {
    "customers.name": "becomes “Erased guest”",
    "customers.email": "emptied",
    "customers.email_key": "emptied",
    "customers.address_key": "becomes “erased” and the row's id: one known customer in reports",
    "customers.phone": "emptied",
    "customers.name_key": "follows the name",
    "customers.phone_key": "follows the phone",
    "former_customers.email_key": "emptied",
    "orders.name": "becomes “Erased guest”",
    "orders.email": "emptied, on other people's orders too",
    "orders.typed": "emptied",
    "session_bookings.cancel_reason": "emptied; on other bookings the name goes",
    "session_bookings.skip_reason": "emptied; on other bookings the name goes",
    "session_bookings.override_reason": "emptied; on other bookings the name goes",
    "guests.name": "becomes “Erased guest 1”, 2 …: two guests stay two",
    "guests.email": "emptied",
    "guests.form_secret": "emptied: the form's link is dead",
    "intake_answers.answers": "emptied",
    "notes.text": "the note goes; in other notes the name goes",
    "ledger_entries.note": "emptied where staff wrote it; the line itself stays",
    "private_links.name": "emptied, and the link revoked; on other links the name goes",
    "sessions.cancel_reason": "the name goes",
    "jobs.payload": "addresses and names go; a mail that was not sent goes whole",
    "jobs.error": "emptied for mails to them; else the name goes",
    "long_works.title": "the name goes",
    "long_works.items": "the name goes",
    "long_works.failures": "the name goes",
    "idempotency_keys.answer": "the address goes; a program's whole answer that tells of them",
    "account_links.email": "the link goes, unless the account stays",
    "account_links.name": "the link goes, unless the account stays",
    "account_links.next": "the link goes, unless the account stays",
    "finding_words.word": "follow the names, addresses and numbers",
    "audit_values.before": "goes with all that the trail keeps of them, or that names them",
    "audit_values.after": "goes with all that the trail keeps of them, or that names them",
    "audit_values.why": "goes with all that the trail keeps of them, or that names them",
    "archive_parts.content": "all archives go, and one that is being made is stopped",
    "staff_invitations.email": "an invitation to their address goes",
    "staff_invitations.email_key": "an invitation to their address goes",
    "staff_invitations.name": "an invitation to their address goes; in others the name",
    "staff_invitations.title": "an invitation to their address goes; in others the name",
    "sign_ins.user_agent": "goes with the account, unless that stays",
    "sign_ins.address": "goes with the account, unless that stays",
    "passkeys.credential_id": "goes with the account, unless that stays",
    "passkeys.public_key": "goes with the account, unless that stays",
    "passkeys.name": "goes with the account, unless that stays",
    "accounts.name": "the account goes, unless another venue knows it",
    "accounts.email": "the account goes, unless another venue knows it",
    "accounts.email_key": "the account goes, unless another venue knows it",
}
"""By table and column what becomes of a person's texts there."""

_EVERYWHERE = unbound("an account is one person's sign-in for the whole installation")
_SILENT: dict[str, Any] = {"synchronize_session": False}
_BY_ID: dict[str, Any] = {**unbound("a mail about an account has no organisation"), **_SILENT}


def erase_texts(person: Person, *, hash_address: Callable[[str], str], now: dt.datetime) -> None:
    """Take the person's texts out of every table but their own row."""
    # From here on the trail keeps nothing of what is emptied. What they are found by goes last.
    erase_copies(person, now=now)
    _bookings(person)
    _guests(person)
    _notes(person)
    _ledger(person)
    _jobs(person)
    _side_texts(person)
    _answers_of_forms(person)
    _account(person, hash_address)
    _orders(person)
    _update(FormerCustomer, FormerCustomer.customer_id.in_(person.customer_ids), person,
            email_key=None)  # fmt: skip
    db.session.flush()


def _orders(person: Person) -> None:
    """Their own, and their address wherever another person typed it."""
    own = Order.id.in_(person.order_ids)
    _update(Order, own, person, name=NOBODY, email="", typed={}, held_by_id=None)
    in_house = Order.organisation_id == person.organisation_id
    written = spellings(Order.email, person.keys, in_house)
    if written:
        others = tuple(
            db.session.scalars(sa.select(Order.id).where(in_house, Order.email.in_(written)))
        )
        _update(Order, Order.id.in_(others), person, email="", typed={})
        _replace(Order, "name", person, Order.id.in_(others))


def _bookings(person: Person) -> None:
    """Reasons and answers of theirs; all people of the party, who were named by them."""
    theirs = SessionBooking.id.in_(person.booking_ids)
    _update(SessionBooking, theirs, person, cancel_reason="", skip_reason="", override_reason="")
    _update(
        IntakeAnswer, IntakeAnswer.session_booking_id.in_(person.booking_ids), person, answers={}
    )


def _guests(person: Person) -> None:
    guests = db.session.execute(
        sa.select(Guest, SessionBooking.order_id)
        .join(SessionBooking, Guest.session_booking_id == SessionBooking.id)
        .where(
            Guest.organisation_id == person.organisation_id,
            sa.or_(
                Guest.session_booking_id.in_(person.booking_ids), Guest.id.in_(person.guest_ids)
            ),
        )
        .order_by(Guest.id)
        .execution_options(populate_existing=True)
    ).all()
    names = _NewNames(person.organisation_id, {order_id for _, order_id in guests})
    for guest, order_id in guests:
        if guest.id in person.guest_ids:
            _update(
                IntakeAnswer,
                sa.and_(
                    IntakeAnswer.session_booking_id == guest.session_booking_id,
                    IntakeAnswer.position == guest.position,
                ),
                person,
                answers={},
            )
        guest.name = names.of(order_id, guest_key(email=guest.email, name=guest.name))
        guest.email, guest.form_secret = "", None
    db.session.flush()


class _NewNames:
    """One new name for each guest of an order: who was one stays one, two stay two (H9)."""

    def __init__(self, organisation_id: str, order_ids: set[str]) -> None:
        self._names: dict[tuple[str, str], str] = {}
        rows = db.session.execute(
            sa.select(SessionBooking.order_id, Guest.name)
            .join(SessionBooking, Guest.session_booking_id == SessionBooking.id)
            .where(Guest.organisation_id == organisation_id, SessionBooking.order_id.in_(order_ids))
        )
        self._taken = {(order_id, name) for order_id, name in rows}

    def of(self, order_id: str, key: str) -> str:
        """The name of this guest in this order from now on."""
        if (order_id, key) not in self._names:
            number = 1
            while (order_id, f"{NOBODY} {number}") in self._taken:
                number += 1
            self._taken.add((order_id, f"{NOBODY} {number}"))
            self._names[order_id, key] = f"{NOBODY} {number}"
        return self._names[order_id, key]


def _notes(person: Person) -> None:
    db.session.execute(
        sa.delete(Note).where(
            Note.organisation_id == person.organisation_id,
            sa.or_(
                Note.customer_id.in_(person.customer_ids),
                Note.session_booking_id.in_(person.booking_ids),
            ),
        ),
        execution_options=_SILENT,
    )


def _ledger(person: Person) -> None:
    """What staff noted with a payment; the database lets nothing else of a line change (M1)."""
    noted = LedgerEntry.note.not_in(("", LAPSED))
    _update(
        LedgerEntry, sa.and_(noted, LedgerEntry.order_id.in_(person.order_ids)), person, note=""
    )
    if person.texts is not None:
        rows = db.session.execute(
            sa.select(LedgerEntry.id, LedgerEntry.note).where(
                LedgerEntry.organisation_id == person.organisation_id, noted
            )
        )
        named = [row[0] for row in rows if person.texts.search(row[1])]
        _update(LedgerEntry, LedgerEntry.id.in_(named), person, note="")


def _jobs(person: Person) -> None:
    """Mails about their bookings and to their addresses: what was not sent never is."""
    about = {*person.order_ids, *person.booking_ids, *person.guest_ids}
    is_ours = sa.or_(Job.organisation_id == person.organisation_id, Job.organisation_id.is_(None))
    rows = db.session.execute(
        sa.select(Job.id, Job.kind, Job.payload, Job.error, Job.done_at).where(is_ours)
    ).all()
    for job_id, kind, payload, error, done_at in rows:
        is_theirs = bool(about & {str(value) for value in payload.values()}) or (
            email_key(str(payload.get("to", ""))) in person.keys
        )
        if is_theirs and done_at is None and kind == MAIL:
            db.session.execute(sa.delete(Job).where(Job.id == job_id), execution_options=_BY_ID)
            continue
        told = {
            key: GONE if is_theirs and key in ("to", "name", "address") else _without(person, value)
            for key, value in payload.items()
        }
        said = "" if is_theirs else _without(person, error)
        if (told, said) != (payload, error):
            db.session.execute(
                sa.update(Job).where(Job.id == job_id).values(payload=told, error=said),
                execution_options=_BY_ID,
            )


def _side_texts(person: Person) -> None:
    """What was written about others, or about a session, and names them."""
    for column in ("cancel_reason", "skip_reason", "override_reason"):
        _replace(SessionBooking, column, person)
    _replace(Session, "cancel_reason", person)
    _replace(PrivateLink, "name", person)
    _replace(Note, "text", person)
    _replace(StaffInvitation, "name", person)
    _replace(StaffInvitation, "title", person)
    for work in db.session.scalars(
        sa.select(LongWork)
        .where(LongWork.organisation_id == person.organisation_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ):
        work.title = _without(person, work.title)
        work.items = _without(person, work.items)
        work.failures = _without(person, work.failures)
    db.session.flush()


def _answers_of_forms(person: Person) -> None:
    """A mail sent again answers with its address (H6)."""
    kept = IdempotencyKey.answer
    rows = db.session.execute(
        sa.select(IdempotencyKey.id, kept).where(
            IdempotencyKey.organisation_id == person.organisation_id,
            sa.not_(IdempotencyKey.key.startswith(OF_PROGRAMS)),
            kept.contains("@"),
        )
    )
    named = [row[0] for row in rows if _without(person, row[1]) != row[1]]
    _update(IdempotencyKey, IdempotencyKey.id.in_(named), person, answer="")


def _account(person: Person, hash_address: Callable[[str], str]) -> None:
    """The sign-in goes where no other venue knows it; links to addresses without one go, too."""
    account = db.session.get(Account, person.account_id) if person.account_id else None
    if account is not None and person.closes_account:
        remove_account(account, who=hash_address(account.email))
    written = spellings(AccountLink.email, person.keys)
    if written:
        db.session.execute(
            sa.delete(AccountLink).where(
                AccountLink.email.in_(written), AccountLink.account_id.is_(None)
            ),
            execution_options={**_EVERYWHERE, **_SILENT},
        )


def _update(model: Any, which: sa.ColumnElement[bool], person: Person, **values: Any) -> None:
    db.session.execute(
        sa.update(model)
        .where(model.organisation_id == person.organisation_id, which)
        .values(values),
        execution_options=_SILENT,
    )


def _replace(model: Any, name: str, person: Person, *which: sa.ColumnElement[bool]) -> None:
    """Take the person out of one column of texts, wherever it names them."""
    column = getattr(model, name)
    if person.texts is None:
        return
    rows = db.session.execute(
        sa.select(model.id, column).where(
            model.organisation_id == person.organisation_id, column != "", *which
        )
    )
    for row_id, text in rows.all():
        said = _without(person, text)
        if said != text:
            _update(model, model.id == row_id, person, **{name: said})


def _without(person: Person, value: Any) -> Any:
    """The same text, list or mapping, with the person taken out."""
    pattern: re.Pattern[str] | None = person.texts
    if pattern is None:
        return value
    if isinstance(value, str):
        return pattern.sub(GONE, value)
    if isinstance(value, list):
        return [_without(person, one) for one in value]
    if isinstance(value, dict):
        return {key: _without(person, one) for key, one in value.items()}
    return value
