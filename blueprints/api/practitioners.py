"""Who leads sessions: where they work and what they lead."""

from collections.abc import Iterable
from typing import Any

from blueprints.api.kinds import (
    Answer,
    FlagInAddress,
    Many,
    Moment,
    ObjectId,
    One,
    Shape,
    SiteInAddress,
    Text,
    Uuid,
    absent,
)
from blueprints.api.operations import Call, operation
from blueprints.api.paging import Paged, say_page
from domain.errors import RuleBroken
from domain.roles import SETTINGS
from domain.venue_rules import find_problems
from models import Practitioner as PractitionerRow
from services.practitioners import (
    PERSON_RULES,
    add_practitioner,
    archive_practitioner,
    find_practitioner,
    list_links,
    page_practitioners,
    restore_practitioner,
    save_practitioner,
)
from services.whereabouts import find_house, find_practitioner_sites, list_site_ids

TAG = "Practitioners"
NAMES = {"sites": "site_ids", "types": "session_type_ids"}
OURS = {name: ours for ours, name in NAMES.items()}


class Practitioner(Answer):
    """Somebody who leads sessions, at one site or several."""

    id: ObjectId
    name: str
    title: str
    """What they are, as in "Yoga teacher"; empty when nothing is said."""
    email: str
    """Where notices for them go; empty for nowhere."""
    bio: str
    """Some lines about them for customers."""
    site_ids: list[Uuid]
    """Sites where they work, of those that the token may see."""
    session_type_ids: list[ObjectId]
    """Types that they lead, at the sites that the token may see."""
    deleted_at: Moment | None
    """Since when they are archived; null while they may lead sessions."""


class PractitionerFields(Shape):
    """What of somebody can be written."""

    name: Text = absent()
    title: Text = absent()
    email: Text = absent()
    bio: Text = absent()
    site_ids: list[Uuid] = absent()
    """Sites where they work. Those that the token has no right at stay, named or not."""
    session_type_ids: list[ObjectId] = absent()
    """Types that they lead. Those of sites that the token has no right at stay, named or not."""


class PractitionerCreate(PractitionerFields):
    """Somebody new: at least a name and a site."""

    name: Text
    site_ids: list[Uuid]
    """Sites where they work, at least one."""


class PractitionerUpdate(PractitionerFields):
    """Changes about somebody; what is absent stays."""


class PractitionerItem(One[Practitioner]):
    """Somebody who leads sessions."""


class PractitionerList(Many[Practitioner]):
    """A page of people who lead sessions."""


class PractitionerQuery(Paged):
    """Who is wanted."""

    site_id: SiteInAddress | None = None
    """Only who works at this site; otherwise at any that the token may see."""
    archived: FlagInAddress = False
    """True lists archived people instead of those who may lead sessions."""


def _show(call: Call, rows: Iterable[PractitionerRow]) -> dict[str, Practitioner]:
    """By id each as the API says it, in as many statements for many as for one."""
    people = list(rows)
    seen = [one for one in list_site_ids(call.organisation_id) if call.bearer.has_access(one)]
    links = list_links(call.organisation_id, [row.id for row in people], seen)
    return {
        row.id: Practitioner(
            id=row.id,
            name=row.name,
            title=row.title,
            email=row.email,
            bio=row.bio,
            site_ids=links[row.id][0],
            session_type_ids=links[row.id][1],
            deleted_at=row.deleted_at,
        )
        for row in people
    }


def _item(call: Call, practitioner_id: str) -> PractitionerItem:
    row = find_practitioner(*call.here, practitioner_id)
    return PractitionerItem(data=_show(call, [row])[row.id])


def _values(call: Call) -> dict[str, Any]:
    """The fields that were sent, as the page has them (R3)."""
    return {OURS.get(name, name): value for name, value in call.given.items()}


def _problems(call: Call) -> Iterable[RuleBroken]:
    return find_problems(PERSON_RULES, _values(call))


@operation(
    "listPractitioners",
    "GET",
    "/practitioners",
    tag=TAG,
    summary="List practitioners",
    description="By name.",
    query=PractitionerQuery,
    gives=PractitionerList,
    codes=(400, 401),
    rules=("R1", "R2", "R21"),
    is_addition=True,
)
def list_practitioners(call: Call) -> PractitionerList:
    wanted = call.query
    found = page_practitioners(
        call.organisation_id,
        call.sites(wanted.site_id),
        is_archived=wanted.archived,
        cut=wanted.cut,
    )
    shown = _show(call, found.rows)
    return say_page(found, PractitionerList, lambda row: shown[row.id])


@operation(
    "createPractitioner",
    "POST",
    "/practitioners",
    tag=TAG,
    summary="Add a practitioner",
    description="The right is needed at each of the sites that are named.",
    right=SETTINGS,
    of=find_house,
    body=PractitionerCreate,
    gives=PractitionerItem,
    status=201,
    codes=(400, 401, 403, 422),
    rules=("R22",),
    is_addition=True,
    also=_problems,
    names=NAMES,
)
def create_practitioner(call: Call) -> PractitionerItem:
    may_set = call.sites_with(SETTINGS)
    person_id = add_practitioner(call.organisation_id, _values(call), may_set=may_set, now=call.now)
    row = find_practitioner(call.organisation_id, call.given["site_ids"][0], person_id)
    return PractitionerItem(data=_show(call, [row])[row.id])


@operation(
    "getPractitioner",
    "GET",
    "/practitioners/<practitioner_id>",
    tag=TAG,
    summary="Fetch one practitioner",
    description="Archived ones, too.",
    of=find_practitioner_sites,
    gives=PractitionerItem,
    codes=(401, 403, 404),
    rules=("R1", "R2"),
    is_addition=True,
    current=_item,
)
def get_practitioner(call: Call, practitioner_id: str) -> PractitionerItem:
    return _item(call, practitioner_id)


@operation(
    "updatePractitioner",
    "PUT",
    "/practitioners/<practitioner_id>",
    tag=TAG,
    summary="Change a practitioner",
    description="Every field is optional; a field that is not sent keeps its value. 422 when a "
    "site is left out where they lead coming sessions.",
    right=SETTINGS,
    of=find_practitioner_sites,
    body=PractitionerUpdate,
    gives=PractitionerItem,
    codes=(400, 401, 403, 404, 422),
    rules=("R3", "R6", "R22"),
    is_addition=True,
    current=_item,
    also=_problems,
    names=NAMES,
)
def update_practitioner(call: Call, practitioner_id: str) -> PractitionerItem:
    save_practitioner(
        *call.here,
        practitioner_id,
        _values(call),
        may_set=call.sites_with(SETTINGS),
        seen=None,
        now=call.now,
    )
    # They may have left the site that they were found at.
    site_id = find_practitioner_sites(call.organisation_id, practitioner_id)[0]
    row = find_practitioner(call.organisation_id, site_id, practitioner_id)
    return PractitionerItem(data=_show(call, [row])[row.id])


@operation(
    "archivePractitioner",
    "DELETE",
    "/practitioners/<practitioner_id>",
    tag=TAG,
    summary="Archive a practitioner",
    description="They lead nothing more; somebody archived stays archived. 409 while they lead "
    "coming sessions or live series, at whatever site.",
    right=SETTINGS,
    of=find_practitioner_sites,
    codes=(401, 403, 404, 409),
    rules=("R6", "R11"),
    is_addition=True,
    current=_item,
)
def archive_one_practitioner(call: Call, practitioner_id: str) -> None:
    archive_practitioner(*call.here, practitioner_id, now=call.now)


@operation(
    "restorePractitioner",
    "POST",
    "/practitioners/<practitioner_id>/restore",
    tag=TAG,
    summary="Bring an archived practitioner back",
    description="Somebody who may lead sessions stays as they are.",
    right=SETTINGS,
    of=find_practitioner_sites,
    gives=PractitionerItem,
    codes=(401, 403, 404),
    rules=("R11",),
    is_addition=True,
)
def restore_one_practitioner(call: Call, practitioner_id: str) -> PractitionerItem:
    restore_practitioner(*call.here, practitioner_id)
    return _item(call, practitioner_id)
