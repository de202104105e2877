"""Recomputing what is kept as a cache of facts; a difference is a bug, and it is loud (H1)."""

import sqlalchemy as sa

from models import Order, Session, SessionBooking, db, unbound
from services.places import TAKING


def find_wrong_counters() -> list[str]:
    """A sentence for every session whose counters differ from its live bookings."""
    live = sa.and_(
        SessionBooking.session_id == Session.id,
        SessionBooking.cancelled_at.is_(None),
        SessionBooking.status.in_(TAKING),
    )
    places = sa.func.coalesce(sa.func.sum(SessionBooking.places), 0)
    parties = sa.func.count(sa.distinct(SessionBooking.order_id))
    rows = db.session.execute(
        sa.select(Session.id, Session.places_taken, places, Session.parties_taken, parties)
        .join(SessionBooking, live, isouter=True)
        .group_by(Session.id, Session.places_taken, Session.parties_taken)
        .having(sa.or_(Session.places_taken != places, Session.parties_taken != parties)),
        execution_options=unbound("the doctor looks at every organisation"),
    )
    return [
        f"Session {row[0]}: {row[1]} places and {row[3]} parties are noted, "
        f"its bookings have {row[2]} and {row[4]}."
        for row in rows
    ]


def find_sold_and_given_away() -> list[str]:
    """A sentence for every confirmed order whose line was ended by the clock (H3)."""
    rows = db.session.execute(
        sa.select(Order.order_ref, SessionBooking.id)
        .join(SessionBooking, SessionBooking.order_id == Order.id)
        .where(SessionBooking.status == "confirmed", SessionBooking.cancelled_by == "expired"),
        execution_options=unbound("the doctor looks at every organisation"),
    )
    return [f"Order {ref}: its line {line} was sold and given away." for ref, line in rows]
