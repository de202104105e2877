"""One person's data: taken along as a file, or erased."""

import csv
import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

from flask import Response, flash, redirect, url_for

from blueprints.clock import utcnow
from blueprints.people.area import CUSTOMERS, bp
from blueprints.people.forms import EraseForm
from blueprints.proving import proved_anew, proved_anew_for_file
from blueprints.rendering import render
from blueprints.security import current_desk, hash_address, needs
from domain.errors import ChangedSince, RuleBroken
from domain.member_file import harmless
from domain.memberships import say_date
from services.customer_export import export_customer, sheets_of
from services.erasing import erase_customer, find_erasure

BYTE_ORDER_MARK = "\ufeff"


@bp.get("/<site>/customers/<customer_id>/data.zip")
@needs(CUSTOMERS)
@proved_anew_for_file
def export(site: str, customer_id: str) -> Response:
    told = export_customer(current_desk().venue.organisation_id, customer_id, now=utcnow())
    headers = {"Content-Disposition": f'attachment; filename="customer-{customer_id}.zip"'}
    return Response(_zip(told), mimetype="application/zip", headers=headers)


@bp.get("/<site>/customers/<customer_id>/erasure")
@needs(CUSTOMERS)
@proved_anew
def review_erasure(site: str, customer_id: str) -> Any:
    return _review(customer_id, EraseForm(formdata=None))


@bp.post("/<site>/customers/<customer_id>/erasure")
@needs(CUSTOMERS)
@proved_anew
def erase(site: str, customer_id: str) -> Any:
    organisation_id = current_desk().venue.organisation_id
    find_erasure(organisation_id, customer_id, now=utcnow())
    form = EraseForm()
    if not form.validate():
        return _review(customer_id, form, status=422)
    try:
        erase_customer(
            organisation_id,
            customer_id,
            cancels=bool(form.cancels.data),
            seen=form.seen.data or "",
            hash_address=hash_address,
            now=utcnow(),
        )
    except ChangedSince as refused:
        return _review(customer_id, form, refused, status=409)
    except RuleBroken as refused:
        form.refuse(refused)
        return _review(customer_id, form, status=422)
    flash("They are erased. The books stay as they were.", "ok")
    return redirect(url_for("people.customer", site=site, customer_id=customer_id), code=303)


def _review(
    customer_id: str, form: EraseForm, refused: RuleBroken | None = None, *, status: int = 200
) -> Any:
    desk, now = current_desk(), utcnow()
    return render(
        "people/erasure.html",
        desk=desk,
        venue=desk.venue,
        erasure=find_erasure(desk.venue.organisation_id, customer_id, now=now),
        form=form,
        refused=refused,
        say_date=say_date,
        status=status,
    )


def _zip(told: Mapping[str, Any]) -> bytes:
    """One file with all of it, and a table for each kind of thing."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("everything.json", json.dumps(told, ensure_ascii=False, indent=2))
        for name, rows in sheets_of(told).items():
            if rows:
                archive.writestr(f"{name}.csv", BYTE_ORDER_MARK + _table(rows))
    return packed.getvalue()


def _table(rows: list[dict[str, Any]]) -> str:
    """Every cell harmless (D5)."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    columns = list(dict.fromkeys(name for row in rows for name in row))
    writer.writerow(columns)
    for row in rows:
        writer.writerow([harmless(_cell(row.get(name))) for name in columns])
    return file.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
