"""Somebody new: invited, at work with just these rights, and refused once they are taken away."""

import re
from urllib.parse import urlsplit

from browsing import guest, is_in_state, press
from playwright.sync_api import Page, expect

STAFF = "/staff/stillwater-bath"
IMOGEN = "imogen@stillwater.example"
PASSWORD = "river stones at dusk"


def read_mail(page: Page, email: str) -> str:
    """Where the button of the newest mail to somebody leads, as the mailbox shows it."""
    page.goto("/mail")
    mail = page.locator("article").filter(has_text=f"To {email}").first
    url = urlsplit(mail.locator("a.btn").get_attribute("href"))
    return url.path


def test_from_the_invitation_to_the_end_of_the_rights(visitor, staff, shop, address, complaints):
    email = address("noor")
    slot = shop.running_session()
    for name in ("Jonas Plover", "Kit Dunlin"):
        shop.book(slot, name)
    imogen = staff(IMOGEN)
    imogen.goto(f"{STAFF}/staff")
    imogen.get_by_role("link", name="Invite somebody").click()
    imogen.get_by_label("Email").fill(email)
    imogen.get_by_label("Name", exact=False).first.fill("Noor Sandpiper")
    imogen.get_by_label("Role at Stillwater Bath").select_option("receptionist")
    imogen.get_by_role("button", name="Send the invitation").click()
    expect(imogen.locator("li.kind").filter(has_text=email)).to_contain_text("Waiting")

    noor = visitor()
    noor.goto(read_mail(noor, email))
    expect(noor.get_by_role("heading", level=1)).to_have_text("Join Stillwater")
    expect(noor.get_by_label("Full name")).to_have_value("Noor Sandpiper")
    complaints.announce(422)
    noor.get_by_label("Choose a password").fill("short")
    noor.get_by_role("button", name="Accept").click()
    expect(noor.locator(".summary")).to_contain_text("at least 10 characters")
    noor.get_by_label("Choose a password").fill(PASSWORD)
    noor.get_by_role("button", name="Accept").click()
    expect(noor.get_by_text("Welcome to the team")).to_be_visible()

    # The desk is theirs, of this venue alone; the settings and the staff are not.
    noor.goto(slot.roster)
    press(noor, "Jonas", "Check in")
    is_in_state(noor, "Jonas", "Arrived")
    expect(noor.get_by_role("navigation").get_by_role("link", name="Staff")).to_have_count(0)
    complaints.announce(403)
    complaints.announce(404)
    for path in (f"{STAFF}/staff", f"{STAFF}/rooms", "/staff/stillwater-reykjavik/"):
        assert noor.goto(path).status in (403, 404), path

    noor.goto(slot.roster)
    expect(guest(noor, "Kit")).to_be_visible()
    imogen.goto(f"{STAFF}/staff?q={email}")
    imogen.locator(".set-main").click()
    imogen.get_by_role("link", name="End all access").click()
    imogen.get_by_role("button", name="End all access").click()
    expect(imogen).to_have_url(re.compile("/staff/stillwater-bath/staff$"))
    press(noor, "Kit", "Check in")
    expect(noor.locator("#main")).not_to_contain_text("Kit Dunlin")
    imogen.goto(slot.roster)
    is_in_state(imogen, "Kit", "Not arrived")
    is_in_state(imogen, "Jonas", "Arrived")
