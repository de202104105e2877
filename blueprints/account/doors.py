from typing import Any

from flask import Response, flash, redirect, url_for
from flask import session as visit
from flask_login import current_user

from blueprints.account.area import bp, refused
from blueprints.account.forms import AddressForm, RegisterForm
from blueprints.clock import utcnow
from blueprints.rendering import render
from blueprints.security import (
    PUBLIC,
    SIGNED_IN,
    account_id,
    count_sign_in_try,
    hash_address,
    needs,
)
from blueprints.signing_in import answer_sign_in, safe_next, show_sign_in, sign_out
from services.account_links import request_account, request_reset, request_sign_in
from services.sign_ins import end_sign_ins_of

LINK, RESET = "account.request_link", "account.request_password"


@bp.get("/sign-in")
@needs(PUBLIC)
def sign_in() -> Response:
    return show_sign_in("account/sign_in.html")


@bp.post("/sign-in")
@needs(PUBLIC)
def start() -> Any:
    return answer_sign_in("account/sign_in.html", default=url_for("account.bookings"))


@bp.post("/sign-out")
@needs(PUBLIC)
def end() -> Any:
    sign_out()
    return redirect(url_for("shop.index"), code=303)


@bp.post("/sign-out-everywhere")
@needs(SIGNED_IN)
def end_everywhere() -> Any:
    end_sign_ins_of(account_id() or "", now=utcnow())
    sign_out()
    flash("You are signed out on every device.", "ok")
    return redirect(url_for("account.sign_in"), code=303)


@bp.get("/register")
@needs(PUBLIC)
def register() -> Response:
    form = RegisterForm(formdata=None)
    return render("account/register.html", form=form, next=safe_next(""), is_personal=True)


@bp.post("/register")
@needs(PUBLIC)
def ask_for_account() -> Any:
    count_sign_in_try()
    form = RegisterForm()
    if not form.validate():
        return refused("account/register.html", form, next=safe_next(""))
    email = form.email.data or ""
    request_account(
        email,
        form.name.data or "",
        next=safe_next(""),
        who=hash_address(email),
        now=utcnow(),
    )
    return _check_your_mail(email)


@bp.get("/sign-in-link")
@needs(PUBLIC)
def request_link() -> Response:
    return _ask_page(LINK)


@bp.post("/sign-in-link")
@needs(PUBLIC)
def ask_for_link() -> Any:
    return _answer_asking(LINK, request_sign_in)


@bp.get("/password-reset")
@needs(PUBLIC)
def request_password() -> Response:
    return _ask_page(RESET)


@bp.post("/password-reset")
@needs(PUBLIC)
def ask_for_password() -> Any:
    return _answer_asking(RESET, request_reset)


@bp.get("/check-mail")
@needs(PUBLIC)
def check_mail() -> Response:
    return render("account/check_mail.html", address=visit.get("asked_for"), is_personal=True)


def _ask_page(page: str) -> Response:
    form = AddressForm(formdata=None, email=current_user.email if account_id() else "")
    return render(
        "account/request_link.html",
        form=form,
        page=page,
        next=safe_next(""),
        is_personal=True,
    )


def _answer_asking(page: str, request_it: Any) -> Any:
    count_sign_in_try()
    form = AddressForm()
    if not form.validate():
        return refused("account/request_link.html", form, page=page, next=safe_next(""))
    email = form.email.data or ""
    request_it(email, next=safe_next(""), who=hash_address(email), now=utcnow())
    return _check_your_mail(email)


def _check_your_mail(email: str) -> Any:
    """One answer for addresses that we know and those that we don't."""
    visit["asked_for"] = email
    return redirect(url_for("account.check_mail"), code=303)
