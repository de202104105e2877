"""The demo's private links, made as staff would make them."""

import datetime as dt

import sqlalchemy as sa

from models import Session, SessionType, db
from services.demo_house import House, Row
from services.private_links import NewLink, make_link

_SOON = dt.timedelta(days=4)


def found_links(house: House, plan: Row, now: dt.datetime) -> None:
    """The links of the file; one that keeps places is for the first session that has them."""
    for row in plan.get("private_links", []):
        kind = db.session.scalars(
            sa.select(SessionType).where(
                SessionType.organisation_id == house.organisation_id,
                SessionType.id == house.type_ids[row["type"]],
            )
        ).one()
        keep = row.get("keep_places", 0)
        make_link(
            house.organisation_id,
            kind.site_id,
            NewLink(
                type_id=kind.id,
                name=row["name"],
                local_start=_start(kind, keep, now) if keep else None,
                price=row.get("price"),
                expires_at=now + dt.timedelta(days=row["ends_in_days"]),
                max_uses=row.get("max_uses"),
                places_kept=keep,
            ),
            by="",
            now=now,
        )


def _start(kind: SessionType, places: int, now: dt.datetime) -> dt.datetime:
    return db.session.scalars(
        sa.select(Session.local_start)
        .where(
            Session.organisation_id == kind.organisation_id,
            Session.session_type_id == kind.id,
            Session.deleted_at.is_(None),
            Session.start_time > now + _SOON,
            Session.places_taken + Session.places_kept + places <= Session.capacity,
        )
        .order_by(Session.start_time, Session.id)
        .limit(1)
    ).one()
