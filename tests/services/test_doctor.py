"""The doctor is loud about a counter that differs from its bookings."""

import pytest
from factories import NOW, fetch, make_session

from domain.eligibility import Viewer
from models import Session, db
from services.basket import hold_places
from services.doctor import find_wrong_counters

pytestmark = pytest.mark.usefixtures("ctx")


def test_a_sound_shop_is_well():
    row = make_session()
    hold_places(
        row.organisation_id, row.id, session_type_id=row.session_type_id, guests=2,
        viewer=Viewer(), basket_secret=None, now=NOW,
    )  # fmt: skip
    assert find_wrong_counters() == []


@pytest.mark.parametrize("column", ["places_taken", "parties_taken"])
def test_a_counter_that_lies_is_named(column):
    row = make_session()
    setattr(fetch(Session, row.id), column, 2)
    db.session.commit()
    assert [row.id in sentence for sentence in find_wrong_counters()] == [True]
