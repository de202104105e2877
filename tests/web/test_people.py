"""Customers, memberships and files of members, as staff meet them."""

import io
import re

import pytest
import sqlalchemy as sa
from factories import (
    ANYWHERE,
    NOW,
    make_account,
    make_customer,
    make_member,
    make_organisation,
    make_session,
    make_site,
    make_staff,
    make_type,
    save,
)
from sqlalchemy import event
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from domain.eligibility import Viewer
from models import Customer, Membership, Site, db
from services.basket import hold_places
from services.checkout import confirm_order, find_order

BOTH = ("RESERVATIONS_MANAGE", "CUSTOMERS_MANAGE")
HEAD = "email,name,membership type,first day,last day,state\n"


@pytest.fixture
def house(make):
    """Ana, a member with an account; Jude, a guest; and another organisation's Stranger."""

    def build():
        site = make_site(slug="bath")
        make_staff(site, rights=BOTH)
        kind = make_member(site.organisation_id, make_account())
        ana = db.session.scalar(sa.select(Customer), execution_options=ANYWHERE)
        jude = make_customer(site.organisation_id, name="Jude Park", email="jude@example.com")
        other = make_site(make_organisation(), slug="elsewhere")
        make_member(other.organisation_id, make_account("stranger@example.com", "Stranger"))
        theirs = db.session.execute(
            sa.select(Membership.id, Membership.customer_id, Membership.membership_type_id).where(
                Membership.organisation_id == other.organisation_id
            )
        ).one()
        held = db.session.scalar(
            sa.select(Membership.id).where(Membership.customer_id == ana.id),
            execution_options=ANYWHERE,
        )
        return {
            "organisation": site.organisation_id, "kind": kind.id, "ana": ana.id,
            "jude": jude.id, "held": held, "their_membership": theirs[0],
            "stranger": theirs[1], "their_kind": theirs[2],
        }  # fmt: skip

    return make(build)


@pytest.fixture
def maren(visitor, house):
    visitor.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    return visitor


def rows(app, model):
    with app.app_context():
        found = db.session.scalars(
            sa.select(model).order_by(model.id), execution_options=ANYWHERE
        ).all()
        db.session.expunge_all()
        return found


def membership(app, house):
    return next(row for row in rows(app, Membership) if row.id == house["held"])


SHOWN = {"was_first_day": "2026-01-01", "was_last_day": "", "was_state": "active"}


# ---------------------------------------------------------------- rights and walls

GETS = (
    "customers", "customers/{ana}", "memberships", "memberships/members.csv",
    "memberships/sample.csv", "memberships/import", "customers/doubles",
    "customers/{ana}/history", "customers/{ana}/merge", "customers/{ana}/erasure",
)  # fmt: skip
POSTS = (
    "customers/{ana}/memberships", "customers/{ana}/memberships/{held}/days",
    "customers/{ana}/memberships/{held}/pause", "customers/{ana}/memberships/{held}/resumption",
    "customers/{ana}/memberships/{held}/end", "memberships", "customers/{ana}/notes",
    "customers/{ana}/merge", "customers/{ana}/erasure", "memberships/{kind}/name",
    "memberships/{kind}/archive", "memberships/{kind}/restoration", "memberships/import",
    "memberships/imports",
)  # fmt: skip


@pytest.mark.parametrize("path", GETS)
def test_d3_pages_about_people_ask_for_the_right_over_customers(visitor, make, house, path):
    url = f"/staff/bath/{path.format(**house)}"
    assert "/staff/sign-in" in visitor.get(url, 303).response.headers["Location"]
    make(lambda: make_staff(make_site(slug="other"), "far@example.com", rights=BOTH))
    visitor.sign_in("far@example.com", "thermal-waters", "/staff/sign-in")
    visitor.get(url, 404)
    visitor.sign_in("ana@example.com", "quiet-rooms")
    visitor.get(url, 404)
    visitor.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    visitor.get(url, 200)


@pytest.mark.parametrize("path", [*GETS, *POSTS])
def test_d3_the_right_over_bookings_opens_none_of_them(visitor, make, house, path):
    make(lambda: hire(house, "desk@example.com", "RESERVATIONS_MANAGE", "REPORTS_VIEW"))
    visitor.sign_in("desk@example.com", "thermal-waters", "/staff/sign-in")
    url = f"/staff/bath/{path.format(**house)}"
    if path in GETS:
        visitor.get(url, 403)
    visitor.post(url, {}, 403 if path in POSTS else None)


def site_of(house):
    return db.session.scalar(sa.select(Site).where(Site.organisation_id == house["organisation"]))


def hire(house, email, *rights):
    make_staff(site_of(house), email, rights=rights)


@pytest.mark.parametrize(
    "path",
    [
        "customers/{stranger}/memberships",
        "customers/{stranger}/memberships/{their_membership}/days",
        "customers/{ana}/memberships/{their_membership}/days",
        "customers/{ana}/memberships/{their_membership}/pause",
        "customers/{ana}/memberships/{their_membership}/resumption",
        "customers/{ana}/memberships/{their_membership}/end",
        "customers/{jude}/memberships/{held}/pause",
        "memberships/{their_kind}/name",
        "memberships/{their_kind}/archive",
        "memberships/{their_kind}/restoration",
    ],
)
def test_d1_foreign_ids_are_not_found(app, maren, house, path):
    fields = {
        **SHOWN, "type": house["kind"], "first_day": "2026-06-01", "last_day": "2026-06-30",
        "name": "Mine", "was": "River",
    }  # fmt: skip
    maren.post(f"/staff/bath/{path.format(**house)}", fields, 404)
    held = [(row.id, row.state, row.last_day) for row in rows(app, Membership)]
    assert held == sorted([(house[k], "active", None) for k in ("held", "their_membership")])


def test_d1_a_foreign_customer_is_not_found_and_not_listed(maren, house):
    maren.get(f"/staff/bath/customers/{house['stranger']}", 404)
    assert "Stranger" not in maren.get("/staff/bath/customers").text("main")
    assert "Stranger" not in maren.get("/staff/bath/memberships/members.csv").html


def test_navigation_shows_what_the_desk_may_open(visitor, make, house):
    make(lambda: hire(house, "desk@example.com", "RESERVATIONS_MANAGE"))
    visitor.sign_in("desk@example.com", "thermal-waters", "/staff/sign-in")
    rail = visitor.get("/staff/bath/").text(".rail nav")
    assert "Why not?" in rail
    assert "Customers" not in rail
    assert len(visitor.get("/staff/bath/").all(".tabbar > *")) <= 5


def test_somebody_with_customers_only_has_a_front_page(visitor, make, house):
    make(lambda: hire(house, "crm@example.com", "CUSTOMERS_MANAGE"))
    visitor.sign_in("crm@example.com", "thermal-waters", "/staff/sign-in")
    page = visitor.get("/staff/", 302)
    assert page.response.headers["Location"] == "/staff/bath/customers"
    rail = visitor.get("/staff/bath/customers").text(".rail nav")
    assert "Schedule" not in rail
    visitor.get(f"/staff/bath/customers/{house['ana']}")


# ---------------------------------------------------------------- finding people


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("reyes", {"Ana Reyes"}),
        ("REYES ana", {"Ana Reyes"}),
        ("jude@EXAMPLE.com", {"Jude Park"}),
        ("example.com", {"Ana Reyes", "Jude Park"}),
        ("100%", set()),
        ("ana park", set()),
    ],
)
def test_customers_are_found_by_name_and_mail(maren, search, found):
    page = maren.get(f"/staff/bath/customers?q={search.replace('%', '%25')}")
    assert {tag.get_text() for tag in page.all(".person b")} == found
    if not found:
        assert "Nobody matches" in page.text("main")
        assert page.one("main input[name=q]")["value"] == search


def test_customers_are_found_by_phone_and_reference(app, maren, make, house):
    def build():
        site = site_of(house)
        session = make_session(make_type(site))
        secret = hold_places(
            site.organisation_id, session.id, session_type_id=session.session_type_id, guests=1,
            viewer=Viewer(), basket_secret=None, now=NOW,
        )  # fmt: skip
        confirm_order(site.organisation_id, secret, name="Jude", email="jude@example.com", now=NOW)
        make_customer(
            site.organisation_id, name="Phil", email="phil@example.com", phone="07700 900 123"
        )
        return find_order(secret).order_ref

    reference = make(build)
    for search in (reference, reference.lower(), reference.split()[1]):
        page = maren.get(f"/staff/bath/customers?q={search}")
        assert [tag.get_text() for tag in page.all(".person b")] == ["Jude Park"]
    for search in ("07700900123", "07700 900"):
        page = maren.get(f"/staff/bath/customers?q={search}")
        assert [tag.get_text() for tag in page.all(".person b")] == ["Phil"]


def test_customers_come_25_a_page_by_name(maren, make, house):
    make(
        lambda: [
            make_customer(house["organisation"], name=f"Zoe {n:02}", email=f"z{n}@example.com")
            for n in range(49)
        ]
    )
    first = maren.get("/staff/bath/customers")
    assert len(first.all(".person")) == 25
    assert first.all(".person b")[0].get_text() == "Ana Reyes"
    assert "Page 1 of 3" in first.text(".pager")
    last = maren.get("/staff/bath/customers?page=3")
    assert [tag.get_text() for tag in last.all(".person b")] == ["Zoe 48"]
    for odd in ("0", "-1", "x", "99", "9" * 30, "²"):
        maren.get(f"/staff/bath/customers?page={odd}")
    assert "page=2" in maren.get("/staff/bath/customers?q=zoe").one("[rel=next]")["href"]


def test_no_customers_yet_says_so(visitor, make):
    make(lambda: make_staff(make_site(slug="empty"), rights=BOTH))
    visitor.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    assert "No customers yet" in visitor.get("/staff/empty/customers").text("main")


def test_the_customers_page_shows_bookings_and_rows_of_the_same_person(maren, make, house):
    make(
        lambda: make_customer(
            house["organisation"], name="A. Reyes", email="ana@example.com", email_key=None
        )
    )
    page = maren.get(f"/staff/bath/customers/{house['ana']}")
    assert "from 1 January 2026, with no end" in page.text("main")
    assert "A. Reyes" in page.text("aside[aria-label=Details]")
    assert "Nothing is booked" in page.text("main")


@pytest.mark.parametrize("many", [1, 24])
def test_the_list_and_the_page_ask_as_many_questions_for_many_as_for_few(
    app, maren, make, house, many
):
    def build():
        site = site_of(house)
        kind = make_type(site)
        for number in range(many):
            make_customer(site.organisation_id, name=f"P {number}", email=f"{number}@example.com")
            session = make_session(kind, local_start=f"2026-06-{number % 20 + 5:02}T18:00")
            secret = hold_places(
                site.organisation_id, session.id, session_type_id=kind.id, guests=1,
                viewer=Viewer(), basket_secret=None, now=NOW,
            )  # fmt: skip
            confirm_order(
                site.organisation_id, secret, name="Jude", email="jude@example.com", now=NOW
            )
            save(
                Membership(
                    organisation_id=site.organisation_id, customer_id=house["jude"],
                    membership_type_id=house["kind"], state="ended",
                    first_day=NOW.date().replace(day=number + 1), created_at=NOW,
                )
            )  # fmt: skip

    make(build)
    numbers = []
    for url in ("/staff/bath/customers", f"/staff/bath/customers/{house['jude']}"):
        asked = []

        def note(_conn, _cursor, statement, *_rest, asked=asked):
            if statement.lstrip().upper().startswith(("SELECT", "WITH")):
                asked.append(statement)

        with app.app_context():
            engine = db.engine
        event.listen(engine, "before_cursor_execute", note)
        page = maren.get(url)
        event.remove(engine, "before_cursor_execute", note)
        assert page.all(".person, .bookings-s li")
        numbers.append(len(asked))
    # Account, grants, sites; then count, page, memberships, bookings; or the customer's own.
    assert numbers == [7, 18]


# ---------------------------------------------------------------- giving and changing


def test_a_membership_is_given_once(app, maren, house):
    url = f"/staff/bath/customers/{house['jude']}"
    form = maren.get(url).form(f"form[action$='{house['jude']}/memberships']")
    fields = {**form, "type": house["kind"], "first_day": "2026-06-01", "last_day": "2026-12-31"}
    for _ in range(2):
        maren.post(f"{url}/memberships", fields, 303)
    page = maren.get(url)
    assert len(page.all(".holdings > li")) == 1
    assert "1 June 2026 to 31 December 2026" in page.text(".holdings")
    assert "theirs" in page.text(".note--ok")
    assert "has no account" in page.text("main")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"first_day": ""}, "Enter the first day"),
        ({"first_day": "2026-02-30"}, "2026-06-12"),
        ({"last_day": "soon"}, "last day"),
        ({"first_day": "2026-07-01", "last_day": "2026-06-01"}, "before the first"),
        ({"first_day": "2026-01-01", "last_day": "2026-06-03"}, "over already"),
        ({"type": "nonsense"}, "from the list"),
        ({"type": ""}, "from the list"),
    ],
)
def test_a_gift_that_cant_be_keeps_what_was_typed(app, maren, house, fields, said):
    url = f"/staff/bath/customers/{house['jude']}/memberships"
    typed = {"type": house["kind"], "first_day": "2026-06-01", "last_day": "", **fields}
    page = maren.post(url, typed, 422)
    assert page.text("title").startswith("Error:")
    assert said in page.text("[role=alert]")
    assert said in page.text(".field--error")
    for name in ("first_day", "last_day"):
        assert page.one(f"#{name}-give").get("value", "") == typed[name]
    link = page.one("[role=alert] a")["href"]
    assert page.one(link)
    assert len(rows(app, Membership)) == 2


def test_a_second_one_of_the_same_type_is_refused_while_the_first_runs(maren, house):
    typed = {"type": house["kind"], "first_day": "2026-06-01", "last_day": ""}
    page = maren.post(f"/staff/bath/customers/{house['ana']}/memberships", typed, 422)
    assert "already" in page.text(".field--error")


def act(maren, house, what, status=303, **fields):
    url = f"/staff/bath/customers/{house['ana']}/memberships/{house['held']}/{what}"
    return maren.post(url, {**SHOWN, **fields}, status)


def test_days_pause_resume_and_end(app, maren, house):
    act(maren, house, "days", first_day="2026-01-01", last_day="2026-12-31")
    shown = {"was_last_day": "2026-12-31"}
    act(maren, house, "pause", **shown)
    act(maren, house, "pause", **shown)
    page = maren.get(f"/staff/bath/customers/{house['ana']}")
    assert "Paused" in page.text(".holdings")
    act(maren, house, "resumption", **shown, was_state="paused")
    act(maren, house, "end", **shown, when="day", last_day="2026-06-30")
    assert str(membership(app, house).last_day) == "2026-06-30"
    shown = {"was_last_day": "2026-06-30"}
    act(maren, house, "end", **shown, when="now")
    act(maren, house, "end", **shown, when="now")
    row = membership(app, house)
    assert (row.state, str(row.last_day)) == ("ended", "2026-06-04")
    page = act(maren, house, "days", 409, first_day="2026-01-01", last_day="")
    page = act(
        maren, house, "days", 422, first_day="2026-01-01", last_day="",
        was_last_day="2026-06-04", was_state="ended",
    )  # fmt: skip
    assert "was ended" in page.text("[role=alert]")


@pytest.mark.parametrize("last", ["2026-06-03", "", "never"])
def test_ending_in_the_past_is_refused(app, maren, house, last):
    page = act(maren, house, "end", 422, when="day", last_day=last)
    field = page.one(".field--error input")
    assert field.get("value", "") == last
    assert page.text("title").startswith("Error:")
    assert membership(app, house).last_day is None


def test_d4_the_second_of_two_editors_sees_both_versions_and_loses_nothing(app, maren, house):
    act(maren, house, "days", first_day="2026-01-01", last_day="2026-08-31")
    page = act(maren, house, "days", 409, first_day="2026-01-01", last_day="2026-09-30")
    said = page.text(f"#m-{house['held']}")
    assert "1 January 2026 to 31 August 2026" in said
    assert "1 January 2026 to 30 September 2026" in said
    assert str(membership(app, house).last_day) == "2026-08-31"
    form = page.form("form[action$='/days']")
    assert form["last_day"] == "2026-09-30"
    act(maren, house, "days", **{name: form[name] for name in form if name != "csrf_token"})
    assert str(membership(app, house).last_day) == "2026-09-30"


def test_a_form_that_shows_nothing_it_was_opened_with_is_stale(maren, house):
    for was in ({"was_first_day": ""}, {"was_first_day": "x"}, {"was_state": "gold"}):
        act(maren, house, "pause", 409, **was)


# ---------------------------------------------------------------- kinds of membership


def test_kinds_are_added_renamed_archived_and_restored(app, maren, house):
    form = maren.get("/staff/bath/memberships").form("form[action$='/memberships']")
    for _ in range(2):
        maren.post("/staff/bath/memberships", {**form, "name": "Towpath"}, 303)
    assert len(maren.get("/staff/bath/memberships").all(".kind")) == 2
    base = f"/staff/bath/memberships/{house['kind']}"
    maren.post(f"{base}/name", {"name": "Stream", "was": "River"}, 303)
    page = maren.post(f"{base}/name", {"name": "Brook", "was": "River"}, 409)
    assert page.one(f"#name-{house['kind']}")["value"] == "Brook"
    assert "Stream" in page.text("[role=alert]")
    maren.post(f"{base}/archive", {}, 303)
    page = maren.get("/staff/bath/memberships")
    assert "Archived" in page.text(f"#t-{house['kind']}")
    assert "1 holder" in page.text(f"#t-{house['kind']}")
    maren.post(f"{base}/restoration", {}, 303)
    assert "Archived" not in maren.get("/staff/bath/memberships").text(".people")


@pytest.mark.parametrize("name", ["", "x" * 201, "<b>River</b>", " river "])
def test_a_name_that_cant_be_is_refused_and_kept(maren, name):
    page = maren.post("/staff/bath/memberships", {"name": name, "key": "k"}, 422)
    assert page.text("title").startswith("Error:")
    assert page.one("#name").get("value", "") == name
    assert page.text(".field--error .error")


def test_restoring_beside_a_namesake_is_refused(app, maren, make, house):
    maren.post(f"/staff/bath/memberships/{house['kind']}/archive", {}, 303)
    maren.post("/staff/bath/memberships", {"name": "River", "key": "k"}, 303)
    maren.post(f"/staff/bath/memberships/{house['kind']}/restoration", {}, 303)
    assert "already" in maren.get("/staff/bath/memberships").text(".note--bad")


# ---------------------------------------------------------------- files of members


def send(maren, url, fields, status):
    """A form with a file, encoded in memory: the client's own way leaves large ones open."""
    boundary, body = encode_multipart({"csrf_token": maren.token(), **fields})
    content_type = f'multipart/form-data; boundary="{boundary}"'
    answer = maren.client.post(url, data=body, content_type=content_type)
    page = type(maren.get("/staff/bath/memberships/import"))(answer)
    assert page.status == status, page.text()[:600]
    return page


def upload(maren, raw, status=200, name="members.csv"):
    fields = {"file": FileStorage(io.BytesIO(raw), filename=name)}
    return send(maren, "/staff/bath/memberships/import", fields, status)


def apply(maren, page, status=303, **changed):
    form = page.form("form[action$='/imports']")
    text = page.one("textarea[name=text]").get_text()
    fields = {**form, "text": text, **changed}
    return send(maren, "/staff/bath/memberships/imports", fields, status)


FILE = HEAD + (
    "ana@example.com,Ana,River,2026-01-01,,\n"
    'new@example.com,"Núria, Vidal",River,2026-06-01,2026-12-31,\n'
    "broken,Nobody,River,2026-06-01,,\n"
    "jude@example.com,Jude,River,2026-06-01,,\n"
)


@pytest.mark.parametrize(
    "raw", [FILE.encode(), b"\xef\xbb\xbf" + FILE.replace("\n", "\r\n").encode()]
)
def test_a_file_is_shown_line_by_line_then_imported_as_shown(app, maren, raw):
    page = upload(maren, raw)
    assert "Import 2 lines" in page.text("form[action$='/imports'] button")
    assert "1 already there" in page.text("main")
    bad = page.text("[aria-labelledby=bad-h] tbody")
    assert bad.startswith("4 ")
    assert "after the @" in bad
    assert "broken,Nobody,River" in bad
    assert "Núria, Vidal" in page.text("[aria-labelledby=good-h]")
    assert len(rows(app, Membership)) == 2
    apply(maren, page)
    assert "2 lines imported" in maren.get("/staff/bath/memberships").text(".note--ok")
    assert len(rows(app, Membership)) == 4
    again = upload(maren, raw)
    assert not again.all("form[action$='/imports']")
    assert len(rows(app, Membership)) == 4


def test_h6_importing_twice_from_one_page_changes_nothing_more(app, maren):
    page = upload(maren, FILE.encode())
    apply(maren, page)
    apply(maren, page, 409)
    assert len(rows(app, Membership)) == 4


def test_s3_moved_facts_are_shown_anew_and_nothing_is_imported(app, maren, house):
    page = upload(maren, FILE.encode())
    given = {"type": house["kind"], "first_day": "2026-06-01", "last_day": ""}
    maren.post(f"/staff/bath/customers/{house['jude']}/memberships", given, 303)
    again = apply(maren, page, 409)
    assert "nothing was imported" in again.text("[role=alert]")
    assert "Import 1 line" in again.text("form[action$='/imports'] button")
    assert len(rows(app, Membership)) == 3
    apply(maren, again)
    assert len(rows(app, Membership)) == 4


def test_what_is_sent_must_be_what_was_shown(app, maren):
    page = upload(maren, FILE.encode())
    apply(maren, page, 409, text=FILE + "x@example.com,X,River,2026-06-01,,\n")
    apply(maren, page, 409, digest="")
    apply(maren, page, 422, text="")
    assert len(rows(app, Membership)) == 2


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "empty"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00", "UTF-8"),
        (b"MZ\x00\x01", "CSV"),
        ((HEAD + "x\n" * 5001).encode(), "5,000 lines"),
        (b"a" * (1024 * 1024 + 1), "1 MB"),
        (b"email;name\na@example.com;Ana", "membership type"),
        ((HEAD + '"open').encode(), "quotation mark"),
    ],
    ids=["empty", "picture", "program", "5001", "large", "columns", "quote"],
)
def test_a_file_that_cant_be_read_gets_a_sentence(maren, raw, said):
    page = upload(maren, raw, 422)
    assert said in page.text(".field--error .error")
    assert page.text("title").startswith("Error:")


def test_a_form_without_a_file_and_one_that_is_far_too_large(maren):
    maren.post("/staff/bath/memberships/import", {}, 422)
    maren.post("/staff/bath/memberships/import", {"file": "text"}, 422)
    upload(maren, b"a" * (3 * 1024 * 1024), 413)


def test_a_file_of_the_full_size_can_be_shown_and_imported(app, maren):
    lines = "".join(f"p{n}@example.com,{'Name ' * 30}{n},River,2026-06-01,,\n" for n in range(4990))
    raw = (HEAD + lines).encode()
    assert 0.8 * 1024 * 1024 < len(raw) < 1024 * 1024
    apply(maren, upload(maren, raw))
    assert len(rows(app, Membership)) == 4992


def test_d5_cells_that_would_act_are_harmless_in_the_file(maren, make, house):
    make(lambda: make_member(house["organisation"], make_account("+a@example.com", "=cmd|calc")))
    answer = maren.get("/staff/bath/memberships/members.csv").response
    text = answer.get_data(as_text=True)
    assert answer.mimetype == "text/csv"
    assert "attachment" in answer.headers["Content-Disposition"]
    assert "'=cmd|calc" in text
    assert not re.search(r"(^|,)\"?[=+@-]", text, re.M)


def test_the_sample_file_can_be_imported(maren):
    raw = maren.client.get("/staff/bath/memberships/sample.csv").get_data()
    assert raw.startswith(b"\xef\xbb\xbfemail,name")
    assert upload(maren, raw).all("[aria-labelledby=good-h] tbody tr")
