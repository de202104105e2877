from dataclasses import asdict
from typing import Any

from flask import Response, flash, redirect, request, url_for
from werkzeug.datastructures import MultiDict

from blueprints.house.area import SETTINGS, bp
from blueprints.house.forms import NoticesForm
from blueprints.rendering import render
from blueprints.security import current_desk, needs
from services.notices import Notices, NoticesChanged, find_notices, save_notices


@bp.get("/<site>/notices")
@needs(SETTINGS)
def notices(site: str) -> Response:
    return _page(None)


@bp.post("/<site>/notices")
@needs(SETTINGS)
def change_notices(site: str) -> Any:
    venue = current_desk().venue
    kept = find_notices(venue.organisation_id, venue.id)
    # What is not sent stays as it is (D4).
    absent = {name: text for name, text in _texts(kept).items() if name not in request.form}
    form = NoticesForm(MultiDict([*request.form.items(multi=True), *absent.items()]))
    if not form.validate():
        return _page(form, status=422)
    wanted = Notices(
        form.cancelled_session_notices.data, form.offer_minutes.data, form.reminder_hours.data
    )
    try:
        save_notices(venue.organisation_id, venue.id, wanted, was=form.was.data or "")
    except NoticesChanged as broken:
        form.refuse(broken)
        return _page(form, status=409)
    flash("Saved.", "ok")
    return redirect(url_for("house.notices", site=site), code=303)


def _texts(kept: Notices) -> dict[str, str]:
    return {name: str(value) for name, value in asdict(kept).items()}


def _page(form: NoticesForm | None, *, status: int = 200) -> Response:
    desk = current_desk()
    kept = find_notices(desk.venue.organisation_id, desk.venue.id)
    return render(
        "house/notices.html",
        desk=desk,
        venue=desk.venue,
        kept=kept,
        form=form or NoticesForm(formdata=None, **asdict(kept)),
        is_stale=status == 409,
        status=status,
        is_personal=True,
    )
