"""Headers, forgery protection, rate limits, sign-in, and the right that each route declares."""

import datetime as dt
import hmac
import json
import re
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import uuid4

from flask import Flask, Response, current_app, flash, g, redirect, request, url_for
from flask import session as visit
from flask.sessions import SecureCookieSessionInterface
from flask_login import LoginManager, UserMixin, current_user
from flask_wtf.csrf import CSRFProtect
from itsdangerous import URLSafeTimedSerializer
from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from werkzeug.exceptions import BadRequest, TooManyRequests

from blueprints.clock import utcnow
from blueprints.links import read_link
from domain.account_links import LinkUnknown
from domain.errors import NotFound
from domain.people import email_key
from services.accounts import Desk, Identity, find_desk, identity_of
from services.kiosks import KioskDesk, find_kiosk
from services.second_factor import has_second_step
from services.sign_ins import USE_IS_NOTED_EVERY, find_signed_in, note_use

csrf = CSRFProtect()
sign_in_tries = MovingWindowRateLimiter(MemoryStorage())
login_manager = LoginManager()

View = TypeVar("View", bound=Callable[..., Any])

PUBLIC = "public"
SIGNED_IN = "signed in"
STAFF = "staff of any venue"
KIOSK = "a kiosk of the venue"
"""Asked of a device, not of a person: its own cookie opens these routes and nothing else."""
KIOSK_COOKIE = "kiosk"
TOKEN = "a token"  # noqa: S105 - what a route declares, no secret
"""Asked of a program: the API finds out itself which token it is, and what it may do where."""

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "worker-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

FRAMING = f"{POLICY}; frame-src 'self'"
"""For pages that show a letter in a sandboxed frame."""

SCANNING = "camera=(self), microphone=(), geolocation=()"
"""The Permissions-Policy of pages that scan tickets; a page sets it over the one below."""

HEADERS = (
    ("Content-Security-Policy", POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), microphone=(), geolocation=()"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)


class SignedIn(UserMixin):
    """What the sign-in cookie stands for: an account in one browser, until either is ended."""

    def __init__(self, found: Identity, sign_in_id: str, last_used_at: dt.datetime) -> None:
        self.id = found.id
        self.token = found.session_token
        self.name = found.name
        self.email = found.email
        self.sign_in_id = sign_in_id
        self.last_used_at = last_used_at

    def get_id(self) -> str:
        return f"{self.id}.{self.token}.{self.sign_in_id}"


class KeptSerializer(SecureCookieSessionInterface):
    """Flask's own cookie, without making its serializer anew for every request."""

    def __init__(self) -> None:
        self._kept: URLSafeTimedSerializer | None = None

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        if self._kept is None:
            self._kept = super().get_signing_serializer(app)
        return self._kept


def needs(*rights: str) -> Callable[[View], View]:
    """Declare what a route asks of its caller: PUBLIC, SIGNED_IN or a staff right (D3).

    Any one of several staff rights opens it.
    """

    def declare(view: View) -> View:
        view.needs = rights  # type: ignore[attr-defined]
        return view

    return declare


def declared_rights(app: Flask, endpoint: str) -> tuple[str, ...]:
    """The rights that an endpoint's view declares, none when it forgot to."""
    return getattr(app.view_functions[endpoint], "needs", ())


@login_manager.user_loader
def _load_user(cookie: str) -> SignedIn | None:
    account_id, token, sign_in_id = (*cookie.split("."), "", "")[:3]
    found = find_signed_in(sign_in_id, account_id)
    if found is None or found[0].session_token != token:
        return None
    return SignedIn(identity_of(found[0]), sign_in_id, found[1])


def account_id() -> str | None:
    """The signed-in account; asks the database only when the cookie claims one."""
    if "_user_id" not in visit and "remember_token" not in request.cookies:
        return None
    return current_user.id if current_user.is_authenticated else None


def current_desk() -> Desk:
    """The desk that the staff route in the address was opened for."""
    return g.desk


def current_kiosk() -> KioskDesk:
    """The kiosk that asks for a route of the kiosk."""
    return g.kiosk


def count_sign_in_try() -> None:
    """Raise TooManyRequests when this address has tried too often; counted per process."""
    count_try("sign-in")


def count_try(what: str) -> None:
    """The same for another deed that nobody does many times a minute."""
    limit = parse(current_app.config["SIGN_IN_LIMIT"])
    who = request.remote_addr or "nobody"
    if not sign_in_tries.hit(limit, what, who):
        raise TooManyRequests(retry_after=limit.get_expiry())


def hash_address(email: str) -> str:
    """What stands for an address where tries are counted: nobody reads it back without our key."""
    key = str(current_app.config["SECRET_KEY"]).encode()
    return hmac.new(key, email_key(email).encode(), "sha256").hexdigest()


def install_security(app: Flask) -> None:
    """Enforce the declared rights before, and set the headers after every request."""
    app.session_interface = KeptSerializer()
    app.before_request(_check_right)
    app.before_request(_note_use)
    app.after_request(_set_headers)


def _check_right() -> Any:
    _refuse_nul()
    if request.endpoint is None:
        return None
    rights = declared_rights(current_app, request.endpoint)
    if {PUBLIC, TOKEN}.intersection(rights):
        return None
    if KIOSK in rights:
        g.kiosk = find_kiosk((request.view_args or {})["site"], _kiosk_token())
        return None
    person = account_id()
    if person is None:
        door = "account.sign_in" if SIGNED_IN in rights else "desk.sign_in"
        back = request.full_path.rstrip("?") if request.method == "GET" else None
        return redirect(url_for(door, next=back), code=303)
    if not {SIGNED_IN, STAFF}.intersection(rights) and rights:
        g.desk = find_desk(person, (request.view_args or {})["site"], *rights)
        if g.desk.asks_second_factor and not _is_guarded(person):
            flash("This venue asks its staff for an authenticator app or a passkey.", "info")
            return redirect(url_for("account.security"), code=303)
    return None


def _kiosk_token() -> str:
    try:
        return read_link(request.cookies.get(KIOSK_COOKIE, ""), "kiosk")
    except LinkUnknown:
        return ""


def _is_guarded(person: str) -> bool:
    """Whether more than a password or a mail was needed to come in."""
    return bool(visit.get("by_passkey")) or has_second_step(person)


def _note_use() -> None:
    """A browser that sends something is in use; looking writes nothing (H7)."""
    if request.method != "POST" or _is_of_programs() or account_id() is None:
        return
    if current_user.last_used_at <= utcnow() - USE_IS_NOTED_EVERY:
        note_use(current_user.sign_in_id, now=utcnow())


def _is_of_programs() -> bool:
    """Whether the route asks for a token: no cookie of a browser counts there, and no form."""
    endpoint = request.endpoint
    return endpoint is not None and TOKEN in declared_rights(current_app, endpoint)


def _refuse_nul() -> None:
    """No text of ours has a NUL byte, and PostgreSQL takes none."""
    if "\0" in request.path:
        raise NotFound
    # What a program sends is read as it is, whatever kind it says it is.
    for values in (request.args,) if _is_of_programs() else (request.args, request.form):
        if any("\0" in text for pair in values.items(multi=True) for text in pair):
            raise BadRequest


class HostGuard:
    """Answers 400 to a Host that no browser sends, before anything builds an address of it."""

    _HOST = re.compile(
        r"(?:(?:[\w-]{1,63}\.)*[\w-]{1,63}\.?|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?", re.ASCII
    )

    def __init__(self, application: Any) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        host = environ.get("HTTP_HOST", "localhost")
        if len(host) > 255 or not self._HOST.fullmatch(host):
            return self._refuse(environ, start_response)
        return self._application(environ, start_response)

    def _refuse(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        """No part of Flask has seen the request: programs get the body and the header of theirs."""
        kind, text = "text/plain; charset=utf-8", "The browser sent an address we could not read."
        if environ.get("PATH_INFO", "").startswith("/api/"):
            kind, text = "application/json", json.dumps({"message": "The Host can't be read."})
        start_response("400 Bad Request", [("Content-Type", kind), ("Request-Id", uuid4().hex)])
        return [text.encode()]


def _set_headers(response: Response) -> Response:
    if response.status_code == 304:
        # The browser keeps the headers that it has.
        return response
    headers = response.headers
    for name, value in HEADERS:
        headers.setdefault(name, value)
    if request.is_secure:
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    # fetch follows a redirect unseen, and the next page would land inside this one.
    if request.headers.get("HX-Request-Type") == "partial" and "Location" in headers:
        headers["HX-Redirect"] = headers.pop("Location")
        response.status_code = 204
        response.set_data(b"")
    return response
