"""Which code does one item of which kind of long work."""

import datetime as dt

from services.archives import ARCHIVE, make_archive
from services.covering import COVER, cover_one
from services.long_works import Step, carry_on
from services.series_choices import SESSION_CHOICES, carry_out_one

STEPS: dict[str, Step] = {
    ARCHIVE: make_archive,
    COVER: cover_one,
    SESSION_CHOICES: carry_out_one,
}

AT_ONCE = 10
"""So few items don't wait for the worker: whoever began them sees them done."""


def do_small_work(organisation_id: str, work_id: str, total: int, *, now: dt.datetime) -> None:
    """Do a work of at most AT_ONCE items here and now; a larger one is the worker's."""
    if total <= AT_ONCE:
        carry_on(organisation_id, work_id, STEPS, now=now)
