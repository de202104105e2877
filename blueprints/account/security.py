"""Signing in and security: the app, recovery codes, passkeys, and where one is signed in."""

from typing import Any

from flask import Response, flash, redirect, request, url_for
from flask_login import current_user

from blueprints.account.area import bp, refused
from blueprints.account.forms import CodeForm, PasskeyForm
from blueprints.clock import utcnow
from blueprints.forms import Form
from blueprints.proving import proved_anew
from blueprints.rendering import render
from blueprints.security import SIGNED_IN, account_id, needs
from blueprints.signing_in import installation_key
from domain.browsers import say_ago
from domain.errors import RuleBroken
from domain.second_factor import FEW_LEFT, NAME_LENGTH, in_groups
from services.account_closing import is_staff
from services.account_settings import has_password
from services.passkeys import list_passkeys
from services.second_factor import (
    AlreadyOn,
    CodesShown,
    NotBegun,
    app_address,
    begin_authenticator,
    confirm_authenticator,
    find_second_factor,
    find_unconfirmed_key,
    renew_recovery_codes,
    switch_off_authenticator,
)
from services.sign_ins import end_other_sign_ins, end_sign_in, list_sign_ins

SETUP = "account/authenticator.html"


@bp.get("/security")
@needs(SIGNED_IN)
def security() -> Response:
    # What was typed of a new passkey before we asked who is there.
    typed = PasskeyForm(formdata=None, name=request.args.get("device", "")[:NAME_LENGTH])
    return show_security(adding=typed)


def show_security(
    form: Form | None = None,
    *,
    adding: PasskeyForm | None = None,
    renaming: tuple[str, Form] | None = None,
    status: int = 200,
) -> Response:
    """The page, with a form that was refused as it was sent."""
    me = account_id() or ""
    return render(
        "account/security.html",
        status=status,
        form=form,
        adding=adding or PasskeyForm(formdata=None),
        renaming=renaming,
        factor=find_second_factor(me, key=installation_key()),
        few_left=FEW_LEFT,
        passkeys=list_passkeys(me),
        browsers=list_sign_ins(me),
        ago=lambda moment: say_ago(moment, utcnow()),
        here=current_user.sign_in_id,
        has_password=has_password(me),
        is_staff=is_staff(me),
        is_personal=True,
    )


@bp.post("/authenticator")
@needs(SIGNED_IN)
@proved_anew
def begin_app() -> Any:
    begin_authenticator(account_id() or "", key=installation_key(), now=utcnow())
    return redirect(url_for("account.app_setup"), code=303)


@bp.get("/authenticator")
@needs(SIGNED_IN)
@proved_anew
def app_setup() -> Any:
    try:
        return render(SETUP, form=CodeForm(formdata=None), is_personal=True, **_app())
    except (AlreadyOn, NotBegun):
        return redirect(url_for("account.security"))


@bp.post("/authenticator/confirmation")
@needs(SIGNED_IN)
@proved_anew
def confirm_app() -> Any:
    form = CodeForm()
    try:
        shown = _app()
        codes = confirm_authenticator(
            account_id() or "", form.code.data or "", key=installation_key(), now=utcnow()
        )
    except (AlreadyOn, NotBegun) as broken:
        flash(broken.sentence, "info")
        return redirect(url_for("account.security"), code=303)
    except RuleBroken as broken:
        return refused(SETUP, form, broken, **shown)
    return _show_codes(codes, is_first=True)


@bp.post("/authenticator/end")
@needs(SIGNED_IN)
@proved_anew
def end_app() -> Any:
    switch_off_authenticator(account_id() or "", now=utcnow())
    flash("The app is switched off. Signing in asks for no code any more.", "ok")
    return redirect(url_for("account.security"), code=303)


@bp.post("/recovery-codes")
@needs(SIGNED_IN)
@proved_anew
def renew_codes() -> Any:
    try:
        seen = request.form.get("seen", "")
        codes = renew_recovery_codes(account_id() or "", seen=seen, now=utcnow())
    except (CodesShown, NotBegun) as broken:
        flash(broken.sentence, "info")
        return redirect(url_for("account.security"), code=303)
    return _show_codes(codes, is_first=False)


@bp.get("/authenticator/confirmation")
@bp.get("/authenticator/end")
@bp.get("/recovery-codes")
@bp.get("/browsers/others/end")
@bp.get("/browsers/<sign_in_id>/end")
@needs(SIGNED_IN)
def back_to_security(sign_in_id: str = "") -> Any:
    """Where the address line leads after a button was pressed there."""
    return redirect(url_for("account.security"))


@bp.post("/browsers/others/end")
@needs(SIGNED_IN)
def end_others() -> Any:
    end_other_sign_ins(account_id() or "", keep=current_user.sign_in_id, now=utcnow())
    flash("You are signed out everywhere else.", "ok")
    return redirect(url_for("account.security"), code=303)


@bp.post("/browsers/<sign_in_id>/end")
@needs(SIGNED_IN)
def end_browser(sign_in_id: str) -> Any:
    end_sign_in(sign_in_id, account_id() or "", now=utcnow())
    if sign_in_id == current_user.sign_in_id:
        return redirect(url_for("account.sign_in"), code=303)
    flash("That browser is signed out.", "ok")
    return redirect(url_for("account.security"), code=303)


def _app() -> dict[str, Any]:
    """What the app is told; raises AlreadyOn, NotBegun."""
    key = find_unconfirmed_key(account_id() or "", key=installation_key())
    return {
        "qr_text": app_address(key, email=current_user.email, issuer="Sundial"),
        "typed_key": in_groups(key),
    }


def _show_codes(codes: tuple[str, ...], *, is_first: bool) -> Response:
    """Not by way of a redirect: nobody, not even the visit's cookie, keeps them."""
    return render("account/recovery_codes.html", codes=codes, is_first=is_first, is_personal=True)
