"""The page on which an organisation asks for everything it has."""

import datetime as dt
from collections.abc import Callable

import sqlalchemy as sa
from changing_stories import STAFF, heading
from factories import ANYWHERE
from playwright.sync_api import Page, expect
from stories import IMOGEN, Story

from blueprints.clock import read_clock
from models import Account, Archive, Job, LongWork, Site, db, transaction
from services.archives import ARCHIVE, begin_archive, delete_archive, stop_archive
from services.long_works import carry_on
from services.outbox import MOST_ATTEMPTS
from services.work_steps import STEPS


def archives(make: Callable = lambda *_given: None, then: str = "None yet") -> Callable:
    """The page with no other archive than `make` leaves there."""

    def come(page: Page, shop) -> None:
        with shop.app.app_context():
            site = db.session.scalars(
                sa.select(Site).where(Site.slug == "stillwater-bath"), execution_options=ANYWHERE
            ).one()
            here, now = (site.organisation_id, site.id), read_clock()
            who = db.session.scalar(sa.select(Account.id).where(Account.email_key == IMOGEN))
            clear(here[0], now)
            make(here, who, now)
            db.session.remove()
        page.goto(f"{STAFF}/archive")
        heading(page, "Your data")
        expect(page.get_by_text(then).first).to_be_visible()

    return come


def clear(organisation_id: str, now: dt.datetime) -> None:
    with transaction():
        db.session.execute(
            sa.update(LongWork)
            .where(LongWork.organisation_id == organisation_id, LongWork.kind == ARCHIVE)
            .values(state="stopped")
        )
    for row_id in db.session.scalars(
        sa.select(Archive.id).where(Archive.organisation_id == organisation_id)
    ).all():
        delete_archive(organisation_id, row_id, now=now)


def begun(here, who, now) -> Archive:
    return db.session.get_one(
        Archive, begin_archive(*here, who, now=now), execution_options=ANYWHERE
    )


def made(here, who, now) -> None:
    carry_on(here[0], str(begun(here, who, now).work_id), STEPS, now=now)
    stopped(here, who, now)


def stopped(here, who, now) -> None:
    stop_archive(here[0], begun(here, who, now).id, now=now)


def half_way(here, who, now, *, attempts: int = 1) -> None:
    """As its page shows it while a worker is at it; none is."""
    archive = begun(here, who, now)
    with transaction():
        work = db.session.get_one(LongWork, archive.work_id, execution_options=ANYWHERE)
        work.state, work.done = "running", 12
        db.session.execute(
            sa.update(Job)
            .where(Job.organisation_id == here[0], Job.dedupe_key.contains(work.id))
            .values(run_at=now + dt.timedelta(minutes=4), attempts=attempts)
        )


def given_up(here, who, now) -> None:
    half_way(here, who, now, attempts=MOST_ATTEMPTS)


ARCHIVES = (
    Story("archives-none", archives(), IMOGEN),
    Story("archives-waiting", archives(begun, "Stop it"), IMOGEN),
    Story("archives-after-a-fault", archives(half_way, "begins again by itself"), IMOGEN),
    Story("archives-given-up", archives(given_up, "tried several times"), IMOGEN),
    Story("archives-there-and-stopped", archives(made, "Download"), IMOGEN),
)
