"""Challenges for passkeys: signed, for one visit and purpose, and for a few minutes.

They travel with the page and not in the visit's cookie: an answer that is late would bring back
the visit as it was before signing in. That each is used once is the database's business.
"""

import datetime as dt
from typing import Any

from flask import current_app
from flask import session as visit
from itsdangerous import BadData, URLSafeSerializer
from webauthn.helpers import bytes_to_base64url, generate_challenge

from blueprints.clock import utcnow
from domain.second_factor import CHALLENGE_LASTS, PasskeyRefused, is_fresh

ADD, USE = "add", "use"


def new_ticket(purpose: str) -> tuple[str, str]:
    """A challenge, and the text that brings it back with the device's answer."""
    challenge = bytes_to_base64url(generate_challenge())
    known = [challenge, utcnow().timestamp(), visit.get("csrf_token", "")]
    return challenge, str(_signer(purpose).dumps(known))


def read_ticket(ticket: str, purpose: str) -> str:
    """The challenge of a ticket that this visit was given; raises PasskeyRefused."""
    try:
        known: list[Any] = _signer(purpose).loads(ticket[:2000])
    except BadData as error:
        raise PasskeyRefused from error
    challenge, at, browser = known
    if browser != visit.get("csrf_token", ""):
        raise PasskeyRefused
    if not is_fresh(dt.datetime.fromtimestamp(at, dt.UTC), utcnow(), CHALLENGE_LASTS):
        raise PasskeyRefused("That took a while. Try again.")
    return str(challenge)


def _signer(purpose: str) -> URLSafeSerializer:
    return URLSafeSerializer(str(current_app.config["SECRET_KEY"]), salt=f"passkey:{purpose}")
