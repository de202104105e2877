"""Staff set a venue up by its pages alone, and what they set up is what customers see."""

import datetime as dt
import io
import re

import pytest
from conftest import NOW
from PIL import Image
from playwright.sync_api import Page, expect

from domain.words import WEEKDAYS

BATH = "/stillwater-bath"
STAFF = f"/staff{BATH}"
IMOGEN = "imogen@stillwater.example"
OWNER, PASSWORD = "odile@river.example", "otters-in-the-weir"


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=re.compile(name)).first.click()


def heading(page: Page, text: str | re.Pattern) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(text)


def said(page: Page, text: str) -> None:
    """What the page answers to what was done."""
    expect(page.locator(".flash, [role=status]").filter(has_text=text).first).to_be_visible()


def tab(page: Page, name: str) -> None:
    parts = page.get_by_role("navigation", name="Parts of this type")
    parts.get_by_role("link", name=name, exact=True).click()


def found(shop) -> None:
    """The command that begins on an empty machine."""
    done = shop.app.test_cli_runner().invoke(
        args=[
            *("found", "--organisation", "River House", "--code", "RIVER"),
            *("--site", "River House", "--slug", "river-house", "--place", "Bath"),
            *("--zone", "Europe/London", "--currency", "GBP", "--owner", "Odile Weir"),
            *("--email", OWNER, "--password-stdin"),
        ],
        input=f"{PASSWORD}\n",
    )
    assert done.exit_code == 0, done.output


def test_a_venue_from_nothing_to_its_first_booking(visitor, empty_shop):
    found(empty_shop)
    page, customer = visitor(), visitor()
    staff = f"{empty_shop.url}/staff/river-house"
    page.goto(f"{staff}/rooms")
    page.get_by_label("mail").fill(OWNER)
    page.get_by_label("Password").fill(PASSWORD)
    press(page, "Sign in")
    expect(page.get_by_role("heading", name="No rooms yet")).to_be_visible()

    page.get_by_role("link", name="Add a room").first.click()
    page.get_by_label("Name").fill("Spring Hall")
    page.get_by_label("Guests at most").fill("6")
    press(page, "Add the room")
    said(page, "Spring Hall is set up.")

    page.goto(f"{staff}/team/new")
    page.get_by_label("Name").fill("Tomas Vale")
    press(page, "Add to the team")
    said(page, "Tomas Vale is on the team.")

    page.goto(f"{staff}/types/new")
    page.get_by_label("Name").fill("Evening bath")
    press(page, "Make the type")
    heading(page, "Evening bath")

    tab(page, "Prices")
    press(page, "Add rule")
    page.get_by_label(re.compile("^Price of")).fill("25")
    press(page, "Save prices")
    said(page, "Prices saved.")

    tab(page, "Times")
    page.get_by_role("link", name="Add series").click()
    for day in WEEKDAYS:
        page.get_by_label(day.capitalize()).check(force=True)
    press(page, "^Time$")
    page.get_by_label("Start time 1", exact=True).fill("18:00")
    first = NOW.date() + dt.timedelta(days=1)
    page.get_by_label("First day").fill(f"{first}")
    page.get_by_label("Room").select_option(label="Spring Hall, up to 6")
    page.get_by_label("Places", exact=True).fill("4")
    page.get_by_label("Led by").select_option(label="Tomas Vale")
    expect(page.locator("#outlook")).to_contain_text(re.compile(r"\d+ sessions made"))
    press(page, "Save series")
    said(page, "The series is saved.")

    tab(page, "Access")
    page.get_by_label("Offered online").check()
    press(page, "Save access")
    expect(page.get_by_text("Nothing keeps it from being sold.")).to_be_visible()

    customer.goto(f"{empty_shop.url}/river-house/")
    customer.get_by_role("link", name="Evening bath").first.click()
    customer.locator("a.day:has(.p)").first.click()
    expect(customer.locator("#day")).to_contain_text("Tomas Vale")
    customer.locator("#day").get_by_role("button", name="Book for £25").click()
    customer.get_by_label("Full name").fill("Ana Reyes")
    customer.get_by_label("Email").fill("ana@example.com")
    press(customer, "^Confirm")
    expect(customer.locator(".ref")).to_have_text(re.compile(r"^[A-Z]+ [2-9A-Z]{6}$"))
    expect(customer.locator(".when").first).to_contain_text(f"{first.day} {first:%B}")


@pytest.fixture
def own(shop):
    """A type with sessions at nine on six days, from the day after tomorrow."""
    return shop.own_series()


def times(page: Page, path: str) -> list[str]:
    """When sessions of a day begin, as the public calendar has them."""
    page.goto(path)
    return page.locator("#day .slot time").all_inner_texts()


def test_a_series_moves_and_who_has_booked_stays(staff, visitor, shop, own):
    shop.book(own.sessions[0], "Early Edda", 2)
    page, customer = staff(IMOGEN), visitor()
    assert times(customer, own.day(1)) == ["09:00"]
    page.goto(f"{own.staff}/times")
    page.get_by_role("link", name="Edit Mornings").click()
    page.get_by_label("Start time 1", exact=True).fill("10:30")
    page.keyboard.press("Tab")
    outlook = page.locator("#outlook")
    expect(outlook).to_contain_text("5 sessions changed")
    expect(outlook).to_contain_text("1 booked session to decide")
    expect(page.get_by_label("All of them")).to_have_value("keep")
    # Looking has changed nothing.
    assert times(customer, own.day(1)) == ["09:00"]
    press(page, "Save series")
    said(page, "5 sessions changed")
    assert times(customer, own.day(0)) == ["09:00"]
    assert times(customer, own.day(1)) == ["10:30"]
    assert times(customer, own.day(5)) == ["10:30"]


def picture(kind: str) -> bytes:
    out = io.BytesIO()
    Image.linear_gradient("L").resize((700, 500)).convert("RGB").save(out, kind)
    return out.getvalue()


def test_what_is_no_picture_is_refused_and_a_picture_shows_in_the_shop(
    staff, visitor, own, complaints
):
    complaints.announce(422)
    page, seen = staff(IMOGEN), f"Steam over {own.room}"
    page.goto(f"{STAFF}/media")
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    for name, content in (("drawing.jpg", svg), ("broken.jpg", picture("JPEG")[:900])):
        file = {"name": name, "mimeType": "image/jpeg", "buffer": content}
        page.get_by_label("File").set_input_files(file)
        page.get_by_label("What it shows").fill(seen)
        press(page, "^Add")
        expect(page).to_have_title(re.compile("^Error:"))
        expect(page.locator("#picture-error")).to_be_visible()
        expect(page.get_by_label("What it shows")).to_have_value(seen)
        page.goto(f"{STAFF}/media")
    assert not page.get_by_text(seen).count()
    file = {"name": "steam.png", "mimeType": "image/png", "buffer": picture("PNG")}
    page.get_by_label("File").set_input_files(file)
    page.get_by_label("What it shows").fill(seen)
    press(page, "^Add")
    said(page, "The picture is here")

    page.goto(f"{own.staff}/details")
    page.locator(".thumb").filter(has_text=seen).click()
    press(page, "Save details")
    said(page, "Saved")
    customer = visitor()
    customer.goto(own.day(0))
    shown = customer.get_by_role("img", name=seen)
    expect(shown).to_be_visible()
    assert shown.evaluate("it => it.decode().then(() => it.naturalWidth)") > 0


def test_two_windows_on_one_room_see_both_versions(staff, own, complaints):
    complaints.announce(409)
    first, second = staff(IMOGEN), staff(IMOGEN)
    for page in (first, second):
        page.goto(f"{STAFF}/rooms/{own.room_id}")
    theirs, ours = f"{own.room} East", f"{own.room} West"
    first.get_by_label("Name").fill(theirs)
    press(first, "^Save room$")
    said(first, "Saved.")
    second.get_by_label("Name").fill(ours)
    second.get_by_label("Minutes to turn around").fill("15")
    press(second, "^Save room$")
    expect(second.get_by_text(f"Saved meanwhile: {theirs}")).to_be_visible()
    expect(second.get_by_label("Name")).to_have_value(ours)
    expect(second.get_by_label("Minutes to turn around")).to_have_value("15")
    press(second, "^Save room$")
    said(second, "Saved.")
    first.goto(f"{STAFF}/rooms/{own.room_id}")
    expect(first.get_by_label("Name")).to_have_value(ours)
    expect(first.get_by_label("Minutes to turn around")).to_have_value("15")


def test_a_session_is_made_and_changed_without_scripts(staff, visitor, shop, own):
    page = staff(IMOGEN, java_script_enabled=False)
    page.goto(f"{STAFF}/sessions/new")
    page.get_by_label("Session type").select_option(own.type_id)
    page.get_by_label("Day").fill(f"{own.sessions[0].date}")
    page.get_by_label("Starts at").fill("12:00")
    page.get_by_label("Room", exact=True).select_option(own.room_id)
    press(page, "Make the session")
    said(page, "is on the schedule")
    made = next(one for one in shop.sessions_of(own.type_id) if one not in own.sessions)
    shop.book(made, "Early Edda", 2)

    page.goto(f"{STAFF}/sessions/{made.id}")
    page.get_by_role("link", name="Change session").click()
    page.get_by_label("Starts at").fill("12:30")
    press(page, "Change the session")
    expect(page.locator(".impact-card")).to_contain_text("Early Edda")
    expect(page.get_by_label("For all")).to_have_value("keep")
    press(page, "Change the session")
    said(page, "Morning bathe is changed.")
    page.goto(f"{STAFF}/sessions/{made.id}")
    expect(page.locator(".rs")).to_contain_text("Early Edda")
    assert shop.places_taken(made) == 2
    assert times(visitor(), own.day(0)) == ["09:00", "12:30"]
