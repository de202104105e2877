"""Customers who may be one person, and making two of them one."""

from collections.abc import Mapping
from typing import Any

from flask import flash, redirect, request, url_for

from blueprints.clock import utcnow
from blueprints.people.area import CUSTOMERS, bp
from blueprints.people.history import sent_page
from blueprints.proving import proved_anew
from blueprints.rendering import render
from blueprints.security import account_id, current_desk, needs
from domain.errors import ChangedSince, RuleBroken
from domain.merging import FIELDS
from services.customers import find_customer, find_customer_page, list_customers
from services.merging import find_merge, list_doubles, merge_customers


@bp.get("/<site>/customers/doubles")
@needs(CUSTOMERS)
def doubles(site: str) -> Any:
    desk = current_desk()
    found = list_doubles(desk.venue.organisation_id, number=sent_page())
    return render("people/doubles.html", desk=desk, venue=desk.venue, found=found)


@bp.get("/<site>/customers/<customer_id>/merge")
@needs(CUSTOMERS)
@proved_anew
def review_merge(site: str, customer_id: str) -> Any:
    """With `other` the two side by side; without, a search for the other one."""
    other = request.args.get("other", "")
    return _review(customer_id, other, {}) if other else _choose(customer_id)


@bp.post("/<site>/customers/<customer_id>/merge")
@needs(CUSTOMERS)
@proved_anew
def merge(site: str, customer_id: str) -> Any:
    """Keep `customer_id`; `other` becomes part of it."""
    organisation_id = current_desk().venue.organisation_id
    find_customer(organisation_id, customer_id)
    other = request.form.get("other", "")
    if not other:
        return _choose(customer_id, status=422)
    chosen = {field: request.form.get(field, "") for field in FIELDS}
    try:
        merge_customers(
            organisation_id,
            customer_id,
            other,
            chosen=chosen,
            seen=request.form.get("seen", ""),
            by_id=account_id() or "",
            now=utcnow(),
        )
    except ChangedSince as refused:
        return _review(customer_id, other, chosen, refused, status=409)
    except RuleBroken as refused:
        return _review(customer_id, other, chosen, refused, status=422)
    flash("The two are one now. The old address of the other leads here.", "ok")
    return redirect(url_for("people.customer", site=site, customer_id=customer_id), code=303)


def _review(
    customer_id: str,
    other: str,
    chosen: Mapping[str, str],
    refused: RuleBroken | None = None,
    *,
    status: int = 200,
) -> Any:
    desk = current_desk()
    return render(
        "people/merge.html",
        desk=desk,
        venue=desk.venue,
        merge=find_merge(desk.venue.organisation_id, customer_id, other),
        chosen=chosen,
        refused=refused,
        status=status,
    )


def _choose(customer_id: str, *, status: int = 200) -> Any:
    desk = current_desk()
    organisation_id = desk.venue.organisation_id
    person = find_customer_page(organisation_id, customer_id)
    search = request.args.get("q", "")[:100].strip()
    found = list_customers(organisation_id, search=search, now=utcnow()) if search else None
    return render(
        "people/merge_choice.html",
        desk=desk,
        venue=desk.venue,
        person=person,
        search=search,
        found=found,
        status=status,
    )
