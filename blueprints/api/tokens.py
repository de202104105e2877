"""Who sends a request to the API: a token in its header, and how often it may ask."""

from flask import current_app, g, request
from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from blueprints.acting import act_as
from blueprints.clock import utcnow
from domain.api import TooMany, Unauthenticated
from services.api_tokens import Bearer, find_token, note_use

_asked = FixedWindowRateLimiter(MemoryStorage())


def find_bearer() -> Bearer:
    """The token of this request; raises Unauthenticated and TooMany.

    Whoever sends none that works is counted by address: guessing is hopeless, and free for
    nobody.
    """
    scheme, _, plain = request.headers.get("Authorization", "").partition(" ")
    found = find_token(plain.strip(), utcnow()) if scheme.lower() == "bearer" else None
    _count(found.token_id if found else f"nobody at {request.remote_addr}")
    if found is None:
        raise Unauthenticated
    g.bearer = found
    act_as("token", found.token_id, found.name)
    note_use(found.token_id, utcnow())
    return found


def _count(who: str) -> None:
    limit = parse(current_app.config["API_LIMIT"])
    if not _asked.hit(limit, "api", who):
        raise TooMany(limit.get_expiry())
