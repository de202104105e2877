"""Deeds that happen at once, on a database of their own."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import app_on
from flask import Flask

from domain.errors import RuleBroken
from models import db
from services.doctor import examine


@pytest.fixture
def storm(databases) -> Iterator[Flask]:
    app = app_on(databases.make())
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def together(app: Flask, *deeds: Callable[[], object]) -> list[object]:
    """All deeds at once, each in its own context; a refusal is an answer, anything else fails."""
    barrier = threading.Barrier(len(deeds))

    def run(deed: Callable[[], object]) -> object:
        with app.app_context():
            barrier.wait(timeout=60)
            try:
                return deed()
            except RuleBroken as refusal:
                return refusal.code
            finally:
                db.session.remove()

    with ThreadPoolExecutor(len(deeds)) as pool:
        return list(pool.map(run, deeds))


def is_sound(app: Flask) -> bool:
    with app.app_context():
        return examine() == []
