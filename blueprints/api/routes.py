"""The document itself, for programs and for people."""

from flask import Response, current_app, json

from blueprints.api.area import bp
from blueprints.api.document import build_document
from blueprints.api.reference import build_reference, errors_shape
from blueprints.rendering import render
from blueprints.security import PUBLIC, needs
from domain.webhooks import KINDS


@bp.get("/openapi.json")
@needs(PUBLIC)
def document() -> Response:
    return Response(json.dumps(build_document(), indent=2), mimetype="application/json")


@bp.get("/docs")
@needs(PUBLIC)
def docs() -> Response:
    return render(
        "api/docs.html",
        chapters=build_reference(),
        errors=errors_shape(),
        version=build_document()["info"]["version"],
        events=KINDS,
        limit=current_app.config["API_LIMIT"],
    )
