from typing import Any

from flask import Blueprint, Response, request, url_for

from blueprints.clock import utcnow
from blueprints.rendering import render
from blueprints.reports.dashboard import Board
from blueprints.reports.pages import BY, REPORTS, Asked
from blueprints.reports.sheets import Sheet, say_cell, write_file
from blueprints.security import account_id, current_desk, needs
from domain.errors import NotFound
from domain.local_time import local_day
from domain.reporting import (
    PERIODS,
    BadPeriod,
    Period,
    beside,
    is_within_reach,
    read_period,
    say_period,
    this_period,
)
from services.accounts import list_desks
from services.outbox_desk import Scope as MailScope
from services.outbox_desk import works_everywhere
from services.reports import list_choices, scope_of

bp = Blueprint("reports", __name__, url_prefix="/staff")

REPORTS_VIEW = "REPORTS_VIEW"
FILTERS = ("type", "practitioner", "room")


@bp.get("/<site>/today")
@needs(REPORTS_VIEW)
def today(site: str) -> Response:
    desk = current_desk()
    venue = desk.venue
    whole = works_everywhere(account_id() or "", venue.organisation_id, "RESERVATIONS_MANAGE")
    return render(
        "reports/today.html",
        block="now",
        desk=desk,
        venue=venue,
        board=Board(desk, MailScope(venue.organisation_id, venue.id, whole), utcnow()),
        say_cell=say_cell,
    )


@bp.get("/<site>/reports")
@needs(REPORTS_VIEW)
def index(site: str) -> Response:
    desk = current_desk()
    return render("reports/index.html", desk=desk, venue=desk.venue, reports=REPORTS)


@bp.get("/<site>/reports/<name>")
@needs(REPORTS_VIEW)
def report(site: str, name: str) -> Response:
    title, lede, make = _find(name)
    try:
        period = _read_period()
    except BadPeriod as broken:
        return _page(name, title, lede, broken=broken, status=422)
    asked = _asked(period)
    return _page(name, title, lede, asked=asked, made=make(asked))


@bp.get("/<site>/reports/<name>.csv")
@needs(REPORTS_VIEW)
def download(site: str, name: str) -> Response:
    _, _, make = _find(name)
    period = _read_period()
    sheet = _choose(make(_asked(period)).sheets)
    named = f"{site}-{name}-{sheet.key}-{period.first}-to-{period.last}.csv"
    return Response(
        write_file(sheet),
        mimetype="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{named}"'},
    )


def _find(name: str) -> Any:
    if name not in REPORTS:
        raise NotFound("There is no such report.")
    return REPORTS[name]


def _read_period() -> Period:
    """The days that the address asks for; raises BadPeriod."""
    given = {name: request.args.get(name, "")[:40] for name in ("period", "from", "to")}
    now = local_day(utcnow(), current_desk().venue.zone)
    return read_period(given["period"], given["from"], given["to"], now)


def _asked(period: Period) -> Asked:
    venue = current_desk().venue
    choices = list_choices(venue.organisation_id, venue.id)
    wanted = {name: request.args.get(name, "") for name in FILTERS}
    by = request.args.get("by", "type")
    if by not in BY:
        raise NotFound("Reports can't be compared by that.")
    scope = scope_of(
        venue,
        choices,
        type_id=wanted["type"],
        practitioner_id=wanted["practitioner"],
        room_id=wanted["room"],
    )
    return Asked(venue, choices, scope, period, utcnow(), by, _sites(by))


def _sites(by: str) -> tuple[tuple[str, str], ...]:
    """The venues of the same organisation whose reports this person may see."""
    if by != "site":
        return ()
    return tuple(
        (desk.venue.id, desk.venue.full_name)
        for desk in list_desks(account_id() or "")
        if desk.venue.organisation_id == current_desk().venue.organisation_id
        and REPORTS_VIEW in desk.rights
    )


def _choose(sheets: tuple[Sheet, ...]) -> Sheet:
    wanted = request.args.get("sheet", sheets[0].key)
    found = next((sheet for sheet in sheets if sheet.key == wanted), None)
    if found is None:
        raise NotFound("That report has no such table.")
    return found


def _page(
    name: str,
    title: str,
    lede: str,
    *,
    asked: Asked | None = None,
    made: Any = None,
    broken: BadPeriod | None = None,
    status: int = 200,
) -> Response:
    venue = current_desk().venue
    day = local_day(utcnow(), venue.zone)
    period = asked.period if asked else None
    choices = asked.choices if asked else list_choices(venue.organisation_id, venue.id)
    return render(
        "reports/report.html",
        desk=current_desk(),
        venue=venue,
        name=name,
        title=title,
        lede=lede,
        reports=REPORTS,
        made=made,
        broken=broken,
        period=period,
        said=say_period(period) if period else "",
        periods=[
            (key, words, period is not None and _is(period, key, day))
            for key, words in PERIODS.items()
            if key != "custom"
        ],
        before=_beside(name, period, -1),
        after=_beside(name, period, 1),
        typed=_typed(period),
        choices=choices,
        by=asked.by if asked else "type",
        all_by=BY,
        link=_linker(name),
        say_cell=say_cell,
        status=status,
        is_personal=True,
    )


def _is(period: Period, name: str, day: Any) -> bool:
    usual = this_period(name, day)
    return (usual.first, usual.last) == (period.first, period.last)


def _typed(period: Period | None) -> dict[str, str]:
    """What the form shows: as typed when it was refused, else the days of the report."""
    typed = {name: request.args.get(name, "")[:40] for name in ("from", "to", *FILTERS, "by")}
    if period is not None:
        typed |= {"from": period.first.isoformat(), "to": period.last.isoformat()}
    return typed


def _linker(name: str) -> Any:
    """Addresses of this report as it is narrowed now, with something changed."""
    kept = {key: request.args[key] for key in (*FILTERS, "by") if request.args.get(key)}
    days = {key: request.args[key] for key in ("period", "from", "to") if request.args.get(key)}

    def link(**changed: Any) -> str:
        values = {**({} if "period" in changed else days), **kept, **changed}
        endpoint = values.pop("endpoint", "reports.report")
        site = current_desk().venue.slug
        return url_for(endpoint, site=site, name=values.pop("name", name), **values)

    return link


def _beside(name: str, period: Period | None, number: int) -> tuple[str, str]:
    """Address and words of the period before or after; empty at the end of what is known."""
    if period is None:
        return "", ""
    other = beside(period, number)
    if not is_within_reach(other):
        return "", ""
    days = {"from": other.first.isoformat(), "to": other.last.isoformat()}
    return _linker(name)(period="custom", **days), say_period(other)
