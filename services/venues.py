"""Finding the venue that an address speaks of."""

import sqlalchemy as sa

from domain.errors import NotFound
from models import Site, db, unbound
from services.facts import Venue, venue_of

BY_SLUG = unbound("a site's slug is unique in the whole installation")


def list_public_sites() -> list[Venue]:
    """Every site that is open to the public, in order of name."""
    rows = db.session.scalars(
        sa.select(Site).where(Site.is_public).order_by(Site.name, Site.place),
        execution_options=unbound("the front page lists every public site"),
    )
    return [venue_of(row) for row in rows]


def find_venue(slug: str) -> Venue:
    """The site with this slug; raises NotFound."""
    site = db.session.scalar(
        sa.select(Site).where(Site.slug == slug, Site.is_public), execution_options=BY_SLUG
    )
    if site is None:
        raise NotFound("We couldn't find that venue.")
    return venue_of(site)
