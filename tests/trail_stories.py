"""Pages about what was changed: the log, one thing's history, an undo that is refused."""

import re
from itertools import count

import sqlalchemy as sa
from factories import ANYWHERE, make_room
from playwright.sync_api import Page, expect
from stories import BATH, IMOGEN, Story, at

from models import Site, db

LOG = f"/staff{BATH}/trail"
NUMBERS = count()


def own_room(shop) -> str:
    """A room of this story alone; the path of its page."""
    with shop.app.app_context():
        site = db.session.scalars(
            sa.select(Site).where(Site.slug == BATH[1:]), execution_options=ANYWHERE
        ).one()
        room = make_room(site, name=f"Willow Room {next(NUMBERS)}", cap=8)
        path = f"/staff{BATH}/rooms/{room.id}"
        db.session.remove()
    return path


def change(page: Page, room: str, name: str) -> None:
    page.goto(room)
    page.locator("main [name=name]").fill(f"{name} {room[-6:]}")
    page.get_by_role("button", name="Save room").click()
    expect(page).not_to_have_url(re.compile(f"{room}$"))


def history_of(room: str) -> str:
    return room.replace("/rooms/", "/trail/rooms/")


def log(page: Page, shop) -> None:
    change(page, own_room(shop), "By the river")
    page.goto(LOG)
    expect(page.locator(".deed").first).to_be_visible()


def chosen(page: Page, shop) -> None:
    """What one colleague did to rooms."""
    log(page, shop)
    page.get_by_label("Who", exact=True).select_option(label="Imogen Hartley-Ferreira")
    page.get_by_label("What", exact=True).select_option(label="Room")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page).to_have_url(re.compile("kind=rooms"))
    expect(page.locator(".deed").first).to_be_visible()


def history(page: Page, shop) -> None:
    room = own_room(shop)
    change(page, room, "By the river")
    page.goto(history_of(room))
    expect(page.locator(".deed").first).to_be_visible()


def refused(page: Page, shop) -> None:
    room = own_room(shop)
    change(page, room, "By the river")
    change(page, room, "Under the willow")
    page.goto(history_of(room))
    page.get_by_role("button", name="Undo").nth(1).click()
    expect(page.get_by_role("alert")).to_be_visible()


def unknown_line(page: Page, shop) -> None:
    history(page, shop)
    page.locator("[name=entry]").first.evaluate("field => field.value = ''")
    page.get_by_role("button", name="Undo").first.click()
    expect(page.get_by_role("alert")).to_be_visible()


TRAIL = [
    Story("who changed what", log, IMOGEN),
    Story("who changed what, one colleague and rooms", chosen, IMOGEN),
    Story("who changed what, nothing like that", at(f"{LOG}?day=2020-01-01"), IMOGEN),
    Story("the history of a room", history, IMOGEN),
    Story("an undo of what was changed since", refused, IMOGEN, 409),
    Story("an undo of no line", unknown_line, IMOGEN, 422),
]
