"""What somebody holds in an organisation, read under the lock where it is about to change."""

from collections.abc import Collection, Iterable

import sqlalchemy as sa

from domain.roles import STAFF, WORDS, Grants, holds
from models import Account, Organisation, Site, StaffGrant, db, new_object_id

READ_ANEW = {"populate_existing": True}


def find_grants(organisation_id: str, account_id: str | None) -> Grants:
    """The rights of an account in an organisation, as they are now; none for nobody."""
    rows = db.session.execute(
        sa.select(StaffGrant.site_id, StaffGrant.right).where(
            StaffGrant.organisation_id == organisation_id, StaffGrant.account_id == account_id
        )
    )
    return frozenset((site_id, right) for site_id, right in rows)


def lock_rights(organisation_id: str) -> None:
    """Rights of one organisation change one after the other, in the caller's transaction.

    The organisation's row stands for all its grants: two owners who remove each other lock
    different rows of grants, and would both find that the other one stays.
    """
    db.session.execute(
        sa.select(Organisation.id)
        .where(Organisation.id == organisation_id)
        .with_for_update(key_share=True)
    )


def set_grants(
    organisation_id: str, account_id: str, before: Grants, after: Grants, *, title: str
) -> None:
    """Write the difference and the title, in the caller's transaction under `lock_rights`."""
    own = (StaffGrant.organisation_id == organisation_id, StaffGrant.account_id == account_id)
    db.session.add_all(
        StaffGrant(
            id=new_object_id(),
            organisation_id=organisation_id,
            account_id=account_id,
            site_id=site_id,
            right=right,
            title=title,
        )
        for site_id, right in sorted(after - before, key=str)
    )
    # Added first: what replaces the last right of its kind must stand before that one goes.
    db.session.flush()
    for site_id, right in before - after:
        _run(sa.delete(StaffGrant).where(*own, StaffGrant.right == right, _at(site_id)))
    _run(sa.update(StaffGrant).where(*own).values(title=title))


def count_other_managers(organisation_id: str, account_id: str) -> int:
    """How many people beside this one manage the staff of all sites."""
    query = sa.select(sa.func.count(sa.distinct(StaffGrant.account_id))).where(
        StaffGrant.organisation_id == organisation_id,
        StaffGrant.account_id != account_id,
        StaffGrant.right == STAFF,
        StaffGrant.site_id.is_(None),
    )
    return db.session.scalar(query) or 0


def list_sites(organisation_id: str) -> list[Site]:
    """The organisation's sites, in order of name."""
    query = sa.select(Site).where(Site.organisation_id == organisation_id)
    return list(db.session.scalars(query.order_by(Site.name, Site.place)))


def list_givers(organisation_id: str, site_id: str, rights: Collection[str]) -> list[str]:
    """The names of those who may give one of these rights at a site."""
    rows = db.session.execute(
        sa.select(Account.id, Account.name, StaffGrant.site_id, StaffGrant.right)
        .join(StaffGrant, StaffGrant.account_id == Account.id)
        .where(StaffGrant.organisation_id == organisation_id)
        .order_by(Account.name, Account.id)
    )
    people: dict[tuple[str, str], set[tuple[str | None, str]]] = {}
    for account_id, name, where, right in rows:
        people.setdefault((name, account_id), set()).add((where, right))
    return [name for (name, _), held in people.items() if _may_give(held, site_id, rights)]


def say_missing(rights: Iterable[str]) -> str:
    """“Set up” or “Reports”: the rights any one of which would do, as people read them."""
    return " or ".join(f"“{WORDS[right].name}”" for right in rights)


def _may_give(held: set[tuple[str | None, str]], site_id: str, rights: Collection[str]) -> bool:
    grants = frozenset(held)
    return holds(grants, STAFF, site_id) and any(holds(grants, one, site_id) for one in rights)


def _at(site_id: str | None) -> sa.ColumnElement[bool]:
    return StaffGrant.site_id.is_(None) if site_id is None else StaffGrant.site_id == site_id


def _run(statement: sa.Update | sa.Delete) -> None:
    db.session.execute(statement, execution_options={"synchronize_session": False})
