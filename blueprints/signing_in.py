"""One sign-in for customers and staff; each door only says where to go afterwards."""

import re
from typing import Any

from flask import Response, redirect, request
from flask import session as visit
from flask_login import login_user, logout_user
from wtforms import BooleanField, PasswordField, StringField

from blueprints.forms import Form, obeys
from blueprints.rendering import render
from blueprints.security import SignedIn, account_id, count_sign_in_try
from domain.errors import RuleBroken, SignInFailed
from domain.people import check_email
from services.accounts import check_sign_in


def _check_password(text: str) -> None:
    if not text:
        raise RuleBroken("Enter your password.", field="password")


class SignInForm(Form):
    email = StringField("Email", [obeys(check_email)])
    password = PasswordField("Password", [obeys(_check_password)])
    remember = BooleanField("Keep me signed in here")


def show_sign_in(template: str, **context: Any) -> Response:
    """The empty form; the address to go back to travels in it."""
    form = SignInForm(formdata=None)
    return render(template, form=form, next=_safe_next(""), is_personal=True, **context)


def answer_sign_in(template: str, *, default: str, **context: Any) -> Any:
    """Sign in and go on, or the form again with what was typed."""
    count_sign_in_try()
    form = SignInForm()
    if form.validate():
        try:
            account = check_sign_in(form.email.data or "", form.password.data or "")
        except SignInFailed as refusal:
            form.refuse(refusal)
        else:
            # A visitor keeps the basket; the next person at this browser does not get it.
            baskets = visit.get("baskets", {}) if account_id() in (None, account.id) else {}
            visit.clear()
            if baskets:
                visit["baskets"] = baskets
            person = SignedIn(account.id, account.session_token, account.name, account.email)
            login_user(person, remember=bool(form.remember.data))
            return redirect(_safe_next(default), code=303)
    return render(template, form=form, next=_safe_next(""), status=422, is_personal=True, **context)


def sign_out() -> None:
    """End this browser's sign-in and forget its visit."""
    visit.clear()
    # Last: it leaves a mark in the visit that takes the remembering cookie away.
    logout_user()


def _safe_next(default: str) -> str:
    """Only an address of our own: a path, never another host's."""
    wanted = request.values.get("next", "")
    is_own = re.fullmatch(r"/(?![/\\])[!-~]*", wanted) is not None
    return wanted if is_own else default
