"""Sites: the venues of an organisation, and what each is set to."""

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field

from blueprints.api.kinds import (
    Answer,
    Currency,
    Flag,
    Many,
    One,
    Shape,
    Text,
    Uuid,
    Weekday,
    Whole,
    absent,
)
from blueprints.api.operations import Call, operation
from blueprints.api.paging import Paged, say_page
from domain.errors import RuleBroken
from domain.roles import SETTINGS
from domain.venue_rules import FEW_LEFT, HOLD_MINUTES, OFFER_MINUTES, find_problems
from models import Site as SiteRow
from services.venue_settings import RULES, change_settings, load_site, page_sites, settings_of
from services.whereabouts import find_site

TAG = "Sites"

Hours = Annotated[list[Text], Field(min_length=2, max_length=2)]
HoldMinutes = Annotated[Whole, Field(ge=HOLD_MINUTES[0], le=HOLD_MINUTES[1])]
OfferMinutes = Annotated[Whole, Field(ge=OFFER_MINUTES[0], le=OFFER_MINUTES[1])]
FewLeft = Annotated[Whole, Field(ge=FEW_LEFT[0], le=FEW_LEFT[1])]


class Site(Answer):
    """A venue. Types, sessions and bookings have exactly one."""

    id: Uuid
    organisation_id: Uuid
    slug: str
    """The part of its shop's address that names it."""
    zone: str
    """Its time zone, as in Europe/London. Days and times of the API are those of its clocks."""
    name: str
    place: str
    """Where it is, as its name says it; may be empty."""
    email: str
    phone: str
    address: list[str]
    """The lines of its postal address."""
    directions: str
    """How customers find it."""
    is_public: bool
    """Whether its shop is open to customers."""
    opening_hours: dict[Weekday, Hours]
    """By weekday when it opens and closes, HH:MM, 24:00 for midnight. Closed where none are."""
    hours: list[str]
    """The opening hours in words for customers."""
    locale: str
    """How amounts and dates are written, as in en_GB."""
    currency: Currency
    """What new session types are sold in."""
    hold_minutes: HoldMinutes
    """Minutes that places in a basket are held."""
    offer_minutes: OfferMinutes
    """Minutes that a party from the waiting list may think it over."""
    few_left: FewLeft
    """With so many places left or fewer a session is nearly gone."""
    revenue_centres: list[str]
    """Where revenue may go; a session type names one of them."""


class SiteUpdate(Shape):
    """Changes of a site; what is absent stays. Its slug and its time zone are changed by hand."""

    name: Text = absent()
    place: Text = absent()
    email: Text = absent()
    phone: Text = absent()
    address: list[Text] = absent()
    """The lines of its postal address."""
    directions: Text = absent()
    is_public: Flag = absent()
    """Whether its shop is open to customers."""
    opening_hours: dict[Weekday, Hours] = absent()
    """The whole week: by weekday when it opens and closes, HH:MM, 24:00 for midnight."""
    hours: list[Text] = absent()
    """The opening hours in words for customers."""
    locale: Text = absent()
    """A language and a country, as in en_GB."""
    currency: Currency = absent()
    """What new session types are sold in; those that there are keep theirs."""
    hold_minutes: HoldMinutes = absent()
    offer_minutes: OfferMinutes = absent()
    few_left: FewLeft = absent()
    revenue_centres: list[Text] = absent()
    """Where revenue may go. One that a session type names can't be left out."""


class SiteItem(One[Site]):
    """A site."""


class SiteList(Many[Site]):
    """A page of sites."""


def show_site(row: SiteRow) -> Site:
    """A site as the API says it."""
    kept = settings_of(row)
    shown = {name: kept[name] for name in SiteUpdate.model_fields}
    return Site(
        id=row.id,
        organisation_id=row.organisation_id,
        slug=row.slug,
        zone=row.zone,
        **shown | {"currency": row.currency.lower()},
    )


def _item(call: Call, site_id: str) -> SiteItem:
    return SiteItem(data=show_site(load_site(call.organisation_id, site_id)))


def _values(call: Call) -> dict[str, Any]:
    """The fields that were sent, as the page has them (R3)."""
    values = dict(call.given)
    if "currency" in values:
        values["currency"] = values["currency"].upper()
    return values


def _problems(call: Call) -> Iterable[RuleBroken]:
    return find_problems(RULES, _values(call))


@operation(
    "listSites",
    "GET",
    "/sites",
    tag=TAG,
    summary="List sites",
    description="Those at which the token has any right, by name.",
    query=Paged,
    gives=SiteList,
    codes=(400, 401),
    rules=("R1", "R2", "R21"),
    is_addition=True,
)
def list_sites(call: Call) -> SiteList:
    found = page_sites(call.organisation_id, call.sites(None), cut=call.query.cut)
    return say_page(found, SiteList, show_site)


@operation(
    "getSite",
    "GET",
    "/sites/<site_id>",
    tag=TAG,
    summary="Fetch one site",
    of=find_site,
    gives=SiteItem,
    codes=(401, 403, 404),
    rules=("R1", "R2"),
    is_addition=True,
    current=_item,
)
def get_site(call: Call, site_id: str) -> SiteItem:
    return _item(call, site_id)


@operation(
    "updateSite",
    "PUT",
    "/sites/<site_id>",
    tag=TAG,
    summary="Change a site's settings",
    description="Every field is optional; a field that is not sent keeps its value.",
    right=SETTINGS,
    of=find_site,
    body=SiteUpdate,
    gives=SiteItem,
    codes=(400, 401, 403, 404, 422),
    rules=("R3", "R22"),
    is_addition=True,
    current=_item,
    also=_problems,
)
def update_site(call: Call, site_id: str) -> SiteItem:
    change_settings(call.organisation_id, site_id, _values(call))
    return _item(call, site_id)
