"""Pages about staff: as they open, empty, refused, with what is shown once."""

import datetime as dt
from collections.abc import Callable

import sqlalchemy as sa
from factories import ANYWHERE, save
from playwright.sync_api import Page, expect
from stories import ANA, BATH, IMOGEN, Story, at

from blueprints.clock import read_clock
from blueprints.links import public_url, sign_link
from blueprints.staff.letters import PURPOSE
from models import Account, Site, StaffInvitation, db, new_uuid

STAFF = f"/staff{BATH}"


def person(name: str, then: str = "") -> Callable:
    def come(page: Page, shop) -> None:
        page.goto(f"{STAFF}/staff?q={name}")
        page.locator(".set-main").first.click()
        expect(page.locator("#scopes")).to_be_visible()
        if then:
            page.goto(page.url + then)
        expect(page.get_by_role("heading", level=1)).to_be_visible()

    return come


def with_ticks(page: Page, shop) -> None:
    person("Maren")(page, shop)
    page.locator(".mixture summary").nth(1).click()
    expect(page.locator(".mixture[open] .ticks").first).to_be_visible()


def saved_meanwhile(page: Page, shop) -> None:
    person("Ruth")(page, shop)
    page.locator("[name=seen]").evaluate("it => { it.value = 'older' }")
    page.get_by_label("Role at All venues").select_option("observer")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved meanwhile")).to_be_visible()


def last_owner(page: Page, shop) -> None:
    person("Imogen", "/removal")(page, shop)
    page.get_by_role("button", name="End all access").click()
    expect(page.get_by_role("alert")).to_be_visible()


def refused(path: str, button: str) -> Callable:
    def come(page: Page, shop) -> None:
        page.goto(f"{STAFF}/{path}")
        page.get_by_role("button", name=button).click()
        expect(page.get_by_role("alert")).to_be_visible()

    return come


def invitation(shop, email: str, *, days: int = 7, withdrawn: bool = False) -> str:
    """The path of an invitation by Imogen that works so many days more."""
    with shop.app.app_context():
        site = db.session.scalars(
            sa.select(Site).where(Site.slug == BATH[1:]), execution_options=ANYWHERE
        ).one()
        by = db.session.scalars(sa.select(Account.id).where(Account.email_key == IMOGEN)).one()
        now = read_clock()
        known = {"organisation_id": site.organisation_id, "email_key": email}
        found = sa.select(StaffInvitation).filter_by(**known)
        row = db.session.scalars(found, execution_options=ANYWHERE).first() or save(
            StaffInvitation(
                **known,
                id=new_uuid(),
                site_id=site.id,
                email=email,
                grants=[[site.id, "RESERVATIONS_MANAGE"]],
                invited_by_id=by,
                created_at=now - dt.timedelta(days=8),
                expires_at=now + dt.timedelta(days=days),
                withdrawn_at=now if withdrawn else None,
            )
        )
        link = public_url("staff.offer", token=sign_link(f"{row.id}:{row.letter}", PURPOSE))
        db.session.remove()
    return "/staff/invitations/" + link.rpartition("/")[2]


def invited(page: Page, shop) -> None:
    """One waits, one ran out, one was withdrawn."""
    invitation(shop, "noa@example.com")
    invitation(shop, "lena@example.com", days=-1)
    invitation(shop, "iris@example.com", withdrawn=True)
    page.goto(f"{STAFF}/staff/invitations")
    for state in ("Waiting", "Ran out", "Withdrawn"):
        expect(page.locator(".kind .badge").filter(has_text=state).first).to_be_visible()


def sent(page: Page, shop) -> None:
    page.goto(f"{STAFF}/staff/invitations/new")
    page.get_by_label("Email").fill("sofia@example.com")
    page.get_by_label("Role at Stillwater Bath").select_option("receptionist")
    page.get_by_role("button", name="Send the invitation").click()
    expect(page.get_by_text("sofia@example.com").first).to_be_visible()


def token_made(page: Page, shop) -> None:
    page.goto(f"{STAFF}/tokens/new")
    page.get_by_label("Name").fill("Till at the front desk")
    page.get_by_label("Role at Stillwater Bath").select_option("bookkeeper")
    page.get_by_role("button", name="Make the token").click()
    expect(page.get_by_label("Token")).to_be_visible()


def token_to_revoke(page: Page, shop) -> None:
    token_made(page, shop)
    page.goto(f"{STAFF}/tokens")
    page.get_by_role("link", name="Revoke").first.click()
    expect(page.get_by_role("button", name="Revoke the token")).to_be_visible()


def offered(**given) -> Callable:
    """An invitation as whoever opens its link reads it."""

    def come(page: Page, shop) -> None:
        page.goto(invitation(shop, **given))
        expect(page.get_by_role("heading", level=1)).to_be_visible()

    return come


def joining_refused(page: Page, shop) -> None:
    offered(email="noa@example.com")(page, shop)
    page.get_by_role("button", name="Accept").click()
    expect(page.locator(".summary")).to_be_visible()


RIGHTS_STORIES = [
    Story("staff", at(f"{STAFF}/staff"), IMOGEN),
    Story("staff, nobody found", at(f"{STAFF}/staff?q=nobody"), IMOGEN),
    Story("rights of somebody", with_ticks, IMOGEN),
    Story("one's own rights", person("Imogen"), IMOGEN),
    Story("rights saved meanwhile", saved_meanwhile, IMOGEN, status=409),
    Story("end somebody's access", person("Maren", "/removal"), IMOGEN),
    Story("end the last owner's access", last_owner, IMOGEN, status=422),
    Story("invitations", at(f"{STAFF}/staff/invitations"), IMOGEN),
    Story("invitations, in each state", invited, IMOGEN),
    Story("invite somebody", at(f"{STAFF}/staff/invitations/new"), IMOGEN),
    Story(
        "invite somebody, with errors",
        refused("staff/invitations/new", "Send the invitation"),
        IMOGEN,
        status=422,
    ),
    Story("an invitation was sent", sent, IMOGEN),
    Story("an invitation", offered(email="noa@example.com")),
    Story("an invitation, with errors", joining_refused, status=422),
    Story("an invitation of who has an account", offered(email=ANA)),
    Story("an invitation, signed in", offered(email=ANA), ANA),
    Story("an invitation of somebody else", offered(email="noa@example.com"), IMOGEN),
    Story("an invitation that ran out", offered(email="lena@example.com", days=-1), status=410),
    Story(
        "an invitation that was withdrawn",
        offered(email="iris@example.com", withdrawn=True),
        status=410,
    ),
    Story("an invitation that isn't one", at("/staff/invitations/unknown"), status=404),
    Story("tokens", at(f"{STAFF}/tokens"), IMOGEN),
    Story("make a token", at(f"{STAFF}/tokens/new"), IMOGEN),
    Story("make a token, with errors", refused("tokens/new", "Make the token"), IMOGEN, status=422),
    Story("a token that was made", token_made, IMOGEN),
    Story("revoke a token", token_to_revoke, IMOGEN),
]
