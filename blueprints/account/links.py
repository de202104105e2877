"""The pages behind mailed links: a GET shows a button, the POST does it (H7)."""

from typing import Any

from flask import Response, flash, redirect, request, url_for

from blueprints.account.area import bp, refused
from blueprints.account.forms import ArriveForm, NewPasswordForm, OpenAccountForm
from blueprints.clock import utcnow
from blueprints.links import read_link
from blueprints.rendering import render
from blueprints.security import PUBLIC, SIGNED_IN, account_id, hash_address, needs
from blueprints.signing_in import BY_LINK, enter, renew_visit
from domain.account_links import CHANGE_ADDRESS, REGISTER, RESET, SIGN_IN, LinkGone, LinkUnknown
from domain.errors import RuleBroken
from services.account_links import (
    OpenLink,
    find_link,
    open_account,
    reset_password,
    sign_in_by_link,
)
from services.account_settings import AddressTaken, confirm_address, find_address_link
from services.accounts import Identity

ASK_AGAIN = {
    "account.invitation": ("account.register", "Ask for a new link"),
    "account.open_by_link": ("account.register", "Ask for a new link"),
    "account.new_password": ("account.request_password", "Ask for a new link"),
    "account.reset_by_link": ("account.request_password", "Ask for a new link"),
    "account.new_address": ("account.details", "Back to your details"),
    "account.change_by_link": ("account.details", "Back to your details"),
}
"""Endpoint to the page that gives a new link; a sign-in link for all others."""


@bp.get("/register/<token>")
@needs(PUBLIC)
def invitation(token: str) -> Response:
    link = _find(token, REGISTER)
    form = OpenAccountForm(formdata=None, name=link.name)
    return render("account/open_account.html", form=form, link=link, token=token, is_personal=True)


@bp.post("/register/<token>")
@needs(PUBLIC)
def open_by_link(token: str) -> Any:
    link = _find(token, REGISTER)
    form = OpenAccountForm()
    if not form.validate():
        return refused("account/open_account.html", form, link=link, token=token)
    try:
        found, is_new = open_account(
            link.id,
            name=form.name.data or "",
            password=form.password.data or "",
            who=hash_address(link.email),
            now=utcnow(),
        )
    except (LinkGone, LinkUnknown):
        raise
    except RuleBroken as broken:
        return refused("account/open_account.html", form, broken, link=link, token=token)
    answer = _enter(link, found, remember=bool(form.remember.data))
    if is_new:
        flash("Your account is open. Earlier bookings with this address are below.", "ok")
    else:
        flash("You have an account already and are signed in to it. Nothing was changed.", "info")
    return answer


@bp.get("/sign-in-link/<token>")
@needs(PUBLIC)
def arrival(token: str) -> Response:
    link = _find(token, SIGN_IN)
    form = ArriveForm(formdata=None)
    return render("account/arrive.html", form=form, link=link, token=token, is_personal=True)


@bp.post("/sign-in-link/<token>")
@needs(PUBLIC)
def arrive_by_link(token: str) -> Any:
    link = _find(token, SIGN_IN)
    found = sign_in_by_link(link.id, who=hash_address(link.email), now=utcnow())
    return _enter(link, found, remember=bool(ArriveForm().remember.data))


@bp.get("/password-reset/<token>")
@needs(PUBLIC)
def new_password(token: str) -> Response:
    link = _find(token, RESET)
    form = NewPasswordForm(formdata=None)
    return render("account/new_password.html", form=form, link=link, token=token, is_personal=True)


@bp.post("/password-reset/<token>")
@needs(PUBLIC)
def reset_by_link(token: str) -> Any:
    link = _find(token, RESET)
    form = NewPasswordForm()
    try:
        found = reset_password(
            link.id,
            form.password.data or "",
            who=hash_address(link.email),
            now=utcnow(),
        )
    except (LinkGone, LinkUnknown):
        raise
    except RuleBroken as broken:
        return refused("account/new_password.html", form, broken, link=link, token=token)
    answer = _enter(link, found, remember=False)
    flash("Your password is changed. Other devices are signed out.", "ok")
    return answer


@bp.get("/address/<token>")
@needs(SIGNED_IN)
def new_address(token: str) -> Response:
    link = _find_own(token)
    return render("account/new_address.html", link=link, token=token, taken="", is_personal=True)


@bp.post("/address/<token>")
@needs(SIGNED_IN)
def change_by_link(token: str) -> Any:
    link = _find_own(token)
    try:
        found = confirm_address(link.id, account_id() or "", now=utcnow())
    except AddressTaken as refusal:
        return render(
            "account/new_address.html",
            status=409,
            link=link,
            token=token,
            taken=refusal.sentence,
            is_personal=True,
        )
    renew_visit(found)
    flash(f"Your address is {found.email} now. Other devices are signed out.", "ok")
    return redirect(url_for("account.details"), code=303)


@bp.errorhandler(LinkGone)
def gone(refusal: LinkGone) -> Response:
    return _ended(refusal, 410)


@bp.errorhandler(LinkUnknown)
def unknown(refusal: LinkUnknown) -> Response:
    return _ended(refusal, 404)


def _ended(refusal: RuleBroken, status: int) -> Response:
    page, words = ASK_AGAIN.get(
        request.endpoint or "", ("account.request_link", "Mail me a new link")
    )
    return render(
        "account/link_gone.html",
        status=status,
        sentence=refusal.sentence,
        page=page,
        ask=words,
        is_personal=True,
    )


def _find(token: str, purpose: str) -> OpenLink:
    return find_link(read_link(token, purpose), purpose, now=utcnow())


def _find_own(token: str) -> OpenLink:
    link_id = read_link(token, CHANGE_ADDRESS)
    return find_address_link(link_id, account_id() or "", now=utcnow())


def _enter(link: OpenLink, found: Identity, *, remember: bool) -> Any:
    """The mail proves the address, and where the account has an app, its code is asked, too."""
    to = link.next or url_for("account.bookings")
    return enter(found, remember=remember, to=to, way=BY_LINK)
