"""Session types as staff set them up: making, saving, copying, archiving and restoring them."""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import joinedload, selectinload

from domain.editing import check_edit, mark_of_values
from domain.errors import NotFound, RuleBroken
from domain.session_types import (
    ACCESS,
    DETAILS,
    NEW_TYPE,
    SESSION,
    WrongFields,
    read_fields,
    slug_of,
    tidy_windows,
)
from models import (
    Category,
    Media,
    MembershipType,
    Session,
    SessionBooking,
    SessionType,
    Site,
    db,
    new_object_id,
)
from services.idempotency import once, retrying
from services.places import lock_site, raise_revision
from services.private_links import new_key

_COLUMNS = tuple(
    name for name in (*DETAILS, *ACCESS) if name not in ("category_ids", "bring", "spec")
)


PICTURES = 60
"""How many pictures are offered to choose from: the newest."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What saving a type did: the fields that changed, and the sessions that got its length."""

    changed: frozenset[str]
    sessions: int = 0


@dataclass(frozen=True, slots=True)
class Choices:
    """What a type of this site may refer to, by name (R22)."""

    categories: tuple[tuple[str, str], ...]
    membership_types: tuple[tuple[str, str], ...]
    revenue_centres: tuple[str, ...]
    other_types: tuple[tuple[str, str], ...]
    pictures: tuple[Media, ...]


def find_type(organisation_id: str, site_id: str, type_id: str) -> SessionType:
    """A type of the site, archived or not, with its picture and categories; raises NotFound."""
    row: SessionType | None = db.session.scalar(
        _of_site(organisation_id, site_id)
        .where(SessionType.id == type_id)
        .options(joinedload(SessionType.image), selectinload(SessionType.categories))
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise NotFound("We couldn't find that session type.")
    return row


def values_of(row: SessionType) -> dict[str, Any]:
    """Every field that staff write, as plain values (2.1)."""
    values = {name: getattr(row, name) for name in _COLUMNS}
    values["category_ids"] = sorted(category.id for category in row.categories)
    values["membership_booking_windows"] = tidy_windows(row.membership_booking_windows)
    values["permitted_membership_type_ids"] = sorted(row.permitted_membership_type_ids)
    values["bring"] = list(row.details.get("bring", []))
    values["spec"] = [list(pair) for pair in row.details.get("spec", [])]
    return values


def mark_of_part(values: Mapping[str, Any], part: Collection[str]) -> str:
    """What a page showed of one part of a type (D4)."""
    return mark_of_values({name: values[name] for name in part})


def list_choices(
    organisation_id: str, site_id: str, *, chosen: Mapping[str, Any], type_id: str = ""
) -> Choices:
    """What can be chosen for a type of this site, with what is `chosen` already, archived or not.

    A type is no offer beside itself.
    """
    offerings = [*chosen["cross_sell_offerings"], *chosen["upsell_offerings"]]
    offered = [str(one.get("offering_id", "")) for one in offerings]
    windows = [window["membership_type_id"] for window in chosen["membership_booking_windows"]]
    permitted = [*chosen["permitted_membership_type_ids"], *windows]
    kinds = db.session.execute(
        sa.select(SessionType.id, SessionType.name)
        .where(
            SessionType.organisation_id == organisation_id,
            SessionType.site_id == site_id,
            SessionType.id != type_id,
            sa.or_(SessionType.deleted_at.is_(None), SessionType.id.in_(offered)),
        )
        .order_by(SessionType.name, SessionType.id)
    ).all()
    return Choices(
        categories=list_categories(organisation_id),
        membership_types=_names(
            organisation_id,
            MembershipType,
            MembershipType.name,
            where=sa.or_(MembershipType.deleted_at.is_(None), MembershipType.id.in_(permitted)),
        ),
        revenue_centres=tuple(_revenue_centres(organisation_id, site_id)),
        other_types=tuple((row[0], row[1]) for row in kinds),
        pictures=tuple(
            db.session.scalars(
                sa.select(Media)
                .where(Media.organisation_id == organisation_id, Media.deleted_at.is_(None))
                .order_by(
                    # The one it has stands first, however old.
                    sa.case((Media.id == chosen["image_id"], 0), else_=1),
                    Media.created_at.desc().nulls_last(),
                    Media.file_name,
                    Media.id,
                )
                .limit(PICTURES)
            )
        ),
    )


def list_categories(organisation_id: str) -> tuple[tuple[str, str], ...]:
    """The organisation's categories by id and name, in shop order."""
    return _names(organisation_id, Category, Category.position, Category.name)


def make_type(
    organisation_id: str, site_id: str, given: Mapping[str, Any], *, key: str, now: dt.datetime
) -> str:
    """Make a type, from its name alone if that is all there is (CONTRACT 9); its id.

    The same `key` again makes nothing more. Raises WrongFields, NotFound for the site.
    """
    body = {"do": "make_type", "site": site_id, "given": dict(given)}
    return once(
        organisation_id, key, body, lambda: _make(organisation_id, site_id, given, now), now
    )


def save_type(
    organisation_id: str,
    site_id: str,
    type_id: str,
    given: Mapping[str, Any],
    *,
    part: Collection[str],
    seen: str | None,
    now: dt.datetime,
) -> Saved:
    """Write the fields `given` and nothing else (R3); names of sessions stay (R31).

    `part` are the fields of the page, `seen` the mark of what it showed of them; None for
    whoever saw nothing and writes over what stands, as a program does. Orders and
    sessions keep what was agreed (M8, R9); another length reaches coming sessions that nobody
    has booked and nobody changed by hand. Raises WrongFields, EditedMeanwhile (D4), NotFound.
    """

    def deed() -> Saved:
        # Behind its site, where a program's If-Match is compared (ADR 23), and no session of an
        # older length is made meanwhile; sessions before types (ADR 9).
        lock_site(organisation_id, site_id, shared="duration" not in given)
        if "duration" in given:
            _lock_followers(organisation_id, type_id, now)
        row = lock_type(organisation_id, site_id, type_id)
        before = values_of(row)
        values = _read(organisation_id, site_id, {k: given[k] for k in part if k in given}, before)
        values = _free_slug(row, values)
        if seen is not None:
            check_edit({name: before[name] for name in part}, values, seen)
        changed = frozenset(name for name in values if values[name] != before[name])
        if not changed:
            return Saved(changed)
        write_values(row, {name: values[name] for name in changed})
        row.updated_at = now
        db.session.flush()
        followed = _follow_length(row, now) if "duration" in changed else 0
        raise_revision(organisation_id, [type_id])
        return Saved(changed, followed)

    return retrying(deed)


def lock_type(organisation_id: str, site_id: str, type_id: str) -> SessionType:
    """A type for a change, in the caller's transaction; raises NotFound."""
    row: SessionType | None = db.session.scalar(
        _of_site(organisation_id, site_id)
        .where(SessionType.id == type_id)
        .with_for_update(key_share=True, of=SessionType)
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise NotFound("We couldn't find that session type.")
    return row


def free_slug(organisation_id: str, site_id: str, wanted: str, *, besides: str = "") -> str:
    """`wanted`, or with the first number that makes it free at the site."""
    taken = set(
        db.session.scalars(
            sa.select(SessionType.slug).where(
                SessionType.organisation_id == organisation_id,
                SessionType.site_id == site_id,
                SessionType.id != besides,
                SessionType.slug.startswith(wanted, autoescape=True),
            )
        )
    )
    if wanted not in taken:
        return wanted
    return next(slug for n in range(2, len(taken) + 3) if (slug := f"{wanted}-{n}") not in taken)


def next_position(organisation_id: str, site_id: str) -> int:
    """The place behind all types of the site."""
    last = db.session.scalar(
        sa.select(sa.func.max(SessionType.position)).where(
            SessionType.organisation_id == organisation_id, SessionType.site_id == site_id
        )
    )
    return 0 if last is None else last + 1


def read_new(
    organisation_id: str, site_id: str, given: Mapping[str, Any], before: Mapping[str, Any]
) -> dict[str, Any]:
    """The tidy values of a type to be made; raises WrongFields (R22)."""
    return _read(organisation_id, site_id, given, before)


def list_wrong_fields(
    organisation_id: str, site_id: str, given: Mapping[str, Any], *, type_id: str = ""
) -> list[RuleBroken]:
    """Everything that is wrong with what is `given` for a type, without writing any of it."""
    before = values_of(find_type(organisation_id, site_id, type_id)) if type_id else {}
    try:
        _read(organisation_id, site_id, given, before)
    except WrongFields as broken:
        return list(broken.problems)
    return []


def write_values(row: SessionType, values: Mapping[str, Any]) -> None:
    """Put tidy values on a type, in the caller's transaction."""
    for name in _COLUMNS:
        if name in values:
            setattr(row, name, values[name])
    texts = {name: values[name] for name in ("bring", "spec") if name in values}
    if texts:
        row.details = {**row.details, **texts}
    if "category_ids" in values:
        row.categories = list(
            db.session.scalars(
                sa.select(Category).where(
                    Category.organisation_id == row.organisation_id,
                    Category.id.in_(values["category_ids"]),
                )
            )
        )


def _of_site(organisation_id: str, site_id: str) -> sa.Select[Any]:
    return sa.select(SessionType).where(
        SessionType.organisation_id == organisation_id, SessionType.site_id == site_id
    )


def _names(
    organisation_id: str, model: Any, *order: Any, where: Any = True
) -> tuple[tuple[str, str], ...]:
    rows = db.session.execute(
        sa.select(model.id, model.name)
        .where(model.organisation_id == organisation_id, where)
        .order_by(*order, model.id)
    ).all()
    return tuple((row[0], row[1]) for row in rows)


def _revenue_centres(organisation_id: str, site_id: str) -> list[str]:
    return list(_site(organisation_id, site_id).revenue_centres)


def _site(organisation_id: str, site_id: str) -> Site:
    site = db.session.scalar(
        sa.select(Site).where(Site.organisation_id == organisation_id, Site.id == site_id)
    )
    if site is None:
        raise NotFound("We couldn't find that venue.")
    return site


def _make(organisation_id: str, site_id: str, given: Mapping[str, Any], now: dt.datetime) -> str:
    site = _site(organisation_id, site_id)
    start = {**NEW_TYPE, "currency": site.currency, "name": "", **given}
    if "private" in given and "visibility" not in given:
        # The older word says where it shows (C2).
        del start["visibility"]
    values = _read(organisation_id, site_id, start, {})
    asked = values.pop("slug", None)
    slug = free_slug(organisation_id, site_id, asked or slug_of(values["name"]))
    if asked and slug != asked:
        raise WrongFields([_taken()])
    row = SessionType(
        id=new_object_id(),
        organisation_id=organisation_id,
        site_id=site_id,
        slug=slug,
        link_key=new_key(),
        position=next_position(organisation_id, site_id),
        details={},
        created_at=now,
        updated_at=now,
    )
    write_values(row, values)
    db.session.add(row)
    db.session.flush()
    return row.id


def _read(
    organisation_id: str, site_id: str, given: Mapping[str, Any], before: Mapping[str, Any]
) -> dict[str, Any]:
    reading = read_fields(given, before)
    problems = list(reading.problems)
    for name, check in _REFERENCES.items():
        if name in reading.values and reading.values[name] != before.get(name):
            try:
                was = before.get(name)
                reading.values[name] = check(organisation_id, site_id, reading.values[name], was)
            except RuleBroken as broken:
                problems.append(RuleBroken(broken.sentence, code=broken.code, field=name))
    if problems:
        raise WrongFields(problems)
    return reading.values


def _check_picture(organisation_id: str, _site_id: str, value: Any, _was: Any) -> Any:
    if value is None:
        return None
    # Locked until the type is saved: whoever deletes it meanwhile waits, and finds it used.
    query = sa.select(Media.id).where(
        Media.organisation_id == organisation_id, Media.id == value, Media.deleted_at.is_(None)
    )
    if db.session.scalar(query.with_for_update(read=True, key_share=True)) is None:
        raise RuleBroken("That picture is no longer here. Choose another.", code="reference")
    return value


def _check_categories(organisation_id: str, _site_id: str, value: Any, _was: Any) -> Any:
    known = _known(organisation_id, Category, value)
    if known != set(value):
        raise RuleBroken("A category is no longer here. Look them over.", code="reference")
    return value


def _drop_foreign(organisation_id: str, _site_id: str, value: Any, was: Any) -> Any:
    """Membership types of another brand are left out without an error (R22)."""
    known = _known(organisation_id, MembershipType, value)
    # An archived one stays where it was: what it allowed is the page's to show.
    live = _live(organisation_id, MembershipType, value) | (set(was or ()) & known)
    return [one for one in value if one in live]


def _drop_foreign_windows(organisation_id: str, _site_id: str, value: Any, was: Any) -> Any:
    ids = [window["membership_type_id"] for window in value]
    kept = [window["membership_type_id"] for window in was or ()]
    known = set(_drop_foreign(organisation_id, _site_id, ids, kept))
    return [window for window in value if window["membership_type_id"] in known]


def _check_revenue_centre(organisation_id: str, site_id: str, value: Any, _was: Any) -> Any:
    if value is not None and value not in _revenue_centres(organisation_id, site_id):
        raise RuleBroken("Choose one of this venue's revenue centres.", code="reference")
    return value


def _check_offerings(organisation_id: str, site_id: str, value: Any, _was: Any) -> Any:
    """Only session types are sold here; goods are sold elsewhere and known by name alone."""
    ids = {one["offering_id"] for one in value if one["offering_type"] == SESSION}
    known = set(
        db.session.scalars(
            _of_site(organisation_id, site_id)
            .where(SessionType.id.in_(ids))
            .with_only_columns(SessionType.id)
        )
    )
    if ids - known:
        raise RuleBroken("One of these isn't sold here any more. Look them over.", code="reference")
    return value


def _check_suggestions(organisation_id: str, site_id: str, value: Any, was: Any) -> Any:
    if any(one["offering_type"] != SESSION for one in value):
        raise RuleBroken("Only sessions can be booked with this.", code="reference")
    return _check_offerings(organisation_id, site_id, value, was)


_REFERENCES = {
    "image_id": _check_picture,
    "category_ids": _check_categories,
    "permitted_membership_type_ids": _drop_foreign,
    "membership_booking_windows": _drop_foreign_windows,
    "revenue_centre": _check_revenue_centre,
    "cross_sell_offerings": _check_suggestions,
    "upsell_offerings": _check_suggestions,
    "related_retail_offerings": _check_offerings,
}


def _known(organisation_id: str, model: Any, ids: Iterable[str], *where: Any) -> set[str]:
    return set(
        db.session.scalars(
            sa.select(model.id).where(
                model.organisation_id == organisation_id, model.id.in_(list(ids)), *where
            )
        )
    )


def _live(organisation_id: str, model: Any, ids: Iterable[str]) -> set[str]:
    return _known(organisation_id, model, ids, model.deleted_at.is_(None))


def _free_slug(row: SessionType, values: dict[str, Any]) -> dict[str, Any]:
    slug = values.get("slug", row.slug)
    is_free = slug == row.slug or slug == free_slug(
        row.organisation_id, row.site_id, slug, besides=row.id
    )
    if not is_free:
        raise WrongFields([_taken()])
    return values


def _taken() -> RuleBroken:
    return RuleBroken("Another type here has this address already.", code="taken", field="slug")


def _followers(organisation_id: str, type_id: str, now: dt.datetime) -> tuple[Any, ...]:
    """Coming sessions of the type that nobody has booked, holds, waits for or is promised (S2)."""
    wanted = (
        sa.select(SessionBooking.id)
        .where(
            SessionBooking.organisation_id == organisation_id,
            SessionBooking.session_id == Session.id,
            SessionBooking.cancelled_at.is_(None),
        )
        .correlate(Session)
        .exists()
    )
    return (
        Session.organisation_id == organisation_id,
        Session.session_type_id == type_id,
        Session.start_time > now,
        # What its series or a closed day took away comes back with the length of its type.
        sa.or_(Session.deleted_at.is_(None), Session.withdrawn_by.is_not(None)),
        sa.not_(sa.cast(Session.overridden, sa.Text).contains('"duration"')),
        sa.not_(wanted),
        Session.places_kept == 0,
    )


def _lock_followers(organisation_id: str, type_id: str, now: dt.datetime) -> None:
    db.session.execute(
        sa.select(Session.id)
        .where(*_followers(organisation_id, type_id, now))
        .order_by(Session.id)
        .with_for_update(key_share=True)
    ).all()


def _follow_length(row: SessionType, now: dt.datetime) -> int:
    """Give the followers the type's length in one statement; the number of live ones."""
    which = _followers(row.organisation_id, row.id, now)
    live = db.session.scalar(
        sa.select(sa.func.count(Session.id)).where(*which, Session.deleted_at.is_(None))
    )
    db.session.execute(
        sa.update(Session).where(*which).values(end_time=_end_after(row.duration), updated_at=now),
        execution_options={"synchronize_session": False},
    )
    return live or 0


def _end_after(minutes: int) -> Any:
    if db.session.get_bind().dialect.name == "postgresql":
        return sa.type_coerce(Session.start_time, sa.DateTime(timezone=True)) + sa.literal(
            dt.timedelta(minutes=minutes), sa.Interval()
        )
    # SQLite keeps instants as text with six decimals, and compares them as text.
    text = sa.type_coerce(Session.start_time, sa.Text)
    return sa.type_coerce(
        sa.func.strftime("%Y-%m-%d %H:%M:%S", text, f"+{minutes} minutes") + ".000000", sa.Text
    )
