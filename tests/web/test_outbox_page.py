"""The outbox of a site: what waits, was sent and failed, read and sent once more by staff."""

import datetime as dt

import pytest
import sqlalchemy as sa
from factories import (
    ANYWHERE,
    fetch,
    make_account,
    make_booked_line,
    make_organisation,
    make_session,
    make_site,
    make_staff,
    make_type,
)

from blueprints.clock import read_clock
from blueprints.working import drain
from models import Job, Organisation, SessionBooking, Site, db, new_object_id, transaction
from services.account_links import request_sign_in
from services.doctor import examine_outbox, find_warnings
from services.letters import post
from services.outbox import MOST_ATTEMPTS, claim_job, list_jobs

WORDS = "SMTPRecipientsRefused: 550 <b>No such mailbox</b>"


@pytest.fixture
def venue(make):
    def build():
        site = make_site(slug="bath")
        line = make_booked_line(make_session(make_type(site)), name="Jude Moss")
        make_staff(site)
        make_staff(site, "owner@example.com", everywhere=True)
        db.session.execute(sa.delete(Job), execution_options=ANYWHERE)
        db.session.commit()
        return {
            "site": site.id,
            "organisation": site.organisation_id,
            "line": line.id,
            "now": read_clock(),
        }

    return make(build)


@pytest.fixture
def maren(visitor, venue):
    visitor.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    return visitor


@pytest.fixture
def job(make, venue):
    """Writes one job of the site; what is given replaces the usual."""

    def write(**given):
        values = {
            "id": new_object_id(),
            "organisation_id": venue["organisation"],
            "site_id": venue["site"],
            "kind": "mail",
            "payload": {"letter": "account_closed", "to": "ana@example.com", "name": "Ana Reyes"},
            "run_at": venue["now"],
            "created_at": venue["now"],
            **given,
        }

        def build():
            db.session.add(Job(dedupe_key=values["id"], **values))
            db.session.commit()
            return values["id"]

        return make(build)

    return write


def failed(job, **given):
    return job(attempts=MOST_ATTEMPTS, error=WORDS, **given)


def read(app, job_id):
    with app.app_context():
        row = fetch(Job, job_id)
        db.session.expunge(row)
        return row


def listed(browser, show="waiting"):
    return browser.get(f"/staff/bath/outbox?show={show}").all("a.posted")


def test_the_tabs_tell_waiting_sent_and_failed_apart(maren, venue, job):
    job(payload={"letter": "booking_reminder", "booking": venue["line"], "sequence": 0})
    job(done_at=venue["now"], attempts=1)
    job(done_at=venue["now"], attempts=1, error="Not sent: no mail server is set.")
    failed(job)
    (waiting,) = listed(maren)
    text = " ".join(waiting.get_text(" ").split())
    assert "Reminder" in text
    # Whom it goes to is read from the booking that it names.
    assert "Jude Moss, ana@example.com" in text
    kept, sent = sorted(" ".join(a.get_text(" ").split()) for a in listed(maren, "sent"))
    assert {"Kept" in one for one in (kept, sent)} == {True, False}
    page = maren.get("/staff/bath/outbox?show=failed")
    assert [b.get_text() for b in page.all(".tally b")] == ["1", "2", "1"]
    # The server's own words, and never its markup.
    assert WORDS in page.text("a.posted")
    assert not page.all("a.posted .words b")


def test_a_mail_is_read_as_it_would_go_out(maren, job):
    job_id = job()
    page = maren.get(f"/staff/bath/outbox/{job_id}")
    assert page.text("h1") == "Your account is closed"
    assert "Hello Ana Reyes" in page.text("pre.letter-text")
    assert page.one("iframe").get("sandbox") in ("", [])
    assert "frame-src 'self'" in page.response.headers["Content-Security-Policy"]
    letter = maren.client.get(f"/staff/bath/outbox/{job_id}.html")
    policy = letter.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert policy.endswith("sandbox")


def test_a_confirmation_names_who_booked(app, maren, venue, job):
    with app.app_context():
        order = fetch(SessionBooking, venue["line"]).order_id
    job(payload={"letter": "booking_confirmed", "order": order})
    assert "Jude Moss" in maren.get("/staff/bath/outbox").text(".posted .sub")


def test_a_mail_that_nobody_writes_any_more_says_so(maren, job):
    job_id = job(payload={"letter": "of_another_age"})
    page = maren.get(f"/staff/bath/outbox/{job_id}")
    assert "can’t be written any more" in page.text("h1")
    maren.get(f"/staff/bath/outbox/{job_id}.html", 404)


def test_a_failed_mail_is_sent_again_and_two_presses_are_one(app, maren, job):
    job_id = failed(job)
    url = f"/staff/bath/outbox/{job_id}"
    assert WORDS in maren.get(url).text("aside.stack-s")
    maren.post(f"{url}/retry", {}, 303)
    row = read(app, job_id)
    assert (row.attempts, row.locked_until) == (0, None)
    with app.app_context():
        assert claim_job(now=read_clock()).id == job_id
    maren.post(f"{url}/retry", {}, 303)
    assert "Nothing to do" in maren.get(url).text(".note--info")
    # The worker's claim was not undone by the second press.
    assert read(app, job_id).attempts == 1


def test_what_was_sent_waits_or_is_under_way_is_not_retried(app, maren, venue, job):
    sent = job(done_at=venue["now"], attempts=MOST_ATTEMPTS)
    waiting = job(attempts=3)
    last_try = failed(job, locked_until=venue["now"] + dt.timedelta(minutes=5))
    for job_id in (sent, waiting, last_try):
        maren.post(f"/staff/bath/outbox/{job_id}/retry", {}, 303)
    maren.post("/staff/bath/outbox/retry", {}, 303)
    assert [read(app, job_id).attempts for job_id in (sent, waiting, last_try)] == [
        MOST_ATTEMPTS, 3, MOST_ATTEMPTS,
    ]  # fmt: skip


def test_all_failed_mails_go_out_once_more(app, maren, job):
    ids = [failed(job) for _ in range(3)]
    page = maren.get("/staff/bath/outbox?show=failed")
    assert "Send all 3 again" in page.text("main form")
    maren.post("/staff/bath/outbox/retry", {}, 303)
    assert "3 mails go out once more" in maren.get("/staff/bath/outbox").text(".note--ok")
    with app.app_context():
        drain()
    assert {read(app, job_id).error for job_id in ids} == {"Not sent: no mail server is set."}


def test_many_mails_come_page_by_page(maren, job):
    for _ in range(27):
        job()
    assert len(listed(maren)) == 25
    page = maren.get("/staff/bath/outbox?page=2")
    assert len(page.all("a.posted")) == 2
    assert "Page 2" in page.text(".pager")
    assert "Nothing waits" in maren.get("/staff/bath/outbox?page=3").text("main")
    for page_number in ("0", "-1", "x", "99999999999", "²"):
        maren.get(f"/staff/bath/outbox?page={page_number}", 404)


def test_the_page_asks_as_many_questions_for_2_mails_as_for_20(app, maren, venue, job):
    payload = {"letter": "booking_changed", "booking": venue["line"], "sequence": 1}

    def asked():
        statements = []

        def note(_conn, _cursor, statement, *_rest):
            statements.append(statement)

        with app.app_context():
            engine = db.engine
        sa.event.listen(engine, "before_cursor_execute", note)
        try:
            maren.get("/staff/bath/outbox")
        finally:
            sa.event.remove(engine, "before_cursor_execute", note)
        return len(statements)

    for _ in range(2):
        job(payload=payload)
    few = asked()
    for _ in range(18):
        job(payload=payload)
    assert asked() == few


def test_d1_only_the_sites_own_mails_are_there(app, maren, other_visitor, venue, job, make):
    def elsewhere():
        sister = make_site(fetch_organisation(venue), slug="york")
        foreign = make_site(make_organisation(), slug="leeds")
        return (sister.id, sister.organisation_id), (foreign.id, foreign.organisation_id)

    sister, foreign = make(elsewhere)
    strange = [failed(job, site_id=s, organisation_id=o) for s, o in (sister, foreign)]
    whole = failed(job, site_id=None)
    for job_id in (*strange, whole):
        maren.get(f"/staff/bath/outbox/{job_id}", 404)
        maren.get(f"/staff/bath/outbox/{job_id}.html", 404)
        maren.post(f"/staff/bath/outbox/{job_id}/retry", {}, 404)
    assert listed(maren, "failed") == []
    # Who works for the whole organisation reads what belongs to no one site of it.
    other_visitor.sign_in("owner@example.com", "thermal-waters", "/staff/sign-in")
    assert len(listed(other_visitor, "failed")) == 1
    other_visitor.get(f"/staff/bath/outbox/{strange[1]}", 404)
    other_visitor.post("/staff/bath/outbox/retry", {}, 303)
    assert read(app, whole).attempts == 0
    assert [read(app, job_id).attempts for job_id in strange] == [MOST_ATTEMPTS] * 2


def fetch_organisation(venue):
    return fetch(Organisation, venue["organisation"])


def test_sign_in_links_and_resets_are_nobodys_to_read(maren, other_visitor, venue, make):
    def ask():
        make_account("secret@example.com", "Sec Ret")
        request_sign_in("secret@example.com", who="x", now=read_clock())
        (found,) = list_jobs("mail")
        assert found.organisation_id is None
        return found.id

    job_id = make(ask)
    other_visitor.sign_in("owner@example.com", "thermal-waters", "/staff/sign-in")
    for browser in (maren, other_visitor):
        assert listed(browser) == []
        browser.get(f"/staff/bath/outbox/{job_id}", 404)
        browser.get(f"/staff/bath/outbox/{job_id}.html", 404)


def test_who_manages_no_reservations_stays_out(visitor, venue, make):
    def build():
        make_staff(fetch(Site, venue["site"]), "forms@example.com", rights=("SETTINGS_MANAGE",))

    make(build)
    visitor.sign_in("forms@example.com", "thermal-waters", "/staff/sign-in")
    for url in ("/staff/bath/outbox", "/staff/bath/outbox/x", "/staff/bath/outbox/x.html"):
        visitor.get(url, 403)


def test_the_doctor_warns_of_mail_that_failed_or_stands_still(app, venue, job):
    with app.app_context():
        assert find_warnings(now=venue["now"]) == []
    failed(job)
    job(run_at=venue["now"] - dt.timedelta(hours=2))
    job(run_at=venue["now"] - dt.timedelta(minutes=2))
    job(run_at=venue["now"] - dt.timedelta(hours=2), locked_until=venue["now"] + dt.timedelta(1))
    with app.app_context():
        gone, late = find_warnings(now=venue["now"])
    assert "1 job failed for good" in gone
    assert "1 job has been due for more than an hour" in late
    # A warning is no broken promise.
    with app.app_context():
        answer = app.test_cli_runner().invoke(args=["doctor"])
    assert answer.exit_code == 0
    assert "warning: Outbox: 1 job failed for good" in answer.output
    assert "all is well" in answer.output


def test_the_doctor_names_jobs_that_nobody_can_do(app, venue, job):
    job(kind="dance")
    job(payload={"letter": "of_another_age"})
    job(payload={"letter": "of_another_age"}, done_at=venue["now"])
    with app.app_context():
        assert examine_outbox({"mail"}, {"sign_in"}) == [
            "Outbox: 1 job for the letter of_another_age, which nobody does.",
            "Outbox: 1 job of the kind dance, which nobody does.",
        ]
        answer = app.test_cli_runner().invoke(args=["doctor"])
    assert answer.exit_code == 1
    assert "of the kind dance" in answer.output


def test_a_letter_is_posted_for_a_site(app, venue, maren):
    with app.app_context(), transaction():
        post(
            "account_closed",
            {"to": "ana@example.com", "name": "Ana Reyes"},
            dedupe_key="x",
            now=read_clock(),
            organisation_id=venue["organisation"],
            site_id=venue["site"],
        )
    assert len(listed(maren)) == 1
