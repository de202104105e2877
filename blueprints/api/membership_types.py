"""Membership types: what price rules, booking windows and members' types name."""

from blueprints.api.kinds import Answer, FlagInAddress, Many, Moment, Uuid
from blueprints.api.operations import Call, operation
from blueprints.api.paging import Paged, say_page
from models import MembershipType as MembershipTypeRow
from services.memberships import page_types
from services.whereabouts import find_house

TAG = "Membership types"


class MembershipType(Answer):
    """A kind of membership that an organisation gives, at all its sites."""

    id: Uuid
    name: str
    deleted_at: Moment | None
    """Since when it is not given any more; it counts on for those who hold it."""


class MembershipTypeList(Many[MembershipType]):
    """A page of membership types."""


class MembershipTypeQuery(Paged):
    """Which membership types are wanted."""

    archived: FlagInAddress = False
    """True lists those that are not given any more."""


def _show(row: MembershipTypeRow) -> MembershipType:
    return MembershipType(id=row.id, name=row.name, deleted_at=row.deleted_at)


@operation(
    "listMembershipTypes",
    "GET",
    "/membership-types",
    tag=TAG,
    summary="List membership types",
    description="By name.",
    of=find_house,
    query=MembershipTypeQuery,
    gives=MembershipTypeList,
    codes=(400, 401),
    rules=("R1", "R21"),
    is_addition=True,
)
def list_membership_types(call: Call) -> MembershipTypeList:
    wanted = call.query
    found = page_types(call.organisation_id, is_archived=wanted.archived, cut=wanted.cut)
    return say_page(found, MembershipTypeList, _show)
