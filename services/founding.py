"""Beginning: an organisation with its first site and owner, and further sites of it."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from domain.errors import RuleBroken
from domain.passwords import check_password
from domain.people import check_email, check_name, email_key
from domain.venue_rules import (
    RESERVED_SLUGS,
    check_choice,
    check_code,
    check_line,
    check_slug,
    check_title,
    check_zone,
)
from domain.words import WEEKDAYS
from models import (
    RIGHTS,
    Account,
    Organisation,
    Site,
    StaffGrant,
    db,
    new_object_id,
    new_uuid,
    unbound,
)
from services.accounts import fresh_token, hash_password
from services.idempotency import once, retrying
from services.venue_settings import check_covers_all, currencies, locales

_USUAL = ("09:00", "21:00")


@dataclass(frozen=True, slots=True)
class Owner:
    """Who may do everything; a password for an address that has no account yet."""

    name: str
    email: str
    password: str


def found_organisation(
    name: str, code: str, site: Mapping[str, Any], owner: Owner, *, now: dt.datetime
) -> str:
    """An organisation, its first site and its owner with all rights; the site's slug.

    Refuses a code or a slug that is taken, and an owner whose address has an account already:
    whoever runs the installation must not open a door for somebody else's account. Raises
    RuleBroken with the field.
    """
    tidy, title, short = tidy_site(site), check_title(name, field="organisation"), check_code(code)
    who = check_name(owner.name, field="owner", who="the owner's name")
    email = check_email(owner.email)
    password = check_password(owner.password, email=email, name=who)

    def deed() -> str:
        _check_code_free(short)
        _check_slug_free(tidy["slug"])
        _check_address_free(email)
        organisation = Organisation(id=new_uuid(), name=title, code=short)
        account = Account(
            id=new_object_id(),
            email=email,
            email_key=email_key(email),
            name=who,
            password_hash=hash_password(password),
            session_token=fresh_token(),
            created_at=now,
        )
        db.session.add_all((organisation, account))
        db.session.flush()
        db.session.add(_site(organisation.id, tidy))
        db.session.add_all(
            StaffGrant(
                organisation_id=organisation.id, account_id=account.id, right=right, title="Owner"
            )
            for right in RIGHTS
        )
        db.session.flush()
        return str(tidy["slug"])

    return retrying(deed)


def add_site(
    organisation_id: str,
    account_id: str,
    wanted: Mapping[str, Any],
    *,
    key: str = "",
    now: dt.datetime,
) -> str:
    """Another site of an organisation; its slug.

    Raises NotAllowed unless the account may set up all sites, RuleBroken with the field.
    """
    check_covers_all(organisation_id, account_id)
    tidy = tidy_site(wanted)

    def deed() -> str:
        _check_slug_free(tidy["slug"])
        db.session.add(_site(organisation_id, tidy))
        db.session.flush()
        return str(tidy["slug"])

    return once(organisation_id, key, {"site": tidy}, deed, now)


def tidy_site(wanted: Mapping[str, Any]) -> dict[str, str]:
    """What a new site needs, checked; raises RuleBroken with the field."""
    return {name: rule(str(wanted.get(name, ""))) for name, rule in SITE_RULES.items()}


SITE_RULES: dict[str, Any] = {
    "name": lambda text: check_title(text, who="the venue's name"),
    "place": lambda text: check_line(text, field="place"),
    "slug": lambda text: check_slug(text, reserved=RESERVED_SLUGS),
    "zone": check_zone,
    "currency": lambda text: check_choice(text, currencies(), field="currency", what="a currency"),
    "locale": lambda text: check_choice(
        text or "en_GB", locales(), field="locale", what="a language and country"
    ),
}
"""What each field of a new site may be."""


def _site(organisation_id: str, tidy: Mapping[str, str]) -> Site:
    return Site(
        id=new_uuid(),
        organisation_id=organisation_id,
        opening_hours={day: list(_USUAL) for day in WEEKDAYS},
        **tidy,
    )


def _check_code_free(code: str) -> None:
    if db.session.scalar(sa.select(Organisation.id).where(Organisation.code == code)):
        raise RuleBroken(
            f"There is an organisation with the code {code} already.",
            code="code_taken",
            field="code",
        )


def _check_slug_free(slug: str) -> None:
    known = sa.select(Site.id).where(Site.slug == slug)
    everywhere = unbound("a site's slug is unique in the whole installation")
    if db.session.scalar(known, execution_options=everywhere):
        raise RuleBroken(
            f"The address /{slug} is taken. Choose another.", code="slug_taken", field="slug"
        )


def _check_address_free(email: str) -> None:
    if db.session.scalar(sa.select(Account.id).where(Account.email_key == email_key(email))):
        raise RuleBroken(
            f"{email} has an account already. Use another address for the owner.",
            code="email_taken",
            field="email",
        )
