"""Pictures of an organisation: uploaded, described, shown, deleted when nothing shows them."""

import datetime as dt
import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

import sqlalchemy as sa

from domain.editing import check_edit, mark_of_values
from domain.errors import NotFound, RuleBroken
from domain.pictures import MIME_TYPES, PictureInUse
from domain.session_types import plain_text
from models import Media, MediaFile, SessionType, Site, db, new_uuid, unbound
from services.idempotency import once, retrying
from services.paging import Cut, PageOf, cut_out
from services.pictures import Made, make_picture
from services.places import raise_revision
from services.venue_settings import lock_sites

PER_PAGE = 24
MAX_ALT = 200

_BY_ADDRESS = unbound("a picture's address can't be guessed, and whoever has it may look")


@dataclass(frozen=True, slots=True)
class Use:
    """Where a picture is shown: a session type of a site."""

    type_id: str
    name: str
    site_slug: str
    is_archived: bool


@dataclass(frozen=True, slots=True)
class Shelved:
    """A picture of the library with where it is used."""

    media: Media
    uses: tuple[Use, ...]

    @property
    def mark(self) -> str:
        """What a page showed of its words (D4)."""
        return mark_of_values({"alt": self.media.alt})


@dataclass(frozen=True, slots=True)
class Library:
    """One page of the library, newest first."""

    pictures: tuple[Shelved, ...]
    found: int
    page: int
    pages: int


def list_media(organisation_id: str, *, text: str = "", page: int = 1) -> Library:
    """The organisation's pictures with where each is used (four queries)."""
    query = _pictures(organisation_id, text)
    found = db.session.scalar(query.with_only_columns(sa.func.count(Media.id))) or 0
    pages = max(1, -(-found // PER_PAGE))
    number = min(max(1, page), pages)
    rows = db.session.scalars(
        query.order_by(Media.created_at.desc().nulls_last(), Media.file_name, Media.id)
        .limit(PER_PAGE)
        .offset((number - 1) * PER_PAGE)
    ).all()
    uses = _uses(organisation_id, [row.id for row in rows])
    shelved = tuple(Shelved(row, tuple(uses[row.id])) for row in rows)
    return Library(shelved, found, number, pages)


def page_media(organisation_id: str, *, text: str = "", cut: Cut) -> PageOf[Media]:
    """A page of the organisation's pictures, newest first (R21)."""
    by = (Media.created_at.desc().nulls_last(), Media.file_name, Media.id)
    return cut_out(_pictures(organisation_id, text), cut, by=by, key=Media.id)


def uses_of(organisation_id: str, media_ids: Sequence[str]) -> dict[str, list[Use]]:
    """By picture where it is shown; in one statement for many (D1)."""
    return _uses(organisation_id, list(media_ids))


def find_media(organisation_id: str, media_id: str) -> Shelved:
    """One picture with where it is used; raises NotFound."""
    row = _load(organisation_id, media_id)
    return Shelved(row, tuple(_uses(organisation_id, [media_id])[media_id]))


def add_media(
    organisation_id: str,
    *,
    file_name: str,
    content: bytes,
    alt: str,
    key: str = "",
    made: Made | None = None,
    now: dt.datetime,
) -> str:
    """Make a picture of an upload and keep it; its id. The same form again makes nothing more.

    It is made before the transaction begins; `made` is what a caller with a transaction of its
    own made of it before. Raises NotAPicture, TooLarge, RuleBroken for the words.
    """
    said = check_alt(alt)
    made = made or make_picture(content)
    body = {"do": "add_media", "alt": said, "digest": hashlib.sha256(content).hexdigest()}

    def deed() -> str:
        row = Media(
            id=new_uuid(),
            organisation_id=organisation_id,
            file_name=_tidy_name(file_name),
            mime_type=made.mime_type,
            size=len(content),
            original_url="",
            alt=said,
            width=made.width,
            height=made.height,
            created_at=now,
        )
        db.session.add(row)
        db.session.flush()
        db.session.add_all(
            MediaFile(
                organisation_id=organisation_id,
                media_id=row.id,
                width=width,
                mime_type=mime_type,
                content=encoded,
            )
            for width, mime_type, encoded in made.files
        )
        return row.id

    return once(organisation_id, key, body, deed, now)


def describe_media(organisation_id: str, media_id: str, alt: str, *, seen: str | None) -> None:
    """Keep what a picture shows, in words; raises RuleBroken, NotFound, EditedMeanwhile (D4)."""
    said = check_alt(alt)

    def deed() -> None:
        # Who decides by what it says now holds the sites (ADR 9): this waits for them.
        lock_sites(organisation_id)
        row = _load(organisation_id, media_id, lock="words")
        check_edit({"alt": row.alt}, {"alt": said}, seen)
        if row.alt == said:
            return
        row.alt = said
        db.session.flush()
        uses = _uses(organisation_id, [media_id])[media_id]
        raise_revision(organisation_id, [use.type_id for use in uses])

    retrying(deed)


def delete_media(organisation_id: str, media_id: str, *, now: dt.datetime) -> None:
    """Delete a picture that nothing shows, with its files; repeating gives NotFound (R11).

    Raises PictureInUse, saying where.
    """

    def deed() -> None:
        row = _load(organisation_id, media_id, lock="row")
        uses = _uses(organisation_id, [media_id])[media_id]
        if uses:
            names = ", ".join(dict.fromkeys(use.name for use in uses))
            raise PictureInUse(f"{names} shows it. Choose another picture there first.")
        row.deleted_at = now
        db.session.execute(
            sa.delete(MediaFile).where(
                MediaFile.organisation_id == organisation_id, MediaFile.media_id == media_id
            )
        )

    retrying(deed)


def read_file(media_id: str, width: int, ending: str) -> tuple[bytes, str]:
    """A picture's file and its type for whoever has its address; NotFound when it is gone."""
    mime_type = MIME_TYPES.get(ending)
    found = db.session.execute(
        sa.select(MediaFile.content, MediaFile.mime_type)
        .join(Media, MediaFile.media_id == Media.id)
        .where(
            Media.id == media_id,
            Media.deleted_at.is_(None),
            MediaFile.width == width,
            MediaFile.mime_type == mime_type,
        ),
        execution_options=_BY_ADDRESS,
    ).first()
    if found is None:
        raise NotFound("We couldn't find that picture.")
    return found[0], found[1]


def _pictures(organisation_id: str, text: str) -> sa.Select[Media]:
    query = sa.select(Media).where(
        Media.organisation_id == organisation_id, Media.deleted_at.is_(None)
    )
    for word in text.split()[:8]:
        query = query.where(
            sa.or_(
                Media.alt.icontains(word, autoescape=True),
                Media.file_name.icontains(word, autoescape=True),
            )
        )
    return query


def _load(organisation_id: str, media_id: str, *, lock: str = "") -> Media:
    query = sa.select(Media).where(
        Media.organisation_id == organisation_id, Media.id == media_id, Media.deleted_at.is_(None)
    )
    if lock:
        # Its words may change while a type takes the picture up; the row may not go away then.
        query = query.with_for_update(key_share=lock == "words")
        query = query.execution_options(populate_existing=True)
    row = db.session.scalar(query)
    if row is None:
        raise NotFound("We couldn't find that picture.")
    return row


def _uses(organisation_id: str, media_ids: list[str]) -> dict[str, list[Use]]:
    rows = db.session.execute(
        sa.select(
            SessionType.image_id,
            SessionType.id,
            SessionType.name,
            Site.slug,
            SessionType.deleted_at.is_not(None),
        )
        .join(Site, SessionType.site_id == Site.id)
        .where(
            SessionType.organisation_id == organisation_id,
            SessionType.image_id.in_(media_ids),
        )
        .order_by(SessionType.name, SessionType.id)
    ).all()
    found: dict[str, list[Use]] = defaultdict(list)
    for media_id, type_id, name, slug, is_archived in rows:
        found[str(media_id)].append(Use(type_id, name, slug, bool(is_archived)))
    return found


def check_alt(alt: str) -> str:
    """What a picture shows, tidied; raises RuleBroken (D5)."""
    try:
        return plain_text(alt, most=MAX_ALT)
    except RuleBroken as broken:
        raise RuleBroken(broken.sentence, code=broken.code, field="alt") from broken


def _tidy_name(name: str) -> str:
    """The last part of what the browser says, readable; nobody opens a file by it."""
    last = PurePath(name.replace("\\", "/")).name
    readable = "".join(letter for letter in last if letter.isprintable() and letter not in "<>")
    return readable.strip()[-120:] or "picture"
