"""Pages about what is sold: session types and their pictures."""

import io
import re

from PIL import Image
from playwright.sync_api import Page, expect
from stories import BATH, IMOGEN, Story, at

TYPES = f"/staff{BATH}/types"
MEDIA = f"/staff{BATH}/media"
LONG = "An hour in the warm for those who have walked along the river all day long"


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=re.compile(name)).first.click()


def made(page: Page, name: str = LONG) -> None:
    """A type of its own, so that no story leans on another."""
    page.goto(f"{TYPES}/new")
    page.get_by_label("Name", exact=True).fill(name)
    press(page, "Make the type")
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def tab(name: str):
    def come(page: Page, shop) -> None:
        made(page)
        # Its form looks like the one before: the page has come when its address has.
        with page.expect_navigation():
            page.get_by_role("link", name=name, exact=True).first.click()
        expect(page.locator("main form").first).to_be_visible()

    return come


def fresh(page: Page, shop) -> None:
    made(page)
    expect(page.locator(".hurdles li")).to_have_count(2)


def previewed(page: Page, shop) -> None:
    made(page)
    page.get_by_label("Description", exact=True).fill("Come **in**.\n\n- Towels\n- Tea")
    press(page, "Preview the description")
    expect(page.locator("#preview li")).to_have_count(2)


def with_errors(page: Page, shop) -> None:
    made(page)
    page.get_by_label("Name", exact=True).fill("")
    page.get_by_label("Length").fill("0")
    press(page, "Save details")
    expect(page.locator(".summary")).to_be_visible()


def access_with_errors(page: Page, shop) -> None:
    tab("Access")(page, shop)
    page.get_by_label("Fewest guests of a booking").fill("9")
    page.get_by_label("Most guests of a booking").fill("2")
    press(page, "Save access")
    expect(page.locator(".summary")).to_be_visible()


def edited_meanwhile(page: Page, shop) -> None:
    made(page)
    other = page.context.new_page()
    other.goto(page.url)
    other.get_by_label("Summary").fill("What somebody else wrote")
    press(other, "Save details")
    expect(other.get_by_text("Saved.")).to_be_visible()
    other.close()
    page.get_by_label("Summary").fill("What we wrote")
    press(page, "Save details")
    expect(page.get_by_text("Saved meanwhile").first).to_be_visible()


def no_name(page: Page, shop) -> None:
    page.goto(f"{TYPES}/new")
    press(page, "Make the type")
    expect(page.locator(".summary")).to_be_visible()


def archived(page: Page, shop) -> None:
    tab("Archive")(page, shop)
    press(page, "Archive")
    expect(page.get_by_text("It is archived.")).to_be_visible()


def restoring(page: Page, shop) -> None:
    archived(page, shop)
    page.get_by_role("link", name="Restore", exact=True).click()
    expect(page.get_by_role("heading", name="Bring it back")).to_be_visible()


def drawn() -> dict:
    out = io.BytesIO()
    Image.linear_gradient("L").resize((700, 500)).convert("RGB").save(out, "JPEG")
    return {"name": "steam.jpg", "mimeType": "image/jpeg", "buffer": out.getvalue()}


def added(page: Page, shop) -> None:
    page.goto(MEDIA)
    page.get_by_label("File").set_input_files(drawn())
    page.get_by_label("What it shows").fill("Steam over the water")
    press(page, "^Add")
    expect(page.get_by_text("The picture is here")).to_be_visible()


def one_picture(page: Page, shop) -> None:
    added(page, shop)
    page.locator(".shelved").first.click()
    expect(page.get_by_role("heading", name="Where it is used")).to_be_visible()


def bad_picture(page: Page, shop) -> None:
    page.goto(MEDIA)
    file = {"name": "x.svg", "mimeType": "image/svg+xml", "buffer": b"<svg/>"}
    page.get_by_label("File").set_input_files(file)
    press(page, "^Add")
    expect(page.locator(".summary")).to_be_visible()


TYPES_STORIES = [
    Story("session types", at(TYPES), IMOGEN),
    Story("session types, by state", at(f"{TYPES}?state=staff_only&sort=next"), IMOGEN),
    Story("session types, none fits", at(f"{TYPES}?q=zzzz"), IMOGEN),
    Story("new type", at(f"{TYPES}/new"), IMOGEN),
    Story("new type with errors", no_name, IMOGEN, status=422),
    Story("type, fresh", fresh, IMOGEN),
    Story("type, previewed", previewed, IMOGEN),
    Story("type with errors", with_errors, IMOGEN, status=422),
    Story("type, edited meanwhile", edited_meanwhile, IMOGEN, status=409),
    Story("type, access", tab("Access"), IMOGEN),
    Story("type, access with errors", access_with_errors, IMOGEN, status=422),
    Story("type, copy", tab("Copy"), IMOGEN),
    Story("type, archive", tab("Archive"), IMOGEN),
    Story("type, archived", archived, IMOGEN),
    Story("type, restore", restoring, IMOGEN),
    Story("pictures", at(MEDIA), IMOGEN),
    Story("pictures, none fits", at(f"{MEDIA}?q=zzzz"), IMOGEN),
    Story("pictures, added", added, IMOGEN),
    Story("pictures, a bad file", bad_picture, IMOGEN, status=422),
    Story("one picture", one_picture, IMOGEN),
]
