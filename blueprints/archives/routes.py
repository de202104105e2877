from typing import Any

from flask import Blueprint, Response, flash, redirect, stream_with_context, url_for

from blueprints.archives.forms import ArchiveForm
from blueprints.clock import utcnow
from blueprints.proving import proved_anew, proved_anew_for_file
from blueprints.rendering import render
from blueprints.security import account_id, current_desk, needs
from blueprints.visits import deed_key
from domain.errors import NotFound, RuleBroken
from domain.words import say_size
from services.archives import (
    Shelved,
    begin_archive,
    check_may_take_all,
    delete_archive,
    find_archive,
    list_archives,
    read_archive,
    stop_archive,
)
from services.long_works import Standing, find_standing
from services.venue_settings import find_organisation

bp = Blueprint("archives", __name__, url_prefix="/staff/<site>/archive")

STAFF = "STAFF_MANAGE"
"""With SETTINGS_MANAGE, and both at all sites: the service asks for the rest."""


@bp.get("")
@needs(STAFF)
def index(site: str) -> Response:
    desk = current_desk()
    organisation_id = desk.venue.organisation_id
    check_may_take_all(organisation_id, account_id() or "")
    shelved = list_archives(organisation_id, now=utcnow())
    making = next((one for one in shelved if one.state == "open"), None)
    return render(
        "archives/index.html",
        block="shelf",
        desk=desk,
        venue=desk.venue,
        organisation=find_organisation(organisation_id),
        shelved=[one for one in shelved if one is not making],
        making=making,
        standing=_standing(making),
        say_size=say_size,
        is_personal=True,
    )


def _standing(making: Shelved | None) -> Standing | None:
    if making is None or making.work is None:
        return None
    work = making.work
    return find_standing(work.organisation_id, work.site_id, work.id, now=utcnow())


@bp.post("")
@needs(STAFF)
@proved_anew
def ask(site: str) -> Any:
    venue, form = current_desk().venue, ArchiveForm()
    begin_archive(
        venue.organisation_id,
        venue.id,
        account_id() or "",
        key=deed_key(form.key.data or ""),
        now=utcnow(),
    )
    flash("Your archive is being made. You can leave this page.", "ok")
    return _back(site)


@bp.get("/<archive_id>.zip")
@needs(STAFF)
@proved_anew_for_file
def fetch(site: str, archive_id: str) -> Response:
    organisation_id = _own(archive_id)
    archive = find_archive(organisation_id, archive_id, now=utcnow())
    if archive.ready_at is None:
        raise NotFound("That archive isn't ready.")
    name = f"{find_organisation(organisation_id).code.lower()}-{archive.ready_at:%Y-%m-%d}.zip"
    pieces = stream_with_context(read_archive(organisation_id, archive_id))
    answer = Response(pieces, mimetype="application/zip")
    answer.headers["Content-Length"] = str(archive.size)
    answer.headers.set("Content-Disposition", "attachment", filename=name)
    return answer


@bp.get("/<archive_id>/stop")
@bp.get("/<archive_id>/deletion")
@needs(STAFF)
def back_to_index(site: str, archive_id: str) -> Any:
    """The address of a button, opened by hand."""
    _own(archive_id)
    return _back(site)


@bp.post("/<archive_id>/stop")
@needs(STAFF)
def stop(site: str, archive_id: str) -> Any:
    stop_archive(_own(archive_id), archive_id, now=utcnow())
    return _back(site)


@bp.post("/<archive_id>/deletion")
@needs(STAFF)
@proved_anew
def delete(site: str, archive_id: str) -> Any:
    organisation_id = _own(archive_id)
    try:
        delete_archive(organisation_id, archive_id, now=utcnow())
        flash("The archive is deleted.", "ok")
    except NotFound:
        raise
    except RuleBroken as broken:
        flash(broken.sentence, "bad")
    return _back(site)


def _own(archive_id: str) -> str:
    """The organisation, for whoever may take its archive; a foreign archive is not found (R1)."""
    organisation_id = current_desk().venue.organisation_id
    find_archive(organisation_id, archive_id, now=utcnow())
    check_may_take_all(organisation_id, account_id() or "")
    return organisation_id


def _back(site: str) -> Any:
    return redirect(url_for("archives.index", site=site), code=303)
