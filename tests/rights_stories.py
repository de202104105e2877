"""Pages about staff: as they open, empty, refused, with what is shown once."""

from collections.abc import Callable

import sqlalchemy as sa
from playwright.sync_api import Page, expect
from stories import BATH, IMOGEN, Story, at

from blueprints.links import public_url, sign_link
from blueprints.staff.letters import PURPOSE
from models import StaffInvitation, db, unbound

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
    expect(page.get_by_text("Own mixture”").first).to_be_visible()


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


def invited(page: Page, shop) -> None:
    page.goto(f"{STAFF}/staff/invitations")
    if page.get_by_text("noa@example.com").count() == 0:
        page.goto(f"{STAFF}/staff/invitations/new")
        page.get_by_label("Email").fill("noa@example.com")
        page.get_by_label("Role at Stillwater Bath").select_option("receptionist")
        page.get_by_role("button", name="Send the invitation").click()
    expect(page.get_by_text("noa@example.com").first).to_be_visible()


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


def offered(page: Page, shop) -> None:
    invited(page, shop)
    with shop.app.app_context():
        row = db.session.scalars(
            sa.select(StaffInvitation).where(StaffInvitation.email_key == "noa@example.com"),
            execution_options=unbound("a story may look anywhere"),
        ).first()
        link = public_url("staff.offer", token=sign_link(f"{row.id}:{row.letter}", PURPOSE))
    page.goto("/staff/invitations/" + link.rpartition("/")[2])
    expect(page.get_by_role("heading", name="Join Stillwater")).to_be_visible()


RIGHTS_STORIES = [
    Story("staff", at(f"{STAFF}/staff"), IMOGEN),
    Story("staff, nobody found", at(f"{STAFF}/staff?q=nobody"), IMOGEN),
    Story("rights of somebody", with_ticks, IMOGEN),
    Story("one's own rights", person("Imogen"), IMOGEN),
    Story("rights saved meanwhile", saved_meanwhile, IMOGEN, status=409),
    Story("end somebody's access", person("Maren", "/removal"), IMOGEN),
    Story("end the last owner's access", last_owner, IMOGEN, status=422),
    Story("invitations", at(f"{STAFF}/staff/invitations"), IMOGEN),
    Story("invitations, one waiting", invited, IMOGEN),
    Story("invite somebody", at(f"{STAFF}/staff/invitations/new"), IMOGEN),
    Story(
        "invite somebody, with errors",
        refused("staff/invitations/new", "Send the invitation"),
        IMOGEN,
        status=422,
    ),
    Story("an invitation of somebody else", offered, IMOGEN),
    Story("an invitation that isn't one", at("/staff/invitations/unknown"), status=404),
    Story("tokens", at(f"{STAFF}/tokens"), IMOGEN),
    Story("make a token", at(f"{STAFF}/tokens/new"), IMOGEN),
    Story("make a token, with errors", refused("tokens/new", "Make the token"), IMOGEN, status=422),
    Story("a token that was made", token_made, IMOGEN),
    Story("revoke a token", token_to_revoke, IMOGEN),
]
