"""One sign-in for customers and staff; each door only says where to go afterwards."""

import datetime as dt
import re
from typing import Any

from flask import Response, after_this_request, redirect, request
from flask import session as visit
from flask_login import login_user, logout_user
from wtforms import BooleanField, PasswordField, StringField

from blueprints.clock import utcnow
from blueprints.forms import Form, obeys
from blueprints.rendering import render
from blueprints.security import SignedIn, account_id, count_sign_in_try, hash_address
from domain.errors import RuleBroken, SignInFailed
from domain.people import check_email
from domain.sign_in_tries import TooManyTries
from services.accounts import Identity
from services.sign_in import check_sign_in

PROOF_LASTS = dt.timedelta(minutes=15)
"""How long having come by a mailed link counts as having just proved who is there."""


def check_password_typed(text: str) -> None:
    """The field of a password that is already known must not be empty."""
    if not text:
        raise RuleBroken("Enter your password.", field="password")


class SignInForm(Form):
    email = StringField("Email", [obeys(check_email)])
    password = PasswordField("Password", [obeys(check_password_typed)])
    remember = BooleanField("Keep me signed in here")


def show_sign_in(template: str, **context: Any) -> Response:
    """The empty form; the address to go back to travels in it."""
    form = SignInForm(formdata=None)
    return render(template, form=form, next=safe_next(""), is_personal=True, **context)


def answer_sign_in(template: str, *, default: str, **context: Any) -> Any:
    """Sign in and go on, or the form again with what was typed."""
    count_sign_in_try()
    form = SignInForm()
    status = 422
    seconds = 0
    if form.validate():
        email = form.email.data or ""
        try:
            found = check_sign_in(
                email, form.password.data or "", who=hash_address(email), now=utcnow()
            )
        except SignInFailed as refusal:
            form.refuse(refusal)
        except TooManyTries as refusal:
            form.refuse(refusal)
            status, seconds = 429, refusal.seconds
        else:
            begin_visit(found, remember=bool(form.remember.data))
            return redirect(safe_next(default), code=303)
    page = render(
        template, form=form, next=safe_next(""), status=status, is_personal=True, **context
    )
    return limited(page, seconds)


def limited(page: Response, seconds: int) -> Response:
    """The page, with the time to wait where there is one."""
    if seconds:
        page.headers["Retry-After"] = str(seconds)
    return page


def begin_visit(found: Identity, *, remember: bool) -> None:
    """This browser is signed in from here on, in a visit that has nothing of the one before.

    A visitor keeps the basket; the next person at this browser does not get it.
    """
    owner = visit.get("basket_of", "")
    is_theirs = account_id() in (None, found.id) and owner in ("", found.id)
    baskets = visit.get("baskets", {}) if is_theirs else {}
    visit.clear()
    if baskets:
        visit["baskets"], visit["basket_of"] = baskets, owner
    person = SignedIn(found.id, found.session_token, found.name, found.email)
    login_user(person, remember=remember)


def renew_visit(found: Identity) -> None:
    """The same person goes on with a new session token; other browsers are signed out."""
    begin_visit(found, remember="remember_token" in request.cookies)


def note_proof() -> None:
    """This visit began with a mailed link."""
    visit["proved_at"] = utcnow().isoformat()


def has_just_proved() -> bool:
    """Whether this visit began with a mailed link a moment ago."""
    try:
        proved_at = dt.datetime.fromisoformat(visit.get("proved_at", ""))
    except ValueError:
        return False
    return proved_at <= utcnow() < proved_at + PROOF_LASTS


def sign_out() -> None:
    """End this browser's sign-in and forget its visit, with what the desk's pages kept in it."""
    after_this_request(_clear_browser)
    visit.clear()
    # Last: it leaves a mark in the visit that takes the remembering cookie away.
    logout_user()


def _clear_browser(response: Response) -> Response:
    response.headers["Clear-Site-Data"] = '"storage"'
    return response


def safe_next(default: str) -> str:
    """Only an address of our own: a path, never another host's."""
    wanted = request.values.get("next", "")
    is_own = re.fullmatch(r"/(?![/\\])[!-~]*", wanted) is not None and len(wanted) <= 500
    return wanted if is_own else default
