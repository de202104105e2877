"""More guests for a booking that stands: places, price, names, and who is told."""

import pytest
from factories import NOW, fetch, make_booked_line, make_session, make_site, make_type

from domain.errors import NotBookable, NotChangeable, RuleBroken
from models import Order, Session, SessionBooking, SessionType, db
from services.changing import Door
from services.desk import set_check_in
from services.doctor import examine
from services.growing import add_guests
from services.ledger import find_entries

pytestmark = pytest.mark.usefixtures("ctx")


class Party:
    def __init__(self, *, guests=1, names=(), capacity=4, **given):
        self.site = make_site()
        self.kind = make_type(self.site, **given)
        self.row = make_session(self.kind, capacity=capacity)
        self.line = make_booked_line(self.row, guests=guests, names=names)
        self.id = self.line.id
        self.door = Door(self.site.organisation_id, site_id=self.site.id)

    def add(self, number=0, **given):
        return add_guests(self.door, self.id, number=number, now=NOW, **given)

    @property
    def now(self):
        return fetch(SessionBooking, self.id)

    @property
    def due(self):
        entries = find_entries(self.site.organisation_id, self.now.order_id)
        return sum(entry.amount for entry in entries)


def test_p5_new_guests_pay_the_price_that_was_agreed_and_take_places():
    party = Party()
    party.kind.price_rules[0].price = 9900
    db.session.commit()
    assert party.add(2, key="k") == party.row.id
    party.add(2, key="k")
    assert (party.now.places, party.now.order_item.places, party.due) == (3, 3, 3 * 4800)
    assert fetch(Session, party.row.id).places_taken == 3
    assert party.now.sequence == 1
    assert examine() == []


def test_h1_they_must_fit_and_nothing_is_half_done():
    party = Party(capacity=2)
    with pytest.raises(NotBookable) as refused:
        party.add(2)
    assert refused.value.code == "places_left"
    assert (party.now.places, party.due, party.now.sequence) == (1, 4800, 0)
    assert examine() == []


def test_a_named_party_gets_names_and_nobody_comes_twice():
    party = Party(guests=2, names=("Jude Moss",), max_per_guest=1)
    with pytest.raises(RuleBroken) as refused:
        party.add(names=["jude  MOSS"])
    assert refused.value.field == "guest-0"
    with pytest.raises(RuleBroken):
        party.add(names=["<b>x</b>"])
    party.add(names=["Noa Lind", "Per Ek"])
    assert [guest.name for guest in party.now.guests][2:] == ["Noa Lind", "Per Ek"]
    assert examine() == []


def test_a_party_that_is_here_grows_and_the_agreed_most_grows_with_it():
    party = Party(max_guests=2)
    set_check_in(party.site.organisation_id, party.site.id, party.id, arrived=True, now=NOW)
    party.add(2)
    assert party.now.order_item.policy["max_guests"] == 3
    assert fetch(SessionType, party.kind.id).max_guests == 2
    assert examine() == []


@pytest.mark.parametrize("number", [0, -1, 100])
def test_it_is_a_number_of_people(number):
    with pytest.raises(NotChangeable) as refused:
        Party(capacity=200).add(number)
    assert refused.value.field == "who"


def test_nobody_is_added_to_what_is_over_cancelled_or_has_changed_meanwhile():
    party = Party()
    with pytest.raises(NotChangeable) as refused:
        party.add(1, seen=7)
    assert refused.value.code == "changed_meanwhile"
    fetch(Session, party.row.id).deleted_at = NOW
    db.session.commit()
    with pytest.raises(NotChangeable):
        party.add(1)
    fetch(Session, party.row.id).deleted_at = None
    db.session.commit()
    with pytest.raises(NotChangeable) as refused:
        add_guests(party.door, party.id, number=1, now=fetch(Session, party.row.id).end_time)
    assert refused.value.code == "started"
    assert fetch(Order, party.now.order_id).state == "confirmed"
