"""Archives of an organisation: asked for, made by the worker, there to be fetched for a week."""

import datetime as dt
import hashlib
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

import sqlalchemy as sa

from domain.errors import NotAllowed, NotFound, RuleBroken
from models import (
    Account,
    Archive,
    ArchivePart,
    LongWork,
    Organisation,
    Site,
    StaffGrant,
    db,
    new_object_id,
    transaction,
    unbound,
)
from services.archive_writing import Made, list_parts, write_archive
from services.idempotency import once, retrying
from services.long_works import OPEN, ask_to_stop, begin, reach

ARCHIVE = "archive"
"""The kind of long work."""

KEPT = dt.timedelta(days=7)
"""How long an archive is there."""

PIECE = 1024 * 1024
MOST = 50
"""So many are listed; a week hardly sees more."""

DROPPED = "Somebody was erased meanwhile, and would have been in it. Make a new one."

NEEDED = ("SETTINGS_MANAGE", "STAFF_MANAGE")
"""An archive holds everything: who takes it has both, at all sites."""

_EVERYWHERE = unbound("whoever runs the installation names an organisation by any of its sites")


@dataclass(frozen=True, slots=True)
class Shelved:
    """An archive and the work that makes it, which is gone some time after."""

    archive: Archive
    work: LongWork | None

    @property
    def state(self) -> str:
        """ready, open or stopped."""
        if self.archive.ready_at is not None:
            return "ready"
        return "open" if self.work is not None and self.work.state in OPEN else "stopped"


def may_take_all(organisation_id: str, account_id: str) -> bool:
    """Whether this account may take the whole organisation along."""
    held = db.session.scalars(
        sa.select(StaffGrant.right).where(
            StaffGrant.organisation_id == organisation_id,
            StaffGrant.account_id == account_id,
            StaffGrant.site_id.is_(None),
        )
    ).all()
    return set(NEEDED) <= set(held)


def check_may_take_all(organisation_id: str, account_id: str) -> None:
    """Raise NotAllowed unless `may_take_all`."""
    if not may_take_all(organisation_id, account_id):
        raise NotAllowed


def find_organisation_named(name: str) -> str:
    """The id of the organisation with this code or id, or with a site of this slug; NotFound."""
    found = db.session.scalar(
        sa.select(Organisation.id).where(
            sa.or_(Organisation.id == name, Organisation.code == name.upper())
        )
    ) or db.session.scalar(
        sa.select(Site.organisation_id).where(Site.slug == name.lower()),
        execution_options=_EVERYWHERE,
    )
    if found is None:
        raise NotFound(f"There is no organisation {name}: give its code, or the slug of a site.")
    return found


def begin_archive(
    organisation_id: str, site_id: str, account_id: str, *, key: str = "", now: dt.datetime
) -> str:
    """Ask for an archive; its id. While one is being made, that is the one.

    Raises NotAllowed. The same `key` asks once (H6).
    """
    check_may_take_all(organisation_id, account_id)
    parts = list_parts(organisation_id)

    def deed() -> str:
        # The second of two who ask at once finds the first one's.
        _queue_up(organisation_id)
        known = _find_open(organisation_id)
        return known or _ask(organisation_id, site_id, account_id, parts, now)

    return once(organisation_id, key, {"do": "begin_archive"}, deed, now)


def _queue_up(organisation_id: str) -> None:
    """Whoever asks for archives, or takes all away, comes one after the other."""
    db.session.execute(
        sa.select(Organisation.id)
        .where(Organisation.id == organisation_id)
        .with_for_update(key_share=True)
    )


def _find_open(organisation_id: str) -> str | None:
    return db.session.scalar(
        sa.select(Archive.id)
        .join(LongWork, LongWork.id == Archive.work_id)
        .where(
            Archive.organisation_id == organisation_id,
            Archive.ready_at.is_(None),
            LongWork.state.in_(OPEN),
        )
        .limit(1)
    )


def _ask(
    organisation_id: str, site_id: str, account_id: str, parts: Sequence[str], now: dt.datetime
) -> str:
    archive = Archive(
        id=new_object_id(),
        organisation_id=organisation_id,
        asked_by_id=account_id,
        asked_by_name=db.session.get_one(Account, account_id).name,
        created_at=now,
        expires_at=now + KEPT,
    )
    db.session.add(archive)
    archive.work_id = begin(
        organisation_id,
        site_id,
        kind=ARCHIVE,
        title="Archive of the whole organisation",
        items=[{"name": name, "archive": archive.id} for name in (*parts, "Storing")],
        key=f"{ARCHIVE}:{archive.id}",
        account_id=account_id,
        now=now,
    )
    db.session.flush()
    return archive.id


def list_archives(organisation_id: str, *, now: dt.datetime) -> list[Shelved]:
    """The archives that are there or on their way, newest first (one query)."""
    rows = db.session.execute(
        sa.select(Archive, LongWork)
        .join(
            LongWork,
            sa.and_(
                LongWork.id == Archive.work_id, LongWork.organisation_id == Archive.organisation_id
            ),
            isouter=True,
        )
        .where(Archive.organisation_id == organisation_id, Archive.expires_at > now)
        .order_by(Archive.created_at.desc(), Archive.id.desc())
        .limit(MOST)
    )
    return [Shelved(archive, work) for archive, work in rows]


def find_archive(organisation_id: str, archive_id: str, *, now: dt.datetime) -> Archive:
    """An archive of this organisation; raises NotFound when it is gone."""
    archive = db.session.scalar(
        sa.select(Archive).where(
            Archive.organisation_id == organisation_id,
            Archive.id == archive_id,
            Archive.expires_at > now,
        )
    )
    if archive is None:
        raise NotFound("That archive is no longer here. Make a new one.")
    return archive


def read_archive(organisation_id: str, archive_id: str) -> Iterator[bytes]:
    """The file of an archive in pieces; no transaction stays open between them."""
    position = 0
    while True:
        content = db.session.scalar(
            sa.select(ArchivePart.content).where(
                ArchivePart.organisation_id == organisation_id,
                ArchivePart.archive_id == archive_id,
                ArchivePart.position == position,
            )
        )
        db.session.rollback()
        if content is None:
            return
        yield content
        position += 1


def stop_archive(organisation_id: str, archive_id: str, *, now: dt.datetime) -> None:
    """Make no more of it; one that is ready stays. Raises NotFound."""
    archive = find_archive(organisation_id, archive_id, now=now)
    work = db.session.scalar(
        sa.select(LongWork).where(
            LongWork.organisation_id == organisation_id, LongWork.id == archive.work_id
        )
    )
    if work is not None and archive.ready_at is None:
        ask_to_stop(organisation_id, work.site_id, work.id, now=now)


def delete_archive(organisation_id: str, archive_id: str, *, now: dt.datetime) -> None:
    """Take an archive away before its time; raises NotFound, RuleBroken while it is being made."""

    def deed() -> None:
        find_archive(organisation_id, archive_id, now=now)
        if _find_open(organisation_id) == archive_id:
            raise RuleBroken("It is being made. Stop it first.", code="archive_open")
        _delete_parts(organisation_id, archive_id)
        db.session.execute(
            sa.delete(Archive).where(
                Archive.organisation_id == organisation_id, Archive.id == archive_id
            )
        )

    retrying(deed)


def drop_archives(organisation_id: str, *, now: dt.datetime) -> None:
    """Take all archives away, and stop those that are being made; in the caller's transaction.

    Whoever asks for one meanwhile stands in a queue, so none is of a moment before this.
    """
    _queue_up(organisation_id)
    works = sa.select(Archive.work_id).where(Archive.organisation_id == organisation_id)
    for work in db.session.scalars(
        sa.select(LongWork)
        .where(
            LongWork.organisation_id == organisation_id,
            LongWork.id.in_(works),
            LongWork.state.in_(OPEN),
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    ):
        work.state, work.finished_at = "stopped", now
        work.failures = [*work.failures, {"item": work.done, "name": "Archive", "said": DROPPED}]
    db.session.flush()
    for table in (ArchivePart, Archive):
        db.session.execute(
            sa.delete(table).where(table.organisation_id == organisation_id),
            execution_options={"synchronize_session": False},
        )


def _delete_parts(organisation_id: str, archive_id: str) -> None:
    db.session.execute(
        sa.delete(ArchivePart).where(
            ArchivePart.organisation_id == organisation_id, ArchivePart.archive_id == archive_id
        )
    )


class _Stopped(Exception):
    """Somebody asked for it, or another worker took over."""


@dataclass
class _Making:
    """One worker's try at an archive; its number keeps out whoever tried before."""

    organisation_id: str
    archive_id: str
    work_id: str
    attempt: int
    began: dt.datetime

    def __post_init__(self) -> None:
        self._started = time.monotonic()

    def now(self) -> dt.datetime:
        """The present: a large archive takes a while."""
        return self.began + dt.timedelta(seconds=time.monotonic() - self._started)

    def reached(self, number: int | None, _name: str = "") -> None:
        """Say so; raises when it is to stop."""
        if not reach(self.organisation_id, self.work_id, number, now=self.now()):
            raise _Stopped

    def lock(self) -> Archive:
        """The archive's row, as long as no other worker has begun on it."""
        archive = _lock(self.organisation_id, self.archive_id)
        if archive is None or archive.attempt != self.attempt or archive.ready_at is not None:
            raise _Stopped
        return archive


def make_archive(
    organisation_id: str, _site_id: str, item: Mapping[str, Any], now: dt.datetime
) -> None:
    """Write the archive of which this is the first part left, and all its other parts.

    They are of one moment, so all are done in one go: after a worker's death from the beginning.
    Nothing is offered before everything is stored.
    """
    making = _take_up(organisation_id, str(item["archive"]), now)
    if making is None:
        return
    with tempfile.TemporaryFile() as file:
        try:
            made = write_archive(
                organisation_id,
                file,
                now=now,
                reach=making.reached,
                pulse=lambda: making.reached(None),
            )
            _store(making, file, made)
        except _Stopped:
            with transaction():
                archive = _lock(organisation_id, making.archive_id)
                if archive is not None and archive.attempt == making.attempt:
                    _delete_parts(organisation_id, making.archive_id)


def _take_up(organisation_id: str, archive_id: str, now: dt.datetime) -> _Making | None:
    with transaction():
        archive = _lock(organisation_id, archive_id)
        if archive is None or archive.ready_at is not None or archive.work_id is None:
            return None
        archive.attempt += 1
        _delete_parts(organisation_id, archive_id)
        return _Making(organisation_id, archive_id, archive.work_id, archive.attempt, now)


def _store(making: _Making, file: IO[bytes], made: Made) -> None:
    """Keep the file piece by piece, each in a transaction of its own; then it is there."""
    parts = len(list_parts(making.organisation_id))
    making.reached(parts)
    file.seek(0)
    digest, size, position = hashlib.sha256(), 0, 0
    while piece := file.read(PIECE):
        making.reached(None)
        with transaction():
            making.lock()
            db.session.execute(
                sa.insert(ArchivePart).values(
                    organisation_id=making.organisation_id,
                    archive_id=making.archive_id,
                    position=position,
                    content=piece,
                )
            )
        digest.update(piece)
        size, position = size + len(piece), position + 1
    with transaction():
        archive, now = making.lock(), making.now()
        archive.size, archive.rows, archive.digest = size, made.rows, digest.hexdigest()
        archive.ready_at, archive.expires_at = now, now + KEPT
    reach(making.organisation_id, making.work_id, parts + 1, now=making.now())


def _lock(organisation_id: str, archive_id: str) -> Archive | None:
    return db.session.scalar(
        sa.select(Archive)
        .where(Archive.organisation_id == organisation_id, Archive.id == archive_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
