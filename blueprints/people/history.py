from typing import Any

from flask import request

from blueprints.clock import utcnow
from blueprints.people.area import CUSTOMERS, bp
from blueprints.rendering import render
from blueprints.security import current_desk, needs
from domain.memberships import say_date
from domain.wording import KINDS as LETTERS
from services.customer_history import (
    KINDS,
    STATES,
    Part,
    list_bookings,
    list_forms,
    list_mails,
    list_orders,
)
from services.customers import find_customer


@bp.get("/<site>/customers/<customer_id>/history")
@needs(CUSTOMERS)
def history(site: str, customer_id: str) -> Any:
    desk = current_desk()
    person = find_customer(desk.venue.organisation_id, customer_id)
    shown = request.args.get("show", "")
    shown = shown if shown in KINDS else KINDS[0]
    state = request.args.get("state", "")
    state = state if state in STATES else ""
    return render(
        "people/history.html",
        desk=desk,
        venue=desk.venue,
        person=person,
        shown=shown,
        state=state,
        part=_part(person.organisation_id, customer_id, shown, state),
        letters=LETTERS,
        say_date=say_date,
    )


def _part(organisation_id: str, customer_id: str, shown: str, state: str) -> Part[Any]:
    number = sent_page()
    if shown == "orders":
        return list_orders(organisation_id, customer_id, number=number)
    if shown == "mails":
        return list_mails(organisation_id, customer_id, number=number, now=utcnow())
    if shown == "forms":
        return list_forms(organisation_id, customer_id, number=number)
    return list_bookings(organisation_id, customer_id, state=state, number=number, now=utcnow())


def sent_page() -> int:
    """The page that the address asks for; the first for anything else."""
    page = request.args.get("page", "1")
    return max(1, int(page)) if page.isascii() and page.isdecimal() and len(page) < 7 else 1
