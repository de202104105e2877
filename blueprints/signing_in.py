"""One sign-in for customers and staff; each door only says where to go afterwards."""

import datetime as dt
import re
from dataclasses import dataclass
from typing import Any

from flask import Response, after_this_request, current_app, redirect, request, url_for
from flask import session as visit
from flask_login import current_user, login_user, logout_user
from wtforms import BooleanField, PasswordField, StringField

from blueprints.clock import utcnow
from blueprints.forms import Form, obeys
from blueprints.rendering import render
from blueprints.security import SignedIn, account_id, count_sign_in_try, hash_address
from domain.errors import RuleBroken, SignInFailed
from domain.people import check_email
from domain.second_factor import SECOND_STEP_LASTS, is_fresh
from domain.sign_in_tries import TooManyTries
from services.accounts import Identity, find_account, identity_of
from services.second_factor import has_second_step
from services.sign_in import check_sign_in
from services.sign_ins import begin_sign_in, leave

BY_PASSWORD, BY_LINK, BY_PASSKEY = "password", "link", "passkey"
"""How somebody has proved who is there; with an app, its code is part of the first two."""


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
            return enter(
                found, remember=bool(form.remember.data), to=safe_next(default), way=BY_PASSWORD
            )
    page = render(
        template, form=form, next=safe_next(""), status=status, is_personal=True, **context
    )
    return limited(page, seconds)


def limited(page: Response, seconds: int) -> Response:
    """The page, with the time to wait where there is one."""
    if seconds:
        page.headers["Retry-After"] = str(seconds)
    return page


def enter(found: Identity, *, remember: bool, to: str, way: str) -> Any:
    """In, or first to the page that asks for a code where the account has an app."""
    if has_second_step(found.id):
        visit["half_in"] = {
            "account": found.id,
            "token": found.session_token,
            "at": utcnow().isoformat(),
            "remember": remember,
            "to": to,
            "way": way,
        }
        return redirect(url_for("account.second_step"), code=303)
    begin_visit(found, remember=remember)
    note_proof(way)
    return redirect(to, code=303)


@dataclass(frozen=True, slots=True)
class HalfIn:
    """Somebody who has the password, or the mail, and still owes the code. It opens nothing."""

    found: Identity
    remember: bool
    to: str
    way: str


def who_is_half_in() -> HalfIn | None:
    """Who is asked for a code here: for ten minutes, and not after a change of password."""
    kept = visit.get("half_in")
    if not kept or not is_fresh(_instant(kept["at"]), utcnow(), SECOND_STEP_LASTS):
        return None
    account = find_account(kept["account"])
    if account is None or account.session_token != kept["token"]:
        return None
    return HalfIn(identity_of(account), bool(kept["remember"]), kept["to"], kept["way"])


def begin_visit(found: Identity, *, remember: bool) -> None:
    """This browser is signed in from here on, in a visit that has nothing of the one before.

    A visitor keeps the basket; the next person at this browser does not get it.
    """
    owner = visit.get("basket_of", "")
    is_theirs = account_id() in (None, found.id) and owner in ("", found.id)
    baskets = visit.get("baskets", {}) if is_theirs else {}
    sign_in_id = begin_sign_in(
        found,
        user_agent=request.user_agent.string,
        address=request.remote_addr or "",
        is_kept=remember,
        instead_of=current_user.sign_in_id if account_id() else None,
        now=utcnow(),
    )
    visit.clear()
    if baskets:
        visit["baskets"], visit["basket_of"] = baskets, owner
    login_user(SignedIn(found, sign_in_id, utcnow()), remember=remember)


def renew_visit(found: Identity) -> None:
    """The same person goes on with a new session token; other browsers are signed out."""
    proof = {
        name: visit[name] for name in ("proved_at", "proved_by", "by_passkey") if name in visit
    }
    begin_visit(found, remember="remember_token" in request.cookies)
    visit.update(proof)


def note_proof(way: str) -> None:
    """Whoever is here has proved it this moment."""
    visit["proved_at"], visit["proved_by"] = utcnow().isoformat(), way
    if way == BY_PASSKEY:
        visit["by_passkey"] = True


def has_just_proved(*ways: str) -> bool:
    """Whether somebody has proved a moment ago who is here, in one of these ways if any."""
    lasts = dt.timedelta(minutes=current_app.config["PROOF_MINUTES"])
    if ways and visit.get("proved_by") not in ways:
        return False
    return is_fresh(_instant(visit.get("proved_at", "")), utcnow(), lasts)


def installation_key() -> str:
    """What everything that only this installation may read is sealed with."""
    return str(current_app.config["SECRET_KEY"])


def sign_out() -> None:
    """End this browser's sign-in and forget its visit, with what the desk's pages kept in it."""
    if account_id():
        leave(current_user.sign_in_id, now=utcnow())
    after_this_request(_clear_browser)
    visit.clear()
    # Last: it leaves a mark in the visit that takes the remembering cookie away.
    logout_user()


def _clear_browser(response: Response) -> Response:
    """Also the pages that Back would show: whoever comes next may be a guest at a kiosk."""
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


def safe_next(default: str) -> str:
    """Only an address of our own: a path, never another host's."""
    wanted = request.values.get("next", "")
    is_own = re.fullmatch(r"/(?![/\\])[!-~]*", wanted) is not None and len(wanted) <= 500
    return wanted if is_own else default


def _instant(text: str) -> dt.datetime | None:
    """What the visit remembers as a moment; None for everything else."""
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        return None
