"""Categories under which an organisation's shops show their session types."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from blueprints.api.kinds import Answer, Many, ObjectId, One, Shape, Text, absent
from blueprints.api.operations import Call, operation
from blueprints.api.paging import Paged, say_page
from domain.errors import RuleBroken
from domain.roles import SETTINGS
from domain.venue_rules import find_problems, slug_of
from models import Category as CategoryRow
from services.categories import (
    CATEGORY_RULES,
    add_category,
    find_category,
    order_categories,
    page_categories,
    remove_category,
    save_category,
)
from services.paging import MOST_PER_PAGE, Cut
from services.whereabouts import find_house

TAG = "Categories"


class Category(Answer):
    """A part of the shops of an organisation, the same at all its sites."""

    id: ObjectId
    name: str
    slug: str
    """The part of the shop's address that names it."""
    blurb: str
    """A line about it for customers; may be empty."""
    position: Annotated[int, Field(ge=0)]
    """Place in the order of the shop, from 0."""


class CategoryFields(Shape):
    """What of a category can be written."""

    name: Text = absent()
    slug: Text = absent()
    """Small letters, digits and hyphens; no other category of the organisation has it."""
    blurb: Text = absent()
    """A line about it for customers."""


class CategoryCreate(CategoryFields):
    """A new category: at least its name."""

    name: Text
    slug: Text = absent()
    """Small letters, digits and hyphens; made of the name when it is left out."""


class CategoryUpdate(CategoryFields):
    """Changes of a category; what is absent stays."""


class CategoryOrder(Shape):
    """The order of the categories in the shops."""

    category_ids: list[ObjectId]
    """All categories of the organisation, the first to be shown first."""


class CategoryItem(One[Category]):
    """A category."""


class CategoryList(Many[Category]):
    """A page of categories."""


def show_category(row: CategoryRow) -> Category:
    """A category as the API says it."""
    return Category(id=row.id, name=row.name, slug=row.slug, blurb=row.blurb, position=row.position)


def _item(call: Call, category_id: str) -> CategoryItem:
    return CategoryItem(data=show_category(find_category(call.organisation_id, category_id)))


def _problems(call: Call) -> Iterable[RuleBroken]:
    return find_problems(CATEGORY_RULES, call.given)


@operation(
    "listCategories",
    "GET",
    "/categories",
    tag=TAG,
    summary="List categories",
    description="In the order of the shop.",
    of=find_house,
    query=Paged,
    gives=CategoryList,
    codes=(400, 401),
    rules=("R1", "R21"),
    is_addition=True,
)
def list_all_categories(call: Call) -> CategoryList:
    found = page_categories(call.organisation_id, call.query.cut)
    return say_page(found, CategoryList, show_category)


@operation(
    "createCategory",
    "POST",
    "/categories",
    tag=TAG,
    summary="Set up a category",
    description="It comes last in the order. The right at any site of the organisation is enough.",
    right=SETTINGS,
    of=find_house,
    body=CategoryCreate,
    gives=CategoryItem,
    status=201,
    codes=(400, 401, 403, 422),
    is_addition=True,
    also=_problems,
)
def create_category(call: Call) -> CategoryItem:
    wanted = {"slug": slug_of(call.body.name), **call.given}
    return _item(call, add_category(call.organisation_id, wanted, now=call.now))


@operation(
    "orderCategories",
    "PUT",
    "/categories/order",
    tag=TAG,
    summary="Put the categories in another order",
    right=SETTINGS,
    of=find_house,
    body=CategoryOrder,
    gives=CategoryList,
    codes=(400, 401, 403, 422),
    is_addition=True,
)
def order_all_categories(call: Call) -> CategoryList:
    order_categories(call.organisation_id, call.body.category_ids)
    found = page_categories(call.organisation_id, Cut(per_page=MOST_PER_PAGE))
    return say_page(found, CategoryList, show_category)


@operation(
    "getCategory",
    "GET",
    "/categories/<category_id>",
    tag=TAG,
    summary="Fetch one category",
    of=find_house,
    gives=CategoryItem,
    codes=(401, 404),
    rules=("R1",),
    is_addition=True,
    current=_item,
)
def get_category(call: Call, category_id: str) -> CategoryItem:
    return _item(call, category_id)


@operation(
    "updateCategory",
    "PUT",
    "/categories/<category_id>",
    tag=TAG,
    summary="Change a category",
    description="Every field is optional; a field that is not sent keeps its value.",
    right=SETTINGS,
    of=find_house,
    body=CategoryUpdate,
    gives=CategoryItem,
    codes=(400, 401, 403, 404, 422),
    rules=("R3",),
    is_addition=True,
    current=_item,
    also=_problems,
)
def update_category(call: Call, category_id: str) -> CategoryItem:
    save_category(call.organisation_id, category_id, call.given, seen=None)
    return _item(call, category_id)


@operation(
    "deleteCategory",
    "DELETE",
    "/categories/<category_id>",
    tag=TAG,
    summary="Remove a category",
    description="A real delete. Its session types stay.",
    right=SETTINGS,
    of=find_house,
    codes=(401, 403, 404),
    rules=("R11",),
    is_addition=True,
    current=_item,
)
def delete_category(call: Call, category_id: str) -> None:
    remove_category(call.organisation_id, category_id)
