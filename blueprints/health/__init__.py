"""For whoever watches over the installation."""

from flask import Blueprint
from sqlalchemy.exc import SQLAlchemyError

from blueprints.security import PUBLIC, needs
from models.walls import is_database_ready

bp = Blueprint("health", __name__)


@bp.get("/healthz")
@needs(PUBLIC)
def alive():
    return {"status": "alive"}


@bp.get("/readyz")
@needs(PUBLIC)
def ready():
    try:
        is_database_ready()
    except SQLAlchemyError:
        return {"status": "waiting"}, 503
    return {"status": "ready"}
