"""A live shop on a copy of the demo venues, and browsers that may complain of nothing."""

import datetime as dt
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from conftest import NOW, Databases, app_on
from factories import ANYWHERE, fetch, make_group, make_room, make_rule, make_session, make_type
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect
from werkzeug.serving import WSGIRequestHandler, make_server

from blueprints.clock import read_clock
from blueprints.mailing import write
from domain.eligibility import Viewer
from domain.local_time import to_local
from domain.words import WEEKDAYS
from models import Order, PriceRule, Session, SessionBooking, SessionType, Site, db
from services.basket import hold_places
from services.cancelling import cancel
from services.changing import door_of_order
from services.checkout import book_for_staff, confirm_order, find_order
from services.giving_up import release_places
from services.letters import MAIL
from services.outbox import MOST_ATTEMPTS, list_jobs
from services.places import raise_revision
from services.private_links import NewLink, find_link, make_link, revoke_link
from services.scheduling import produce_sessions
from services.timetable import find_page_key, find_type_page
from services.waiting import join

BATH = "stillwater-bath"
PASSWORDS = {
    "maren@stillwater.example": "thermal-waters",
    "imogen@stillwater.example": "river-before-dawn",
    "ana.reyes@example.com": "quiet-rooms-34",
}
BROWSERS = ("chromium-headless-shell", "chromium")
STATUS_NOTICE = re.compile(r"the server responded with a status of (\d+)")

# How long a state may take to come about; no test says how long it does take.
expect.set_options(timeout=20_000)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """The machine's Chromium, the one without windows if it has it; quiet towards the outside."""
    here = filter(None, map(shutil.which, BROWSERS))
    chromium = os.environ.get("SUNDIAL_CHROMIUM") or next(here, None)
    args = [
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        "--disable-default-apps",
        "--disable-domain-reliability",
        "--no-pings",
        "--disable-features=OptimizationHints,MediaRouter,Translate",
    ]
    if os.geteuid() == 0:
        args.append("--no-sandbox")
    found = {"executable_path": chromium} if chromium else {}
    return {**browser_type_launch_args, **found, "args": args}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    """A desktop; somebody far away, because days belong to the venue (T5).

    Without the desk's worker, which would fetch the day's rosters for each of them; its own
    stories (test_offline.py) have it.
    """
    return {
        **browser_context_args,
        "locale": "en-GB",
        "timezone_id": "Pacific/Auckland",
        "service_workers": "block",
    }


@pytest.fixture(scope="session")
def copy_demo(databases: Databases, demo_url: str) -> Callable[[], str]:
    """Makes a database with the demo venues that may be written to."""

    def copy() -> str:
        url = databases.make(copy_of=demo_url)
        app = app_on(url)
        with app.app_context():
            # Answers are kept by revision for the whole process, so no two copies may share one.
            for table in (Site, SessionType):
                db.session.execute(
                    sa.update(table).values(revision=table.revision + 100_000 * databases.number),
                    execution_options=ANYWHERE,
                )
            db.session.commit()
            db.session.remove()
            db.engine.dispose()
        return url

    return copy


@pytest.fixture(scope="session")
def shop(copy_demo: Callable[[], str]) -> Iterator["Shop"]:
    """The live shop, asking for news each second; who has signed in is known for the whole run."""
    kept = {"POLL_SECONDS": 1, "SHOW_MAIL": True, "PROOF_MINUTES": 24 * 60}
    with serving(app_on(copy_demo(), **kept)) as live:
        yield live


@pytest.fixture
def open_shop(databases: Databases) -> Iterator[Callable[[], "Shop"]]:
    """Opens live shops of which nothing is set up yet."""
    with ExitStack() as opened:
        yield lambda: opened.enter_context(serving(app_on(databases.make())))


@pytest.fixture
def empty_shop(open_shop: Callable[[], "Shop"]) -> "Shop":
    """A live shop of which nothing is set up yet."""
    return open_shop()


@contextmanager
def serving(app: Flask) -> Iterator["Shop"]:
    """The shop behind a port of its own, for as long as it is asked for."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=QuietHandler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Shop(app, f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


@pytest.fixture(scope="session")
def base_url(shop: "Shop") -> str:
    return shop.url


@dataclass(frozen=True)
class Slot:
    """A session that one story has for itself."""

    id: str
    type_slug: str
    date: dt.date
    left: int
    capacity: int
    path: str
    """The offer's page with this session's day opened."""
    door: str
    """The offer's page as one comes to it."""

    @property
    def row(self) -> str:
        return f"#slot-{self.id}"

    @property
    def day_link(self) -> str:
        return f"#day-{self.date.isoformat()}"

    @property
    def roster(self) -> str:
        return f"/staff/{BATH}/sessions/{self.id}"


@dataclass(frozen=True)
class Made:
    """A session of a story's own series."""

    id: str
    date: dt.date


@dataclass(frozen=True)
class Own:
    """A session type of one story, with a room and a series of its own."""

    type_id: str
    slug: str
    room_id: str
    room: str
    sessions: tuple[Made, ...]

    @property
    def staff(self) -> str:
        return f"/staff/{BATH}/types/{self.type_id}"

    def day(self, number: int) -> str:
        return f"/{BATH}/book/{self.slug}?date={self.sessions[number].date}"


class QuietHandler(WSGIRequestHandler):
    """Says nothing of each request: a second's poll would bury what a failing test says."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


class Shop:
    """The live shop as a test reaches it beside the browser: to find a session, to age a hold."""

    def __init__(self, app: Flask, url: str) -> None:
        self.app = app
        self.url = url
        self.given: set[str] = set()

    def slot(
        self,
        type_slug: str = "thermal-circuit",
        *,
        places: int = 4,
        guests: int = 1,
        months_ahead: int = 0,
        site: str = BATH,
    ) -> Slot:
        """A session bookable by visitors, with places to spare; if possible no other story's."""
        with self.app.app_context():
            now = read_clock()
            asked = {"viewer": Viewer(), "guests": guests, "now": now}
            key = find_page_key(site, type_slug)
            # Stories that don't ask for a month of their own may go on into the next ones, and
            # when the type has no fresh session left they share one: each runs to its end first.
            months = [months_ahead] if months_ahead else range(3)
            for ahead, may_share in [(month, share) for share in (False, True) for month in months]:
                month = divmod(NOW.year * 12 + NOW.month - 1 + ahead, 12)
                page = find_type_page(key, **asked, month=(month[0], month[1] + 1), date=None)
                days = [day for week in page.month.weeks for day in week if day and day.from_price]
                for day in [day for day in days if day.sessions_available]:
                    found = find_type_page(key, **asked, month=None, date=day.date)
                    for one in found.slots:
                        facts = one.offering.slot
                        is_free = one.offering.is_bookable and one.offering.left >= places
                        if is_free and (may_share or facts.id not in self.given):
                            self.given.add(facts.id)
                            door = f"/{site}/book/{type_slug}"
                            return Slot(
                                id=facts.id,
                                type_slug=type_slug,
                                date=day.date,
                                left=one.offering.left,
                                capacity=facts.capacity,
                                door=door,
                                path=f"{door}?date={day.date}" + f"&guests={guests}" * (guests > 1),
                            )
        raise LookupError(f"The demo has no session of {type_slug} left for this story")

    def day(self, type_slug: str, state: str, *, site: str = BATH) -> str:
        """The path of a day that the calendar shows a visitor in this state, soonest first."""
        with self.app.app_context():
            key = find_page_key(site, type_slug)
            asked = {"viewer": Viewer(), "guests": None, "date": None, "now": read_clock()}
            for month in range(NOW.month, NOW.month + 4):
                page = find_type_page(key, **asked, month=(NOW.year, month))
                for day in (day for week in page.month.weeks for day in week if day):
                    if day.state == state:
                        return f"/{site}/book/{type_slug}?date={day.date}"
        raise LookupError(f"The demo has no day of {type_slug} that is {state}")

    def members_slot(self, type_slug: str = "sunday-dawn-swim") -> Slot:
        """A session for members, inside everybody's booking window, with places left."""
        with self.app.app_context():
            now = read_clock()
            rows = db.session.scalars(
                sa.select(Session)
                .join(SessionType, SessionType.id == Session.session_type_id)
                .where(
                    SessionType.slug == type_slug,
                    Session.deleted_at.is_(None),
                    Session.start_time > now + dt.timedelta(days=2),
                    Session.start_time < now + dt.timedelta(days=28),
                )
                .order_by(Session.start_time),
                execution_options=ANYWHERE,
            )
            for row in rows:
                if row.id not in self.given and row.capacity - row.places_taken > 0:
                    self.given.add(row.id)
                    date = row.local_start.date()
                    door = f"/{BATH}/book/{type_slug}"
                    left = row.capacity - row.places_taken
                    path = f"{door}?date={date}"
                    return Slot(row.id, type_slug, date, left, row.capacity, path, door)
        raise LookupError(f"The demo has no session of {type_slug} left for this story")

    @property
    def private_address(self) -> str:
        """The path of the offer that is sold by link only."""
        with self.app.app_context():
            row = db.session.scalars(
                sa.select(SessionType).where(SessionType.visibility == "link_only"),
                execution_options=ANYWHERE,
            ).first()
            return f"/{BATH}/private/{row.slug}-{row.link_key}"

    def mailed(self, email: str) -> str:
        """The path behind the button of the newest letter to somebody."""
        with self.app.app_context():
            for job in list_jobs(MAIL):
                found = write(job.payload)
                if found and found.to == email and found.action:
                    url = urlsplit(found.action[1])
                    db.session.remove()
                    return url.path + f"?{url.query}" * bool(url.query)
        raise LookupError(f"No letter to {email} has a button")

    def running_session(self, capacity: int = 8) -> Slot:
        """A session that began half an hour ago, made for one story."""
        with self.app.app_context():
            now = read_clock()
            kind = db.session.scalars(
                sa.select(SessionType).where(SessionType.slug == "evening-thermal-circuit"),
                execution_options=ANYWHERE,
            ).one()
            local = to_local(now, fetch(Site, kind.site_id).zoneinfo)
            start = local.replace(tzinfo=None) - dt.timedelta(minutes=30)
            row = make_session(
                kind, local_start=start.replace(second=0, microsecond=0), capacity=capacity
            )
            row = Slot(row.id, kind.slug, start.date(), capacity, capacity, "", "")
            db.session.remove()
            return row

    def own_session(
        self, type_slug: str = "evening-thermal-circuit", *, hours: int = 74, **given: Any
    ) -> Slot:
        """A session made for one story, so many hours from now, as the shop shows it."""
        with self.app.app_context():
            now = read_clock()
            kind = db.session.scalars(
                sa.select(SessionType).where(SessionType.slug == type_slug),
                execution_options=ANYWHERE,
            ).one()
            local = to_local(now, fetch(Site, kind.site_id).zoneinfo) + dt.timedelta(hours=hours)
            # A minute of its own tells it from the other sessions of its day.
            start = local.replace(tzinfo=None, second=0, microsecond=0)
            row = make_session(kind, local_start=start, **given)
            raise_revision(row.organisation_id, [kind.id])
            db.session.commit()
            door = f"/{BATH}/book/{type_slug}"
            path = f"{door}?date={start.date()}"
            slot = Slot(row.id, type_slug, start.date(), row.capacity, row.capacity, path, door)
            self.given.add(slot.id)
            db.session.remove()
            return slot

    def own_series(self) -> Own:
        """A type with sessions at nine on six days, from the day after tomorrow."""
        with self.app.app_context():
            now = read_clock()
            site = db.session.scalars(
                sa.select(Site).where(Site.slug == BATH), execution_options=ANYWHERE
            ).one()
            kind = make_type(site, name="Morning bathe", duration=60, price=2500)
            room = make_room(site, name=f"Quiet Room {kind.slug[-4:]}", cap=8)
            first = now.date() + dt.timedelta(days=2)
            group = make_group(
                kind,
                room,
                name="Mornings",
                weekdays=list(WEEKDAYS),
                start_times=[dt.time(9)],
                recurrence_start=first,
                recurrence_end=first + dt.timedelta(days=5),
            )
            produce_sessions(site.organisation_id, group.id, now=now)
            raise_revision(site.organisation_id, [kind.id])
            db.session.commit()
            facts = (kind.id, kind.slug, room.id, room.name)
            db.session.remove()
        return Own(*facts, self.sessions_of(facts[0]))

    def sessions_of(self, type_id: str) -> tuple[Made, ...]:
        """All sessions of a type, by their start."""
        with self.app.app_context():
            query = sa.select(Session).where(Session.session_type_id == type_id)
            rows = db.session.scalars(
                query.order_by(Session.start_time), execution_options=ANYWHERE
            )
            made = tuple(Made(row.id, row.local_start.date()) for row in rows)
            db.session.remove()
            return made

    def prices_path(self) -> str:
        """The prices of a type of one's own: weekends £58, Tuesdays £34, else £48, four weeks."""
        with self.app.app_context():
            site = db.session.scalars(
                sa.select(Site).where(Site.slug == BATH), execution_options=ANYWHERE
            ).one()
            kind = make_type(site, price=None, name="Riverside bathe", offered_online=False)
            make_rule(kind, price=5800, label="Weekend", weekdays=["saturday", "sunday"])
            make_rule(kind, price=3400, label="Tuesdays", position=1, weekdays=["tuesday"])
            make_rule(kind, price=4800, label="Otherwise", position=2)
            monday = read_clock().date() + dt.timedelta(days=8 - read_clock().isoweekday())
            for n in range(28):
                make_session(kind, local_start=f"{monday + dt.timedelta(days=n)}T18:00")
            path = f"/staff/{BATH}/types/{kind.id}/prices"
            db.session.remove()
            return path

    def change_prices(self, path: str) -> None:
        """Somebody else saves another price for the first rule of that page."""
        with self.app.app_context():
            db.session.execute(
                sa.update(PriceRule)
                .where(PriceRule.session_type_id == path.split("/")[-2], PriceRule.position == 0)
                .values(price=6000),
                execution_options=ANYWHERE,
            )
            db.session.commit()
            db.session.remove()

    def saved_prices(self, path: str) -> list[tuple[str, int]]:
        """Label and price of each saved rule of that page, in order."""
        with self.app.app_context():
            found = db.session.execute(
                sa.select(PriceRule.label, PriceRule.price)
                .where(PriceRule.session_type_id == path.split("/")[-2])
                .order_by(PriceRule.position),
                execution_options=ANYWHERE,
            )
            pairs = [(label, price) for label, price in found]
            db.session.remove()
            return pairs

    def full_session(
        self,
        type_slug: str = "evening-thermal-circuit",
        *,
        guests: int = 1,
        hours: int = 74,
        people: tuple[str, ...] = (),
    ) -> tuple[Slot, str]:
        """A session of one party, sold, with a waiting list; and the order of who has it."""
        slot = self.own_session(type_slug, hours=hours, capacity=guests, waitlist_enabled=True)
        return slot, self.book(slot, "Early Edda", guests, people=people)

    def book(
        self,
        slot: Slot,
        name: str,
        guests: int = 1,
        *,
        email: str = "",
        people: tuple[str, ...] = (),
    ) -> str:
        """Somebody else books, in another place, before the session begins; the order's secret."""
        with self.app.app_context():
            row = fetch(Session, slot.id)
            moment = min(read_clock(), row.start_time - dt.timedelta(days=2))
            secret = hold_places(
                row.organisation_id,
                slot.id,
                session_type_id=row.session_type_id,
                guests=guests,
                viewer=Viewer(),
                basket_secret=None,
                now=moment,
            )
            email = email or f"{name.split()[0].lower()}@example.com"
            order = confirm_order(
                row.organisation_id, secret, name=name, email=email, people=people, now=moment
            )
            db.session.remove()
            return order

    def take_by_staff(self, slot: Slot, name: str) -> None:
        """The desk gives somebody a place, and the session has a waiting list from now on."""
        with self.app.app_context():
            row = fetch(Session, slot.id)
            row.waitlist_enabled = True
            db.session.commit()
            book_for_staff(row.organisation_id, slot.id, name=name, guests=1, now=read_clock())
            db.session.remove()

    def wait(self, slot: Slot, name: str, guests: int = 1, *, email: str = "") -> str:
        """Somebody joins the waiting list; the path of the entry's page."""
        with self.app.app_context():
            row = fetch(Session, slot.id)
            email = email or f"{name.split()[0].lower()}@example.com"
            asked = {"guests": guests, "name": name, "email": email, "now": read_clock()}
            secret = join(row.organisation_id, slot.id, **asked)
            db.session.remove()
            return f"/waiting/{secret}"

    def line(self, secret: str) -> str:
        """The path of the pages about the one line of an order."""
        with self.app.app_context():
            booking_id = find_order(secret).items[0].booking.id
            db.session.remove()
            return f"/bookings/{secret}/lines/{booking_id}"

    def cancel(self, secret: str) -> None:
        """The customer of an order of one line cancels it."""
        with self.app.app_context():
            booking_id = find_order(secret).items[0].booking.id
            cancel(door_of_order(secret, booking_id), booking_id, now=read_clock())
            db.session.remove()

    def release(self, secret: str, places: int = 1) -> None:
        """The customer of an order of one line gives places to the waiting list."""
        with self.app.app_context():
            booking_id = find_order(secret).items[0].booking.id
            release_places(door_of_order(secret, booking_id), booking_id, places, now=read_clock())
            db.session.remove()

    def private_link(
        self, type_slug: str = "thermal-circuit", *, revoked: bool = False, **given: Any
    ) -> str:
        """The path of a new private link."""
        with self.app.app_context():
            now = read_clock()
            kind = db.session.scalars(
                sa.select(SessionType).where(SessionType.slug == type_slug),
                execution_options=ANYWHERE,
            ).one()
            venue = (kind.organisation_id, kind.site_id)
            wanted = NewLink(kind.id, **{"name": "For a friend of the house", **given})
            link_id = make_link(*venue, wanted, by="staff", now=now)
            address = find_link(*venue, link_id, now).address
            if revoked:
                revoke_link(*venue, link_id, now=now)
            db.session.remove()
            return f"/{BATH}/private/{address}"

    def mails(self, email: str, *, error: str = "") -> None:
        """What was written to somebody has been sent, or refused for good with these words."""
        with self.app.app_context():
            for job in list_jobs(MAIL):
                found = write(job.payload)
                if found and found.to == email:
                    job.attempts = MOST_ATTEMPTS if error else 1
                    job.done_at, job.error = None if error else read_clock(), error
            db.session.commit()
            db.session.remove()

    def let_the_offer_run_out(self, slot: Slot) -> None:
        """As if who was offered a place of this session had not looked at their mail."""
        with self.app.app_context():
            row = fetch(Session, slot.id)
            db.session.execute(
                sa.update(SessionBooking)
                .where(
                    SessionBooking.session_id == slot.id,
                    SessionBooking.offered_at.is_not(None),
                    SessionBooking.cancelled_at.is_(None),
                    SessionBooking.status != "confirmed",
                )
                .values(expires_at=read_clock() - dt.timedelta(minutes=1)),
                execution_options=ANYWHERE,
            )
            raise_revision(row.organisation_id, [row.session_type_id])
            db.session.commit()
            db.session.remove()

    def places_taken(self, slot: Slot) -> int:
        with self.app.app_context():
            return fetch(Session, slot.id).places_taken

    def let_the_hold_run_out(self, slot: Slot) -> None:
        """As if the customer of this session's basket had gone for coffee."""
        with self.app.app_context():
            row = fetch(Session, slot.id)
            ended = read_clock() - dt.timedelta(minutes=1)
            holds = (SessionBooking.session_id == slot.id, SessionBooking.status == "new")
            orders = sa.select(SessionBooking.order_id).where(*holds)
            for statement in (
                sa.update(Order)
                .where(Order.id.in_(orders))
                .values(held_since=ended - dt.timedelta(minutes=15)),
                sa.update(SessionBooking).where(*holds).values(expires_at=ended),
            ):
                db.session.execute(statement, execution_options=ANYWHERE)
            raise_revision(row.organisation_id, [row.session_type_id])
            db.session.commit()
            db.session.remove()


class Complaints:
    """What browsers said of our pages. Only answers that a test has announced are forgiven."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.announced: set[int] = set()

    def announce(self, status: int) -> None:
        """This story meets an answer of this status on purpose."""
        self.announced.add(status)

    def listen(self, context: BrowserContext) -> None:
        context.on("console", self._console)
        context.on("weberror", lambda error: self.found.append(f"uncaught: {error.error}"))
        context.on("response", lambda answer: self._answer(answer.status, answer.url))

    def _console(self, message: ConsoleMessage) -> None:
        notice = STATUS_NOTICE.search(message.text)
        if notice and int(notice[1]) in self.announced:
            return
        if message.text == "Service Worker registration blocked by Playwright":
            return
        if message.type in ("error", "warning", "assert"):
            where = message.location.get("url", "")
            self.found.append(f"{message.type}: {message.text} ({where})")

    def _answer(self, status: int, url: str) -> None:
        if status >= 500:
            self.found.append(f"{status} from {url}")


@pytest.fixture
def complaints() -> Iterator[Complaints]:
    listening = Complaints()
    yield listening
    assert listening.found == []


@pytest.fixture
def new_context(
    complaints: Complaints, new_context: Callable[..., BrowserContext]
) -> Callable[..., BrowserContext]:
    """One person's browser; what any of its pages complains of fails the test."""

    def open_context(**options: Any) -> BrowserContext:
        context = new_context(**options)
        complaints.listen(context)
        return context

    return open_context


@pytest.fixture(scope="session")
def signed_in(browser: Browser, shop: Shop) -> Callable[[str], Any]:
    """The cookies of somebody who has signed in; each person signs in once."""
    kept: dict[str, Any] = {}

    def cookies_of(email: str) -> Any:
        if email not in kept:
            door = "staff" if email.endswith("stillwater.example") else "account"
            context = browser.new_context(base_url=shop.url)
            page = context.new_page()
            page.goto(f"/{door}/sign-in")
            page.get_by_label("mail").fill(email)
            page.get_by_label("Password").fill(PASSWORDS[email])
            page.get_by_role("button", name="Sign in", exact=True).click()
            expect(page).not_to_have_url(re.compile("sign-in"))
            kept[email] = context.storage_state()
            context.close()
        return kept[email]

    return cookies_of


@pytest.fixture
def visitor(new_context: Callable[..., BrowserContext]) -> Callable[..., Page]:
    """Opens a page in a browser of its own: each call is another person."""

    def open_page(**options: Any) -> Page:
        return new_context(**options).new_page()

    return open_page


@pytest.fixture
def staff(visitor: Callable[..., Page], signed_in: Callable[[str], Any]) -> Callable[..., Page]:
    """Opens a page for somebody at the desk."""

    def open_page(email: str = "maren@stillwater.example", **options: Any) -> Page:
        return visitor(storage_state=signed_in(email), **options)

    return open_page


@pytest.fixture(params=[True, False], ids=["script", "no-script"])
def script(request) -> bool:
    return request.param


@pytest.fixture
def person(visitor: Callable[..., Page], script: bool) -> Callable[[], Page]:
    """Another browser, with or without scripts."""
    return lambda: visitor(java_script_enabled=script)


@pytest.fixture
def address(request) -> Callable[[str], str]:
    """An address that no other story writes to."""
    story = re.sub(r"\W+", "-", request.node.name).strip("-")[-30:]
    return lambda name: f"{name}.{story}@example.com"
