"""Asking "Is it you?" before pages, and by passkey before forms as well."""

from typing import Any

from flask import Response, flash, redirect, request, url_for

from blueprints.account.area import bp
from blueprints.clock import utcnow
from blueprints.links import party
from blueprints.proving import ProofForm, prove, refuse_proof, show_proof
from blueprints.security import SIGNED_IN, account_id, count_try, needs
from blueprints.signing_in import BY_PASSKEY, has_just_proved, note_proof, safe_next
from blueprints.tickets import USE, read_ticket
from domain.errors import RuleBroken
from domain.second_factor import PasskeyRefused
from services.passkeys import use_passkey


@bp.get("/confirm")
@needs(SIGNED_IN)
def confirm() -> Any:
    if has_just_proved():
        return redirect(_next())
    return show_proof(ProofForm(formdata=None), next=_next())


@bp.post("/confirm")
@needs(SIGNED_IN)
def answer_confirm() -> Any:
    form = ProofForm()
    try:
        if not has_just_proved():
            prove(form)
    except RuleBroken as broken:
        return refuse_proof(form, broken, next=_next())
    if "file" in request.form:
        flash("Thank you. You can download the file now.", "ok")
    return redirect(_next(), code=303)


@bp.post("/confirm/passkey")
@needs(SIGNED_IN)
def confirm_by_passkey() -> Response:
    """For the script of that page, which then sends its form."""
    count_try("passkey")
    try:
        found = use_passkey(
            request.form.get("credential", ""),
            challenge=read_ticket(request.form.get("ticket", ""), USE),
            party=party(),
            now=utcnow(),
        )
        if found.id != account_id():
            raise PasskeyRefused("That passkey is for another account.")
    except PasskeyRefused as refusal:
        return Response(refusal.sentence, status=422, mimetype="text/plain")
    note_proof(BY_PASSKEY)
    return Response(status=204)


@bp.get("/confirm/passkey")
@needs(SIGNED_IN)
def back_to_confirm() -> Any:
    return redirect(url_for("account.confirm"))


def _next() -> str:
    return safe_next(url_for("account.security"))
