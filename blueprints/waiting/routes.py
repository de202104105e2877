import re
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, flash, redirect, request, url_for

from blueprints.clock import utcnow
from blueprints.private_doors import check_token, keep_to_itself, open_door, viewer_at
from blueprints.rendering import render
from blueprints.security import PUBLIC, account_id, count_try, csrf, needs
from blueprints.visits import current_viewer, deed_key
from blueprints.waiting.forms import JoinForm
from domain.eligibility import MAX_PARTY, Viewer
from domain.errors import KeyReused, NotBookable, NotFound, RuleBroken, WrongState
from domain.people import MAX_NAME
from domain.waiting import AlreadyWaiting, NoWaitlist, OfferOver, StillFree
from services.facts import Venue
from services.lines import known_customer
from services.private_links import Door
from services.venues import find_venue
from services.waiting import accept, decline, join, leave
from services.waitlists import Standing, Waitable, find_standing, find_waitable

bp = Blueprint("waiting", __name__)


@dataclass(frozen=True)
class Place:
    """Where a list is joined: in the shop, or by the private address of a link-only type."""

    venue: Venue
    session_id: str
    door: Door | None = None

    @property
    def viewer(self) -> Viewer:
        return viewer_at(self.door) if self.door else current_viewer(self.venue.organisation_id)

    @property
    def url(self) -> str:
        to: dict[str, Any] = {"site": self.venue.slug, "session_id": self.session_id}
        if self.door is None:
            return url_for("waiting.join_list", **to)
        return url_for("waiting.join_privately", address=self.door.address, **to)

    def day_url(self, found: Waitable) -> str:
        """The day of the session, as it was come by."""
        day = found.session.local_start.date().isoformat()
        to: dict[str, Any] = {"site": self.venue.slug, "date": day, "guests": found.guests}
        to["_anchor"] = "day"
        if self.door is None:
            slug = found.session.session_type.slug
            return url_for("shop.session_type", type_slug=slug, **to)
        return url_for("shop.private", address=self.door.address, **to)


@bp.get("/<site>/sessions/<session_id>/waiting")
@needs(PUBLIC)
def join_form(site: str, session_id: str) -> Response:
    return _empty_form(Place(find_venue(site), session_id))


@bp.post("/<site>/sessions/<session_id>/waiting")
@needs(PUBLIC)
def join_list(site: str, session_id: str) -> Any:
    return _join(Place(find_venue(site), session_id))


@bp.get("/<site>/private/<address>/sessions/<session_id>/waiting")
@needs(PUBLIC)
def private_form(site: str, address: str, session_id: str) -> Response:
    place = _private_place(site, address, session_id)
    return place if isinstance(place, Response) else _empty_form(place)


@bp.post("/<site>/private/<address>/sessions/<session_id>/waiting")
@needs(PUBLIC)
@csrf.exempt
def join_privately(site: str, address: str, session_id: str) -> Any:
    check_token()
    place = _private_place(site, address, session_id)
    return place if isinstance(place, Response) else _join(place)


@bp.after_request
def _keep_to_itself(response: Response) -> Response:
    if request.endpoint in ("waiting.private_form", "waiting.join_privately"):
        return keep_to_itself(response)
    return response


def _private_place(site: str, address: str, session_id: str) -> Place | Response:
    """The session by its type's own address; links with terms of their own lead to no list."""
    door = open_door(site, address)
    if isinstance(door, Response):
        return door
    if not door.way.type_key:
        raise NotFound("We couldn't find that session.")
    return Place(find_venue(site), session_id, door)


def _empty_form(place: Place) -> Response:
    _, name, email = known_customer(place.venue.organisation_id, account_id())
    return _join_page(place, JoinForm(formdata=None, name=name, email=email))


def _join(place: Place) -> Any:
    venue, session_id, form = place.venue, place.session_id, JoinForm()
    # What is not shown here takes no entry either: 404 before anything is typed into it.
    _waitable(place, None)
    if not form.validate():
        return _join_page(place, form, status=422)
    # Every entry sends a mail: nobody fills a list, or a letter box, in a hurry.
    count_try("waiting")
    try:
        secret = join(
            venue.organisation_id,
            session_id,
            guests=form.guests.data,
            name=form.name.data or "",
            email=form.email.data or "",
            viewer=place.viewer,
            account_id=account_id(),
            way=place.door.way if place.door else None,
            key=deed_key(form.key.data or ""),
            now=utcnow(),
        )
    except (AlreadyWaiting, KeyReused, NoWaitlist, NotBookable, StillFree) as refusal:
        if refusal.field:
            form.refuse(refusal)
            return _join_page(place, form, status=422)
        return _join_page(place, form, refusal=refusal.sentence, status=409)
    return redirect(url_for("waiting.entry", secret=secret), code=303)


@bp.get("/waiting/<secret>")
@needs(PUBLIC)
def entry(secret: str) -> Any:
    standing = find_standing(secret, now=utcnow())
    if standing.state == "booked":
        return redirect(url_for("bookings.booking", secret=secret))
    return _entry_page(secret, standing)


@bp.post("/waiting/<secret>/acceptance")
@needs(PUBLIC)
def take(secret: str) -> Any:
    people = _people(find_standing(secret, now=utcnow()))
    try:
        accept(
            secret,
            people=people,
            account_id=account_id(),
            key=deed_key(request.form.get("key", "")),
            now=utcnow(),
        )
    except NotFound:
        raise
    except (KeyReused, NotBookable, OfferOver) as refusal:
        return _again(secret, refusal=refusal.sentence, status=409)
    except RuleBroken as broken:
        return _again(secret, errors={broken.field or "person-1": broken.sentence}, status=422)
    return redirect(url_for("bookings.booking", secret=secret), code=303)


@bp.post("/waiting/<secret>/refusal")
@needs(PUBLIC)
def refuse(secret: str) -> Any:
    try:
        decline(secret, now=utcnow())
    except WrongState:
        return redirect(url_for("bookings.booking", secret=secret), code=303)
    except OfferOver as over:
        # The page that follows says where the party stands now.
        flash(over.sentence, "warn")
        return redirect(url_for("waiting.entry", secret=secret), code=303)
    flash("You said no to the offer. The places go to the next party.", "ok")
    return redirect(url_for("waiting.entry", secret=secret), code=303)


@bp.post("/waiting/<secret>/departure")
@needs(PUBLIC)
def depart(secret: str) -> Any:
    try:
        leave(secret, now=utcnow())
    except WrongState:
        return redirect(url_for("bookings.booking", secret=secret), code=303)
    flash("You are off the waitlist.", "ok")
    return redirect(url_for("waiting.entry", secret=secret), code=303)


@bp.get("/waiting/<secret>/acceptance")
@bp.get("/waiting/<secret>/refusal")
@bp.get("/waiting/<secret>/departure")
@needs(PUBLIC)
def back(secret: str) -> Any:
    """Where the address line leads after a press was refused there."""
    return redirect(url_for("waiting.entry", secret=secret))


def _waitable(place: Place, guests: int | None) -> Waitable:
    return find_waitable(
        place.venue.organisation_id,
        place.venue.id,
        place.session_id,
        guests=guests,
        viewer=place.viewer,
        type_id=place.door.key.type_id if place.door else None,
        now=utcnow(),
    )


def _join_page(place: Place, form: JoinForm, *, refusal: str = "", status: int = 200) -> Response:
    asked = request.values.get("guests", "")
    is_number = re.fullmatch(r"\d{1,3}", asked) and 1 <= int(asked) <= MAX_PARTY
    found = _waitable(place, int(asked) if is_number else None)
    return render(
        "waiting/join.html",
        venue=place.venue,
        waitable=found,
        row=found.session,
        action=place.url,
        day=place.day_url(found),
        form=form,
        typed_guests=asked[:4] if form.errors else str(found.guests),
        errors={name: texts[0] for name, texts in form.errors.items() if name and texts},
        refusal=refusal,
        badge=None,
        status=status,
        is_personal=True,
    )


def _again(
    secret: str, *, refusal: str = "", errors: dict[str, str] | None = None, status: int
) -> Response:
    standing = find_standing(secret, now=utcnow())
    return _entry_page(secret, standing, refusal=refusal, errors=errors, status=status)


def _entry_page(
    secret: str,
    standing: Standing,
    *,
    refusal: str = "",
    errors: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    return render(
        "waiting/entry.html",
        venue=standing.venue,
        standing=standing,
        entry=standing.entry,
        row=standing.entry.session,
        seconds=standing.seconds_left(utcnow()),
        people=_people(standing),
        secret=secret,
        refusal=refusal,
        errors=errors or {},
        badge=None,
        status=status,
        is_personal=True,
    )


def _people(standing: Standing) -> list[str]:
    """The names of the guests after the booker, where they are asked for."""
    if not standing.asks_names:
        return []
    return [
        request.form.get(f"person-{number}", "")[: MAX_NAME + 1]
        for number in range(1, standing.entry.places)
    ]
