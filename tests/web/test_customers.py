"""One customer's history, notes, doubles, data and erasure, as staff meet them."""

import io
import json
import zipfile
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from factories import (
    ANYWHERE,
    make_customer,
    make_order,
    make_organisation,
    make_session,
    make_site,
    make_staff,
    make_type,
    save,
)
from sqlalchemy import event

from blueprints.clock import read_clock
from models import Archive, Note, Order, Site, db
from services.checkout import find_order
from services.orders import Till, take_payment

RIGHTS = ("RESERVATIONS_MANAGE", "CUSTOMERS_MANAGE", "ORDERS_MANAGE")


@pytest.fixture
def house(make):
    """Ana with one booking that is paid; Anna, who may be the same; a stranger elsewhere."""

    def build():
        site = make_site(slug="bath")
        make_staff(site, rights=RIGHTS)
        kind = make_type(site)
        slot = make_session(kind, local_start="2026-06-12T18:00", capacity=30)
        order = find_order(make_order(slot, now=read_clock()))
        anna = make_customer(site.organisation_id, name="ÁNA  reyes", email="anna@work.example")
        make_customer(site.organisation_id, name="Jude Park", email="jude@x.example",
                      phone="+44 7700 900123")  # fmt: skip
        other = make_site(make_organisation(), slug="elsewhere")
        stranger = make_customer(other.organisation_id, name="Stranger", email="s@example.com")
        return {
            "organisation": site.organisation_id, "site": site.id, "ana": order.customer_id,
            "anna": anna.id, "stranger": stranger.id, "order": order.id, "ref": order.order_ref,
            "booking": order.items[0].booking.id,
        }  # fmt: skip

    return make(build)


@pytest.fixture
def maren(visitor, house):
    visitor.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    return visitor


def at(house, path="", who="ana"):
    return f"/staff/bath/customers/{house[who]}{path}"


@pytest.mark.parametrize(
    ("search", "names"),
    [
        ("ana", ["Ana Reyes", "ÁNA  reyes"]),
        ("REYES aná", ["Ana Reyes", "ÁNA  reyes"]),
        ("07700 900123", ["Jude Park"]),
        ("+44 (0)7700-900 123", ["Jude Park"]),
        ("900123 jude", ["Jude Park"]),
        ("WORK.example", ["ÁNA  reyes"]),
        ("ref", ["Ana Reyes"]),
        ("%", []),
    ],
)
def test_customers_are_found_whatever_the_accents_case_and_spaces(maren, house, search, names):
    wanted = quote(house["ref"] if search == "ref" else search)
    page = maren.get(f"/staff/bath/customers?q={wanted}")
    assert [tag.get_text() for tag in page.all(".person b")] == names


def test_customers_can_be_sorted_by_when_they_came(maren, house):
    names = [
        tag.get_text() for tag in maren.get("/staff/bath/customers?sort=newest").all(".person b")
    ]
    assert names[0] == "Ana Reyes"
    page = maren.get("/staff/bath/customers?sort=nonsense")
    assert page.one(".seg [aria-current]").get_text() == "Name"


@pytest.mark.parametrize("show", ["bookings", "orders", "mails", "forms"])
def test_the_history_has_each_kind_with_as_many_questions_for_many(app, maren, make, house, show):
    def more():
        site = db.session.get_one(Site, house["site"], execution_options=ANYWHERE)
        kind = make_type(site)
        for number in range(24):
            slot = make_session(kind, local_start=f"2026-07-{number + 1:02}T10:00")
            make_order(slot, now=read_clock())

    asked = []
    for build in (lambda: None, more):
        make(build)
        asked.append(0)

        def note(_conn, _cursor, statement, *_rest):
            asked[-1] += statement.lstrip().upper().startswith(("SELECT", "WITH"))

        with app.app_context():
            engine = db.engine
        event.listen(engine, "before_cursor_execute", note)
        page = maren.get(at(house, f"/history?show={show}"))
        event.remove(engine, "before_cursor_execute", note)
    assert asked[0] == asked[1]
    if show == "forms":
        assert "No forms" in page.text("main")
    else:
        assert len(page.all(".bookings-s > li")) == 20
        assert (
            len(maren.get(at(house, f"/history?show={show}&page=2")).all(".bookings-s > li")) >= 5
        )


def test_a_customer_in_numbers(maren, make, house):
    make(
        lambda: take_payment(
            Till(house["organisation"], house["site"]), house["order"], amount=1800,
            method="cash", now=read_clock(),
        )
    )  # fmt: skip
    said = maren.get(at(house)).text("nav[aria-label='In numbers']")
    assert said == "0 visits 1 coming 0 no-shows 0 cancelled £18.00 spent £30.00 open"


def test_notes_are_written_taken_away_and_brought_back(maren, make, house):
    url = at(house, "/notes")
    assert "Write the note first" in maren.post(url, {"text": "  "}, 422).text("main")
    long = maren.post(url, {"text": "x" * 2001}, 422)
    assert "2,001 characters" in long.text("main")
    assert len(long.one("#text-note").get_text()) == 2001
    form = maren.get(at(house)).form("form[action$='/notes']")
    for _ in range(2):
        maren.post(url, {**form, "text": "Likes <b>tea</b>\nand quiet"}, 303)
    page = maren.get(at(house))
    assert [tag.get_text() for tag in page.all(".noted-text")] == ["Likes <b>tea</b>\nand quiet"]
    note = make(lambda: db.session.scalar(sa.select(Note.id), execution_options=ANYWHERE))
    gone = maren.post(at(house, f"/notes/{note}/removal"), {}, 303).response.location
    page = maren.get(gone.split("#")[0])
    assert page.all(".noted") == []
    maren.post(page.one("form.note")["action"], {}, 303)
    assert len(maren.get(at(house)).all(".noted-text")) == 1
    assert maren.post(at(house, f"/notes/{note}/removal", "anna"), {}).status == 404
    assert maren.get(f"{url}/{note}/removal", 302)


def test_a_bookings_notes_stand_beside_it(maren, make, house):
    url = f"/staff/bath/bookings/{house['booking']}/notes"
    maren.post(url, {"text": ""}, 422)
    kept = maren.post(url, {"text": "Comes with a wheelchair"}, 303)
    # Back to the roster, where the next guest waits and the note is read.
    assert kept.response.location.endswith(f"#b-{house['booking']}")
    assert "Comes with a wheelchair" in maren.get(kept.response.location).text(".roster")
    assert "Comes with a wheelchair" in maren.get(url).text("main")
    assert "No notes yet" in maren.get(at(house)).text("main")
    note = make(lambda: db.session.scalar(sa.select(Note.id), execution_options=ANYWHERE))
    maren.post(f"{url}/{note}/removal", {}, 303)
    maren.post(f"{url}/{note}/return", {}, 303)
    assert maren.post(f"/staff/bath/bookings/{house['anna']}/notes", {"text": "x"}).status == 404


def test_doubles_are_found_compared_and_merged(maren, house):
    page = maren.get("/staff/bath/customers/doubles")
    assert "with the same name" in page.text("main")
    link = page.one(".bookings-s a.btn")["href"]
    page = maren.get(link)
    stays, goes = (house["ana"], house["anna"])
    if stays not in page.one("form.card")["action"]:
        stays, goes = goes, stays
    fields = page.form("form.card[method=post]")
    assert maren.post(page.one("form.card")["action"], {**fields, "name": ""}, 422)
    fields = {**fields, "name": "kept", "email": "other", "phone": ""}
    stale = {**fields, "seen": "x"}
    assert "nothing was done" in maren.post(page.one("form.card")["action"], stale, 409).text(
        "main"
    )
    maren.post(page.one("form.card")["action"], fields, 303)
    old = maren.get(f"/staff/bath/customers/{goes}", 302).response.location
    assert old.endswith(f"/staff/bath/customers/{stays}")
    assert (
        "anna@work.example" in maren.get(old).text("aside[aria-label=Details]")
        or stays != house["ana"]
    )
    maren.post(f"/staff/bath/customers/{goes}/notes", {"text": "Typed before"}, 303)
    assert "Typed before" in maren.get(old).text("main")
    assert "No doubles" in maren.get("/staff/bath/customers/doubles").text("main")


def test_the_other_one_is_looked_for(maren, house):
    page = maren.get(at(house, "/merge?q=jude"))
    assert "Jude Park" in page.text("main")
    assert "Nobody else matches" in maren.get(at(house, "/merge?q=zzz")).text("main")
    assert maren.post(at(house, "/merge"), {}, 422)
    for other in (house["stranger"], "nobody"):
        assert maren.get(at(house, f"/merge?other={other}"), 404)
        assert maren.post(at(house, "/merge"), {"other": other}).status == 404
    assert "two different" in maren.get(at(house, f"/merge?other={house['ana']}")).text("main")


def test_d5_everything_about_a_person_is_packed_for_them(maren, make, house):
    maren.post(at(house, "/notes"), {"text": "=cmd()"}, 303)
    answer = maren.client.get(at(house, "/data.zip"))
    assert answer.mimetype == "application/zip"
    packed = zipfile.ZipFile(io.BytesIO(answer.data))
    told = json.loads(packed.read("everything.json"))
    assert told["customers"][0]["orders"][0]["order_ref"] == house["ref"]
    assert told["notes"][0]["text"] == "=cmd()"
    secret = make(
        lambda: db.session.get_one(Order, house["order"], execution_options=ANYWHERE).secret
    )
    assert secret not in packed.read("everything.json").decode()
    assert "'=cmd()" in packed.read("notes.csv").decode("utf-8-sig")
    assert {"person.csv", "orders.csv", "bookings.csv", "payments.csv", "mails.csv"} <= set(
        packed.namelist()
    )
    assert maren.client.get(at(house, "/data.zip", "stranger")).status_code == 404


def test_erasing_shows_what_it_touches_and_asks_first(maren, make, house):
    url = at(house, "/erasure")
    page = maren.get(url)
    assert "archive" not in page.text("main")
    own = {"organisation_id": house["organisation"]}
    make(lambda: save(Archive(**own, created_at=read_clock(), expires_at=read_clock())))
    page = maren.get(url)
    assert "1 archive of the whole organisation deleted" in page.text("main")
    assert "1 order without a name" in page.text("main")
    assert "£48.00 is still due" in page.text("main")
    fields = page.form("form.card")
    assert "Tick that you know" in maren.post(url, fields, 422).text("main")
    sure = {**fields, "sure": "yes"}
    refused = maren.post(url, sure, 422)
    assert "1 booking still to come" in refused.text("#cancels-error")
    assert refused.soup.title.get_text().startswith("Error:")
    assert "nothing was erased" in maren.post(
        url, {**sure, "cancels": "yes", "seen": "x"}, 409
    ).text("main")
    maren.post(url, {**sure, "cancels": "yes"}, 303)
    page = maren.get(at(house))
    assert page.text("h1") == "Erased guest"
    assert "was erased on" in page.text("main")
    assert page.all("form[action$='/notes'], form[action$='/memberships']") == []
    assert "nothing left to erase" in maren.get(url).text("main")
    maren.post(url, {**sure, "cancels": "yes"}, 303)
    assert maren.post(at(house, "/notes"), {"text": "x"}).status == 404
    assert maren.client.get(at(house, "/data.zip")).status_code == 404
    assert "Erased" not in maren.get("/staff/bath/customers").text("main")
    assert maren.get(at(house, "/erasure", "stranger"), 404)
    order = maren.get(f"/staff/bath/orders/{house['order']}")
    assert "ana@example.com" not in order.html


def test_who_works_here_is_told_so(maren, make, house):
    def build():
        account = make_staff_account(house)
        return make_customer(
            house["organisation"], account, name="Otto", email="otto@example.com"
        ).id

    house["otto"] = make(build)
    page = maren.get(at(house, "/erasure", "otto"))
    assert "End their access first" in page.text("main")
    assert maren.post(at(house, "/erasure", "otto"), {**page.form("form.card"), "sure": "y"}, 422)


def make_staff_account(house):
    site = db.session.get_one(Site, house["site"], execution_options=ANYWHERE)
    return make_staff(site, "otto@example.com")
