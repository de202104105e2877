"""Memberships on a real database: who counts where, edits that meet, files of members."""

import datetime as dt

import pytest
import sqlalchemy as sa
from factories import (
    ANYWHERE,
    NOW,
    fetch,
    make_account,
    make_customer,
    make_member,
    make_organisation,
    make_rule,
    make_session,
    make_site,
    make_type,
    save,
)
from sqlalchemy import event

from domain.eligibility import Viewer
from domain.errors import NotFound, RuleBroken
from domain.member_file import FileRefused
from domain.memberships import ChangedMeanwhile, Days
from models import Customer, Membership, MembershipType, db, new_uuid
from services.accounts import viewer_of
from services.member_import import apply_import, export_members, plan_import, sample_file
from services.memberships import (
    add_type,
    archive_type,
    change_membership_days,
    end_membership,
    give_membership,
    list_held,
    list_types,
    pause_membership,
    rename_type,
    restore_type,
    resume_membership,
)
from services.timetable import find_page_key, find_type_page, viewer_key

TODAY = dt.date(2026, 6, 4)
JUNE = dt.date(2026, 6, 1)
LAST = dt.date(2026, 6, 30)
HEAD = "email,name,membership type,first day,last day,state\n"

pytestmark = pytest.mark.usefixtures("ctx")


@pytest.fixture
def house(ctx):
    site = make_site(slug="bath")
    account = make_account()
    kind = save(MembershipType(id=new_uuid(), organisation_id=site.organisation_id, name="River"))
    customer = make_customer(site.organisation_id, account)
    return site, kind, customer, account


def give(house, first=JUNE, last=LAST, **given):
    site, kind, customer, _ = house
    return give_membership(
        site.organisation_id, customer.id, type_id=kind.id, first_day=first, last_day=last,
        now=NOW, today=TODAY, **given,
    )  # fmt: skip


def test_p10_a_new_membership_counts_at_once_on_kept_pages(house):
    site, kind, _, account = house
    offer = make_type(site, slug="circuit", price=4800)
    offer.price_rules[0].position = 1
    db.session.commit()
    make_rule(offer, price=3600, membership_type_ids=[kind.id])
    for day in ("2026-05-31", "2026-06-30", "2026-07-01"):
        make_session(offer, local_start=f"{day}T18:00")

    def lowest(viewer, day):
        page = find_type_page(
            find_page_key("bath", "circuit"), viewer=viewer, guests=1, month=None, date=day, now=NOW
        )
        return page.slots[0].offering.price.amount

    def me():
        return viewer_of(site.organisation_id, account.id, now=NOW)

    assert lowest(me(), LAST) == 4800
    key = viewer_key(me())
    membership_id = give(house)
    assert viewer_key(me()) != key
    assert lowest(me(), LAST) == 3600
    assert lowest(me(), dt.date(2026, 7, 1)) == 4800
    assert lowest(Viewer(), LAST) == 4800
    customer_id = house[2].id
    was = Days(JUNE, LAST)
    pause_membership(site.organisation_id, customer_id, membership_id, was=was, today=TODAY)
    assert lowest(me(), LAST) == 4800
    paused = Days(JUNE, LAST, "paused")
    resume_membership(site.organisation_id, customer_id, membership_id, was=paused)
    assert lowest(me(), LAST) == 3600
    end_membership(
        site.organisation_id, customer_id, membership_id, last_day=None, was=was, today=TODAY
    )
    assert lowest(me(), LAST) == 4800


def test_h6_giving_twice_with_one_key_is_one_membership(house):
    assert give(house, key="k") == give(house, key="k")
    assert len(list_held(house[0].organisation_id, house[2].id)) == 1
    with pytest.raises(RuleBroken, match="already"):
        give(house, key="another")


def test_d1_foreign_customers_types_and_memberships_are_not_found(house):
    site, kind, customer, _ = house
    other = make_organisation()
    with pytest.raises(NotFound):
        give_membership(
            other.id, customer.id, type_id=kind.id, first_day=JUNE, last_day=None, now=NOW,
            today=TODAY,
        )  # fmt: skip
    strange = save(MembershipType(id=new_uuid(), organisation_id=other.id, name="Strange"))
    with pytest.raises(RuleBroken, match="from the list"):
        give_membership(
            site.organisation_id, customer.id, type_id=strange.id, first_day=JUNE, last_day=None,
            now=NOW, today=TODAY,
        )  # fmt: skip
    membership_id = give(house)
    with pytest.raises(NotFound):
        pause_membership(other.id, customer.id, membership_id, was=Days(JUNE, LAST), today=TODAY)
    for deed in (
        lambda: archive_type(other.id, kind.id, now=NOW),
        lambda: restore_type(other.id, kind.id),
    ):
        with pytest.raises(NotFound):
            deed()


def test_d4_the_second_of_two_editors_is_told_and_may_save_again(house):
    site, _, customer, _ = house
    membership_id = give(house)
    was = Days(JUNE, LAST)

    def change(last, seen):
        change_membership_days(
            site.organisation_id, customer.id, membership_id, first_day=JUNE, last_day=last,
            was=seen, today=TODAY,
        )  # fmt: skip

    change(dt.date(2026, 8, 31), was)
    change(dt.date(2026, 8, 31), was)
    with pytest.raises(ChangedMeanwhile, match="31 August 2026"):
        change(dt.date(2026, 9, 30), was)
    change(dt.date(2026, 9, 30), Days(JUNE, dt.date(2026, 8, 31)))
    assert fetch(Membership, membership_id).last_day == dt.date(2026, 9, 30)


def test_two_memberships_never_get_one_first_day(house):
    site, _, customer, _ = house
    ended = give(house)
    end_membership(
        site.organisation_id, customer.id, ended, last_day=None, was=Days(JUNE, LAST), today=TODAY
    )
    fresh = give(house, first=dt.date(2026, 6, 10), last=None)
    with pytest.raises(RuleBroken, match="on record as ended"):
        change_membership_days(
            site.organisation_id, customer.id, fresh, first_day=JUNE, last_day=None,
            was=Days(dt.date(2026, 6, 10), None), today=TODAY,
        )  # fmt: skip


def test_types_are_added_renamed_archived_and_restored(house):
    site, kind, _, account = house
    organisation_id = site.organisation_id
    offer = make_type(site, members_only=True, permitted_membership_type_ids=[kind.id])
    make_rule(offer, price=1, position=1, membership_type_ids=[kind.id])
    give(house)
    (line,) = list_types(organisation_id, today=TODAY)
    assert (line.holders, line.offers) == (1, 1)
    assert list_types(organisation_id, today=dt.date(2026, 7, 1))[0].holders == 0
    with pytest.raises(RuleBroken, match="already"):
        add_type(organisation_id, name=" river ", now=NOW)
    assert add_type(organisation_id, name="Towpath", key="k", now=NOW) == add_type(
        organisation_id, name="Towpath", key="k", now=NOW
    )
    rename_type(organisation_id, kind.id, name="Stream", was="River")
    rename_type(organisation_id, kind.id, name="Stream", was="River")
    with pytest.raises(ChangedMeanwhile, match="Stream"):
        rename_type(organisation_id, kind.id, name="Brook", was="River")
    archive_type(organisation_id, kind.id, now=NOW)
    archive_type(organisation_id, kind.id, now=NOW)
    assert viewer_of(organisation_id, account.id, now=NOW).types_valid_on(TODAY) == {kind.id}
    with pytest.raises(RuleBroken, match="from the list"):
        give(house, first=dt.date(2026, 7, 1), last=None)
    add_type(organisation_id, name="Stream", now=NOW)
    with pytest.raises(RuleBroken, match="already"):
        restore_type(organisation_id, kind.id)


# ---------------------------------------------------------------- files of members


def outcome(site, text):
    return [one.kind for one in plan_import(site.organisation_id, text, today=TODAY).outcomes]


def bring_in(site, text):
    plan = plan_import(site.organisation_id, text, today=TODAY)
    apply_import(site.organisation_id, text, digest=plan.digest, now=NOW, today=TODAY)
    return plan


def test_each_line_does_what_was_shown_and_twice_changes_nothing(house):
    site, kind, customer, _ = house
    give(house)
    text = HEAD + (
        f"ANA@example.com,Another Name,river,2026-06-01,2026-06-30,\n"
        f"ana@example.com,,{kind.id},2026-07-01,,\n"
        "jude@example.com,Jude Park,River,2026-06-01,2026-12-31,paused\n"
        "jude@example.com,Jude Park,River,2026-06-01,2026-12-31,\n"
        "jude@example.com,Jude Park,River,2027-01-01,,\n"
    )
    plan = bring_in(site, text)
    kinds = [one.kind for one in plan.outcomes]
    assert kinds == ["same", "membership", "customer", "same", "membership"]
    assert plan.changes == 3
    jude = db.session.scalars(
        sa.select(Customer).where(Customer.email_key == "jude@example.com"),
        execution_options=ANYWHERE,
    ).one()
    assert (jude.name, jude.account_id, jude.address_key) == ("Jude Park", None, "jude@example.com")
    states = [(held.first_day, held.state) for held in list_held(site.organisation_id, jude.id)]
    assert states == [(dt.date(2027, 1, 1), "active"), (JUNE, "paused")]
    assert fetch(Customer, customer.id).name == "Ana Reyes"
    assert set(outcome(site, text)) == {"same"}


def test_a_line_changes_days_and_state_of_what_is_there(house):
    site, _, customer, _ = house
    give(house)
    bring_in(site, HEAD + "ana@example.com,,River,2026-06-01,2026-09-30,paused\n")
    (held,) = list_held(site.organisation_id, customer.id)
    assert held.days == Days(JUNE, dt.date(2026, 9, 30), "paused")
    # Absent leaves the state alone (D4).
    assert outcome(site, HEAD + "ana@example.com,,River,2026-06-01,2026-09-30,\n") == ["same"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("new@example.com,,River,2026-06-01,,", "name is missing"),
        ("new@example.com,New,Lake,2026-06-01,,", "no membership called “Lake”"),
        ("new@example.com,New,River,2026-06-10,2026-06-01,", "before the first"),
        ("new@example.com,New,River,2026-01-01,2026-02-01,", "over already"),
        ("new@example.com,New,River,2026-06-01,,ended", "can't be added"),
        ("new@example.com,New,Old,2026-06-01,,", "archived"),
        ("ana@example.com,,River,2026-06-15,,", "already"),
        ("ana@example.com,,River,2026-06-01,2026-06-02,", "passed"),
    ],
)
def test_a_bad_line_says_what_is_wrong_and_the_others_go_in(house, line, said):
    site, _, _, _ = house
    give(house)
    save(
        MembershipType(
            id=new_uuid(), organisation_id=site.organisation_id, name="Old", deleted_at=NOW
        )
    )
    text = HEAD + line + "\njude@example.com,Jude Park,River,2026-06-01,,\n"
    plan = bring_in(site, text)
    bad, good = plan.outcomes
    assert (bad.kind, bad.number, bad.text) == ("bad", 2, line)
    assert said in bad.said
    assert good.kind == "customer"


def test_s3_nothing_is_imported_when_the_facts_have_moved(house):
    site, _, customer, _ = house
    text = (
        HEAD
        + "ana@example.com,,River,2026-06-01,2026-12-31,\nnew@example.com,New,River,2026-06-01,,\n"
    )
    plan = plan_import(site.organisation_id, text, today=TODAY)
    give(house)
    with pytest.raises(ChangedMeanwhile):
        apply_import(site.organisation_id, text, digest=plan.digest, now=NOW, today=TODAY)
    assert len(list_held(site.organisation_id, customer.id)) == 1
    people = sa.select(sa.func.count()).select_from(Customer)
    assert db.session.scalar(people, execution_options=ANYWHERE) == 1


def test_who_an_address_belongs_to(house):
    """Its own row, else the row of the account that proved it, else a guest's; never a new link."""
    site, _, customer, _ = house
    organisation_id = site.organisation_id
    guest = make_customer(organisation_id, name="Guest", email="guest@example.com", email_key=None)
    mover = make_account("mover@example.com", "Mover")
    moved = make_customer(organisation_id, mover, name="Mover", email="old@example.com")
    loner = make_account("loner@example.com", "Loner")
    bring_in(
        site,
        HEAD + "ana@example.com,,River,2026-06-01,,\nguest@example.com,,River,2026-06-01,,\n"
        "mover@example.com,,River,2026-06-01,,\nloner@example.com,Loner,River,2026-06-01,,\n",
    )
    for row in (customer, guest, moved):
        assert len(list_held(organisation_id, row.id)) == 1
    accounts = db.session.scalars(
        sa.select(Customer.account_id).where(Customer.email_key == "loner@example.com"),
        execution_options=ANYWHERE,
    ).all()
    assert accounts == [None]
    assert viewer_of(organisation_id, loner.id, now=NOW).memberships == ()
    assert viewer_of(organisation_id, mover.id, now=NOW).memberships


def test_d1_another_organisations_people_and_types_are_unknown_to_a_file(house):
    _, kind, _, _ = house
    elsewhere = make_site(make_organisation(), slug="elsewhere")
    save(MembershipType(id=new_uuid(), organisation_id=elsewhere.organisation_id, name="Lake"))
    text = HEAD + (
        f"ana@example.com,Ana,{kind.id},2026-06-01,,\nana@example.com,Ana,Lake,2026-06-01,,\n"
    )
    assert outcome(elsewhere, text) == ["bad", "customer"]


def test_what_is_written_out_can_be_read_in_and_changes_nothing(house):
    site, kind, _, _ = house
    organisation_id = site.organisation_id
    make_member(organisation_id, make_account("+plus@example.com", "=1+1"))
    give(house)
    archive_type(organisation_id, kind.id, now=NOW)
    text = export_members(organisation_id)
    assert "'=1+1" in text
    assert "'+plus@example.com" in text
    assert set(outcome(site, text)) == {"same"}
    with pytest.raises(FileRefused):
        plan_import(organisation_id, "", today=TODAY)


def test_the_sample_can_be_imported(house):
    site, _, _, _ = house
    text = sample_file(site.organisation_id, today=TODAY)
    assert outcome(site, text) == ["membership", "customer"]


def test_a_large_file_asks_a_few_questions(house):
    site, _, _, _ = house
    text = HEAD + "".join(f"p{n}@example.com,P {n},River,2026-06-01,,\n" for n in range(5000))
    asked = []

    def note(*given):
        asked.append(given[2])

    event.listen(db.engine, "before_cursor_execute", note)
    plan = plan_import(site.organisation_id, text, today=TODAY)
    event.remove(db.engine, "before_cursor_execute", note)
    assert plan.changes == 5000
    assert len(asked) <= 5
    apply_import(site.organisation_id, text, digest=plan.digest, now=NOW, today=TODAY)
    assert set(outcome(site, text)) == {"same"}
