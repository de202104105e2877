"""Sign-in again before dangerous things: `@proved_anew` beside `@needs` guards a route.

Whoever signed in, or proved it again, within the last quarter of an hour passes. Others meet the
page "Is it you?": a GET leads there and back, a POST carries what was typed and is done at once
with the password, so that nothing is lost.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from flask import Response, redirect, request, url_for
from flask_login import current_user
from wtforms import PasswordField, StringField

from blueprints.clock import utcnow
from blueprints.forms import Form
from blueprints.rendering import render, wants_fragment
from blueprints.security import View, account_id, hash_address
from blueprints.signing_in import (
    BY_PASSWORD,
    has_just_proved,
    installation_key,
    limited,
    note_proof,
)
from domain.errors import RuleBroken
from domain.sign_in_tries import TooManyTries
from services.account_settings import has_password
from services.passkeys import list_passkeys
from services.second_factor import check_code, has_second_step
from services.sign_in import prove_password

OWN_FIELDS = ("csrf_token", "proof_password", "proof_code")


class ProofForm(Form):
    """Its names begin with proof_, so that they never meet a field of the form it stands before."""

    proof_password = PasswordField("Your password")
    proof_code = StringField("Code from your app")


def proved_anew(view: View) -> View:
    """Declare a route dangerous: only for who has just proved who is there."""
    return _guard(view, lambda: False)


def proved_anew_for_file(view: View) -> View:
    """The same for a file: the proof leads back to the page with its link.

    A browser that is sent on to a file saves it and stays where it is, asking still.
    """
    return _guard(view, lambda: False, is_file=True)


def proved_anew_unless_by_form(view: View) -> View:
    """The same for a form that asks for the password itself, when the password is all there is."""
    return _guard(view, _asks_itself)


def _guard(view: View, passes: Callable[[], bool], *, is_file: bool = False) -> Any:
    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if has_just_proved() or passes():
            return view(*args, **kwargs)
        if is_file:
            return _ask_for_file()
        return _ask() or view(*args, **kwargs)

    guarded.is_dangerous = True  # type: ignore[attr-defined]
    return guarded


def _asks_itself() -> bool:
    me = account_id() or ""
    return has_password(me) and not has_second_step(me)


def _ask_for_file() -> Any:
    back = _came_from("")
    if not back:
        return _ask()
    return redirect(url_for("account.confirm", next=back, file=1), code=303)


def _ask() -> Any:
    """The page that asks, or nothing when what was sent along proves it."""
    if request.method in ("GET", "HEAD"):
        return redirect(url_for("account.confirm", next=request.full_path.rstrip("?")), code=303)
    if wants_fragment():
        shown = urlsplit(request.headers.get("HX-Current-URL") or request.referrer or "").path
        return redirect(url_for("account.confirm", next=shown or None), code=303)
    if "proof_password" not in request.form:
        return show_proof(ProofForm(formdata=None), status=403)
    form = ProofForm()
    try:
        prove(form)
    except RuleBroken as broken:
        return refuse_proof(form, broken)
    return None


def prove(form: ProofForm) -> None:
    """Password, and code where there is an app; raises RuleBroken, TooManyTries."""
    me, now = account_id() or "", utcnow()
    if not has_password(me):
        raise RuleBroken("You have no password. Use a passkey or a mailed link.")
    who = hash_address(current_user.email)
    prove_password(me, form.proof_password.data or "", field="proof_password", who=who, now=now)
    if has_second_step(me):
        _prove_code(me, form.proof_code.data or "")
    note_proof(BY_PASSWORD)


def _prove_code(me: str, typed: str) -> None:
    try:
        check_code(me, typed, key=installation_key(), now=utcnow())
    except RuleBroken as broken:
        broken.field = "proof_code"
        raise


def refuse_proof(form: ProofForm, broken: RuleBroken, **context: Any) -> Response:
    """The page again with why not: 422, or 429 with the time to wait."""
    form.refuse(broken)
    seconds = broken.seconds if isinstance(broken, TooManyTries) else 0
    return limited(show_proof(form, status=429 if seconds else 422, **context), seconds)


def show_proof(form: ProofForm, *, status: int = 200, next: str | None = None) -> Response:
    """The page that asks; what was sent here stands in hidden fields, secrets left out."""
    me = account_id() or ""
    is_elsewhere = next is not None
    return render(
        "account/confirm.html",
        status=status,
        form=form,
        action=url_for("account.answer_confirm") if is_elsewhere else request.full_path.rstrip("?"),
        carried=[] if is_elsewhere else _carried(),
        next=next,
        back=next or _came_from(url_for("account.bookings")),
        is_file=is_elsewhere and "file" in request.values,
        lost_files=any(request.files.values()),
        has_password=has_password(me),
        has_passkey=bool(list_passkeys(me)),
        has_app=has_second_step(me),
        email=current_user.email,
        is_personal=True,
    )


def _carried() -> list[tuple[str, str]]:
    return [
        (name, text)
        for name, text in request.form.items(multi=True)
        if name not in OWN_FIELDS and "password" not in name
    ]


def _came_from(default: str) -> str:
    """The page of ours that held the form or link."""
    url = urlsplit(request.referrer or "")
    if url.netloc != request.host:
        return default
    return f"{url.path}?{url.query}" if url.query else url.path
