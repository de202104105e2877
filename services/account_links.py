"""Asking for a link by mail, and using it: register, sign in, reset a password."""

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from domain.account_links import (
    LIFETIME,
    MAILS_AN_HOUR,
    REGISTER,
    RESET,
    SIGN_IN,
    LinkGone,
    LinkUnknown,
    check_link,
)
from domain.errors import NotFound
from domain.passwords import check_password
from domain.people import check_email, check_name, email_key
from models import Account, AccountLink, SignInTry, db, new_object_id, new_uuid, transaction
from services.account_joining import join_guest_bookings
from services.accounts import (
    Identity,
    fresh_token,
    hash_password,
    identity_of,
    lock_account,
)
from services.idempotency import retrying
from services.letters import post
from services.sign_in import forget_tries, lock_tries, tries_of
from services.sign_ins import end_all_of


@dataclass(frozen=True, slots=True)
class OpenLink:
    """A link that still works."""

    id: str
    purpose: str
    email: str
    name: str
    next: str
    account_id: str | None


def request_account(email: str, name: str, *, next: str = "", who: str, now: dt.datetime) -> None:
    """Mail a link that opens an account, or signs in where there is one; nobody is told which."""
    check_name(name)
    _request(
        email,
        name=name,
        next=next,
        who=who,
        now=now,
        known=(SIGN_IN, "already_registered"),
        unknown=(REGISTER, "register"),
    )


def request_sign_in(email: str, *, next: str = "", who: str, now: dt.datetime) -> None:
    """Mail a sign-in link; an address without an account gets the way to open one."""
    _request(
        email,
        next=next,
        who=who,
        now=now,
        known=(SIGN_IN, "sign_in"),
        unknown=(REGISTER, "no_account"),
    )


def request_reset(email: str, *, next: str = "", who: str, now: dt.datetime) -> None:
    """Mail a link that changes the password; the same for all, as above."""
    _request(
        email,
        next=next,
        who=who,
        now=now,
        known=(RESET, "reset"),
        unknown=(REGISTER, "no_account"),
    )


def find_link(link_id: str, purpose: str, *, now: dt.datetime) -> OpenLink:
    """The link as it stands; raises LinkUnknown, LinkGone. Looking uses nothing up (H7)."""
    link = _find(link_id, purpose)
    check_link(expires_at=link.expires_at, used_at=link.used_at, now=now)
    return OpenLink(link.id, link.purpose, link.email, link.name, link.next, link.account_id)


def open_account(
    link_id: str, *, name: str, password: str, who: str, now: dt.datetime
) -> tuple[Identity, bool]:
    """Make the account that a register link stands for, and whether it is new.

    The address is proved by the link, so earlier guest bookings join it. Without a password its
    owner signs in by mailed links. Where the account was made meanwhile, it is signed in to as
    it is. Raises RuleBroken for name and password, LinkGone, LinkUnknown.
    """
    link = find_link(link_id, REGISTER, now=now)
    called = check_name(name)
    hashed = hashed_password(password, link.email, called) if password else None

    def deed() -> tuple[Identity, bool]:
        use_link(link_id, REGISTER, now=now)
        account = account_of(link.email)
        is_new = account is None
        if account is None:
            account = add_account(link.email, called, hashed, now)
        join_guest_bookings(account, now=now)
        forget_tries(who)
        return identity_of(account), is_new

    return retrying(deed)


def sign_in_by_link(link_id: str, *, who: str, now: dt.datetime) -> Identity:
    """Use a sign-in link; it proves the address again, so guest bookings join. Raises LinkGone."""

    def deed() -> Identity:
        account = _owner(use_link(link_id, SIGN_IN, now=now))
        join_guest_bookings(account, now=now)
        forget_tries(who)
        return identity_of(account)

    return retrying(deed)


def reset_password(link_id: str, password: str, *, who: str, now: dt.datetime) -> Identity:
    """Change the password by a reset link: signed out everywhere, other open links used up.

    Raises RuleBroken for the password, LinkGone, LinkUnknown.
    """
    link = find_link(link_id, RESET, now=now)
    account = db.session.get(Account, link.account_id or "")
    hashed = hashed_password(password, link.email, account.name if account else "")

    def deed() -> Identity:
        account = _owner(use_link(link_id, RESET, now=now))
        set_password(account, hashed, now=now)
        join_guest_bookings(account, now=now)
        forget_tries(who)
        return identity_of(account)

    return retrying(deed)


def change_password(
    account_id: str, *, password: str, now: dt.datetime, field: str = "password"
) -> Identity:
    """A new password for who has proved the old one; raises RuleBroken on `field`."""
    account = db.session.get(Account, account_id)
    if account is None:
        raise NotFound("That account has been closed.")
    hashed = hashed_password(password, account.email, account.name, field=field)

    def deed() -> Identity:
        account = lock_account(account_id)
        set_password(account, hashed, now=now)
        return identity_of(account)

    return retrying(deed)


def set_password(account: Account, hashed: str, *, now: dt.datetime) -> None:
    """The change itself and what follows from it, in the caller's transaction."""
    account.password_hash = hashed
    end_all_of(account, now=now)
    end_links(account.id, now=now)
    post(
        "password_changed",
        {"to": account.email, "name": account.name},
        dedupe_key=account.session_token,
        now=now,
    )


def use_link(link_id: str, purpose: str, *, now: dt.datetime) -> AccountLink:
    """The link, used up in the caller's transaction: of two at once, one gets LinkGone."""
    link = _find(link_id, purpose, lock=True)
    check_link(expires_at=link.expires_at, used_at=link.used_at, now=now)
    link.used_at = now
    return link


def end_links(account_id: str, *, now: dt.datetime) -> None:
    """Use up the account's open links, in the caller's transaction."""
    db.session.flush()
    db.session.execute(
        sa.update(AccountLink)
        .where(AccountLink.account_id == account_id, AccountLink.used_at.is_(None))
        .values(used_at=now),
        execution_options={"synchronize_session": False},
    )


def add_link(
    purpose: str,
    email: str,
    *,
    account_id: str | None,
    name: str = "",
    next: str = "",
    now: dt.datetime,
) -> AccountLink:
    """A fresh link, in the caller's transaction."""
    link = AccountLink(
        id=new_uuid(),
        purpose=purpose,
        account_id=account_id,
        email=email,
        name=name,
        next=next,
        created_at=now,
        expires_at=now + LIFETIME[purpose],
    )
    db.session.add(link)
    db.session.flush()
    return link


def may_mail(who: str, *, now: dt.datetime) -> bool:
    """Count a mail to this address; False when it has had its share of this hour."""
    box = f"mail:{who}"
    lock_tries(box)
    if len(tries_of(box, since=now - dt.timedelta(hours=1))) >= MAILS_AN_HOUR:
        return False
    db.session.add(SignInTry(id=new_object_id(), who=box, tried_at=now))
    return True


def _request(
    email: str,
    *,
    name: str = "",
    next: str,
    who: str,
    now: dt.datetime,
    known: tuple[str, str],
    unknown: tuple[str, str],
) -> None:
    """The same work for both: one look, one link, one letter, so that time tells nothing."""
    address = check_email(email)
    with transaction():
        if not may_mail(who, now=now):
            return
        account = account_of(address)
        purpose, letter = known if account else unknown
        link = add_link(
            purpose,
            account.email if account else address,
            account_id=account.id if account else None,
            name=check_name(name) if name and not account else "",
            next=next,
            now=now,
        )
        post(letter, {"link": link.id}, dedupe_key=link.id, now=now)


def _find(link_id: str, purpose: str, *, lock: bool = False) -> AccountLink:
    query = sa.select(AccountLink).where(AccountLink.id == link_id, AccountLink.purpose == purpose)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    link = db.session.scalar(query)
    if link is None:
        raise LinkUnknown
    return link


def _owner(link: AccountLink) -> Account:
    """The account of a link, if that address is still its own."""
    account = lock_account(link.account_id or "")
    if account.email_key != email_key(link.email):
        raise LinkGone("This link is too old to use.", code="link_expired")
    return account


def account_of(email: str) -> Account | None:
    """The account of an address, however it is spelled."""
    return db.session.scalar(sa.select(Account).where(Account.email_key == email_key(email)))


def add_account(email: str, name: str, hashed: str | None, now: dt.datetime) -> Account:
    """A new account of a proved address, in the caller's transaction."""
    account = Account(
        id=new_object_id(),
        email=email,
        email_key=email_key(email),
        name=name,
        password_hash=hashed,
        session_token=fresh_token(),
        created_at=now,
    )
    try:
        with db.session.begin_nested():
            db.session.add(account)
    except IntegrityError:
        # Two links of one address at once: the other one's account is theirs.
        found = account_of(email)
        if found is None:
            raise
        return found
    return account


def hashed_password(password: str, email: str, name: str, *, field: str = "password") -> str:
    """The hash of a new password; raises RuleBroken on `field` for one that won't do."""
    return hash_password(check_password(password, email=email, name=name, field=field))
