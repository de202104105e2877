from typing import Any

from flask import Response, flash, redirect, url_for
from flask_login import current_user

from blueprints.account.area import bp, refused
from blueprints.account.forms import CloseForm
from blueprints.account.presenting import cards_of
from blueprints.clock import utcnow
from blueprints.proving import proved_anew_unless_by_form
from blueprints.rendering import render
from blueprints.security import SIGNED_IN, account_id, hash_address, needs
from blueprints.signing_in import BY_LINK, BY_PASSKEY, has_just_proved, sign_out
from domain.errors import RuleBroken
from services.account_closing import IsStaff, close_account, is_staff
from services.account_settings import has_password
from services.own_bookings import list_own_bookings
from services.sign_in import prove_password

PAGE = "account/closing.html"


@bp.get("/closing")
@needs(SIGNED_IN)
def closing() -> Response:
    return render(PAGE, form=CloseForm(formdata=None), is_personal=True, **_facts())


@bp.post("/closing")
@needs(SIGNED_IN)
@proved_anew_unless_by_form
def close() -> Any:
    form = CloseForm()
    me, who = account_id() or "", hash_address(current_user.email)
    try:
        if is_staff(me):
            raise IsStaff
        if not has_just_proved(BY_LINK, BY_PASSKEY):
            prove_password(me, form.password.data or "", field="password", who=who, now=utcnow())
        close_account(me, who=who, now=utcnow())
    except RuleBroken as broken:
        return refused(PAGE, form, broken, **_facts())
    sign_out()
    flash("Your account is closed. What you booked stays valid by its links.", "ok")
    return redirect(url_for("account.sign_in"), code=303)


def _facts() -> dict[str, Any]:
    me = account_id() or ""
    cards = cards_of(list_own_bookings(me), now=utcnow())
    return {
        "coming": cards.coming,
        "is_staff": is_staff(me),
        "has_password": has_password(me),
        "has_just_proved": has_just_proved(BY_LINK, BY_PASSKEY),
        "email": current_user.email,
    }
