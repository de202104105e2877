"""Who may do everything in an organisation that was taken in."""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa

from domain.passwords import check_password
from domain.people import check_email, check_name, email_key
from models import RIGHTS, Account, StaffGrant, db, new_object_id
from services.accounts import fresh_token, hash_password


@dataclass(frozen=True, slots=True)
class Owner:
    """An address that gets every right at all sites; a password where it has none yet."""

    email: str
    name: str = ""
    password: str = ""


def give_all_rights(
    organisation_id: str, owner: Owner, made: Collection[str], *, now: dt.datetime
) -> str:
    """Give the owner's account all rights at all sites, in the caller's transaction; a note.

    The account is made where there is none. Its password is set only for one that is as new as
    that (`made` holds the normalised addresses): nobody gets another one's account by importing.
    Raises RuleBroken for an address or password that can't be.
    """
    email = check_email(owner.email)
    key = email_key(email)
    account = db.session.scalar(sa.select(Account).where(Account.email_key == key))
    is_new = account is None or key in made
    if account is None:
        account = Account(
            id=new_object_id(),
            email=email,
            email_key=key,
            name=check_name(owner.name or email.partition("@")[0], field="owner"),
            session_token=fresh_token(),
            created_at=now,
        )
        db.session.add(account)
    if owner.password and is_new and account.password_hash is None:
        word = check_password(owner.password, email=email, name=account.name)
        account.password_hash = hash_password(word)
    db.session.flush()
    _grant(organisation_id, account.id)
    if account.password_hash is None:
        return f"{email} may do everything, and chooses a password by mail at /account/sign-in."
    return f"{email} may do everything."


def _grant(organisation_id: str, account_id: str) -> None:
    held = db.session.scalars(
        sa.select(StaffGrant.right).where(
            StaffGrant.organisation_id == organisation_id,
            StaffGrant.account_id == account_id,
            StaffGrant.site_id.is_(None),
        )
    ).all()
    db.session.add_all(
        StaffGrant(organisation_id=organisation_id, account_id=account_id, right=it, title="Owner")
        for it in RIGHTS
        if it not in held
    )
    db.session.flush()
