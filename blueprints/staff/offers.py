from typing import Any

from flask import Response, flash, redirect, request, url_for

from blueprints.clock import utcnow
from blueprints.links import read_link
from blueprints.rendering import render
from blueprints.security import PUBLIC, account_id, count_try, hash_address, needs
from blueprints.signing_in import BY_PASSWORD, enter
from blueprints.staff.area import bp
from blueprints.staff.forms import JoinForm
from blueprints.staff.letters import PURPOSE
from domain.account_links import LinkGone, LinkUnknown
from domain.errors import RuleBroken, WrongState
from services.staff_invitations import Offer, accept, accept_anew, find_offer


@bp.get("/invitations/<token>")
@needs(PUBLIC)
def offer(token: str) -> Response:
    found = find_offer(*_read(token), now=utcnow())
    return _show(token, found, JoinForm(formdata=None, name=found.name))


@bp.post("/invitations/<token>")
@needs(PUBLIC)
def accept_offer(token: str) -> Any:
    """Of whoever is signed in; where the address has no account, of whoever makes it here."""
    count_try("invitation")
    invitation_id, letter = _read(token)
    me, now, form = account_id(), utcnow(), JoinForm()
    if me is not None:
        accept(invitation_id, letter, account_id=me, now=now)
        return _begin()
    found = find_offer(invitation_id, letter, now=now)
    if found.account_id is not None:
        return redirect(url_for("desk.sign_in", next=request.path), code=303)
    if not form.validate():
        return _show(token, found, form, status=422)
    try:
        person = accept_anew(
            invitation_id,
            letter,
            name=form.name.data or "",
            password=form.password.data or "",
            who=hash_address(found.email),
            now=now,
        )
    except (LinkGone, LinkUnknown):
        raise
    except RuleBroken as broken:
        form.refuse(broken)
        return _show(token, found, form, status=422)
    answer = enter(person, remember=False, to=url_for("desk.index"), way=BY_PASSWORD)
    _welcome()
    return answer


@bp.errorhandler(LinkGone)
def gone(refusal: LinkGone) -> Response:
    return _ended(refusal, 410)


@bp.errorhandler(LinkUnknown)
def unknown(refusal: LinkUnknown) -> Response:
    return _ended(refusal, 404)


@bp.errorhandler(WrongState)
def not_theirs(refusal: WrongState) -> Response:
    return _ended(refusal, 409)


def _read(token: str) -> tuple[str, int]:
    invitation_id, _, letter = read_link(token, PURPOSE).rpartition(":")
    return invitation_id, int(letter)


def _begin() -> Any:
    _welcome()
    return redirect(url_for("desk.index"), code=303)


def _welcome() -> None:
    flash("Welcome to the team. This is what you can work with.", "ok")


def _show(token: str, found: Offer, form: JoinForm, *, status: int = 200) -> Response:
    return render(
        "staff/offer.html",
        offer=found,
        token=token,
        form=form,
        me=account_id(),
        status=status,
        is_personal=True,
    )


def _ended(refusal: RuleBroken, status: int) -> Response:
    return render(
        "staff/offer_gone.html", sentence=refusal.sentence, status=status, is_personal=True
    )
