"""The page of price rules: a draft that is tried out, moved about and saved."""

import datetime as dt

import pytest
import sqlalchemy as sa
from conftest import NOW
from factories import (
    ANYWHERE,
    make_order,
    make_organisation,
    make_rule,
    make_session,
    make_site,
    make_staff,
    make_type,
    save,
)

from blueprints.clock import read_clock
from models import MembershipType, PriceRule, SessionType, db, new_uuid


@pytest.fixture
def venue(make):
    """A circuit at £48, Tuesdays £34, with 20 daily sessions at 18:00, one of them booked."""

    def build():
        site = make_site(slug="bath")
        kind = make_type(site, slug="circuit", name="Thermal circuit", price=None)
        make_rule(kind, price=3400, label="Quiet Tuesdays", weekdays=["tuesday"])
        make_rule(kind, price=4800, label="Otherwise", position=1)
        first = (read_clock() + dt.timedelta(days=2)).date()
        rows = [
            make_session(kind, local_start=f"{first + dt.timedelta(days=n)}T18:00")
            for n in range(20)
        ]
        make_order(rows[-1], now=read_clock())
        river = save(
            MembershipType(id=new_uuid(), organisation_id=site.organisation_id, name="River")
        )
        make_staff(site, rights=("RESERVATIONS_MANAGE",))
        make_staff(site, "owner@example.com", rights=("SETTINGS_MANAGE",))
        rules = db.session.scalars(
            sa.select(PriceRule).order_by(PriceRule.position), execution_options=ANYWHERE
        )
        return {
            "type": kind.id,
            "river": river.id,
            "rules": [rule.id for rule in rules],
            "tuesdays": sum(row.local_start.weekday() == 1 for row in rows),
            "days": [row.local_start.date() for row in rows],
            "ids": [row.id for row in rows],
        }

    return make(build)


@pytest.fixture
def owner(visitor, venue):
    visitor.sign_in("owner@example.com", "thermal-waters", "/staff/sign-in")
    return visitor


def at(venue, what=""):
    return f"/staff/bath/types/{venue['type']}/prices{what}"


def sent(page):
    """What a browser would send of the page's form, without any button."""
    fields = {}
    for field in page.one("#prices").select("input[name], select[name]"):
        if field.get("type") == "checkbox" and not field.has_attr("checked"):
            continue
        value = field.get("value", "")
        if field.name == "select":
            chosen = field.select_one("option[selected]") or field.select_one("option")
            value = chosen["value"]
        fields.setdefault(str(field["name"]), []).append(str(value))
    return fields


def rules(app):
    with app.app_context():
        rows = db.session.scalars(
            sa.select(PriceRule).order_by(PriceRule.position), execution_options=ANYWHERE
        )
        return [(row.id, row.price, row.label) for row in rows]


def names(page):
    return [it.get_text() for it in page.all(".rname")]


def test_the_page_shows_rules_in_order_with_the_month_and_a_trace(owner, venue):
    page = owner.get(at(venue))
    assert names(page) == ["Quiet Tuesdays", "Otherwise"]
    assert "Tuesdays" in page.text(f"#says-{venue['rules'][0]}")
    assert "Always" in page.text(f"#says-{venue['rules'][1]}")
    assert "No coming session changes its price; 0 orders touched." in page.text("#price-preview")
    assert "1 booking keeps the price" in page.text("#price-preview")
    first = venue["days"][0]
    assert page.one(f"#day-{first}").get("aria-pressed") == "true"
    said = "£34" if first.weekday() == 1 else "£48"
    assert page.text("#why-h").startswith(f"Why {said} on ")
    assert page.one(".trace .hit-row")


def test_a_new_order_is_tried_out_before_it_is_saved(owner, venue, app):
    page = owner.get(at(venue))
    before = rules(app)
    moved = owner.post(at(venue, "/preview"), {**sent(page), "do": f"up-{venue['rules'][1]}"}, 200)
    assert names(moved) == ["Otherwise", "Quiet Tuesdays"]
    said = moved.text("#price-preview")
    number = venue["tuesdays"]
    assert f"{number} coming sessions change, {number} up; 0 orders touched." in said
    assert "never applies: hidden by rule 1, Otherwise, which comes first." in said
    assert rules(app) == before, "nothing is saved"
    owner.post(at(venue), sent(moved), 303)
    assert [it[0] for it in rules(app)] == venue["rules"][::-1]
    assert "Prices saved." in owner.get(at(venue)).text()


def test_the_fragment_brings_the_preview_and_what_the_rows_say(owner, venue):
    fields = sent(owner.get(at(venue)))
    fields[f"price-{venue['rules'][1]}"] = ["50"]
    htmx = {"HX-Request": "true", "HX-Request-Type": "partial"}
    part = owner.post(at(venue, "/preview"), fields, 200, headers=htmx)
    assert "<html" not in part.html
    assert part.one("#price-preview")
    assert part.one("#price-count").get("hx-swap-oob") == "true"
    assert {it["id"] for it in part.all("[hx-swap-oob].conds")} == {
        f"says-{it}" for it in venue["rules"]
    }
    assert f"{20 - venue['tuesdays']} up" in part.text("#price-count")


def test_a_rule_is_added_filled_in_and_saved_and_another_deleted_r11(owner, venue, app):
    page = owner.get(at(venue))
    page = owner.post(at(venue, "/preview"), {**sent(page), "do": "add"}, 200)
    assert names(page)[-1] == "Rule without a name"
    assert "Rule 3 is not counted yet: Enter a price" in page.text("#price-preview")
    fields = sent(page)
    fresh = fields["row"][-1]
    fields |= {
        f"price-{fresh}": ["0"],
        f"label-{fresh}": ["Members bathe free"],
        f"members-{fresh}": [venue["river"]],
        f"weekdays-{fresh}": ["friday", "sunday"],
        f"time_from-{fresh}": ["17:00"],
        f"time_to-{fresh}": ["22:00"],
        f"date_from-{fresh}": ["2030-07-01"],
        f"date_to-{fresh}": ["2030-08-31"],
    }
    page = owner.post(at(venue, "/preview"), {**fields, "do": f"up-{fresh}"}, 200)
    said = page.text(f"#says-{fresh}")
    for words in ("Fridays and Sundays", "17:00 to 22:00", "1 Jul to 31 Aug 2030", "River members"):
        assert words in said
    first = venue["rules"][0]
    page = owner.post(at(venue, "/preview"), {**sent(page), "do": f"remove-{first}"}, 200)
    owner.post(at(venue), sent(page), 303)
    assert [it[1:] for it in rules(app)] == [(0, "Members bathe free"), (4800, "Otherwise")]
    owner.post(at(venue), sent(page), 303)
    assert len(rules(app)) == 2, "a second press makes no second rule"


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [
        ("price", "", "Enter a price, or 0 if it is free."),
        ("price", "48,50", "Enter a price such as 48 or 48.50."),
        ("label", "<b>Peak</b>", "Use plain words: no HTML."),
        ("label", "x" * 201, "Use at most 200 characters."),
        ("date_from", "tomorrow", "Enter a date, or leave it empty."),
        ("time_from", "25:00", "Enter a time such as 17:00, or leave it empty."),
        ("weekdays", "funday", "Choose days from Monday to Sunday."),
        ("members", "0" * 36, "Choose one of your membership types."),
    ],
)
def test_r22_p8_what_makes_no_sense_is_refused_and_kept(owner, venue, app, field, typed, said):
    fields = sent(owner.get(at(venue)))
    key = f"{field}-{venue['rules'][0]}"
    fields[key] = [typed]
    before = rules(app)
    page = owner.post(at(venue), fields, 422)
    assert page.text("title").startswith("Error:")
    assert f"Rule 1: {said}" in page.text("[role=alert]")
    assert page.one(f"[role=alert] a[href='#{key}']")
    assert page.one(f"[id='{key}']")
    if field not in ("weekdays", "members"):
        assert page.one(f"[name='{key}']")["value"] == typed
    assert rules(app) == before


@pytest.mark.parametrize(
    ("pair", "at_field", "said"),
    [
        ({"time_from": "22:00", "time_to": "02:00"}, "time_to", "The end must be later"),
        ({"date_from": "2026-06-02", "date_to": "2026-06-01"}, "date_to", "The last day is before"),
    ],
)
def test_r18_ends_lie_after_their_starts(owner, venue, pair, at_field, said):
    fields = sent(owner.get(at(venue)))
    first = venue["rules"][0]
    fields |= {f"{name}-{first}": [value] for name, value in pair.items()}
    page = owner.post(at(venue), fields, 422)
    assert said in page.text(f"#{at_field}-{first}-error")


@pytest.mark.parametrize("typed", ["9", "9:30", "09.30", "0930", "17:00"])
def test_times_are_read_as_people_type_them(owner, venue, app, typed):
    fields = sent(owner.get(at(venue)))
    fields[f"time_from-{venue['rules'][0]}"] = [typed]
    owner.post(at(venue), fields, 303)
    hour, minute = {"9": (9, 0), "17:00": (17, 0)}.get(typed, (9, 30))
    page = owner.get(at(venue))
    shown = page.one(f"#time_from-{venue['rules'][0]}")["value"]
    assert shown == f"{hour:02}:{minute:02}"


def test_d4_who_saves_second_sees_both_and_loses_nothing(owner, venue, app):
    mine, theirs = sent(owner.get(at(venue))), sent(owner.get(at(venue)))
    first = venue["rules"][0]
    theirs[f"price-{first}"] = ["30"]
    owner.post(at(venue), theirs, 303)
    mine[f"price-{first}"] = ["36.50"]
    page = owner.post(at(venue), mine, 409)
    assert "somebody else saved these prices" in page.text("[role=alert]")
    assert "£30" in page.text(".theirs")
    assert page.one(f"#price-{first}")["value"] == "36.50"
    owner.post(at(venue), sent(page), 303)
    assert rules(app)[0][1] == 3650


def test_p4_days_without_a_price_are_gaps(owner, venue):
    page = owner.get(at(venue))
    gone = venue["rules"][1]
    page = owner.post(at(venue, "/preview"), {**sent(page), "do": f"remove-{gone}"}, 200)
    said = page.text("#price-preview")
    assert f"{20 - venue['tuesdays']} sessions have no price, so nobody can book them." in said
    day = next(it for it in venue["days"] if it.weekday() != 1)
    page = owner.post(at(venue, "/preview"), {**sent(page), "do": f"month-{day:%Y-%m}"}, 200)
    page = owner.post(at(venue, "/preview"), {**sent(page), "do": f"day-{day}"}, 200)
    assert "gap" in page.one(f"#day-{day}")["class"]
    assert page.text("#why-h").startswith("Why no price on")


def test_p10_the_month_can_be_seen_as_a_member(owner, venue):
    fields = sent(owner.get(at(venue)))
    first = venue["rules"][0]
    fields |= {f"members-{first}": [venue["river"]], f"weekdays-{first}": []}
    page = owner.post(at(venue, "/preview"), {**fields, "viewer": venue["river"]}, 200)
    assert page.text("#why-h").startswith("Why £34 on ")
    assert "River members: " in page.text("#price-preview")
    page = owner.post(at(venue, "/preview"), {**sent(page), "viewer": ""}, 200)
    assert page.text("#why-h").startswith("Why £48 on ")
    assert "is for members" in page.text(".trace")


def test_h7_a_get_of_the_preview_leads_back_and_months_are_addresses(owner, venue):
    assert owner.get(at(venue, "/preview"), 303).response.location.endswith(at(venue))
    assert "March 2031" in owner.get(at(venue, "?month=2031-03")).text(".mcal")
    owner.get(at(venue, "?month=9999-99&viewer=nobody"))


def test_strange_forms_are_answered_calmly(owner, venue, app):
    before = rules(app)
    for fields in (
        {"do": "up-nowhere"},
        {"do": "month-2026-13"},
        {"do": "slot-x", "row": ["x", "' OR 1"]},
        {"row": [*venue["rules"], *venue["rules"]]},
    ):
        assert owner.post(at(venue, "/preview"), fields).status == 200
    assert owner.post(at(venue), {"row": venue["rules"], "seen": "x"}).status == 422
    assert rules(app) == before


def test_d1_d3_only_those_who_set_the_venue_up_come_in(owner, other_visitor, venue, make):
    def elsewhere():
        site = make_site(make_organisation(name="Other"), slug="elsewhere")
        make_staff(site, "stranger@example.com", rights=("SETTINGS_MANAGE",))
        return make_type(site).id

    foreign = make(elsewhere)
    owner.get(f"/staff/bath/types/{foreign}/prices", 404)
    owner.post(f"/staff/bath/types/{foreign}/prices", {}, 404)
    owner.post(f"/staff/bath/types/{foreign}/prices/preview", {}, 404)
    assert other_visitor.client.get(at(venue)).status_code == 303
    other_visitor.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    other_visitor.get(at(venue), 403)
    other_visitor.post(at(venue), {}, 403)


def test_p8_a_price_without_decimals_reads_so(owner, venue, app):
    with app.app_context():
        db.session.execute(
            sa.update(SessionType).values(currency="JPY"), execution_options=ANYWHERE
        )
        db.session.commit()
    page = owner.get(at(venue))
    first = venue["rules"][0]
    assert page.one(f"#price-{first}")["value"] == "3400"
    fields = sent(page)
    fields[f"price-{first}"] = ["1,500"]
    owner.post(at(venue), fields, 303)
    assert rules(app)[0][1] == 1500
    fields[f"price-{first}"] = ["1500.5"]
    assert "JPY has no decimals" in owner.post(at(venue), fields, 422).text("[role=alert]")


def test_the_page_asks_as_much_of_the_database_with_ten_times_the_sessions(owner, venue, app, make):
    asked = []

    def count():
        asked.clear()
        owner.get(at(venue))
        return len(asked)

    with app.app_context():
        engine = db.engine
    sa.event.listen(engine, "before_cursor_execute", lambda *_: asked.append(1))
    few = count()

    def grow():
        kind = db.session.get_one(SessionType, venue["type"], execution_options=ANYWHERE)
        for n in range(60):
            day = NOW.date().replace(year=2031) + dt.timedelta(days=n)
            make_session(kind, local_start=f"{day}T10:00")
        for n in range(2, 30):
            make_rule(kind, price=n, position=n)

    make(grow)
    assert count() == few
