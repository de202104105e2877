"""Who reads the trail: the colleague at the desk, with their site, its money and their rights."""

from blueprints.rendering import say_amount, say_price
from blueprints.security import account_id, current_desk
from services.staff_rights import find_grants
from services.trail import Reader


def current_reader() -> Reader:
    """The reader of this request's staff route."""
    desk = current_desk()
    venue = desk.venue
    held = find_grants(venue.organisation_id, account_id() or "")
    return Reader(
        venue.organisation_id,
        venue.id,
        venue.zone,
        lambda minor: (say_price if minor else say_amount)(minor, venue.currency, venue.locale),
        desk.rights,
        frozenset(right for where, right in held if where is None),
    )
