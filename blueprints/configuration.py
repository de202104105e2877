"""Every setting, its default, and what is refused in production."""

import os
import re
from email.utils import parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flask import Flask

DEFAULTS: dict[str, Any] = {
    "SECRET_KEY": None,
    "PRODUCTION": False,
    "PUBLIC_ADDRESS": None,
    "NOW": None,
    "STARTED_AT": None,
    "SIGN_IN_LIMIT": "10 per minute",
    "API_LIMIT": "200 per second",
    "PROOF_MINUTES": 15,
    "POLL_SECONDS": 4,
    "SMTP_URL": None,
    "MAIL_FROM": "Sundial <no-reply@localhost>",
    "SHOW_MAIL": False,
    "WEBHOOK_PRIVATE": False,
}
"""Read from the environment with the prefix SUNDIAL_; README lists them."""

MAX_BODY = 1024 * 1024


class Misconfigured(RuntimeError):
    """The shop must not start like this."""


def configure(app: Flask, config: dict[str, Any] | None) -> None:
    """Defaults, then the environment, then `config`; raises Misconfigured."""
    app.config.from_mapping(DEFAULTS)
    app.config.from_prefixed_env("SUNDIAL")
    app.config.from_mapping(
        SQLALCHEMY_DATABASE_URI=_database_url(app),
        MAX_CONTENT_LENGTH=MAX_BODY,
        MAX_FORM_MEMORY_SIZE=MAX_BODY,
        SESSION_COOKIE_NAME="sundial",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        REMEMBER_COOKIE_HTTPONLY=True,
        REMEMBER_COOKIE_SAMESITE="Lax",
        WTF_CSRF_TIME_LIMIT=None,
        TEMPLATES_AUTO_RELOAD=False,
    )
    app.config.update(config or {})
    for cookie in ("SESSION", "REMEMBER"):
        app.config[f"{cookie}_COOKIE_SECURE"] = bool(app.config["PRODUCTION"])
    _refuse_in_production(app)
    _check_mail(app)
    if app.config["PUBLIC_ADDRESS"]:
        app.config["PUBLIC_ADDRESS"] = str(app.config["PUBLIC_ADDRESS"]).rstrip("/")
    if not app.config["SECRET_KEY"]:
        app.config["SECRET_KEY"] = _key_of_this_machine(app)
    if not app.config["SECRET_KEY"]:
        if app.config["PRODUCTION"] or not (app.debug or app.testing):
            raise Misconfigured("Set SUNDIAL_SECRET_KEY to a long random text.")
        app.config["SECRET_KEY"] = "for development only"  # noqa: S105 - refused above otherwise


def _key_of_this_machine(app: Flask) -> str:
    """The key that scripts/run.sh made: a command at the console belongs to the same shop."""
    try:
        return (Path(app.instance_path) / "secret_key").read_text().strip()
    except OSError:
        # None was made, or it is another user's, who alone may read it.
        return ""


def _refuse_in_production(app: Flask) -> None:
    if not app.config["PRODUCTION"]:
        return
    if app.config["NOW"]:
        raise Misconfigured("SUNDIAL_NOW sets the shop's clock: not in production.")
    if not app.config["PUBLIC_ADDRESS"]:
        raise Misconfigured("Set SUNDIAL_PUBLIC_ADDRESS: links in mails begin with it.")
    if app.config["SHOW_MAIL"]:
        raise Misconfigured("SUNDIAL_SHOW_MAIL shows everybody's mail: not in production.")
    if app.config["WEBHOOK_PRIVATE"]:
        raise Misconfigured(
            "SUNDIAL_WEBHOOK_PRIVATE lets webhooks into private networks: not in production."
        )


def _check_mail(app: Flask) -> None:
    url = urlsplit(str(app.config["SMTP_URL"] or ""))
    try:
        is_server = url.scheme in ("smtp", "smtps") and bool(url.hostname) and url.port != 0
        is_server = is_server and float(parse_qs(url.query).get("timeout", ["1"])[0]) > 0
    except ValueError:
        is_server = False
    if app.config["SMTP_URL"] and not is_server:
        raise Misconfigured(
            "SUNDIAL_SMTP_URL wants smtp://user:password@host:587?starttls=1 or smtps://…"
        )
    address = parseaddr(str(app.config["MAIL_FROM"]))[1]
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", address):
        raise Misconfigured("SUNDIAL_MAIL_FROM wants an address like Sundial <book@example.com>.")


def _database_url(app: Flask) -> str:
    url = os.environ.get("DATABASE_URL", "")
    if not url:
        folder = Path(app.instance_path)
        folder.mkdir(parents=True, exist_ok=True)
        return f"sqlite:///{folder / 'sundial.db'}"
    for plain in ("postgresql://", "postgres://"):
        if url.startswith(plain):
            return "postgresql+psycopg://" + url.removeprefix(plain)
    return url
