"""The outbox: written with its cause, done after it, once (E1)."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from factories import ANYWHERE, NOW, make_organisation, save

from models import AccountLink, IdempotencyKey, Job, SignInTry, db, new_uuid, transaction
from services.demo_letters import KEPT, put_letters_aside
from services.outbox import (
    LEASE,
    MOST_ATTEMPTS,
    claim_job,
    enqueue,
    fail,
    finish,
    give_up,
    list_jobs,
)
from services.sweeping import sweep

pytestmark = pytest.mark.usefixtures("ctx")

SECOND = dt.timedelta(seconds=1)
MINUTE = dt.timedelta(minutes=1)


def put(key="one", **given):
    with transaction():
        enqueue("mail", {"letter": "test"}, **{"dedupe_key": key, "now": NOW, **given})


def only():
    db.session.rollback()
    return db.session.scalars(sa.select(Job), execution_options=ANYWHERE).one()


def test_e1_a_job_is_done_once(ctx):
    put()
    work = claim_job(now=NOW)
    assert (work.kind, work.payload, work.dedupe_key) == ("mail", {"letter": "test"}, "one")
    assert claim_job(now=NOW) is None
    assert finish(work, now=NOW + SECOND)
    assert claim_job(now=NOW + 100 * MINUTE) is None
    assert only().done_at == NOW + SECOND


def test_e1_a_rollback_sends_nothing(ctx):
    def deed():
        with transaction():
            enqueue("mail", {}, dedupe_key="one", now=NOW)
            raise RuntimeError("the booking failed")

    with pytest.raises(RuntimeError):
        deed()
    assert claim_job(now=NOW) is None


def test_e1_two_causes_of_one_message_make_one_row(ctx):
    put()
    put()
    with transaction():
        enqueue("mail", {}, dedupe_key="two", now=NOW)
        enqueue("mail", {}, dedupe_key="two", now=NOW)
    assert len(list_jobs("mail")) == 2


def test_e1_a_worker_that_died_is_followed_by_another_when_its_lease_ends(ctx):
    put()
    lost = claim_job(now=NOW)
    assert claim_job(now=NOW + LEASE - SECOND) is None
    again = claim_job(now=NOW + LEASE)
    assert (again.id, again.attempt) == (lost.id, 2)
    # The first one was only slow: its word no longer counts.
    assert not finish(lost, now=NOW + LEASE + SECOND)
    assert not fail(lost, "late", now=NOW + LEASE + SECOND)
    assert finish(again, now=NOW + LEASE + SECOND)


def test_e1_what_failed_is_tried_again_later_and_later_up_to_a_ceiling(ctx):
    put()
    now = NOW
    for attempt in range(1, MOST_ATTEMPTS + 1):
        work = claim_job(now=now)
        assert work.attempt == attempt
        assert fail(work, f"no answer {attempt}", now=now)
        wait = 2**attempt * MINUTE
        assert claim_job(now=now + wait - SECOND) is None
        now += wait
    assert claim_job(now=now + dt.timedelta(days=30)) is None
    assert only().error == f"no answer {MOST_ATTEMPTS}"
    assert only().done_at is None


def test_e1_what_can_never_work_is_not_tried_again(ctx):
    put()
    assert give_up(claim_job(now=NOW), "no such address")
    assert claim_job(now=NOW + dt.timedelta(days=1)) is None
    assert only().error == "no such address"


def test_e1_the_job_that_is_due_longest_comes_first_and_none_before_its_time(ctx):
    put("late", run_at=NOW + MINUTE)
    put("later", run_at=NOW + 2 * MINUTE)
    put("soon", organisation_id=make_organisation().id)
    assert claim_job(now=NOW).dedupe_key == "soon"
    assert claim_job(now=NOW) is None
    assert claim_job(now=NOW + MINUTE).dedupe_key == "late"


def test_e1_several_workers_share_the_work_and_none_is_done_twice(app):
    with app.app_context():
        for number in range(40):
            put(f"job {number}")

    def worker(number):
        done = []
        with app.app_context():
            while (work := claim_job(now=NOW)) is not None:
                if number == 0 and not done:
                    # This worker dies in the middle of its first job.
                    return []
                done.append(work.dedupe_key)
                assert finish(work, now=NOW)
            db.session.remove()
        return done

    with ThreadPoolExecutor(3) as pool:
        done = [key for keys in pool.map(worker, range(3)) for key in keys]
    assert len(done) == len(set(done)) == 39
    with app.app_context():
        left = claim_job(now=NOW + LEASE)
        assert left is not None
        assert left.attempt == 2
        assert claim_job(now=NOW + LEASE) is None


def test_what_has_served_its_time_is_swept(ctx):
    house = make_organisation()

    def link(expires_at):
        return save(
            AccountLink(
                id=new_uuid(),
                purpose="register",
                email="a@example.com",
                created_at=NOW,
                expires_at=expires_at,
            )
        )

    def key(created_at):
        return save(
            IdempotencyKey(
                organisation_id=house.id,
                key=new_uuid(),
                body_hash="",
                answer="",
                created_at=created_at,
            )
        )

    week = dt.timedelta(days=7)
    for moment in (NOW - week - SECOND, NOW - week + SECOND):
        link(moment)
        key(moment)
        save(SignInTry(who="somebody", tried_at=moment + dt.timedelta(days=6)))
    put("old")
    finish(claim_job(now=NOW), now=NOW - dt.timedelta(days=31))
    put("fresh")
    assert sweep(now=NOW) == 4
    for model in (AccountLink, IdempotencyKey, SignInTry, Job):
        rows = db.session.scalars(sa.select(model), execution_options=ANYWHERE).all()
        assert len(rows) == 1, model


def test_of_a_demos_past_the_last_few_of_each_kind_are_kept_and_none_is_sent(ctx):
    for number in range(KEPT + 3):
        put(f"past {number}", run_at=NOW - number * MINUTE)
    put("to come", run_at=NOW + MINUTE)
    put_letters_aside(now=NOW)
    kept = {job.dedupe_key: job.done_at is not None for job in list_jobs("mail")}
    assert kept == {**{f"past {number}": True for number in range(KEPT)}, "to come": False}
    assert claim_job(now=NOW) is None
