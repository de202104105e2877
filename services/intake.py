"""Intake forms: saving them in versions, asking them of bookings, and what is still missing."""

import datetime as dt
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from domain.errors import FormChanged, NotFound
from domain.intake import (
    BOOKER,
    Answer,
    Field,
    check_form,
    fields_for,
    intake_form_required,
    missing_by_position,
)
from domain.words import count
from models import (
    IntakeAnswer,
    IntakeForm,
    SessionBooking,
    SessionType,
    db,
    new_object_id,
    transaction,
)
from services.places import raise_revision


@dataclass(frozen=True, slots=True)
class FormVersion:
    """One version of a type's form, with how many people have answered it."""

    version: int
    created_at: dt.datetime
    fields: tuple[Field, ...]
    answers: int


@dataclass(frozen=True, slots=True)
class TypeForm:
    """A session type with the form in force, if any, and every version newest first."""

    id: str
    name: str
    is_archived: bool
    version: int | None
    versions: tuple[FormVersion, ...]

    @property
    def latest(self) -> int:
        """The newest version's number, 0 when there is none: what an editor has seen."""
        return self.versions[0].version if self.versions else 0

    @property
    def fields(self) -> tuple[Field, ...]:
        """What is asked at present."""
        return next((it.fields for it in self.versions if it.version == self.version), ())


@dataclass(frozen=True, slots=True)
class Completion:
    """Whether a booking must have forms filled in, whether they are, and who lacks what."""

    has_form: bool = False
    required: bool = False
    completed: bool = True
    missing: tuple[str, ...] = field(default=())


NOTHING_ASKED = Completion()


def find_type_form(organisation_id: str, site_id: str, session_type_id: str) -> TypeForm:
    """One session type with its form and versions; raises NotFound."""
    of_type = (SessionType.site_id == site_id, SessionType.id == session_type_id)
    found = _type_forms(organisation_id, *of_type)
    if not found:
        raise NotFound("We couldn't find that session type.")
    return found[0]


def save_form(
    organisation_id: str,
    site_id: str,
    session_type_id: str,
    fields: Sequence[Field],
    *,
    expected: int,
    now: dt.datetime,
) -> int | None:
    """Keep a type's form as its next version, which new bookings are asked; no fields ask nothing.

    The new version, None when nothing has changed. `expected` is the latest version that the
    editor had seen. Raises NotFound, RuleBroken for a field, FormChanged (D4, M8).
    """
    tidy = check_form(fields)
    with transaction():
        kind = db.session.scalar(
            sa.select(SessionType)
            .where(
                SessionType.organisation_id == organisation_id,
                SessionType.site_id == site_id,
                SessionType.id == session_type_id,
            )
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )
        if kind is None:
            raise NotFound("We couldn't find that session type.")
        latest = _latest_form(organisation_id, session_type_id)
        if tidy == (fields_of(latest) if latest else ()):
            return None
        newest = latest.version if latest else 0
        if expected != newest:
            raise FormChanged(f"Somebody else saved version {newest} of this form meanwhile.")
        db.session.add(
            IntakeForm(
                id=new_object_id(),
                organisation_id=organisation_id,
                session_type_id=session_type_id,
                version=newest + 1,
                fields=[it.as_kept() for it in tidy],
                created_at=now,
            )
        )
        kind.intake_form_version = newest + 1 if tidy else None
        kind.intake_asks_guests = any(it.asked_of == "each_guest" for it in tidy)
        kind.updated_at = now
        db.session.flush()
        raise_revision(organisation_id, [session_type_id])
        return newest + 1


def attach_forms(organisation_id: str, lines: Iterable[SessionBooking]) -> None:
    """Ask each booking the form of its type that is in force, and give guests their own links.

    Part of the transaction that confirms the lines.
    """
    lines = list(lines)
    rows = db.session.scalars(
        sa.select(IntakeForm)
        .join(SessionType, SessionType.id == IntakeForm.session_type_id)
        .where(
            IntakeForm.organisation_id == organisation_id,
            IntakeForm.session_type_id.in_({line.session_type_id for line in lines}),
            IntakeForm.version == SessionType.intake_form_version,
        )
    )
    forms = {form.session_type_id: form for form in rows}
    for line in lines:
        form = forms.get(line.session_type_id)
        if form is None:
            continue
        line.intake_form_id = form.id
        if fields_for(fields_of(form), 0):
            for guest in line.guests:
                guest.form_secret = guest.form_secret or secrets.token_urlsafe(18)


def completion(bookings: Sequence[SessionBooking]) -> dict[str, Completion]:
    """By booking id what its forms still lack; two queries however many there are.

    `order` and `guests` are loaded by the caller.
    """
    asked = [it for it in bookings if it.intake_form_id is not None]
    if not asked:
        return {it.id: NOTHING_ASKED for it in bookings}
    organisations = {it.organisation_id for it in asked}
    forms = {
        form.id: fields_of(form)
        for form in db.session.scalars(
            sa.select(IntakeForm).where(
                IntakeForm.organisation_id.in_(organisations),
                IntakeForm.id.in_({it.intake_form_id for it in asked}),
            )
        )
    }
    answers: dict[str, dict[int, Mapping[str, Answer]]] = {it.id: {} for it in asked}
    rows = db.session.execute(
        sa.select(
            IntakeAnswer.session_booking_id, IntakeAnswer.position, IntakeAnswer.answers
        ).where(
            IntakeAnswer.organisation_id.in_(organisations),
            IntakeAnswer.session_booking_id.in_(list(answers)),
        )
    )
    for booking_id, position, given in rows:
        answers[booking_id][position] = given
    found = {it.id: NOTHING_ASKED for it in bookings}
    for booking in asked:
        fields = forms[booking.intake_form_id or ""]
        found[booking.id] = _completion(booking, fields, answers[booking.id])
    return found


def _type_forms(organisation_id: str, *conditions: sa.ColumnElement[bool]) -> list[TypeForm]:
    kinds = db.session.scalars(
        sa.select(SessionType)
        .where(SessionType.organisation_id == organisation_id, *conditions)
        .order_by(SessionType.deleted_at.is_not(None), SessionType.position, SessionType.name)
    ).all()
    rows = db.session.execute(
        sa.select(IntakeForm, sa.func.count(IntakeAnswer.id))
        .join(IntakeAnswer, IntakeAnswer.intake_form_id == IntakeForm.id, isouter=True)
        .where(
            IntakeForm.organisation_id == organisation_id,
            IntakeForm.session_type_id.in_([kind.id for kind in kinds]),
        )
        .group_by(IntakeForm.id)
        .order_by(IntakeForm.version.desc())
    ).all()
    versions: dict[str, list[FormVersion]] = {kind.id: [] for kind in kinds}
    for form, number in rows:
        versions[form.session_type_id].append(
            FormVersion(form.version, form.created_at, fields_of(form), number)
        )
    return [
        TypeForm(
            kind.id,
            kind.name,
            kind.deleted_at is not None,
            kind.intake_form_version,
            tuple(versions[kind.id]),
        )
        for kind in kinds
    ]


def _latest_form(organisation_id: str, session_type_id: str) -> IntakeForm | None:
    return db.session.scalar(
        sa.select(IntakeForm)
        .where(
            IntakeForm.organisation_id == organisation_id,
            IntakeForm.session_type_id == session_type_id,
        )
        .order_by(IntakeForm.version.desc())
        .limit(1)
    )


def fields_of(form: IntakeForm) -> tuple[Field, ...]:
    """The questions of a version."""
    return tuple(Field.of(kept) for kept in form.fields)


def positions_of(booking: SessionBooking) -> list[int]:
    """Where this booking's people are: named guests, then the lowest free numbers for the rest."""
    named = [guest.position for guest in booking.guests]
    free = (number for number in range(booking.places + len(named)) if number not in named)
    return sorted([*named, *(next(free) for _ in range(booking.places - len(named)))])


def own_position(booking: SessionBooking) -> int | None:
    """Where the booker is among the guests; None when they booked for others only."""
    if all(guest.position for guest in booking.guests):
        # Without a name at the first place it is the booker's, unless they were taken out.
        return 0 if 0 in positions_of(booking) else None
    order = booking.order
    mine = (it for it in booking.guests if (it.name, it.email) == (order.name, order.email))
    return next((guest.position for guest in mine), None)


def name_at(booking: SessionBooking, position: int) -> str:
    """Who is at a position; "Guest 2" where nobody gave a name."""
    guest = next((it for it in booking.guests if it.position == position), None)
    if guest is not None:
        return guest.name
    return booking.order.name if position in (BOOKER, 0) else f"Guest {position + 1}"


def _completion(
    booking: SessionBooking, fields: Sequence[Field], answers: Mapping[int, Mapping[str, Answer]]
) -> Completion:
    lacking = missing_by_position(fields, positions_of(booking), answers)
    # The booker's own part and what is asked of the booker are one person's to fill in.
    number: dict[int, int] = {}
    own = own_position(booking)
    for position, open_fields in lacking.items():
        person = BOOKER if position == own else position
        number[person] = number.get(person, 0) + len(open_fields)
    return Completion(
        has_form=bool(fields),
        required=intake_form_required(fields),
        completed=not lacking,
        missing=tuple(
            f"{name_at(booking, person)}: {count(left, 'answer')}"
            for person, left in number.items()
        ),
    )
