from typing import Any

from flask import Response, flash

from blueprints.clock import utcnow
from blueprints.links import public_address
from blueprints.security import needs
from blueprints.visits import deed_key
from blueprints.webhooks.area import MANAGE, bp, go, keeper, show_page
from blueprints.webhooks.forms import KeyForm
from domain.errors import WrongState
from domain.webhooks import TRIES, body_of
from services.webhook_deliveries import find_delivery, send_again, send_test
from services.webhooks import find_webhook


@bp.post("/<webhook_id>/test")
@needs(MANAGE)
def test(site: str, webhook_id: str) -> Any:
    try:
        send_test(keeper(), webhook_id, key=deed_key(KeyForm().key.data or ""), now=utcnow())
        flash("A test is on its way. Load this page again in a moment to see the answer.", "ok")
    except WrongState as broken:
        flash(broken.sentence, "bad")
    return go("webhooks.one", webhook_id=webhook_id)


@bp.get("/<webhook_id>/deliveries/<delivery_id>")
@needs(MANAGE)
def delivery(site: str, webhook_id: str, delivery_id: str) -> Response:
    found = find_delivery(keeper(), webhook_id, delivery_id)
    return show_page(
        "webhooks/delivery.html",
        webhook=find_webhook(keeper(), webhook_id),
        delivery=found,
        body=body_of(found.payload, public_address()).decode(),
        most=TRIES,
    )


@bp.post("/<webhook_id>/deliveries/<delivery_id>/again")
@needs(MANAGE)
def again(site: str, webhook_id: str, delivery_id: str) -> Any:
    key = deed_key(KeyForm().key.data or "")
    try:
        copy = send_again(keeper(), webhook_id, delivery_id, key=key, now=utcnow())
        flash("It is on its way once more. Load this page again to see the answer.", "ok")
    except WrongState as broken:
        flash(broken.sentence, "bad")
        copy = delivery_id
    return go("webhooks.delivery", webhook_id=webhook_id, delivery_id=copy)


@bp.get("/<webhook_id>/deliveries/<delivery_id>/again")
@needs(MANAGE)
def back_to_delivery(site: str, webhook_id: str, delivery_id: str) -> Any:
    """The address of a button, opened by hand."""
    find_delivery(keeper(), webhook_id, delivery_id)
    return go("webhooks.delivery", webhook_id=webhook_id, delivery_id=delivery_id)
