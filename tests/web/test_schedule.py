"""The schedule's views, filters and marks."""

import datetime as dt

import pytest
from conftest import NOW
from factories import (
    fetch,
    make_group,
    make_order,
    make_practitioner,
    make_room,
    make_session,
    make_site,
    make_staff,
    make_type,
    save,
)

from models import ClosedDay, SessionType, Site, TimeOff, Zone

BATH = "/staff/bath/"


@pytest.fixture
def house(make):
    """Two rooms in two zones, two people, two types on Friday 12 June, and a receptionist."""

    def build():
        site = make_site(slug="bath")
        org = site.organisation_id
        wet, dry = (
            save(Zone(organisation_id=org, site_id=site.id, name=name)) for name in ("Wet", "Dry")
        )
        hall = make_room(site, name="Spring Hall", zone_id=wet.id, turnaround=15)
        loft = make_room(site, name="River Loft", zone_id=dry.id, colour=2, position=1)
        tomas, asha = make_practitioner(site), make_practitioner(site, name="Asha Menon")
        circuit = make_type(site, name="Thermal circuit")
        yoga = make_type(site, name="Gentle yoga", duration=60)
        first = make_session(
            circuit, local_start="2026-06-12T10:00", room_id=hall.id, practitioner_id=tomas.id
        )
        second = make_session(
            yoga, local_start="2026-06-12T11:00", room_id=loft.id, practitioner_id=asha.id
        )
        make_order(first, guests=2)
        make_staff(site)
        return {
            "org": org, "site": site.id, "hall": hall.id, "loft": loft.id, "wet": wet.id,
            "tomas": tomas.id, "asha": asha.id, "circuit": circuit.id, "yoga": yoga.id,
            "first": first.id, "second": second.id,
        }  # fmt: skip

    return make(build)


@pytest.fixture
def maren(visitor, house):
    visitor.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    return visitor


def shown(page):
    """The ids of the sessions that a page lists."""
    return {link["href"].rsplit("/", 1)[1] for link in page.all("a.sess, a.ag")}


def cell(page, day):
    """A day of the month's table."""
    return page.text(f".month a[href*='date=2026-06-{day}']")


@pytest.mark.parametrize("view", ["day", "week", "agenda"])
def test_each_view_lists_the_days_sessions(maren, house, view):
    page = maren.get(f"{BATH}?date=2026-06-12&view={view}")
    assert shown(page) == {house["first"], house["second"]}
    assert "2/8" in page.text("main").replace(" ", "")


def test_the_month_counts_sessions_guests_and_closed_days(maren, house, make):
    make(lambda: save(closed(house, "2026-06-15", "Boiler")))
    page = maren.get(f"{BATH}?date=2026-06-01&view=month")
    assert "2 sessions" in cell(page, 12)
    assert "2 guests" in cell(page, 12)
    assert "Closed : Boiler" in cell(page, 15)
    assert "12% full" in page.text("h1")


def closed(house, day, reason):
    return ClosedDay(
        organisation_id=house["org"], site_id=house["site"], day=dt.date.fromisoformat(day),
        reason=reason, created_at=NOW,
    )  # fmt: skip


def test_a_closed_day_says_why_on_its_day_and_in_its_week(maren, house, make):
    make(lambda: save(closed(house, "2026-06-12", "Private hire")))
    for view in ("day", "week"):
        page = maren.get(f"{BATH}?date=2026-06-12&view={view}")
        assert "Private hire" in page.text(".closed-note")


@pytest.mark.parametrize(
    ("kind", "value", "left"),
    [("room", "hall", "first"), ("zone", "wet", "first"), ("practitioner", "asha", "second"),
     ("type", "yoga", "second")],
)  # fmt: skip
@pytest.mark.parametrize("view", ["day", "week", "agenda"])
def test_a_filter_narrows_every_view_and_goes_along(maren, house, view, kind, value, left):
    here = f"{BATH}?date=2026-06-12&view={view}&{kind}={house[value]}"
    page = maren.get(here)
    assert shown(page) == {house[left]}
    for link in page.all(".seg a, .nudge a, .chip"):
        if "chip" not in link.get("class", []):
            assert f"{kind}={house[value]}" in link["href"]
        else:
            assert house[value] not in link["href"]
    assert page.one(f".filters input[name={kind}][value='{house[value]}']").has_attr("checked")
    assert page.form(".sched-tools .goto")[kind] == house[value]


def test_the_month_is_narrowed_too_and_several_ids_are_allowed(maren, house):
    one = maren.get(f"{BATH}?date=2026-06-12&view=month&type={house['yoga']}")
    assert "1 session" in cell(one, 12)
    both = maren.get(f"{BATH}?date=2026-06-12&type={house['yoga']}&type={house['circuit']}")
    assert len(shown(both)) == 2
    assert len(both.all(".chip")) == 2


def test_foreign_ids_match_nothing_and_bad_views_are_no_page(maren, make):
    foreign = make(lambda: make_room(make_site(slug="other")).id)
    for value in (foreign, "x" * 500, "'"):
        page = maren.get(f"{BATH}?date=2026-06-12&room={value}")
        assert shown(page) == set()
        assert page.all(".chip")
    maren.get(f"{BATH}?view=year", 404)
    maren.get(f"{BATH}?view=agenda&page=99999999")


def test_r30_hidden_types_are_on_no_view(maren, house, make):
    def hide():
        kind = make_type(fetch(Site, house["site"]), name="Deep clean", hidden_on_schedule=True)
        make_session(kind, local_start="2026-06-12T10:30", room_id=house["hall"])

    make(hide)
    for view in ("day", "week", "agenda"):
        page = maren.get(f"{BATH}?date=2026-06-12&view={view}")
        assert len(shown(page)) == 2
        assert not page.all(".filters input[value='Deep clean']")
    page = maren.get(f"{BATH}?date=2026-06-12&view=month")
    assert "2 sessions" in cell(page, 12)
    # What is hidden is in the way all the same.
    assert "Clashes with Deep clean" in maren.get(f"{BATH}?date=2026-06-12").html


def test_s4_a_clash_is_marked_and_touching_after_the_turnaround_is_none(maren, house, make):
    def add(time):
        return make_session(
            fetch_type(house), local_start=f"2026-06-12T{time}", room_id=house["hall"]
        ).id

    apart, close = make(lambda: add("12:15")), None
    page = maren.get(f"{BATH}?date=2026-06-12")
    assert not page.all(".is-amiss")
    close = make(lambda: add("14:20"))
    page = maren.get(f"{BATH}?date=2026-06-12&view=week")
    badges = {row["href"].rsplit("/", 1)[1]: row.get_text(" ") for row in page.all("a.ag")}
    assert "Clashes with Thermal circuit, 14:20" in " ".join(badges[apart].split())
    assert "Spring Hall" in badges[close]
    assert "Clash" not in badges[house["first"]]


def fetch_type(house):
    return fetch(SessionType, house["circuit"])


def test_who_needs_cover_is_said(maren, house, make):
    def add():
        group = make_group(fetch_type(house), None, practitioner_id=house["tomas"])
        without = make_session(
            fetch_type(house), local_start="2026-06-13T10:00", recurrence_group_id=group.id
        )
        nobody = make_session(fetch_type(house), local_start="2026-06-13T14:00")
        save(
            TimeOff(
                organisation_id=house["org"], practitioner_id=house["asha"], created_at=NOW,
                local_start=dt.datetime(2026, 6, 12, 11, 30),  # noqa: DTZ001 - wall time
                local_end=dt.datetime(2026, 6, 12, 18),  # noqa: DTZ001
            )
        )  # fmt: skip
        return without.id, nobody.id

    without, nobody = make(add)
    for view in ("week", "agenda"):
        page = maren.get(f"{BATH}?date=2026-06-12&view={view}")
        said = {row["href"].rsplit("/", 1)[1]: row.get_text(" ") for row in page.all("a.ag")}
        assert "Needs cover" in said[without]
        assert "Asha Menon is away" in said[house["second"]]
        assert "Needs cover" not in said[nobody] + said[house["first"]]


def test_the_agenda_goes_on_page_by_page(maren, house, make):
    def fill():
        for day in range(1, 61):
            make_session(
                fetch_type(house),
                local_start=dt.datetime(2026, 7, 1, 9) + dt.timedelta(days=day),  # noqa: DTZ001
            )

    make(fill)
    first = maren.get(f"{BATH}?view=agenda")
    assert len(shown(first)) == 50
    assert "62 sessions" in first.text("h1")
    second = maren.get(first.one("a[rel=next]")["href"])
    assert len(shown(second)) == 12
    assert not shown(first) & shown(second)
    assert second.one("a[rel=prev]")["href"] == first.one(".seg a[aria-current]")["href"]


def test_nothing_to_show_says_so_in_every_view(maren):
    for view in ("day", "week", "month", "agenda"):
        page = maren.get(f"{BATH}?date=2027-06-12&view={view}")
        assert "no sessions" in page.text("main").lower() or "Nothing is coming" in page.text(
            "main"
        )
        page = maren.get(f"{BATH}?date=2026-06-12&view={view}&type=none")
        assert "Show everything" in page.text("main")
