"""The price rules of a session type: read, tried out before they are saved, and saved."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from domain.editing import check_edit, mark_of_values
from domain.errors import NotFound, RuleBroken
from domain.local_time import local_day
from domain.price_checks import (
    VISITOR,
    Comparison,
    DeadRule,
    Gap,
    PricedSlot,
    compare,
    find_gaps,
    members_of,
    never_match,
    summarise_gaps,
)
from domain.price_rules import check_rule, check_rules, may_apply, values_of
from domain.pricing import PriceRule
from models import (
    MembershipType,
    Session,
    SessionBooking,
    SessionType,
    Site,
    db,
    new_object_id,
    unbound,
)
from models import PriceRule as PriceRuleRow
from services.facts import rule_of, venue_of
from services.idempotency import retrying
from services.paging import Cut, PageOf
from services.places import HOLDING, lock_site, raise_revision

Change = Callable[[tuple[PriceRule, ...], dt.date], Sequence[PriceRule]]


@dataclass(frozen=True, slots=True)
class TypePrices:
    """A session type with its saved rules, and the membership types that rules may name.

    `memberships` are names by id: those of the organisation that are given today, and archived
    ones that a saved rule still names.
    """

    kind: SessionType
    rules: tuple[PriceRule, ...]
    memberships: Mapping[str, str]
    today: dt.date

    @property
    def mark(self) -> str:
        """What an editor has seen: sent back as `seen` when it saves."""
        return mark_of_values(values_of(self.rules))

    @property
    def audiences(self) -> tuple[frozenset[str], ...]:
        """Who must find a price: visitors, or for a members' type each kind of member (P4)."""
        if not self.kind.members_only:
            return (VISITOR,)
        permitted = self.kind.permitted_membership_type_ids or sorted(self.memberships)
        return tuple(frozenset({it}) for it in permitted) or (VISITOR,)


@dataclass(frozen=True, slots=True)
class Kept:
    """What keeps its price whatever the rules say: sold, and held or offered (P5, P6)."""

    bookings: int
    holds: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What saving a list of rules would do to the coming sessions of its type.

    `members` are the comparisons of holders of one membership type, by its id, where they differ
    from the visitor's.
    """

    slots: tuple[PricedSlot, ...]
    visitor: Comparison
    members: Mapping[str, Comparison]
    dead: tuple[DeadRule, ...]
    gaps: tuple[Gap, ...]
    gap_slots: tuple[PricedSlot, ...]
    kept: Kept

    @property
    def orders_touched(self) -> int:
        """None, ever: a line keeps the price it was agreed at (P5, P6)."""
        return 0


@dataclass(frozen=True, slots=True)
class Placed:
    """A rule of a type and its place in the order of trying, from 1 (C14)."""

    session_type_id: str
    rule: PriceRule
    position: int


def find_prices(
    organisation_id: str, site_id: str, type_id: str, *, now: dt.datetime
) -> TypePrices:
    """A type with its price rules in the order tried; raises NotFound."""
    kind, zone = _find_type(organisation_id, site_id, type_id)
    rules = _load_rules(organisation_id, type_id)
    return TypePrices(kind, rules, _memberships(organisation_id, rules), local_day(now, zone))


def list_coming(organisation_id: str, type_id: str, *, now: dt.datetime) -> list[PricedSlot]:
    """The type's live sessions that have not begun, in order, as far as their prices go."""
    rows = db.session.execute(
        sa.select(Session.id, Session.local_start, Session.price)
        .where(
            Session.organisation_id == organisation_id,
            Session.session_type_id == type_id,
            Session.deleted_at.is_(None),
            Session.start_time > now,
        )
        .order_by(Session.local_start, Session.id)
    )
    return [PricedSlot(*row) for row in rows]


def preview(
    organisation_id: str,
    found: TypePrices,
    rules: Sequence[PriceRule],
    *,
    now: dt.datetime,
) -> Preview:
    """What saving `rules` would do, without saving them; two queries however many sessions."""
    slots = list_coming(organisation_id, found.kind.id, now=now)
    visitor = compare(found.rules, rules, slots)
    members = {
        it: seen
        for it in members_of([*found.rules, *rules])
        if (seen := compare(found.rules, rules, slots, frozenset({it}))) != visitor
    }
    gaps = find_gaps(rules, slots, found.audiences)
    return Preview(
        slots=tuple(slots),
        visitor=visitor,
        members=members,
        dead=tuple(never_match(rules, since=found.today)),
        gaps=tuple(summarise_gaps(gaps)),
        gap_slots=tuple(gaps),
        kept=_kept(organisation_id, found.kind.id, now),
    )


def list_gaps(organisation_id: str, site_id: str, type_id: str, *, now: dt.datetime) -> list[Gap]:
    """Coming sessions without a price for somebody who may book, by weekday and time (P4)."""
    found = find_prices(organisation_id, site_id, type_id, now=now)
    slots = list_coming(organisation_id, type_id, now=now)
    return summarise_gaps(find_gaps(found.rules, slots, found.audiences))


def save_rules(
    organisation_id: str,
    site_id: str,
    type_id: str,
    rules: Sequence[PriceRule],
    *,
    seen: str,
    now: dt.datetime,
) -> bool:
    """Replace the type's list of rules; False when it says the same already.

    Rules whose ids are known stay and are changed, others are made, those left out are deleted
    for good (R11). Bookings, holds and offers keep their prices (P5, P6). Raises NotFound,
    RuleBroken with the field of the rule at fault, EditedMeanwhile unless `seen` is the mark of
    what is saved (D4).
    """

    def change(saved: tuple[PriceRule, ...], _today: dt.date) -> Sequence[PriceRule]:
        wanted = values_of(rules)
        # A rule that somebody took away has no version of theirs but the order without it.
        check_edit(values_of(saved), wanted, seen)
        return rules

    return _change(organisation_id, site_id, type_id, change, now)


def list_rules(
    organisation_id: str,
    site_id: str,
    type_id: str,
    *,
    since: dt.date | None = None,
    until: dt.date | None = None,
    weekdays: frozenset[str] = frozenset(),
    cut: Cut,
) -> PageOf[Placed]:
    """A page of a type's rules in the order tried: those that can apply in some days (R21).

    A type has at most MAX_RULES of them, so they are read whole. Raises NotFound.
    """
    _find_type(organisation_id, site_id, type_id)
    found = [
        placed
        for placed in _placed(organisation_id, type_id)
        if may_apply(placed.rule, since=since, until=until, weekdays=weekdays)
    ]
    return PageOf(found[cut.offset : cut.offset + cut.size], len(found), cut)


def find_rule(organisation_id: str, site_id: str, type_id: str, rule_id: str) -> Placed:
    """One rule of a type with its place; raises NotFound for another type's, too."""
    _find_type(organisation_id, site_id, type_id)
    for placed in _placed(organisation_id, type_id):
        if placed.rule.id == rule_id:
            return placed
    raise NotFound("We couldn't find that price rule.")


def create_rule(
    organisation_id: str,
    site_id: str,
    type_id: str,
    rule: PriceRule,
    *,
    from_today: bool,
    now: dt.datetime,
) -> str:
    """Add a rule behind the others; its id. `from_today`: it begins today at the site (C13).

    Raises NotFound and RuleBroken.
    """
    fresh = replace(rule, id=new_object_id())

    def change(saved: tuple[PriceRule, ...], today: dt.date) -> Sequence[PriceRule]:
        made = replace(fresh, date_from=today) if from_today else fresh
        return [*saved, _checked(organisation_id, saved, made)]

    _change(organisation_id, site_id, type_id, change, now)
    return fresh.id


def change_rule(
    organisation_id: str,
    site_id: str,
    type_id: str,
    rule_id: str,
    values: Mapping[str, Any],
    *,
    now: dt.datetime,
) -> bool:
    """Write some fields of one rule in its place (R3); False when it says the same.

    Raises NotFound, and RuleBroken naming every field at fault.
    """

    def change(saved: tuple[PriceRule, ...], _today: dt.date) -> Sequence[PriceRule]:
        _require(rule_id, saved)
        return [
            _checked(organisation_id, saved, replace(it, **values)) if it.id == rule_id else it
            for it in saved
        ]

    return _change(organisation_id, site_id, type_id, change, now)


def _checked(organisation_id: str, saved: Sequence[PriceRule], rule: PriceRule) -> PriceRule:
    return check_rule(rule, _memberships(organisation_id, saved))


def _placed(organisation_id: str, type_id: str) -> list[Placed]:
    rules = _load_rules(organisation_id, type_id)
    return [Placed(type_id, rule, number) for number, rule in enumerate(rules, start=1)]


def delete_rule(
    organisation_id: str, site_id: str, type_id: str, rule_id: str, *, now: dt.datetime
) -> None:
    """Delete one rule for good (R11); raises NotFound, a second time too."""

    def change(saved: tuple[PriceRule, ...], _today: dt.date) -> Sequence[PriceRule]:
        _require(rule_id, saved)
        return [it for it in saved if it.id != rule_id]

    _change(organisation_id, site_id, type_id, change, now)


def order_rules(
    organisation_id: str, site_id: str, type_id: str, rule_ids: Sequence[str], *, now: dt.datetime
) -> bool:
    """Put the rules in another order; False when it is theirs. RuleBroken unless complete."""

    def change(saved: tuple[PriceRule, ...], _today: dt.date) -> Sequence[PriceRule]:
        by_id = {it.id: it for it in saved}
        if sorted(rule_ids) != sorted(by_id):
            raise RuleBroken(
                "Name every price rule of this session type once, and no other.",
                code="rules_incomplete",
                field="price_rule_ids",
            )
        return [by_id[rule_id] for rule_id in rule_ids]

    return _change(organisation_id, site_id, type_id, change, now)


def _change(
    organisation_id: str, site_id: str, type_id: str, change: Change, now: dt.datetime
) -> bool:
    """Read, change and write the list under the type's lock, and only if it differs."""

    def deed() -> bool:
        # Who decides by the rules there are holds the site (ADR 9): this waits for them.
        lock_site(organisation_id, site_id, shared=True)
        kind, zone = _find_type(organisation_id, site_id, type_id, lock=True)
        saved = _load_rules(organisation_id, type_id)
        wanted = change(saved, local_day(now, zone))
        tidy = check_rules(wanted, _memberships(organisation_id, saved))
        if tidy == saved:
            return False
        _write(organisation_id, type_id, saved, _with_free_ids(organisation_id, type_id, tidy))
        kind.updated_at = now
        db.session.flush()
        raise_revision(organisation_id, [type_id])
        return True

    return retrying(deed)


def _find_type(
    organisation_id: str, site_id: str, type_id: str, *, lock: bool = False
) -> tuple[SessionType, ZoneInfo]:
    query = (
        sa.select(SessionType)
        .where(
            SessionType.organisation_id == organisation_id,
            SessionType.site_id == site_id,
            SessionType.id == type_id,
        )
        .execution_options(populate_existing=True)
    )
    kind = db.session.scalar(query.with_for_update(key_share=True) if lock else query)
    if kind is None:
        raise NotFound("We couldn't find that session type.")
    site = db.session.scalars(
        sa.select(Site).where(Site.organisation_id == organisation_id, Site.id == site_id)
    ).one()
    return kind, venue_of(site).zone


def _load_rules(organisation_id: str, type_id: str) -> tuple[PriceRule, ...]:
    rows = db.session.scalars(
        sa.select(PriceRuleRow)
        .where(
            PriceRuleRow.organisation_id == organisation_id,
            PriceRuleRow.session_type_id == type_id,
        )
        .order_by(PriceRuleRow.position)
        .execution_options(populate_existing=True)
    )
    return tuple(rule_of(row) for row in rows)


def _memberships(organisation_id: str, saved: Sequence[PriceRule]) -> dict[str, str]:
    rows = db.session.execute(
        sa.select(MembershipType.id, MembershipType.name)
        .where(
            MembershipType.organisation_id == organisation_id,
            MembershipType.deleted_at.is_(None) | MembershipType.id.in_(members_of(saved)),
        )
        .order_by(MembershipType.name, MembershipType.id)
    )
    return {row.id: row.name for row in rows}


def _kept(organisation_id: str, type_id: str, now: dt.datetime) -> Kept:
    is_sold = SessionBooking.status == "confirmed"
    is_held = sa.and_(
        SessionBooking.expires_at > now,
        SessionBooking.status.in_(HOLDING) | SessionBooking.offered_at.is_not(None),
    )
    sold, held = db.session.execute(
        sa.select(
            sa.func.count(sa.case((is_sold, 1))), sa.func.count(sa.case((~is_sold & is_held, 1)))
        )
        .join(Session, Session.id == SessionBooking.session_id)
        .where(
            SessionBooking.organisation_id == organisation_id,
            SessionBooking.cancelled_at.is_(None),
            Session.session_type_id == type_id,
            Session.start_time > now,
        )
    ).one()
    return Kept(sold, held)


def _require(rule_id: str, saved: Sequence[PriceRule]) -> None:
    if rule_id not in {it.id for it in saved}:
        raise NotFound("We couldn't find that price rule.")


def _with_free_ids(
    organisation_id: str, type_id: str, rules: Sequence[PriceRule]
) -> list[PriceRule]:
    """The same with ids of their own in place of those that another type's rules have."""
    taken = set(
        db.session.scalars(
            sa.select(PriceRuleRow.id).where(
                PriceRuleRow.id.in_([rule.id for rule in rules]),
                PriceRuleRow.session_type_id != type_id,
            ),
            execution_options=unbound("an id is free only if nobody at all has it"),
        )
    )
    return [replace(it, id=new_object_id()) if it.id in taken else it for it in rules]


def _write(
    organisation_id: str,
    type_id: str,
    saved: Sequence[PriceRule],
    wanted: Sequence[PriceRule],
) -> None:
    ours = (
        PriceRuleRow.organisation_id == organisation_id,
        PriceRuleRow.session_type_id == type_id,
    )
    staying = {it.id for it in wanted}
    db.session.execute(
        sa.delete(PriceRuleRow).where(
            *ours, PriceRuleRow.id.in_([it.id for it in saved if it.id not in staying])
        )
    )
    # Out of each other's way first: no two rules may have one position, even for a moment.
    db.session.execute(
        sa.update(PriceRuleRow).where(*ours).values(position=-1 - PriceRuleRow.position)
    )
    fresh = sa.select(PriceRuleRow).where(*ours).execution_options(populate_existing=True)
    rows = {row.id: row for row in db.session.scalars(fresh)}
    for position, rule in enumerate(wanted):
        row = rows.get(rule.id)
        if row is None:
            row = PriceRuleRow(id=rule.id, organisation_id=organisation_id, session_type_id=type_id)
            db.session.add(row)
        row.position = position
        row.label, row.price = rule.label, rule.price
        row.date_from, row.date_to = rule.date_from, rule.date_to
        row.time_from, row.time_to = rule.time_from, rule.time_to
        row.weekdays = sorted(rule.weekdays)
        row.membership_type_ids = sorted(rule.membership_type_ids)
    db.session.flush()
