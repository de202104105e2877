from typing import Any

from flask import Response

from blueprints.clock import utcnow
from blueprints.proving import proved_anew
from blueprints.security import needs
from blueprints.signing_in import installation_key
from blueprints.visits import deed_key
from blueprints.webhooks.area import MANAGE, bp, keeper, show_page
from blueprints.webhooks.forms import KeyForm
from services.webhooks import find_webhook, renew_secret


@bp.get("/<webhook_id>/secret")
@needs(MANAGE)
@proved_anew
def secret(site: str, webhook_id: str) -> Response:
    return show_page("webhooks/renew.html", webhook=find_webhook(keeper(), webhook_id))


@bp.post("/<webhook_id>/secret")
@needs(MANAGE)
@proved_anew
def renew(site: str, webhook_id: str) -> Any:
    made = renew_secret(
        keeper(),
        webhook_id,
        seal_key=installation_key(),
        key=deed_key(KeyForm().key.data or ""),
        now=utcnow(),
    )
    line = find_webhook(keeper(), webhook_id)
    return show_page("webhooks/secret.html", webhook=line, plain=made.secret, is_new=False)
