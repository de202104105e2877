"""Passkeys: added, renamed and removed by their owner, and used at the door."""

from typing import Any

from flask import Response, current_app, flash, redirect, request, url_for

from blueprints.account.area import bp
from blueprints.account.forms import PasskeyForm, PasskeyNameForm
from blueprints.account.security import show_security
from blueprints.clock import utcnow
from blueprints.links import party
from blueprints.proving import proved_anew
from blueprints.rendering import render
from blueprints.security import PUBLIC, SIGNED_IN, account_id, count_sign_in_try, needs
from blueprints.signing_in import (
    BY_PASSKEY,
    SignInForm,
    begin_visit,
    note_proof,
    safe_next,
)
from blueprints.tickets import ADD, USE, new_ticket, read_ticket
from domain.errors import NotFound, RuleBroken
from domain.second_factor import PasskeyRefused
from services.passkeys import (
    add_passkey,
    creation_options,
    remove_passkey,
    rename_passkey,
    request_options,
    use_passkey,
)

DOORS = ("account", "desk")


@bp.post("/passkeys/creation")
@needs(SIGNED_IN)
@proved_anew
def begin_passkey() -> Response:
    """For the script: what the browser needs to make a passkey."""
    challenge, ticket = new_ticket(ADD)
    try:
        options = creation_options(account_id() or "", challenge, party=party())
    except RuleBroken as broken:
        return Response(broken.sentence, status=422, mimetype="text/plain")
    return _for_script(options, ticket)


@bp.post("/passkeys")
@needs(SIGNED_IN)
@proved_anew
def keep_passkey() -> Any:
    form = PasskeyForm()
    try:
        challenge = read_ticket(form.ticket.data or "", ADD)
        add_passkey(
            *(account_id() or "", form.credential.data or "", form.name.data or ""),
            challenge=challenge,
            party=party(),
            now=utcnow(),
        )
    except NotFound:
        raise
    except RuleBroken as broken:
        form.refuse(broken)
        return show_security(form, adding=form, status=422)
    flash("Your passkey is kept. Sign in with it next time.", "ok")
    return _back()


@bp.post("/passkeys/<passkey_id>/name")
@needs(SIGNED_IN)
def name_passkey(passkey_id: str) -> Any:
    form = PasskeyNameForm()
    try:
        rename_passkey(passkey_id, account_id() or "", form.name.data or "")
    except NotFound:
        raise
    except RuleBroken as broken:
        broken.field = f"name-{passkey_id}"
        form.form_errors.append(broken.sentence)
        return show_security(form, renaming=(passkey_id, form), status=422)
    flash("The passkey has its new name.", "ok")
    return _back()


@bp.post("/passkeys/<passkey_id>/end")
@needs(SIGNED_IN)
@proved_anew
def end_passkey(passkey_id: str) -> Any:
    name = remove_passkey(passkey_id, account_id() or "")
    flash(f"“{name}” opens your account no more. Delete it on the device, too.", "ok")
    return _back()


@bp.get("/passkeys")
@bp.get("/passkeys/creation")
@bp.get("/passkeys/<passkey_id>/name")
@bp.get("/passkeys/<passkey_id>/end")
@needs(SIGNED_IN)
def back_to_passkeys(passkey_id: str = "") -> Any:
    """Where the address line leads after a form was refused there."""
    return redirect(url_for("account.security"))


@bp.post("/sign-in/passkey/challenge")
@needs(PUBLIC)
def challenge_passkey() -> Response:
    """For the script: what the browser needs to use a passkey; whoever is signed in, one's own."""
    challenge, ticket = new_ticket(USE)
    return _for_script(request_options(account_id(), challenge, party=party()), ticket)


@bp.post("/sign-in/passkey")
@needs(PUBLIC)
def sign_in_by_passkey() -> Any:
    """The device has asked its owner, so this is both factors at once."""
    count_sign_in_try()
    form = SignInForm()
    try:
        found = use_passkey(
            request.form.get("credential", ""),
            challenge=read_ticket(request.form.get("ticket", ""), USE),
            party=party(),
            now=utcnow(),
        )
    except PasskeyRefused as refusal:
        form.form_errors.append(refusal.sentence)
        form.email.data = ""
        page = f"{_door()}/sign_in.html"
        return render(
            page, form=form, next=safe_next(""), now=utcnow(), status=422, is_personal=True
        )
    begin_visit(found, remember=bool(form.remember.data))
    note_proof(BY_PASSKEY)
    front = "desk.index" if _door() == "desk" else "account.bookings"
    return redirect(safe_next(url_for(front)), code=303)


@bp.get("/sign-in/passkey")
@bp.get("/sign-in/passkey/challenge")
@needs(PUBLIC)
def back_to_door() -> Any:
    return redirect(url_for("account.sign_in"))


def _door() -> str:
    door = request.form.get("door", "")
    return door if door in DOORS else "account"


def _back() -> Any:
    return redirect(url_for("account.security"), code=303)


def _for_script(options: str, ticket: str) -> Response:
    quoted = current_app.json.dumps(ticket)
    body = f'{{"ticket": {quoted}, "options": {options}}}'
    return Response(body, mimetype="application/json")
