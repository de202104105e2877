import contextlib
from typing import Any

from flask import Blueprint, Response, current_app

from blueprints.mailing import Letter, letter_page, text_of, write
from blueprints.rendering import render
from blueprints.security import FRAMING, PUBLIC, needs
from domain.errors import NotFound
from models import Job
from services.letters import MAIL
from services.outbox import MOST_ATTEMPTS, list_jobs

bp = Blueprint("mailbox", __name__, url_prefix="/mail")


@bp.get("", strict_slashes=False)
@needs(PUBLIC)
def index() -> Response:
    _refuse_unless_shown()
    mails = [_mail(job) for job in list_jobs(MAIL)]
    response = render("mailbox/index.html", mails=mails, is_personal=True)
    response.headers["Content-Security-Policy"] = FRAMING
    return response


@bp.get("/<job_id>.html")
@needs(PUBLIC)
def letter(job_id: str) -> Response:
    _refuse_unless_shown()
    job = next((job for job in list_jobs(MAIL) if job.id == job_id), None)
    found = write(job.payload) if job else None
    if found is None:
        raise NotFound("That mail is gone.")
    return letter_page(found)


def _refuse_unless_shown() -> None:
    if not current_app.config["SHOW_MAIL"]:
        raise NotFound


def _mail(job: Job) -> dict[str, Any]:
    found: Letter | None = None
    with contextlib.suppress(LookupError):
        found = write(job.payload)
    return {
        "id": job.id,
        "letter": found,
        "text": text_of(found) if found else "",
        "written_at": job.created_at,
        "state": _state(job),
    }


def _state(job: Job) -> str:
    if job.done_at is not None:
        return job.error or "Sent."
    if job.attempts >= MOST_ATTEMPTS:
        return f"Given up. {job.error}"
    return f"Waiting for the worker. {job.error}".strip()
