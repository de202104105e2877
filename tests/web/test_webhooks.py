"""Webhooks as they travel, and as the back office shows them."""

import hashlib
import hmac
import json
import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import sqlalchemy as sa
from conftest import TEST_CONFIG
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from factories import (
    ANYWHERE,
    make_order,
    make_session,
    make_site,
    make_staff,
    make_type,
)

from app import create_app
from blueprints.acting import worker_acts
from blueprints.clock import read_clock
from blueprints.configuration import Misconfigured
from blueprints.webhook_sending import MOST_READ, post
from blueprints.working import drain
from domain.webhooks import KINDS
from models import Job, Webhook, WebhookDelivery, db
from services.outbox import LEASE, claim_job
from services.webhook_deliveries import send_test
from services.webhook_sending import Shipment
from services.webhooks import Keeper, Wish, make_webhook

KEY = TEST_CONFIG["SECRET_KEY"]
URL = "https://hooks.example.com/in"
HOOKS = "/staff/bath/webhooks"


# ---- On the wire --------------------------------------------------------------


class Receiver(ThreadingHTTPServer):
    """Somebody else's program: answers as told and keeps what came."""

    daemon_threads = True
    # Threads of a slow answer are daemons: nobody waits for them.
    block_on_close = False

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Talk)
        self.received, self.status, self.says = [], 200, b"thank you"
        self.headers, self.behaves = {}, ""
        self.is_over = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/in?from=sundial"


class Talk(BaseHTTPRequestHandler):
    def do_POST(self):
        server = self.server
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server.received.append((self.path, dict(self.headers), body))
        if server.behaves == "silent":
            server.is_over.wait(5)
            return
        if server.behaves == "nonsense":
            self.wfile.write(b"what is it you want?\r\n\r\n")
            return
        self.send_response(server.status)
        for name, value in server.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if server.behaves == "drips":
            while not server.is_over.wait(0.02):
                self.wfile.write(b".")
        self.wfile.write(server.says)

    def log_message(self, *_):
        """Nobody reads it."""


@pytest.fixture
def receiver():
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.is_over.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def open_app(app, monkeypatch):
    """The shared application, which for one test may send into private networks."""
    monkeypatch.setitem(app.config, "WEBHOOK_PRIVATE", True)
    monkeypatch.setitem(app.config, "PUBLIC_ADDRESS", "https://book.example")
    return app


def parcel(url, secrets=("whsec_a",)):
    payload = {"id": "e" * 24, "type": "ping", "data": {"object": "webhook", "id": "w"}}
    return Shipment("d" * 24, "e" * 24, "ping", url, payload, secrets)


def send(app, url, **given):
    with app.app_context():
        return post(parcel(url), **{"is_private_allowed": True, "timeout": 2.0, **given})


def test_what_arrives_is_signed_as_our_documents_say(open_app, receiver):
    with open_app.app_context():
        outcome = post(parcel(receiver.url, ("whsec_new", "whsec_old")), is_private_allowed=True)
    assert (outcome.status_code, outcome.answer, outcome.error) == (200, "thank you", "")
    [(path, headers, body)] = receiver.received
    assert path == "/in?from=sundial"
    assert headers["Host"] == receiver.url.split("/")[2]
    assert headers["Content-Type"].startswith("application/json")
    assert (headers["Sundial-Event"], headers["Sundial-Delivery"]) == ("ping", "d" * 24)
    assert json.loads(body)["data"]["object"] == "webhook"
    # By hand, with nothing of ours.
    parts = [part.split("=", 1) for part in headers["Sundial-Signature"].split(",")]
    moment = dict(parts)["t"]
    assert moment == headers["Sundial-Timestamp"]
    signed = [value for name, value in parts if name == "v1"]
    for secret, found in zip((b"whsec_new", b"whsec_old"), signed, strict=True):
        wanted = hmac.new(secret, moment.encode() + b"." + body, hashlib.sha256).hexdigest()
        assert hmac.compare_digest(found, wanted)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (204, ""), (500, "It answered 500."), (404, "It answered 404."),
        (302, "leads elsewhere"), (410, "gone for good"),
    ],
)  # fmt: skip
def test_only_2xx_will_do_and_no_redirect_is_followed(open_app, receiver, status, error):
    receiver.status, receiver.says = status, b""
    receiver.headers = {"Location": receiver.url, "Content-Length": "0"}
    outcome = send(open_app, receiver.url)
    assert outcome.status_code == status
    assert error in outcome.error
    assert outcome.is_delivered == (not error)
    assert len(receiver.received) == 1


def test_a_long_answer_is_read_in_part_and_a_strange_one_made_readable(open_app, receiver):
    receiver.says = b"\0\xff\x1b[31m" + b"x" * (MOST_READ * 4)
    outcome = send(open_app, receiver.url)
    assert outcome.status_code == 200
    assert len(outcome.answer) <= 4000
    assert "\0" not in outcome.answer
    assert "\x1b" not in outcome.answer


@pytest.mark.parametrize("behaves", ["silent", "drips"])
def test_all_of_it_has_so_many_seconds_however_slowly_it_drips(open_app, receiver, behaves):
    receiver.behaves = behaves
    began = time.monotonic()
    outcome = send(open_app, receiver.url, timeout=0.3)
    assert time.monotonic() - began < 2
    assert outcome.status_code is None
    assert "took longer" in outcome.error


def test_what_is_no_http_is_said(open_app, receiver):
    receiver.behaves = "nonsense"
    assert "no HTTP" in send(open_app, receiver.url).error
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
    assert "refused" in send(open_app, f"http://127.0.0.1:{port}/").error
    # It speaks no TLS.
    assert "TLS" in send(open_app, receiver.url.replace("http://", "https://")).error


@pytest.mark.parametrize(
    "leads", [["127.0.0.1"], ["10.0.0.7"], ["169.254.169.254"], ["::1"], ["::ffff:127.0.0.1"],
              ["8.8.8.8", "127.0.0.1"], []],
)  # fmt: skip
def test_a_name_that_leads_inside_is_refused_before_anything_is_sent(app, receiver, leads):
    """The name is public when it is typed; what it leads to is asked when we send."""
    port = receiver.server_address[1]
    url = f"https://hooks.example.com:{port}/"
    outcome = send(app, url, is_private_allowed=False, resolver=lambda _host, _port: leads)
    assert outcome.status_code is None
    assert "private" in outcome.error or "nowhere" in outcome.error
    assert receiver.received == []


def test_it_connects_to_the_address_that_was_checked(open_app, receiver):
    asked = []

    def resolver(host, port):
        asked.append((host, port))
        return ["127.0.0.1"]

    port = receiver.server_address[1]
    outcome = send(open_app, f"http://no.such.name.example:{port}/", resolver=resolver)
    assert outcome.status_code == 200
    assert asked == [("no.such.name.example", port)]
    assert receiver.received[0][1]["Host"] == f"no.such.name.example:{port}"


def test_a_name_that_nobody_knows(app):
    def resolver(_host, _port):
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    assert "leads nowhere" in send(app, URL, resolver=resolver).error


def test_a_certificate_that_nobody_vouches_for_is_refused(open_app, receiver, tmp_path):
    certificate = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    receiver.socket = context.wrap_socket(receiver.socket, server_side=True)
    url = receiver.url.replace("http://127.0.0.1", "https://hooks.example.com")
    here = {"resolver": lambda _host, _port: ["127.0.0.1"]}
    assert "certificate is not valid" in send(open_app, url, **here).error
    trusted = ssl.create_default_context(cafile=str(certificate))
    assert send(open_app, url, tls=trusted, **here).status_code == 200
    other = url.replace("hooks.", "other.")
    assert "certificate is not valid" in send(open_app, other, tls=trusted, **here).error


def self_signed(folder):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "hooks.example.com")])
    day = timedelta(days=1)
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.example.com")]), False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "receiver.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


# ---- From the deed to the receiver -------------------------------------------


def listen(site, url, *, name="Door", kinds=tuple(KINDS)):
    keeper = Keeper(site.organisation_id, frozenset({(None, "SETTINGS_MANAGE")}))
    made = make_webhook(
        keeper, Wish(name, url, kinds), by=None, seal_key=KEY, is_private_allowed=True,
        now=read_clock(),
    )  # fmt: skip
    return keeper, made.id


def only_webhooks():
    db.session.execute(sa.delete(Job).where(Job.kind != "webhook"), execution_options=ANYWHERE)
    db.session.commit()


def deliveries():
    db.session.rollback()
    query = sa.select(WebhookDelivery).order_by(WebhookDelivery.created_at, WebhookDelivery.id)
    return list(db.session.scalars(query, execution_options=ANYWHERE))


def test_a_booking_reaches_whoever_listens_once(open_app, receiver):
    with open_app.app_context():
        site = make_site()
        listen(site, receiver.url)
        row = make_session(make_type(site))
        with worker_acts("test"):
            make_order(row, now=read_clock())
        only_webhooks()
        before = db.session.scalar(sa.select(sa.func.count(Job.id)), execution_options=ANYWHERE)
        assert drain() == before
        assert drain() == 0
        kinds = [headers["Sundial-Event"] for _, headers, _ in receiver.received]
        assert kinds.count("booking.created") == 1
        [row] = [one for one in deliveries() if one.kind == "booking.created"]
        assert (row.state, row.attempts, row.status_code) == ("delivered", 1, 200)
        assert row.answer == "thank you"
        [body] = [json.loads(it) for _, its, it in receiver.received
                  if its["Sundial-Event"] == "booking.created"]  # fmt: skip
        assert body["data"]["url"].startswith("https://book.example/api/shop/session-bookings/")
        assert b"Ana" not in b"".join(it for _, _, it in receiver.received)


def test_nothing_is_open_in_the_database_while_it_is_sent(open_app, receiver, monkeypatch):
    with open_app.app_context():
        site = make_site()
        keeper, hook = listen(site, receiver.url)
        send_test(keeper, hook, now=read_clock())
        seen = []

        def resolver(host, _port):
            seen.append(db.session().in_transaction())
            return [host]

        monkeypatch.setattr(post, "__kwdefaults__", {**post.__kwdefaults__, "resolver": resolver})
        assert drain() == 1
        assert seen == [False]


def test_a_receiver_in_trouble_is_asked_again_and_mail_does_not_wait_for_it(open_app, receiver):
    receiver.status = 500
    with open_app.app_context():
        keeper, hook = listen(make_site(), receiver.url)
        send_test(keeper, hook, now=read_clock())
        assert drain() == 0
        [row] = deliveries()
        assert (row.state, row.attempts, row.status_code) == ("waiting", 1, 500)
        [job] = db.session.scalars(sa.select(Job), execution_options=ANYWHERE)
        assert (job.attempts, job.error) == (1, "It answered 500.")
        wait = job.run_at - read_clock()
        assert timedelta(seconds=50) < wait <= timedelta(minutes=1)


def test_two_workers_at_once_send_once(open_app, receiver):
    with open_app.app_context():
        keeper, hook = listen(make_site(), receiver.url)
        for _ in range(4):
            send_test(keeper, hook, now=read_clock())
        db.session.remove()

    def work():
        with open_app.app_context():
            while drain():
                pass
            db.session.remove()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for one in workers:
        one.start()
    for one in workers:
        one.join(30)
    sent = [headers["Sundial-Delivery"] for _, headers, _ in receiver.received]
    assert len(sent) == len(set(sent)) == 4


def test_a_worker_that_dies_while_sending_sends_again(open_app, receiver):
    """At least once: the receiver may have had it, and knows it by its id."""
    with open_app.app_context():
        keeper, hook = listen(make_site(), receiver.url)
        send_test(keeper, hook, now=read_clock() - LEASE * 2)
        claim_job(now=read_clock() - LEASE * 2)
        assert drain() == 1
        [row] = deliveries()
        assert (row.state, row.attempts) == ("delivered", 2)


def test_production_sends_into_no_private_network():
    with pytest.raises(Misconfigured, match="WEBHOOK_PRIVATE"):
        create_app({
            "SECRET_KEY": "x", "PRODUCTION": True, "PUBLIC_ADDRESS": "https://book.example",
            "WEBHOOK_PRIVATE": True, "SQLALCHEMY_DATABASE_URI": "sqlite://",
        })  # fmt: skip


# ---- In the back office ------------------------------------------------------


@pytest.fixture
def house(make):
    def build():
        site = make_site(slug="bath")
        north = make_site(name="North", slug="north-of-bath")
        make_staff(site, "imogen@example.com", rights=("SETTINGS_MANAGE",), everywhere=True)
        make_staff(site, "lena@example.com", rights=("SETTINGS_MANAGE",))
        make_staff(site, "maren@example.com", rights=("RESERVATIONS_MANAGE",))
        make_staff(north, "stranger@example.com", rights=("SETTINGS_MANAGE",), everywhere=True)
        return {"id": site.organisation_id, "bath": site.id}

    return make(build)


@pytest.fixture
def imogen(visitor, house):
    visitor.sign_in("imogen@example.com", "thermal-waters", "/staff/sign-in")
    return visitor


@pytest.fixture
def hook(make, house):
    keeper = Keeper(house["id"], frozenset({(None, "SETTINGS_MANAGE")}))
    wish = Wish("Door display", URL, list(KINDS))
    return make(lambda: make_webhook(keeper, wish, by=None, seal_key=KEY, now=read_clock()).id)


def form_of(page, **changed):
    fields = {**page.form("main form"), "where": "all", "kinds": ["booking.created"], **changed}
    return {name: value for name, value in fields.items() if value is not None}


def test_adding_one_shows_its_secret_once(imogen, make):
    empty = imogen.get(HOOKS)
    assert "No webhooks yet" in empty.text(".empty")
    page = imogen.get(f"{HOOKS}/new")
    assert len(page.all("[name=kinds][checked]")) == len(KINDS)
    sent = form_of(page, name="Door display", url=URL)
    made = imogen.post(HOOKS, sent, 200)
    secret = made.text("#secret")
    assert secret.startswith("whsec_")
    again = imogen.post(HOOKS, sent, 200)
    assert not again.all("#secret")
    assert "shown only once" in again.text("main")
    listed = imogen.get(HOOKS)
    assert len(listed.all(".set-row")) == 1
    assert "1 event" in listed.text("main")
    address = listed.one(".set-main")["href"]
    one = imogen.get(address)
    for shown in (listed, one, imogen.get(f"{address}/edit")):
        assert secret not in shown.html
        assert "sealed" not in shown.html
    row = make(lambda: db.session.scalars(sa.select(Webhook), execution_options=ANYWHERE).one())
    assert row.created_by_name
    assert secret not in row.sealed_secret
    trail = imogen.get(f"/staff/bath/trail/webhooks/{row.id}")
    assert "webhook" in trail.text("main")
    assert secret not in trail.html


@pytest.mark.parametrize(
    ("changed", "field", "said"),
    [
        ({"name": ""}, "name", "Enter a name for it."),
        ({"url": "http://example.com"}, "url", "begins with https://"),
        ({"url": "https://169.254.169.254/"}, "url", "private network"),
        ({"url": "\ud800"}, "url", "can’t be read"),
        ({"where": "nowhere"}, "where", "Choose a venue"),
        ({"kinds": None}, "kinds", "Choose at least one event."),
        ({"kinds": ["x"]}, "kinds", "from the list"),
    ],
)
def test_what_is_wrong_is_said_under_its_field_and_what_was_typed_is_kept(
    imogen, changed, field, said
):
    page = imogen.get(f"{HOOKS}/new")
    sent = form_of(page, **{"name": "Kept", "url": URL, **changed})
    sent = {k: v.encode("utf-8", "surrogatepass") if v == "\ud800" else v for k, v in sent.items()}
    answer = imogen.post(HOOKS, sent, 422)
    assert answer.one(".summary a")["href"] == f"#{field}"
    assert said in answer.text(".summary")
    assert answer.soup.title.get_text().startswith("Error:")
    if field != "name":
        assert answer.one("#name")["value"] == "Kept"
    assert not imogen.get(HOOKS).all(".set-row")


def test_it_is_changed_paused_resumed_renewed_and_deleted(imogen, hook):
    one = f"{HOOKS}/{hook}"
    page = imogen.get(f"{one}/edit")
    imogen.post(f"{one}/edit", form_of(page, name="Bookkeeping"), 303)
    shown = imogen.get(one)
    assert shown.text("h1") == "Bookkeeping"
    assert "1 event" in shown.text("aside")
    imogen.post(f"{one}/edit", form_of(page, url="https://127.0.0.1/"), 422)
    imogen.post(f"{one}/pause", {}, 303)
    shown = imogen.get(one)
    assert "Paused" in shown.text("aside .badge")
    assert not shown.all("form[action$='/test']")
    imogen.post(f"{one}/test", {}, 303)
    assert "Resume it first" in imogen.get(one).text("main")
    imogen.post(f"{one}/resume", {}, 303)
    assert "Active" in imogen.get(one).text("aside .badge")
    ask = imogen.get(f"{one}/secret")
    renewed = imogen.post(f"{one}/secret", ask.form("main form"), 200)
    assert renewed.text("#secret").startswith("whsec_")
    assert "signs along until" in imogen.get(one).text("aside")
    imogen.get(f"{one}/removal")
    imogen.post(f"{one}/removal", {}, 303)
    imogen.get(one, 404)
    for deed in ("pause", "resume", "test", "removal", "secret"):
        imogen.post(f"{one}/{deed}", {}, 404)


def test_the_address_of_a_button_leads_back_to_its_page(imogen, hook):
    for deed in ("pause", "resume", "test"):
        assert imogen.get(f"{HOOKS}/{hook}/{deed}", 303).response.location == f"{HOOKS}/{hook}"


def test_the_log_says_what_was_sent_and_sends_it_again(imogen, hook, make, app):
    one = f"{HOOKS}/{hook}"
    assert "Nothing sent yet" in imogen.get(one).text(".empty")
    button = imogen.get(one).form("form[action$='/test']")
    for _ in range(2):
        imogen.post(f"{one}/test", button, 303)
    shown = imogen.get(one)
    [line] = shown.all(".posted")
    assert "Waiting" in line.get_text()
    page = imogen.get(line["href"])
    assert '"type": "ping"' in page.text("pre")
    assert page.text("h1") == "A test"

    def fail():
        [row] = deliveries()
        row.state, row.attempts, row.status_code = "failed", 7, 500
        row.answer, row.error, row.tried_at = "<b>busy</b>", "It answered 500.", read_clock()
        db.session.commit()

    make(fail)
    page = imogen.get(line["href"])
    assert "<b>busy</b>" in page.all("pre")[1].get_text()
    assert "7 tries of 7" in page.text("aside")
    again = page.form("form[action$='/again']")
    to = {imogen.post(f"{line['href']}/again", again, 303).response.location for _ in range(2)}
    assert len(to) == 1
    copy = imogen.get(to.pop())
    assert "Waiting" in copy.text("aside")
    assert [len(imogen.get(f"{one}?show={state}").all(".posted")) for state in
            ("failed", "waiting", "delivered", "no such state")] == [1, 1, 0, 2]  # fmt: skip
    assert imogen.get(f"{line['href']}/again", 303).response.location == line["href"]
    for page_number in ("0", "x", "9" * 30):
        imogen.get(f"{one}?page={page_number}", 404)


def test_a_page_of_the_log_costs_the_same_however_long_it_is(imogen, hook, make, app, house):
    one = f"{HOOKS}/{hook}"
    keeper = Keeper(house["id"], frozenset({(None, "SETTINGS_MANAGE")}))
    spent = []
    for more in (1, 29):
        make(lambda more=more: [send_test(keeper, hook, now=read_clock()) for _ in range(more)])
        found = []

        def note(*given, found=found):
            found.append(given[2])

        with app.app_context():
            engine = db.engine
        sa.event.listen(engine, "before_cursor_execute", note)
        shown = imogen.get(one)
        sa.event.remove(engine, "before_cursor_execute", note)
        spent.append(len(found))
    assert spent[0] == spent[1]
    assert len(shown.all(".posted")) == 25
    assert len(imogen.get(f"{one}?page=2").all(".posted")) == 5


def test_one_of_all_venues_is_for_who_sets_up_all_of_them(other_visitor, hook, imogen, house):
    lena = other_visitor
    lena.sign_in("lena@example.com", "thermal-waters", "/staff/sign-in")
    assert not lena.get(HOOKS).all(".set-row")
    for path in ("", "/edit", "/removal", "/secret"):
        lena.get(f"{HOOKS}/{hook}{path}", 404)
    page = lena.get(f"{HOOKS}/new")
    assert [option["value"] for option in page.all("#where option")] == [house["bath"]]
    lena.post(HOOKS, form_of(page, name="Own", url=URL, where="all"), 422)
    lena.post(HOOKS, form_of(page, name="Own", url=URL, where=house["bath"]), 200)
    assert len(lena.get(HOOKS).all(".set-row")) == 1
    assert len(imogen.get(HOOKS).all(".set-row")) == 2


def test_another_organisations_webhook_is_not_found(other_visitor, hook):
    stranger = other_visitor
    stranger.sign_in("stranger@example.com", "thermal-waters", "/staff/sign-in")
    there = f"/staff/north-of-bath/webhooks/{hook}"
    for path in ("", "/edit", "/removal", "/secret", "/pause"):
        stranger.get(f"{there}{path}", 404)
    stranger.post(f"{there}/removal", {}, 404)
    stranger.get(f"{HOOKS}/{hook}", 404)


def test_whoever_sets_nothing_up_is_not_let_in(other_visitor, hook):
    maren = other_visitor
    maren.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    maren.get(HOOKS, 403)
    maren.get(f"{HOOKS}/{hook}", 403)


def test_why_it_stands_still_is_said_on_its_page(imogen, hook, make):
    def set_to(**values):
        db.session.execute(sa.update(Webhook).values(**values), execution_options=ANYWHERE)
        db.session.commit()

    now = make(read_clock)
    make(lambda: set_to(failing_since=now))
    assert "Everything has failed since" in imogen.get(f"{HOOKS}/{hook}").text(".note--warn")
    assert "Failing" in imogen.get(HOOKS).text(".badge")
    make(lambda: set_to(paused_at=now, paused_why="failing"))
    assert "everything failed since" in imogen.get(f"{HOOKS}/{hook}").text(".note--bad")
    make(lambda: set_to(paused_why="gone"))
    assert "410" in imogen.get(f"{HOOKS}/{hook}").text(".note--bad")
