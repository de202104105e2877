"""Booking for a customer in spite of rules, with a reason that stays on record (R20)."""

import datetime as dt
from collections.abc import Sequence, Set
from typing import Any

from domain.errors import NotAllowed, NotBookable
from domain.guests import Named
from domain.memberships import ChangedMeanwhile
from domain.overrides import NOBODY, may_override
from domain.people import check_email, check_name
from domain.reasons import check_reason
from models import Customer, SessionBooking, db
from services.checkout import find_or_add_customer, name_party, settle
from services.customers import hold_customer
from services.eligibility import Explanation, desk_viewer, explain, find_session
from services.idempotency import once
from services.lines import hold_line, new_order
from services.places import lock_sessions, raise_revision


def book_in_spite(
    organisation_id: str,
    site_id: str,
    session_id: str,
    *,
    customer_id: str | None,
    name: str,
    email: str,
    guests: int,
    reason: str,
    shown: Sequence[str],
    rights: Set[str],
    account_id: str | None,
    came_by_link: bool = False,
    party: Sequence[Named] = (),
    key: str = "",
    now: dt.datetime,
) -> str:
    """Book for a customer, None for a visitor, in spite of the checks in `shown`; the booking.

    Bound by places, parties, type and session being live, and a price (R20). Keeps which checks
    failed, the reason and the staff account. `party` names everybody who comes. Raises RuleBroken
    for the fields, NotBookable for what nobody may override, NotAllowed without the right,
    ChangedMeanwhile when another check fails by now, NotFound, KeyReused.
    """
    body: dict[str, Any] = {
        "session": session_id,
        "customer": customer_id,
        "name": name,
        "email": email,
        "guests": guests,
        "reason": reason,
        "by": account_id,
    }

    def deed() -> str:
        booker = check_name(name, who="the guest's name")
        address = check_email(email) if email.strip() else ""
        why = check_reason(reason)
        found, _ = find_session(organisation_id, site_id, session_id)
        if found.start_time <= now:
            raise NotBookable(
                "This session has started. Add them as a walk-in on its roster.",
                code="window_closed",
            )
        lock_sessions(organisation_id, [session_id])
        failed = _failed(
            explain(
                organisation_id,
                site_id,
                session_id=session_id,
                customer_id=customer_id,
                guests=guests,
                at=now,
                came_by_link=came_by_link,
            ),
            shown,
            rights,
        )
        known = hold_customer(organisation_id, customer_id) if customer_id else None
        order = new_order(organisation_id, found, None, now, sold_by="staff")
        line = hold_line(order, found, guests, desk_viewer(known), now)
        customer: Customer = known or find_or_add_customer(
            organisation_id, booker, address, None, now
        )
        if party:
            name_party(line, Named(booker, address), party)
        settle(order, [line], customer, booker, address, now)
        _note(line, failed, why, account_id)
        raise_revision(organisation_id, [found.session_type_id])
        return line.id

    return once(organisation_id, key, body, deed, now, reason)


def _failed(asked: Explanation, shown: Sequence[str], rights: Set[str]) -> list[str]:
    """The codes to book in spite of; raises for what can't be or wasn't agreed to."""
    for finding in asked.findings:
        if not finding.passed and finding.code in NOBODY:
            raise NotBookable(finding.sentence, code=finding.code)
    if not may_override(asked.failed, rights):
        raise NotAllowed
    if not set(asked.failed) <= set(shown):
        raise ChangedMeanwhile(
            "Something else stands in the way by now, so nothing was booked. "
            "Look at the checks again, then decide."
        )
    return list(asked.failed)


def _note(line: SessionBooking, failed: list[str], reason: str, account_id: str | None) -> None:
    line.overridden, line.override_reason, line.booked_by_id = failed, reason, account_id
    db.session.flush()
