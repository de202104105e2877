"""What one browser's cookie remembers of its visit: the basket of each site."""

from flask import session as visit

from blueprints.clock import utcnow
from blueprints.security import account_id
from domain.eligibility import Viewer
from services.accounts import viewer_of


def current_viewer(organisation_id: str) -> Viewer:
    """Who is looking: a visitor, or a customer with memberships."""
    return viewer_of(organisation_id, account_id(), now=utcnow())


def basket_secret(site_id: str) -> str | None:
    """The secret of this browser's basket at a site."""
    if not visit or visit.get("basket_of", "") not in ("", account_id() or ""):
        # Held by somebody who is no longer signed in here.
        return None
    return visit.get("baskets", {}).get(site_id)


def remember_basket(site_id: str, secret: str) -> None:
    """This browser's basket at a site is the one with this secret."""
    visit["baskets"] = {**visit.get("baskets", {}), site_id: secret}
    visit["basket_of"] = account_id() or ""


def forget_basket(site_id: str, *, order_secret: str) -> None:
    """The basket has become an order; the next press of Book starts another deed."""
    start_another_turn()
    visit["orders"] = {**visit.get("orders", {}), site_id: order_secret}
    visit["baskets"] = {k: v for k, v in visit.get("baskets", {}).items() if k != site_id}


def start_another_turn() -> None:
    """What was pressed before this moment may be pressed again, and is another deed."""
    visit["turn"] = visit.get("turn", 0) + 1


def deed_key(form_key: str) -> str:
    """The key of a form, for this browser and this turn of its visit.

    A kept page may be sent again after buying, and that is another deed.
    """
    return (
        f"{form_key[:100]}:{visit.get('turn', 0)}:{visit.get('csrf_token', '')}" if form_key else ""
    )


def last_order(site_id: str) -> str | None:
    """The order that this browser confirmed last at a site."""
    return visit.get("orders", {}).get(site_id)
