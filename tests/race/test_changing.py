"""Changes of mind that cross each other, on both databases (H1, M7, M8)."""

from functools import partial

from factories import NOW, fetch, make_order, make_session, make_type
from storms import is_sound, storm, together

from domain.eligibility import Viewer
from models import Session, SessionBooking
from services.basket import hold_places
from services.cancelling import cancel, cancel_guests
from services.changing import Door, door_of_order
from services.checkout import find_order
from services.desk import set_check_in
from services.moving import move

__all__ = ["storm"]

ROUNDS = 12


class Booked:
    """A sold line with plain ids: the threads share no rows."""

    def __init__(self, row, *, guests=1, email="ana@example.com"):
        order = find_order(make_order(row, guests=guests, email=email))
        self.id = order.items[0].booking.id
        self.door = door_of_order(order.secret, self.id)
        self.desk = Door(order.organisation_id, site_id=order.site_id)

    @property
    def at(self):
        row = fetch(SessionBooking, self.id)
        return row.session_id, row.places, row.cancelled_by


def taken(row_id):
    row = fetch(Session, row_id)
    return row.places_taken, row.parties_taken


def test_m7_two_moves_onto_one_last_place_move_one_and_keep_the_other(storm):
    for _ in range(ROUNDS):
        with storm.app_context():
            kind = make_type()
            old = [make_session(kind, capacity=1), make_session(kind, capacity=1)]
            last = make_session(kind, capacity=1).id
            mine = [Booked(row, email=f"{n}@b.example") for n, row in enumerate(old)]
            olds = [row.id for row in old]
        deeds = [partial(move, one.door, one.id, last, now=NOW) for one in mine]
        answers = together(storm, *deeds)
        assert sorted(answer == "places_left" for answer in answers) == [False, True]
        with storm.app_context():
            assert taken(last) == (1, 1)
            assert sorted(taken(row) for row in olds) == [(0, 0), (1, 1)]
            kept = answers.index("places_left")
            assert mine[kept].at[0] == olds[kept]
    assert is_sound(storm)


def test_m7_two_bookings_that_swap_sessions_wait_in_no_circle(storm):
    for _ in range(ROUNDS):
        with storm.app_context():
            kind = make_type()
            first, second = make_session(kind), make_session(kind)
            mine = [Booked(first, email="a@b.example"), Booked(second, email="c@d.example")]
            ids = [first.id, second.id]
        answers = together(
            storm,
            partial(move, mine[0].door, mine[0].id, ids[1], now=NOW),
            partial(move, mine[1].door, mine[1].id, ids[0], now=NOW),
        )
        assert answers == ids
        with storm.app_context():
            assert [one.at[0] for one in mine] == ids[::-1]
    assert is_sound(storm)


def test_m7_cancel_against_move_leaves_one_truth(storm):
    for _ in range(ROUNDS):
        with storm.app_context():
            kind = make_type()
            old, new = make_session(kind), make_session(kind)
            mine, ids = Booked(old, guests=2), [old.id, new.id]
        answers = together(
            storm,
            partial(cancel, mine.door, mine.id, seen=0, now=NOW),
            partial(move, mine.desk, mine.id, ids[1], seen=0, now=NOW),
        )
        assert sorted(answer == ids[0] for answer in answers) == [False, True]
        assert {"cancelled", "changed_meanwhile"} & set(answers)
        with storm.app_context():
            at, _, by = mine.at
            assert (by, at) in {("customer", ids[0]), (None, ids[1])}
            places = (0, 0) if by else (2, 1)
            assert (taken(ids[0]), taken(ids[1])) == ((0, 0), places)
    assert is_sound(storm)


def test_m8_two_tabs_that_take_out_guests_never_pass_the_smallest_party(storm):
    for _ in range(ROUNDS):
        with storm.app_context():
            row = make_session(make_type(min_guests=2))
            mine, row_id = Booked(row, guests=3), row.id
        leave = partial(cancel_guests, mine.door, mine.id, number=1, now=NOW)
        # Without a word about what they saw: the rule alone must hold.
        answers = together(storm, leave, leave)
        assert sorted(answers) == sorted([row_id, "min_guests"])
        with storm.app_context():
            assert mine.at[1] == 2
            assert taken(row_id) == (2, 1)
    assert is_sound(storm)


def test_a_check_in_against_a_cancellation_is_one_or_the_other(storm):
    for _ in range(ROUNDS):
        with storm.app_context():
            row = make_session()
            mine = Booked(row)
            place = (mine.desk.organisation_id, mine.desk.site_id, mine.id)
        answers = together(
            storm,
            partial(cancel, mine.door, mine.id, now=NOW),
            partial(set_check_in, *place, arrived=True, now=NOW),
        )
        with storm.app_context():
            found = fetch(SessionBooking, mine.id)
            assert (found.cancelled_at is None) == (found.checked_in_at is not None), answers
    assert is_sound(storm)


def test_h1_a_move_against_a_buyer_sells_the_last_place_once(storm):
    for _ in range(ROUNDS):
        with storm.app_context():
            kind = make_type()
            mine = Booked(make_session(kind))
            last = make_session(kind, capacity=1)
            last_id, where = last.id, (last.organisation_id, last.id)
            type_id = kind.id
        answers = together(
            storm,
            partial(move, mine.door, mine.id, last_id, now=NOW),
            partial(
                hold_places, *where, session_type_id=type_id, guests=1, viewer=Viewer(),
                basket_secret=None, now=NOW,
            ),
        )  # fmt: skip
        assert answers.count("places_left") == 1
        with storm.app_context():
            assert taken(last_id) == (1, 1)
    assert is_sound(storm)
