"""The people who work for an organisation, and what each may do at which of its sites."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from domain.editing import EditedMeanwhile, check_edit, mark_of_values
from domain.errors import ImpactChanged, NotFound
from domain.people import MAX_NAME
from domain.roles import (
    BeyondOwnRights,
    Grants,
    check_giving,
    check_keeps_own,
    check_sites,
    check_somebody_stays,
    givable,
    may_touch,
    may_touch_all,
    say_rights,
)
from domain.venue_rules import check_line
from models import Account, Site, StaffGrant, db
from services.accounts import lock_account
from services.idempotency import retrying
from services.sign_ins import end_all_of, last_signed_in
from services.staff_rights import (
    READ_ANEW,
    count_other_managers,
    find_grants,
    list_sites,
    lock_rights,
    set_grants,
)

PAGE = 50
EVERYWHERE = "all"
"""The scope that stands for all sites, in forms and addresses."""


@dataclass(frozen=True, slots=True)
class Scope:
    """A site, or all sites: what somebody holds there, and what the reader may change of it."""

    key: str
    site_id: str | None
    name: str
    held: frozenset[str]
    givable: frozenset[str]
    is_open: bool

    @property
    def said(self) -> str:
        """The role's name, or the rights."""
        return say_rights(self.held)


@dataclass(frozen=True, slots=True)
class StaffPerson:
    """Somebody with rights in the organisation."""

    id: str
    name: str
    email: str
    title: str
    grants: Grants

    def held_at(self, site_id: str | None) -> frozenset[str]:
        """The rights given for this scope itself."""
        return frozenset(right for where, right in self.grants if where == site_id)

    def may_at(self, site_id: str) -> frozenset[str]:
        """What they may do at a site, rights at all sites included."""
        return self.held_at(None) | self.held_at(site_id)


@dataclass(frozen=True, slots=True)
class StaffLine:
    """A person in the list, with their rights in words: a scope's name and what they hold there."""

    person: StaffPerson
    access: tuple[tuple[str, str], ...]
    is_own: bool
    signed_in_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class StaffPage:
    """One page of people."""

    lines: tuple[StaffLine, ...]
    total: int
    page: int
    pages: int


def list_staff(
    organisation_id: str,
    *,
    own_id: str,
    search: str = "",
    site_id: str = "",
    page: int = 1,
    size: int = PAGE,
) -> StaffPage:
    """Who has rights in the organisation, by name; `site_id` leaves those who may work there."""
    has = [StaffGrant.organisation_id == organisation_id, StaffGrant.account_id == Account.id]
    if site_id:
        has.append(sa.or_(StaffGrant.site_id.is_(None), StaffGrant.site_id == site_id))
    matches: list[sa.ColumnElement[bool]] = [
        sa.exists(sa.select(StaffGrant.id).where(*has).correlate(Account))
    ]
    if search:
        text = search.lower()
        matches.append(
            sa.or_(
                sa.func.lower(Account.name).contains(text, autoescape=True),
                Account.email_key.contains(text, autoescape=True),
            )
        )
    total = db.session.scalar(sa.select(sa.func.count(Account.id)).where(*matches)) or 0
    pages = max(1, -(-total // size))
    page = min(max(1, page), pages)
    accounts = db.session.scalars(
        sa.select(Account)
        .where(*matches)
        .order_by(sa.func.lower(Account.name), Account.id)
        .limit(size)
        .offset((page - 1) * size)
    ).all()
    sites = list_sites(organisation_id)
    people = _people(organisation_id, accounts)
    seen = last_signed_in(one.id for one in people)
    lines = tuple(
        StaffLine(one, access_of(one.grants, sites), one.id == own_id, seen.get(one.id))
        for one in people
    )
    return StaffPage(lines, total, page, pages)


def find_person(organisation_id: str, staff_id: str) -> StaffPerson:
    """Somebody with rights in this organisation; raises NotFound for everybody else."""
    account = db.session.get(Account, staff_id)
    people = _people(organisation_id, [account]) if account else []
    if not people or not people[0].grants:
        raise NotFound("We couldn't find that person among your staff.")
    return people[0]


def list_scopes(organisation_id: str, held: Grants, theirs: Grants) -> list[Scope]:
    """All sites first, then each: what `theirs` are there, and what `held` may make of it."""
    named: list[tuple[str, str | None, str]] = [(EVERYWHERE, None, "All venues")]
    named += [(site.id, site.id, site.full_name) for site in list_sites(organisation_id)]
    return [
        Scope(
            key,
            site_id,
            name,
            frozenset(right for where, right in theirs if where == site_id),
            givable(held, site_id),
            may_touch(held, site_id),
        )
        for key, site_id, name in named
    ]


def values_of(person: StaffPerson) -> dict[str, Any]:
    """What the editor shows and saves: the title, and a list of rights for each scope."""
    values: dict[str, Any] = {"title": person.title}
    for site_id in sorted({where or EVERYWHERE for where, _ in person.grants}):
        rights = person.held_at(None if site_id == EVERYWHERE else site_id)
        values[site_id] = sorted(rights)
    return values


def mark_of(person: StaffPerson) -> str:
    """What a page showed of somebody's rights (D4)."""
    return mark_of_values(values_of(person))


def save_person(
    organisation_id: str,
    staff_id: str,
    rights: Mapping[str, Collection[str]],
    *,
    title: str | None = None,
    by: str,
    seen: str,
    is_sure: bool = False,
) -> StaffPerson:
    """Set somebody's rights in the scopes named by `rights`; others stay as they are (D4).

    `by` is the account that gives them, whose own rights are read under the lock. Raises
    NotFound, EditedMeanwhile, BeyondOwnRights, OwnStaffRight, LastStaffManager. The title changes
    only for who may change all of the person's rights.
    """
    called = None if title is None else check_line(title, field="title", most=MAX_NAME)
    wanted = grants_of_scopes(rights)

    def deed() -> StaffPerson:
        lock_rights(organisation_id)
        person, held = find_person(organisation_id, staff_id), find_grants(organisation_id, by)
        check_sites(wanted, {site.id for site in list_sites(organisation_id)})
        _check_seen(person, rights, called, seen)
        scopes = {None if key == EVERYWHERE else key for key in rights}
        kept = frozenset(one for one in person.grants if one[0] not in scopes)
        after = kept | wanted
        check_giving(held, person.grants, after)
        is_own = by == staff_id
        check_keeps_own(person.grants, after, is_own=is_own, is_sure=is_sure)
        _check_stays(organisation_id, person, after)
        may_name = called is not None and may_touch_all(held, person.grants)
        name = called if may_name and called is not None else person.title
        set_grants(organisation_id, staff_id, person.grants, after, title=name)
        return StaffPerson(person.id, person.name, person.email, name, after)

    return retrying(deed)


def remove_person(organisation_id: str, staff_id: str, *, by: str, seen: str) -> None:
    """End all rights of somebody; the next page they open is refused.

    Raises ImpactChanged when their rights are not what the page showed, BeyondOwnRights,
    LastStaffManager, NotFound.
    """

    def deed() -> None:
        lock_rights(organisation_id)
        person, held = find_person(organisation_id, staff_id), find_grants(organisation_id, by)
        if mark_of(person) != seen:
            raise ImpactChanged
        check_giving(held, person.grants, frozenset())
        _check_stays(organisation_id, person, frozenset())
        set_grants(organisation_id, staff_id, person.grants, frozenset(), title=person.title)

    retrying(deed)


def sign_out_person(organisation_id: str, staff_id: str, *, by: str, now: dt.datetime) -> None:
    """Sign a colleague out on every browser; rights and account stay.

    For who manages the staff wherever that person works. Raises BeyondOwnRights, NotFound.
    """

    def deed() -> None:
        lock_rights(organisation_id)
        person = find_person(organisation_id, staff_id)
        if not may_touch_all(find_grants(organisation_id, by), person.grants):
            raise BeyondOwnRights(
                f"{person.name} also works at venues whose staff you don't manage."
            )
        end_all_of(lock_account(staff_id), now=now)

    retrying(deed, "Signed out everywhere")


def access_of(grants: Grants, sites: Sequence[Site]) -> tuple[tuple[str, str], ...]:
    """Rights in words: “All venues” or a site's name, and the role or the rights there."""
    named: list[tuple[str | None, str]] = [(None, "All venues")]
    named += [(site.id, site.full_name) for site in sites]
    held = {key: frozenset(r for where, r in grants if where == key) for key, _ in named}
    return tuple((name, say_rights(held[key])) for key, name in named if held[key])


def grants_of_scopes(rights: Mapping[str, Collection[str]]) -> Grants:
    """Grants of scopes by their keys: a site's id, or EVERYWHERE."""
    return frozenset(
        (None if key == EVERYWHERE else key, right)
        for key, several in rights.items()
        for right in several
    )


def _check_seen(
    person: StaffPerson, rights: Mapping[str, Collection[str]], title: str | None, seen: str
) -> None:
    kept = values_of(person)
    if seen == mark_of_values(kept):
        return
    wanted: dict[str, Any] = {key: sorted(several) for key, several in rights.items()}
    if title is not None:
        wanted["title"] = title
    try:
        # A scope without rights is not among the values that are kept.
        check_edit({**{key: [] for key in rights}, **kept}, wanted, seen)
    except EditedMeanwhile as edited:
        raise EditedMeanwhile(edited.differences, mark_of_values(kept)) from edited


def _check_stays(organisation_id: str, person: StaffPerson, after: Grants) -> None:
    others = count_other_managers(organisation_id, person.id)
    check_somebody_stays(person.grants, after, others=others)


def _people(organisation_id: str, accounts: Iterable[Account]) -> list[StaffPerson]:
    by_account: dict[str, list[StaffGrant]] = defaultdict(list)
    listed = list(accounts)
    rows = db.session.scalars(
        sa.select(StaffGrant)
        .where(
            StaffGrant.organisation_id == organisation_id,
            StaffGrant.account_id.in_([account.id for account in listed]),
        )
        .order_by(StaffGrant.id)
        .execution_options(**READ_ANEW)
    )
    for row in rows:
        by_account[row.account_id].append(row)
    return [_person(account, by_account[account.id]) for account in listed]


def _person(account: Account, rows: Sequence[StaffGrant]) -> StaffPerson:
    return StaffPerson(
        account.id,
        account.name,
        account.email,
        next((row.title for row in rows if row.title), ""),
        frozenset((row.site_id, row.right) for row in rows),
    )
