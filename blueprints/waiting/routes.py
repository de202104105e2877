import re
from typing import Any

from flask import Blueprint, Response, flash, redirect, request, url_for

from blueprints.clock import utcnow
from blueprints.rendering import render
from blueprints.security import PUBLIC, account_id, count_try, needs
from blueprints.visits import current_viewer, deed_key
from blueprints.waiting.forms import JoinForm
from domain.eligibility import MAX_PARTY
from domain.errors import KeyReused, NotBookable, NotFound, RuleBroken, WrongState
from domain.people import MAX_NAME
from domain.waiting import AlreadyWaiting, NoWaitlist, OfferOver, StillFree
from services.facts import Venue
from services.lines import known_customer
from services.venues import find_venue
from services.waiting import accept, decline, join, leave
from services.waitlists import Standing, find_standing, find_waitable

bp = Blueprint("waiting", __name__)


@bp.get("/<site>/sessions/<session_id>/waiting")
@needs(PUBLIC)
def join_form(site: str, session_id: str) -> Response:
    venue = find_venue(site)
    _, name, email = known_customer(venue.organisation_id, account_id())
    form = JoinForm(formdata=None, name=name, email=email)
    return _join_page(venue, session_id, form)


@bp.post("/<site>/sessions/<session_id>/waiting")
@needs(PUBLIC)
def join_list(site: str, session_id: str) -> Any:
    venue, form = find_venue(site), JoinForm()
    # What is not shown here takes no entry either: 404 before anything is typed into it.
    _waitable(venue, session_id, None)
    if not form.validate():
        return _join_page(venue, session_id, form, status=422)
    # Every entry sends a mail: nobody fills a list, or a letter box, in a hurry.
    count_try("waiting")
    try:
        secret = join(
            venue.organisation_id,
            session_id,
            guests=form.guests.data,
            name=form.name.data or "",
            email=form.email.data or "",
            viewer=current_viewer(venue.organisation_id),
            account_id=account_id(),
            key=deed_key(form.key.data or ""),
            now=utcnow(),
        )
    except (AlreadyWaiting, KeyReused, NoWaitlist, NotBookable, StillFree) as refusal:
        if refusal.field:
            form.refuse(refusal)
            return _join_page(venue, session_id, form, status=422)
        return _join_page(venue, session_id, form, refusal=refusal.sentence, status=409)
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


def _waitable(venue: Venue, session_id: str, guests: int | None) -> Any:
    return find_waitable(
        venue.organisation_id,
        venue.id,
        session_id,
        guests=guests,
        viewer=current_viewer(venue.organisation_id),
        now=utcnow(),
    )


def _join_page(
    venue: Venue, session_id: str, form: JoinForm, *, refusal: str = "", status: int = 200
) -> Response:
    asked = request.values.get("guests", "")
    is_number = re.fullmatch(r"\d{1,3}", asked) and 1 <= int(asked) <= MAX_PARTY
    found = _waitable(venue, session_id, int(asked) if is_number else None)
    return render(
        "waiting/join.html",
        venue=venue,
        waitable=found,
        row=found.session,
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
