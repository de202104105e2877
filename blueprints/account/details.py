import json
from typing import Any

from flask import Response, flash, redirect, url_for
from flask import session as visit
from flask_login import current_user

from blueprints.account.area import bp, refused
from blueprints.account.forms import ChangeAddressForm, ChangePasswordForm, NameForm
from blueprints.clock import utcnow
from blueprints.forms import Form
from blueprints.proving import proved_anew_unless_by_form
from blueprints.rendering import render
from blueprints.security import SIGNED_IN, account_id, hash_address, needs
from blueprints.signing_in import renew_visit
from domain.errors import RuleBroken
from services.account_closing import is_staff
from services.account_export import export_account
from services.account_links import change_password
from services.account_settings import change_name, has_password, request_address
from services.sign_in import prove_password

PAGE = "account/details.html"


@bp.get("/details")
@needs(SIGNED_IN)
def details() -> Response:
    return render(PAGE, form=None, is_personal=True, **_facts())


@bp.get("/name")
@bp.get("/address")
@bp.get("/password")
@needs(SIGNED_IN)
def back_to_details() -> Any:
    """Where the address line leads after a form was refused there."""
    return redirect(url_for("account.details"))


@bp.post("/name")
@needs(SIGNED_IN)
def rename() -> Any:
    form = NameForm()
    if not form.validate():
        return refused(PAGE, form, **_facts(names=form))
    change_name(account_id() or "", form.name.data or "")
    flash("Your name is changed.", "ok")
    return redirect(url_for("account.details"), code=303)


@bp.post("/address")
@needs(SIGNED_IN)
@proved_anew_unless_by_form
def ask_for_address() -> Any:
    form = ChangeAddressForm()
    email = form.email.data or ""
    try:
        if form.validate():
            _prove(form.address_password.data or "", "address_password")
            request_address(account_id() or "", email, who=hash_address(email), now=utcnow())
            visit["asked_for"] = email
            return redirect(url_for("account.check_mail"), code=303)
    except RuleBroken as broken:
        return refused(PAGE, form, broken, **_facts(addresses=form))
    return refused(PAGE, form, **_facts(addresses=form))


@bp.post("/password")
@needs(SIGNED_IN)
@proved_anew_unless_by_form
def replace_password() -> Any:
    form = ChangePasswordForm()
    try:
        _prove(form.current.data or "", "current")
        found = change_password(account_id() or "", password=form.password.data or "", now=utcnow())
    except RuleBroken as broken:
        return refused(PAGE, form, broken, **_facts(passwords=form))
    renew_visit(found)
    flash("Your password is changed. Other devices are signed out.", "ok")
    return redirect(url_for("account.details"), code=303)


@bp.get("/data.json")
@needs(SIGNED_IN)
def data() -> Response:
    found = export_account(account_id() or "", now=utcnow())
    return Response(
        json.dumps(found, ensure_ascii=False, indent=2),
        mimetype="application/json",
        headers={"Content-Disposition": 'attachment; filename="sundial-my-data.json"'},
    )


def _prove(password: str, field: str) -> None:
    """Whoever has a password is asked for it: a browser left open must not be enough."""
    me = account_id() or ""
    if has_password(me):
        who = hash_address(current_user.email)
        prove_password(me, password, field=field, who=who, now=utcnow())


def _facts(
    names: Form | None = None, addresses: Form | None = None, passwords: Form | None = None
) -> dict[str, Any]:
    """What the page shows: what is known, and the form that was sent with what was typed."""
    me = account_id() or ""
    return {
        "names": names or NameForm(formdata=None, name=current_user.name),
        "addresses": addresses or ChangeAddressForm(formdata=None),
        "passwords": passwords or ChangePasswordForm(formdata=None),
        "email": current_user.email,
        "has_password": has_password(me),
        "is_staff": is_staff(me),
    }
