"""Every address of the application's own map, filled in with rows that are really there.

A page that is added later is looked at too, once its parts have examples here.
"""

import datetime as dt
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from factories import (
    ANYWHERE,
    fetch,
    make_customer,
    make_group,
    make_member,
    make_order,
    make_practitioner,
    make_room,
    make_rule,
    make_session,
    make_site,
    make_staff,
    make_type,
    save,
)
from flask import Flask
from werkzeug.routing import Rule

from blueprints.clock import read_clock
from models import (
    RIGHTS,
    Archive,
    ArchivePart,
    Category,
    ClosedDay,
    Job,
    Media,
    MediaFile,
    Membership,
    Organisation,
    PrivateLink,
    TimeOff,
    Zone,
    db,
    new_uuid,
    transaction,
)
from services.api_tokens import make_token
from services.changing import door_of_order
from services.checkout import find_order
from services.feeds import find_feed_key, start_feed
from services.giving_up import release_places
from services.kiosks import sign_in_kiosk
from services.long_works import begin
from services.notes import About, add_note
from services.private_links import NewLink, make_link
from services.staff_invitations import invite
from services.venue_settings import GROUPS
from services.waiting import join
from services.waitlists import find_standing
from services.webhook_deliveries import send_test
from services.webhooks import Keeper, Wish, make_webhook

OF_ITS_OWN = (
    ("/memberships/<type_id>", "type_id", "membership_type_id"),
    ("/links/types/", "type_id", "link_type_id"),
    ("/waiting/<booking_id>", "booking_id", "entry_id"),
    ("<membership_id>", "customer_id", "member_id"),
    ("/reports/<name>", "name", "report_name"),
    ("/api/shop/", "site_id", "venue_id"),
)
"""Addresses whose part goes by a common name and means something of its own."""

Examples = Mapping[str, Sequence[Any]]


def build_house(
    rights: tuple[str, ...], slug: str = "bath", organisation: Organisation | None = None
) -> dict[str, list[Any]]:
    """A venue with one of everything, and all that a look could tidy up: offers that have run
    out, places given up, kept places. Its values by the names that stand in addresses."""
    now = read_clock()
    earlier, day = now - dt.timedelta(hours=3), (now + dt.timedelta(days=5)).date()
    site = make_site(organisation, slug=slug)
    organisation_id = site.organisation_id
    kind = make_type(site, waitlist_enabled=True, customer_cancellation_min_duration="P30D")
    row, other = (
        make_session(kind, local_start=f"{day}T{hour}:00", capacity=2, waitlist_enabled=True)
        for hour in (10, 15)
    )
    order = make_order(row, guests=2)
    line = find_order(order).items[0].booking.id
    release_places(door_of_order(order, line), line, 2, now=earlier)
    waiting = join(
        row.organisation_id, row.id, guests=2, name="Wan", email="w@example.com", now=earlier
    )
    entry = find_standing(waiting, now=now)
    assert entry.state == "missed"
    link = make_link(
        organisation_id, site.id,
        NewLink(kind.id, "Ines", other.local_start, "", 100, now + dt.timedelta(days=1), 5, 2),
        by="staff", now=now,
    )  # fmt: skip
    maren = make_staff(site, f"maren@{slug}.example", rights=rights)
    start_feed(maren.id)
    customer = make_customer(organisation_id, maren, email=f"maren@{slug}.example")
    note, booking_note = (
        add_note(organisation_id, about, "Prefers the morning", author_id=maren.id, now=now)
        for about in (About(customer_id=customer.id), About(booking_id=line))
    )
    member = make_member(organisation_id, make_staff(site, f"member@{slug}.example", rights=()))
    membership = db.session.scalars(
        sa.select(Membership).where(Membership.membership_type_id == member.id),
        execution_options=ANYWHERE,
    ).one()
    jobs = db.session.scalars(
        sa.select(Job.id).where(Job.kind == "mail"), execution_options=ANYWHERE
    )
    return {
        "site": [slug],
        "secret": [order, waiting],
        "session_id": [row.id, other.id],
        "booking_id": [line, entry.entry.id],
        "order_id": [find_order(order).id],
        "link_id": [link],
        "type_id": [kind.id],
        "session_type_id": [kind.id],
        "link_type_id": [make_type(site, visibility="link_only").id],
        "entry_id": [entry.entry.id],
        "membership_type_id": [member.id],
        "account_id": [maren.id],
        "membership_id": [membership.id],
        "member_id": [membership.customer_id],
        "type_slug": [kind.slug],
        "customer_id": [customer.id],
        "note_id": [note],
        "booking_note_id": [booking_note],
        "job_id": list(jobs)[:1],
        "address": [f"{kind.slug}-{fetch(PrivateLink, link).key}"],
        "kind": ["booking_changed", "waiting_offer"],
        "key": [find_feed_key(maren.id)],
        "date": [str(day)],
        "chapter": ["zones"],
        "revision": [0],
        "token": ["no-such-token"],
        "passkey_id": ["no-such-passkey"],
        "sign_in_id": ["no-such-browser"],
        "form_secret": ["no-such-form"],
        **_setting_up(site, kind, day, now),
        **_staff(site, slug, now),
    }


def _staff(site: Any, slug: str, now: dt.datetime) -> dict[str, list[Any]]:
    """Somebody who works there, somebody who is invited, and a token."""
    own, rights = site.organisation_id, {site.id: ["RESERVATIONS_MANAGE"]}
    boss = make_staff(site, f"boss@{slug}.example", rights=RIGHTS, everywhere=True).id
    invited = invite(
        own, site.id, email=f"new@{slug}.example", name="", title="", rights=rights, by=boss,
        now=now,
    )  # fmt: skip
    return {
        "staff_id": [make_staff(site, f"worker@{slug}.example").id],
        "invitation_id": [invited],
        "token_id": [make_token(own, name="Till", rights=rights, by=boss, now=now)[0]],
    }


def _setting_up(site: Any, kind: Any, day: dt.date, now: dt.datetime) -> dict[str, list[Any]]:
    own = {"organisation_id": site.organisation_id}
    room, person = make_room(site), make_practitioner(site)
    group = make_group(kind, room, recurrence_start=day, recurrence_end=day)
    zone = save(Zone(**own, site_id=site.id, name="Waters"))
    category = save(Category(**own, slug=f"water-{site.slug}", name="Water"))
    closed = save(ClosedDay(**own, site_id=site.id, day=day, reason="", created_at=now))
    off = save(
        TimeOff(
            **own, practitioner_id=person.id, created_at=now,
            local_start=dt.datetime.combine(day, dt.time(9)),
            local_end=dt.datetime.combine(day, dt.time(10)),
        )
    )  # fmt: skip
    media = save(
        Media(
            **own, id=new_uuid(), file_name="art-weir.svg", mime_type="image/svg+xml", size=1,
            original_url="img/art-weir.svg", created_at=now,
        )
    )  # fmt: skip
    save(
        MediaFile(**own, media_id=media.id, width=480, mime_type="image/webp", content=b"a picture")
    )
    with transaction():
        work = begin(
            site.organisation_id, site.id, kind="cover", title="Cover for Tomas", items=[],
            key="one", account_id=None, back="", now=now,
        )  # fmt: skip
    rule = make_rule(kind, price=100, position=1).id
    kiosk = sign_in_kiosk(site.organisation_id, site.id, "Front door", by="staff", now=now)
    return {
        "room_id": [room.id],
        "venue_id": [site.id],
        "organisation_id": [site.organisation_id],
        "zone_id": [zone.id],
        "practitioner_id": [person.id],
        "person_id": [person.id],
        "category_id": [category.id],
        "category": [category.slug],
        "media_id": [media.id],
        "name": ["480.webp"],
        "report_name": ["occupancy", "revenue"],
        "group_id": [group.id],
        "series_id": [group.id],
        "recurrence_group_id": [group.id],
        "rule_id": [rule],
        "price_rule_id": [rule],
        "closed_day_id": [closed.id],
        "day_id": [closed.id],
        "group": list(GROUPS),
        "time_off_id": [off.id],
        "away_id": [off.id],
        "work_id": [work],
        "kiosk_id": [kiosk.partition(".")[0]],
        "code": ["0123456789abcdef0123"],
        "archive_id": [_archive(site.organisation_id, now)],
        **_webhook(site, now),
    }


def _webhook(site: Any, now: dt.datetime) -> dict[str, list[Any]]:
    """One of the site, and a test that waits to be sent."""
    keeper = Keeper(site.organisation_id, frozenset({(None, "SETTINGS_MANAGE")}))
    address, kinds = "https://hooks.example.com/sundial", ["booking.created"]
    wish = Wish("Door display", address, kinds, site.id)
    made = make_webhook(keeper, wish, by=None, seal_key="a key for tests", now=now)
    return {"webhook_id": [made.id], "delivery_id": [send_test(keeper, made.id, now=now)]}


def _archive(organisation_id: str, now: dt.datetime) -> str:
    """One that is there, for a week."""
    archive = Archive(
        organisation_id=organisation_id, asked_by_name="Imogen", size=3, rows=1,
        ready_at=now, expires_at=now + dt.timedelta(days=7), created_at=now,
    )  # fmt: skip
    save(archive)
    save(
        ArchivePart(
            organisation_id=organisation_id, archive_id=archive.id, position=0, content=b"zip"
        )
    )
    return archive.id


def values_of(rule: Rule, name: str, examples: Examples) -> Sequence[Any]:
    """What may stand for `name` in this rule; raises KeyError for a part without example."""
    own = next((it for part, plain, it in OF_ITS_OWN if part in rule.rule and plain == name), name)
    return examples[own]


def addresses(
    app: Flask, examples: Examples, method: str = "GET", *, most: int | None = None
) -> Iterator[tuple[Rule, str]]:
    """Every rule that answers `method`, in each way, or in `most` ways, to fill it in."""
    with app.test_request_context():
        for rule in app.url_map.iter_rules():
            if method not in (rule.methods or ()) or rule.endpoint.startswith("static"):
                continue
            names = sorted(rule.arguments)
            ways = itertools.product(*(values_of(rule, name, examples) for name in names))
            for values in itertools.islice(ways, most):
                built = rule.build(dict(zip(names, values, strict=True)))
                assert built is not None, rule
                yield rule, built[1]
