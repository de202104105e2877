"""Private links on a real database: uses, kept places, prices, and who wins the last use."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import sqlalchemy as sa
from factories import (
    ANYWHERE,
    NOW,
    fetch,
    make_account,
    make_customer,
    make_organisation,
    make_session,
    make_site,
    make_staff,
    make_type,
)

from domain.eligibility import Viewer
from domain.errors import NotBookable, NotFound, OtherAddress, RuleBroken
from models import PrivateLink, Session, SessionBooking, SessionType, Site, db
from services.basket import (
    change_guests,
    drop_line,
    find_basket,
    hold_places,
    rebuild_basket,
    review_basket,
)
from services.cancelling import cancel_for_staff
from services.checkout import confirm_order, find_order
from services.doctor import examine
from services.link_places import Way
from services.private_links import (
    NewLink,
    find_door,
    list_links,
    make_link,
    note_seen,
    release_kept_places,
    renew_address,
    revoke_link,
)
from services.session_changes import (
    cancel_session,
    find_cancellable_session,
    find_restorable_session,
    restore_session,
)
from services.waking import release_expired_holds

HOUR = dt.timedelta(hours=1)
LATER = NOW + dt.timedelta(minutes=20)


@pytest.fixture
def site(ctx):
    return make_site(slug="bath")


@pytest.fixture
def kind(site):
    return make_type(site, slug="secret", visibility="link_only")


@pytest.fixture
def evening(kind):
    return make_session(kind)


def new(kind, session=None, **given):
    link_id = make_link(
        kind.organisation_id,
        kind.site_id,
        NewLink(
            **{
                "type_id": kind.id,
                "name": "For Ines",
                "local_start": session.local_start if session else None,
                **given,
            }
        ),
        by="staff",
        now=NOW,
    )
    return fetch(PrivateLink, link_id)


def hold(session, link=None, *, guests=1, basket=None, now=NOW, way=None, viewer=None):
    return hold_places(
        session.organisation_id,
        session.id,
        session_type_id=session.session_type_id,
        guests=guests,
        viewer=viewer or Viewer(),
        basket_secret=basket,
        way=way or (Way(link_id=link.id) if link else None),
        now=now,
    )


def buy(session, secret, *, email="ana@example.com", account_id=None, now=NOW):
    return confirm_order(
        session.organisation_id, secret, name="Ana", email=email, account_id=account_id, now=now
    )


def numbers(session, link=None):
    row = fetch(Session, session.id)
    taken = (row.places_taken, row.places_kept)
    if link is None:
        return taken
    link = fetch(PrivateLink, link.id)
    return (*taken, link.uses, link.places_kept)


def well():
    assert examine() == []


def test_d2_a_link_only_type_is_held_only_by_its_own_address(evening, kind):
    with pytest.raises(NotBookable) as refused:
        hold(evening)
    assert refused.value.code == "visible"
    for wrong in (Way(type_key="guessed"), Way(link_id="0" * 24)):
        with pytest.raises(NotFound):
            hold(evening, way=wrong)
    secret = hold(evening, way=Way(type_key=kind.link_key))
    order = find_basket(secret, now=NOW)
    assert review_basket(order, Viewer(), now=NOW).refusals == {}
    assert kind.link_key not in str(order.items[0].policy)
    buy(evening, secret)
    well()


def test_h4_an_expired_basket_of_a_link_only_type_is_rebuilt(evening, kind):
    secret = hold(evening, way=Way(type_key=kind.link_key))
    release_expired_holds(LATER)
    [line] = rebuild_basket(evening.organisation_id, secret, viewer=Viewer(), now=LATER)
    assert line.is_held
    buy(evening, secret, now=LATER)


def test_d2_a_renewed_address_opens_nothing_not_even_an_expired_basket(evening, kind):
    address = f"secret-{kind.link_key}"
    secret = hold(evening, way=Way(type_key=kind.link_key))
    held = hold(evening, way=Way(type_key=kind.link_key))
    assert find_door("bath", address, NOW).way.type_key == kind.link_key
    renew_address(kind.organisation_id, kind.site_id, kind.id)
    with pytest.raises(NotFound):
        find_door("bath", address, NOW)
    with pytest.raises(NotFound):
        hold(evening, way=Way(type_key=kind.link_key))
    # What was held in time may be confirmed; what ran out has no way back.
    buy(evening, held)
    [line] = rebuild_basket(evening.organisation_id, secret, viewer=Viewer(), now=LATER)
    assert not line.is_held
    fresh = fetch(SessionType, kind.id)
    assert find_door("bath", f"secret-{fresh.link_key}", NOW).key.type_id == kind.id


@pytest.mark.parametrize(
    "given",
    [{"visibility": "private"}, {"offered_online": False}, {"deleted_at": NOW}],
)
def test_r30_private_and_not_offered_types_answer_nothing_by_any_link(site, given):
    kind = make_type(site, slug="secret", visibility="link_only")
    link = new(kind)
    addresses = [f"secret-{kind.link_key}", f"secret-{link.key}"]
    for address in addresses:
        assert find_door("bath", address, NOW)
    for name, value in given.items():
        setattr(kind, name, value)
    db.session.commit()
    for address in addresses:
        with pytest.raises(NotFound):
            find_door("bath", address, NOW)
    with pytest.raises(NotFound):
        new(kind)


def test_d2_site_slug_and_key_must_all_be_right(site, kind):
    link = new(kind)
    make_site(slug="york")
    wrong = [
        f"secret-{link.key}x", f"secret-{link.key[:-1]}", f"secrets-{link.key}", f"-{link.key}",
        link.key, f"secret{link.key}", f"secret-{link.key.swapcase()}", "", "-", "-" * 400,
    ]  # fmt: skip
    for address in wrong:
        with pytest.raises(NotFound):
            find_door("bath", address, NOW)
    for other in ("york", "nowhere"):
        with pytest.raises(NotFound):
            find_door(other, f"secret-{link.key}", NOW)


def test_a_use_begins_with_the_hold_and_comes_back_when_it_ends_unsold(evening, kind):
    link = new(kind, max_uses=1)
    secret = hold(evening, link)
    assert numbers(evening, link) == (1, 0, 1, 0)
    with pytest.raises(NotBookable):
        hold(evening, link)
    release_expired_holds(LATER)
    assert numbers(evening, link) == (0, 0, 0, 0)
    [line] = rebuild_basket(evening.organisation_id, secret, viewer=Viewer(), now=LATER)
    assert line.is_held
    buy(evening, secret, now=LATER)
    assert numbers(evening, link) == (1, 0, 1, 0)
    assert find_door("bath", f"secret-{link.key}", LATER).state == "used_up"
    well()


def test_a_cancelled_booking_gives_its_use_back(evening, kind):
    link = new(kind, max_uses=1)
    booking = find_order(buy(evening, hold(evening, link))).items[0].booking
    cancel_for_staff(kind.organisation_id, kind.site_id, booking.id, reason="Ill", now=NOW)
    assert numbers(evening, link) == (0, 0, 0, 0)
    assert find_door("bath", f"secret-{link.key}", NOW).state == "live"
    well()


def test_p6_a_links_price_is_charged_and_kept(evening, kind):
    link = new(kind, price=1500)
    secret = hold(evening, link, guests=2)
    order = find_basket(secret, now=NOW)
    item = order.items[0]
    assert (item.unit_price, item.price_source) == (1500, "link")
    assert review_basket(order, Viewer(), now=NOW).refusals == {}
    order = find_order(buy(evening, secret))
    assert sum(entry.amount for entry in order.ledger) == 3000
    well()


def test_a_free_link_sells_what_has_no_other_price(site):
    kind = make_type(site, price=None)
    row = make_session(kind)
    secret = hold(row, new(kind, price=0))
    change_guests(
        kind.organisation_id, secret, find_basket(secret, now=NOW).items[0].booking.id,
        guests=3, viewer=Viewer(), now=NOW,
    )  # fmt: skip
    assert find_order(buy(row, secret)).ledger == []
    well()


def test_a_link_for_one_session_opens_no_other(evening, kind):
    other = make_session(kind, local_start="2026-06-13T18:00")
    link = new(kind, evening)
    with pytest.raises(NotFound):
        hold(other, link)
    foreign = make_session(make_type(fetch(Site, kind.site_id)))
    with pytest.raises(NotFound):
        hold(foreign, link)
    hold(evening, link)


def test_kept_places_are_for_the_bearer_alone(evening, kind):
    by_key = Way(type_key=kind.link_key)
    link = new(kind, evening, places_kept=3)
    assert numbers(evening, link) == (0, 3, 0, 3)
    hold(evening, way=by_key, guests=5)
    with pytest.raises(NotBookable) as refused:
        hold(evening, way=by_key)
    assert refused.value.code == "places_left"
    secret = hold(evening, link, guests=2)
    assert numbers(evening, link) == (7, 1, 1, 1)
    booking = find_basket(secret, now=NOW).items[0].booking
    for guests, after in [(3, (8, 0, 1, 0)), (1, (6, 2, 1, 2)), (2, (7, 1, 1, 1))]:
        change_guests(
            kind.organisation_id, secret, booking.id, guests=guests, viewer=Viewer(), now=NOW
        )
        assert numbers(evening, link) == after
        well()
    with pytest.raises(NotBookable):
        change_guests(kind.organisation_id, secret, booking.id, guests=4, viewer=Viewer(), now=NOW)
    assert numbers(evening, link) == (7, 1, 1, 1)
    drop_line(kind.organisation_id, secret, booking.id, now=NOW)
    assert numbers(evening, link) == (5, 3, 0, 3)
    well()


def test_a_party_takes_what_is_kept_first_and_gives_back_no_more_than_that(evening, kind):
    link = new(kind, evening, places_kept=2)
    secret = hold(evening, link, guests=4)
    assert numbers(evening, link) == (4, 0, 1, 0)
    booking = find_basket(secret, now=NOW).items[0].booking
    change_guests(kind.organisation_id, secret, booking.id, guests=3, viewer=Viewer(), now=NOW)
    assert numbers(evening, link) == (3, 0, 1, 0)
    drop_line(kind.organisation_id, secret, booking.id, now=NOW)
    assert numbers(evening, link) == (0, 2, 0, 2)
    well()


def test_no_more_is_kept_than_is_free(evening, kind):
    hold(evening, way=Way(type_key=kind.link_key), guests=6)
    with pytest.raises(RuleBroken) as refused:
        new(kind, evening, places_kept=3)
    assert refused.value.field == "places_kept"
    assert numbers(evening) == (6, 0)
    assert list_links(kind.organisation_id, kind.site_id, NOW) == []


def test_h10_revoking_puts_what_was_kept_back_on_sale(evening, kind):
    link = new(kind, evening, places_kept=8)
    secret = hold(evening, link, guests=2)
    before = fetch(SessionType, kind.id).revision
    revoke_link(kind.organisation_id, kind.site_id, link.id, now=NOW)
    assert numbers(evening, link) == (2, 0, 1, 0)
    assert fetch(SessionType, kind.id).revision > before
    revoke_link(kind.organisation_id, kind.site_id, link.id, now=LATER)
    assert fetch(PrivateLink, link.id).revoked_at == NOW
    with pytest.raises(NotBookable) as refused:
        hold(evening, link)
    assert refused.value.sentence == "The venue has withdrawn this private link."
    # A hold begun in time may be finished, and cancelling it keeps nothing.
    booking = find_order(buy(evening, secret)).items[0].booking
    cancel_for_staff(kind.organisation_id, kind.site_id, booking.id, reason="Ill", now=NOW)
    assert numbers(evening, link) == (0, 0, 0, 0)
    well()


def test_h10_the_worker_frees_what_is_kept_for_links_that_have_ended(evening, kind):
    other = make_session(kind, local_start="2026-06-13T18:00")
    ending = new(kind, evening, places_kept=4, expires_at=NOW + HOUR)
    staying = new(kind, other, places_kept=4, expires_at=NOW + 2 * HOUR)
    assert release_kept_places(NOW + HOUR - dt.timedelta(microseconds=1)) == 0
    assert release_kept_places(NOW + HOUR) == 1
    assert release_kept_places(NOW + HOUR) == 0
    assert numbers(evening, ending) == (0, 0, 0, 0)
    assert numbers(other, staying) == (0, 4, 0, 4)
    well()


def test_a_hold_that_outlives_its_link_gives_its_places_to_everybody(evening, kind):
    link = new(kind, evening, places_kept=4, expires_at=NOW + dt.timedelta(minutes=5))
    hold(evening, link, guests=3)
    release_expired_holds(LATER)
    assert numbers(evening, link) == (0, 1, 0, 1)
    release_kept_places(LATER)
    assert numbers(evening, link) == (0, 0, 0, 0)
    well()


def test_what_a_used_up_link_cannot_use_goes_on_sale_once_it_is_sold(evening, kind):
    link = new(kind, evening, places_kept=4, max_uses=1)
    secret = hold(evening, link, guests=2)
    assert release_kept_places(NOW) == 0
    buy(evening, secret)
    assert release_kept_places(NOW) == 1
    assert numbers(evening, link) == (2, 0, 1, 0)
    well()


def test_a_link_for_one_customer_asks_for_their_address_and_names_nobody(evening, kind):
    ines = make_account("ines@example.com", "Ines")
    make_customer(kind.organisation_id, ines, email="ines@example.com", name="Ines")
    link = new(kind, email="INES@example.com")
    assert fetch(PrivateLink, link.id).customer.name == "Ines"
    secret = hold(evening, link)
    with pytest.raises(OtherAddress) as refused:
        buy(evening, secret, email="bob@example.com")
    assert refused.value.field == "email"
    assert "ines" not in refused.value.sentence.lower()
    buy(evening, secret, email="Ines@Example.com")
    signed_in = hold_places(
        kind.organisation_id, evening.id, session_type_id=kind.id, guests=1, viewer=Viewer(),
        basket_secret=None, account_id=ines.id, way=Way(link_id=link.id), now=NOW,
    )  # fmt: skip
    buy(evening, signed_in, email="work@example.com", account_id=ines.id)
    well()


def test_a_link_for_an_unknown_address_makes_it_a_customer(kind):
    link = new(kind, email="new@example.com")
    assert fetch(PrivateLink, link.id).customer.email == "new@example.com"


def test_first_seen_is_kept_once_and_a_hold_counts_too(evening, kind):
    seen, held = new(kind), new(kind)
    door = find_door("bath", f"secret-{seen.key}", NOW)
    assert not door.is_seen
    note_seen(door, NOW)
    note_seen(door, LATER)
    assert fetch(PrivateLink, seen.id).first_seen_at == NOW
    hold(evening, held, now=LATER)
    assert fetch(PrivateLink, held.id).first_seen_at == LATER


def test_d1_another_organisations_links_are_not_found(kind):
    link = new(kind)
    other = make_site(make_organisation(), slug="elsewhere")
    make_staff(other)
    with pytest.raises(NotFound):
        revoke_link(other.organisation_id, other.id, link.id, now=NOW)
    with pytest.raises(NotFound):
        renew_address(other.organisation_id, other.id, kind.id)
    with pytest.raises(NotFound):
        make_link(other.organisation_id, other.id, NewLink(kind.id, "x"), by="staff", now=NOW)
    assert list_links(other.organisation_id, other.id, NOW) == []


def test_the_doctor_sees_wrong_uses_and_wrong_kept_places(evening, kind):
    link = new(kind, evening, places_kept=2)
    db.session.execute(
        sa.update(PrivateLink).where(PrivateLink.id == link.id).values(uses=3, places_kept=1),
        execution_options=ANYWHERE,
    )
    db.session.commit()
    assert len(examine()) == 2


@pytest.mark.parametrize("rounds", [6])
def test_h1_sixteen_at_once_on_the_last_use_and_one_gets_it(app, rounds):
    with app.app_context():
        kind = make_type(make_site(slug="bath"), slug="secret", visibility="link_only")
        row = make_session(kind, capacity=40)
        sessions = [row, make_session(kind, local_start="2026-06-13T18:00", capacity=40)]
        plans = [(one.organisation_id, one.id, kind.id) for one in sessions]
        # Half of them for one session, half for another: only the link's row is in common.
        links = [new(kind, max_uses=1).id for _ in range(rounds)]
        db.session.remove()

    def press(number, link_id, start):
        with app.app_context():
            organisation_id, session_id, type_id = plans[number % 2]
            start.wait()
            try:
                return hold_places(
                    organisation_id, session_id, session_type_id=type_id, guests=1,
                    viewer=Viewer(), basket_secret=None, way=Way(link_id=link_id), now=NOW,
                )  # fmt: skip
            except NotBookable as refused:
                return refused.code
            finally:
                db.session.remove()

    for link_id in links:
        start = Barrier(16)
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda n: press(n, link_id, start), range(16)))  # noqa: B023
        assert sorted(answer == "visible" for answer in answers) == [False] + [True] * 15
    with app.app_context():
        assert all(fetch(PrivateLink, link_id).uses == 1 for link_id in links)
        live = sa.select(sa.func.count()).select_from(SessionBooking)
        assert db.session.scalar(live, execution_options=ANYWHERE) == rounds
        assert examine() == []


def test_h1_a_revocation_and_holds_at_once_lose_no_place(app):
    with app.app_context():
        kind = make_type(make_site(slug="bath"), slug="secret", visibility="link_only")
        row = make_session(kind, capacity=10)
        link_id = new(kind, row, places_kept=8).id
        organisation_id, site_id, session_id, type_id = (
            kind.organisation_id, kind.site_id, row.id, kind.id,
        )  # fmt: skip
        db.session.remove()
    start = Barrier(9)

    def act(number):
        with app.app_context():
            start.wait()
            try:
                if number == 4:
                    revoke_link(organisation_id, site_id, link_id, now=NOW)
                    return "revoked"
                hold_places(
                    organisation_id, session_id, session_type_id=type_id, guests=1,
                    viewer=Viewer(), basket_secret=None, way=Way(link_id=link_id), now=NOW,
                )  # fmt: skip
                return "held"
            except NotBookable as refused:
                return refused.code
            finally:
                db.session.remove()

    with ThreadPoolExecutor(9) as pool:
        answers = list(pool.map(act, range(9)))
    with app.app_context():
        held = answers.count("held")
        assert held + answers.count("visible") == 8
        row, link = fetch(Session, session_id), fetch(PrivateLink, link_id)
        assert (row.places_taken, row.places_kept, link.places_kept) == (held, 0, 0)
        assert link.uses == held
        assert examine() == []


@pytest.mark.parametrize("kept", [0, 2])
def test_a_link_may_be_used_again_when_the_venue_cancels_the_session(evening, kind, kept):
    link = new(kind, evening if kept else None, max_uses=1, places_kept=kept)
    buy(evening, hold(evening, link))
    row = (kind.organisation_id, kind.site_id, evening.id)
    seen = find_cancellable_session(*row, now=NOW).impact.mark
    cancel_session(*row, reason="Boiler", seen=seen, now=NOW)
    assert numbers(evening, link) == (0, kept, 0, kept)
    restore_session(*row, seen=find_restorable_session(*row, now=NOW).clash_mark, now=NOW)
    buy(evening, hold(evening, link), email="ben@example.com")
    assert numbers(evening, link) == (1, max(0, kept - 1), 1, max(0, kept - 1))
    ended = db.session.scalars(
        sa.select(SessionBooking).where(SessionBooking.cancelled_at.is_not(None)),
        execution_options=ANYWHERE,
    ).one()
    assert (ended.cancelled_by, ended.cancel_reason, ended.sequence) == ("venue", "Boiler", 1)
    well()
