"""Addresses that leave the shop: absolute, from our own settings, and signed where they prove."""

import hmac
import os
from typing import Any
from urllib.parse import urlsplit

from flask import current_app, request, url_for
from itsdangerous import BadData, URLSafeSerializer

from domain.account_links import LinkUnknown
from services.passkeys import Party


def public_url(endpoint: str, **values: Any) -> str:
    """An absolute address of ours, never built from a stranger's Host header."""
    path: str = current_app.url_map.bind("localhost").build(endpoint, values)
    return make_absolute(path)


def make_absolute(path: str) -> str:
    """A path of ours as an address that works from anywhere."""
    return public_address() + path


def public_address() -> str:
    """What our own absolute addresses begin with."""
    base = current_app.config["PUBLIC_ADDRESS"]
    return str(base or f"http://127.0.0.1:{os.environ.get('PORT') or 8000}")


def ticket_link(code: str) -> str:
    """What the QR code on a ticket holds: it finds the booking at the door, and changes nothing."""
    base = current_app.config["PUBLIC_ADDRESS"] or request.host_url.rstrip("/")
    return str(base) + url_for("finding.ticket", code=code)


def party() -> Party:
    """Whom passkeys are for: our own address; without one, in development, the one asked for."""
    url = urlsplit(str(current_app.config["PUBLIC_ADDRESS"] or request.host_url))
    return Party(host=url.hostname or "localhost", origin=f"{url.scheme}://{url.netloc}")


def sign_link(link_id: str, purpose: str) -> str:
    """A link's id under a signature that is good for one purpose only."""
    return str(_signer(purpose).dumps(link_id))


def read_link(token: str, purpose: str) -> str:
    """The id that `sign_link` signed; raises LinkUnknown for everything else."""
    try:
        link_id = str(_signer(purpose).loads(token))
    except BadData as error:
        raise LinkUnknown from error
    # The last letter of base64 has bits that mean nothing: one address for one link, no more.
    if not hmac.compare_digest(sign_link(link_id, purpose), token):
        raise LinkUnknown
    return link_id


def _signer(purpose: str) -> URLSafeSerializer:
    return URLSafeSerializer(str(current_app.config["SECRET_KEY"]), salt=f"link:{purpose}")
