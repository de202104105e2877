"""The categories under which an organisation's shops show their session types."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from domain.editing import check_edit
from domain.errors import NotFound, RuleBroken
from domain.session_types import SHOP_WORDS
from domain.venue_rules import (
    check_fields,
    check_line,
    check_slug,
    check_title,
    find_problems,
    refuse,
)
from models import (
    Category,
    Organisation,
    SessionType,
    Site,
    db,
    new_object_id,
    session_type_categories,
)
from services.idempotency import once, retrying
from services.ordering import step_row
from services.paging import Cut, PageOf, cut_out
from services.venue_settings import lock_sites, raise_site_revisions


@dataclass(frozen=True, slots=True)
class CategoryLine:
    """A category with how many session types stand under it."""

    category: Category
    types: int


def list_categories(organisation_id: str) -> list[CategoryLine]:
    """The organisation's categories in order."""
    linked = session_type_categories
    types = (
        sa.select(sa.func.count())
        .select_from(linked)
        .where(linked.c.category_id == Category.id)
        .scalar_subquery()
    )
    rows = db.session.execute(
        sa.select(Category, types)
        .where(Category.organisation_id == organisation_id)
        .order_by(Category.position, Category.name, Category.id)
    )
    return [CategoryLine(row, number) for row, number in rows]


def find_category(organisation_id: str, category_id: str, *, lock: bool = False) -> Category:
    """One of them; raises NotFound."""
    query = sa.select(Category).where(
        Category.organisation_id == organisation_id, Category.id == category_id
    )
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    row = db.session.scalar(query)
    if row is None:
        raise NotFound("We couldn't find that category.")
    return row


def list_types_under(organisation_id: str, category_id: str) -> list[tuple[str, str]]:
    """The session types of a category, with their venue's name."""
    linked = session_type_categories
    rows = db.session.execute(
        sa.select(SessionType.name, Site)
        .join(linked, linked.c.session_type_id == SessionType.id)
        .join(Site, Site.id == SessionType.site_id)
        .where(SessionType.organisation_id == organisation_id, linked.c.category_id == category_id)
        .order_by(SessionType.name, SessionType.id)
    )
    return [(name, site.full_name) for name, site in rows]


def category_values(category: Category) -> dict[str, Any]:
    """What the editor of a category shows and saves."""
    return {name: getattr(category, name) for name in CATEGORY_RULES}


def add_category(
    organisation_id: str, wanted: Mapping[str, Any], *, key: str = "", now: dt.datetime
) -> str:
    """Another category, last in order; its id. Raises RuleBroken with the field."""

    def deed() -> str:
        _lock(organisation_id)
        tidy = _check(organisation_id, wanted)
        known = list_categories(organisation_id)
        row = Category(
            id=new_object_id(),
            organisation_id=organisation_id,
            position=max((line.category.position for line in known), default=-1) + 1,
            **tidy,
        )
        db.session.add(row)
        db.session.flush()
        raise_site_revisions(organisation_id)
        return row.id

    return once(organisation_id, key, {"category": dict(wanted)}, deed, now)


def page_categories(organisation_id: str, cut: Cut) -> PageOf[Category]:
    """A page of the organisation's categories in order (R21)."""
    return cut_out(
        sa.select(Category).where(Category.organisation_id == organisation_id),
        cut,
        by=(Category.position, Category.name, Category.id),
        key=Category.id,
    )


def order_categories(organisation_id: str, category_ids: Sequence[str]) -> None:
    """Put the categories in this order in the shop; raises RuleBroken unless it names each once."""

    def deed() -> None:
        _lock(organisation_id)
        rows = {line.category.id: line.category for line in list_categories(organisation_id)}
        if sorted(category_ids) != sorted(rows):
            raise RuleBroken(
                "Name every category once, and no other.",
                code="categories_incomplete",
                field="category_ids",
            )
        if list(category_ids) != list(rows):
            for position, category_id in enumerate(category_ids):
                rows[category_id].position = position
            db.session.flush()
            raise_site_revisions(organisation_id)

    retrying(deed)


def save_category(
    organisation_id: str, category_id: str, wanted: Mapping[str, Any], *, seen: str | None
) -> None:
    """Keep these values; absent ones stay (D4). Raises RuleBroken, EditedMeanwhile, NotFound."""

    def deed() -> None:
        _lock(organisation_id)
        row = find_category(organisation_id, category_id, lock=True)
        kept = category_values(row)
        tidy = _check(organisation_id, {**kept, **wanted}, but=category_id)
        check_edit(kept, tidy, seen)
        if tidy == kept:
            return
        for name, value in tidy.items():
            setattr(row, name, value)
        db.session.flush()
        raise_site_revisions(organisation_id)

    retrying(deed)


def step_category(organisation_id: str, category_id: str, step: int) -> None:
    """Move a category up (below 0) or down in the shop; raises NotFound."""

    def deed() -> None:
        _lock(organisation_id)
        rows = [line.category for line in list_categories(organisation_id)]
        if category_id not in {row.id for row in rows}:
            raise NotFound("We couldn't find that category.")
        if step_row(rows, category_id, step):
            db.session.flush()
            raise_site_revisions(organisation_id)

    retrying(deed)


def remove_category(organisation_id: str, category_id: str) -> None:
    """The category is gone, its session types stay; raises NotFound for one that is gone (R11)."""

    def deed() -> None:
        _lock(organisation_id)
        find_category(organisation_id, category_id)
        linked, of_it = session_type_categories, Category.organisation_id == organisation_id
        own = sa.select(Category.id).where(of_it, Category.id == category_id)
        db.session.execute(linked.delete().where(linked.c.category_id.in_(own)))
        db.session.execute(
            sa.delete(Category).where(of_it, Category.id == category_id),
            execution_options={"synchronize_session": False},
        )
        raise_site_revisions(organisation_id)

    retrying(deed)


def _lock(organisation_id: str) -> None:
    """One at a time changes which categories there are, and their order; sites first (ADR 9)."""
    lock_sites(organisation_id)
    db.session.execute(
        sa.select(Organisation.id)
        .where(Organisation.id == organisation_id)
        .with_for_update(key_share=True)
    ).all()


def _check(organisation_id: str, wanted: Mapping[str, Any], *, but: str = "") -> dict[str, Any]:
    """Everything about a category, tidied; raises RuleBroken for all fields at fault at once."""
    values = {**dict.fromkeys(CATEGORY_RULES, ""), **wanted}
    problems = find_problems(CATEGORY_RULES, values)
    taken = _find_taken(organisation_id, str(values["slug"]).strip().lower(), but)
    if taken is not None:
        problems.append(taken)
    refuse(problems)
    return check_fields(CATEGORY_RULES, values)


CATEGORY_RULES: dict[str, Any] = {
    "name": lambda value: check_title(str(value), who="the category's name"),
    "slug": lambda value: check_slug(str(value), reserved=SHOP_WORDS),
    "blurb": lambda value: check_line(str(value), field="blurb"),
}
"""What each field of a category may be."""


def _find_taken(organisation_id: str, slug: str, but: str) -> RuleBroken | None:
    taken = db.session.scalar(
        sa.select(Category.name).where(
            Category.organisation_id == organisation_id,
            Category.slug == slug,
            Category.id != but,
        )
    )
    if taken is None:
        return None
    return RuleBroken(
        f"“{taken}” has this address already. Choose another.", code="slug_taken", field="slug"
    )
