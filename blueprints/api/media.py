"""Pictures of an organisation: uploaded, described, deleted when nothing shows them."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema

from blueprints.api.kinds import Answer, Many, Moment, ObjectId, One, Reference, Shape, Text, Uuid
from blueprints.api.kinds import absent as absent_field
from blueprints.api.operations import Call, operation
from blueprints.api.paging import Paged, say_page
from blueprints.rendering import picture_url, static_url
from domain.errors import RuleBroken
from domain.pictures import NotAPicture, TooLarge
from domain.roles import SETTINGS
from domain.venue_rules import find_problems, refuse
from models import Media
from services.media import (
    Use,
    add_media,
    check_alt,
    delete_media,
    describe_media,
    find_media,
    page_media,
    uses_of,
)
from services.pictures import make_picture
from services.whereabouts import find_house

TAG = "Media"
NAMES = {"picture": "file"}
RULES = {"alt": check_alt}

Bytes = Annotated[bytes, WithJsonSchema({"type": "string", "format": "binary"})]


class Picture(Answer):
    """A picture that session types can show, with what the contract says of it as their image."""

    id: Uuid
    file_name: str
    mime_type: str
    """What was uploaded; it is shown as AVIF, WebP or JPEG."""
    size: Annotated[int, Field(ge=0)]
    """Bytes of what was uploaded."""
    original_url: str
    """The path of a drawing of ours; empty for an upload."""
    url: Reference
    """Where browsers fetch it, without a token."""
    alt: str
    """What it shows, in words; empty for decoration."""
    width: int | None
    height: int | None
    session_type_ids: list[ObjectId]
    """The session types that show it; while there are any it can't be deleted."""
    created_at: Moment | None


class PictureUpload(Shape):
    """A form with a file: JPEG, PNG, WebP or AVIF, at most 12 MB and 40 million pixels."""

    file: Bytes
    """The picture."""
    alt: Text = absent_field()
    """What it shows, in words."""
    file_name: SkipJsonSchema[str] = ""


class PictureUpdate(Shape):
    """Changes of a picture; what is absent stays."""

    alt: Text = absent_field()
    """What it shows, in words; empty for decoration."""


class PictureItem(One[Picture]):
    """A picture."""


class PictureList(Many[Picture]):
    """A page of pictures."""


class PictureQuery(Paged):
    """Which pictures are wanted."""

    query: Text = ""
    """Words that what it shows, or the name of its file, has."""


def _show(row: Media, uses: Iterable[Use]) -> Picture:
    is_ours = bool(row.original_url) or row.width is None
    return Picture(
        id=row.id,
        file_name=row.file_name,
        mime_type=row.mime_type,
        size=row.size,
        original_url=row.original_url,
        url=static_url(row.original_url) if is_ours else picture_url(row, "jpg"),
        alt=row.alt,
        width=row.width,
        height=row.height,
        session_type_ids=[use.type_id for use in uses],
        created_at=row.created_at,
    )


def _item(call: Call, media_id: str) -> PictureItem:
    found = find_media(call.organisation_id, media_id)
    return PictureItem(data=_show(found.media, found.uses))


def _problems(call: Call) -> Iterable[RuleBroken]:
    return find_problems(RULES, {"alt": call.given.get("alt", "")})


def _make(call: Call) -> Call:
    """The picture is made before the transaction: it takes a second or two."""
    problems = list(_problems(call))
    try:
        made = make_picture(call.body.file)
    except TooLarge:
        raise
    except NotAPicture as broken:
        refuse([broken, *problems])
        raise
    refuse(problems)
    given: dict[str, Any] = {**call.given, "made": made}
    return replace(call, given=given)


@operation(
    "listMedia",
    "GET",
    "/media",
    tag=TAG,
    summary="List pictures",
    description="The newest first. The right at any site is enough: pictures are the "
    "organisation's.",
    right=SETTINGS,
    of=find_house,
    query=PictureQuery,
    gives=PictureList,
    codes=(400, 401, 403),
    rules=("R1", "R21"),
    is_addition=True,
)
def list_pictures(call: Call) -> PictureList:
    found = page_media(call.organisation_id, text=call.query.query[:100], cut=call.query.cut)
    uses = uses_of(call.organisation_id, [row.id for row in found.rows])
    return say_page(found, PictureList, lambda row: _show(row, uses[row.id]))


@operation(
    "uploadMedia",
    "POST",
    "/media",
    tag=TAG,
    summary="Upload a picture",
    description="As a form (multipart/form-data). It is made anew in the sizes that browsers "
    "choose from; nothing of the old file is kept.",
    right=SETTINGS,
    of=find_house,
    body=PictureUpload,
    gives=PictureItem,
    status=201,
    codes=(400, 401, 403, 413, 422),
    is_addition=True,
    also=_problems,
    names=NAMES,
    file="file",
    before=_make,
)
def upload_picture(call: Call) -> PictureItem:
    media_id = add_media(
        call.organisation_id,
        file_name=call.body.file_name,
        content=call.body.file,
        alt=call.body.alt or "",
        made=call.given["made"],
        now=call.now,
    )
    return _item(call, media_id)


@operation(
    "getMedia",
    "GET",
    "/media/<media_id>",
    tag=TAG,
    summary="Fetch one picture",
    right=SETTINGS,
    of=find_house,
    gives=PictureItem,
    codes=(401, 403, 404),
    rules=("R1",),
    is_addition=True,
    current=_item,
)
def get_picture(call: Call, media_id: str) -> PictureItem:
    return _item(call, media_id)


@operation(
    "updateMedia",
    "PUT",
    "/media/<media_id>",
    tag=TAG,
    summary="Say what a picture shows",
    right=SETTINGS,
    of=find_house,
    body=PictureUpdate,
    gives=PictureItem,
    codes=(400, 401, 403, 404, 422),
    rules=("R3",),
    is_addition=True,
    current=_item,
)
def update_picture(call: Call, media_id: str) -> PictureItem:
    if call.given:
        describe_media(call.organisation_id, media_id, call.body.alt, seen=None)
    return _item(call, media_id)


@operation(
    "deleteMedia",
    "DELETE",
    "/media/<media_id>",
    tag=TAG,
    summary="Delete a picture",
    description="With its files. 409 while a session type shows it.",
    right=SETTINGS,
    of=find_house,
    codes=(401, 403, 404, 409),
    rules=("R11",),
    is_addition=True,
    current=_item,
)
def delete_picture(call: Call, media_id: str) -> None:
    delete_media(call.organisation_id, media_id, now=call.now)
