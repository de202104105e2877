import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Response, flash, redirect, request, url_for

from blueprints.clock import utcnow
from blueprints.forms import Form
from blueprints.people.area import CUSTOMERS, bp
from blueprints.people.forms import DaysForm, EndForm, GiveForm, NoteForm, ShownForm
from blueprints.rendering import render
from blueprints.security import current_desk, needs
from blueprints.visits import deed_key
from domain.errors import KeyReused, NotFound, RuleBroken
from domain.local_time import local_day
from domain.memberships import ChangedMeanwhile, say_date, say_days
from services.customer_history import find_totals, list_bookings, list_waiting
from services.customers import (
    SORTS,
    find_customer,
    find_customer_page,
    find_successor,
    list_customers,
)
from services.memberships import (
    change_membership_days,
    end_membership,
    give_membership,
    list_choices,
    pause_membership,
    resume_membership,
)
from services.notes import About, list_notes

GIVE = "give"
NOTE = "note"
MOST = 8
"""Bookings of a kind on the customer's own page; the history has them all."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A form that came back: which membership it is for, or GIVE or NOTE, and why."""

    where: str
    form: Form
    broken: RuleBroken | None = None


@bp.get("/<site>/customers")
@needs(CUSTOMERS)
def customers(site: str) -> Response:
    desk, now = current_desk(), utcnow()
    search = request.args.get("q", "")[:100].strip()
    page = request.args.get("page", "1")
    number = int(page) if page.isascii() and page.isdecimal() and len(page) < 7 else 1
    wanted = request.args.get("sort", "")
    sort = wanted if wanted in SORTS else SORTS[0]
    return render(
        "people/customers.html",
        desk=desk,
        venue=desk.venue,
        search=search,
        sort=sort,
        found=list_customers(
            desk.venue.organisation_id, search=search, sort=sort, page=number, now=now
        ),
        today=local_day(now, desk.venue.zone),
    )


@bp.get("/<site>/customers/<customer_id>")
@needs(CUSTOMERS)
def customer(site: str, customer_id: str) -> Any:
    stays = find_successor(current_desk().venue.organisation_id, customer_id)
    if stays is not None:
        return redirect(url_for("people.customer", site=site, customer_id=stays))
    return show_customer(customer_id)


@bp.get("/<site>/customers/<customer_id>/memberships")
@bp.get("/<site>/customers/<customer_id>/memberships/<membership_id>/days")
@bp.get("/<site>/customers/<customer_id>/memberships/<membership_id>/pause")
@bp.get("/<site>/customers/<customer_id>/memberships/<membership_id>/resumption")
@bp.get("/<site>/customers/<customer_id>/memberships/<membership_id>/end")
@needs(CUSTOMERS)
def back_to_customer(site: str, customer_id: str, membership_id: str = "") -> Any:
    """Where the address line leads after a form was refused there."""
    find_customer(current_desk().venue.organisation_id, customer_id)
    return redirect(url_for("people.customer", site=site, customer_id=customer_id))


@bp.post("/<site>/customers/<customer_id>/memberships")
@needs(CUSTOMERS)
def give(site: str, customer_id: str) -> Any:
    venue, now = current_desk().venue, utcnow()
    form = GiveForm()

    def act() -> None:
        give_membership(
            venue.organisation_id,
            customer_id,
            type_id=form.type.data or "",
            first_day=form.first_day.data,
            last_day=form.last_day.data,
            key=deed_key(form.key.data or ""),
            now=now,
            today=local_day(now, venue.zone),
        )

    return _do(site, customer_id, GIVE, form, act, "The membership is theirs.")


@bp.post("/<site>/customers/<customer_id>/memberships/<membership_id>/days")
@needs(CUSTOMERS)
def change_days(site: str, customer_id: str, membership_id: str) -> Any:
    venue = current_desk().venue
    form = DaysForm()

    def act() -> None:
        change_membership_days(
            venue.organisation_id,
            customer_id,
            membership_id,
            first_day=form.first_day.data,
            last_day=form.last_day.data,
            was=form.was,
            today=local_day(utcnow(), venue.zone),
        )

    return _do(site, customer_id, membership_id, form, act, "The days are changed.")


@bp.post("/<site>/customers/<customer_id>/memberships/<membership_id>/pause")
@needs(CUSTOMERS)
def pause(site: str, customer_id: str, membership_id: str) -> Any:
    venue = current_desk().venue
    form = ShownForm()

    def act() -> None:
        pause_membership(
            venue.organisation_id,
            customer_id,
            membership_id,
            was=form.was,
            today=local_day(utcnow(), venue.zone),
        )

    return _do(site, customer_id, membership_id, form, act, "Paused. It counts when resumed.")


@bp.post("/<site>/customers/<customer_id>/memberships/<membership_id>/resumption")
@needs(CUSTOMERS)
def resume(site: str, customer_id: str, membership_id: str) -> Any:
    organisation_id = current_desk().venue.organisation_id
    form = ShownForm()

    def act() -> None:
        resume_membership(organisation_id, customer_id, membership_id, was=form.was)

    return _do(site, customer_id, membership_id, form, act, "Resumed. It counts again.")


@bp.post("/<site>/customers/<customer_id>/memberships/<membership_id>/end")
@needs(CUSTOMERS)
def end(site: str, customer_id: str, membership_id: str) -> Any:
    venue = current_desk().venue
    is_at_once = request.form.get("when") == "now"
    form: Any = ShownForm() if is_at_once else EndForm()

    def act() -> None:
        end_membership(
            venue.organisation_id,
            customer_id,
            membership_id,
            last_day=None if is_at_once else form.last_day.data,
            was=form.was,
            today=local_day(utcnow(), venue.zone),
        )

    said = "Ended. It no longer counts." if is_at_once else "It ends on the day you chose."
    return _do(site, customer_id, membership_id, form, act, said)


def _do(
    site: str, customer_id: str, where: str, form: Form, act: Callable[[], None], said: str
) -> Any:
    """Do what a form asks and go back, or show the page with what was typed and why not."""
    if not form.validate():
        return show_customer(customer_id, Refused(where, form), status=422)
    try:
        act()
    except NotFound:
        raise
    except (ChangedMeanwhile, KeyReused) as broken:
        return show_customer(customer_id, Refused(where, form, broken), status=409)
    except RuleBroken as broken:
        form.refuse(broken)
        return show_customer(customer_id, Refused(where, form), status=422)
    flash(said, "ok")
    return redirect(url_for("people.customer", site=site, customer_id=customer_id), code=303)


def show_customer(
    customer_id: str, refused: Refused | None = None, *, status: int = 200
) -> Response:
    desk, now = current_desk(), utcnow()
    organisation_id = desk.venue.organisation_id
    person = find_customer_page(organisation_id, customer_id)
    own = refused and next((one for one in person.memberships if one.id == refused.where), None)
    if refused and refused.where not in (GIVE, NOTE) and own is None:
        raise NotFound("We couldn't find that membership.")
    return render(
        "people/customer.html",
        desk=desk,
        venue=desk.venue,
        person=person,
        choices=list_choices(organisation_id),
        give=refused.form if refused and refused.where == GIVE else GiveForm(formdata=None),
        note=refused.form if refused and refused.where == NOTE else NoteForm(formdata=None),
        notes=list_notes(organisation_id, About(customer_id=customer_id)),
        gone=just_gone(),
        totals=find_totals(organisation_id, customer_id, now=now),
        coming=list_bookings(organisation_id, customer_id, state="coming", size=MOST, now=now),
        past=list_bookings(organisation_id, customer_id, state="past", size=MOST, now=now),
        waiting=list_waiting(organisation_id, customer_id),
        refused=refused,
        today=local_day(now, desk.venue.zone),
        since=local_day(person.since, desk.venue.zone),
        say_date=say_date,
        say_days=say_days,
        status=status,
    )


def just_gone() -> str:
    """The note that the press before took away; it can be brought back."""
    gone = request.args.get("gone", "")
    return gone if re.fullmatch(r"[0-9a-f]{24}", gone) else ""
