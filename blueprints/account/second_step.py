"""The page between the right password and being signed in: a code of the app, or a spare one."""

from typing import Any

from flask import Response, flash, redirect, url_for
from flask import session as visit

from blueprints.account.area import bp, refused
from blueprints.account.forms import CodeForm
from blueprints.clock import utcnow
from blueprints.rendering import render
from blueprints.security import PUBLIC, count_try, needs
from blueprints.signing_in import begin_visit, installation_key, note_proof, who_is_half_in
from domain.errors import RuleBroken
from services.second_factor import check_code

PAGE = "account/second_step.html"


@bp.get("/sign-in/code")
@needs(PUBLIC)
def second_step() -> Any:
    if who_is_half_in() is None:
        return _begin_again()
    return render(PAGE, form=CodeForm(formdata=None), is_personal=True)


@bp.post("/sign-in/code")
@needs(PUBLIC)
def answer_second_step() -> Any:
    half = who_is_half_in()
    if half is None:
        return _begin_again()
    count_try("code")
    form = CodeForm()
    try:
        check_code(half.found.id, form.code.data or "", key=installation_key(), now=utcnow())
    except RuleBroken as broken:
        return refused(PAGE, form, broken)
    begin_visit(half.found, remember=half.remember)
    note_proof(half.way)
    return redirect(half.to, code=303)


@bp.post("/sign-in/code/end")
@needs(PUBLIC)
def leave_second_step() -> Any:
    """Somebody else wants to sign in here."""
    visit.pop("half_in", None)
    return redirect(url_for("account.sign_in"), code=303)


@bp.get("/sign-in/code/end")
@needs(PUBLIC)
def back_to_second_step() -> Response | Any:
    return redirect(url_for("account.second_step"))


def _begin_again() -> Any:
    if visit.pop("half_in", None):
        flash("That took a while. Begin again with your password.", "info")
    return redirect(url_for("account.sign_in"), code=303)
