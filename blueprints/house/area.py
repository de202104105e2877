from flask import Blueprint

bp = Blueprint("house", __name__, url_prefix="/staff")

RESERVATIONS = "RESERVATIONS_MANAGE"
SETTINGS = "SETTINGS_MANAGE"
