"""Pages about cover for who is away, and about long work."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from changing_stories import STAFF, heading, press
from factories import ANYWHERE, fetch
from playwright.sync_api import Page, expect
from stories import BATH, MAREN, Story, at

from blueprints.clock import read_clock
from models import LongWork, Practitioner, Room, Site, db, transaction
from services.long_works import begin

TOMAS = ("practitioner", Practitioner, "Tomas Vale")
HALL = ("room", Room, "Spring Hall")


def cover_of(who: tuple[str, Any, str], more: str = "") -> Callable:
    def come(page: Page, shop) -> None:
        kind, table, name = who
        with shop.app.app_context():
            row_id = db.session.scalar(
                sa.select(table.id).where(table.name == name), execution_options=ANYWHERE
            )
            db.session.remove()
        page.goto(f"{STAFF}/cover?{kind}={row_id}{more}")
        heading(page, f"Cover for {name}")

    return come


def cover_with_errors(page: Page, shop) -> None:
    """A cancellation without a reason."""
    cover_of(TOMAS)(page, shop)
    page.locator(".cover-row select").first.select_option("cancel")
    press(page, "Apply")
    expect(page.locator(".summary")).to_be_visible()


def long_work(**changes: Any) -> Callable:
    """A work in this state, whether or not a worker runs beside the test."""

    def come(page: Page, shop) -> None:
        with shop.app.app_context():
            site = db.session.scalars(
                sa.select(Site).where(Site.slug == BATH.strip("/")), execution_options=ANYWHERE
            ).one()
            with transaction():
                work_id = begin(
                    site.organisation_id, site.id, kind="cover",
                    title="Cover for Tomas Vale, 4 Jun to 11 Jun",
                    items=[{"name": f"Thermal circuit {n}"} for n in range(40)],
                    key=uuid4().hex, account_id=None, back=f"{STAFF}/cover", now=read_clock(),
                )  # fmt: skip
                for name, value in changes.items():
                    setattr(fetch(LongWork, work_id), name, value)
            db.session.remove()
        page.goto(f"{STAFF}/works/{work_id}")
        heading(page, "Cover for Tomas Vale")

    return come


def works(page: Page, shop) -> None:
    long_work(state="done", done=40)(page, shop)
    page.goto(f"{STAFF}/works")
    expect(page.locator(".posted").first).to_be_visible()


LEFT_OUT = [
    {"item": 3, "name": "Thermal circuit, Fri 12 June at 10:00", "said": "It has begun meanwhile."}
]

COVER = [
    Story("cover, nobody chosen", at(f"{STAFF}/cover"), MAREN),
    Story("cover for a practitioner", cover_of(TOMAS), MAREN),
    Story("cover for a room", cover_of(HALL, "&to=2026-06-05"), MAREN),
    Story("cover, nothing to do", cover_of(TOMAS, "&from=2029-01-01&to=2029-01-02"), MAREN),
    Story("cover, a wrong span", at(f"{STAFF}/cover?from=soon"), MAREN, status=422),
    Story("cover with errors", cover_with_errors, MAREN, status=422),
    Story("works", works, MAREN),
    Story("a work under way", long_work(state="running", done=12), MAREN),
    Story("a work with refusals", long_work(state="done", done=40, failures=LEFT_OUT), MAREN),
]
