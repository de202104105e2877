"""The schedule by hand: a drag and the keys end in the same form, and nothing else is saved."""

import re

import pytest
import sqlalchemy as sa
from factories import ANYWHERE, fetch
from playwright.sync_api import Locator, Page, expect

from models import Room, Session, Site, db

STAFF = "/staff/stillwater-bath"
HOUR = 12
"""Rows of five minutes."""


@pytest.fixture
def slot(shop):
    """A booked session three days ahead, in a room of its venue."""
    made = shop.own_session(hours=74, capacity=6, room_id=rooms(shop)[0])
    shop.book(made, "Early Edda", 2)
    return made


def rooms(shop) -> list[str]:
    with shop.app.app_context():
        query = (
            sa.select(Room.id)
            .join(Site, Room.site_id == Site.id)
            .where(Site.slug == "stillwater-bath", Room.deleted_at.is_(None))
            .order_by(Room.position)
        )
        return list(db.session.scalars(query, execution_options=ANYWHERE))


def stands(shop, slot) -> tuple[str, str]:
    """The session's wall time and room, as the database has them."""
    with shop.app.app_context():
        row = fetch(Session, slot.id)
        return f"{row.local_start:%H:%M}", row.room_id


def open_day(page: Page, slot) -> Locator:
    page.goto(f"{STAFF}/?date={slot.date.isoformat()}")
    block = page.locator(f"#s-{slot.id}")
    block.scroll_into_view_if_needed()
    return block


def drag(page: Page, block: Locator, rows: int, lane: Locator | None = None) -> None:
    """Take a block by its upper part and carry it so many rows down, perhaps to another lane."""
    box = block.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + 12
    row = page.locator(".lane").first.bounding_box()["height"] / (
        HOUR * page.locator(".hours-col li").count()
    )
    aim = lane.bounding_box() if lane else None
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + 8)
    page.mouse.move(aim["x"] + aim["width"] / 2 if aim else x, y + rows * row, steps=4)


def impact(page: Page) -> str:
    """What the form says that the change does, once all of it is there."""
    card = page.locator(".impact-card")
    expect(card.get_by_role("button", name="Change the session")).to_be_visible()
    return card.inner_text()


def later(time: str, hours: int) -> str:
    """On the grid, which has a row for each five minutes."""
    hour, minute = time.split(":")
    return f"{int(hour) + hours:02d}:{int(minute) // 5 * 5:02d}"


def test_a_drag_and_the_keys_give_the_same_form_and_the_same_result(staff, shop, slot):
    time, room = stands(shop, slot)
    to_time, to_room = later(time, 1), rooms(shop)[1]
    page = staff()
    drag(page, open_day(page, slot), HOUR, page.locator(f".lane[data-room='{to_room}']"))
    expect(page.locator(".ghost")).to_contain_text(to_time)
    page.mouse.up()
    expect(page).to_have_url(re.compile("/edit.*time="))
    dragged = impact(page)
    assert stands(shop, slot) == (time, room)

    typed = staff()
    open_day(typed, slot).focus()
    typed.keyboard.press("e")
    typed.get_by_label("Starts at").fill(to_time)
    typed.get_by_label("Room", exact=True).select_option(to_room)
    typed.get_by_role("button", name="Change the session").click()
    assert impact(typed) == dragged
    assert stands(shop, slot) == (time, room)

    typed.get_by_role("button", name="Change the session").click()
    expect(typed.get_by_role("status")).to_contain_text("is changed")
    assert stands(shop, slot) == (to_time, to_room)
    # The other hand was quicker, and did the same.
    page.get_by_role("button", name="Change the session").click()
    expect(page.get_by_role("status")).to_contain_text("Nothing was different")


def test_escape_and_a_drop_where_it_was_change_nothing(staff, shop, slot):
    before = stands(shop, slot)
    page = staff()
    block = open_day(page, slot)
    url = page.url
    drag(page, block, HOUR)
    expect(page.locator(".ghost")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".ghost")).to_have_count(0)
    page.mouse.up()
    drag(page, block, 0)
    page.mouse.up()
    assert page.url == url
    assert stands(shop, slot) == before
    block.click(position={"x": 20, "y": 12})
    expect(page).to_have_url(re.compile(f"/sessions/{slot.id}$"))


TOUCH = """([block, rest]) => {
  const box = block.getBoundingClientRect();
  const at = (type, y) => block.dispatchEvent(new PointerEvent(type, {
    bubbles: true, cancelable: true, pointerId: 7, pointerType: "touch", isPrimary: true,
    button: 0, clientX: box.left + 20, clientY: box.top + 10 + y }));
  window.touch = at;
  at("pointerdown", 0);
  if (!rest) at("pointermove", 60);
}"""


def test_a_finger_scrolls_unless_it_rests_first(staff, shop, slot):
    page = staff(has_touch=True)
    block = open_day(page, slot)
    page.evaluate(TOUCH, [block.element_handle(), False])
    expect(page.locator(".ghost")).to_have_count(0)
    page.evaluate("window.touch('pointerup', 60)")
    page.evaluate(TOUCH, [block.element_handle(), True])
    expect(page.locator(".ghost")).to_be_visible()
    page.evaluate("window.touch('pointermove', 120)")
    page.evaluate("window.touch('pointerup', 120)")
    expect(page).to_have_url(re.compile("/edit.*time="))
    expect(page.get_by_role("heading", name="What this does")).to_be_visible()


def test_one_key_goes_where_one_wants(staff):
    page = staff()
    page.goto(f"{STAFF}/")
    heading = page.get_by_role("heading", level=1)
    for key, said in (
        ("w", "to 7 June"), ("ArrowRight", "8 to 14 June"), ("t", "1 to 7 June"),
        ("m", "June 2026"), ("a", "What is coming"), ("d", "Thursday 4 June"),
        ("ArrowLeft", "Wednesday 3 June"), ("n", "New session"),
    ):  # fmt: skip
        page.keyboard.press(key)
        expect(heading).to_contain_text(said)


def test_keys_are_letters_in_a_field_and_can_be_switched_off(staff):
    page = staff()
    page.goto(f"{STAFF}/")
    page.locator("#date").focus()
    page.keyboard.press("w")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Thursday 4 June")
    page.locator("summary").filter(has_text="Keyboard").click()
    page.get_by_role("button", name="Switch the keys off").click()
    page.reload()
    page.keyboard.press("w")
    page.locator("summary").filter(has_text="Keyboard").click()
    expect(page.get_by_role("button", name="Switch the keys on")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Thursday 4 June")
    page.get_by_role("button", name="Switch the keys on").click()
    page.keyboard.press("Escape")
    page.keyboard.press("w")
    expect(page.get_by_role("heading", level=1)).to_contain_text("1 to 7 June")
