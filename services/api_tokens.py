"""Tokens with which programs work for an organisation: shown once, kept hashed.

A token is the organisation's, not its maker's: it stays when the maker leaves, so that a till or
a door does not stop at night because somebody changed jobs. The list says that they have left,
and whoever manages staff can revoke it.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from domain.api_tokens import NOTED_EVERY, hash_of, is_token, new_token
from domain.errors import NotFound, RuleBroken
from domain.people import check_name
from domain.roles import BeyondOwnRights, Grants, check_giving, check_sites, holds, may_touch_all
from models import (
    Account,
    ApiToken,
    ApiTokenGrant,
    Organisation,
    Site,
    StaffGrant,
    db,
    new_object_id,
    transaction,
    unbound,
)
from services.idempotency import once, retrying
from services.staff import EVERYWHERE, access_of, grants_of_scopes
from services.staff_rights import find_grants, list_sites, lock_rights

_BY_TOKEN = unbound("a token proves its organisation; nothing else says which it is")


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whoever sends a token that works: for which organisation, with which rights."""

    organisation_id: str
    token_id: str
    name: str
    grants: Grants

    @property
    def site_ids(self) -> frozenset[str] | None:
        """The sites that it has any right at; None for all of them, those to come included."""
        named = {site_id for site_id, _ in self.grants}
        return None if None in named else frozenset(one for one in named if one)

    def has_access(self, site_id: str) -> bool:
        """Whether it may look at what is of this site: any right there is enough (CONTRACT 9)."""
        return self.site_ids is None or site_id in self.site_ids

    def may(self, right: str, site_id: str | None) -> bool:
        """Whether it holds a right at a site; at None, at all of them."""
        return holds(self.grants, right, site_id)

    def may_somewhere(self, right: str) -> bool:
        """Whether it holds a right at any site at all."""
        return any(held == right for _, held in self.grants)


@dataclass(frozen=True, slots=True)
class TokenLine:
    """A token in the list; the token itself is in no list."""

    id: str
    name: str
    hint: str
    access: tuple[tuple[str, str], ...]
    made_by: str
    has_left: bool
    """Whoever made it has no rights here any more."""
    created_at: dt.datetime
    expires_at: dt.datetime | None
    last_used_at: dt.datetime | None
    state: str
    is_mine_to_revoke: bool


def make_token(
    organisation_id: str,
    *,
    name: str,
    rights: Mapping[str, Collection[str]],
    by: str | None,
    expires_at: dt.datetime | None = None,
    key: str = "",
    now: dt.datetime,
) -> tuple[str, str]:
    """A new token: its id, and the token itself, which nobody is shown again.

    `rights` by scope (a site's id, or EVERYWHERE) are never beyond those of `by`; None is
    whoever runs the installation. The same form twice makes one, and the second answer has ""
    for the token (H6). Raises RuleBroken with the field, BeyondOwnRights, NotFound.
    """
    called = check_name(name, who="a name for it")
    wanted = grants_of_scopes(rights)
    if not wanted:
        raise RuleBroken("Choose at least one right.", code="no_rights", field="scopes")
    if expires_at is not None and expires_at <= now:
        raise RuleBroken("Choose an end in the future.", code="expires_past", field="lasts")
    plain = new_token()
    made: list[str] = []
    listed = sorted(f"{site_id or ''}:{right}" for site_id, right in wanted)
    # The end is "so many days from now": the same press a second later means the same.
    lasts = (expires_at - now).days if expires_at else None
    body = {"token": called, "grants": listed, "lasts": lasts}

    def deed() -> str:
        made.clear()
        lock_rights(organisation_id)
        check_sites(wanted, {site.id for site in list_sites(organisation_id)})
        maker = db.session.get(Account, by) if by else None
        if by is not None:
            check_giving(find_grants(organisation_id, by), frozenset(), wanted)
        row = ApiToken(
            id=new_object_id(),
            organisation_id=organisation_id,
            name=called,
            token_hash=hash_of(plain),
            hint=plain[-4:],
            created_by_id=maker.id if maker else None,
            created_by_name=maker.name if maker else "",
            created_at=now,
            expires_at=expires_at,
        )
        db.session.add(row)
        db.session.flush()
        db.session.add_all(
            ApiTokenGrant(
                organisation_id=organisation_id, token_id=row.id, site_id=site_id, right=right
            )
            for site_id, right in wanted
        )
        db.session.flush()
        made.append(row.id)
        return row.id

    token_id = once(organisation_id, key, body, deed, now)
    return token_id, plain if made == [token_id] else ""


def find_token(plain: str, now: dt.datetime) -> Bearer | None:
    """Whoever sends this token; None for one that is unknown, ended or revoked.

    Found by its hash under a unique index: how long that takes says nothing about other tokens.
    """
    if not is_token(plain):
        return None
    rows = db.session.execute(
        sa.select(ApiToken, ApiTokenGrant.site_id, ApiTokenGrant.right)
        .join(ApiTokenGrant, ApiTokenGrant.token_id == ApiToken.id)
        .where(
            ApiToken.token_hash == hash_of(plain),
            ApiToken.revoked_at.is_(None),
            sa.or_(ApiToken.expires_at.is_(None), ApiToken.expires_at > now),
        ),
        execution_options=_BY_TOKEN,
    ).all()
    if not rows:
        return None
    grants = frozenset((site_id, right) for _, site_id, right in rows)
    row = rows[0][0]
    return Bearer(row.organisation_id, row.id, row.name, grants)


def note_use(token_id: str, now: dt.datetime) -> bool:
    """Keep when a token was used last, at most once a minute; whether it was written now.

    The one write that a GET of a program may cause: it changes nothing that anybody is shown or
    can do (H7), and without it nobody could tell a token in use from one that can go. Nearly
    every call only looks, so no request waits for SQLite's write lock. The update repeats the
    question: of many at once, one writes.
    """
    due = sa.or_(ApiToken.last_used_at.is_(None), ApiToken.last_used_at <= now - NOTED_EVERY)
    is_it = ApiToken.id == token_id
    query = sa.select(ApiToken.id).where(is_it, due)
    if db.session.scalar(query, execution_options=_BY_TOKEN) is None:
        return False
    with transaction():
        written = db.session.execute(
            sa.update(ApiToken).where(is_it, due).values(last_used_at=now),
            execution_options={**_BY_TOKEN, "synchronize_session": False},
        )
        return bool(getattr(written, "rowcount", 0))


def list_tokens(organisation_id: str, *, own_id: str, now: dt.datetime) -> list[TokenLine]:
    """All tokens of an organisation: those that work first, the newest first."""
    rows = db.session.scalars(
        sa.select(ApiToken)
        .where(ApiToken.organisation_id == organisation_id)
        .order_by(
            sa.case((ApiToken.revoked_at.is_(None), 0), else_=1),
            ApiToken.created_at.desc(),
            ApiToken.id,
        )
        .limit(200)
    ).all()
    return _lines(organisation_id, rows, own_id, now)


def find_line(organisation_id: str, token_id: str, *, own_id: str, now: dt.datetime) -> TokenLine:
    """One token of the list; raises NotFound."""
    row = db.session.scalar(_one(organisation_id, token_id))
    if row is None:
        raise NotFound("We couldn't find that token.")
    return _lines(organisation_id, [row], own_id, now)[0]


def revoke_token(organisation_id: str, token_id: str, *, by: str, now: dt.datetime) -> None:
    """It opens nothing from now on; again changes nothing. Raises NotFound, BeyondOwnRights."""

    def deed() -> None:
        lock_rights(organisation_id)
        row = db.session.scalar(_one(organisation_id, token_id).with_for_update())
        if row is None:
            raise NotFound("We couldn't find that token.")
        grants = _grants_of(organisation_id, [row.id])[row.id]
        if not may_touch_all(find_grants(organisation_id, by), grants):
            raise BeyondOwnRights("That token works at venues whose staff you don't manage.")
        row.revoked_at = row.revoked_at or now

    retrying(deed)


def make_token_for(
    organisation: str, rights: Collection[str], *, site: str = "", name: str, now: dt.datetime
) -> str:
    """A token for whoever runs the installation, by the organisation's name or code.

    At all sites, or at the one with this slug. Raises RuleBroken where one is not known.
    """
    wanted = organisation.strip().casefold()
    found = [
        row
        for row in db.session.scalars(sa.select(Organisation))
        if wanted in (row.name.casefold(), row.code.casefold(), row.id)
    ]
    if len(found) != 1:
        problem = "Several organisations are" if found else "No organisation is"
        raise RuleBroken(
            f"{problem} called {organisation}. Name it by its code.", field="organisation"
        )
    scope = EVERYWHERE
    if site:
        own = sa.select(Site.id).where(
            Site.organisation_id == found[0].id, Site.slug == site.strip()
        )
        scope = db.session.scalar(own) or ""
        if not scope:
            raise RuleBroken(f"{found[0].name} has no venue at /{site}.", field="site")
    _, plain = make_token(found[0].id, name=name, rights={scope: rights}, by=None, now=now)
    return plain


def _one(organisation_id: str, token_id: str) -> Any:
    return (
        sa.select(ApiToken)
        .where(ApiToken.organisation_id == organisation_id, ApiToken.id == token_id)
        .execution_options(populate_existing=True)
    )


def _lines(
    organisation_id: str, rows: Collection[ApiToken], own_id: str, now: dt.datetime
) -> list[TokenLine]:
    sites, held = list_sites(organisation_id), find_grants(organisation_id, own_id)
    grants = _grants_of(organisation_id, [row.id for row in rows])
    staff = set(
        db.session.scalars(
            sa.select(StaffGrant.account_id).where(
                StaffGrant.organisation_id == organisation_id,
                StaffGrant.account_id.in_({row.created_by_id for row in rows} - {None}),
            )
        )
    )
    return [
        TokenLine(
            row.id,
            row.name,
            row.hint,
            access_of(grants[row.id], sites),
            row.created_by_name,
            bool(row.created_by_name) and row.created_by_id not in staff,
            row.created_at,
            row.expires_at,
            row.last_used_at,
            _state(row, now),
            may_touch_all(held, grants[row.id]),
        )
        for row in rows
    ]


def _grants_of(organisation_id: str, token_ids: Collection[str]) -> dict[str, Grants]:
    found: dict[str, Grants] = defaultdict(frozenset)
    rows = db.session.execute(
        sa.select(ApiTokenGrant.token_id, ApiTokenGrant.site_id, ApiTokenGrant.right).where(
            ApiTokenGrant.organisation_id == organisation_id,
            ApiTokenGrant.token_id.in_(token_ids),
        )
    )
    for token_id, site_id, right in rows:
        found[token_id] = found[token_id] | {(site_id, right)}
    return found


def _state(row: ApiToken, now: dt.datetime) -> str:
    if row.revoked_at is not None:
        return "revoked"
    return "expired" if row.expires_at is not None and row.expires_at <= now else "live"
