"""Who changed what, on the thing itself, and an edit taken back."""

import re

from playwright.sync_api import expect

STAFF = "/staff/stillwater-bath"
IMOGEN = "imogen@stillwater.example"


def test_the_name_of_a_room_has_a_history_and_comes_back(staff, shop):
    own = shop.own_series()
    room = f"{STAFF}/rooms/{own.room_id}"
    page, other = staff(IMOGEN), staff(IMOGEN)
    page.goto(room)
    page.get_by_label("Name", exact=True).fill("Moon Room")
    page.get_by_role("button", name="Save room").click()
    page.goto(room)
    expect(page.get_by_role("heading", level=1)).to_have_text("Moon Room")
    page.get_by_role("link", name="History").click()
    newest = page.locator(".deed").first
    expect(newest).to_contain_text("Imogen")
    expect(newest).to_contain_text(own.room)
    expect(newest).to_contain_text("Moon Room")
    other.goto(f"{STAFF}/trail")
    expect(other.locator(".deed").first).to_contain_text("Moon Room")

    newest.get_by_role("button", name=re.compile("^Undo")).click()
    expect(page.get_by_role("alert")).to_have_count(0)
    page.goto(room)
    expect(page.get_by_role("heading", level=1)).to_have_text(own.room)
    page.get_by_role("link", name="History").click()
    # Nothing is wiped out: taking back is a line of its own.
    expect(page.locator(".deed").filter(has_text="Moon Room")).to_have_count(2)
