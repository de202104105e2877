import datetime as dt
from typing import Any

from flask import Blueprint, Response

from blueprints.rendering import render
from blueprints.security import current_desk
from domain.clashes import Clash
from domain.words import count, say_moment, say_time
from services.schedule import Choices, list_choices

bp = Blueprint("sessions", __name__, url_prefix="/staff")

RESERVATIONS = "RESERVATIONS_MANAGE"


def here() -> tuple[str, str]:
    """The organisation and the site of this desk."""
    venue = current_desk().venue
    return venue.organisation_id, venue.id


def page(template: str, *, status: int = 200, **context: Any) -> Response:
    """A page of this area, with what its forms choose from."""
    desk = current_desk()
    choices = list_choices(*here())
    return render(
        template,
        desk=desk,
        venue=desk.venue,
        choices=choices,
        pairs=pairs,
        room_pairs=lambda current: [
            (room.id, f"{room.name}, {count(room.cap, 'place')}")
            for room in choices.rooms
            if room.is_live or room.id == current
        ],
        say_clash=lambda clash: say_clash(clash, choices),
        status=status,
        is_personal=True,
        **context,
    )


def pairs(rows: Any, current: str | None = None) -> list[tuple[str, str]]:
    """Values and texts of a select: what is in use, and what stands there now."""
    return [
        (row.id, row.name) for row in rows if getattr(row, "is_live", True) or row.id == current
    ]


def say_clash(clash: Clash, choices: Choices) -> str:
    """What is in the way, in a sentence."""
    wanted, other = clash.wanted, clash.other
    if other is None:
        who = _name(choices.practitioners, wanted.practitioner_id) or "The host"
        return f"{who} is away then{f': {clash.reason}' if clash.reason else ''}."
    times = say_time(other.local_start)
    if other.local_start.date() != wanted.local_start.date():
        times = say_moment(other.local_start)
    if clash.kind == "practitioner":
        who = _name(choices.practitioners, wanted.practitioner_id) or "The host"
        return f"{who} leads {other.name} at {times}."
    where = _name(choices.rooms, wanted.room_id) or "The room"
    touches = other.end <= wanted.start or wanted.end <= other.start
    why = " It needs its time to be turned round." if touches else ""
    return f"{where} has {other.name} at {times}.{why}"


def _name(rows: Any, wanted: str | None) -> str:
    return next((row.name for row in rows if row.id == wanted), "")


def read_moment(day: str, time: str) -> dt.datetime | None:
    """Wall time of a day and a time as browsers send them; None when it is neither."""
    try:
        moment = dt.datetime.combine(dt.date.fromisoformat(day), dt.time.fromisoformat(time))
    except ValueError:
        return None
    fits = moment.tzinfo is None and 2000 <= moment.year < 2100
    return moment.replace(second=0, microsecond=0) if fits else None
