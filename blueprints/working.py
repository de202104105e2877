"""The worker's side of the outbox: which code does which kind of job."""

import time
from collections.abc import Callable

from flask import current_app

from blueprints.acting import worker_acts
from blueprints.clock import read_clock
from blueprints.mailing import Refused, Undeliverable, deliver
from blueprints.webhook_sending import send_webhook
from services.letters import MAIL
from services.long_works import LONG_WORK, carry_on
from services.outbox import NotYet, Work, claim_job, fail, finish, give_up
from services.webhook_events import WEBHOOK
from services.work_steps import STEPS


def _carry_on(work: Work) -> str:
    return carry_on(work.organisation_id or "", str(work.payload["work"]), STEPS, now=read_clock())


DEEDS: dict[str, Callable[[Work], str]] = {
    MAIL: deliver,
    LONG_WORK: _carry_on,
    WEBHOOK: send_webhook,
}

LAST = (WEBHOOK,)
"""Strangers' programs may be slow: what goes to them comes when nothing else is due."""

DRAIN_SECONDS = 5.0
"""A round's share for the outbox, so that a slow mail server holds up nothing else."""


def drain() -> int:
    """Do what is due, job by job; several workers share the work. The number that went well."""
    stop_at = time.monotonic() + DRAIN_SECONDS
    done = 0
    while time.monotonic() < stop_at:
        work = claim_job(now=read_clock(), last=LAST)
        if work is None:
            break
        done += _do(work)
    return done


def _do(work: Work) -> bool:
    try:
        with worker_acts(work.kind, work.id):
            note = DEEDS[work.kind](work)
    except Undeliverable as error:
        give_up(work, f"Undeliverable: {error}")
    except Refused as refusal:
        fail(work, f"Not taken yet: {refusal}", now=read_clock())
    except NotYet as refusal:
        fail(work, str(refusal), now=read_clock(), wait=refusal.wait)
    except Exception as error:
        # The outermost door of one job: the others are done, and this one is tried again.
        current_app.logger.warning("job %s (%s): %s", work.id, work.kind, error)
        fail(work, f"{type(error).__name__}: {error}", now=read_clock())
    else:
        return finish(work, now=read_clock(), note=note)
    return False
