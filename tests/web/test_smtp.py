"""Mail through a real SMTP server that takes, refuses, stalls and dies (E1, STACK R6)."""

import asyncio
import datetime as dt
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes, policy

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP
from conftest import ROOT, TEST_CONFIG
from factories import make_order, make_session

from blueprints.clock import read_clock
from blueprints.working import drain
from models import db, transaction
from services.letters import post
from services.outbox import LEASE, MOST_ATTEMPTS, list_jobs

PATIENCE = 20
"""Seconds that anything here may take at most."""


class Server(SMTP):
    """Says yes, until it is told otherwise."""

    async def smtp_DATA(self, arg):  # noqa: N802 - the library's name
        if self.event_handler.dies:
            self.event_handler.dies = False
            await self.push("354 go on")
            self.transport.abort()
            return
        await super().smtp_DATA(arg)


class Post:
    """What the server does with a message, and what it has had."""

    def __init__(self):
        self.recipients = "250 OK"
        self.data = "250 OK"
        self.dies = False
        self.stalls = None
        self.came = threading.Event()
        self.raw = []
        self.lock = threading.Lock()

    async def handle_RCPT(self, _server, _session, envelope, address, _options):  # noqa: N802
        if self.recipients.startswith("2"):
            envelope.rcpt_tos.append(address)
        return self.recipients

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802
        if self.data.startswith("2"):
            with self.lock:
                self.raw.append(envelope.content)
        self.came.set()
        if self.stalls is not None:
            await self.stalls.wait()
        return self.data

    @property
    def mails(self):
        return [message_from_bytes(raw, policy=policy.default) for raw in self.raw]


class Loopback(Controller):
    def factory(self):
        return Server(self.handler, **self.SMTP_kwargs)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def serve(**given):
    controller = Loopback(Post(), hostname="127.0.0.1", port=free_port(), **given)
    controller.start()
    return controller


@pytest.fixture
def server():
    controller = serve(enable_SMTPUTF8=True)
    yield controller
    release(controller)
    controller.stop()


def release(controller):
    stalls = controller.handler.stalls
    if stalls is not None:
        controller.loop.call_soon_threadsafe(stalls.set)
        controller.handler.stalls = None


@pytest.fixture
def mail(app, server):
    before = dict(app.config), app.extensions["sundial-clock"]
    app.config["SMTP_URL"] = f"smtp://127.0.0.1:{server.port}?timeout=0.5"
    with app.app_context():
        yield server.handler
        db.session.remove()
    app.config.update(before[0])
    app.extensions["sundial-clock"] = before[1]


def put(number=1, to="ana@example.com"):
    with transaction():
        post(
            "password_changed", {"to": to, "name": "Ana"}, dedupe_key=f"{number}", now=read_clock()
        )


def only():
    db.session.rollback()
    [job] = list_jobs("mail")
    return job


def later(app, wait):
    app.extensions["sundial-clock"] += wait


def test_e1_a_server_that_takes_it_has_it_once(mail):
    put()
    assert drain() == 1
    assert drain() == 0
    [message] = mail.mails
    assert message["Subject"] == "Your password was changed"
    assert message["Message-ID"] == "<password_changed-1@localhost>".replace("_", "-")
    assert (only().done_at is not None, only().error) == (True, "")


def test_e1_a_confirmation_arrives_whole_with_its_calendar_file(mail):
    session = make_session(local_start="2026-06-20T18:00")
    make_order(session, now=read_clock())
    assert drain() == 1
    [message] = mail.mails
    [attached] = message.iter_attachments()
    assert attached.get_filename() == "booking.ics"
    assert b"METHOD:REQUEST" in attached.get_content()
    assert "Thermal circuit" in message.get_body(("plain",)).get_content()
    assert "Thermal circuit" in message.get_body(("html",)).get_content()


def test_e1_a_recipient_that_does_not_exist_is_given_up_with_the_servers_words(mail):
    mail.recipients = "550 5.1.1 no such person here"
    put()
    assert drain() == 0
    assert only().attempts == MOST_ATTEMPTS
    assert only().error == "Undeliverable: the mail server said 550 5.1.1 no such person here"
    assert drain() == 0


def test_e1_a_mail_that_is_refused_for_good_is_given_up(mail):
    mail.data = "554 5.7.1 looks like advertising"
    put()
    drain()
    assert only().attempts == MOST_ATTEMPTS
    assert only().error.endswith("554 5.7.1 looks like advertising")


def test_e1_a_server_that_refuses_for_now_is_asked_again_later(app, mail):
    mail.recipients = "451 4.3.0 come back later"
    put()
    assert drain() == 0
    job = only()
    assert (job.attempts, job.done_at) == (1, None)
    assert job.error == "Not taken yet: the mail server said 451 4.3.0 come back later"
    assert job.run_at > read_clock() + dt.timedelta(minutes=1)
    mail.recipients = "250 OK"
    assert drain() == 0
    later(app, dt.timedelta(minutes=2))
    assert drain() == 1
    assert len(mail.mails) == 1


def test_e1_a_server_that_stalls_holds_nobody_up(app, mail, server):
    mail.stalls = asyncio.Event()
    put()
    began = time.monotonic()
    assert drain() == 0
    assert time.monotonic() - began < PATIENCE
    assert only().attempts == 1
    assert "imed out" in only().error
    release(server)
    later(app, dt.timedelta(minutes=2))
    assert drain() == 1
    # It had the first one too, and nobody could know: both are one message by their id (R6).
    assert len({message["Message-ID"] for message in mail.mails}) == 1


def test_e1_a_server_that_dies_in_the_middle_is_tried_again(app, mail):
    mail.dies = True
    put()
    assert drain() == 0
    assert only().attempts == 1
    assert only().error
    later(app, dt.timedelta(minutes=2))
    assert drain() == 1
    assert len(mail.mails) == 1


def test_e1_a_rollback_sends_none(mail):
    def deed():
        with transaction():
            post("password_changed", {"to": "a@b.example", "name": "A"}, dedupe_key="1", now=now)
            raise RuntimeError("the deed failed")

    now = read_clock()
    with pytest.raises(RuntimeError):
        deed()
    assert drain() == 0
    assert mail.mails == []


def test_e1_two_workers_at_once_send_each_mail_once(app, mail):
    for number in range(20):
        put(number)

    def work(_number):
        with app.app_context():
            done = drain()
            db.session.remove()
            return done

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(work, range(2))) == 20
    assert len(mail.mails) == 20
    assert len({message["Message-ID"] for message in mail.mails}) == 20


def test_e1_a_worker_that_is_killed_loses_none_and_repeats_at_most_that_one(app, mail, server):
    """Killed after the server had it and before that was noted: sent again under the same id."""
    put(1)
    mail.stalls = asyncio.Event()
    settings = {
        "DATABASE_URL": app.config["SQLALCHEMY_DATABASE_URI"].replace("+psycopg", ""),
        "SUNDIAL_SECRET_KEY": TEST_CONFIG["SECRET_KEY"],
        "SUNDIAL_NOW": read_clock().isoformat(),
        "SUNDIAL_SMTP_URL": f"smtp://127.0.0.1:{server.port}",
    }
    worker = subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", "app", "worker", "--rounds", "1"],
        cwd=ROOT,
        env={**os.environ, **settings},
    )
    try:
        assert mail.came.wait(PATIENCE)
    finally:
        worker.kill()
        worker.wait(PATIENCE)
    release(server)
    put(2)
    assert drain() == 1
    later(app, LEASE + dt.timedelta(minutes=1))
    assert drain() == 1
    assert drain() == 0
    assert all(job.done_at is not None for job in list_jobs("mail"))
    ids = [message["Message-ID"] for message in mail.mails]
    first = "<password-changed-1@localhost>"
    assert ids.count(first) in (1, 2)
    assert [one for one in ids if one != first] == ["<password-changed-2@localhost>"]


def test_the_way_to_the_server_is_encrypted_where_that_is_asked_for(
    app, mail, server, tmp_path, monkeypatch
):
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    asked = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        f"-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {cert}"
    )
    subprocess.run(asked.split(), check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    secure = serve(tls_context=context, require_starttls=True)
    try:
        app.config["SMTP_URL"] = f"smtp://127.0.0.1:{secure.port}?timeout=5"
        put()
        assert drain() == 0
        assert "STARTTLS" in only().error
        app.config["SMTP_URL"] += "&starttls=1"
        later(app, dt.timedelta(minutes=2))
        # A certificate that nobody vouches for is not trusted.
        assert drain() == 0
        assert "CERTIFICATE_VERIFY_FAILED" in only().error
        monkeypatch.setenv("SSL_CERT_FILE", str(cert))
        later(app, dt.timedelta(minutes=4))
        assert drain() == 1
        assert len(secure.handler.mails) == 1
    finally:
        secure.stop()
