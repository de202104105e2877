"""Long work: item by item, whoever dies on the way, until it is done or stopped."""

import datetime as dt
import threading

import pytest
import sqlalchemy as sa
from conftest import NOW
from factories import ANYWHERE, fetch, make_organisation, make_site

from domain.errors import NotFound, RuleBroken
from models import Job, LongWork, db, transaction
from services.doctor import find_warnings
from services.long_works import (
    ITEMS_A_ROUND,
    LONG_WORK,
    ask_to_stop,
    begin,
    carry_on,
    find_standing,
    find_work,
    list_works,
    restart,
)
from services.outbox import LEASE, MOST_ATTEMPTS, claim_job, fail, finish
from services.sweeping import sweep

pytestmark = pytest.mark.usefixtures("ctx")

MINUTE = dt.timedelta(minutes=1)


class Works:
    """A site, works on it, and a worker whose steps note what they did."""

    def __init__(self):
        self.site = make_site()
        self.here = (self.site.organisation_id, self.site.id)
        self.did = []
        self.before_step = lambda _name: None

    def begin(self, number=3, key="one", now=NOW, **given):
        with transaction():
            return begin(
                *self.here, kind="test", title="A test", key=key, account_id=None, now=now,
                items=[{"name": f"item {n}"} for n in range(number)], **given,
            )  # fmt: skip

    def step(self, organisation_id, site_id, item, _now):
        assert (organisation_id, site_id) == self.here
        with transaction():
            self.before_step(item["name"])
            self.did.append(item["name"])

    def round(self, now=NOW):
        """What the worker does with one job of its queue."""
        job = claim_job(now=now)
        if job is None:
            return False
        try:
            note = carry_on(job.organisation_id, job.payload["work"], {"test": self.step}, now=now)
        except OSError as error:
            return fail(job, str(error), now=now)
        return finish(job, now=now, note=note)

    def read(self, work_id):
        db.session.rollback()
        return fetch(LongWork, work_id)

    def standing(self, work_id, now=NOW):
        db.session.rollback()
        db.session.expire_all()
        return find_standing(*self.here, work_id, now=now)


@pytest.fixture
def works():
    return Works()


def test_items_are_done_in_their_order_and_how_far_it_is_is_seen_on_the_way(works):
    work_id = works.begin()
    seen = []
    works.before_step = lambda _name: seen.append(fetch(LongWork, work_id).done)
    assert works.round()
    assert works.did == ["item 0", "item 1", "item 2"]
    assert seen == [0, 1, 2]
    work = works.read(work_id)
    assert (work.state, work.done, work.total, work.failures) == ("done", 3, 3, [])
    assert work.finished_at == NOW
    assert not works.round()


def test_after_a_round_the_worker_looks_at_its_other_jobs(works):
    long, short = works.begin(ITEMS_A_ROUND + 1), works.begin(1, "two")
    works.round()
    assert works.read(long).done == ITEMS_A_ROUND
    works.round()
    assert works.read(short).state == "done"
    assert works.read(long).state == "running"
    works.round()
    assert works.read(long).state == "done"
    assert len(works.did) == len(set(works.did)) + 1  # both have an item 0


def test_what_is_refused_is_kept_with_its_name_and_the_rest_goes_on(works):
    def refuse(name):
        if name == "item 1":
            raise RuleBroken("Ruth isn’t free then.")

    works.before_step = refuse
    work_id = works.begin()
    works.round()
    work = works.read(work_id)
    assert works.did == ["item 0", "item 2"]
    assert (work.state, work.done) == ("done", 3)
    assert work.failures == [{"item": 1, "name": "item 1", "said": "Ruth isn’t free then."}]


class Killed(BaseException):
    """The process ends here: nothing that follows is run."""


def test_a_killed_workers_item_is_done_again_and_counted_once(works):
    work_id = works.begin()
    done_twice = works.step

    def die_after(organisation_id, site_id, item, now):
        done_twice(organisation_id, site_id, item, now)
        if item["name"] == "item 1":
            raise Killed

    works.step = die_after
    with pytest.raises(Killed):
        works.round()
    assert works.read(work_id).done == 1
    works.step = done_twice
    assert not works.round(NOW + MINUTE), "its lease still runs"
    assert works.round(NOW + LEASE)
    assert works.did == ["item 0", "item 1", "item 1", "item 2"]
    work = works.read(work_id)
    assert (work.state, work.done, work.failures) == ("done", 3, [])


def test_two_workers_at_one_work_do_every_item_and_count_it_once(app, works):
    work_id = works.begin(12)
    organisation_id = works.site.organisation_id
    db.session.remove()
    start = threading.Barrier(2)

    def go():
        with app.app_context():
            start.wait()
            carry_on(organisation_id, work_id, {"test": works.step}, now=NOW)
            db.session.remove()

    threads = [threading.Thread(target=go) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    work = works.read(work_id)
    assert (work.state, work.done, work.failures) == ("done", 12, [])
    assert set(works.did) == {f"item {n}" for n in range(12)}


def test_it_stops_after_the_item_at_hand(works):
    work_id = works.begin()
    original = works.step

    def stop_after_first(organisation_id, site_id, item, now):
        original(organisation_id, site_id, item, now)
        ask_to_stop(organisation_id, site_id, work_id, now=now)

    works.step = stop_after_first
    works.round()
    work = works.read(work_id)
    assert works.did == ["item 0"]
    assert (work.state, work.done) == ("stopped", 1)
    assert not works.round()


def test_one_that_has_not_begun_stops_at_once_and_one_that_is_over_stays_so(works):
    work_id, other = works.begin(), works.begin(key="two")
    ask_to_stop(*works.here, work_id, now=NOW)
    assert works.read(work_id).state == "stopped"
    works.round()
    works.round()
    assert works.read(work_id).done == 0
    ask_to_stop(*works.here, other, now=NOW)
    assert works.read(other).state == "done"


def test_h6_the_same_key_begins_one_work(works):
    assert works.begin() == works.begin()
    assert works.begin(key="two") != works.begin()
    assert len(list_works(*works.here).works) == 2


def test_a_fault_is_tried_again_and_goes_on_where_it_was(works):
    def fault(name):
        if name == "item 1" and len(works.did) == 1:
            works.did.append("fault")
            raise OSError("the disk is full")

    works.before_step = fault
    work_id = works.begin()
    works.round()
    standing = works.standing(work_id)
    assert standing.tries_at == NOW + 2 * MINUTE
    assert not standing.has_stopped_short
    works.round(NOW + 2 * MINUTE)
    assert works.did == ["item 0", "fault", "item 1", "item 2"]
    assert works.read(work_id).state == "done"


def give_up(works, work_id):
    """Its job fails as often as a job may."""
    with transaction():
        db.session.execute(
            sa.update(Job)
            .where(Job.organisation_id == works.here[0], Job.kind == LONG_WORK)
            .values(attempts=MOST_ATTEMPTS)
        )


def test_one_that_was_given_up_can_be_stopped_or_let_go_on(works):
    work_id, other = works.begin(), works.begin(key="two")
    give_up(works, work_id)
    assert works.standing(work_id).has_stopped_short
    assert not works.round()
    assert restart(*works.here, work_id, now=NOW)
    assert not restart(*works.here, work_id, now=NOW), "it is on its way"
    works.round()
    assert works.read(work_id).state == "done"
    assert not restart(*works.here, work_id, now=NOW), "it is over"
    ask_to_stop(*works.here, other, now=NOW)
    assert works.read(other).state == "stopped"


def test_a_running_one_that_nobody_is_at_stops_at_once(works):
    works.before_step = lambda name: (_ for _ in ()).throw(OSError()) if name == "item 1" else None
    work_id = works.begin()
    works.round()
    give_up(works, work_id)
    ask_to_stop(*works.here, work_id, now=NOW)
    assert works.read(work_id).state == "stopped"


def test_a_work_that_no_worker_takes_is_said_to_stand_still(works):
    work_id = works.begin()
    assert not works.standing(work_id).is_still
    assert works.standing(work_id, NOW + 2 * MINUTE).is_still
    claim_job(now=NOW + 2 * MINUTE)
    assert not works.standing(work_id, NOW + 2 * MINUTE).is_still


def test_the_doctor_warns_of_a_work_that_nobody_carries_on(works):
    work_id = works.begin()
    later = NOW + dt.timedelta(hours=2)
    assert not [text for text in find_warnings(now=later) if "Long work" in text]
    give_up(works, work_id)
    assert not [text for text in find_warnings(now=NOW) if "Long work" in text]
    (said,) = (text for text in find_warnings(now=later) if "Long work" in text)
    assert "stands still at 0 of 3" in said
    ask_to_stop(*works.here, work_id, now=NOW)
    assert not [text for text in find_warnings(now=later) if "Long work" in text]


def test_works_are_kept_for_90_days_after_their_end(works):
    done, waiting = works.begin(1), works.begin(1, "two")
    works.round()
    for days, kept in ((89, 2), (91, 1)):
        sweep(now=NOW + dt.timedelta(days=days))
        left = db.session.scalars(sa.select(LongWork.id), execution_options=ANYWHERE).all()
        assert len(left) == kept
    assert left == [waiting]
    assert done != waiting


def test_r1_a_work_of_another_venue_is_not_found(works):
    work_id = works.begin()
    other = make_site(make_organisation())
    for organisation_id, site_id in (
        (other.organisation_id, other.id), (works.here[0], other.id),
    ):  # fmt: skip
        with pytest.raises(NotFound):
            find_work(organisation_id, site_id, work_id)
        with pytest.raises(NotFound):
            ask_to_stop(organisation_id, site_id, work_id, now=NOW)
        with pytest.raises(NotFound):
            restart(organisation_id, site_id, work_id, now=NOW)


def test_works_are_listed_by_page_newest_first(works):
    ids = [works.begin(1, f"key {n}", now=NOW + n * MINUTE) for n in range(5)]
    first = list_works(*works.here, most=3)
    assert [work.id for work in first.works] == ids[:1:-1]
    assert first.has_more
    second = list_works(*works.here, number=2, most=3)
    assert [work.id for work in second.works] == ids[1::-1]
    assert not second.has_more
