from typing import Any

from flask import Response, flash, request

from blueprints.clock import utcnow
from blueprints.security import current_desk, needs
from blueprints.setup.area import SETTINGS, bp, go, page_number, show_page, step_asked
from blueprints.setup.editing import Editing, sent, shown
from blueprints.setup.forms import RoomForm
from blueprints.visits import deed_key
from domain.errors import NotFound, RuleBroken, WrongState
from services.rooms import (
    ORDERS,
    ROOM_FIELDS,
    add_room,
    archive_room,
    find_room,
    find_room_use,
    list_over_cap,
    list_rooms,
    list_zones,
    restore_room,
    room_values,
    save_room,
    step_room,
)

NEW = {"name": "", "zone_id": "", "cap": 10, "turnaround": 0, "colour": 1}


@bp.get("/<site>/rooms")
@needs(SETTINGS)
def rooms(site: str) -> Response:
    venue, asked = current_desk().venue, request.args
    order = asked.get("order", "")
    choice: dict[str, Any] = {
        "search": asked.get("q", "")[:100].strip(),
        "zone_id": asked.get("zone", "")[:40],
        "is_archived": asked.get("state") == "archived",
        "order": order if order in ORDERS else "position",
    }
    return show_page(
        "setup/rooms.html",
        found=list_rooms(
            venue.organisation_id, venue.id, **choice, page=page_number(), now=utcnow()
        ),
        zones=list_zones(venue.organisation_id, venue.id),
        **choice,
    )


@bp.get("/<site>/rooms/new")
@needs(SETTINGS)
def new_room(site: str) -> Response:
    return _page(shown(RoomForm, NEW))


@bp.post("/<site>/rooms")
@needs(SETTINGS)
def make_room(site: str) -> Any:
    venue, editing = current_desk().venue, sent(RoomForm, NEW)
    if editing.status != 200:
        return _page(editing)
    try:
        key = deed_key(editing.form.key.data or "")
        add_room(venue.organisation_id, venue.id, _wanted(editing), key=key, now=utcnow())
    except RuleBroken as broken:
        return _page(editing.refused(broken))
    flash(f"{editing.form['name'].data} is set up.", "ok")
    return go("setup.rooms")


@bp.get("/<site>/rooms/<room_id>")
@needs(SETTINGS)
def room(site: str, room_id: str) -> Response:
    venue = current_desk().venue
    kept = room_values(find_room(venue.organisation_id, venue.id, room_id))
    return _page(shown(RoomForm, kept), room_id)


@bp.post("/<site>/rooms/<room_id>")
@needs(SETTINGS)
def change_room(site: str, room_id: str) -> Any:
    venue = current_desk().venue
    row = find_room(venue.organisation_id, venue.id, room_id)
    editing = sent(RoomForm, room_values(row))
    if editing.status != 200:
        return _page(editing, room_id)
    try:
        wanted = _wanted(editing)
        save_room(venue.organisation_id, venue.id, room_id, wanted, seen=editing.seen)
    except NotFound:
        raise
    except RuleBroken as broken:
        return _page(editing.refused(broken), room_id)
    flash("Saved.", "ok")
    _, over = list_over_cap(venue.organisation_id, row, now=utcnow())
    # Coming sessions keep their places: who lowered the cap sees which are above it.
    return go("setup.room", room_id=room_id) if over else go("setup.rooms")


@bp.get("/<site>/rooms/<room_id>/archive")
@needs(SETTINGS)
def ask_archive_room(site: str, room_id: str) -> Response:
    return _ask(room_id)


@bp.post("/<site>/rooms/<room_id>/archive")
@needs(SETTINGS)
def archive(site: str, room_id: str) -> Any:
    venue = current_desk().venue
    try:
        archive_room(venue.organisation_id, venue.id, room_id, now=utcnow())
    except WrongState:
        return _ask(room_id, status=409)
    flash("The room is archived. You can bring it back from the archived rooms.", "ok")
    return go("setup.rooms")


@bp.post("/<site>/rooms/<room_id>/restoration")
@needs(SETTINGS)
def restore(site: str, room_id: str) -> Any:
    venue = current_desk().venue
    restore_room(venue.organisation_id, venue.id, room_id)
    flash("The room can be used again.", "ok")
    return go("setup.room", room_id=room_id)


@bp.post("/<site>/rooms/<room_id>/step")
@needs(SETTINGS)
def step(site: str, room_id: str) -> Any:
    venue = current_desk().venue
    step_room(venue.organisation_id, venue.id, room_id, step_asked())
    return go("setup.rooms", _anchor=f"room-{room_id}")


@bp.get("/<site>/rooms/<room_id>/restoration")
@bp.get("/<site>/rooms/<room_id>/step")
@needs(SETTINGS)
def back_to_room(site: str, room_id: str) -> Any:
    """Where the address line leads after a press there."""
    return go("setup.room", room_id=room_id)


def _wanted(editing: Editing) -> dict[str, Any]:
    return {name: editing.form[name].data or "" for name in ROOM_FIELDS}


def _page(editing: Editing, room_id: str = "") -> Response:
    venue = current_desk().venue
    row = find_room(venue.organisation_id, venue.id, room_id) if room_id else None
    over, more = (
        list_over_cap(venue.organisation_id, row, now=utcnow()) if row is not None else ([], 0)
    )
    return show_page(
        "setup/room.html",
        room=row,
        editing=editing,
        zones=list_zones(venue.organisation_id, venue.id),
        over=over,
        over_total=more,
        status=editing.status,
    )


def _ask(room_id: str, *, status: int = 200) -> Response:
    venue = current_desk().venue
    return show_page(
        "setup/archive_room.html",
        room=find_room(venue.organisation_id, venue.id, room_id),
        use=find_room_use(venue.organisation_id, venue.id, room_id, now=utcnow()),
        is_refused=status == 409,
        status=status,
    )
