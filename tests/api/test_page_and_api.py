"""The same deed by page and by API: the same rows, trail, mails and refusals (house rules R20, H6).

Every deed is done twice, in two houses that are built alike: on the pages of one, through the API
of the other. Then both houses are compared, table by table. What is left out of the comparison
is named below: what names a row, secrets, keys and moments, and who did it.
"""

import datetime as dt
import html
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from bs4 import BeautifulSoup
from factories import (
    ANYWHERE,
    fetch,
    make_form,
    make_order,
    make_organisation,
    make_room,
    make_session,
    make_site,
    make_staff,
    make_type,
)

from blueprints.clock import read_clock
from domain.eligibility import Party, Viewer, first_refusal
from domain.intake import Field
from domain.pricing import PriceRule as Rule
from domain.session_types import NEW_ON_PAGE
from models import (
    RIGHTS,
    AuditEntry,
    AuditValues,
    Base,
    Order,
    PriceRule,
    Session,
    SessionBooking,
    SessionType,
    Site,
    db,
    transaction,
)
from services.checkout import find_order
from services.facts import offer_of, slot_of, venue_of
from services.price_rules import create_rule
from services.session_updates import BY_PROGRAM, cancel_at_once
from services.type_rows import archive_live_type
from services.waiting import join

LEFT_OUT = {
    # How it was asked for: cookies and keys of a browser, and a token's last use.
    "idempotency_keys", "api_tokens", "sign_ins",
    # Compared by themselves.
    "audit_entries", "audit_values",
    # What a name is found by follows the name.
    "finding_words",
}  # fmt: skip
SECRET = {
    "order_ref", "secret", "check_in_code", "dedupe_key", "form_secret", "link_key", "slug", "code",
    "name_key", "revision", "error",
}  # fmt: skip
WHO = {"taken_by_id", "booked_by_id", "created_by_id"}
"""The account of whoever did it; a token is none, and stands in the trail."""
FORM = ("orders", "typed")
"""What a browser's form held, kept until it is sent; a program has none."""
TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')
ANA = {"name": "Ana Reyes", "email": "ana@example.com"}


@dataclass
class House:
    """One organisation with a site, a type, and a session in three days; and how it is worked."""

    organisation_id: str
    site_id: str
    slug: str
    type_id: str
    type_slug: str
    session_id: str
    other_id: str
    rule_id: str
    room_id: str
    today: dt.date
    second_rule_id: str = ""
    browser: Any = None
    program: Any = None
    booking_id: str = ""
    secret: str = ""

    @property
    def desk(self) -> str:
        return f"/staff/{self.slug}"


class Browser:
    """A person at the pages, with cookies and without script."""

    def __init__(self, app) -> None:
        self.client = app.test_client()

    def send(self, url: str, action: str, *, to: str = "", **changes: Any) -> str:
        """Send the form of a page as it is filled in, with some fields changed."""
        soup = BeautifulSoup(self.client.get(url).get_data(as_text=True), "html5lib")
        form = soup.select_one(f'form[action$="{action}"]')
        assert form is not None, f"{url}: no form for {action}"
        return self.post(to or form["action"], {**_filled(form), **changes})

    def post(self, url: str, fields: dict[str, Any], *status: int) -> str:
        token = TOKEN.search(self.client.get("/account/sign-in").get_data(as_text=True))
        response = self.client.post(url, data={"csrf_token": token[1], **fields})
        text = response.get_data(as_text=True)
        assert response.status_code in (status or (303,)), f"{url}: {response.status_code}\n{text}"
        return html.unescape(text)


def _filled(form: Any) -> dict[str, Any]:
    """What a browser would send of a form."""
    found: dict[str, Any] = {}
    for field in form.select("input[name], select[name], textarea[name]"):
        value: Any = field.get("value", "")
        if field.name == "textarea":
            value = field.get_text()
        if field.name == "select":
            options = field.select("option[selected]") or field.select("option")[:1]
            value = options[0].get("value", options[0].get_text()) if options else ""
        if field.get("type") in ("checkbox", "radio") and not field.has_attr("checked"):
            continue
        if field["name"] != "csrf_token":
            found.setdefault(field["name"], []).append(value)
    return found


def soon(days: int = 3) -> dt.datetime:
    return dt.datetime.combine(read_clock().date() + dt.timedelta(days=days), dt.time(18))


def build(number: int, kind: dict[str, Any], session: dict[str, Any]) -> House:
    site = make_site(make_organisation(code=f"HOUSE{number}"), slug=f"house-{number}")
    row = make_type(site, slug=f"circuit-{number}", **kind)
    room = make_room(site)
    slot = make_session(row, **{"local_start": soon(), "room_id": room.id, **session})
    other = make_session(row, local_start=soon(4), price=6000, room_id=room.id)
    rule = db.session.scalar(
        sa.select(PriceRule.id).where(PriceRule.session_type_id == row.id),
        execution_options=ANYWHERE,
    )
    make_staff(site, f"maren{number}@example.com", rights=RIGHTS)
    return House(
        site.organisation_id,
        site.id,
        site.slug,
        row.id,
        row.slug,
        slot.id,
        other.id,
        rule,
        room.id,
        read_clock().date(),
    )


@pytest.fixture
def houses(app, make, program):
    """Two houses alike: `houses(kind={…}, session={…}, prepare=…)`."""

    def start(*, kind=None, session=None, prepare=None, staff=True):
        found = []
        for number in (1, 2):
            house = make(lambda n=number: build(n, kind or {}, session or {}))
            if prepare:
                make(lambda it=house: prepare(it))
            house.browser = Browser(app)
            house.program = program(house.site_id)
            if staff:
                house.browser.post(
                    "/staff/sign-in",
                    {"email": f"maren{number}@example.com", "password": "thermal-waters"},
                )
            found.append(house)
        return found

    return start


def plain(column: str, value: Any) -> Any:
    """A value without what differs between two houses that are alike."""
    if value is None or column in WHO:
        return None
    if column.endswith(("_at", "_since")):
        return "moment"
    if column in SECRET:
        return "set" if value else "empty"
    if column == "id" or column.endswith("_id"):
        return "id"
    if isinstance(value, (dict, list)):
        return re.sub(
            r'"[0-9a-f]{24}"|"[0-9a-f-]{36}"|"\d{4}-\d\d-\d\dT[^"]*"|"house-\d"',
            '"…"',
            json.dumps(value, sort_keys=True),
        )
    return re.sub(r"maren\d|house-\d|HOUSE\d|circuit-\d", "…", str(value))


def rows_of(house: House) -> dict[str, Counter]:
    """Everything that the database has of a house."""
    found = {}
    for table in Base.metadata.sorted_tables:
        if table.name in LEFT_OUT or "organisation_id" not in table.c:
            continue
        rows = db.session.execute(
            sa.select(table).where(table.c.organisation_id == house.organisation_id),
            execution_options=ANYWHERE,
        )
        found[table.name] = Counter(
            tuple(
                (name, plain(name, value))
                for name, value in row._mapping.items()
                if (table.name, name) != FORM
            )
            for row in rows
        )
    return found


def trail_of(house: House) -> Counter:
    """What the trail says was done: of each row its acts, and each column before and after."""
    rows = db.session.execute(
        sa.select(AuditEntry, AuditValues)
        .outerjoin(AuditValues, AuditValues.entry_id == AuditEntry.id)
        .where(AuditEntry.organisation_id == house.organisation_id)
        .order_by(AuditEntry.id),
        execution_options=ANYWHERE,
    ).all()
    found: dict[Any, Any] = defaultdict(lambda: {"acts": [], "before": {}, "after": {}, "why": {}})
    for entry, values in rows:
        if entry.subject in LEFT_OUT | {"api_token_grants"}:
            continue
        one = found[entry.subject, entry.subject_id]
        if entry.act not in one["acts"]:
            one["acts"].append(entry.act)
        one["why"][entry.why or (values.why if values else "")] = True
        for kept in (entry, *([values] if values else [])):
            for name in kept.before.keys() - WHO:
                one["before"].setdefault(name, plain(name, kept.before[name]))
            for name in kept.after.keys() - WHO:
                one["after"][name] = plain(name, kept.after[name])
    return Counter(
        (subject, json.dumps({**one, "why": sorted(one["why"])}, sort_keys=True))
        for (subject, _), one in found.items()
    )


def actors_of(house: House) -> set[str]:
    query = sa.select(AuditEntry.actor_kind).where(
        AuditEntry.organisation_id == house.organisation_id
    )
    return set(db.session.scalars(query, execution_options=ANYWHERE))


def assert_rows_alike(make, page: House, api: House) -> None:
    ours, theirs = make(lambda: rows_of(page)), make(lambda: rows_of(api))
    for table in ours:
        for one, other in zip(
            sorted((ours[table] - theirs[table]).elements(), key=str),
            sorted((theirs[table] - ours[table]).elements(), key=str),
            strict=True,
        ):
            # What differs is said, not the whole rows.
            assert set(one) - set(other) == set(other) - set(one), table


def assert_alike(make, page: House, api: House) -> None:
    assert_rows_alike(make, page, api)
    said, told = make(lambda: trail_of(page)), make(lambda: trail_of(api))
    assert said - told == told - said
    assert "token" not in make(lambda: actors_of(page))
    assert "token" in make(lambda: actors_of(api))


# ---- what is done ------------------------------------------------------------------------


@dataclass(frozen=True)
class Deed:
    """The same thing by page and by API."""

    by_page: Callable[[House], None]
    by_api: Callable[[House], None]
    prepare: Callable[[House], None] | None = None
    kind: tuple[tuple[str, Any], ...] = ()
    session: tuple[tuple[str, Any], ...] = ()
    is_staff: bool = True


def sell(house: House, guests: int = 1, **given: Any) -> None:
    row = fetch(Session, house.session_id)
    secret = make_order(row, guests=guests, now=read_clock(), **given)
    house.booking_id, house.secret = find_order(secret).items[0].booking.id, secret


def sell_out(house: House) -> None:
    sell(house, guests=fetch(Session, house.session_id).capacity, email="full@example.com")


def wait(house: House) -> None:
    sell_out(house)
    house.secret = join(house.organisation_id, house.session_id, guests=1, **ANA, now=read_clock())
    house.booking_id = db.session.scalars(
        sa.select(SessionBooking.id)
        .join(Order, SessionBooking.order_id == Order.id)
        .where(Order.secret == house.secret),
        execution_options=ANYWHERE,
    ).one()


def book_page(house: House, guests: int = 2, **people: str) -> None:
    house.browser.post(
        f"/{house.slug}/book/{house.type_slug}",
        {"session_id": house.session_id, "guests": guests, "key": "hold"},
    )
    house.browser.post(f"/{house.slug}/checkout", {**ANA, "key": "confirm", **people})


def body(house: House, **more: Any) -> dict[str, Any]:
    name = {"first_name": "Ana", "last_name": "Reyes", "email": "ana@example.com"}
    return {**name, "session_id": house.session_id, **more}


def tap(action: str, fields: dict[str, Any], sent: dict[str, Any] | None) -> Deed:
    return Deed(
        lambda it: it.browser.post(f"{it.desk}/bookings/{it.booking_id}/{action}", fields),
        lambda it: it.program.post(f"/session-bookings/{it.booking_id}/{action}", sent, status=200),
        prepare=sell,
    )


NAMED = [{"first_name": "Ana", "last_name": "Reyes"}, {"first_name": "Jude", "last_name": "Park"}]
WHY = {
    "name": "Jude Park", "email": "jude@example.com", "reason": "By phone", "customer": "visitor",
}  # fmt: skip

DEEDS = {
    "a customer books": Deed(
        book_page,
        lambda it: it.program.post("/session-bookings", body(it, guests=2)),
        is_staff=False,
    ),
    "a customer books for named guests, with a form": Deed(
        lambda it: book_page(it, **{"person-1": "Jude Park"}),
        lambda it: it.program.post("/session-bookings", body(it, guests=NAMED)),
        prepare=lambda it: make_form(
            fetch(SessionType, it.type_id), Field("q1", "Injuries", asked_of="each_guest")
        ),
        kind=(("max_per_guest", 1),),
        is_staff=False,
    ),
    "staff book in spite of a rule": Deed(
        lambda it: it.browser.post(
            f"{it.desk}/why",
            {**WHY, "session": it.session_id, "guests": 3, "shown": "max_guests", "key": "w"},
        ),
        lambda it: it.program.post(
            "/session-bookings",
            {
                "first_name": "Jude",
                "last_name": "Park",
                "email": "jude@example.com",
                "session_id": it.session_id,
                "guests": 3,
                "booked_as": "staff",
                "reason": "By phone",
            },
        ),
        kind=(("max_guests", 2),),
    ),
    "a guest is checked in": tap("check-in", {"set": "true"}, None),
    "a guest did not come": tap("no-show", {"set": "true"}, {"is_no_show": True}),
    "a visit goes on": tap("stage", {"stage": "in_treatment"}, {"stage": "in_treatment"}),
    "a booking is cancelled": Deed(
        lambda it: it.browser.post(
            f"{it.desk}/bookings/{it.booking_id}/cancellation",
            {"reason": "The boiler is out", "tell": "y", "key": "c"},
        ),
        lambda it: it.program.post(
            f"/session-bookings/{it.booking_id}/cancel",
            {"reason": "The boiler is out"},
            status=200,
        ),
        prepare=lambda it: sell(it, guests=2),
    ),
    "a booking is moved": Deed(
        lambda it: it.browser.post(
            f"{it.desk}/bookings/{it.booking_id}/move",
            {"to": it.other_id, "seen": 0, "price": 6000, "tell": "y", "key": "m"},
        ),
        lambda it: it.program.post(
            f"/session-bookings/{it.booking_id}/move", {"session_id": it.other_id}, status=200
        ),
        prepare=lambda it: sell(it, guests=2),
    ),
    "a party joins the waiting list": Deed(
        lambda it: it.browser.post(
            f"/{it.slug}/sessions/{it.session_id}/waiting", {**ANA, "guests": 2, "key": "j"}
        ),
        lambda it: it.program.post(f"/sessions/{it.session_id}/waiting-list", body(it, guests=2)),
        prepare=sell_out,
        session=(("waitlist_enabled", True),),
        is_staff=False,
    ),
    "a party leaves the waiting list": Deed(
        lambda it: it.browser.post(f"/waiting/{it.secret}/departure", {}),
        lambda it: it.program.post(
            f"/session-bookings/{it.booking_id}/leave-waiting-list", status=200
        ),
        prepare=wait,
        session=(("waitlist_enabled", True),),
        is_staff=False,
    ),
}


def at_session(it: House) -> str:
    return f"{it.desk}/sessions/{it.session_id}"


def at_type(it: House) -> str:
    return f"{it.desk}/types/{it.type_id}"


def edit(sent: dict[str, Any], **typed: str) -> Deed:
    return Deed(
        lambda it: it.browser.send(f"{at_session(it)}/edit", "/edit", **typed),
        lambda it: it.program.put(f"/sessions/{it.session_id}", sent),
    )


DEEDS |= {
    "a session is cancelled": Deed(
        lambda it: it.browser.send(f"{at_session(it)}/cancel", "/cancel", reason=BY_PROGRAM),
        lambda it: it.program.delete(f"/sessions/{it.session_id}"),
        prepare=lambda it: sell(it, guests=2),
    ),
    "a session has a price of its own": edit({"price": 5500}, price="55"),
    "a session begins later": edit({"start_time": "2026-06-07T19:00:00+01:00"}, time="19:00"),
    "a session has fewer places": edit({"capacity": 6}, capacity="6"),
    "a type is made": Deed(
        lambda it: it.browser.post(f"{it.desk}/types/new", {"name": "Sauna", "key": "t"}),
        lambda it: it.program.post(
            f"/session-types?site_id={it.site_id}", {**NEW_ON_PAGE, "name": "Sauna"}
        ),
    ),
    "a type is changed": Deed(
        lambda it: it.browser.send(f"{at_type(it)}/details", "/details", name="Sauna"),
        lambda it: it.program.put(f"/session-types/{it.type_id}", {"name": "Sauna"}),
    ),
    "a type is archived": Deed(
        lambda it: it.browser.send(f"{at_type(it)}/archive", "/archive"),
        lambda it: it.program.delete(f"/session-types/{it.type_id}"),
        prepare=sell,
    ),
    "a type is copied": Deed(
        lambda it: it.browser.send(f"{at_type(it)}/copy", "/copy", name="Sauna", with_rules="true"),
        lambda it: it.program.post(
            f"/session-types/{it.type_id}/copy?include_price_rules=true",
            {"name": "Sauna", "offered_online": False},
        ),
    ),
    "a price rule is changed": Deed(
        lambda it: it.browser.send(
            f"{at_type(it)}/prices",
            "/preview",
            to=f"{at_type(it)}/prices",
            **{f"price-{it.rule_id}": "50"},
        ),
        lambda it: it.program.put(
            f"/session-types/{it.type_id}/price-rules/{it.rule_id}", {"price": 5000}
        ),
    ),
}


NEW_RULE = "a" * 24


def add_rule(it: House) -> None:
    here = (it.organisation_id, it.site_id, it.type_id)
    it.second_rule_id = create_rule(*here, Rule("", 900), from_today=False, now=read_clock())


def cancel_it(it: House) -> None:
    cancel_at_once(it.organisation_id, it.site_id, it.session_id, now=read_clock())


def archive_it(it: House) -> None:
    archive_live_type(it.organisation_id, it.site_id, it.type_id, now=read_clock())


def rules(sent: Callable[[House], dict[str, Any]], by_api: Callable[[House], Any], **given) -> Deed:
    """The page sends the whole list of rules, a program one step."""
    return Deed(
        lambda it: it.browser.send(
            f"{at_type(it)}/prices", "/preview", to=f"{at_type(it)}/prices", **sent(it)
        ),
        by_api,
        **given,
    )


def at_rules(it: House) -> str:
    return f"/session-types/{it.type_id}/price-rules"


def make_series_by_page(it: House) -> None:
    """The first press shows what it does, as without script; the second one means it."""
    url, wish = f"{at_type(it)}/times/new", series_wish(it)
    typed = {
        "name": wish["name"],
        "weekdays": wish["weekdays"],
        "time": [one["value"] for one in wish["start_times"]],
        "time_id": [""],
        "room_id": wish["room_id"],
        "capacity": str(wish["capacity"]),
        "recurrence_start": wish["recurrence_start"],
        "recurrence_end": wish["recurrence_end"],
        "key": "series",
    }
    shown = BeautifulSoup(it.browser.post(url, typed, 422), "html5lib")
    mark = shown.select_one("input[name=shown]")
    it.browser.post(url, {**typed, "shown": mark["value"]})


def series_wish(it: House) -> dict[str, Any]:
    return {
        "name": "Mornings",
        "weekdays": ["monday", "thursday"],
        "start_times": [{"value": "07:30"}],
        "room_id": it.room_id,
        "capacity": 5,
        "recurrence_start": f"{it.today + dt.timedelta(days=10)}",
        "recurrence_end": f"{it.today + dt.timedelta(days=30)}",
    }


DEEDS |= {
    "a price rule is added": rules(
        lambda it: {"row": [it.rule_id, NEW_RULE], f"price-{NEW_RULE}": "40"},
        lambda it: it.program.post(at_rules(it), {"price": 4000, "date_from": None}),
    ),
    "a price rule is removed": rules(
        lambda it: {"row": [it.second_rule_id]},
        lambda it: it.program.delete(f"{at_rules(it)}/{it.rule_id}"),
        prepare=add_rule,
    ),
    "price rules change places": rules(
        lambda it: {"row": [it.second_rule_id, it.rule_id]},
        lambda it: it.program.put(
            f"{at_rules(it)}/order", {"price_rule_ids": [it.second_rule_id, it.rule_id]}
        ),
        prepare=add_rule,
    ),
    "a series is made": Deed(
        make_series_by_page,
        lambda it: it.program.post(
            "/recurrence-groups", {"session_type_id": it.type_id, **series_wish(it)}
        ),
    ),
    "a session is restored": Deed(
        lambda it: it.browser.send(f"{at_session(it)}/restore", "/restore"),
        lambda it: it.program.post(f"/sessions/{it.session_id}/restore", status=200),
        prepare=cancel_it,
    ),
    "a type is restored": Deed(
        lambda it: it.browser.send(f"{at_type(it)}/restore", "/restore"),
        lambda it: it.program.post(f"/session-types/{it.type_id}/restore", status=200),
        prepare=archive_it,
    ),
}


@pytest.mark.parametrize("name", DEEDS)
def test_a_deed_by_page_and_by_api_is_the_same_deed(make, houses, name):
    deed = DEEDS[name]
    page, api = houses(
        kind=dict(deed.kind),
        session=dict(deed.session),
        prepare=deed.prepare,
        staff=deed.is_staff,
    )
    deed.by_page(page)
    deed.by_api(api)
    assert_alike(make, page, api)


# ---- what is refused ---------------------------------------------------------------------


@dataclass(frozen=True)
class Situation:
    """Why a visitor's booking is refused, and with which code by whichever door."""

    code: str
    kind: tuple[tuple[str, Any], ...] = ()
    session: tuple[tuple[str, Any], ...] = ()
    guests: int = 1
    prepare: Callable[[House], None] | None = None


def change(model: Any, name: str, **values: Any) -> Callable[[House], None]:
    def write(house: House) -> None:
        with transaction():
            row = fetch(model, getattr(house, name))
            for column, value in values.items():
                setattr(row, column, value)

    return write


REFUSED = (409, 422)

NOT_SHOWN = ("type_live", "offered_online", "visible")
"""On the pages there is nothing at all of these: 404, which tells nobody that they exist (D2)."""

GONE = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

SITUATIONS = {
    "archived": Situation("type_live", (("deleted_at", GONE),)),
    "cancelled": Situation("session_live", (), (("deleted_at", GONE),)),
    "at the venue only": Situation("offered_online", (("offered_online", False),)),
    "for staff": Situation("visible", (("visibility", "private"),)),
    "by its link only": Situation("visible", (("visibility", "link_only"),)),
    "without a price": Situation("priced", (("price", None),)),
    "customers only": Situation("signed_in", (("customers_only", True),)),
    "members only": Situation("member", (("members_only", True),)),
    "not yet open": Situation("window_open", (("max_advance_bookings_interval", "P1D"),)),
    "closed": Situation("window_closed", (("min_advance_bookings_interval", "P5D"),)),
    "too few guests": Situation("min_guests", (("min_guests", 2),)),
    "too many guests": Situation("max_guests", (("max_guests", 2),), guests=3),
    "no party left": Situation("party_left", (), (("max_baskets", 1),), prepare=sell),
    "full": Situation("places_left", prepare=sell_out),
    "too few places": Situation("places_left", (), (("capacity", 2),), guests=3),
}


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_refusal_has_the_same_code_and_sentence_by_page_and_by_api(make, houses, name):
    one = SITUATIONS[name]
    page, api = houses(
        kind=dict(one.kind), session=dict(one.session), prepare=one.prepare, staff=False
    )
    before = make(lambda: rows_of(api))
    said = api.program.post("/session-bookings", body(api, guests=one.guests), status=422)

    def ask():
        row = fetch(Session, page.session_id)
        offer = offer_of(row.session_type, venue_of(fetch(Site, page.site_id)))
        return first_refusal(offer, slot_of(row), Party(one.guests), Viewer(), read_clock())

    refusal = make(ask)
    assert said["code"] == refusal.code == one.code
    assert said["message"] == refusal.sentence
    assert ("changes_at" in said) is (refusal.changes_at is not None)
    fields = {"session_id": page.session_id, "guests": one.guests, "key": "hold"}
    at = f"/{page.slug}/book/{page.type_slug}"
    if one.code in NOT_SHOWN:
        page.browser.post(at, fields, 404)
    else:
        assert said["message"] in page.browser.post(at, fields, *REFUSED)
    # Nothing is left of it in the one house or the other.
    assert make(lambda: rows_of(api)) == before
    assert not make(lambda: rows_of(page))["orders"] - make(lambda: rows_of(api))["orders"]


WAITING = {
    "no list": Situation("no_waitlist", prepare=sell_out),
    "room": Situation("still_free", (), (("waitlist_enabled", True),)),
    "twice": Situation("already_waiting", (), (("waitlist_enabled", True),), prepare=wait),
    "members only": Situation(
        "member", (), (("waitlist_enabled", True),),
        prepare=lambda it: (sell_out(it), change(SessionType, "type_id", members_only=True)(it)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WAITING)
def test_a_list_refuses_the_same_by_page_and_by_api(make, houses, name):
    one = WAITING[name]
    page, api = houses(session=dict(one.session), prepare=one.prepare, staff=False)
    said = api.program.post(f"/sessions/{api.session_id}/waiting-list", body(api), status=422)
    assert said["code"] == one.code
    at = f"/{page.slug}/sessions/{page.session_id}/waiting"
    assert said["message"] in page.browser.post(at, {**ANA, "guests": 1}, *REFUSED)
    assert_rows_alike(make, page, api)


def arrive(house: House) -> None:
    sell(house)
    change(SessionBooking, "booking_id", stage="arrived", checked_in_at=read_clock())(house)


def miss(house: House) -> None:
    sell(house)
    change(SessionBooking, "booking_id", is_no_show=True)(house)


CHANGES = {"checked_in": arrive, "marked_no_show": miss}


@pytest.mark.parametrize("code", CHANGES)
@pytest.mark.parametrize("deed", ["cancel", "move"])
def test_a_change_is_refused_the_same_by_page_and_by_api(make, houses, code, deed):
    page, api = houses(prepare=CHANGES[code])
    sent = {"reason": "Ill", "session_id": api.other_id}
    said = api.program.post(f"/session-bookings/{api.booking_id}/{deed}", sent, status=400)
    assert said["code"] == code
    noun = {"cancel": "cancellation", "move": "move"}[deed]
    shown = page.browser.post(
        f"{page.desk}/bookings/{page.booking_id}/{noun}",
        {"reason": "Ill", "to": page.other_id, "seen": 0, "price": 6000},
        *REFUSED,
    )
    assert said["message"] in shown
    assert_rows_alike(make, page, api)


@pytest.mark.parametrize("action", ["check-in", "no-show", "stage"])
def test_r28_a_tap_is_refused_the_same_by_page_and_by_api(make, houses, action):
    page, api = houses(prepare=wait, session={"waitlist_enabled": True})
    sent = {"stage": "arrived"} if action == "stage" else None
    said = api.program.post(f"/session-bookings/{api.booking_id}/{action}", sent, status=400)
    shown = page.browser.post(
        f"{page.desk}/bookings/{page.booking_id}/{action}",
        {"set": "true", "stage": "arrived"},
        *REFUSED,
    )
    assert said["code"] == "wrong_state"
    assert said["message"] in shown
    assert_rows_alike(make, page, api)
