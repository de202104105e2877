"""Offers by private address, as customers and staff meet them."""

import datetime as dt
import re

import pytest
import sqlalchemy as sa
from factories import (
    ANYWHERE,
    fetch,
    make_account,
    make_customer,
    make_order,
    make_organisation,
    make_session,
    make_site,
    make_staff,
    make_type,
)

from blueprints.clock import read_clock
from models import PrivateLink, Session, SessionType, Site, db
from services.cancelling import cancel_for_staff
from services.checkout import find_order
from services.doctor import examine
from services.places import raise_revision
from services.private_links import NewLink, make_link, revoke_link
from services.waking import release_expired_holds

DAY = dt.timedelta(days=1)
START = "2026-06-12T18:00"
SIGN_IN = ("maren@example.com", "thermal-waters", "/staff/sign-in")


@pytest.fixture
def shop(make):
    """A link-only type with one session, at a site whose staff may change settings."""

    def build():
        site = make_site(slug="bath")
        make_staff(site, rights=("SETTINGS_MANAGE", "RESERVATIONS_MANAGE"))
        kind = make_type(site, slug="secret", name="Moonlit supper", visibility="link_only")
        row = make_session(kind, local_start=START)
        return {
            "site": site.id, "organisation": site.organisation_id, "kind": kind.id,
            "session": row.id, "own": f"/bath/private/secret-{kind.link_key}",
        }  # fmt: skip

    return make(build)


@pytest.fixture
def invite(make, shop):
    """Makes a private link for that type; its address."""

    def call(**given):
        def build():
            wanted = NewLink(**{"type_id": shop["kind"], "name": "Ines", **given})
            link_id = make_link(
                shop["organisation"], shop["site"], wanted, by="staff", now=read_clock()
            )
            return link_id, f"/bath/private/secret-{fetch(PrivateLink, link_id).key}"

        return make(build)

    return call


def book(browser, url, *, session_id, guests=1, status=303):
    page = browser.get(f"{url}?date=2026-06-12")
    fields = page.form(f"#slot-{session_id} form")
    return browser.post(url, {**fields, "guests": str(guests)}, status)


def confirm(browser, *, email="ana@example.com", status=303):
    fields = browser.get("/bath/checkout").form("form[action='/bath/checkout']")
    return browser.post("/bath/checkout", {**fields, "name": "Ana", "email": email}, status)


def test_a_private_page_is_the_whole_page_and_says_that_it_is_private(visitor, shop):
    page = visitor.get(shop["own"])
    assert page.text("h1") == "Moonlit supper"
    assert "A private offer, by invitation" in page.text("#invitation")
    assert page.one("meta[name=robots]")["content"] == "noindex, nofollow"
    assert not page.all("meta[name=description]")
    headers = page.response.headers
    assert headers["X-Robots-Tag"] == "noindex, nofollow"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "private, no-store"
    assert "ETag" not in headers
    for link in page.all("#booker a[href], #booker form"):
        address = str(link.get("href") or link.get("action"))
        assert address.startswith((shop["own"], "#", "/account/sign-in")), address
    part = visitor.fragment(f"{shop['own']}?date=2026-06-12&guests=2")
    assert "<html" not in part.html
    assert part.all("#booker")


def test_a_link_only_type_is_booked_from_its_address_in_three_clicks(visitor, shop, make):
    assert book(visitor, shop["own"], session_id=shop["session"]).response.location.endswith(
        "/bath/checkout"
    )
    assert "Moonlit supper" in visitor.get("/bath/checkout").text()
    basket = visitor.get("/bath/basket")
    assert not basket.all("a[href*='/private/'], a[href*='secret']")
    done = confirm(visitor)
    assert "Moonlit supper" in visitor.get(done.response.location).text()
    assert make(examine) == []


def test_an_expired_basket_from_a_private_page_is_rebuilt(visitor, shop, make, invite):
    _, url = invite(price=1200)
    book(visitor, url, session_id=shop["session"], guests=2)
    make(lambda: release_expired_holds(read_clock() + dt.timedelta(hours=1)))
    visitor.post("/bath/checkout/rebuild", {}, 303)
    assert "£24" in visitor.get("/bath/checkout").text()
    confirm(visitor)
    assert make(examine) == []


def test_p9_a_links_price_is_shown_held_and_charged(visitor, shop, invite, make):
    _, url = invite(price=1250)
    page = visitor.get(f"{url}?date=2026-06-12&guests=2")
    slot = page.text(f"#slot-{shop['session']}")
    assert "£12.50" in slot
    assert "Book for £25" in slot
    assert "£48" not in page.text()
    book(visitor, url, session_id=shop["session"], guests=2)
    assert "£25" in visitor.get("/bath/checkout").text()
    done = confirm(visitor)
    assert "£25" in visitor.get(done.response.location).text()
    # The type's own address still has the type's own price: nothing is shared between the two.
    assert "£12.50" not in visitor.get(shop["own"]).text()


def test_a_link_for_one_session_shows_that_one_with_its_kept_places(
    visitor, other_visitor, shop, invite, make
):
    make(lambda: make_session(fetch(SessionType, shop["kind"]), local_start="2026-06-13T10:00"))
    start = dt.datetime.fromisoformat(START)
    _, url = invite(local_start=start, places_kept=6)
    page = visitor.get(url)
    assert [str(it["id"]) for it in page.all(".slots > li")] == [f"slot-{shop['session']}"]
    assert "8 of 8 left" in page.text(".slots")
    assert "6 places are kept" in page.text("#invitation")
    assert "2 of 8 left" in other_visitor.get(f"{shop['own']}?date=2026-06-12").text(".slots")
    book(visitor, url, session_id=shop["session"], guests=5)
    assert "3 of 8 left" in visitor.get(url).text(".slots")
    assert "2 of 8 left" in other_visitor.get(f"{shop['own']}?date=2026-06-12").text(".slots")


def test_a_link_for_one_customer_refuses_others_in_words_that_name_nobody(
    visitor, shop, invite, make
):
    make(lambda: make_customer(shop["organisation"], name="Ines Roth", email="ines@example.com"))
    _, url = invite(email="ines@example.com")
    assert "Roth" not in visitor.get(url).html
    book(visitor, url, session_id=shop["session"])
    refused = confirm(visitor, email="bob@example.com", status=422)
    assert "address that the private link was sent to" in refused.text("#email-error")
    assert not re.search("roth|ines@", refused.html, re.I)
    confirm(visitor, email="ines@example.com")


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        ("expired", "This link has ended"),
        ("used_up", "This link has been used"),
        ("revoked", "This link was withdrawn"),
    ],
)
def test_d2_a_dead_link_says_which_it_is_and_names_nothing(
    visitor, other_visitor, shop, invite, make, kind, title
):
    link_id, url = invite(price=1234, max_uses=1, expires_at=make(read_clock) + DAY)
    form = visitor.get(f"{url}?date=2026-06-12").form(f"#slot-{shop['session']} form")

    def end():
        row = fetch(PrivateLink, link_id)
        if kind == "expired":
            row.expires_at = read_clock()
            db.session.commit()
        elif kind == "revoked":
            revoke_link(shop["organisation"], shop["site"], link_id, now=read_clock())

    if kind == "used_up":
        book(other_visitor, url, session_id=shop["session"])
    make(end)
    for page in (visitor.get(url, 410), visitor.post(url, form, 410)):
        assert page.text("h1") == title
        assert page.text("title") == "Private link · Stillwater Bath"
        assert "hello@stillwater.example" in page.text("main")
        for secret in ("Moonlit", "secret", "12.34", "Ines"):
            assert secret not in page.html, secret
        assert page.response.headers["X-Robots-Tag"] == "noindex, nofollow"
    visitor.post(f"{url}/seen", {}, 410)


def test_d2_wrong_keys_slugs_and_sites_are_one_answer(visitor, shop, invite):
    _, url = invite()
    key = url.rpartition("-")[2]
    for wrong in (f"{url}x", f"/bath/private/{key}", f"/bath/private/other-{key}", f"{url[:-1]}"):
        page = visitor.get(wrong, 404)
        assert page.text("h1") == "This link doesn't work"
        assert visitor.post(wrong, {}, 404).text("h1") == "This link doesn't work"
    assert visitor.get(url.replace("/bath/", "/york/"), 404).text("h1") == "This link doesn't work"
    visitor.get(f"/bath/private/{'-' * 3000}", 404)
    visitor.get("/bath/private/%00", 404)


def test_d2_the_way_is_proved_again_with_every_hold(visitor, shop):
    fields = visitor.get(f"{shop['own']}?date=2026-06-12").form(f"#slot-{shop['session']} form")
    visitor.post("/bath/book/secret", fields, 404)
    visitor.post(f"{shop['own']}x", {**fields, "came_by_link": "1"}, 404)
    visitor.post(shop["own"], {**fields, "session_id": "0" * 24}, 404)
    assert visitor.post(shop["own"], {**fields, "guests": "many"}, 422).all("#refusal")
    assert visitor.post(shop["own"], {**fields, "guests": "9"}, 409).all("#refusal")
    assert visitor.post(shop["own"], {**fields, "session_id": "x"}, 422).all("#refusal")


def test_forms_of_a_page_that_sends_no_referrer_work_over_https_and_need_their_token(visitor, shop):
    https = {"base_url": "https://localhost"}
    page = visitor.get(f"{shop['own']}?date=2026-06-12", **https)
    fields = page.form(f"#slot-{shop['session']} form")
    assert visitor.post(shop["own"], {**fields, "csrf_token": "x"}, **https).status == 400
    visitor.post(shop["own"], fields, 303, **https)


def test_h7_looking_changes_nothing_and_the_page_itself_says_that_it_was_seen(
    visitor, shop, invite, make
):
    link_id, url = invite()
    page = visitor.get(url)
    visitor.client.head(url)
    assert make(lambda: fetch(PrivateLink, link_id).first_seen_at) is None
    beacon = page.one("#invitation form[hx-trigger=load]")
    assert beacon["action"] == f"{url}/seen"
    assert visitor.post(str(beacon["action"]), page.form("#invitation form")).status == 204
    assert make(lambda: fetch(PrivateLink, link_id).first_seen_at) is not None
    assert not visitor.get(url).all("#invitation form")
    assert visitor.client.post(f"{url}/seen").status_code == 400
    assert visitor.post(f"{shop['own']}/seen", {}).status == 204


# Staff


@pytest.fixture
def staff(visitor, shop):
    visitor.sign_in(*SIGN_IN)
    return visitor


def fill(staff, **given):
    page = staff.get("/staff/bath/links")
    fields = page.form("form.side-form")
    return {**fields, **given}


def test_staff_make_a_link_copy_it_and_it_works(staff, other_visitor, shop, make):
    made = staff.post(
        "/staff/bath/links",
        fill(
            staff, type=shop["kind"], name="Thank you", day="2026-06-12", time="18:00",
            places_kept="2", price="19.50", max_uses="3", expires_at="2026-06-10T12:00",
            email="new@example.com",
        ),
        303,
    )  # fmt: skip
    page = staff.get(made.response.location)
    text = page.text("ul.people")
    for said in ("Thank you", "Moonlit supper", "18:00", "£19.50", "0 of 3", "2 places kept",
                 "not opened yet", "Wed 10 June", "12:00"):  # fmt: skip
        assert said in text, said
    url = str(page.one("ul.people li[id^=link-] input.link-address")["value"])
    assert url.startswith("http")
    path = re.sub(r"^https?://[^/]+", "", url)
    assert "£19.50" in other_visitor.get(path).text(".slots")
    # 12:00 in London's summer is 11:00 UTC.
    ends = make(
        lambda: db.session.scalar(sa.select(PrivateLink.expires_at), execution_options=ANYWHERE)
    )
    assert ends == dt.datetime(2026, 6, 10, 11, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("type", {"type": ""}),
        ("name", {"name": ""}),
        ("name", {"name": "<b>"}),
        ("name", {"name": "x" * 300}),
        ("time", {"day": "2026-06-12", "time": ""}),
        ("day", {"day": "", "time": "18:00"}),
        ("time", {"day": "2026-06-12", "time": "17:00"}),
        ("time", {"day": "9999-99-99", "time": "17:00"}),
        ("day", {"places_kept": "2"}),
        ("places_kept", {"day": "2026-06-12", "time": "18:00", "places_kept": "9"}),
        ("places_kept", {"places_kept": "-1"}),
        ("email", {"email": "nobody"}),
        ("price", {"price": "12,50"}),
        ("price", {"price": "-1"}),
        ("price", {"price": "9" * 12}),
        ("expires_at", {"expires_at": "2026-06-01T09:00"}),
        ("expires_at", {"expires_at": "soon"}),
        ("max_uses", {"max_uses": "0"}),
        ("max_uses", {"max_uses": "1.5"}),
        ("max_uses", {"max_uses": "9999999"}),
    ],
)
def test_a_form_with_a_mistake_comes_back_as_it_was_typed(staff, shop, field, given):
    typed = {"type": shop["kind"], "name": "For Ines", "email": "ines@example.com", **given}
    page = staff.post("/staff/bath/links", fill(staff, **typed), 422)
    assert page.text("title").startswith("Error:")
    assert page.all(f"#{field}-error"), page.text("main")
    assert page.one(f".summary a[href='#{field}']")
    for name in set(typed) - {"type"}:
        assert page.one(f"#{name}")["value"] == typed[name]
    assert not page.all("li[id^=link-]")


def test_pressing_make_twice_makes_one_link(staff, shop):
    fields = fill(staff, type=shop["kind"], name="Once")
    staff.post("/staff/bath/links", fields, 303)
    staff.post("/staff/bath/links", fields, 303)
    assert len(staff.get("/staff/bath/links").all("li[id^=link-]")) == 1
    assert staff.post("/staff/bath/links", {**fields, "name": "Other"}, 409).all(".summary")


def test_staff_revoke_a_link_after_being_asked(staff, other_visitor, invite, make, shop):
    link_id, url = invite(local_start=dt.datetime.fromisoformat(START), places_kept=3)
    ask = staff.get(f"/staff/bath/links/{link_id}/revocation")
    assert "3 places kept" in ask.text("main")
    other_visitor.get(url)
    staff.post(f"/staff/bath/links/{link_id}/revocation", {}, 303)
    staff.post(f"/staff/bath/links/{link_id}/revocation", {}, 303)
    other_visitor.get(url, 410)
    assert "Revoked" in staff.get("/staff/bath/links").text(f"#link-{link_id}")
    assert make(lambda: fetch(Session, shop["session"]).places_kept) == 0


def test_staff_renew_an_address_and_the_old_one_dies_at_once(staff, other_visitor, shop):
    other_visitor.get(shop["own"])
    renewal = f"/staff/bath/links/types/{shop['kind']}/renewal"
    staff.get(renewal)
    other_visitor.get(shop["own"])
    staff.post(renewal, {}, 303)
    other_visitor.get(shop["own"], 404)
    page = staff.get("/staff/bath/links")
    fresh = str(page.one(f"#type-{shop['kind']} input")["value"])
    other_visitor.get(re.sub(r"^https?://[^/]+", "", fresh))


def test_d1_links_are_only_for_those_who_may_and_only_for_their_own_venue(
    visitor, other_visitor, shop, invite, make
):
    link_id, _ = invite()
    addresses = ["", f"/{link_id}/revocation", f"/types/{shop['kind']}/renewal"]

    def build():
        make_staff(make_site(make_organisation(), slug="york"), "bob@example.com",
                   rights=("SETTINGS_MANAGE",))  # fmt: skip
        bath = make_site(make_organisation(), slug="hull")
        make_staff(bath, "cleo@example.com", rights=("RESERVATIONS_MANAGE",))

    make(build)
    for end in addresses:
        assert visitor.get(f"/staff/bath/links{end}", 303).response.location
        visitor.post(f"/staff/bath/links{end}", {}, 303)
    other_visitor.sign_in("bob@example.com", *SIGN_IN[1:])
    for end in addresses:
        other_visitor.get(f"/staff/bath/links{end}", 404)
        other_visitor.post(f"/staff/bath/links{end}", {}, 404)
        if end:
            other_visitor.get(f"/staff/york/links{end}", 404)
            other_visitor.post(f"/staff/york/links{end}", {}, 404)
    visitor.sign_in("cleo@example.com", *SIGN_IN[1:])
    visitor.get("/staff/hull/links", 403)
    assert not visitor.get("/staff/hull/").all("a[href$='/links']")


def test_what_is_not_offered_cannot_be_linked_to(staff, shop, make):
    def build():
        site = fetch(SessionType, shop["kind"]).site_id
        return [
            make_type(make_site(slug="leeds")).id,
            *(
                make_type(db.session.get_one(type(make_site()), site, execution_options=ANYWHERE),
                          **given).id
                for given in ({"visibility": "private"}, {"offered_online": False})
            ),
        ]  # fmt: skip

    for type_id in make(build):
        assert not staff.get("/staff/bath/links").all(f"option[value='{type_id}']")
        staff.post("/staff/bath/links", fill(staff, type=type_id, name="x"), 404)


def test_a_customers_account_shows_what_they_booked_by_link(visitor, shop, invite, make):
    make(make_account)
    visitor.sign_in("ana@example.com", "quiet-rooms")
    _, url = invite()
    book(visitor, url, session_id=shop["session"])
    confirm(visitor)
    page = visitor.get("/account/")
    assert "Moonlit supper" in page.text("main")
    assert not page.all("a[href*='/book/secret']")


@pytest.fixture
def sold_out(shop, make):
    """The secret session has a list and no place left; who frees the places."""

    def build() -> str:
        row = fetch(Session, shop["session"])
        kind = fetch(SessionType, shop["kind"])
        row.waitlist_enabled, row.capacity, kind.visibility = True, 2, "public"
        db.session.commit()
        order = make_order(row, guests=2, email="sold@example.com")
        fetch(SessionType, shop["kind"]).visibility = "link_only"
        raise_revision(shop["organisation"], [shop["kind"]])
        db.session.commit()
        return find_order(order).items[0].booking.id

    booking = make(build)

    def free() -> None:
        cancel_for_staff(
            shop["organisation"], shop["site"], booking, reason="Ill", now=read_clock()
        )

    return lambda: make(free)


def waiting_at(address, shop):
    return f"{address}/sessions/{shop['session']}/waiting"


def test_w1_who_has_the_address_waits_is_offered_and_books(visitor, shop, sold_out, make):
    day = f"{shop['own']}?date=2026-06-12"
    link = visitor.get(day).one(f"#slot-{shop['session']} .act a")
    assert link["href"] == f"{waiting_at(shop['own'], shop)}?guests=1"
    page = visitor.get(link["href"])
    headers = page.response.headers
    assert headers["X-Robots-Tag"] == "noindex, nofollow"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert all(str(one["href"]).startswith((shop["own"], "#")) for one in page.all("main a[href]"))
    wrong = {**page.form("#waiting"), "name": "Bo", "email": "nobody"}
    again = visitor.post(waiting_at(shop["own"], shop), wrong, 422)
    assert again.one("#name")["value"] == "Bo"
    sent = {**again.form("#waiting"), "email": "bo@example.com"}
    entry = visitor.post(waiting_at(shop["own"], shop), sent, 303).response.location
    assert visitor.get(entry).text("h1") == "You are number 1 of 1"
    sold_out()
    offered = visitor.get(entry)
    assert offered.text("h1") == "A place is held for you"
    booked = visitor.post(f"{entry}/acceptance", offered.form("#accept"), 303).response.location
    assert "Moonlit supper" in visitor.get(booked).text("main")
    assert make(examine) == []


def test_d2_only_the_types_own_address_leads_to_its_list(visitor, shop, sold_out, invite, make):
    fields = {"name": "Bo", "email": "bo@example.com", "guests": "1"}
    other = make(lambda: make_type(fetch(Site, shop["site"]), slug="open", waitlist_enabled=True))
    public = make(lambda: make_session(fetch(SessionType, other.id), capacity=0).id)
    link_id, url = invite(max_uses=1)
    for address in (
        f"/bath/sessions/{shop['session']}/waiting",
        waiting_at(f"{shop['own']}x", shop),
        waiting_at("/bath/private/other-" + "A" * 22, shop),
        f"{shop['own']}/sessions/{public}/waiting",
        f"{shop['own']}/sessions/nonsense/waiting",
        # A place from the list would be none of this link's one booking.
        waiting_at(url, shop),
    ):
        for page in (visitor.get(address, 404), visitor.post(address, fields, 404)):
            assert "Moonlit" not in page.html
    slot = visitor.get(f"{url}?date=2026-06-12").one(f"#slot-{shop['session']}")
    assert "Full" in slot.get_text()
    assert not slot.select("a")
    make(lambda: revoke_link(shop["organisation"], shop["site"], link_id, now=read_clock()))
    visitor.get(waiting_at(url, shop), 410)


def test_joining_by_a_private_address_needs_its_token(visitor, shop, sold_out):
    fields = {"name": "Bo", "email": "bo@example.com", "guests": "1"}
    assert visitor.client.post(waiting_at(shop["own"], shop), data=fields).status_code == 400
