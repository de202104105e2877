"""Who may do what where: the six rights, the roles that name their mixtures, and who gives them."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from domain.errors import NotFound, RuleBroken

SETTINGS = "SETTINGS_MANAGE"
RESERVATIONS = "RESERVATIONS_MANAGE"
CUSTOMERS = "CUSTOMERS_MANAGE"
ORDERS = "ORDERS_MANAGE"
REPORTS = "REPORTS_VIEW"
STAFF = "STAFF_MANAGE"

RIGHTS = (SETTINGS, RESERVATIONS, CUSTOMERS, ORDERS, REPORTS, STAFF)
"""In the order of the contract."""

Grant = tuple[str | None, str]
"""A right at one site; at None it holds at all sites, those to come included."""

Grants = frozenset[Grant]

NO_ACCESS, MIXTURE = "none", "mixture"
"""What a choice of roles offers beside the roles themselves."""


@dataclass(frozen=True, slots=True)
class Right:
    """A right as people read it: its name, and what it opens."""

    name: str
    opens: str


WORDS: Mapping[str, Right] = {
    RESERVATIONS: Right("Run the day", "schedule, roster, check-in, walk-ins, cover, outbox"),
    CUSTOMERS: Right("Customers", "customers, their bookings and memberships"),
    ORDERS: Right("Orders and money", "orders, payments, refunds, the ledger"),
    REPORTS: Right("Reports", "today at a glance, reports and their files"),
    SETTINGS: Right("Set up", "session types, prices, rooms, practitioners, settings"),
    STAFF: Right("Staff", "staff, invitations, API tokens"),
}
"""In the order in which people think of them: the day first."""


@dataclass(frozen=True, slots=True)
class Role:
    """A mixture of rights that goes by a name."""

    key: str
    name: str
    rights: frozenset[str]


ROLES = (
    Role("owner", "Owner", frozenset(RIGHTS)),
    Role("manager", "Manager", frozenset(RIGHTS) - {STAFF}),
    Role("receptionist", "Receptionist", frozenset({RESERVATIONS, CUSTOMERS, ORDERS})),
    Role("trainer", "Trainer", frozenset({RESERVATIONS})),
    Role("bookkeeper", "Bookkeeper", frozenset({ORDERS, REPORTS})),
    Role("observer", "Reports only", frozenset({REPORTS})),
)

_BY_KEY = {role.key: role for role in ROLES}


class BeyondOwnRights(RuleBroken):
    """Nobody gives a right that they do not hold themselves at that site."""

    code = "beyond_own_rights"


class LastStaffManager(RuleBroken):
    """Somebody must be able to manage the staff of all sites, or nobody ever could again."""

    code = "last_staff_manager"

    def __init__(self) -> None:
        super().__init__(
            "Nobody else manages staff at all venues. Give somebody else that right first.",
            field="scopes",
        )


class OwnStaffRight(RuleBroken):
    """Ending one's own right to manage staff wants a second word."""

    code = "own_staff_right"

    def __init__(self) -> None:
        super().__init__(
            "This ends your own right to manage staff, and you couldn't give it back to yourself. "
            "Tick the box below if you mean it.",
            field="sure",
        )


def role_of(rights: Collection[str]) -> Role | None:
    """The role that is just this mixture."""
    return next((role for role in ROLES if role.rights == frozenset(rights)), None)


def choice_of(rights: Collection[str]) -> str:
    """The key under which a choice of roles shows these rights."""
    role = role_of(rights)
    return role.key if role else (MIXTURE if rights else NO_ACCESS)


def say_rights(rights: Collection[str]) -> str:
    """What people call these rights: the role's name, else the rights one by one."""
    role = role_of(rights)
    if role:
        return role.name
    return ", ".join(WORDS[right].name for right in WORDS if right in rights) or "No access"


def read_choice(choice: str, ticked: Iterable[str], *, field: str = "scopes") -> frozenset[str]:
    """The rights that a choice of roles stands for; the ticks count for an own mixture only."""
    if choice == NO_ACCESS:
        return frozenset()
    if choice in _BY_KEY:
        return _BY_KEY[choice].rights
    rights = frozenset(ticked)
    if choice != MIXTURE or not rights <= set(RIGHTS):
        raise RuleBroken("Choose a role from the list.", code="role_unknown", field=field)
    return rights


def read_rights(text: str) -> frozenset[str]:
    """Rights separated by commas, as a command takes them; raises RuleBroken for others."""
    named = [word.strip().upper() for word in text.split(",") if word.strip()]
    unknown = [word for word in named if word not in RIGHTS]
    if unknown or not named:
        said = f"There is no right {unknown[0]}." if unknown else "Name at least one right."
        raise RuleBroken(f"{said} They are: {', '.join(RIGHTS)}.", code="right_unknown")
    return frozenset(named)


def holds(held: Grants, right: str, site_id: str | None) -> bool:
    """Whether these grants hold a right at a site; at None, whether they do at all sites."""
    return (None, right) in held or (site_id, right) in held


def may_touch(held: Grants, site_id: str | None) -> bool:
    """Whether whoever holds these may change others' rights there."""
    return holds(held, STAFF, site_id)


def may_touch_all(held: Grants, theirs: Iterable[Grant]) -> bool:
    """Whether every one of these rights is theirs to end."""
    return all(may_touch(held, site_id) for site_id, _ in theirs)


def givable(held: Grants, site_id: str | None) -> frozenset[str]:
    """The rights that they may give there: what they hold there themselves."""
    if not may_touch(held, site_id):
        return frozenset()
    return frozenset(right for right in RIGHTS if holds(held, right, site_id))


def check_sites(grants: Iterable[Grant], site_ids: Collection[str]) -> None:
    """Every right is at a site of the organisation; a foreign one isn't found (R1)."""
    if any(site_id is not None and site_id not in site_ids for site_id, _ in grants):
        raise NotFound("We couldn't find that venue.")


def check_giving(held: Grants, before: Grants, after: Grants) -> None:
    """Whoever holds `held` may make `after` of `before`; raises BeyondOwnRights.

    What stays as it is is nobody's business; ending a right takes the right to manage staff
    there, and giving one takes that right itself, too.
    """
    if not may_touch_all(held, before ^ after):
        raise BeyondOwnRights(
            "You manage staff at some venues only. Ask somebody who does at all of them.",
            field="scopes",
        )
    beyond = next((right for site, right in after - before if not holds(held, right, site)), None)
    if beyond is not None:
        raise BeyondOwnRights(
            f"You can't give “{WORDS[beyond].name}” there: you don't have it there yourself.",
            field="scopes",
        )


def check_keeps_own(before: Grants, after: Grants, *, is_own: bool, is_sure: bool) -> None:
    """Nobody ends their own right to manage staff by accident; raises OwnStaffRight."""
    ends = any(right == STAFF for _, right in before - after)
    if is_own and ends and not is_sure:
        raise OwnStaffRight


def check_somebody_stays(before: Grants, after: Grants, *, others: int) -> None:
    """The organisation keeps somebody with STAFF_MANAGE at all sites; raises LastStaffManager.

    `others` is how many people beside this one have it.
    """
    whole = (None, STAFF)
    if whole in before and whole not in after and others < 1:
        raise LastStaffManager
