from typing import Any

from flask import Response, flash

from blueprints.clock import utcnow
from blueprints.proving import proved_anew
from blueprints.security import needs
from blueprints.staff.area import MANAGE, bp, go, here, own_grants, show_page
from blueprints.staff.forms import Editing, TokenForm, refused
from blueprints.visits import deed_key
from domain.api_tokens import read_lasting
from domain.errors import KeyReused, NotFound, RuleBroken
from services.api_tokens import find_line, list_tokens, make_token, revoke_token
from services.staff import list_scopes


@bp.get("/<site>/tokens")
@needs(MANAGE)
def tokens(site: str) -> Response:
    organisation_id, _, me = here()
    return show_page(
        "staff/tokens.html", tokens=list_tokens(organisation_id, own_id=me, now=utcnow())
    )


@bp.get("/<site>/tokens/new")
@needs(MANAGE)
@proved_anew
def new_token(site: str) -> Response:
    return _show(Editing(TokenForm(formdata=None, lasts="365"), _scopes()))


@bp.post("/<site>/tokens")
@needs(MANAGE)
@proved_anew
def make(site: str) -> Any:
    organisation_id, _, me = here()
    form, scopes, now = TokenForm(), _scopes(), utcnow()
    is_right = form.validate()
    rights = form.rights(scopes)
    editing = Editing(form, scopes, is_sent=True, status=422)
    if not is_right or form.errors:
        return _show(editing)
    try:
        token_id, plain = make_token(
            organisation_id,
            name=form.name.data or "",
            rights=rights,
            by=me,
            expires_at=read_lasting(form.lasts.data or "", now),
            key=deed_key(form.key.data or ""),
            now=now,
        )
    except NotFound:
        raise
    except RuleBroken as broken:
        status = 409 if isinstance(broken, KeyReused) else 422
        return _show(refused(editing, broken, status=status))
    # The answer itself shows it, this once: it must be in no address, flash, cookie or log.
    line = find_line(organisation_id, token_id, own_id=me, now=now)
    return show_page("staff/new_token_made.html", token=line, plain=plain)


@bp.get("/<site>/tokens/<token_id>/revocation")
@needs(MANAGE)
@proved_anew
def revocation(site: str, token_id: str) -> Response:
    return _ask(token_id)


@bp.post("/<site>/tokens/<token_id>/revocation")
@needs(MANAGE)
@proved_anew
def revoke(site: str, token_id: str) -> Any:
    organisation_id, _, me = here()
    try:
        revoke_token(organisation_id, token_id, by=me, now=utcnow())
    except NotFound:
        raise
    except RuleBroken as broken:
        return _ask(token_id, sentence=broken.sentence, status=422)
    flash("The token is revoked. It opens nothing any more.", "ok")
    return go("staff.tokens")


def _scopes() -> Any:
    return list_scopes(here()[0], own_grants(), frozenset())


def _show(editing: Editing) -> Response:
    return show_page("staff/new_token.html", editing=editing, status=editing.status)


def _ask(token_id: str, *, sentence: str = "", status: int = 200) -> Response:
    organisation_id, _, me = here()
    line = find_line(organisation_id, token_id, own_id=me, now=utcnow())
    return show_page("staff/token_revocation.html", token=line, sentence=sentence, status=status)
