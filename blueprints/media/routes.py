import re
from typing import Any

from flask import Blueprint, Response, flash, make_response, redirect, request, url_for
from flask import session as visit
from werkzeug.exceptions import RequestEntityTooLarge

from blueprints.clock import utcnow
from blueprints.errors import say_status
from blueprints.media.forms import PictureForm
from blueprints.rendering import render
from blueprints.security import PUBLIC, current_desk, needs
from blueprints.visits import deed_key
from domain.editing import EditedMeanwhile
from domain.errors import KeyReused, NotFound, RuleBroken
from domain.pictures import MAX_BYTES, PictureInUse, TooLarge
from services.media import (
    add_media,
    delete_media,
    describe_media,
    find_media,
    list_media,
    read_file,
)

bp = Blueprint("media", __name__)

SETTINGS = "SETTINGS_MANAGE"
SLACK = 64 * 1024
"""What a form is larger than the file in it."""


@bp.url_value_preprocessor
def _take_more(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """The one form that may be larger than others, and only for those who are signed in."""
    if endpoint == "media.upload" and "_user_id" in visit:
        request.max_content_length = MAX_BYTES + SLACK


@bp.errorhandler(RequestEntityTooLarge)
def _too_large(_error: RequestEntityTooLarge) -> Response:
    return say_status(413, "That file is larger than 12 MB. Go back and choose a smaller one.")


@bp.get("/media/<media_id>/<name>")
@needs(PUBLIC)
def show(media_id: str, name: str) -> Response:
    match = re.fullmatch(r"([1-9][0-9]{0,4})\.(avif|webp|jpg)", name)
    if match is None:
        raise NotFound("We couldn't find that picture.")
    content, mime_type = read_file(media_id, int(match[1]), match[2])
    response = make_response(content)
    response.headers["Content-Type"] = mime_type
    # A picture never changes under its address.
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


@bp.get("/staff/<site>/media")
@needs(SETTINGS)
def library(site: str) -> Response:
    return _library(PictureForm(formdata=None))


@bp.post("/staff/<site>/media")
@needs(SETTINGS)
def upload(site: str) -> Any:
    form, sent = PictureForm(), request.files.get("picture")
    try:
        media_id = add_media(
            current_desk().venue.organisation_id,
            file_name=(sent.filename or "") if sent else "",
            content=sent.read(MAX_BYTES + 1) if sent else b"",
            alt=form.alt.data or "",
            key=deed_key(form.key.data or ""),
            now=utcnow(),
        )
    except RuleBroken as broken:
        form.refuse(broken)
        return _library(form, status=_status(broken))
    flash("The picture is here. Choose it on a session type.", "ok")
    return redirect(url_for("media.library", site=site, _anchor=f"p-{media_id}"), code=303)


@bp.get("/staff/<site>/media/<media_id>")
@needs(SETTINGS)
def picture(site: str, media_id: str) -> Response:
    return _one(media_id)


@bp.post("/staff/<site>/media/<media_id>")
@needs(SETTINGS)
def describe(site: str, media_id: str) -> Any:
    form = PictureForm()
    try:
        describe_media(
            current_desk().venue.organisation_id,
            media_id,
            form.alt.data or "",
            seen=form.seen.data or "",
        )
    except NotFound:
        raise
    except RuleBroken as broken:
        form.refuse(broken)
        return _one(media_id, form, status=_status(broken))
    flash("Saved.", "ok")
    return redirect(url_for("media.picture", site=site, media_id=media_id), code=303)


@bp.post("/staff/<site>/media/<media_id>/deletion")
@needs(SETTINGS)
def delete(site: str, media_id: str) -> Any:
    try:
        delete_media(current_desk().venue.organisation_id, media_id, now=utcnow())
    except PictureInUse as broken:
        form = PictureForm(formdata=None)
        form.form_errors.append(broken.sentence)
        return _one(media_id, form, status=409)
    flash("The picture is deleted.", "ok")
    return redirect(url_for("media.library", site=site), code=303)


@bp.get("/staff/<site>/media/<media_id>/deletion")
@needs(SETTINGS)
def back_from_deletion(site: str, media_id: str) -> Any:
    return redirect(url_for("media.picture", site=site, media_id=media_id), code=303)


def _status(broken: RuleBroken) -> int:
    if isinstance(broken, TooLarge):
        return 413
    return 409 if isinstance(broken, KeyReused | EditedMeanwhile) else 422


def _library(form: PictureForm, *, status: int = 200) -> Response:
    desk, number = current_desk(), request.args.get("page", "")
    text = request.args.get("q", "").strip()[:100]
    page = int(number) if re.fullmatch(r"[0-9]{1,5}", number) else 1
    return render(
        "media/library.html",
        desk=desk,
        venue=desk.venue,
        found=list_media(desk.venue.organisation_id, text=text, page=page),
        text=text,
        form=form,
        status=status,
        is_personal=True,
    )


def _one(media_id: str, form: PictureForm | None = None, *, status: int = 200) -> Response:
    desk = current_desk()
    found = find_media(desk.venue.organisation_id, media_id)
    if form is None or form.alt.data is None:
        errors = form.form_errors if form else []
        form = PictureForm(formdata=None, alt=found.media.alt, seen=found.mark)
        form.form_errors += errors
    return render(
        "media/picture.html",
        desk=desk,
        venue=desk.venue,
        found=found,
        form=form,
        is_stale=status == 409 and form.alt.data != found.media.alt,
        status=status,
        is_personal=True,
    )
