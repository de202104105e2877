"""Every setting, its default, and what is refused in production."""

import os
from pathlib import Path
from typing import Any

from flask import Flask

DEFAULTS: dict[str, Any] = {
    "SECRET_KEY": None,
    "PRODUCTION": False,
    "PUBLIC_ADDRESS": None,
    "NOW": None,
    "STARTED_AT": None,
    "SIGN_IN_LIMIT": "10 per minute",
    "POLL_SECONDS": 4,
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
    if app.config["PRODUCTION"] and app.config["NOW"]:
        raise Misconfigured("SUNDIAL_NOW sets the shop's clock: not in production.")
    if app.config["PUBLIC_ADDRESS"]:
        app.config["PUBLIC_ADDRESS"] = str(app.config["PUBLIC_ADDRESS"]).rstrip("/")
    if not app.config["SECRET_KEY"]:
        if app.config["PRODUCTION"] or not (app.debug or app.testing):
            raise Misconfigured("Set SUNDIAL_SECRET_KEY to a long random text.")
        app.config["SECRET_KEY"] = "for development only"  # noqa: S105 - refused above otherwise


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
