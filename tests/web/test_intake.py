"""The pages of forms: the booker's, a guest's own, the editor, the desk's."""

import pytest
from conftest import NOW
from factories import (
    fetch,
    make_booked_line,
    make_form,
    make_session,
    make_site,
    make_staff,
    make_type,
)

from blueprints.mailing import text_of, write
from domain.intake import BOOKER, Field
from domain.venue_rules import RESERVED_SLUGS
from models import Session, SessionBooking, SessionType, Site, db
from services.intake import find_type_form
from services.intake_answers import find_booking_forms, save_answers
from services.letters import MAIL
from services.outbox import list_jobs
from services.places import let_go

EVERY_KIND = (
    Field("q1", "Is there an occasion?", help="We like to know."),
    Field("q2", "Tell us more", "long_text", required=False),
    Field("q3", "How firm?", "choice", asked_of="each_guest", options=("Light", "Firm")),
    Field("q4", "Where?", "several", asked_of="each_guest", options=("Neck", "Feet")),
    Field("q5", "I can swim", "tick", asked_of="each_guest"),
    Field("q6", "Born on", "date", asked_of="each_guest"),
    Field("q7", "Shoe size", "number", asked_of="each_guest", required=False),
    Field("q8", "Sign", "signature", asked_of="each_guest"),
)
JUDE = {
    "q3": "Firm",
    "q4": ["Neck", "Feet"],
    "q5": "true",
    "q6": "1990-06-12",
    "q7": "41,5",
    "q8": "Jude Okafor",
}
RIGHTS = ("RESERVATIONS_MANAGE", "SETTINGS_MANAGE")


def of(prefix, answers):
    return {f"{prefix}-{name}": value for name, value in answers.items()}


@pytest.fixture
def booked(make):
    """A booking for two with a form of every kind, tonight's visit still ahead."""

    def build():
        site = make_site(slug="bath")
        kind = make_type(site, slug="massage", name="Massage for two", max_per_guest=1)
        make_form(kind, *EVERY_KIND)
        session = make_session(kind, local_start="2026-06-04T18:00")
        booking = make_booked_line(session, guests=2, names=("Jude Okafor",))
        make_staff(site, rights=RIGHTS)
        return {
            "type": kind.id,
            "site": site.id,
            "organisation": site.organisation_id,
            "session": session.id,
            "booking": booking.id,
            "secret": booking.order.secret,
            "ref": booking.order.order_ref,
            "guest": booking.guests[1].form_secret,
            "own": booking.guests[0].form_secret,
            "url": f"/bookings/{booking.order.secret}/forms/{booking.id}",
        }

    return make(build)


@pytest.fixture
def maren(visitor, booked):
    visitor.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    return visitor


def kept(make, booked):
    def read():
        forms = find_booking_forms(booked["secret"], booked["booking"], now=NOW)
        return {part.position: dict(part.answers) for part in forms.parts}

    return make(read)


def send(visitor, url, prefixes, answers, status, **more):
    """Fill in the page as it is now and press Save."""
    page = visitor.get(url)
    seen = {f"{it}-seen": page.all(f"[name={it}-seen]")[0]["value"] for it in prefixes}
    return visitor.post(url, {**seen, **answers, **more}, status)


def guest_url(booked):
    return f"/forms/{booked['guest']}"


# ---- The ticket


def test_the_ticket_says_what_is_missing_and_leads_to_the_form(visitor, booked):
    page = visitor.get(f"/bookings/{booked['secret']}")
    due = page.text(".due")
    assert "Jude Okafor: 5 answers missing" in due
    assert "Ana Reyes: 6 answers missing" in due
    assert page.one(".due a")["href"] == booked["url"]


def test_the_ticket_says_when_all_is_filled_in(visitor, booked):
    send(visitor, guest_url(booked), ["my"], of("my", JUDE), 303)
    answers = {**of("g0", {**JUDE, "q8": "Ana Reyes"}), "b-q1": "None"}
    send(visitor, booked["url"], ["b", "g0"], answers, 303, person="you")
    page = visitor.get(f"/bookings/{booked['secret']}")
    assert "All filled in" in page.text(".due")
    assert "See the answers" in page.text(".due a")


def test_a_ticket_of_a_type_without_a_form_has_no_such_section(visitor, make):
    secret = make(lambda: make_booked_line(make_session()).order.secret)
    assert not visitor.get(f"/bookings/{secret}").all(".due")


# ---- The booker's page


def test_the_booker_sees_every_kind_and_a_link_for_each_guest(visitor, booked):
    page = visitor.get(booked["url"])
    you = page.one("#you")
    assert you.select_one("textarea[name=b-q2]")
    assert [it["value"] for it in you.select("fieldset input[type=radio]")] == ["Light", "Firm"]
    assert len(you.select("fieldset input[type=checkbox]")) == 2
    assert you.select_one("input[type=date][name=g0-q6]")
    assert you.select_one("input[name=g0-q7]")["inputmode"] == "decimal"
    assert "Type your full name to sign" in you.get_text()
    assert [it.get_text() for it in you.select("fieldset legend")] == ["How firm?", "Where?"]
    link = f"http://localhost/forms/{booked['guest']}"
    assert page.one("input[readonly]")["value"] == link
    assert page.one(f"a[href='{link}']")
    assert page.one("details#g1 summary")
    assert page.one("meta[name=robots]")["content"].startswith("noindex")
    assert page.response.headers["Cache-Control"] == "no-store"


def test_optional_is_said_and_required_is_the_rule(visitor, booked):
    page = visitor.get(booked["url"])
    assert "optional" in page.text("label[for=b-q2]")
    assert "optional" not in page.text("label[for=b-q1]")


def test_the_booker_answers_for_the_booking_and_for_themselves(visitor, booked, make):
    answers = {**of("g0", JUDE), "b-q1": "A birthday"}
    send(visitor, booked["url"], ["b", "g0"], answers, 303, person="you")
    found = kept(make, booked)
    assert found[BOOKER] == {"q1": "A birthday"}
    assert found[0]["q7"] == "41.5"
    assert found[0]["q8"]["by"] == "booker"
    assert found[1] == {}
    assert "Nothing is missing" in visitor.get(booked["url"]).text("main")


def test_the_booker_fills_in_for_a_guest(visitor, booked, make):
    send(visitor, booked["url"], ["g1"], of("g1", JUDE), 303, person="g1")
    found = kept(make, booked)
    assert found[1]["q4"] == ["Neck", "Feet"]
    assert found[0] == {}
    page = visitor.get(booked["url"])
    assert "All filled in" in page.text("#g1 summary")
    assert page.one("#g1 input[value=Firm]").has_attr("checked")
    assert "typed by the booker" in page.text("#g1")


def test_save_answers_tells_what_is_missing_and_keeps_the_rest(visitor, booked, make):
    page = send(visitor, booked["url"], ["g1"], {"g1-q3": "Firm"}, 422, person="g1")
    assert page.soup.title.get_text().startswith("Error:")
    assert "4 things to fix" in page.text("[role=alert]")
    for link in page.all("[role=alert] a"):
        assert page.one(link["href"])
    assert page.one("details#g1").has_attr("open")
    assert page.one("#g1 input[value=Firm]").has_attr("checked")
    assert kept(make, booked)[1] == {"q3": "Firm"}


def test_finishing_later_is_no_error(visitor, booked, make):
    send(visitor, booked["url"], ["g1"], {"g1-q3": "Firm"}, 303, person="g1", later="1")
    assert "4 answers still to come" in visitor.get(booked["url"]).text("main")
    assert kept(make, booked)[1] == {"q3": "Firm"}


@pytest.mark.parametrize(
    ("name", "typed", "said"),
    [
        ("q3", "Very firm", "Choose from the list"),
        ("q4", ["Neck", "Soul"], "Choose from the list"),
        ("q5", "maybe", "Tick the box"),
        ("q6", "12.6.1990", "year-month-day"),
        ("q7", "forty", "Enter a number"),
        ("q8", "<script>alert(1)</script>", "Leave out the < and > signs"),
        ("q8", ["Jude", "Okafor"], "answered twice"),
    ],
)
def test_a_wrong_answer_is_told_and_what_was_typed_stays(visitor, booked, make, name, typed, said):
    answers = of("my", {**JUDE, name: typed})
    page = send(visitor, guest_url(booked), ["my"], answers, 422, later="1")
    assert said in page.text("[role=alert]")
    assert said in page.text(f"#my-{name}-error")
    if isinstance(typed, str) and name in ("q6", "q7", "q8"):
        assert page.one(f"#my-{name}")["value"] == typed
        assert page.one(f"#my-{name}")["type" if name == "q6" else "id"] in ("text", f"my-{name}")
    assert page.one("input[value=Neck]").has_attr("checked")
    assert name not in kept(make, booked)[1]
    assert len(kept(make, booked)[1]) == len(JUDE) - 1


def test_too_long_a_text_stays_on_the_page(visitor, booked, make):
    long = "y" * 20_001
    answers = {"b-q1": "x", "b-q2": long}
    page = send(visitor, booked["url"], ["b", "g0"], answers, 422, person="you", later="1")
    assert page.one("textarea[name=b-q2]").get_text().strip() == long
    assert "1 character too long" in page.text("#b-q2-error")
    assert kept(make, booked)[BOOKER] == {"q1": "x"}


def test_a_text_of_signs_is_shown_as_text(visitor, booked):
    typed = "</textarea><script>alert(1)</script>"
    send(visitor, booked["url"], ["b", "g0"], {"b-q2": typed}, 303, person="you", later="1")
    page = visitor.get(booked["url"])
    assert page.one("textarea[name=b-q2]").get_text().strip() == typed


@pytest.mark.parametrize("person", ["", "g7", "g-1", "b", "nobody"])
def test_an_unknown_guest_is_not_found(visitor, booked, person):
    visitor.post(booked["url"], {"person": person, "g1-q3": "Firm"}, 404)


def test_a_nul_is_a_bad_request_and_a_flood_is_too_much(visitor, booked):
    for url in (booked["url"], guest_url(booked)):
        visitor.post(url, {"person": "you", "b-q1": "a\0b"}, 400)
        visitor.post(url, {"person": "you", "b-q1": "x" * 10_000_000}, 413)


def test_d1_the_page_of_another_order_is_not_found(visitor, booked, make):
    other = make(lambda: make_booked_line(make_session()))
    secret = make(lambda: fetch(SessionBooking, other.id).order.secret)
    for url in (
        f"/bookings/{secret}/forms/{booked['booking']}",
        f"/bookings/{booked['secret']}/forms/{other.id}",
        f"/bookings/nothing/forms/{booked['booking']}",
    ):
        visitor.get(url, 404)
        visitor.post(url, {"person": "you"}, 404)


def test_an_old_token_loses_nothing_typed(visitor, booked):
    for url, person, name in (
        (booked["url"], "g1", "g1-q8"),
        (guest_url(booked), "", "my-q8"),
    ):
        fields = {"csrf_token": "old", "person": person, f"{name[:2]}-seen": "x", name: "Jude"}
        page = visitor.post(url, fields, 400)
        assert page.one(f"[name={name}]")["value"] == "Jude"
        assert "This page was old" in page.text("[role=alert]")


def test_an_old_token_opens_nothing(visitor, booked):
    for url in ("/forms/no", "/forms/a%00b", "/bookings/no/forms/no", "/bookings/a%00b/forms/c"):
        visitor.post(url, {"csrf_token": "old"}, 404)


# ---- A guest's own link


def test_a_guest_answers_by_a_link_of_their_own(visitor, booked, make):
    send(visitor, guest_url(booked), ["my"], of("my", JUDE), 303)
    assert kept(make, booked)[1]["q8"]["by"] == "guest"
    page = visitor.get(guest_url(booked))
    assert "All filled in" in page.text("form")
    assert page.one("#my-q6")["value"] == "1990-06-12"
    assert "signed Thursday 4 June 2026 at 10:" in page.text("form")


def test_a_guests_page_shows_nothing_else_of_the_order(visitor, booked):
    answers = {"b-q1": "A secret birthday", **of("g0", {**JUDE, "q8": "Ana Reyes"})}
    send(visitor, booked["url"], ["b", "g0"], answers, 303, person="you")
    page = visitor.get(guest_url(booked))
    for hidden in (
        *(booked[name] for name in ("secret", "ref", "own", "booking", "session", "type")),
        *("Reyes", "secret birthday", "ana@example.com", "£", "occasion"),
    ):
        assert hidden not in page.html, hidden
    said = page.text("main")
    for shown in ("Ana has booked", "Massage for two", "Thursday 4 June", "18:00", "Bath", "Jude"):
        assert shown in said
    assert page.one("meta[name=robots]")["content"].startswith("noindex")
    assert page.response.headers["Cache-Control"] == "no-store"
    assert "Jude" not in page.soup.title.get_text()


def test_a_guest_cannot_write_for_others(visitor, booked, make):
    answers = {**of("my", JUDE), **of("g0", JUDE), "b-q1": "x", "person": "you"}
    send(visitor, guest_url(booked), ["my"], answers, 303)
    found = kept(make, booked)
    assert (found[BOOKER], found[0]) == ({}, {})


def test_a_wrong_link_is_a_clear_page(visitor, booked):
    for url in ("/forms/nothing", f"/forms/{booked['secret']}", "/forms/%F0%9F%8C%9E"):
        assert "Check the link" in visitor.get(url, 404).text("main")
        visitor.post(url, {"my-q3": "Firm"}, 404)


@pytest.mark.parametrize("what", ["cancelled", "over", "cancelled by the venue"])
def test_a_form_that_is_closed_says_so(visitor, booked, make, what):
    page = visitor.get(booked["url"])
    seen = {"my-seen": page.one("[name=g1-seen]")["value"]}

    def end():
        booking = fetch(SessionBooking, booked["booking"])
        session = fetch(Session, booked["session"])
        if what == "cancelled":
            let_go(booking, by="customer", now=NOW)
        elif what == "over":
            session.start_time, session.end_time = NOW.replace(hour=7), NOW.replace(hour=9)
        else:
            session.deleted_at = NOW
        db.session.commit()

    make(end)
    page = visitor.get(guest_url(booked), 410)
    assert ("over" if what == "over" else "cancelled") in page.text("main")
    visitor.post(guest_url(booked), {**seen, **of("my", JUDE)}, 410)
    page = visitor.get(booked["url"])
    assert not page.all("main form")
    page = visitor.post(booked["url"], {"person": "g1", **of("g1", JUDE)}, 409)
    assert ("over" if what == "over" else "cancelled") in page.text("main")
    assert kept(make, booked)[1] == {}


def test_d4_two_who_save_at_once_lose_nothing(visitor, other_visitor, booked, make):
    stale = visitor.get(booked["url"]).one("[name=g1-seen]")["value"]
    send(other_visitor, guest_url(booked), ["my"], of("my", JUDE), 303)
    fields = {"person": "g1", "g1-seen": stale, **of("g1", {**JUDE, "q3": "Light", "q7": "38"})}
    page = visitor.post(booked["url"], fields, 409)
    assert "Somebody else saved" in page.text("[role=alert]")
    assert page.one("#g1 [name=g1-q7]")["value"] == "38"
    assert "Saved meanwhile: 41.5" in page.text("#g1")
    assert kept(make, booked)[1]["q7"] == "41.5"
    # The page now has seen theirs: pressing again means it.
    fields["g1-seen"] = page.one("[name=g1-seen]")["value"]
    visitor.post(booked["url"], fields, 303)
    assert kept(make, booked)[1]["q7"] == "38"


def test_h7_looking_writes_nothing(visitor, booked, make):
    for url in (booked["url"], guest_url(booked), f"/bookings/{booked['secret']}"):
        visitor.get(url)
        visitor.client.head(url)
    assert kept(make, booked) == {BOOKER: {}, 0: {}, 1: {}}


def test_forms_is_no_sites_address(visitor, booked, make):
    assert "forms" in RESERVED_SLUGS
    make(lambda: make_site(slug="forms"))
    assert "Check the link" in visitor.get("/forms/anything", 404).text("main")


# ---- The editor


def editor(booked):
    return f"/staff/bath/types/{booked['type']}/form"


def typed(page):
    """What a browser would send for the editor as it stands."""
    form = page.one("#fields")
    fields = {it["name"]: it.get("value", "") for it in form.select("input[type=hidden], .input")}
    fields |= {it["name"]: it["value"] for it in form.select("input[type=checkbox][checked]")}
    fields |= {it["name"]: it.get_text().strip() for it in form.select("textarea")}
    for menu in form.select("select"):
        fields[menu["name"]] = menu.select_one("option[selected]")["value"]
    return fields


def labels(page):
    return [it["value"] for it in page.all("#fields input[name^=label-]")]


def versions(make, booked):
    return make(
        lambda: find_type_form(booked["organisation"], booked["site"], booked["type"]).versions
    )


def test_the_form_is_a_part_of_its_type(maren, booked):
    page = maren.get(editor(booked))
    assert "Version 1 is asked now" in page.text("main")
    assert page.one("header .seg a[aria-current]").get_text() == "Form"
    assert maren.get("/staff/bath/").one(".rail a[href='/staff/bath/types']")


def test_saving_makes_a_new_version_and_says_so(maren, booked, make):
    fields = typed(maren.get(editor(booked)))
    fields["label-0"] = "Is it a special day?"
    maren.post(editor(booked), {**fields, "do": "save"}, 303)
    page = maren.get(editor(booked))
    assert "Saved as version 2" in page.text("main")
    assert labels(page)[0] == "Is it a special day?"
    assert "Version 2 Asked now" in page.text("aside")
    found = versions(make, booked)
    assert [it.version for it in found] == [2, 1]
    assert found[0].fields[1:] == found[1].fields[1:]


def test_an_untouched_form_saves_nothing(maren, booked, make):
    fields = typed(maren.get(editor(booked)))
    maren.post(editor(booked), {**fields, "do": "save"}, 303)
    assert "Nothing has changed" in maren.get(editor(booked)).text("main")
    assert len(versions(make, booked)) == 1


def test_adding_moving_and_removing_keep_what_is_typed_and_save_nothing(maren, booked, make):
    fields = typed(maren.get(editor(booked)))
    fields["label-0"] = "Typed and not saved"
    page = maren.post(editor(booked), {**fields, "do": "add"}, 200)
    assert labels(page)[0] == "Typed and not saved"
    assert len(labels(page)) == 9
    assert page.one("[name=id-8]")["value"] == "q9"
    page = maren.post(editor(booked), {**typed(page), "do": "down-0"}, 200)
    assert labels(page)[:2] == ["Tell us more", "Typed and not saved"]
    page = maren.post(editor(booked), {**typed(page), "do": "up-1"}, 200)
    assert labels(page)[0] == "Typed and not saved"
    page = maren.post(editor(booked), {**typed(page), "do": "remove-1"}, 200)
    assert "Tell us more" not in labels(page)
    for nonsense in ("up-0", "down-99", "remove-x", "fly", ""):
        same = maren.post(editor(booked), {**typed(page), "do": nonsense}, 200)
        assert labels(same) == labels(page)
    assert len(versions(make, booked)) == 1


def test_enter_in_a_field_saves_nothing(maren, booked):
    first = maren.get(editor(booked)).all("#fields button")[0]
    assert first["value"] == "preview"


def test_the_preview_shows_what_is_typed(maren, booked):
    fields = typed(maren.get(editor(booked)))
    fields |= {"label-0": "A new question", "kind-0": "date"}
    page = maren.post(editor(booked), {**fields, "do": "preview"}, 200)
    assert "A new question" in page.text("aside")
    assert page.one("aside input[type=date][name=p-booker-q1]")


@pytest.mark.parametrize(
    ("wrong", "at"),
    [
        ({"label-2": ""}, "label-2"),
        ({"label-2": "<b>Firm</b>"}, "label-2"),
        ({"kind-2": "upload"}, "kind-2"),
        ({"asked_of-2": "nobody"}, "asked_of-2"),
        ({"options-2": "Only one"}, "options-2"),
        ({"kind-0": "choice"}, "options-0"),
        ({"id-2": "q1"}, "label-2"),
        ({"help-1": "x" * 501}, "help-1"),
    ],
)
def test_a_form_that_is_none_stays_with_what_was_typed(maren, booked, make, wrong, at):
    fields = {**typed(maren.get(editor(booked))), **wrong, "label-1": "Typed"}
    page = maren.post(editor(booked), {**fields, "do": "save"}, 422)
    assert page.soup.title.get_text().startswith("Error:")
    assert page.one(f"[role=alert] a[href='#{at}']")
    assert page.one(f"#{at}")["aria-invalid"] == "true"
    assert "Typed" in labels(page)
    assert len(versions(make, booked)) == 1


def test_a_form_has_at_most_forty_questions(maren, booked):
    fields = {"seen": "1"}
    for number in range(41):
        fields |= {f"id-{number}": f"q{number}", f"label-{number}": "x", f"kind-{number}": "text"}
        fields[f"asked_of-{number}"] = "booker"
    page = maren.post(editor(booked), {**fields, "do": "save"}, 422)
    assert "at most 40 questions" in page.text("[role=alert]")


def test_d4_the_second_of_two_editors_is_told_and_loses_nothing(maren, booked, make):
    fields = typed(maren.get(editor(booked)))
    make(lambda: make_form(fetch(SessionType, booked["type"]), EVERY_KIND[1], expected=1))
    fields["label-0"] = "Mine"
    page = maren.post(editor(booked), {**fields, "do": "save"}, 409)
    assert "version 2" in page.text("[role=alert]")
    assert labels(page)[0] == "Mine"
    assert "Tell us more" in page.text("aside details")
    maren.post(editor(booked), {**typed(page), "do": "save"}, 303)
    assert [it.version for it in versions(make, booked)] == [3, 2, 1]


def test_an_old_booking_shows_the_questions_it_was_asked(maren, booked, make):
    make(lambda: make_form(fetch(SessionType, booked["type"]), EVERY_KIND[1], expected=1))
    assert "Is there an occasion?" in maren.get(booked["url"]).text("main")
    page = maren.get(f"/staff/bath/bookings/{booked['booking']}/forms")
    assert "version 1" in page.text("main")
    assert "How firm?" in page.text("main")


def test_settings_are_for_those_who_may_change_them(visitor, booked, make):
    make(lambda: make_staff(fetch(Site, booked["site"]), "desk@example.com"))
    visitor.get("/staff/bath/types", 303)
    visitor.sign_in("desk@example.com", "thermal-waters", "/staff/sign-in")
    visitor.get("/staff/bath/types", 403)
    visitor.get(editor(booked), 403)
    visitor.post(editor(booked), {"do": "save", "seen": "1"}, 403)
    assert not visitor.get("/staff/bath/").all("a[href='/staff/bath/types']")
    visitor.get(f"/staff/bath/bookings/{booked['booking']}/forms")


def test_the_desk_needs_its_own_right(visitor, booked, make):
    site = lambda: fetch(Site, booked["site"])  # noqa: E731
    make(lambda: make_staff(site(), "settings@example.com", rights=("SETTINGS_MANAGE",)))
    visitor.sign_in("settings@example.com", "thermal-waters", "/staff/sign-in")
    visitor.get(f"/staff/bath/bookings/{booked['booking']}/forms", 403)
    visitor.get(editor(booked))


def test_d1_another_organisations_types_and_bookings_are_not_found(visitor, booked, make):
    make(lambda: make_staff(make_site(slug="away"), "stranger@example.com", rights=RIGHTS))
    visitor.sign_in("stranger@example.com", "thermal-waters", "/staff/sign-in")
    for site in ("away", "bath"):
        for path in (f"types/{booked['type']}/form", f"bookings/{booked['booking']}/forms"):
            visitor.get(f"/staff/{site}/{path}", 404)
            visitor.post(f"/staff/{site}/{path}", {"do": "save", "seen": "1", "person": "0"}, 404)
    visitor.get("/staff/bath/types", 404)


# ---- The roster and the desk's page


def roster(maren, booked):
    return maren.get(f"/staff/bath/sessions/{booked['session']}")


def test_the_roster_shows_who_is_missing_what(maren, booked, make):
    line = roster(maren, booked).text(f"#b-{booked['booking']}")
    assert "Form missing" in line
    assert "Jude Okafor: 5 answers" in line

    def fill():
        seen = {
            part.position: part.seen
            for part in find_booking_forms(booked["secret"], booked["booking"], now=NOW).parts
        }
        each = {name: [it] if isinstance(it, str) else it for name, it in JUDE.items()}
        save_answers(
            booked["organisation"], booked["booking"],
            {BOOKER: {"q1": ["None"]}, 0: each, 1: each}, seen=seen, by="booker", now=NOW,
        )  # fmt: skip

    make(fill)
    line = roster(maren, booked).text(f"#b-{booked['booking']}")
    assert "Forms done" in line
    assert "Form missing" not in line


def test_the_roster_holds_no_answers(maren, booked):
    send(maren, booked["url"], ["b", "g0"], {"b-q1": "A secret"}, 303, person="you", later="1")
    assert "A secret" not in roster(maren, booked).html


def test_the_desk_reads_and_fills_in(maren, booked, make):
    url = f"/staff/bath/bookings/{booked['booking']}/forms"
    page = maren.get(url)
    assert "Not answered yet" in page.text("#g1")
    assert page.response.headers["Cache-Control"] == "no-store"
    maren.post(
        url,
        {"person": "1", "g1-seen": page.one("[name=g1-seen]")["value"], **of("g1", JUDE)},
        303,
    )
    assert kept(make, booked)[1]["q8"]["by"] == "desk"
    said = maren.get(url).text("#g1")
    assert "Neck, Feet" in said
    assert "Tuesday 12 June 1990" in said
    assert "Jude Okafor, signed Thursday 4 June 2026 at 10:" in said
    assert "typed at the desk" in said


def test_the_desk_is_told_what_is_wrong(maren, booked):
    url = f"/staff/bath/bookings/{booked['booking']}/forms"
    page = send(maren, url, ["g1"], of("g1", {**JUDE, "q6": "soon"}), 422, person="1")
    assert page.one("[name=g1-q6]")["value"] == "soon"
    assert page.one("#g1 details").has_attr("open")
    for person in ("", "9", "-2", "x", "²", "1" * 500):
        maren.post(url, {"person": person}, 404)


def test_h7_no_get_of_the_desk_changes_a_form(maren, booked, make):
    for url in (f"{editor(booked)}?do=save", f"/staff/bath/bookings/{booked['booking']}/forms"):
        maren.get(url)
    assert len(versions(make, booked)) == 1
    assert kept(make, booked) == {BOOKER: {}, 0: {}, 1: {}}


# ---- A guest's link by mail


def mails(make):
    def read():
        jobs = [job for job in list_jobs(MAIL) if job.payload["letter"] == "guest_form"]
        return [write(job.payload) for job in jobs]

    return make(read)


def test_the_booker_mails_a_guest_their_link_and_pressing_twice_is_one_letter(
    visitor, booked, make
):
    before = mails(make)
    fields = visitor.get(booked["url"]).form("#g1 form[action$='/links']")
    for _ in range(2):
        visitor.post(f"{booked['url']}/links", {**fields, "email": "jude@example.com"}, 303)
    assert "The link for Jude Okafor is on its way" in visitor.get(booked["url"]).text()
    letter, *others = mails(make)
    assert len(others) == len(before)
    assert (letter.to, letter.name) == ("jude@example.com", "Jude Okafor")
    assert letter.action[1].endswith(guest_url(booked))
    # Who the guest is has not changed, and nothing of the order is told.
    guests = make(lambda: [it.email for it in fetch(SessionBooking, booked["booking"]).guests])
    assert guests[1] == ""
    text = make(lambda: text_of(letter))
    for secret in (booked["secret"], booked["ref"], booked["own"]):
        assert secret not in text


@pytest.mark.parametrize(
    "typed", ["", "nobody", "a@b", "x" * 5000, "a@b.example\r\nBcc: c@d.example"]
)
def test_a_wrong_address_for_a_guests_link_is_said_beside_the_field(visitor, booked, make, typed):
    before = len(mails(make))
    page = visitor.post(f"{booked['url']}/links", {"person": "g1", "email": typed}, 422)
    assert page.text("title").startswith("Error:")
    assert page.text("#mail-g1-error")
    assert page.one("details#g1").has_attr("open")
    assert len(mails(make)) == before


def test_only_a_guest_of_this_booking_is_sent_a_link(visitor, booked, make):
    url = f"{booked['url']}/links"
    for person in ("you", "g7", "", "b"):
        visitor.post(url, {"person": person, "email": "jude@example.com"}, 404)
    visitor.post(url.replace(booked["secret"], "x"), {"person": "g1", "email": "a@b.example"}, 404)
    assert visitor.get(url, 302).response.location == booked["url"]

    def end() -> None:
        let_go(fetch(SessionBooking, booked["booking"]), by="staff", now=NOW)
        db.session.commit()

    make(end)
    visitor.post(url, {"person": "g1", "email": "jude@example.com"}, 409)


def test_mailing_guests_their_links_is_slowed_down(visitor, booked, app, monkeypatch):
    monkeypatch.setitem(app.config, "SIGN_IN_LIMIT", "1 per hour")
    for status in (303, 429):
        fields = {"person": "g1", "email": f"g{status}@example.com"}
        visitor.post(f"{booked['url']}/links", fields, status)
