"""The document itself, for programs and for people."""

from flask import Response, json

from blueprints.api.area import bp
from blueprints.api.document import build_document
from blueprints.security import PUBLIC, needs


@bp.get("/openapi.json")
@needs(PUBLIC)
def document() -> Response:
    return Response(json.dumps(build_document(), indent=2), mimetype="application/json")
