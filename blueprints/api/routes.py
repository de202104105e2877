"""The document itself, for programs and for people."""

from typing import Any

from flask import Response, current_app, json

from blueprints.api.area import bp
from blueprints.api.document import build_document
from blueprints.api.reference import build_reference, chapters_of_things, errors_shape
from blueprints.rendering import render
from blueprints.security import PUBLIC, needs
from domain.errors import NotFound
from domain.webhooks import KINDS


@bp.get("/openapi.json")
@needs(PUBLIC)
def document() -> Response:
    return Response(json.dumps(build_document(), indent=2), mimetype="application/json")


@bp.get("/docs")
@needs(PUBLIC)
def docs() -> Response:
    return _show(
        "api/start.html",
        errors=errors_shape(),
        version=build_document()["info"]["version"],
        events=KINDS,
        limit=current_app.config["API_LIMIT"],
    )


@bp.get("/docs/<chapter>")
@needs(PUBLIC)
def chapter(chapter: str) -> Response:
    found = next((one for one in build_reference() if one.anchor == chapter), None)
    if found is None:
        raise NotFound("There is no such chapter.")
    return _show("api/chapter.html", chapter=found)


def _show(template: str, **context: Any) -> Response:
    places = chapters_of_things()
    return render(template, chapters=build_reference(), places=places, **context)
