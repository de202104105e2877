"""Forgetting the organisation fails (D1)."""

import pytest
import sqlalchemy as sa
from factories import make_organisation, make_room, make_site

from models import Organisation, Room, Session, SessionBooking, Site, Unbound, db, unbound

pytestmark = pytest.mark.usefixtures("ctx")


@pytest.mark.parametrize(
    "statement",
    [
        sa.select(Session),
        sa.select(Session.id).where(Session.capacity > 1),
        sa.select(sa.func.count()).select_from(SessionBooking),
        sa.update(Session).values(capacity=3),
        sa.delete(Room).where(Room.name == "x"),
        sa.select(Organisation.name).join(Site, Site.organisation_id == Organisation.id),
        sa.select(Organisation.name).where(sa.exists().where(Room.name == "x")),
    ],
)
def test_d1_a_statement_without_an_organisation_is_refused(statement):
    with pytest.raises(Unbound):
        db.session.execute(statement)


def test_d1_a_bound_statement_and_one_with_a_reason_pass():
    room = make_room(make_site(make_organisation()))
    bound = sa.select(Room).where(Room.organisation_id == room.organisation_id)
    assert db.session.scalars(bound).all() == [room]
    assert db.session.scalars(sa.select(Room), execution_options=unbound("a test")).all() == [room]


def test_d1_relationships_start_inside_the_walls():
    site = make_site()
    room = make_room(site)
    db.session.expire_all()
    assert room.zone is None
