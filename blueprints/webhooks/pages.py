from typing import Any

from flask import Response, flash, request

from blueprints.clock import utcnow
from blueprints.proving import proved_anew
from blueprints.security import account_id, current_desk, needs
from blueprints.signing_in import installation_key
from blueprints.visits import deed_key
from blueprints.webhooks.area import MANAGE, bp, go, is_private_allowed, keeper, show_page
from blueprints.webhooks.forms import ALL, WebhookForm, form_of, sent_kinds
from domain.errors import KeyReused, NotFound, RuleBroken, WrongState
from domain.webhooks import KINDS
from services.webhook_deliveries import STATES, list_deliveries
from services.webhooks import (
    change_webhook,
    find_webhook,
    list_places,
    list_webhooks,
    make_webhook,
    pause_webhook,
    remove_webhook,
    resume_webhook,
)

MOST_PAGES = 4000


@bp.get("")
@needs(MANAGE)
def index(site: str) -> Response:
    return show_page(
        "webhooks/index.html", webhooks=list_webhooks(keeper(), site_id=current_desk().venue.id)
    )


@bp.get("/new")
@needs(MANAGE)
@proved_anew
def new(site: str) -> Response:
    return _show_new(WebhookForm(formdata=None, where=current_desk().venue.id), list(KINDS))


@bp.post("")
@needs(MANAGE)
@proved_anew
def make(site: str) -> Any:
    form = WebhookForm()
    if not form.validate():
        return _show_new(form, sent_kinds(), status=422)
    try:
        made = make_webhook(
            keeper(),
            form.wish(),
            by=account_id(),
            seal_key=installation_key(),
            is_private_allowed=is_private_allowed(),
            key=deed_key(form.key.data or ""),
            now=utcnow(),
        )
    except RuleBroken as broken:
        form.refuse(broken)
        return _show_new(form, sent_kinds(), status=_status(broken))
    # The answer itself shows it, this once: it must be in no address, flash, cookie or log.
    line = find_webhook(keeper(), made.id)
    return show_page("webhooks/secret.html", webhook=line, plain=made.secret, is_new=True)


@bp.get("/<webhook_id>")
@needs(MANAGE)
def one(site: str, webhook_id: str) -> Response:
    state = request.args.get("show", "")
    state = state if state in STATES else ""
    return show_page(
        "webhooks/one.html",
        webhook=find_webhook(keeper(), webhook_id),
        log=list_deliveries(keeper(), webhook_id, state=state, number=_number()),
        state=state,
    )


@bp.get("/<webhook_id>/edit")
@needs(MANAGE)
@proved_anew
def edit(site: str, webhook_id: str) -> Response:
    line = find_webhook(keeper(), webhook_id)
    return _show_edit(webhook_id, form_of(line), list(line.kinds))


@bp.post("/<webhook_id>/edit")
@needs(MANAGE)
@proved_anew
def change(site: str, webhook_id: str) -> Any:
    form = WebhookForm()
    find_webhook(keeper(), webhook_id)
    if not form.validate():
        return _show_edit(webhook_id, form, sent_kinds(), status=422)
    try:
        change_webhook(keeper(), webhook_id, form.wish(), is_private_allowed=is_private_allowed())
    except NotFound:
        raise
    except RuleBroken as broken:
        form.refuse(broken)
        return _show_edit(webhook_id, form, sent_kinds(), status=_status(broken))
    flash("Saved.", "ok")
    return go("webhooks.one", webhook_id=webhook_id)


@bp.post("/<webhook_id>/pause")
@needs(MANAGE)
def pause(site: str, webhook_id: str) -> Any:
    pause_webhook(keeper(), webhook_id, now=utcnow())
    flash("Paused. It is told nothing until you resume it.", "ok")
    return go("webhooks.one", webhook_id=webhook_id)


@bp.post("/<webhook_id>/resume")
@needs(MANAGE)
def resume(site: str, webhook_id: str) -> Any:
    resume_webhook(keeper(), webhook_id)
    flash("It is told what happens from now on.", "ok")
    return go("webhooks.one", webhook_id=webhook_id)


@bp.get("/<webhook_id>/removal")
@needs(MANAGE)
def removal(site: str, webhook_id: str) -> Response:
    return show_page("webhooks/removal.html", webhook=find_webhook(keeper(), webhook_id))


@bp.post("/<webhook_id>/removal")
@needs(MANAGE)
def remove(site: str, webhook_id: str) -> Any:
    remove_webhook(keeper(), webhook_id)
    flash("The webhook is deleted, with its log.", "ok")
    return go("webhooks.index")


@bp.get("/<webhook_id>/pause")
@bp.get("/<webhook_id>/resume")
@bp.get("/<webhook_id>/test")
@needs(MANAGE)
def back_to_one(site: str, webhook_id: str) -> Any:
    """The address of a button, opened by hand."""
    find_webhook(keeper(), webhook_id)
    return go("webhooks.one", webhook_id=webhook_id)


def _status(broken: RuleBroken) -> int:
    return 409 if isinstance(broken, KeyReused | WrongState) else 422


def _number() -> int:
    text = request.args.get("page", "1")
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:6]) <= MOST_PAGES):
        raise NotFound("There is no such page of the log.")
    return int(text[:6])


def _show_new(form: WebhookForm, kinds: list[str], *, status: int = 200) -> Response:
    return _show_form("webhooks/new.html", form, kinds, status)


def _show_edit(
    webhook_id: str, form: WebhookForm, kinds: list[str], *, status: int = 200
) -> Response:
    line = find_webhook(keeper(), webhook_id)
    return _show_form("webhooks/edit.html", form, kinds, status, webhook=line)


def _show_form(
    template: str, form: WebhookForm, kinds: list[str], status: int, **context: Any
) -> Response:
    places = [
        (site_id or ALL, name or "All venues, and those to come")
        for site_id, name in list_places(keeper())
    ]
    return show_page(template, status=status, form=form, kinds=kinds, places=places, **context)
