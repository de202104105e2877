"""The shop as the race's server starts it: as it is, or with its guards taken out.

Run by gunicorn as `shop:make()`; RACE_DATABASE_URL and RACE_GUARDED come from the test.
"""

import os
from typing import Any

import sqlalchemy as sa
from flask import Flask
from sqlalchemy import event

import blueprints.shop.routes
import services.lines
from app import create_app
from domain.errors import NotBookable
from models import Session, db

NOW = "2026-06-04T09:00:00+00:00"


def make() -> Flask:
    app = create_app(
        {
            "SECRET_KEY": "a key for tests",
            "SQLALCHEMY_DATABASE_URI": os.environ["RACE_DATABASE_URL"],
            "NOW": NOW,
            "SIGN_IN_LIMIT": "1000 per minute",
        }
    )
    if os.environ["RACE_GUARDED"] == "no":
        _take_the_guards_out(app)
    return app


def _take_the_guards_out(app: Flask) -> None:
    """Look first, book later, and trust that nobody came between: a shop written in a hurry."""
    with app.app_context():
        engine = db.engine
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _ignore_checks)
    guarded = blueprints.shop.routes.hold_places

    def look_then_book(organisation_id: str, session_id: str, **given: Any) -> str:
        row = db.session.scalar(
            sa.select(Session).where(
                Session.organisation_id == organisation_id, Session.id == session_id
            )
        )
        if row.capacity - row.places_taken < given["guests"]:
            raise NotBookable("This session is full.", code="places_left")
        db.session.rollback()
        return guarded(organisation_id, session_id, **given)

    services.lines.require_bookable = lambda *_facts: None
    services.lines.claim = _claim_blindly
    blueprints.shop.routes.hold_places = look_then_book


def _ignore_checks(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA ignore_check_constraints=ON")


def _claim_blindly(organisation_id: str, session_id: str, *, places: int, parties: int) -> bool:
    db.session.execute(
        sa.update(Session)
        .where(Session.organisation_id == organisation_id, Session.id == session_id)
        .values(
            places_taken=Session.places_taken + places,
            parties_taken=Session.parties_taken + parties,
        ),
        execution_options={"synchronize_session": False},
    )
    return True
