"""Session types: what sessions are occurrences of (2.1, R4, R11, R14, R15, R22)."""

from collections.abc import Iterable, Mapping
from typing import Any

from blueprints.api.kinds import FlagInAddress, Shape, SiteInAddress, TextInAddress
from blueprints.api.operations import Call, asked_site, operation
from blueprints.api.paging import Paged, say_page
from blueprints.api.price_rules import show_rule
from blueprints.api.recurrence_groups import show_group
from blueprints.api.session_type_shapes import (
    MembershipBookingWindow,
    OfferingRef,
    SeoMeta,
    SessionType,
    SessionTypeCopy,
    SessionTypeCreate,
    SessionTypeItem,
    SessionTypeList,
    SessionTypeUpdate,
)
from blueprints.api.summaries import CategorySummary, show_media
from domain.api import Forbidden
from domain.errors import RuleBroken
from domain.roles import SETTINGS
from domain.session_types import OFFERINGS, SESSION, WINDOWS
from services.type_archiving import restore_type
from services.type_rows import (
    TypeFilter,
    TypeRow,
    add_copy,
    add_type,
    archive_live_type,
    change_type,
    find_type_row,
    list_type_rows,
    list_wrong_fields,
)
from services.whereabouts import find_type_site, list_site_ids

TAG = "Session types"
NAMES = {"meta_title": "meta.title", "meta_description": "meta.description"}

LONGEST_QUERY = 200
"""What is asked of a name at the most: no database compares with whole books."""

_PLAIN = (
    "name", "description", "summary", "slug", "product_code", "external_id", "currency",
    "hidden_on_schedule", "image_id", "offered_online", "visibility", "duration",
    "max_baskets_per_session", "max_advance_bookings_interval", "min_advance_bookings_interval",
    "customers_only", "members_only", "max_bookings_per_member", "permitted_membership_type_ids",
    "membership_booking_windows_enabled", "customer_cancellation_permitted",
    "customer_cancellation_min_duration", "waitlist_enabled", "min_guests", "max_guests",
    "max_per_basket", "max_per_guest", "category_ids", "revenue_centre",
    "include_pricing_on_calendar",
)  # fmt: skip


class TypeQuery(Paged):
    """Which types are wanted."""

    query: TextInAddress = ""
    """Text to find in the type's name."""
    include_recurrence_groups: FlagInAddress = True
    """Embed each type's recurrence groups. On unless switched off."""
    site_id: SiteInAddress | None = None
    """Only this site. Without it, every site the token has access to."""
    archived: FlagInAddress = False
    """True gives archived ones along with live ones; otherwise only live ones."""


class NewTypeQuery(Shape):
    """Where a new type goes."""

    site_id: SiteInAddress | None = None
    """Site to create the type at. Defaults to the only site that the token has."""


class CopyQuery(Shape):
    """What is copied with a type."""

    include_price_rules: FlagInAddress = False
    """Copy the price rules too, in the same order."""
    include_recurrence_groups: FlagInAddress = False
    """Copy the recurrence groups too; they produce their own sessions."""


def show_type(row: TypeRow) -> SessionType:
    """A session type as the API says it."""
    kind, values = row.kind, row.values
    embedded: dict[str, Any] = {
        name: [_show_offering(one, row.names) for one in values[name]] for name in OFFERINGS
    }
    if row.series is not None:
        embedded["recurrence_groups"] = [show_group(line) for line in row.series]
    return SessionType(
        id=kind.id,
        organisation_id=kind.organisation_id,
        site_id=kind.site_id,
        image=show_media(kind.image),
        private=kind.visibility != "public",
        price_rules=[show_rule(placed) for placed in row.rules],
        categories=[CategorySummary(id=one.id, name=one.name) for one in kind.categories],
        meta=SeoMeta(title=kind.meta_title or None, description=kind.meta_description or None),
        updated_at=kind.updated_at,
        deleted_at=kind.deleted_at,
        membership_booking_windows=[MembershipBookingWindow(**one) for one in values[WINDOWS]],
        **{name: values[name] for name in _PLAIN},
        **embedded,
    )


def _show_offering(one: Mapping[str, Any], names: Mapping[str, str]) -> OfferingRef:
    offering_id = str(one["offering_id"])
    known = names.get(offering_id) if one["offering_type"] == SESSION else one.get("offering_name")
    return OfferingRef(
        offering_type=one["offering_type"],
        offering_id=offering_id,
        offering_name=known or "",
        display_name=one.get("display_name"),
        offering_config=one.get("offering_config"),
    )


def _item(call: Call, session_type_id: str) -> SessionTypeItem:
    return SessionTypeItem(data=show_type(find_type_row(*call.here, session_type_id)))


def _values(call: Call) -> dict[str, Any]:
    """The fields that were sent, as the domain has them (R3)."""
    values = dict(call.given)
    if "meta" in values:
        meta = values.pop("meta")
        values |= {f"meta_{name}": getattr(meta, name) for name in meta.model_fields_set}
    for name in (*OFFERINGS, WINDOWS):
        if name in values:
            values[name] = [one.model_dump() for one in values[name]]
    return values


def _problems_of_new(call: Call) -> Iterable[RuleBroken]:
    return list_wrong_fields(*call.here, _values(call)) if call.site_id else ()


def _problems(call: Call) -> Iterable[RuleBroken]:
    return list_wrong_fields(*call.here, _values(call), type_id=call.ids["session_type_id"])


@operation(
    "listSessionTypes",
    "GET",
    "/session-types",
    tag=TAG,
    summary="List session types",
    description="By name. 403 for a site of the organisation that the token has no access to.",
    query=TypeQuery,
    gives=SessionTypeList,
    codes=(400, 401, 403),
    rules=("R1", "R2", "R21"),
)
def list_session_types(call: Call) -> SessionTypeList:
    asked = call.query
    site_ids = call.sites(asked.site_id)
    if asked.site_id in list_site_ids(call.organisation_id) and not site_ids:
        raise Forbidden
    wanted = TypeFilter(
        site_ids=site_ids,
        text=asked.query[:LONGEST_QUERY],
        with_archived=asked.archived,
        with_series=asked.include_recurrence_groups,
    )
    found = list_type_rows(call.organisation_id, wanted, asked.cut)
    return say_page(found, SessionTypeList, show_type)


@operation(
    "createSessionType",
    "POST",
    "/session-types",
    tag=TAG,
    summary="Create a session type",
    description="At the site that is named, or at the only one that the token has. It has no "
    "dates until a recurrence group is attached.",
    right=SETTINGS,
    goes_to=asked_site,
    query=NewTypeQuery,
    body=SessionTypeCreate,
    gives=SessionTypeItem,
    status=201,
    codes=(400, 401, 403, 422),
    rules=("R4", "R22"),
    also=_problems_of_new,
    names=NAMES,
)
def create_session_type(call: Call) -> SessionTypeItem:
    return _item(call, add_type(*call.here, _values(call), now=call.now))


@operation(
    "getSessionType",
    "GET",
    "/session-types/<session_type_id>",
    tag=TAG,
    summary="Fetch one session type",
    description="An archived one, too.",
    of=find_type_site,
    gives=SessionTypeItem,
    codes=(401, 403, 404),
    rules=("R1", "R2"),
    current=_item,
)
def get_session_type(call: Call, session_type_id: str) -> SessionTypeItem:
    return _item(call, session_type_id)


@operation(
    "updateSessionType",
    "PUT",
    "/session-types/<session_type_id>",
    tag=TAG,
    summary="Change a session type",
    description="Every field is optional; a field that is not sent keeps its value. What was "
    "fetched can be sent back as it is.",
    right=SETTINGS,
    of=find_type_site,
    body=SessionTypeUpdate,
    gives=SessionTypeItem,
    codes=(400, 401, 403, 404, 422),
    rules=("R3", "R4", "R22"),
    current=_item,
    also=_problems,
    names=NAMES,
)
def update_session_type(call: Call, session_type_id: str) -> SessionTypeItem:
    change_type(*call.here, session_type_id, _values(call), now=call.now)
    return _item(call, session_type_id)


@operation(
    "deleteSessionType",
    "DELETE",
    "/session-types/<session_type_id>",
    tag=TAG,
    summary="Archive a session type",
    description="Soft delete, with its recurrence groups. Its coming sessions are offered no "
    "longer; bookings already made stand, and their sessions take place.",
    right=SETTINGS,
    of=find_type_site,
    codes=(401, 403, 404),
    rules=("R11", "R14"),
    current=_item,
)
def archive_session_type(call: Call, session_type_id: str) -> None:
    archive_live_type(*call.here, session_type_id, now=call.now)


@operation(
    "copySessionType",
    "POST",
    "/session-types/<session_type_id>/copy",
    tag=TAG,
    summary="Copy a session type",
    description="Makes a new type from this one. Fields in the body replace the source's. Price "
    "rules and recurrence groups are copied only when asked for.",
    right=SETTINGS,
    of=find_type_site,
    query=CopyQuery,
    body=SessionTypeCopy,
    needs_body=False,
    gives=SessionTypeItem,
    status=201,
    codes=(400, 401, 403, 404, 422),
    rules=("R4", "R15", "R22"),
    also=_problems,
    names=NAMES,
)
def copy_session_type(call: Call, session_type_id: str) -> SessionTypeItem:
    made_id = add_copy(
        *call.here,
        session_type_id,
        _values(call),
        with_rules=call.query.include_price_rules,
        with_series=call.query.include_recurrence_groups,
        now=call.now,
    )
    return _item(call, made_id)


@operation(
    "restoreSessionType",
    "POST",
    "/session-types/<session_type_id>/restore",
    tag=TAG,
    summary="Restore an archived session type",
    description="Undoes the soft delete. Coming sessions are offered again once its recurrence "
    "groups are restored as well.",
    right=SETTINGS,
    of=find_type_site,
    gives=SessionTypeItem,
    codes=(401, 403, 404),
    rules=("R11", "R14"),
    current=_item,
)
def restore_session_type(call: Call, session_type_id: str) -> SessionTypeItem:
    restore_type(*call.here, session_type_id, now=call.now)
    return _item(call, session_type_id)
