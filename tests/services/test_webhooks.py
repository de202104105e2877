"""Webhooks: written with what they tell of, through every door; kept by whoever may."""

import datetime as dt
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from factories import (
    ANYWHERE,
    NOW,
    fetch,
    make_group,
    make_order,
    make_organisation,
    make_room,
    make_session,
    make_site,
    make_type,
)

from domain.eligibility import Viewer
from domain.errors import KeyReused, NotFound, RuleBroken, WrongState
from domain.roles import RIGHTS
from domain.webhooks import KINDS, MOST, OLDER_FOR, TRIES
from domain.words import WEEKDAYS
from models import (
    Actor,
    Job,
    Order,
    Organisation,
    Session,
    SessionBooking,
    Webhook,
    WebhookDelivery,
    acting_as,
    db,
    joining,
    transaction,
)
from services.basket import hold_places
from services.cancelling import cancel_for_staff
from services.changing import door_of_order
from services.checkout import find_order
from services.desk import set_check_in, set_no_show, set_stage
from services.moving import move
from services.outbox import MOST_ATTEMPTS, NotYet, claim_job, fail, finish
from services.scheduling import produce_sessions
from services.session_changes import (
    cancel_session,
    find_cancellable_session,
    find_restorable_session,
    restore_session,
)
from services.sweeping import DELIVERIES, sweep
from services.type_archiving import archive_type, find_archiving, restore_type
from services.waiting import accept, decline, join, leave
from services.webhook_deliveries import find_delivery, list_deliveries, send_again, send_test
from services.webhook_events import WEBHOOK
from services.webhook_sending import (
    DELETED,
    PAUSED,
    UNREADABLE,
    Outcome,
    find_shipment,
    note_outcome,
)
from services.webhooks import (
    Keeper,
    Wish,
    change_webhook,
    find_webhook,
    list_places,
    list_webhooks,
    make_webhook,
    pause_webhook,
    remove_webhook,
    renew_secret,
    resume_webhook,
)

KEY = "a key for tests"
URL = "https://hooks.example.com/in"
MINUTE = dt.timedelta(minutes=1)
DAY = dt.timedelta(days=1)
WHOLE = frozenset({(None, "SETTINGS_MANAGE")})
FINE, BUSY, AWAY = Outcome(200, "ok"), Outcome(500, "busy", "It answered 500."), Outcome(error="x")


@pytest.fixture(autouse=True)
def _at_noon(ctx):
    """The trail writes the tests' own present."""
    with acting_as(Actor("worker", door="test", clock=lambda: NOW)):
        yield


@pytest.fixture
def house(ctx):
    site = make_site()
    kind = make_type(site, waitlist_enabled=True)
    keeper = Keeper(site.organisation_id, WHOLE)
    return SimpleNamespace(
        id=site.organisation_id, site=site, here=(site.organisation_id, site.id), kind=kind,
        row=make_session(kind), keeper=keeper, hook=listen(keeper),
    )  # fmt: skip


def listen(keeper, kinds=tuple(KINDS), **given):
    wish = Wish(given.pop("name", "Door"), given.pop("url", URL), kinds, given.pop("site_id", None))
    return make_webhook(keeper, wish, by=None, seal_key=KEY, now=NOW, **given).id


def told(hook=None):
    """What was written for a webhook, or all of them, and forgotten for the next look."""
    db.session.rollback()
    query = sa.select(WebhookDelivery).order_by(WebhookDelivery.id)
    if hook:
        query = query.where(WebhookDelivery.webhook_id == hook)
    rows = db.session.scalars(query, execution_options=ANYWHERE).all()
    found = [(row.kind, row.payload["data"].get("id"), row.payload) for row in rows]
    forget()
    return found


def forget():
    for table in (WebhookDelivery, Job):
        db.session.execute(sa.delete(table), execution_options=ANYWHERE)
    db.session.commit()


def kinds():
    return sorted(kind for kind, _, _ in told())


def line_of(secret):
    return find_order(secret).items[0].booking


def entry_of(secret):
    return db.session.scalar(
        sa.select(SessionBooking).join(SessionBooking.order).where(Order.secret == secret),
        execution_options=ANYWHERE,
    )


# ---- Written with its cause ---------------------------------------------------


def test_a_booking_is_told_once_with_its_job_in_the_same_transaction(house):
    line = line_of(make_order(house.row, guests=2, people=("Dev",)))
    [job] = db.session.scalars(
        sa.select(Job).where(Job.kind == WEBHOOK), execution_options=ANYWHERE
    )
    [delivery] = db.session.scalars(sa.select(WebhookDelivery), execution_options=ANYWHERE)
    assert job.payload == {"delivery": delivery.id, "webhook": house.hook}
    assert (job.run_at, delivery.state, delivery.created_at) == (NOW, "waiting", NOW)
    [(kind, thing, payload)] = told()
    assert (kind, thing) == ("booking.created", line.id)
    assert payload["organisation_id"] == house.id
    assert payload["site_id"] == house.site.id
    assert payload["data"]["session_id"] == house.row.id
    assert "Ana" not in str(payload)
    assert "Dev" not in str(payload)


def test_holds_and_baskets_are_nobodys_news(house):
    for guests in (1, 2):
        hold_places(
            house.id, house.row.id, session_type_id=house.kind.id, guests=guests,
            viewer=Viewer(), basket_secret=None, now=NOW,
        )  # fmt: skip
    assert told() == []


def test_a_deed_that_is_rolled_back_tells_nothing(house):
    def deed():
        with transaction():
            fetch(Session, house.row.id).capacity = 9
            db.session.flush()
            raise RuntimeError("it failed")

    with pytest.raises(RuntimeError):
        deed()
    assert told() == []


def test_what_becomes_of_a_booking(house):
    secret = make_order(house.row)
    line = line_of(secret)
    at = (*house.here, line.id)
    other = make_session(house.kind, local_start="2026-06-13T18:00")
    forget()
    move(door_of_order(secret, line.id), line.id, other.id, now=NOW)
    [(kind, thing, payload)] = told()
    assert (kind, thing, payload["data"]["changed"][0]) == (
        "booking.changed",
        line.id,
        "session_id",
    )
    assert payload["data"]["session_id"] == other.id
    begins = other.start_time
    set_no_show(*at, missed=True, now=begins)
    assert kinds() == ["booking.no_show"]
    set_check_in(*at, arrived=True, now=begins)
    assert "booking.checked_in" in kinds()
    set_stage(*at, stage="in_treatment", now=begins)
    assert kinds() == ["booking.stage_changed"]
    two = line_of(make_order(house.row, email="b@example.com"))
    forget()
    cancel_for_staff(*house.here, two.id, reason="Ill", now=NOW)
    assert [(kind, thing) for kind, thing, _ in told()] == [("booking.cancelled", two.id)]


def test_what_becomes_of_a_waitlist(house):
    full = make_session(house.kind, capacity=1, local_start="2026-06-20T10:00")
    line = line_of(make_order(full))

    def wait(who):
        return join(house.id, full.id, guests=1, name=who, email=f"{who}@example.com", now=NOW)

    forget()
    first, second, third = wait("Bo"), wait("Cy"), wait("Di")
    assert kinds() == ["waitlist.joined"] * 3
    leave(third, now=NOW)
    assert kinds() == ["waitlist.left"]
    cancel_for_staff(*house.here, line.id, reason="Ill", now=NOW)
    assert kinds() == ["booking.cancelled", "waitlist.offered"]
    # An offer holds a place, and whoever declines it leaves all the same.
    decline(first, now=NOW)
    assert kinds() == ["waitlist.left", "waitlist.offered"]
    from_offer = entry_of(second)
    assert from_offer.status == "new"
    accept(second, now=NOW)
    assert [(kind, thing) for kind, thing, _ in told()] == [("booking.created", from_offer.id)]


def test_a_cancelled_session_is_told_with_its_bookings(house):
    lines = [line_of(make_order(house.row, email=f"{n}@example.com")).id for n in range(3)]
    forget()
    seen = find_cancellable_session(*house.here, house.row.id, now=NOW).impact.mark
    cancel_session(*house.here, house.row.id, reason="Ill", seen=seen, now=NOW)
    found = [(kind, thing) for kind, thing, _ in told()]
    assert sorted(found) == sorted(
        [("session.cancelled", house.row.id), *(("booking.cancelled", line) for line in lines)]
    )
    back = find_restorable_session(*house.here, house.row.id, now=NOW)
    restore_session(*house.here, house.row.id, seen=back.clash_mark, now=NOW)
    assert [(kind, thing) for kind, thing, _ in told()] == [("session.restored", house.row.id)]


def test_types_that_are_archived_and_come_back(house):
    forget()
    look = find_archiving(*house.here, house.kind.id, now=NOW)
    archive_type(*house.here, house.kind.id, seen=look.mark, now=NOW)
    found = kinds()
    assert "session_type.archived" in found
    assert "session_type.changed" not in found
    restore_type(*house.here, house.kind.id, now=NOW)
    assert "session_type.restored" in kinds()


@contextmanager
def counting():
    found = []

    def note(_c, _cursor, statement, *_rest):
        found.append(statement)

    sa.event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        sa.event.remove(db.engine, "before_cursor_execute", note)


def series(house, days):
    room = make_room(house.site)
    group = make_group(
        house.kind, room, recurrence_start=NOW.date() + DAY, weekdays=list(WEEKDAYS),
        start_times=[dt.time(9)],
        recurrence_end=NOW.date() + days * DAY,
    )  # fmt: skip
    forget()
    return group


def test_the_sessions_of_a_series_are_told_one_by_one_in_as_many_statements(house):
    """The trail speaks of the series alone: what it makes is told all the same, once."""
    spent = []
    for days in (3, 90):
        group = series(house, days)
        with counting() as found:
            produce_sessions(house.id, group.id, now=NOW)
        spent.append(len([one for one in found if "webhook" in one or "jobs" in one.lower()]))
        made = set(
            db.session.scalars(
                sa.select(Session.id).where(Session.recurrence_group_id == group.id),
                execution_options=ANYWHERE,
            )
        )
        assert len(made) == days
        rows = told()
        assert {kind for kind, _, _ in rows} == {"session.created"}
        assert sorted(thing for _, thing, _ in rows) == sorted(made)
        produce_sessions(house.id, group.id, now=NOW)
        assert told() == []
    assert spent[0] == spent[1]


def test_steps_that_join_one_deed_are_told_at_its_end(house):
    group = series(house, 2)
    with transaction("One deed"), joining():
        produce_sessions(house.id, group.id, now=NOW)
        with transaction("A step of it"):
            first = db.session.scalars(
                sa.select(Session).where(Session.organisation_id == house.id).limit(1)
            ).one()
            first.capacity += 1
        assert not db.session.scalar(
            sa.select(sa.func.count(WebhookDelivery.id)), execution_options=ANYWHERE
        )
    assert kinds() == ["session.changed", "session.created", "session.created"]


def test_where_nobody_listens_the_trail_is_not_read(ctx):
    site = make_site()
    row = make_session(make_type(site))
    listen(Keeper(make_organisation().id, WHOLE))
    with counting() as found:
        make_order(row)
    asked = [one for one in found if "webhooks" in one and one.lstrip().startswith("SELECT")]
    # One look for each transaction: holding the place, and confirming.
    assert len(asked) == 2
    assert not [one for one in found if "FROM audit_entries LEFT OUTER JOIN" in one]
    assert told() == []


def test_changes_in_sql_are_told_like_others(house):
    lines = [line_of(make_order(house.row, email=f"{n}@example.com")).id for n in range(4)]
    forget()
    with transaction():
        db.session.execute(
            sa.update(SessionBooking)
            .where(SessionBooking.organisation_id == house.id)
            .values(is_no_show=True)
        )
    assert sorted(told())[0][0] == "booking.no_show"
    with transaction():
        db.session.execute(
            sa.update(SessionBooking)
            .where(SessionBooking.organisation_id == house.id)
            .values(stage="arrived")
        )
    assert sorted(thing for _, thing, _ in told()) == sorted(lines)


# ---- Who hears what ----------------------------------------------------------


def test_each_hears_of_its_own_site_and_its_own_events(house):
    north = make_site(fetch(Organisation, house.id), slug="north")
    row = make_session(make_type(north))
    there = listen(house.keeper, site_id=north.id, name="North")
    types = listen(house.keeper, ("session_type.created",), name="Types")
    foreign = listen(Keeper(make_organisation().id, WHOLE))
    paused = listen(house.keeper, name="Paused")
    pause_webhook(house.keeper, paused, now=NOW)
    forget()
    make_order(row)
    make_order(house.row)
    db.session.rollback()
    rows = db.session.execute(
        sa.select(WebhookDelivery.webhook_id, WebhookDelivery.event_id), execution_options=ANYWHERE
    ).all()
    heard = {hook: len([one for one in rows if one[0] == hook]) for hook, _ in rows}
    assert heard == {house.hook: 2, there: 1}
    # The same event has the same id for all who hear of it.
    assert len({event for _, event in rows}) == 2
    assert types not in heard
    assert foreign not in heard


def test_whoever_sets_up_one_site_keeps_its_webhooks_and_no_others(house):
    north = make_site(fetch(Organisation, house.id), slug="north")
    there = listen(house.keeper, site_id=north.id, name="North")
    local = Keeper(house.id, frozenset({(house.site.id, "SETTINGS_MANAGE")}))
    here = listen(local, site_id=house.site.id, name="Here")
    assert [one.id for one in list_webhooks(local)] == [here]
    assert {one.id for one in list_webhooks(house.keeper)} == {house.hook, there, here}
    assert {one.id for one in list_webhooks(house.keeper, site_id=north.id)} == {house.hook, there}
    assert [site for site, _ in list_places(local)] == [house.site.id]
    others = frozenset((None, right) for right in RIGHTS if right != "SETTINGS_MANAGE")
    foreign = Keeper(make_organisation().id, WHOLE)
    for keeper, hook in ((local, house.hook), (local, there), (foreign, here),
                         (Keeper(house.id, others), here)):  # fmt: skip
        for deed in (
            lambda k, h: find_webhook(k, h),
            lambda k, h: change_webhook(k, h, Wish("X", URL, ["booking.created"], None)),
            lambda k, h: renew_secret(k, h, seal_key=KEY, now=NOW),
            lambda k, h: pause_webhook(k, h, now=NOW),
            lambda k, h: resume_webhook(k, h),
            lambda k, h: remove_webhook(k, h),
            lambda k, h: send_test(k, h, now=NOW),
            lambda k, h: list_deliveries(k, h),
        ):
            with pytest.raises((NotFound, RuleBroken)) as refusal:
                deed(keeper, hook)
            assert refusal.value.code in ("not_found", "site_unknown")
    for site_id in (None, north.id, make_site().id, "x"):
        with pytest.raises(RuleBroken) as refusal:
            listen(local, site_id=site_id)
        assert refusal.value.field == "where"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": " "}, "name"), ({"name": "<b>x</b>"}, "name"),
        ({"url": "http://x.example"}, "url"),
        ({"url": "https://127.0.0.1/"}, "url"), ({"kinds": ()}, "kinds"),
        ({"kinds": ("ping",)}, "kinds"),
    ],
)  # fmt: skip
def test_a_webhook_is_refused_under_its_field(house, given, field):
    with pytest.raises(RuleBroken) as refusal:
        listen(house.keeper, **given)
    assert refusal.value.field == field


def test_h6_the_same_form_makes_one_and_shows_its_secret_once(house):
    wish = Wish("Till", URL, ["booking.created"], None)
    made = [
        make_webhook(house.keeper, wish, by=None, seal_key=KEY, key="k", now=NOW) for _ in range(2)
    ]
    assert made[0].id == made[1].id
    assert made[0].secret.startswith("whsec_")
    assert made[1].secret == ""
    assert made[0].secret not in fetch(Webhook, made[0].id).sealed_secret
    with pytest.raises(KeyReused):
        make_webhook(
            house.keeper, Wish("Other", URL, ["booking.created"], None), by=None, seal_key=KEY,
            key="k", now=NOW,
        )  # fmt: skip


def test_there_are_so_many_and_no_more(house):
    for number in range(MOST - 1):
        listen(house.keeper, name=f"Number {number}")
    with pytest.raises(WrongState):
        listen(house.keeper)


# ---- On the way --------------------------------------------------------------


def due(now=NOW):
    return claim_job(now=now)


def test_a_renewed_secret_leaves_the_old_one_a_day(house):
    first = renew_secret(house.keeper, house.hook, seal_key=KEY, key="a", now=NOW)
    assert renew_secret(house.keeper, house.hook, seal_key=KEY, key="a", now=NOW).secret == ""
    second = renew_secret(house.keeper, house.hook, seal_key=KEY, now=NOW + MINUTE)
    send_test(house.keeper, house.hook, now=NOW)
    work = due()
    soon = find_shipment(work, seal_key=KEY, now=NOW + MINUTE)
    assert soon.secrets == (second.secret, first.secret)
    later = find_shipment(work, seal_key=KEY, now=NOW + MINUTE + OLDER_FOR)
    assert later.secrets == (second.secret,)
    assert find_shipment(work, seal_key="another key", now=NOW) == UNREADABLE
    assert find_delivery(house.keeper, house.hook, work.payload["delivery"]).state == "failed"


def test_a_failed_one_is_tried_again_for_most_of_a_day_and_the_log_says_so(house):
    delivery_id, now, tries = send_test(house.keeper, house.hook, now=NOW), NOW, []
    for _ in range(TRIES - 1):
        work = due(now)
        with pytest.raises(NotYet) as again:
            note_outcome(work, BUSY, now=now)
        fail(work, str(again.value), now=now, wait=again.value.wait)
        assert due(now + again.value.wait - MINUTE / 2) is None
        now += again.value.wait
        tries.append(again.value.wait)
        seen = find_delivery(house.keeper, house.hook, delivery_id)
        assert (seen.state, seen.status_code, seen.next_at) == ("waiting", 500, now)
    work = due(now)
    note = note_outcome(work, BUSY, now=now)
    assert note == f"Given up after {TRIES} of {TRIES} tries."
    assert finish(work, now=now, note=note)
    assert TRIES < MOST_ATTEMPTS
    seen = find_delivery(house.keeper, house.hook, delivery_id)
    assert (seen.state, seen.attempts, seen.answer) == ("failed", TRIES, "busy")
    assert find_webhook(house.keeper, house.hook).failing_since == NOW


def test_a_success_ends_the_failing(house):
    send_test(house.keeper, house.hook, now=NOW)
    work = due()
    with pytest.raises(NotYet):
        note_outcome(work, BUSY, now=NOW)
    assert find_webhook(house.keeper, house.hook).failing_since == NOW
    note_outcome(work, FINE, now=NOW + MINUTE)
    assert find_webhook(house.keeper, house.hook).failing_since is None
    # A worker that was thought dead and sends once more changes nothing: at least once.
    assert find_shipment(work, seal_key=KEY, now=NOW) == "Sent already."


def test_410_and_days_of_failing_pause_it(house):
    other = listen(house.keeper, name="Other")
    send_test(house.keeper, house.hook, now=NOW)
    note_outcome(due(), Outcome(410, "", "gone"), now=NOW)
    seen = find_webhook(house.keeper, house.hook)
    assert (seen.paused_at, seen.paused_why) == (NOW, "gone")
    send_test(house.keeper, other, now=NOW)
    work = due()
    with pytest.raises(NotYet):
        note_outcome(work, BUSY, now=NOW)
    with pytest.raises(NotYet):
        note_outcome(work, BUSY, now=NOW + 3 * DAY - MINUTE)
    note_outcome(work, BUSY, now=NOW + 3 * DAY)
    seen = find_webhook(house.keeper, other)
    assert (seen.paused_why, seen.failing_since) == ("failing", NOW)
    resume_webhook(house.keeper, other)
    assert find_webhook(house.keeper, other).failing_since is None


def test_where_nobody_answers_everything_for_it_waits_and_nothing_else_does(house):
    other = listen(house.keeper, ("session.changed",), name="Other")
    for _ in range(3):
        send_test(house.keeper, house.hook, now=NOW)
    work = due()
    with pytest.raises(NotYet) as again:
        note_outcome(work, AWAY, now=NOW)
    fail(work, "x", now=NOW, wait=again.value.wait)
    assert due() is None
    send_test(house.keeper, other, now=NOW)
    assert due().payload["webhook"] == other
    page = list_deliveries(house.keeper, house.hook)
    assert {one.next_at for one in page.deliveries} == {NOW + MINUTE}


def test_what_is_paused_or_deleted_meanwhile_is_not_sent(house):
    delivery = send_test(house.keeper, house.hook, now=NOW)
    pause_webhook(house.keeper, house.hook, now=NOW)
    work = due()
    assert find_shipment(work, seal_key=KEY, now=NOW) == PAUSED
    seen = find_delivery(house.keeper, house.hook, delivery)
    assert (seen.state, seen.error) == ("failed", PAUSED)
    with pytest.raises(WrongState):
        send_test(house.keeper, house.hook, now=NOW)
    with pytest.raises(WrongState):
        send_again(house.keeper, house.hook, delivery, now=NOW)
    remove_webhook(house.keeper, house.hook)
    assert find_shipment(work, seal_key=KEY, now=NOW) == DELETED
    assert note_outcome(work, FINE, now=NOW) == DELETED
    make_order(house.row)
    assert told() == []


def test_sending_again_keeps_the_event_and_is_a_delivery_of_its_own(house):
    make_order(house.row)
    [first] = list_deliveries(house.keeper, house.hook).deliveries
    copies = {
        send_again(house.keeper, house.hook, first.id, key="k", now=NOW + MINUTE) for _ in range(2)
    }
    [copy] = [find_delivery(house.keeper, house.hook, one) for one in copies]
    assert copy.id != first.id
    assert (copy.event_id, copy.payload, copy.is_again) == (first.event_id, first.payload, True)
    with pytest.raises(NotFound):
        send_again(house.keeper, listen(house.keeper), first.id, now=NOW)


def test_the_log_is_paged_filtered_and_kept_for_thirty_days(house):
    for number in range(27):
        send_test(house.keeper, house.hook, now=NOW + number * MINUTE)
    note_outcome(due(), FINE, now=NOW)
    page = list_deliveries(house.keeper, house.hook)
    assert (len(page.deliveries), page.has_more) == (25, True)
    assert page.deliveries[0].created_at == NOW + 26 * MINUTE
    assert page.counts == {"delivered": 1, "waiting": 26, "failed": 0}
    assert len(list_deliveries(house.keeper, house.hook, number=2).deliveries) == 2
    assert len(list_deliveries(house.keeper, house.hook, state="delivered").deliveries) == 1
    sweep(now=NOW + DELIVERIES)
    assert len(list_deliveries(house.keeper, house.hook).deliveries) == 25
    sweep(now=NOW + DELIVERIES + DAY)
    assert not list_deliveries(house.keeper, house.hook).deliveries


def test_mails_go_first(house):
    send_test(house.keeper, house.hook, now=NOW - DAY)
    line = line_of(make_order(house.row))
    assert line
    assert claim_job(now=NOW, last=(WEBHOOK,)).kind == "mail"
    assert claim_job(now=NOW).kind == WEBHOOK
