"""Builders with good defaults: a test names only what it is about."""

import datetime as dt
import secrets
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from argon2 import PasswordHasher

from domain.eligibility import Viewer
from domain.intake import Field
from domain.local_time import end_of, to_utc
from domain.people import email_key
from models import (
    Account,
    Customer,
    Membership,
    MembershipType,
    Organisation,
    Practitioner,
    PriceRule,
    RecurrenceGroup,
    RecurrenceStartTime,
    Room,
    Session,
    SessionBooking,
    SessionType,
    Site,
    StaffGrant,
    db,
    new_object_id,
    new_uuid,
    unbound,
)
from services.basket import hold_places
from services.checkout import confirm_order, find_order
from services.intake import save_form

NOW = dt.datetime(2026, 6, 4, 9, 0, tzinfo=dt.UTC)


ANYWHERE = unbound("a test may look anywhere")


def fetch(model: Any, row_id: str) -> Any:
    """The row as the database has it now."""
    return db.session.get_one(model, row_id, populate_existing=True, execution_options=ANYWHERE)


def save(row: Any) -> Any:
    db.session.add(row)
    db.session.commit()
    return row


def make_organisation(**given: Any) -> Organisation:
    return save(
        Organisation(
            id=new_uuid(), **{"name": "Stillwater", "code": f"T{secrets.token_hex(3)}", **given}
        )
    )


def make_site(organisation: Organisation | None = None, **given: Any) -> Site:
    organisation = organisation or make_organisation()
    texts = {
        "headline": "Warm water",
        "lede": "Come in.",
        "strap": "By the river.",
        "description": "Bathing.",
        "legal": "Stillwater Ltd",
        "address": ["4 Weir Lane"],
        "hours": ["Daily, 7 to 22"],
        "directions": "By the bridge.",
        "facts": [],
        "hero_art": "img/art-weir.svg",
        "map_art": "",
    }
    defaults = {
        "slug": f"site-{secrets.token_hex(4)}",
        "name": "Stillwater",
        "place": "Bath",
        "zone": "Europe/London",
        "currency": "GBP",
        "phone": "01225 000000",
        "email": "hello@stillwater.example",
        "texts": texts,
        "brand": {},
    }
    return save(Site(id=new_uuid(), organisation_id=organisation.id, **{**defaults, **given}))


def make_room(site: Site, **given: Any) -> Room:
    defaults = {"name": "Spring Hall", "cap": 50}
    return save(
        Room(organisation_id=site.organisation_id, site_id=site.id, **{**defaults, **given})
    )


def make_practitioner(site: Site, **given: Any) -> Practitioner:
    defaults = {"name": "Tomas Vale"}
    return save(
        Practitioner(organisation_id=site.organisation_id, sites=[site], **{**defaults, **given})
    )


def make_type(site: Site | None = None, *, price: int | None = 4800, **given: Any) -> SessionType:
    """A public type that is offered online; `price` becomes one rule without conditions."""
    site = site or make_site()
    defaults = {
        "slug": f"type-{secrets.token_hex(4)}",
        "name": "Thermal circuit",
        "summary": "Two hours of warm water.",
        "currency": site.currency,
        "link_key": secrets.token_urlsafe(12),
        "duration": 120,
        "offered_online": True,
        "created_at": NOW,
        "updated_at": NOW,
    }
    row = save(
        SessionType(
            id=new_object_id(),
            organisation_id=site.organisation_id,
            site_id=site.id,
            **{**defaults, **given},
        )
    )
    if price is not None:
        make_rule(row, price=price)
    return row


def make_rule(
    session_type: SessionType, *, price: int, position: int = 0, **given: Any
) -> PriceRule:
    return save(
        PriceRule(
            organisation_id=session_type.organisation_id,
            session_type_id=session_type.id,
            price=price,
            position=position,
            **given,
        )
    )


def make_session(
    session_type: SessionType | None = None,
    *,
    local_start: str | dt.datetime = "2026-06-12T18:00",
    **given: Any,
) -> Session:
    """A session at a wall time of its site; eight places unless said otherwise."""
    session_type = session_type or make_type()
    site = fetch(Site, session_type.site_id)
    local = dt.datetime.fromisoformat(local_start) if isinstance(local_start, str) else local_start
    start = to_utc(local, ZoneInfo(site.zone))
    defaults = {
        "session_type_name": session_type.name,
        "capacity": 8,
        "max_baskets": session_type.max_baskets_per_session,
        "waitlist_enabled": session_type.waitlist_enabled,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return save(
        Session(
            id=new_object_id(),
            organisation_id=site.organisation_id,
            site_id=site.id,
            session_type_id=session_type.id,
            local_start=local,
            start_time=start,
            end_time=end_of(start, session_type.duration),
            **{**defaults, **given},
        )
    )


def make_group(session_type: SessionType, room: Room | None, **given: Any) -> RecurrenceGroup:
    times = given.pop("start_times", [dt.time(9), dt.time(18)])
    defaults = {
        "weekdays": ["monday", "thursday"],
        "capacity": 8,
        "recurrence_start": dt.date(2026, 6, 1),
        "recurrence_end": dt.date(2026, 6, 30),
    }
    group = RecurrenceGroup(
        id=new_object_id(),
        organisation_id=session_type.organisation_id,
        session_type_id=session_type.id,
        room_id=room.id if room else None,
        **{**defaults, **given},
    )
    group.start_times = [
        RecurrenceStartTime(organisation_id=session_type.organisation_id, value=value)
        for value in times
    ]
    return save(group)


@cache
def hash_once(password: str) -> str:
    """Quicker than a real one, which is slow on purpose: how slow is said in the hash itself."""
    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(password)


def make_account(
    email: str = "ana@example.com", name: str = "Ana Reyes", password: str = "quiet-rooms"
) -> Account:
    return save(
        Account(
            email=email,
            email_key=email_key(email),
            name=name,
            password_hash=hash_once(password),
            session_token=secrets.token_urlsafe(8),
            created_at=NOW,
        )
    )


def make_customer(organisation_id: str, account: Account | None = None, **given: Any) -> Customer:
    defaults = {"name": "Ana Reyes", "email": "ana@example.com", "created_at": NOW}
    values = {**defaults, **given}
    return save(
        Customer(
            organisation_id=organisation_id,
            account_id=account.id if account else None,
            **{
                "email_key": email_key(values["email"]),
                "address_key": email_key(values["email"]),
                **values,
            },
        )
    )


def make_member(
    organisation_id: str,
    account: Account,
    *,
    first_day: dt.date = dt.date(2026, 1, 1),
    last_day: dt.date | None = None,
) -> MembershipType:
    """A membership type that `account` holds as a customer of the organisation."""
    kind = save(MembershipType(id=new_uuid(), organisation_id=organisation_id, name="River"))
    customer = make_customer(organisation_id, account, email=account.email, name=account.name)
    save(
        Membership(
            organisation_id=organisation_id,
            customer_id=customer.id,
            membership_type_id=kind.id,
            first_day=first_day,
            last_day=last_day,
            created_at=NOW,
        )
    )
    return kind


def make_staff(
    site: Site,
    email: str = "maren@example.com",
    *,
    rights: tuple[str, ...] = ("RESERVATIONS_MANAGE",),
    everywhere: bool = False,
    password: str = "thermal-waters",
) -> Account:
    account = make_account(email, "Maren Ellis", password)
    for right in rights:
        save(
            StaffGrant(
                account_id=account.id,
                organisation_id=site.organisation_id,
                site_id=None if everywhere else site.id,
                right=right,
                title="Front desk",
            )
        )
    return account


def make_form(session_type: SessionType, *fields: Field, expected: int = 0) -> int | None:
    """The type asks these from now on; the version."""
    return save_form(
        session_type.organisation_id,
        session_type.site_id,
        session_type.id,
        fields,
        expected=expected,
        now=NOW,
    )


def make_order(
    session: Session,
    *,
    email: str = "ana@example.com",
    name: str = "Ana Reyes",
    guests: int = 1,
    people: tuple[str, ...] = (),
    who: list[tuple[int, ...]] | None = None,
    account_id: str | None = None,
    now: dt.datetime = NOW,
) -> str:
    """A confirmed order of one line, by a guest unless an account is named; its secret.

    `people` are the names of the guests after the booker.
    """
    secret = hold_places(
        session.organisation_id,
        session.id,
        session_type_id=session.session_type_id,
        guests=guests,
        viewer=Viewer(),
        basket_secret=None,
        account_id=account_id,
        now=now,
    )
    return confirm_order(
        session.organisation_id,
        secret,
        name=name,
        email=email,
        people=people,
        who=who,
        account_id=account_id,
        now=now,
    )


def make_booked_line(
    session: Session,
    *,
    guests: int = 1,
    names: tuple[str, ...] = (),
    who: tuple[int, ...] | None = None,
    name: str = "Ana Reyes",
    now: dt.datetime = NOW,
) -> SessionBooking:
    """The one booking of such an order; `who` are the numbers of those who come (booker: 0)."""
    chosen = None if who is None else [who]
    secret = make_order(session, guests=guests, people=names, who=chosen, name=name, now=now)
    return find_order(secret).items[0].booking
