"""Rights given and taken away: never beyond one's own, never the last ones, one at a time."""

import datetime as dt

import pytest
import sqlalchemy as sa
from conftest import NOW
from factories import (
    ANYWHERE,
    fetch,
    make_account,
    make_site,
    make_staff,
)
from sqlalchemy.exc import IntegrityError
from storms import storm, together  # noqa: F401 - a fixture

from domain.account_links import LinkGone
from domain.editing import EditedMeanwhile
from domain.errors import ImpactChanged, NotFound, RuleBroken, WrongState
from domain.invitations import InvitationVoid
from domain.roles import (
    RIGHTS,
    STAFF,
    BeyondOwnRights,
    LastStaffManager,
    OwnStaffRight,
    holds,
)
from models import (
    Account,
    ApiToken,
    IdempotencyKey,
    Job,
    Organisation,
    StaffGrant,
    StaffInvitation,
    db,
    transaction,
)
from services.accounts import find_desk, list_desks
from services.api_tokens import find_token, list_tokens, make_token, note_use, revoke_token
from services.staff import EVERYWHERE, find_person, list_staff, mark_of, remove_person, save_person
from services.staff_invitations import (
    accept,
    accept_anew,
    find_offer,
    invite,
    list_invitations,
    send_again,
    withdraw,
)
from services.staff_rights import find_grants

DAY = dt.timedelta(days=1)


class House:
    """Two sites, an owner, somebody who manages the staff of one site, and a receptionist."""

    def __init__(self, mark=""):
        self.bath = make_site()
        self.id = self.bath.organisation_id
        self.north = make_site(fetch(Organisation, self.id))
        self.owner = make_staff(
            self.bath, f"imogen{mark}@example.com", rights=RIGHTS, everywhere=True
        ).id
        self.local = make_staff(
            self.bath, f"lena{mark}@example.com", rights=(STAFF, "RESERVATIONS_MANAGE")
        ).id
        self.maren = make_staff(self.bath, f"maren{mark}@example.com").id

    def save(self, who, rights, *, by, **given):
        person = find_person(self.id, who)
        return save_person(self.id, who, rights, by=by, **{"seen": mark_of(person), **given})

    def remove(self, who, *, by):
        remove_person(self.id, who, by=by, seen=mark_of(find_person(self.id, who)))

    def invite(self, rights, *, by, email="noa@example.com", **given):
        return invite(
            self.id, self.bath.id, email=email, name="", title="Front desk", rights=rights,
            by=by, now=NOW, **given,
        )  # fmt: skip


@pytest.fixture
def house(ctx):
    return House()


def test_rights_hold_at_once_and_only_where_they_were_given(house):
    house.save(house.maren, {house.north.id: ["REPORTS_VIEW"]}, by=house.owner)
    assert find_grants(house.id, house.maren) == {
        (house.bath.id, "RESERVATIONS_MANAGE"), (house.north.id, "REPORTS_VIEW"),
    }  # fmt: skip
    assert {desk.venue.id: desk.rights for desk in list_desks(house.maren)} == {
        house.bath.id: {"RESERVATIONS_MANAGE"}, house.north.id: {"REPORTS_VIEW"},
    }  # fmt: skip
    house.remove(house.maren, by=house.owner)
    assert list_desks(house.maren) == []
    with pytest.raises(NotFound):
        find_desk(house.maren, house.bath.slug, "RESERVATIONS_MANAGE")


def test_nobody_gives_what_they_do_not_hold_there(house):
    bath, north = house.bath.id, house.north.id
    for rights in (
        {bath: ["SETTINGS_MANAGE"]},
        {north: ["RESERVATIONS_MANAGE"]},
        {EVERYWHERE: ["RESERVATIONS_MANAGE"]},
    ):
        with pytest.raises(BeyondOwnRights):
            house.save(house.maren, rights, by=house.local)
        with pytest.raises(BeyondOwnRights):
            house.save(
                house.local, {**rights, bath: [STAFF, *rights.get(bath, [])]}, by=house.local
            )
        with pytest.raises(BeyondOwnRights):
            house.invite(rights, by=house.local)
        with pytest.raises(BeyondOwnRights):
            make_token(house.id, name="Till", rights=rights, by=house.local, now=NOW)
        with pytest.raises(BeyondOwnRights):
            house.save(house.maren, rights, by=house.maren)
    house.save(house.maren, {bath: [STAFF]}, by=house.local)
    assert find_grants(house.id, house.maren) == {(bath, STAFF)}


def test_whoever_manages_the_staff_of_one_site_ends_nothing_elsewhere(house):
    house.save(house.maren, {house.north.id: ["REPORTS_VIEW"]}, by=house.owner)
    with pytest.raises(BeyondOwnRights):
        house.remove(house.maren, by=house.local)
    with pytest.raises(BeyondOwnRights):
        house.remove(house.owner, by=house.local)
    house.save(house.maren, {house.bath.id: []}, title="Nobody", by=house.local)
    assert find_grants(house.id, house.maren) == {(house.north.id, "REPORTS_VIEW")}
    assert find_person(house.id, house.maren).title == "Front desk"


def test_r1_another_organisations_people_and_sites_are_not_found(house):
    theirs = make_site()
    stranger = make_staff(theirs, "stranger@example.com", rights=RIGHTS, everywhere=True)
    with pytest.raises(NotFound):
        find_person(house.id, stranger.id)
    with pytest.raises(NotFound):
        find_person(house.id, make_account("customer@example.com").id)
    with pytest.raises(NotFound):
        house.save(house.maren, {theirs.id: ["REPORTS_VIEW"]}, by=house.owner)
    with pytest.raises(NotFound):
        house.invite({theirs.id: ["REPORTS_VIEW"]}, by=house.owner)
    with pytest.raises(NotFound):
        make_token(
            house.id, name="Till", rights={theirs.id: ["REPORTS_VIEW"]}, by=house.owner, now=NOW
        )
    assert {line.person.id for line in list_staff(house.id, own_id="").lines} == {
        house.owner, house.local, house.maren,
    }  # fmt: skip


def test_ones_own_right_to_manage_staff_ends_with_a_second_word_only(house):
    with pytest.raises(OwnStaffRight):
        house.save(house.local, {house.bath.id: ["RESERVATIONS_MANAGE"]}, by=house.local)
    house.save(house.local, {house.bath.id: ["RESERVATIONS_MANAGE"]}, by=house.local, is_sure=True)
    assert find_grants(house.id, house.local) == {(house.bath.id, "RESERVATIONS_MANAGE")}


def test_the_last_who_manages_all_staff_stays_whatever_writes(house):
    for deed in (
        lambda: house.save(house.owner, {EVERYWHERE: []}, by=house.owner, is_sure=True),
        lambda: house.remove(house.owner, by=house.owner),
    ):
        with pytest.raises(LastStaffManager):
            deed()
    whole = (
        StaffGrant.organisation_id == house.id, StaffGrant.right == STAFF,
        StaffGrant.site_id.is_(None),
    )  # fmt: skip
    for statement in (
        sa.delete(StaffGrant).where(StaffGrant.organisation_id == house.id),
        sa.update(StaffGrant).where(*whole).values(site_id=house.bath.id),
    ):
        with pytest.raises(IntegrityError, match="manage the staff of all sites"), transaction():
            db.session.execute(statement)
    assert holds(find_grants(house.id, house.owner), STAFF, None)


def test_no_right_at_all_sites_is_given_twice(house):
    with pytest.raises(IntegrityError), transaction():
        db.session.add(
            StaffGrant(organisation_id=house.id, account_id=house.owner, right=STAFF, title="")
        )


def owners(house, mark):
    """Two people who manage all staff, each with the mark of what a page showed of them."""
    second = make_staff(house.bath, f"{mark}@example.com", rights=RIGHTS, everywhere=True).id
    return {one: mark_of(find_person(house.id, one)) for one in (house.owner, second)}


def test_of_two_owners_who_remove_each_other_or_leave_at_once_one_stays(storm):  # noqa: F811
    with storm.app_context():
        first, other = House("1"), House("2")
        pair, leaving = owners(first, "second"), owners(other, "third")
        first_id, other_id = first.id, other.id
    one, two = pair
    said = together(
        storm,
        lambda: remove_person(first_id, one, by=two, seen=pair[one]),
        lambda: remove_person(first_id, two, by=one, seen=pair[two]),
        *(
            lambda who=who: remove_person(other_id, who, by=who, seen=leaving[who])
            for who in leaving
        ),
    )
    assert sorted(map(str, said[:2])) == ["None", "beyond_own_rights"]
    assert sorted(map(str, said[2:])) == ["None", "last_staff_manager"]
    with storm.app_context():
        for organisation_id, people in ((first_id, pair), (other_id, leaving)):
            held = [find_grants(organisation_id, person) for person in people]
            assert sorted(holds(one, STAFF, None) for one in held) == [False, True]


def test_d4_a_stale_editor_is_shown_both_versions_and_what_it_left_out_stays(house):
    seen = mark_of(find_person(house.id, house.maren))
    house.save(house.maren, {house.bath.id: ["REPORTS_VIEW"]}, by=house.owner)
    with pytest.raises(EditedMeanwhile) as edited:
        house.save(house.maren, {house.bath.id: []}, by=house.owner, seen=seen)
    assert [(one.field, one.theirs) for one in edited.value.differences] == [
        (house.bath.id, ["REPORTS_VIEW"])
    ]
    with pytest.raises(ImpactChanged):
        remove_person(house.id, house.maren, by=house.owner, seen=seen)
    house.save(house.maren, {house.bath.id: []}, by=house.owner, seen=edited.value.mark)
    with pytest.raises(NotFound):
        find_person(house.id, house.maren)


def test_an_invitation_is_one_letter_without_a_secret_and_one_at_a_time(house):
    first = house.invite({house.bath.id: ["RESERVATIONS_MANAGE"]}, by=house.owner, key="press")
    again = house.invite({house.bath.id: ["RESERVATIONS_MANAGE"]}, by=house.owner, key="press")
    assert first == again
    [job] = db.session.scalars(sa.select(Job), execution_options=ANYWHERE).all()
    assert job.payload == {"letter": "staff_invitation", "invitation": first, "number": 1}
    # No venue's outbox shows it: its link would give rights to whoever reads it there.
    assert (job.organisation_id, job.site_id) == (None, None)
    with pytest.raises(RuleBroken, match="invited already") as refusal:
        house.invite({house.bath.id: ["REPORTS_VIEW"]}, by=house.owner, email="NOA@example.com")
    assert refusal.value.field == "email"
    with pytest.raises(RuleBroken, match="works with you already"):
        house.invite({house.bath.id: ["REPORTS_VIEW"]}, by=house.owner, email="maren@example.com")
    with pytest.raises(RuleBroken, match="at least one right"):
        house.invite({}, by=house.owner, email="other@example.com")


def test_an_invitation_that_ran_out_makes_room_for_another(house):
    house.invite({house.bath.id: ["RESERVATIONS_MANAGE"]}, by=house.owner)
    later = invite(
        house.id, house.bath.id, email="noa@example.com", name="", title="",
        rights={house.bath.id: ["REPORTS_VIEW"]}, by=house.owner, now=NOW + 7 * DAY,
    )  # fmt: skip
    states = {one.id: one.state for one in list_invitations(house.id, own_id="", now=NOW + 7 * DAY)}
    assert states.pop(later) == "open"
    assert list(states.values()) == ["withdrawn"]


def test_accepting_gives_the_rights_once_and_to_the_address_only(house):
    invited = house.invite({house.bath.id: ["RESERVATIONS_MANAGE", STAFF]}, by=house.owner)
    other, noa = make_account("other@example.com").id, make_account("Noa@example.com").id
    with pytest.raises(WrongState):
        accept(invited, 1, account_id=other, now=NOW)
    for _ in range(2):
        accept(invited, 1, account_id=noa, now=NOW)
    assert find_grants(house.id, noa) == {
        (house.bath.id, "RESERVATIONS_MANAGE"), (house.bath.id, STAFF),
    }  # fmt: skip
    # Taken away meanwhile, the old link gives nothing back.
    house.remove(noa, by=house.owner)
    accept(invited, 1, account_id=noa, now=NOW)
    assert find_grants(house.id, noa) == frozenset()
    with pytest.raises(LinkGone):
        find_offer(invited, 1, now=NOW)


def test_an_invitation_is_void_when_its_sender_lost_the_right_meanwhile(house):
    invited = house.invite({house.bath.id: ["RESERVATIONS_MANAGE"]}, by=house.local)
    noa = make_account("noa@example.com").id
    house.save(house.local, {house.bath.id: [STAFF]}, by=house.owner)
    with pytest.raises(InvitationVoid):
        find_offer(invited, 1, now=NOW)
    with pytest.raises(InvitationVoid):
        accept(invited, 1, account_id=noa, now=NOW)
    assert find_grants(house.id, noa) == frozenset()
    [line] = list_invitations(house.id, own_id=house.owner, now=NOW)
    assert (line.state, line.is_void) == ("open", True)
    send_again(house.id, invited, by=house.owner, now=NOW)
    accept(invited, 2, account_id=noa, now=NOW)
    assert find_grants(house.id, noa) == {(house.bath.id, "RESERVATIONS_MANAGE")}


def test_sent_again_the_old_link_is_dead_and_withdrawn_both_are(house):
    invited = house.invite({house.bath.id: ["RESERVATIONS_MANAGE"]}, by=house.owner)
    with pytest.raises(BeyondOwnRights):
        send_again(house.id, invited, by=house.maren, now=NOW)
    send_again(house.id, invited, by=house.local, now=NOW + DAY)
    with pytest.raises(LinkGone, match="newest letter"):
        find_offer(invited, 1, now=NOW + DAY)
    assert find_offer(invited, 2, now=NOW + 8 * DAY - DAY / 2).email == "noa@example.com"
    with pytest.raises(BeyondOwnRights):
        withdraw(house.id, invited, by=house.maren, now=NOW)
    for _ in range(2):
        withdraw(house.id, invited, by=house.local, now=NOW)
    for letter in (1, 2):
        with pytest.raises(LinkGone):
            find_offer(invited, letter, now=NOW)
    with pytest.raises(WrongState):
        send_again(house.id, invited, by=house.owner, now=NOW)


def test_a_new_account_is_opened_with_the_invitation_never_beside_one_that_is_there(house):
    invited = house.invite({house.bath.id: ["RESERVATIONS_MANAGE"]}, by=house.owner)
    joining = {"name": "Noa Berg", "who": "noa", "now": NOW}
    with pytest.raises(RuleBroken, match="at least 10"):
        accept_anew(invited, 1, password="short", **joining)
    found = accept_anew(invited, 1, password="warm slow water", **joining)
    assert holds(find_grants(house.id, found.id), "RESERVATIONS_MANAGE", house.bath.id)
    with pytest.raises(LinkGone):
        accept_anew(invited, 1, password="warm slow water", **joining)
    second = house.invite(
        {house.bath.id: ["REPORTS_VIEW"]}, by=house.owner, email="known@example.com"
    )
    make_account("known@example.com")
    with pytest.raises(WrongState, match="Sign in to accept"):
        accept_anew(second, 1, password="warm slow water", **joining)


def test_an_invitation_accepted_by_many_presses_at_once_makes_one_account(storm):  # noqa: F811
    with storm.app_context():
        house = House()
        invited = house.invite({house.bath.id: ["RESERVATIONS_MANAGE"]}, by=house.owner)
    said = together(
        storm,
        *(
            lambda: (
                accept_anew(
                    invited, 1, name="Noa", password="warm slow water", who="noa", now=NOW
                ).email
            )
            for _ in range(4)
        ),
    )
    assert sorted(said) == ["invitation_accepted"] * 3 + ["noa@example.com"]


def make(house, **given):
    wanted = {"name": "Till", "rights": {house.bath.id: ["ORDERS_MANAGE"]}, "by": house.owner}
    return make_token(house.id, **{**wanted, "now": NOW, **given})


def test_a_token_is_found_by_itself_alone_with_just_its_rights(house):
    token_id, plain = make(house)
    bearer = find_token(plain, NOW)
    assert (bearer.organisation_id, bearer.token_id) == (house.id, token_id)
    assert bearer.grants == {(house.bath.id, "ORDERS_MANAGE")}
    assert bearer.may("ORDERS_MANAGE", house.bath.id)
    assert not bearer.may("ORDERS_MANAGE", house.north.id)
    assert not bearer.may("ORDERS_MANAGE", None)
    for other in (
        plain[:-1],
        plain + "a",
        plain[:-1] + ("a" if plain[-1] != "a" else "b"),
        "",
        "é",
    ):
        assert find_token(other, NOW) is None


def test_nothing_that_is_kept_is_the_token(house):
    _, plain = make(house, key="press")
    for model in (ApiToken, IdempotencyKey, Job):
        for row in db.session.scalars(sa.select(model), execution_options=ANYWHERE):
            kept = " ".join(str(getattr(row, column.key)) for column in model.__table__.columns)
            assert plain not in kept
            assert plain.removeprefix("sundial_")[:20] not in kept


def test_h6_the_same_press_makes_one_token_and_shows_it_once(house):
    token_id, plain = make(house, key="press")
    assert plain
    assert make(house, key="press", now=NOW + DAY / 24) == (token_id, "")
    assert len(list_tokens(house.id, own_id=house.owner, now=NOW)) == 1


def test_a_token_ends_when_it_is_revoked_or_its_time_is_over(house):
    _, plain = make(house, expires_at=NOW + DAY)
    assert find_token(plain, NOW + DAY - dt.timedelta(seconds=1))
    assert find_token(plain, NOW + DAY) is None
    token_id, other = make(house)
    with pytest.raises(BeyondOwnRights):
        revoke_token(house.id, token_id, by=house.maren, now=NOW)
    for _ in range(2):
        revoke_token(house.id, token_id, by=house.local, now=NOW)
    assert find_token(other, NOW) is None
    with pytest.raises(NotFound):
        revoke_token(make_site().organisation_id, token_id, by=house.owner, now=NOW)


def test_a_token_outlives_its_makers_time_here_and_says_so(house):
    _, plain = make(house, rights={house.bath.id: ["RESERVATIONS_MANAGE"]}, by=house.local)
    house.remove(house.local, by=house.owner)
    assert find_token(plain, NOW)
    [line] = list_tokens(house.id, own_id=house.owner, now=NOW)
    assert (line.made_by, line.has_left) == ("Maren Ellis", True)


def test_the_last_use_is_kept_to_the_minute(house):
    token_id, _ = make(house)
    moments = [NOW + dt.timedelta(seconds=second) for second in (0, 1, 59, 60, 61)]
    assert [note_use(token_id, at) for at in moments] == [True, False, False, True, False]
    db.session.expire_all()
    assert fetch(ApiToken, token_id).last_used_at == NOW + dt.timedelta(seconds=60)


def test_the_account_of_a_leaver_can_be_closed_and_what_they_began_stays(house):
    make(house, rights={house.bath.id: ["RESERVATIONS_MANAGE"]}, by=house.local)
    house.invite({house.bath.id: ["RESERVATIONS_MANAGE"]}, by=house.local)
    house.remove(house.local, by=house.owner)
    with transaction():
        db.session.delete(fetch(Account, house.local))
    [token] = list_tokens(house.id, own_id=house.owner, now=NOW)
    assert token.has_left
    [invitation] = list_invitations(house.id, own_id=house.owner, now=NOW)
    assert invitation.is_void
    assert (
        db.session.scalar(sa.select(StaffInvitation.invited_by_id), execution_options=ANYWHERE)
        is None
    )
