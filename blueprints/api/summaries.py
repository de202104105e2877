"""Small objects that several things embed (2.6)."""

from typing import Any

from blueprints.api.kinds import Answer, ObjectId, Uuid, Whole
from blueprints.links import make_absolute
from blueprints.rendering import picture_url, static_url
from domain.pictures import widths_of


class CategorySummary(Answer):
    """A category of the shopfront."""

    id: ObjectId
    name: str


class PractitionerSummary(Answer):
    """Who leads it."""

    id: ObjectId
    name: str


class RoomSummary(Answer):
    """Where it takes place."""

    id: ObjectId
    name: str


class Media(Answer):
    """An uploaded picture."""

    id: Uuid
    file_name: str
    mime_type: str
    original_url: str
    size: Whole
    """Bytes."""
    url: str


def show_media(row: Any) -> Media | None:
    """A picture as the API says it; None for none, and for one that is deleted."""
    if row is None or row.deleted_at is not None:
        return None
    return Media(
        id=row.id,
        file_name=row.file_name,
        mime_type=row.mime_type,
        original_url=make_absolute(_largest(row)),
        size=row.size,
        url=make_absolute(_usual(row)),
    )


def _usual(row: Any) -> str:
    """The middle size of an upload, in the format that every browser shows; a drawing as it is."""
    if row.original_url:
        return static_url(row.original_url)
    return picture_url(row, "jpg") if row.width else ""


def _largest(row: Any) -> str:
    if row.original_url or not row.width:
        return _usual(row)
    return picture_url(row, "jpg", widths_of(row.width)[-1])
