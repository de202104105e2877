"""Letters: how they read, how they travel, and what refuses to be a header."""

import signal
import socketserver
import threading
from email import message_from_bytes, policy

import pytest
from conftest import TEST_CONFIG, app_on
from factories import NOW, make_account

from app import create_app
from blueprints.configuration import Misconfigured
from blueprints.mailing import Letter, Undeliverable, compose, html_of, text_of, write
from blueprints.working import drain
from models import db, transaction
from services.account_links import request_account
from services.letters import post
from services.outbox import enqueue, list_jobs


class Mailbox(socketserver.ThreadingTCPServer):
    """As much of a mail server as is needed to receive, or to refuse."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, refuses=False):
        super().__init__(("127.0.0.1", 0), Talk)
        self.refuses = refuses
        self.received = []
        self.envelopes = []

    @property
    def url(self):
        return f"smtp://127.0.0.1:{self.server_address[1]}"

    def mails(self):
        return [message_from_bytes(raw, policy=policy.default) for raw in self.received]


class Talk(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write(f"{text}\r\n".encode())

    def handle(self):
        self.say("220 ready")
        while line := self.rfile.readline():
            verb = line.split()[0].upper() if line.split() else b""
            if verb == b"EHLO":
                self.say("250-here")
                self.say("250 SMTPUTF8")
            elif verb == b"DATA":
                self.say("354 go on")
                lines = iter(self.rfile.readline, b".\r\n")
                self.server.received.append(b"".join(lines))
                self.say("250 kept")
            elif verb == b"QUIT":
                self.say("221 bye")
                return
            elif verb == b"RCPT" and self.server.refuses:
                self.say("451 later")
            else:
                if verb == b"RCPT":
                    self.server.envelopes.append(line.decode().strip())
                self.say("250 fine")


@pytest.fixture
def mailbox():
    with Mailbox() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def mail_app(app, mailbox):
    """The shared application with a mail server, for one test."""
    before = dict(app.config)
    app.config.update(SMTP_URL=mailbox.url, PUBLIC_ADDRESS="https://book.example")
    yield app
    app.config.update(before)


def ask(email="ana@example.com"):
    request_account(email, "Ana Reyes", who=email, now=NOW)


def test_e1_the_worker_sends_what_was_asked_for(mail_app, mailbox):
    with mail_app.app_context():
        ask()
        assert drain() == 1
        assert drain() == 0
        [job] = list_jobs("mail")
        assert (job.done_at is not None, job.error) == (True, "")
        [message] = mailbox.mails()
        assert message["To"] == "ana@example.com"
        assert message["From"] == "Sundial <no-reply@localhost>"
        assert message["Subject"] == "Open your account"
        assert message["Message-ID"] == f"<{job.dedupe_key.replace(':', '-')}@localhost>"
        plain = message.get_body(("plain",)).get_content()
        rich = message.get_body(("html",)).get_content()
        for text in (plain, rich):
            assert "https://book.example/account/register/" in text
            assert "The link works for 24 hours, once." in text
        # What a stranger typed as a name is in no mail.
        assert "Ana" not in plain.replace("ana@", "")


def test_e1_a_server_that_says_later_is_asked_again(mail_app, mailbox):
    mailbox.refuses = True
    with mail_app.app_context():
        ask()
        assert drain() == 0
        [job] = list_jobs("mail")
        assert job.done_at is None
        assert job.attempts == 1
        assert job.run_at > NOW
        assert job.error == "Not taken yet: the mail server said 451 later"


def test_e1_a_server_that_is_away_stops_nothing_else(mail_app):
    mail_app.config["SMTP_URL"] = "smtp://127.0.0.1:1"
    with mail_app.app_context():
        ask()
        ask("dev@example.com")
        assert drain() == 0
        assert {job.attempts for job in list_jobs("mail")} == {1}


def test_the_command_sends_in_one_round(mail_app, mailbox):
    with mail_app.app_context():
        ask()
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with mail_app.app_context():
            answer = mail_app.test_cli_runner().invoke(args=["worker", "--rounds", "1"])
            db.session.remove()
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
    assert answer.exit_code == 0, answer.output
    assert len(mailbox.received) == 1


def test_without_a_server_mails_stay_readable(app):
    with app.app_context():
        ask()
        drain()
        [job] = list_jobs("mail")
        assert job.done_at is not None
        assert "no mail server" in job.error
        assert write(job.payload).to == "ana@example.com"


def test_a_link_that_ended_meanwhile_is_not_sent(mail_app, mailbox):
    with mail_app.app_context():
        request_account("ana@example.com", "Ana", who="a", now=NOW.replace(day=1))
        drain()
        assert mailbox.received == []
        assert "of no use" in list_jobs("mail")[0].error


@pytest.mark.parametrize(
    ("to", "subject"),
    [
        ("ana@example.com\r\nBcc: all@example.com", "Hello"),
        ("ana@example.com\nBcc: all@example.com", "Hello"),
        ("ana@example.com", "Hello\r\nBcc: all@example.com"),
        ("ana@example.com, all@example.com", "Hello"),
        ("Ana <ana@example.com>", "Hello"),
        ("nobody", "Hello\x00"),
        ("", "Hello"),
    ],
)
def test_nobody_writes_headers_through_an_address_or_subject(app, to, subject):
    with app.app_context(), pytest.raises(Undeliverable):
        compose(Letter(to=to, subject=subject, paragraphs=("Hello.",)), "key")


def test_what_is_undeliverable_is_given_up_with_its_reason(mail_app, mailbox):
    with mail_app.app_context():
        with transaction():
            post(
                "password_changed",
                {"to": "a@example.com\nBcc: b@example.com", "name": "Ana"},
                dedupe_key="one",
                now=NOW,
            )
            enqueue("mail", {"letter": "unheard of"}, dedupe_key="two", now=NOW)
            enqueue("fax", {}, dedupe_key="three", now=NOW)
        assert drain() == 0
        errors = sorted(job.error for job in [*list_jobs("mail"), *list_jobs("fax")])
        assert errors[0].startswith("KeyError")
        assert errors[1].startswith("LookupError")
        assert errors[2].startswith("Undeliverable")
        assert mailbox.received == []


def test_a_letter_says_the_same_in_both_alternatives_and_escapes(app):
    letter = Letter(
        to="ana@example.com",
        name="Ana <Reyes>",
        subject="Hello & welcome",
        paragraphs=("Water & steam.",),
        action=("Open", "https://book.example/?a=1&b=2"),
    )
    with app.app_context():
        assert "Hello Ana <Reyes>," in text_of(letter)
        assert "https://book.example/?a=1&b=2" in text_of(letter)
        html = html_of(letter)
        assert "Ana &lt;Reyes&gt;" in html
        assert "Water &amp; steam." in html
        assert "<script" not in html


def test_an_address_in_other_letters_is_written_to(mail_app, mailbox):
    with mail_app.app_context():
        ask("josé@exämple.com")
        drain()
        assert list_jobs("mail")[0].error == ""
        assert "josé@" in mailbox.envelopes[0]


def test_the_mails_are_shown_only_where_that_is_wanted(visitor, app, make):
    make(make_account)
    visitor.get("/mail", 404)
    visitor.post("/account/sign-in-link", {"email": "ana@example.com"}, 303)
    assert not visitor.get("/account/check-mail").all("a[href='/mail']")
    app.config["SHOW_MAIL"] = app.jinja_env.globals["show_mail"] = True
    try:
        assert visitor.get("/account/check-mail").all("a[href='/mail']")
        page = visitor.get("/mail")
        assert "Your sign-in link" in page.text("main h2")
        link = page.one("a[href*='/account/sign-in-link/']")["href"]
        assert link.startswith("http://127.0.0.1:")
        answer = visitor.client.get(page.one("a[href$='.html']")["href"])
        assert "script-src" not in answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        visitor.get("/mail/nothing.html", 404)
    finally:
        app.config["SHOW_MAIL"] = app.jinja_env.globals["show_mail"] = False


@pytest.mark.parametrize(
    "wrong",
    [
        {"PRODUCTION": True, "NOW": None, "SHOW_MAIL": True},
        {"SMTP_URL": "mail.example.com"},
        {"SMTP_URL": "smtp://mail.example.com:port"},
        {"MAIL_FROM": "nobody"},
    ],
)
def test_settings_of_mail_are_checked_at_the_start(wrong):
    with pytest.raises(Misconfigured):
        create_app({**TEST_CONFIG, "NOW": NOW.isoformat(), **wrong})


def test_links_never_come_from_a_strangers_host(databases):
    app = app_on(databases.make(), WTF_CSRF_ENABLED=False)
    client = app.test_client()
    client.post(
        "/account/register",
        data={"name": "Ana", "email": "ana@example.com"},
        headers={"Host": "evil.example"},
    )
    with app.app_context():
        [job] = list_jobs("mail")
        assert "evil" not in text_of(write(job.payload))
