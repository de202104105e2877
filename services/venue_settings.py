"""What a site is set to, group by group, and how one group is saved."""

import datetime as dt
from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import Any

import sqlalchemy as sa
from babel import Locale, localedata
from babel.numbers import get_currency_name, get_territory_currencies

from domain import opening
from domain.branding import FACES, OURS, RADII, check_colour, derive
from domain.editing import check_edit
from domain.errors import NotAllowed, NotFound, RuleBroken
from domain.opening import check_hours
from domain.venue_rules import (
    FEW_LEFT,
    HOLD_MINUTES,
    OFFER_MINUTES,
    check_address,
    check_choice,
    check_facts,
    check_fields,
    check_line,
    check_lines,
    check_phone,
    check_text,
    check_title,
    check_whole,
)
from domain.words import join_names
from models import Organisation, SessionType, Site, StaffGrant, db, joining, transaction
from services.paging import Cut, PageOf, cut_out

GROUPS: dict[str, tuple[str, ...]] = {
    "venue": ("name", "place", "email", "phone", "address", "directions", "is_public"),
    "window": ("headline", "lede", "strap", "description", "facts", "legal"),
    "times": ("opening_hours", "hours", "locale"),
    "booking": ("hold_minutes", "offer_minutes", "few_left", "currency"),
    "money": ("revenue_centres",),
    "look": ("accent", "accent_dark", "radius", "display"),
}
"""The settings of a site, grouped as a person thinks of them."""


def is_open(hours: Site | opening.Hours, local_start: dt.datetime, local_end: dt.datetime) -> bool:
    """Whether a session lies within the opening hours; outside them it is warned of, never refused.

    Both times are wall times of the site.
    """
    week = hours.opening_hours if isinstance(hours, Site) else hours
    return opening.is_open(week, local_start, local_end)


def find_settings(organisation_id: str, site_id: str, group: str) -> dict[str, Any]:
    """The values of one group by name; raises NotFound."""
    if group not in GROUPS:
        raise NotFound
    return _values(load_site(organisation_id, site_id), group)


def find_all_settings(organisation_id: str, site_id: str) -> dict[str, Any]:
    """Every value of every group; raises NotFound."""
    site = load_site(organisation_id, site_id)
    return {"zone": site.zone, **settings_of(site)}


def save_settings(
    organisation_id: str, site_id: str, group: str, wanted: Mapping[str, Any], *, seen: str | None
) -> None:
    """Keep the values of one group from now on; the same ones again change nothing.

    Absent ones stay as they are (D4). Raises RuleBroken with the field, EditedMeanwhile when
    `seen` is not the mark of what is kept now, NotFound.
    """
    if group not in GROUPS:
        raise NotFound
    tidy = check_fields({name: RULES[name] for name in GROUPS[group]}, wanted)
    with transaction():
        site = load_site(organisation_id, site_id, lock=True)
        kept = _values(site, group)
        check_edit(kept, tidy, seen)
        changed = {name: value for name, value in tidy.items() if value != kept[name]}
        if not changed:
            return
        if "revenue_centres" in changed:
            _check_centres(site, changed["revenue_centres"])
        _write(site, group, {**kept, **changed})
        site.revision += 1


def change_settings(organisation_id: str, site_id: str, wanted: Mapping[str, Any]) -> None:
    """Keep these values, of whatever groups, in one transaction; absent ones stay (R3).

    Raises RuleBroken with every field at fault, NotFound.
    """
    tidy = check_fields(RULES, wanted)
    with transaction(), joining():
        for group in GROUPS:
            save_settings(organisation_id, site_id, group, tidy, seen=None)


def page_sites(organisation_id: str, site_ids: Collection[str] | None, *, cut: Cut) -> PageOf[Site]:
    """A page of these sites (all: None) by name (R1, R21)."""
    query = sa.select(Site).where(*_these(organisation_id, site_ids))
    return cut_out(query, cut, by=(Site.name, Site.place, Site.id), key=Site.id)


def settings_of(site: Site) -> dict[str, Any]:
    """Every value of every group by name."""
    return {name: value for group in GROUPS for name, value in _values(site, group).items()}


def find_organisation(organisation_id: str) -> Organisation:
    """The organisation that a desk belongs to; raises NotFound."""
    found = db.session.scalar(sa.select(Organisation).where(Organisation.id == organisation_id))
    if found is None:
        raise NotFound
    return found


def rename_organisation(organisation_id: str, account_id: str, name: str, *, seen: str) -> None:
    """Another name for the whole organisation.

    Raises NotAllowed without a grant for all sites, RuleBroken, EditedMeanwhile.
    """
    check_covers_all(organisation_id, account_id)
    wanted = check_title(name, who="the organisation's name")
    with transaction():
        found = db.session.scalars(
            sa.select(Organisation)
            .where(Organisation.id == organisation_id)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        ).one()
        check_edit({"name": found.name}, {"name": wanted}, seen)
        found.name = wanted


def covers_all(organisation_id: str, account_id: str) -> bool:
    """Whether this account may set up every site of the organisation, those to come too."""
    grant = sa.select(StaffGrant.id).where(
        StaffGrant.organisation_id == organisation_id,
        StaffGrant.account_id == account_id,
        StaffGrant.right == "SETTINGS_MANAGE",
        StaffGrant.site_id.is_(None),
    )
    return db.session.scalar(grant.limit(1)) is not None


def check_covers_all(organisation_id: str, account_id: str) -> None:
    """Raise NotAllowed unless `covers_all`."""
    if not covers_all(organisation_id, account_id):
        raise NotAllowed


def ask_second_factor(organisation_id: str, account_id: str, *, is_asked: bool) -> None:
    """Whether staff come in by app or passkey only; raises NotAllowed as above."""
    with transaction():
        check_covers_all(organisation_id, account_id)
        db.session.execute(
            sa.update(Organisation)
            .where(Organisation.id == organisation_id)
            .values(staff_second_factor=is_asked)
        )


def types_of_centres(organisation_id: str, site_id: str) -> dict[str, list[str]]:
    """By revenue centre the names of the types that name it, archived ones too."""
    named: dict[str, list[str]] = {}
    rows = db.session.execute(
        sa.select(SessionType.revenue_centre, SessionType.name)
        .where(
            SessionType.organisation_id == organisation_id,
            SessionType.site_id == site_id,
            SessionType.revenue_centre.is_not(None),
        )
        .order_by(SessionType.name)
    )
    for centre, name in rows:
        named.setdefault(str(centre), []).append(name)
    return named


def count_other_currencies(organisation_id: str, site_id: str, currency: str) -> int:
    """How many types of the site are sold in another currency than this."""
    query = sa.select(sa.func.count()).where(
        SessionType.organisation_id == organisation_id,
        SessionType.site_id == site_id,
        SessionType.currency != currency,
        SessionType.deleted_at.is_(None),
    )
    return db.session.scalar(query) or 0


@cache
def currencies() -> dict[str, str]:
    """ISO 4217 codes of the money that is in use today, with their names (P8)."""
    territories = Locale("en").territories
    codes = {code for place in territories for code in get_territory_currencies(str(place))}
    named = {code: get_currency_name(code, locale="en") for code in codes}
    return dict(sorted(named.items(), key=lambda pair: pair[1]))


@cache
def locales() -> dict[str, str]:
    """How amounts may be written: a language as it is written in a country."""
    english = Locale("en")
    named = {}
    for name in localedata.locale_identifiers():
        language, _, place = name.partition("_")
        if place in english.territories and language in english.languages:
            named[name] = f"{english.languages[language]}, {english.territories[place]}"
    return dict(sorted(named.items(), key=lambda pair: pair[1]))


def load_site(organisation_id: str, site_id: str, *, lock: bool = False) -> Site:
    """The site's row, locked for a change when asked; raises NotFound."""
    query = sa.select(Site).where(Site.organisation_id == organisation_id, Site.id == site_id)
    if lock:
        query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    site = db.session.scalar(query)
    if site is None:
        raise NotFound("We couldn't find that venue.")
    return site


def _values(site: Site, group: str) -> dict[str, Any]:
    return {name: _value(site, name) for name in GROUPS[group]}


def _value(site: Site, name: str) -> Any:
    if name in GROUPS["look"]:
        return _wish(site.brand)[name]
    if name in _TEXT_DEFAULTS:
        return site.texts.get(name, _TEXT_DEFAULTS[name])
    return getattr(site, name)


def _write(site: Site, group: str, values: Mapping[str, Any]) -> None:
    texts = {name: value for name, value in values.items() if name in _TEXT_DEFAULTS}
    if texts:
        site.texts = {**site.texts, **texts}
    if group == "look":
        site.brand = _brand(site.brand, values)
        return
    for name in values.keys() - texts.keys():
        setattr(site, name, values[name])


def _brand(kept: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    accent, dark = values["accent"], values["accent_dark"]
    found = derive(accent, dark, neutrals=kept.get("neutrals"))
    # What was asked for is kept beside what is drawn, so that the page shows the wish again.
    wish = {"accent": accent, "accent_dark": dark}
    return {
        **kept,
        **wish,
        **found.tokens,
        "radius": values["radius"],
        "display": values["display"],
    }


def _wish(brand: Mapping[str, Any]) -> dict[str, str]:
    chosen = "accent" in brand
    return {
        "accent": brand["accent"] if chosen else brand.get("brand", OURS),
        "accent_dark": brand.get("accent_dark" if chosen else "brand_dark", ""),
        "radius": brand.get("radius", "10px"),
        "display": brand.get("display", "serif"),
    }


def _check_centres(site: Site, wanted: list[str]) -> None:
    """A centre that types name stays (R22)."""
    named = types_of_centres(site.organisation_id, site.id)
    for centre in site.revenue_centres:
        if centre in named and centre not in wanted:
            raise RuleBroken(
                f"{centre} is used by {join_names(named[centre])}. "
                f"Give {_them(named[centre])} another one first.",
                code="revenue_centre_used",
                field="revenue_centres",
            )


def _them(names: list[str]) -> str:
    return "it" if len(names) == 1 else "them"


def _centres(wanted: Any) -> list[str]:
    lines = check_lines(_typed(wanted), field="revenue_centres")
    if len({line.casefold() for line in lines}) < len(lines):
        raise RuleBroken("Name each one once.", code="twice", field="revenue_centres")
    return lines


_TEXT_DEFAULTS: dict[str, Any] = {
    "address": [], "directions": "", "hours": [], "headline": "", "lede": "", "strap": "",
    "description": "", "facts": [], "legal": "",
}  # fmt: skip


def _typed(value: Any) -> str:
    """A value as it would be typed: lists a line each, pairs with a bar."""
    if isinstance(value, list | tuple):
        return "\n".join(" | ".join(one) if isinstance(one, list) else str(one) for one in value)
    return str(value)


def _whole(field: str, bounds: tuple[int, int], what: str = "") -> Callable[[Any], int]:
    return lambda value: check_whole(
        _typed(value), field=field, least=bounds[0], most=bounds[1], what=what
    )


def _line(field: str, most: int = 200) -> Callable[[Any], str]:
    return lambda value: check_line(_typed(value), field=field, most=most)


def _lines(field: str) -> Callable[[Any], list[str]]:
    return lambda value: check_lines(_typed(value), field=field)


def _colour_or_none(value: Any) -> str:
    return check_colour(_typed(value), field="accent_dark") if _typed(value).strip() else ""


def _choice(field: str, choices: Callable[[], Collection[str]], what: str) -> Callable[[Any], str]:
    return lambda value: check_choice(_typed(value), choices(), field=field, what=what)


def _text(field: str) -> Callable[[Any], str]:
    return lambda value: check_text(_typed(value), field=field)


RULES: dict[str, Callable[[Any], Any]] = {
    "name": lambda value: check_title(_typed(value), who="the venue's name"),
    "place": _line("place"),
    "email": lambda value: check_address(_typed(value)),
    "phone": lambda value: check_phone(_typed(value)),
    "address": _lines("address"),
    "directions": _text("directions"),
    "is_public": lambda value: value in (True, "yes"),
    "headline": _line("headline"),
    "lede": _text("lede"),
    "strap": _line("strap"),
    "description": _line("description", 300),
    "facts": lambda value: check_facts(_typed(value)),
    "legal": _line("legal"),
    "opening_hours": check_hours,
    "hours": _lines("hours"),
    "locale": _choice("locale", locales, "a language and country"),
    "hold_minutes": _whole("hold_minutes", HOLD_MINUTES, "minutes"),
    "offer_minutes": _whole("offer_minutes", OFFER_MINUTES, "minutes"),
    "few_left": _whole("few_left", FEW_LEFT),
    "currency": _choice("currency", currencies, "a currency"),
    "revenue_centres": lambda value: _centres(value),
    "accent": lambda value: check_colour(_typed(value), field="accent"),
    "accent_dark": _colour_or_none,
    "radius": _choice("radius", lambda: RADII, "how round corners are"),
    "display": _choice("display", lambda: FACES, "what headings are set in"),
}
"""What each setting may be; takes a value, or the text that somebody typed for it."""


def raise_site_revisions(organisation_id: str, site_ids: Collection[str] | None = None) -> None:
    """What all pages of these sites show has changed (all sites: None); last in its transaction."""
    lock_sites(organisation_id, site_ids)
    db.session.execute(
        sa.update(Site)
        .where(*_these(organisation_id, site_ids))
        .values(revision=Site.revision + 1),
        execution_options={"synchronize_session": False},
    )


def lock_sites(organisation_id: str, site_ids: Collection[str] | None = None) -> None:
    """Lock sites (all: None) in order of id, before anything else of theirs (ADR 9)."""
    db.session.execute(
        sa.select(Site.id)
        .where(*_these(organisation_id, site_ids))
        .order_by(Site.id)
        .with_for_update(key_share=True)
    ).all()


def _these(
    organisation_id: str, site_ids: Collection[str] | None
) -> tuple[sa.ColumnElement[bool], ...]:
    if site_ids is None:
        return (Site.organisation_id == organisation_id,)
    return (Site.organisation_id == organisation_id, Site.id.in_(site_ids))
