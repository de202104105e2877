from typing import Any

from flask import Response, flash, redirect, request, url_for

from blueprints.clock import utcnow
from blueprints.people.area import CUSTOMERS, bp
from blueprints.proving import proved_anew_for_file
from blueprints.rendering import render
from blueprints.security import current_desk, needs
from domain.errors import RuleBroken
from domain.local_time import local_day
from domain.member_file import MAX_BYTES, MAX_LINES, FileRefused, decode
from domain.memberships import ChangedMeanwhile
from domain.words import count
from services.member_import import (
    Plan,
    apply_import,
    export_members,
    plan_import,
    sample_file,
)


@bp.get("/<site>/memberships/members.csv")
@needs(CUSTOMERS)
@proved_anew_for_file
def members_file(site: str) -> Response:
    return _file(export_members(current_desk().venue.organisation_id), "members.csv")


@bp.get("/<site>/memberships/sample.csv")
@needs(CUSTOMERS)
def sample(site: str) -> Response:
    venue = current_desk().venue
    today = local_day(utcnow(), venue.zone)
    return _file(sample_file(venue.organisation_id, today=today), "members-sample.csv")


@bp.get("/<site>/memberships/import")
@needs(CUSTOMERS)
def import_members(site: str) -> Response:
    return _page()


@bp.post("/<site>/memberships/import")
@needs(CUSTOMERS)
def preview_import(site: str) -> Response:
    """What the file would do: shows, and changes nothing."""
    venue = current_desk().venue
    file = request.files.get("file")
    try:
        if file is None or not file.filename:
            raise FileRefused("Choose a file first.")
        text = decode(file.stream.read(MAX_BYTES + 1))
        plan = plan_import(venue.organisation_id, text, today=local_day(utcnow(), venue.zone))
    except FileRefused as refused:
        return _page(refused=refused, status=422)
    return _page(plan=plan, text=text)


@bp.post("/<site>/memberships/imports")
@needs(CUSTOMERS)
def apply_import_of_members(site: str) -> Any:
    venue, now = current_desk().venue, utcnow()
    today = local_day(now, venue.zone)
    text = request.form.get("text", "")
    try:
        done = apply_import(
            venue.organisation_id,
            text,
            digest=request.form.get("digest", ""),
            now=now,
            today=today,
        )
    except ChangedMeanwhile as moved:
        plan = plan_import(venue.organisation_id, text, today=today)
        return _page(plan=plan, text=text, refused=moved, status=409)
    except FileRefused as refused:
        return _page(refused=refused, status=422)
    flash(f"{count(done.changes, 'line')} imported.", "ok")
    return redirect(url_for("people.memberships", site=site), code=303)


def _page(
    *,
    plan: Plan | None = None,
    text: str = "",
    refused: RuleBroken | None = None,
    status: int = 200,
) -> Response:
    desk = current_desk()
    return render(
        "people/import.html",
        desk=desk,
        venue=desk.venue,
        plan=plan,
        text=text,
        refused=refused,
        most_lines=MAX_LINES,
        status=status,
    )


def _file(text: str, name: str) -> Response:
    return Response(
        # With its mark, so that spreadsheets read names right.
        "\ufeff" + text,
        mimetype="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
