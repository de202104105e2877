import datetime as dt
import re
from typing import Any

from flask import Blueprint, Response, redirect, request, url_for

from blueprints.clock import utcnow
from blueprints.rendering import STATIC_PREFIX, Shown, render, respond, show, wants_fragment
from blueprints.security import PUBLIC, account_id, needs
from blueprints.shop.brand import brand_css
from blueprints.shop.forms import HoldForm
from blueprints.shop.presenting import CalendarText, Facts
from blueprints.visits import basket_secret, current_viewer, deed_key, remember_basket
from domain.eligibility import MAX_PARTY, Viewer
from domain.errors import NotBookable, NotFound, RuleBroken
from domain.local_time import local_day
from services.basket import Badge, find_basket_badge, hold_places
from services.catalogue import WHENS, open_window
from services.facts import Venue
from services.private_links import Door
from services.timetable import (
    EMPTY,
    WHOLE_TYPE,
    InBasket,
    PageKey,
    Scope,
    TypePage,
    find_page_key,
    find_type_page,
    is_planned_month,
)
from services.truth import TruthCache
from services.venues import find_venue, list_public_sites

bp = Blueprint("shop", __name__)

_KEPT: TruthCache[Shown] = TruthCache(512)


@bp.get("/")
@needs(PUBLIC)
def index() -> Any:
    venues = list_public_sites()
    if len(venues) == 1:
        return redirect(url_for("shop.home", site=venues[0].slug))
    return render("shop/index.html", venues=venues)


@bp.get("/<site>/")
@needs(PUBLIC)
def home(site: str) -> Response:
    return _window(find_venue(site), None)


@bp.get("/<site>/<category>/")
@needs(PUBLIC)
def category(site: str, category: str) -> Response:
    return _window(find_venue(site), category)


@bp.get("/<site>/book/<type_slug>")
@needs(PUBLIC)
def session_type(site: str, type_slug: str) -> Response:
    key = find_page_key(site, type_slug)
    asked = Asked.read()
    badge = find_basket_badge(basket_secret(key.site_id), now=utcnow())
    if account_id() is None and badge is None and not request.script_root:
        return respond(_visitors_page(key, asked))
    viewer = current_viewer(key.organisation_id)
    page = type_page(key, asked, viewer, badge)
    return respond(page_html(page, asked, badge), is_personal=False)


@bp.post("/<site>/book/<type_slug>")
@needs(PUBLIC)
def hold(site: str, type_slug: str) -> Any:
    key = find_page_key(site, type_slug)
    viewer = current_viewer(key.organisation_id)
    form = HoldForm()
    if not form.validate():
        return _refused(site, type_slug, form, viewer, RuleBroken(form.first_error))
    try:
        secret = hold_places(
            key.organisation_id,
            form.session_id.data,
            session_type_id=key.type_id,
            guests=form.guests.data,
            viewer=viewer,
            basket_secret=basket_secret(key.site_id),
            account_id=account_id(),
            key=deed_key(form.key.data or ""),
            now=utcnow(),
        )
    except NotBookable as refusal:
        return _refused(site, type_slug, form, viewer, refusal)
    remember_basket(key.site_id, secret)
    return to_checkout(site, secret)


def to_checkout(site: str, secret: str) -> Any:
    """Where a hold leads: one line straight to the second screen."""
    badge = find_basket_badge(secret, now=utcnow())
    page = "checkout.basket" if badge is not None and badge.lines > 1 else "checkout.checkout"
    return redirect(url_for(page, site=site), code=303)


@bp.get("/<site>/brand-<int:revision>.css")
@needs(PUBLIC)
def brand(site: str, revision: int) -> Response:
    venue = find_venue(site)
    response = Response(brand_css(venue, f"/{STATIC_PREFIX}"), mimetype="text/css")
    fresh = revision == venue.revision
    response.headers["Cache-Control"] = (
        "public, max-age=31536000, immutable" if fresh else "no-cache"
    )
    return response


class Asked:
    """What the address asks for, read leniently where that helps and refused where it can't be."""

    def __init__(
        self, guests: int | None, month: tuple[int, int] | None, date: dt.date | None, note: str
    ) -> None:
        self.guests = guests
        self.month = month
        self.date = date
        self.note = note

    @classmethod
    def read(cls) -> "Asked":
        guests, note = _read_guests(request.args.get("guests"))
        date = _read_date(request.args.get("date"))
        month = _read_month(request.args.get("month"))
        return cls(guests, month, date, note)

    @property
    def key(self) -> tuple[Any, ...]:
        return (self.guests, self.month, self.date, self.note)


def _refused(
    site: str, type_slug: str, form: HoldForm, viewer: Viewer, refusal: RuleBroken
) -> Response:
    """The same day again, as it is now, with the reason and what is still free."""
    key = find_page_key(site, type_slug)
    day = form.day
    if day and not is_planned_month(day.year, day.month, utcnow().date()):
        day = None
    asked = Asked(form.party, None, day, "")
    badge = find_basket_badge(basket_secret(key.site_id), now=utcnow())
    page = type_page(key, asked, viewer, badge)
    status = 409 if refusal.code in ("places_left", "party_left") else 422
    return respond(page_html(page, asked, badge, refusal.sentence), status=status)


def _visitors_page(key: PageKey, asked: Asked) -> Shown:
    """Visitors without a basket all see one page; it is rendered once while it is true."""
    kept_key = (key, asked.key, wants_fragment())
    kept = _KEPT.get(kept_key, utcnow())
    if kept is None:
        page = type_page(key, asked, Viewer())
        kept = page_html(page, asked, None)
        _KEPT.put(kept_key, kept, page.valid_until)
    return kept


def type_page(
    key: PageKey,
    asked: Asked,
    viewer: Viewer,
    badge: Badge | None = None,
    *,
    scope: Scope = WHOLE_TYPE,
) -> TypePage:
    now = utcnow()
    page = find_type_page(
        key,
        viewer=viewer,
        guests=asked.guests,
        month=asked.month,
        date=asked.date,
        now=now,
        in_basket=in_basket(badge, key.type_id),
        scope=scope,
    )
    today = local_day(now, page.venue.zone)
    if not is_planned_month(page.month.year, page.month.month, today):
        raise NotFound("We don't plan that far. Choose a month nearer to today.")
    return page


def in_basket(badge: Badge | None, type_id: str) -> InBasket:
    if badge is None:
        return EMPTY
    sessions = frozenset(session for held, session in badge.held if held == type_id)
    of_type = sum(held == type_id for held, _ in badge.held)
    return InBasket(badge.lines, of_type, badge.currency, sessions)


def page_html(
    page: TypePage,
    asked: Asked,
    badge: Badge | None,
    refusal: str = "",
    *,
    door: Door | None = None,
) -> Shown:
    note = asked.note
    if asked.guests is not None and asked.guests != page.guests:
        note = f"{page.name} is for {Facts(page).party}, so we've set {page.guests}."
    return show(
        "shop/session_type.html",
        block="booker",
        venue=page.venue,
        page=page,
        facts=Facts(page),
        text=CalendarText(page, utcnow(), door.address if door else ""),
        door=door,
        badge=badge,
        note=note,
        refusal=refusal,
    )


def _window(venue: Venue, category: str | None) -> Response:
    now = utcnow()
    guests, note = _read_guests(request.args.get("guests"))
    when = request.args.get("when", "any")
    search = request.args.get("q", "")[:100].strip()
    window = open_window(
        venue,
        viewer=current_viewer(venue.organisation_id),
        now=now,
        category=category,
        search=search,
        when=when if when in WHENS else "any",
        guests=guests,
    )
    known = {slug for slug, _, _ in window.counts}
    if category is not None and category not in known:
        raise NotFound("We couldn't find that part of the shop.")
    return render(
        "shop/home.html",
        block="offers",
        venue=venue,
        window=window,
        category=category,
        category_name=next((name for slug, name, _ in window.counts if slug == category), ""),
        search=search,
        when=when if when in WHENS else "any",
        guests=guests,
        note=note,
        today=local_day(now, venue.zone),
        badge=find_basket_badge(basket_secret(venue.id), now=now),
    )


def _read_guests(text: str | None) -> tuple[int | None, str]:
    if text is None or text == "":
        return None, ""
    if not re.fullmatch(r"-?\d{1,9}", text):
        return None, "We couldn't read how many guests you are, so we've set the usual number."
    number = int(text)
    if not 1 <= number <= MAX_PARTY:
        return max(1, min(number, MAX_PARTY)), f"One booking is for 1 to {MAX_PARTY} guests."
    return number, ""


def _read_month(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    found = re.fullmatch(r"(\d{4})-(\d{2})", text)
    if not found or not 1 <= int(found[2]) <= 12 or int(found[1]) < 1:
        raise NotFound("That isn't a month we know. Months look like 2026-06.")
    year, month = int(found[1]), int(found[2])
    # Asked before anything is read, so that a silly year costs nothing.
    if not is_planned_month(year, month, utcnow().date()):
        raise NotFound("We don't plan that far. Choose a month nearer to today.")
    return year, month


def _read_date(text: str | None) -> dt.date | None:
    if text is None:
        return None
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            raise ValueError(text)
        date = dt.date.fromisoformat(text)
    except ValueError as error:
        raise NotFound("That isn't a date we know. Dates look like 2026-06-12.") from error
    if not is_planned_month(date.year, date.month, utcnow().date()):
        raise NotFound("We don't plan that far. Choose a date nearer to today.")
    return date
