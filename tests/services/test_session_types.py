"""Saving, copying and archiving session types on the real database."""

import datetime as dt

import pytest
import sqlalchemy as sa
from factories import (
    ANYWHERE,
    NOW,
    fetch,
    make_group,
    make_order,
    make_room,
    make_rule,
    make_session,
    make_site,
    make_type,
    save,
)

from domain.editing import EditedMeanwhile
from domain.eligibility import Viewer
from domain.errors import ImpactChanged, NotBookable, NotFound
from domain.local_time import end_of
from domain.session_types import ACCESS, DETAILS, WrongFields
from models import (
    ClosedDay,
    Media,
    RecurrenceGroup,
    Room,
    Session,
    SessionType,
    Site,
    db,
    new_uuid,
)
from services.basket import hold_places
from services.checkout import confirm_order, find_order
from services.closed_days import reopen_day
from services.facts import venue_of
from services.media import delete_media
from services.scheduling import produce_sessions
from services.session_types import find_type, mark_of_part, save_type, values_of
from services.session_types import make_type as add_type
from services.type_archiving import archive_type, count_singles, find_archiving, restore_type
from services.type_copying import copy_type
from services.type_list import Wanted, find_selling, list_types


def here(row):
    return row.organisation_id, row.site_id, row.id


def change(row, part=DETAILS, **given):
    seen = mark_of_part(values_of(find_type(*here(row))), part)
    return save_type(*here(row), given, part=part, seen=seen, now=NOW)


def archive(row):
    seen = find_archiving(*here(row), now=NOW).mark
    archive_type(*here(row), seen=seen, now=NOW)


def test_r31_renaming_leaves_the_names_of_sessions(ctx):
    kind = make_type(name="Old name")
    slot = make_session(kind)
    change(kind, name="New name")
    assert fetch(Session, slot.id).session_type_name == "Old name"


def test_r9_other_limits_leave_sessions_and_m8_orders_as_they_were(ctx):
    kind = make_type(max_guests=4)
    slot = make_session(kind)
    secret = make_order(slot, guests=4)
    change(kind, ACCESS, max_guests="2", max_baskets_per_session="1", waitlist_enabled="true")
    row = fetch(Session, slot.id)
    assert (row.max_baskets, row.waitlist_enabled) == (None, False)
    assert find_order(secret).items[0].booking.places == 4


def test_another_length_reaches_coming_sessions_that_nobody_booked_or_changed(ctx):
    kind = make_type(duration=120)
    past = make_session(kind, local_start="2026-06-03T10:00")
    free = make_session(kind, local_start="2026-10-25T00:30")
    sold = make_session(kind, local_start="2026-06-13T10:00")
    own = make_session(kind, local_start="2026-06-14T10:00", overridden=["duration"])
    other = make_session(kind, local_start="2026-06-15T10:00", overridden=["price"])
    with_series = make_session(
        kind, local_start="2026-06-16T10:00", deleted_at=NOW, withdrawn_by="series"
    )
    by_hand = make_session(kind, local_start="2026-06-17T10:00", deleted_at=NOW)
    elsewhere = make_session(make_type(), local_start="2026-06-12T10:00")
    promised = make_session(kind, local_start="2026-06-18T10:00", places_kept=1)
    make_order(sold)
    saved = change(kind, duration="90")
    assert saved.sessions == 2
    assert saved.changed == {"duration"}
    minutes = {
        name: int((row.end_time - row.start_time).total_seconds() // 60)
        for name, row in (
            (name, fetch(Session, slot.id))
            for name, slot in (
                ("past", past), ("free", free), ("sold", sold), ("own", own), ("other", other),
                ("with_series", with_series), ("by_hand", by_hand), ("elsewhere", elsewhere),
                ("promised", promised),
            )
        )
    }  # fmt: skip
    assert minutes == {
        "past": 120, "free": 90, "sold": 120, "own": 120, "other": 90, "with_series": 90,
        "by_hand": 120, "elsewhere": 120, "promised": 120,
    }  # fmt: skip
    # What is written in one statement reads like what is written one by one.
    twin = make_session(kind, local_start="2026-10-25T00:30")
    assert twin.end_time == end_of(free.start_time, 90)
    same = sa.select(sa.func.count(Session.id)).where(
        Session.organisation_id == kind.organisation_id, Session.end_time == twin.end_time
    )
    assert db.session.scalar(same) == 2


def test_d4_a_stale_edit_is_refused_with_what_is_saved_now(ctx):
    kind = make_type(name="First")
    seen = mark_of_part(values_of(find_type(*here(kind))), DETAILS)
    change(kind, name="Second")
    with pytest.raises(EditedMeanwhile) as refused:
        save_type(*here(kind), {"name": "Third"}, part=DETAILS, seen=seen, now=NOW)
    assert [(one.field, one.theirs) for one in refused.value.differences] == [("name", "Second")]
    save_type(*here(kind), {"name": "Third"}, part=DETAILS, seen=refused.value.mark, now=NOW)
    assert fetch(SessionType, kind.id).name == "Third"


def test_a_page_changes_only_its_own_part(ctx):
    kind = make_type(name="Name", members_only=False)
    change(kind, DETAILS, members_only="true", name="Other")
    row = fetch(SessionType, kind.id)
    assert (row.name, row.members_only) == ("Other", False)


def test_saving_raises_the_revision_once_and_the_same_again_not_at_all(ctx):
    kind = make_type()
    before = fetch(SessionType, kind.id).revision
    change(kind, summary="Another")
    assert fetch(SessionType, kind.id).revision == before + 1
    change(kind, summary="Another")
    assert fetch(SessionType, kind.id).revision == before + 1


def test_r22_a_deleted_picture_is_not_taken_and_a_used_one_not_deleted(ctx):
    kind = make_type()
    media = save(
        Media(
            id=new_uuid(), organisation_id=kind.organisation_id, file_name="x.jpg",
            mime_type="image/jpeg", size=1, original_url="", width=9, height=9,
        )
    )  # fmt: skip
    delete_media(kind.organisation_id, media.id, now=NOW)
    with pytest.raises(WrongFields) as refused:
        change(kind, image_id=media.id)
    assert refused.value.field == "image_id"


def test_the_same_key_makes_one_type_and_two_of_a_name_get_two_addresses(ctx):
    site = make_site()
    ids = [
        add_type(site.organisation_id, site.id, {"name": "Bath"}, key=key, now=NOW)
        for key in ("a", "a", "b")
    ]
    assert ids[0] == ids[1] != ids[2]
    assert [fetch(SessionType, ids[n]).slug for n in (0, 2)] == ["bath", "bath-2"]
    assert fetch(SessionType, ids[0]).offered_online is False


def test_r14_archiving_takes_series_and_unsold_sessions_and_leaves_the_sold(ctx):
    kind = make_type()
    group = make_group(kind, make_room(fetch_site(kind)))
    past = make_session(kind, local_start="2026-06-01T10:00")
    free = make_session(kind, local_start="2026-06-12T10:00")
    sold = make_session(kind, local_start="2026-06-13T10:00")
    held = make_session(kind, local_start="2026-06-14T10:00")
    make_order(sold, guests=2)
    hold(held)
    found = find_archiving(*here(kind), now=NOW)
    assert (found.series, found.cancelled, found.standing) == (1, 1, 2)
    assert (found.bookings, found.guests, found.holds) == (1, 2, 1)
    archive(kind)
    gone = fetch(Session, free.id)
    assert (gone.deleted_at, gone.withdrawn_by) == (NOW, "archive")
    assert [fetch(Session, one.id).deleted_at for one in (past, sold, held)] == [None] * 3
    assert fetch(RecurrenceGroup, group.id).deleted_at == NOW
    archive_type(*here(kind), seen="anything", now=NOW)


def test_what_is_in_a_basket_can_not_be_confirmed_once_its_type_is_archived(ctx):
    kind = make_type()
    slot = make_session(kind)
    secret = hold(slot)
    archive(kind)
    with pytest.raises(NotBookable, match="no longer offered"):
        confirm_order(slot.organisation_id, secret, name="Ana", email="a@example.com", now=NOW)
    assert fetch(Session, slot.id).deleted_at is None


def test_s2_archiving_leaves_a_session_whose_places_are_kept_for_a_private_link(ctx):
    kind = make_type()
    kept = make_session(kind, capacity=4, places_kept=2)
    other = make_session(kind, local_start="2026-06-13T18:00")
    found = find_archiving(*here(kind), now=NOW)
    assert (found.cancelled, found.standing) == (1, 1)
    archive(kind)
    assert fetch(Session, kept.id).deleted_at is None
    assert fetch(Session, other.id).deleted_at == NOW


def test_c12_restoring_a_type_leaves_its_series_archived(ctx):
    kind = make_type()
    group = make_group(kind, make_room(fetch_site(kind)))
    produce_sessions(kind.organisation_id, group.id, now=NOW)
    archive(kind)
    assert restore_type(*here(kind), now=NOW) == 1
    assert fetch(SessionType, kind.id).deleted_at is None
    assert fetch(RecurrenceGroup, group.id).deleted_at is not None
    query = sa.select(Session.deleted_at).where(Session.start_time > NOW)
    assert set(db.session.scalars(query, execution_options=ANYWHERE)) == {NOW}
    assert restore_type(*here(kind), now=NOW) == 1


def test_r11_sessions_of_no_series_come_back_with_their_type(ctx):
    kind = make_type()
    free = make_session(kind, local_start="2026-06-12T10:00")
    shut = make_session(kind, local_start="2026-06-13T10:00")
    by_hand = make_session(kind, local_start="2026-06-14T10:00", deleted_at=NOW)
    archive(kind)
    own = {"organisation_id": kind.organisation_id, "site_id": kind.site_id}
    save(ClosedDay(**own, day=dt.date(2026, 6, 13), reason="Repairs", created_at=NOW))
    assert count_singles(kind.organisation_id, kind.id, now=NOW) == 1
    restore_type(*here(kind), now=NOW)
    assert [fetch(Session, row.id).deleted_at for row in (free, shut, by_hand)] == [None, NOW, NOW]
    day = db.session.scalars(sa.select(ClosedDay), execution_options=ANYWHERE).one()
    assert reopen_day(*here(kind)[:2], day.id, now=NOW) == 1
    assert fetch(Session, shut.id).deleted_at is None
    assert fetch(Session, by_hand.id).deleted_at == NOW


def test_s3_archiving_is_refused_when_somebody_has_booked_meanwhile(ctx):
    kind = make_type()
    slot = make_session(kind)
    seen = find_archiving(*here(kind), now=NOW).mark
    make_order(slot)
    with pytest.raises(ImpactChanged):
        archive_type(*here(kind), seen=seen, now=NOW)
    assert fetch(SessionType, kind.id).deleted_at is None


def test_an_expired_hold_keeps_no_session_from_going_with_its_type(ctx):
    kind = make_type()
    slot = make_session(kind)
    hold(slot)
    later = NOW + dt.timedelta(hours=2)
    seen = find_archiving(*here(kind), now=later).mark
    archive_type(*here(kind), seen=seen, now=later)
    row = fetch(Session, slot.id)
    assert (row.deleted_at, row.places_taken, row.parties_taken) == (later, 0, 0)


def test_r15_a_copy_takes_rules_and_series_only_when_asked_and_never_sessions(ctx):
    kind = make_type(price=4800)
    make_rule(kind, price=3000, position=1, weekdays=["monday"])
    make_group(kind, make_room(fetch_site(kind)))
    make_session(kind)
    bare = copy_type(*here(kind), {}, with_rules=False, with_series=False, key="", now=NOW)
    row = find_type(kind.organisation_id, kind.site_id, bare)
    assert (row.name, row.price_rules, count_sessions(bare)) == (kind.name, [], 0)
    assert row.link_key != kind.link_key
    full = copy_type(
        *here(kind), {"name": "Twin"}, with_rules=True, with_series=True, key="k", now=NOW
    )
    again = copy_type(
        *here(kind), {"name": "Twin"}, with_rules=True, with_series=True, key="k", now=NOW
    )
    assert full == again
    row = find_type(kind.organisation_id, kind.site_id, full)
    assert [(rule.price, rule.weekdays) for rule in row.price_rules] == [
        (4800, []), (3000, ["monday"]),
    ]  # fmt: skip
    # Its series produce sessions of their own; the single session of the source is not copied.
    made = db.session.execute(
        sa.select(Session.session_type_name, Session.start_time).where(
            Session.organisation_id == kind.organisation_id, Session.session_type_id == full
        )
    ).all()
    assert {row.session_type_name for row in made} == {"Twin"}
    # What the source had before today the copy never had.
    assert min(row.start_time for row in made) > NOW
    assert len(made) == 15


def test_the_check_list_reads_its_facts_from_the_database(ctx):
    site = make_site()
    kind = make_type(site, price=None)
    make_rule(kind, price=1000, time_from=dt.time(10))
    room = make_room(site, name="Old hall", deleted_at=NOW)
    make_session(kind, local_start="2026-06-07T09:00")
    make_session(kind, local_start="2026-06-07T10:00", room_id=room.id)
    make_session(kind, local_start="2026-06-07T09:30", price=700)
    assert [one.sentence for one in find_selling(venue_of(site), kind.id, now=NOW)] == [
        "No price on Sundays before 09:30 (1 session)",
        "Its room is archived: Old hall, 1 coming session",
    ]
    line = list_types(venue_of(site), Wanted(), now=NOW).lines[0]
    assert (line.from_price, line.coming, line.state) == (700, 3, "on_sale")
    assert fetch(Room, room.id).name == "Old hall"


def test_d1_another_sites_type_is_not_found(ctx):
    kind, other = make_type(), make_site()
    with pytest.raises(NotFound):
        save_type(kind.organisation_id, other.id, kind.id, {}, part=DETAILS, seen="", now=NOW)
    with pytest.raises(NotFound):
        archive_type(other.organisation_id, other.id, kind.id, seen="", now=NOW)


def fetch_site(kind):
    return fetch(Site, kind.site_id)


def hold(slot):
    return hold_places(
        slot.organisation_id, slot.id, session_type_id=slot.session_type_id, guests=1,
        viewer=Viewer(), basket_secret=None, account_id=None, now=NOW,
    )  # fmt: skip


def count_sessions(type_id):
    return db.session.scalar(
        sa.select(sa.func.count(Session.id)).where(
            Session.organisation_id.is_not(None), Session.session_type_id == type_id
        )
    )
