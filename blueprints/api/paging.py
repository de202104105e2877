"""Pages of lists: what an address may ask for, and how a page is said (R21)."""

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlencode

from flask import request

from blueprints.api.kinds import Many, NumberInAddress, PageLinks, PageMeta, Shape
from services.paging import PER_PAGE, Cut, PageOf

List = TypeVar("List", bound=Many[Any])


class Paged(Shape):
    """What every list understands."""

    page: NumberInAddress = 1
    """Page number, from 1."""
    per_page: NumberInAddress = PER_PAGE
    """Results a page; more than 100 are lowered to 100. Read `meta.per_page`."""

    @property
    def cut(self) -> Cut:
        """The page that is wanted."""
        return Cut(self.page, self.per_page)


def say_page(found: PageOf[Any], shape: type[List], show: Callable[[Any], Any]) -> List:
    """A page of a list, each row shown."""
    return shape(data=[show(row) for row in found.rows], meta=_meta(found), links=_links(found))


def _meta(found: PageOf[Any]) -> PageMeta:
    first = found.cut.offset + 1
    return PageMeta(
        current_page=found.cut.page,
        last_page=found.last_page,
        per_page=found.cut.size,
        total=found.total,
        **{"from": first if found.rows else None},
        to=first + len(found.rows) - 1 if found.rows else None,
    )


def _links(found: PageOf[Any]) -> PageLinks:
    page, last = found.cut.page, found.last_page
    return PageLinks(
        first=_link(1),
        last=_link(last),
        prev=_link(min(page - 1, last)) if page > 1 else None,
        next=_link(page + 1) if page < last else None,
    )


def _link(page: int) -> str:
    given = [(name, value) for name, value in request.args.items(multi=True) if name != "page"]
    return f"{request.path}?{urlencode([*given, ('page', str(page))])}"
