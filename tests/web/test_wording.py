"""A venue words its letters: list, editor, preview, what is refused, stale forms (D4)."""

import pytest
import sqlalchemy as sa
from factories import ANYWHERE, NOW, make_order, make_session, make_site, make_staff, make_type

from blueprints.mailing import text_of, write
from domain.wording import KINDS
from models import Session, db
from services.checkout import find_order

RIGHTS = ("SETTINGS_MANAGE",)


@pytest.fixture
def site(visitor, make):
    def build():
        site = make_site()
        make_staff(site, rights=RIGHTS)
        make_session(make_type(site))
        return site.slug

    slug = make(build)
    visitor.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    return slug


def url_of(site, kind="booking_confirmed"):
    return f"/staff/{site}/letters/{kind}"


def typed(page, **given):
    form = page.form(".letter-editor form")
    areas = {tag["name"]: tag.text.lstrip("\n") for tag in page.all("textarea")}
    return {**form, **areas, **given}


def confirmation(app):
    """As a guest of the site is written to now."""
    with app.app_context():
        session = db.session.scalars(sa.select(Session), execution_options=ANYWHERE).one()
        order = find_order(make_order(session, now=NOW))
        letter = write({"letter": "booking_confirmed", "order": order.id})
        return letter.subject, text_of(letter)


def test_every_kind_is_listed_and_shows_our_words(visitor, site):
    page = visitor.get(f"/staff/{site}/letters")
    assert len(page.all(".type-list a")) == len(KINDS)
    for link in page.all(".type-list a"):
        page = visitor.get(link["href"])
        kind = KINDS[link["href"].rsplit("/", 1)[1]]
        assert page.one("#subject")["value"] == kind.ours.subject
        assert page.one("#opening").text.strip() == kind.ours.opening


def test_own_words_are_kept_and_go_into_the_mail(visitor, site, app):
    page = visitor.get(url_of(site))
    sent = typed(
        page,
        subject="Lovely, {name}: {session}",
        opening="Dear {name},\n\nsee you {date} at {time}.",
    )
    visitor.post(url_of(site), {**sent, "closing": "The water team of {venue}"}, 303)
    page = visitor.get(url_of(site))
    assert "Saved." in page.text()
    assert page.one("#subject")["value"] == "Lovely, {name}: {session}"
    assert "Own words" in visitor.get(f"/staff/{site}/letters").text()
    subject, text = confirmation(app)
    assert subject == "Lovely, Ana Reyes: Thermal circuit"
    # With a greeting of its own, ours is left out.
    assert text.startswith("Dear Ana Reyes,\n\nsee you Friday 12 June at 18:00.\n")
    assert "The water team of Stillwater Bath" in text
    assert "Reference: " in text


def test_going_back_to_ours(visitor, site, app):
    page = visitor.get(url_of(site))
    assert not page.all("button[value=reset]")
    visitor.post(url_of(site), typed(page, subject="Own"), 303)
    page = visitor.get(url_of(site))
    visitor.post(url_of(site), typed(page, do="reset"), 303)
    page = visitor.get(url_of(site))
    assert page.one("#subject")["value"] == KINDS["booking_confirmed"].ours.subject
    assert confirmation(app)[0] == "You're booked: Thermal circuit, Friday 12 June"


def test_what_is_wrong_is_said_and_what_was_typed_is_kept(visitor, site):
    page = visitor.get(url_of(site))
    sent = typed(page, subject="{secret}", opening="<b>Hi</b> {", closing="x" * 1001)
    page = visitor.post(url_of(site), sent, 422)
    assert page.soup.title.text.startswith("Error:")
    assert len(page.all(".summary li")) == 3
    assert "There is no {secret}. You can use {name}" in page.text("#subject-error")
    assert page.one("#subject")["value"] == "{secret}"
    assert page.one("#opening").text.strip() == "<b>Hi</b> {"
    assert page.one("#closing").text.strip() == "x" * 1001
    assert visitor.get(url_of(site)).one("input[name=seen]")["value"] == "0"


def test_d4_a_stale_form_shows_both_versions(visitor, other_visitor, site):
    other_visitor.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    mine, theirs = visitor.get(url_of(site)), other_visitor.get(url_of(site))
    other_visitor.post(url_of(site), typed(theirs, opening="Theirs."), 303)
    page = visitor.post(url_of(site), typed(mine, opening="Mine."), 409)
    assert page.soup.title.text.startswith("Error:")
    assert page.one("#opening").text.strip() == "Mine."
    assert "Theirs." in page.text("main section")
    assert "Somebody else saved" in page.text(".summary")
    visitor.post(url_of(site), typed(page), 303)
    assert visitor.get(url_of(site)).one("#opening").text.strip() == "Mine."
    # And once there is a row: the older revision is no longer good.
    page = other_visitor.post(url_of(site), typed(theirs, seen="1", opening="Late."), 409)
    assert "Mine." in page.text("main section")


@pytest.mark.parametrize("seen", ["", "-1", "x", "9" * 30, "²"])
def test_d4_a_form_without_a_revision_is_stale(visitor, site, seen):
    page = visitor.get(url_of(site))
    visitor.post(url_of(site), typed(page, seen=seen), 409)


def test_the_preview_is_a_page_that_can_do_nothing(visitor, site):
    page = visitor.get(url_of(site))
    frame = page.one("iframe")
    assert "allow-scripts" not in frame["sandbox"]
    assert "frame-src 'self'" in page.response.headers["Content-Security-Policy"]
    answer = visitor.client.get(frame["src"])
    policy = answer.headers["Content-Security-Policy"]
    for part in ("default-src 'none'", "form-action 'none'", "frame-ancestors 'self'", "sandbox"):
        assert part in policy
    assert "script-src" not in policy
    assert "Hello Ana Reyes," in answer.text
    assert "Stillwater" in answer.text


def test_what_is_typed_can_be_seen_before_it_is_saved(visitor, site, app):
    page = visitor.get(url_of(site))
    button = page.one("button[formtarget=preview]")
    target = button["formaction"].partition("#")[0]
    sent = typed(page, subject="Trying {session}", opening="<script>alert(1)</script>")
    answer = visitor.client.post(target, data={**sent, "csrf_token": visitor.token()})
    assert answer.status_code == 200
    assert "Trying Thermal circuit" in answer.text
    assert "&lt;script&gt;" in answer.text
    answer = visitor.client.post(
        target, data={**sent, "subject": "{x}", "csrf_token": visitor.token()}
    )
    assert answer.status_code == 422
    assert "There is no {x}." in answer.text
    assert visitor.get(url_of(site)).one("input[name=seen]")["value"] == "0"


@pytest.mark.parametrize("kind", ["nothing", "sign_in", "booking_confirmed%00", "x" * 300])
def test_only_letters_of_venues_can_be_worded(visitor, site, kind):
    visitor.get(url_of(site, kind), 404)
    visitor.post(url_of(site, kind), {"seen": "0"}, 404)
    visitor.get(f"{url_of(site, kind)}/preview", 404)


def test_other_staff_and_other_houses_are_kept_out(visitor, other_visitor, site, make):
    def build():
        other = make_site()
        make_staff(other, "desk@example.com")
        make_staff(other, "boss@example.com", rights=RIGHTS)
        return other.slug

    other = make(build)
    other_visitor.sign_in("desk@example.com", "thermal-waters", "/staff/sign-in")
    other_visitor.get(f"/staff/{other}/letters", 403)
    other_visitor.get(url_of(site), 404)
    visitor.get(url_of(other), 404)
