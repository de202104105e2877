from typing import Any

from flask import flash

from blueprints.clock import utcnow
from blueprints.proving import proved_anew
from blueprints.security import needs
from blueprints.staff.area import MANAGE, bp, go, here
from blueprints.staff.people import show_person
from domain.errors import NotFound, RuleBroken
from services.staff import find_person, sign_out_person


@bp.post("/<site>/staff/<staff_id>/browsers/end")
@needs(MANAGE)
@proved_anew
def end_browsers(site: str, staff_id: str) -> Any:
    """All of them: a lost tablet, or somebody who left today."""
    organisation_id, _, me = here()
    found = find_person(organisation_id, staff_id)
    try:
        sign_out_person(organisation_id, staff_id, by=me, now=utcnow())
    except NotFound:
        raise
    except RuleBroken as broken:
        return show_person(found, broken)
    flash(f"{found.name} is signed out everywhere.", "ok")
    return go("staff.person", staff_id=staff_id)


@bp.get("/<site>/staff/<staff_id>/browsers/end")
@needs(MANAGE)
def back_to_person(site: str, staff_id: str) -> Any:
    """Where the address line leads after the button was pressed there."""
    found = find_person(here()[0], staff_id)
    return go("staff.person", staff_id=found.id)
