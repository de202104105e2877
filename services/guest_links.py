"""A guest's form link goes to them by mail, when the booker asks for it."""

import datetime as dt
import hashlib

import sqlalchemy as sa

from domain.errors import FormClosed, NotFound
from domain.people import check_email, email_key
from models import Guest, SessionBooking, db, transaction
from services.intake_answers import BookingForms
from services.letters import post


def send_guest_link(forms: BookingForms, position: int, email: str, *, now: dt.datetime) -> str:
    """Post one guest's form link to `email`; the guest's name.

    The address is for this letter alone: who a guest is stays as it was at booking (H9). Pressed
    twice within the hour it is one letter. Raises RuleBroken, FormClosed, NotFound.
    """
    if forms.visit.closed:
        raise FormClosed(forms.visit.closed)
    part = forms.of(position)
    if part.is_own or not part.form_secret:
        raise NotFound("We couldn't find that guest.")
    address = check_email(email)
    with transaction():
        guest_id, site_id = db.session.execute(
            sa.select(Guest.id, SessionBooking.site_id)
            .join(SessionBooking, Guest.session_booking_id == SessionBooking.id)
            .where(
                SessionBooking.organisation_id == forms.organisation_id,
                SessionBooking.id == forms.booking_id,
                Guest.organisation_id == forms.organisation_id,
                Guest.position == position,
            )
        ).one()
        told = hashlib.sha256(email_key(address).encode()).hexdigest()[:16]
        post(
            "guest_form",
            {"booking": forms.booking_id, "guest": guest_id, "to": address},
            dedupe_key=f"{forms.booking_id}:{guest_id}:{told}:{now:%Y%m%d%H}",
            now=now,
            organisation_id=forms.organisation_id,
            site_id=site_id,
        )
    return part.name
