"""Inviting people to the staff by mail, and what happens when they accept."""

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from domain.account_links import LinkUnknown
from domain.errors import NotFound, RuleBroken, WrongState
from domain.invitations import LIFETIME, InvitationVoid, Standing, check_open
from domain.people import MAX_NAME, check_email, check_name, email_key
from domain.roles import BeyondOwnRights, Grants, check_giving, check_sites, may_touch_all
from domain.venue_rules import check_line
from models import (
    Account,
    Organisation,
    Site,
    StaffGrant,
    StaffInvitation,
    db,
    new_uuid,
    unbound,
)
from services.account_joining import join_guest_bookings
from services.account_links import account_of, add_account, hashed_password
from services.accounts import Identity, identity_of
from services.idempotency import once, retrying
from services.letters import post
from services.sign_in import forget_tries
from services.staff import access_of, grants_of_scopes
from services.staff_rights import find_grants, list_sites, lock_rights, set_grants

LETTER = "staff_invitation"
RECENT = dt.timedelta(days=30)
"""How long an invitation that is over stays in the list."""

_BY_LINK = unbound("the signed link names the invitation, and the invitation its organisation")


@dataclass(frozen=True, slots=True)
class Invited:
    """An invitation as staff see it."""

    id: str
    email: str
    name: str
    title: str
    access: tuple[tuple[str, str], ...]
    state: str
    invited_by: str
    created_at: dt.datetime
    expires_at: dt.datetime
    is_void: bool
    """Whoever sent it may not give these rights any more."""
    is_mine_to_change: bool


@dataclass(frozen=True, slots=True)
class Offer:
    """An invitation as the person who was invited sees it."""

    id: str
    letter: int
    email: str
    name: str
    title: str
    organisation: str
    invited_by: str
    access: tuple[tuple[str, str], ...]
    expires_at: dt.datetime
    account_id: str | None
    """The account of that address, if there is one."""
    site: Site


def invite(
    organisation_id: str,
    site_id: str,
    *,
    email: str,
    name: str,
    title: str,
    rights: Mapping[str, Collection[str]],
    by: str,
    key: str = "",
    now: dt.datetime,
) -> str:
    """Write an invitation and its letter; its id. The same form twice sends one (H6).

    Raises RuleBroken with the field, BeyondOwnRights, NotFound for another organisation's site.
    """
    address = check_email(email)
    called = check_name(name) if name.strip() else ""
    known_as = check_line(title, field="title", most=MAX_NAME)
    wanted = grants_of_scopes(rights)
    if not wanted:
        raise RuleBroken("Choose at least one right.", code="no_rights", field="scopes")
    body = {"email": address, "grants": _as_list(wanted), "name": called, "title": known_as}

    def deed() -> str:
        lock_rights(organisation_id)
        check_sites(wanted, {site.id for site in list_sites(organisation_id)})
        check_giving(find_grants(organisation_id, by), frozenset(), wanted)
        _check_free(organisation_id, address, now)
        row = StaffInvitation(
            id=new_uuid(),
            organisation_id=organisation_id,
            site_id=site_id,
            email=address,
            email_key=email_key(address),
            name=called,
            title=known_as,
            grants=_as_list(wanted),
            letter=1,
            invited_by_id=by,
            created_at=now,
            expires_at=now + LIFETIME,
        )
        db.session.add(row)
        db.session.flush()
        _post(row, now)
        return row.id

    try:
        return once(organisation_id, key, body, deed, now)
    except IntegrityError as error:
        raise _invited_already(address) from error


def list_invitations(organisation_id: str, *, own_id: str, now: dt.datetime) -> list[Invited]:
    """Those that wait, and what became of the others of the last weeks; the newest first."""
    rows = db.session.execute(
        sa.select(StaffInvitation, Account.name)
        .outerjoin(Account, StaffInvitation.invited_by_id == Account.id)
        .where(
            StaffInvitation.organisation_id == organisation_id,
            StaffInvitation.expires_at > now - RECENT,
        )
        .order_by(StaffInvitation.created_at.desc(), StaffInvitation.id)
        .limit(200)
    ).all()
    sites, held = list_sites(organisation_id), find_grants(organisation_id, own_id)
    senders = _grants_of_all(organisation_id, {row.invited_by_id for row, _ in rows})
    return [
        Invited(
            row.id,
            row.email,
            row.name,
            row.title,
            access_of(_as_grants(row), sites),
            _standing(row).state(now),
            sender or "",
            row.created_at,
            row.expires_at,
            not _may_still(senders.get(row.invited_by_id or "", frozenset()), row),
            may_touch_all(held, _as_grants(row)),
        )
        for row, sender in rows
    ]


def send_again(organisation_id: str, invitation_id: str, *, by: str, now: dt.datetime) -> None:
    """Another letter with a new link and another week; the old link is dead.

    Whoever presses vouches for the rights from now on. Raises WrongState for one that is over,
    BeyondOwnRights, NotFound.
    """

    def deed() -> None:
        lock_rights(organisation_id)
        row = _lock(organisation_id, invitation_id)
        if _standing(row).state(now) not in ("open", "expired"):
            raise WrongState("That invitation is over. Write another one.")
        check_giving(find_grants(organisation_id, by), frozenset(), _as_grants(row))
        row.letter += 1
        row.invited_by_id = by
        row.expires_at = now + LIFETIME
        db.session.flush()
        _post(row, now)

    retrying(deed)


def withdraw(organisation_id: str, invitation_id: str, *, by: str, now: dt.datetime) -> None:
    """End an invitation that waits; again changes nothing. Raises WrongState once accepted."""

    def deed() -> None:
        lock_rights(organisation_id)
        row = _lock(organisation_id, invitation_id)
        if not may_touch_all(find_grants(organisation_id, by), _as_grants(row)):
            raise BeyondOwnRights("That invitation is for venues whose staff you don't manage.")
        if row.accepted_at is not None:
            raise WrongState("They accepted meanwhile. Change their rights instead.")
        row.withdrawn_at = row.withdrawn_at or now

    retrying(deed)


def find_offer(invitation_id: str, letter: int, *, now: dt.datetime) -> Offer:
    """What a link offers; looking uses nothing up (H7). Raises LinkGone, LinkUnknown."""
    row = _find(invitation_id)
    check_open(_standing(row), letter=letter, now=now)
    if not _may_still(find_grants(row.organisation_id, row.invited_by_id), row):
        raise InvitationVoid
    return _offer(row)


def find_written(invitation_id: str, letter: int, *, now: dt.datetime) -> tuple[Offer, bool] | None:
    """What a letter is about, and whether it is still of use; None when there is nothing."""
    row = db.session.get(StaffInvitation, invitation_id, execution_options=_BY_LINK)
    if row is None:
        return None
    return _offer(row), _standing(row).state(now) == "open" and row.letter == letter


def accept(invitation_id: str, letter: int, *, account_id: str, now: dt.datetime) -> None:
    """Take the rights for a signed-in account.

    Only the account of the invited address may: its owner proved it. Accepting twice is
    accepting once. Raises LinkGone, LinkUnknown, WrongState for another account.
    """

    def deed() -> None:
        row = _lock_by_link(invitation_id)
        account = db.session.get(Account, account_id)
        if account is None or account.email_key != row.email_key:
            raise WrongState("This invitation is for another address.", code="other_account")
        if row.accepted_by_id != account.id:
            check_open(_standing(row), letter=letter, now=now)
            _take(row, account, now)

    return retrying(deed)


def accept_anew(
    invitation_id: str, letter: int, *, name: str, password: str, who: str, now: dt.datetime
) -> Identity:
    """Open an account for the invited address and take the rights; the link proved the address.

    Raises RuleBroken for name and password, WrongState where that address has an account
    meanwhile, LinkGone, LinkUnknown.
    """
    found = _find(invitation_id)
    check_open(_standing(found), letter=letter, now=now)
    called = check_name(name)
    hashed = hashed_password(password, found.email, called)

    def deed() -> Identity:
        row = _lock_by_link(invitation_id)
        check_open(_standing(row), letter=letter, now=now)
        if account_of(row.email) is not None:
            raise WrongState("There is an account with this address now. Sign in to accept.")
        account = add_account(row.email, called, hashed, now)
        join_guest_bookings(account, now=now)
        forget_tries(who)
        _take(row, account, now)
        return identity_of(account)

    return retrying(deed)


def _take(row: StaffInvitation, account: Account, now: dt.datetime) -> None:
    """The rights are asked again: an inviter who lost theirs meanwhile gives nothing."""
    organisation_id, given = row.organisation_id, _as_grants(row)
    before = find_grants(organisation_id, account.id)
    try:
        check_giving(find_grants(organisation_id, row.invited_by_id), frozenset(), given)
    except BeyondOwnRights as beyond:
        raise InvitationVoid from beyond
    title = row.title or _title_of(organisation_id, account.id)
    set_grants(organisation_id, account.id, before, before | given, title=title)
    row.accepted_at, row.accepted_by_id = now, account.id
    db.session.flush()


def _check_free(organisation_id: str, email: str, now: dt.datetime) -> None:
    account = account_of(email)
    if account is not None and find_grants(organisation_id, account.id):
        raise RuleBroken(
            f"{email} works with you already. Change their rights instead.",
            code="is_staff",
            field="email",
        )
    waiting = db.session.scalar(
        sa.select(StaffInvitation)
        .where(
            StaffInvitation.organisation_id == organisation_id,
            StaffInvitation.email_key == email_key(email),
            StaffInvitation.accepted_at.is_(None),
            StaffInvitation.withdrawn_at.is_(None),
        )
        .with_for_update()
    )
    if waiting is None:
        return
    if now < waiting.expires_at:
        raise _invited_already(email)
    # One open invitation for an address: the old one makes room.
    waiting.withdrawn_at = now
    db.session.flush()


def _invited_already(email: str) -> RuleBroken:
    return RuleBroken(
        f"{email} is invited already. Send that invitation again, or withdraw it first.",
        code="invited_already",
        field="email",
    )


def _post(row: StaffInvitation, now: dt.datetime) -> None:
    # Of no venue: who may read a venue's outbox must not find a link there that gives rights.
    post(
        LETTER,
        {"invitation": row.id, "number": row.letter},
        dedupe_key=f"{row.id}:{row.letter}",
        now=now,
    )


def _offer(row: StaffInvitation) -> Offer:
    sites = list_sites(row.organisation_id)
    organisation = db.session.get_one(Organisation, row.organisation_id)
    sender = db.session.get(Account, row.invited_by_id) if row.invited_by_id else None
    account = account_of(row.email)
    return Offer(
        row.id,
        row.letter,
        row.email,
        row.name,
        row.title,
        organisation.name,
        sender.name if sender else organisation.name,
        access_of(_as_grants(row), sites),
        row.expires_at,
        account.id if account else None,
        next(site for site in sites if site.id == row.site_id),
    )


def _find(invitation_id: str) -> StaffInvitation:
    row = db.session.get(StaffInvitation, invitation_id, execution_options=_BY_LINK)
    if row is None:
        raise LinkUnknown
    return row


def _lock_by_link(invitation_id: str) -> StaffInvitation:
    organisation_id = _find(invitation_id).organisation_id
    lock_rights(organisation_id)
    return _lock(organisation_id, invitation_id)


def _lock(organisation_id: str, invitation_id: str) -> StaffInvitation:
    row = db.session.scalar(
        sa.select(StaffInvitation)
        .where(
            StaffInvitation.organisation_id == organisation_id, StaffInvitation.id == invitation_id
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise NotFound("We couldn't find that invitation.")
    return row


def _standing(row: StaffInvitation) -> Standing:
    return Standing(row.letter, row.expires_at, row.accepted_at, row.withdrawn_at)


def _may_still(held: Grants, row: StaffInvitation) -> bool:
    try:
        check_giving(held, frozenset(), _as_grants(row))
    except BeyondOwnRights:
        return False
    return True


def _as_list(grants: Grants) -> list[list[str | None]]:
    return [[site_id, right] for site_id, right in sorted(grants, key=str)]


def _as_grants(row: StaffInvitation) -> Grants:
    return frozenset((site_id, str(right)) for site_id, right in row.grants)


def _grants_of_all(organisation_id: str, account_ids: Collection[str | None]) -> dict[str, Grants]:
    rows = db.session.execute(
        sa.select(StaffGrant.account_id, StaffGrant.site_id, StaffGrant.right).where(
            StaffGrant.organisation_id == organisation_id,
            StaffGrant.account_id.in_([one for one in account_ids if one]),
        )
    )
    found: dict[str, Grants] = {}
    for account_id, site_id, right in rows:
        found[account_id] = found.get(account_id, frozenset()) | {(site_id, right)}
    return found


def _title_of(organisation_id: str, account_id: str) -> str:
    query = sa.select(StaffGrant.title).where(
        StaffGrant.organisation_id == organisation_id, StaffGrant.account_id == account_id
    )
    return db.session.scalar(query.limit(1)) or ""
