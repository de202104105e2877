"""Who reads the trail: the colleague at the desk, with their site, its money and their rights."""

from blueprints.rendering import say_amount, say_price
from blueprints.security import account_id, current_desk
from services.trail import Reader
from services.venue_settings import covers_all


def current_reader() -> Reader:
    """The reader of this request's staff route."""
    desk = current_desk()
    venue = desk.venue
    return Reader(
        venue.organisation_id,
        venue.id,
        venue.zone,
        lambda minor: (say_price if minor else say_amount)(minor, venue.currency, venue.locale),
        desk.rights,
        covers_all(venue.organisation_id, account_id() or ""),
    )
