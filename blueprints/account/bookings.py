from flask import Response, request
from flask_login import current_user

from blueprints.account.area import bp
from blueprints.account.presenting import cards_of
from blueprints.clock import utcnow
from blueprints.links import public_url, ticket_link
from blueprints.rendering import render
from blueprints.security import SIGNED_IN, account_id, needs
from models import SessionBooking
from services.feeds import find_feed_key
from services.intake import completion
from services.own_bookings import list_own_bookings, list_own_memberships
from services.waitlists import list_own_waiting

MOST_CODES = 3
"""The bookings that come next show their code at once; the others on their ticket."""

TABS = (("coming", "Coming"), ("past", "Past"), ("cancelled", "Cancelled"))


@bp.get("/")
@needs(SIGNED_IN)
def bookings() -> Response:
    me, now = account_id() or "", utcnow()
    found = list_own_bookings(me)
    forms = completion([row for row in found if row.session.end_time > now])
    cards = cards_of(found, now=now)
    wanted = request.args.get("show", "coming")
    shown = wanted if wanted in dict(TABS) else "coming"
    return render(
        "account/bookings.html",
        tabs=[(key, words, len(getattr(cards, key))) for key, words in TABS],
        shown=shown,
        cards=getattr(cards, shown),
        forms=forms,
        tickets=_tickets(found, [card.id for card in cards.coming[:MOST_CODES]]),
        waiting=list_own_waiting(me, now=now) if shown == "coming" else [],
        memberships=list_own_memberships(me, today=now.date()),
        email=current_user.email,
        feed=_feed(find_feed_key(me)),
        is_personal=True,
    )


def _tickets(found: list[SessionBooking], ids: list[str]) -> dict[str, str]:
    return {row.id: ticket_link(row.check_in_code) for row in found if row.id in ids}


def _feed(key: str | None) -> dict[str, str] | None:
    if key is None:
        return None
    url = public_url("feeds.own", key=key)
    return {"key": key, "url": url, "open": "webcal://" + url.partition("://")[2]}
