import contextlib
from typing import Any

from flask import Response, flash, redirect, request, url_for

from blueprints.clock import utcnow
from blueprints.house.area import RESERVATIONS, bp
from blueprints.mailing import Letter, html_of, text_of, write
from blueprints.rendering import render
from blueprints.security import POLICY, account_id, current_desk, needs
from domain.errors import NotFound, RuleBroken
from domain.wording import KINDS
from domain.words import count
from services.outbox import MOST_ATTEMPTS
from services.outbox_desk import (
    STATES,
    Posted,
    Scope,
    find_posted,
    list_outbox,
    retry,
    works_everywhere,
)

TITLES = {key: kind.title for key, kind in KINDS.items()}

LETTER_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox"
)
"""A letter carries its looks in itself; nothing in it runs, loads or is followed."""

MOST_PAGES = 400


@bp.get("/<site>/outbox")
@needs(RESERVATIONS)
def outbox(site: str) -> Response:
    desk = current_desk()
    wanted = request.args.get("show", STATES[0])
    state = wanted if wanted in STATES else STATES[0]
    return render(
        "house/outbox.html",
        desk=desk,
        venue=desk.venue,
        state=state,
        page=list_outbox(_scope(), state, number=_number(), now=utcnow()),
        kinds=TITLES,
        most=MOST_ATTEMPTS,
        zone=desk.venue.zone,
        is_personal=True,
    )


@bp.get("/<site>/outbox/<job_id>")
@needs(RESERVATIONS)
def posted(site: str, job_id: str) -> Response:
    desk = current_desk()
    found = find_posted(_scope(), job_id, now=utcnow())
    written = _write(found)
    answer = render(
        "house/letter.html",
        desk=desk,
        venue=desk.venue,
        posted=found,
        letter=written,
        text=text_of(written) if written else "",
        kinds=TITLES,
        most=MOST_ATTEMPTS,
        zone=desk.venue.zone,
        is_personal=True,
    )
    answer.headers["Content-Security-Policy"] = f"{POLICY}; frame-src 'self'"
    return answer


@bp.get("/<site>/outbox/<job_id>.html")
@needs(RESERVATIONS)
def letter(site: str, job_id: str) -> Response:
    written = _write(find_posted(_scope(), job_id, now=utcnow()))
    if written is None:
        raise NotFound("That mail can't be written any more.")
    return Response(html_of(written), headers={"Content-Security-Policy": LETTER_POLICY})


@bp.post("/<site>/outbox/retry")
@needs(RESERVATIONS)
def retry_all(site: str) -> Any:
    number = retry(_scope(), now=utcnow())
    return _retried(site, number, url_for("house.outbox", site=site))


@bp.post("/<site>/outbox/<job_id>/retry")
@needs(RESERVATIONS)
def retry_one(site: str, job_id: str) -> Any:
    number = retry(_scope(), job_id, now=utcnow())
    return _retried(site, number, url_for("house.posted", site=site, job_id=job_id))


def _retried(site: str, number: int, to: str) -> Any:
    if number:
        flash(f"{count(number, 'mail')} {'goes' if number == 1 else 'go'} out once more.", "ok")
    else:
        flash("Nothing to do: it goes out already, or was sent.", "info")
    return redirect(to, code=303)


def _scope() -> Scope:
    venue = current_desk().venue
    whole = works_everywhere(account_id() or "", venue.organisation_id, RESERVATIONS)
    return Scope(venue.organisation_id, venue.id, whole)


def _number() -> int:
    text = request.args.get("page", "1")
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:4]) <= MOST_PAGES):
        raise NotFound("There is no such page of the outbox.")
    return int(text[:4])


def _write(found: Posted) -> Letter | None:
    """The letter as it would go out now; None when what it speaks of is gone."""
    with contextlib.suppress(LookupError, RuleBroken):
        return write(found.payload)
    return None
