"""How long an archive of 200,000 bookings takes out and in, and how much memory it asks for.

Fills a database as bench_reports.py does, writes the archive, takes it into an empty database and
compares the counts. Each half runs in a process of its own, so that its peak of memory is its own.
SQLite in a folder that is thrown away. Nothing is asserted but that the counts agree.
Run by `python scripts/bench_archive.py [bookings]`; takes some minutes.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import sqlalchemy as sa
from bench_reports import BOOKINGS, NOW, ROOT, fill, found_house, make_shop
from flask_migrate import upgrade

from models import Organisation, db
from services.archive_import import import_archive
from services.archive_writing import write_archive


def prepare(folder: Path, bookings: int) -> None:
    with make_shop(f"sqlite:///{folder}/from.db").app_context():
        upgrade(directory=str(ROOT / "migrations"))
        fill(found_house(), bookings)
    with make_shop(f"sqlite:///{folder}/to.db").app_context():
        upgrade(directory=str(ROOT / "migrations"))


def write(folder: Path, _bookings: int) -> None:
    with make_shop(f"sqlite:///{folder}/from.db").app_context():
        own = db.session.scalars(sa.select(Organisation.id)).one()
        db.session.rollback()
        with (folder / "archive.zip").open("wb") as file:
            begun = time.monotonic()
            made = write_archive(own, file, now=NOW)
        size = (folder / "archive.zip").stat().st_size
        say("out", begun, f"{made.rows:,} rows, {size / 1e6:.1f} MB")


def take(folder: Path, _bookings: int) -> None:
    with make_shop(f"sqlite:///{folder}/to.db").app_context():
        for is_rehearsal in (True, False):
            begun = time.monotonic()
            with (folder / "archive.zip").open("rb") as file:
                report = import_archive(file, is_rehearsal=is_rehearsal, now=NOW)
            if report.faults:
                raise SystemExit("\n".join(report.faults))
            say("dry run" if is_rehearsal else "in", begun, f"{sum(report.counts.values()):,} rows")


def say(what: str, begun: float, more: str) -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    spent = f"{time.monotonic() - begun:7.1f} s, {time.process_time():.1f} s of CPU so far"
    print(f"{what:8} {spent}, peak {peak:.0f} MB, {more}", flush=True)


STEPS = {"prepare": prepare, "write": write, "take": take}


def main() -> None:
    bookings = int(sys.argv[1]) if len(sys.argv) > 1 else BOOKINGS
    with tempfile.TemporaryDirectory() as folder:
        for step in STEPS:
            subprocess.run(  # noqa: S603 - ourselves
                [sys.executable, __file__, str(bookings), step, folder],
                check=True,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )


if __name__ == "__main__":
    if len(sys.argv) > 3:
        STEPS[sys.argv[2]](Path(sys.argv[3]), int(sys.argv[1]))
    else:
        main()
