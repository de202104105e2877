"""Undoing an edit: its own service is asked to put back what was there before."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from domain.editing import EditedMeanwhile, mark_of_values
from domain.errors import NotFound, RuleBroken, WordingChanged
from domain.memberships import ChangedMeanwhile, Days
from domain.pricing import PriceRule
from domain.trail_words import Change, Field, Said, Tongue, say_change, why_not_undone
from domain.wording import Wording
from models import (
    AuditEntry,
    Base,
    LetterWording,
    Media,
    Membership,
    MembershipType,
    Zone,
    because,
    db,
)
from services.categories import category_values, find_category, save_category
from services.desk import set_check_in, set_no_show, set_stage
from services.media import describe_media
from services.memberships import (
    archive_type,
    change_membership_days,
    pause_membership,
    rename_type,
    restore_type,
    resume_membership,
)
from services.notices import Notices, NoticesChanged, find_notices, save_notices
from services.practitioners import (
    archive_practitioner,
    find_practitioner,
    practitioner_values,
    restore_practitioner,
    save_practitioner,
)
from services.price_rules import find_prices, save_rules
from services.rooms import archive_room, find_room, restore_room, room_values, save_room, save_zone
from services.session_types import find_type, mark_of_part, save_type, values_of
from services.trail import Reader, kind_of, list_folded, may_open, say_names
from services.venue_settings import GROUPS, find_settings, save_settings
from services.wording import save_wording

TRIES = 3
"""Others may save the same thing at the same moment: so often it is looked at anew."""

MEANWHILE = (EditedMeanwhile, ChangedMeanwhile, NoticesChanged, WordingChanged)
"""What editors answer when somebody saved since they looked."""

Deed = Callable[[], object]
"""An editor's service, with what it was shown."""


class CantBeUndone(RuleBroken):
    """What was done went out of the house, or is changed on a page of its own."""

    code = "cant_be_undone"


class SavedMeanwhile(RuleBroken):
    """Others save the same thing again and again at this moment."""

    code = "saved_meanwhile"

    def __init__(self) -> None:
        super().__init__("Somebody is changing it right now. Look at what they did, then decide.")


class ChangedSince(RuleBroken):
    """Somebody changed the thing again since: `then` says what was done, `now` what it is."""

    code = "changed_since"

    def __init__(self, then: tuple[Said, ...], now: tuple[Said, ...]) -> None:
        super().__init__(
            "This was changed again since, so it was left as it is. "
            "Open it to see what it is now, and change it there."
        )
        self.then = then
        self.now = now


@dataclass(frozen=True, slots=True)
class _Undoing:
    """An entry on its way back: where it belongs, what it changed, the present instant."""

    reader: Reader
    row: AuditEntry
    change: Change
    whole: Change
    """The same with columns of several texts in one piece, as the row has them."""
    now: dt.datetime

    @property
    def here(self) -> tuple[str, str]:
        return self.reader.organisation_id, self.reader.site_id

    @property
    def before(self) -> dict[str, Any]:
        """What to put back, by column."""
        return {field.name: field.before for field in self.change.fields}

    @property
    def id(self) -> str:
        return self.row.subject_id


def undo(reader: Reader, thing: tuple[str, str], entry_id: int, *, now: dt.datetime) -> None:
    """Put back what an entry about this thing changed, by the service that its editor calls.

    It is an edit like any other: in the trail, with the same rules. Raises CantBeUndone with the
    reason, also for what this reader may not see, ChangedSince, and what the service raises.
    """
    row = db.session.scalar(
        sa.select(AuditEntry)
        .where(
            AuditEntry.organisation_id == reader.organisation_id,
            AuditEntry.id == entry_id,
            AuditEntry.about == thing[0],
            AuditEntry.about_id == thing[1],
        )
        .options(joinedload(AuditEntry.values))
    )
    if row is None or not may_open(row.about, reader.rights):
        raise CantBeUndone("We couldn't find that line of the history.")
    if row.site_id not in (None, reader.site_id):
        raise CantBeUndone("Undo this at its own venue.")
    # Kept as it is, whatever the services roll back.
    for kept in filter(None, (row, row.values)):
        db.session.expunge(kept)
    # One deed may touch a row more than once: it goes back to how the deed found it.
    change = list_folded(row)[row.subject_id]
    if refusal := why_not_undone(change):
        raise CantBeUndone(refusal)
    whole = list_folded(row, whole=True)[row.subject_id]
    _put_back(_Undoing(reader, row, change, whole, now))


def _put_back(one: _Undoing) -> None:
    for tries_left in reversed(range(TRIES)):
        # What the editor saw is read before it is compared: whoever saves in between is noticed
        # by one of the two.
        deed = _DEEDS[one.change.subject](one)
        _check_unchanged(one)
        try:
            with because(f"Undo of {_said(one)}"):
                deed()
            return
        except MEANWHILE as broken:
            if not tries_left:
                raise SavedMeanwhile from broken


def _said(one: _Undoing) -> str:
    at = one.row.at.astimezone(one.reader.zone)
    return f"what was done on {at:%d.%m.%Y} at {at:%H:%M}"


def _check_unchanged(one: _Undoing) -> None:
    """Raise ChangedSince, or CantBeUndone where it is gone; price rules are compared together."""
    if one.change.subject == "price_rules":
        return
    table = Base.metadata.tables[one.change.subject]
    columns = [table.c[field.name] for field in one.whole.fields]
    owner = table.c.get("organisation_id")
    wanted = [table.c.id == one.id]
    wanted += [owner == one.reader.organisation_id] if owner is not None else []
    found = db.session.execute(sa.select(*columns).where(*wanted)).first()
    if found is None:
        raise CantBeUndone("It is not there any more.")
    changed = [
        Field(field.name, kind_of(table.c[field.name]), field.after, value)
        for field, value in zip(one.whole.fields, found, strict=True)
        if field.after != value
    ]
    if changed:
        again = Change(one.change.subject, "changed", tuple(changed))
        names = say_names(one.reader.organisation_id, [one.row], [one.change, again])
        tongue = Tongue(one.reader.zone, one.reader.money, names)
        raise ChangedSince(say_change(one.change, tongue), say_change(again, tongue))


def _room(one: _Undoing) -> Deed:
    at = (*one.here, one.id)
    if "deleted_at" in one.before:
        if one.before["deleted_at"] is None:
            return partial(restore_room, *at)
        return partial(archive_room, *at, now=one.now)
    seen = mark_of_values(room_values(find_room(*at)))
    return partial(save_room, *at, one.before, seen=seen)


def _practitioner(one: _Undoing) -> Deed:
    at = (*one.here, one.id)
    if "deleted_at" in one.before:
        if one.before["deleted_at"] is None:
            return partial(restore_practitioner, *at)
        return partial(archive_practitioner, *at, now=one.now)
    may_set = [one.reader.site_id]
    seen = mark_of_values(practitioner_values(find_practitioner(*at), may_set))
    return partial(
        save_practitioner, *at, one.before, may_set=may_set, seen=seen, now=one.now
    )  # fmt: skip


def _category(one: _Undoing) -> Deed:
    organisation_id = one.reader.organisation_id
    seen = mark_of_values(category_values(find_category(organisation_id, one.id)))
    return partial(save_category, organisation_id, one.id, one.before, seen=seen)


def _zone(one: _Undoing) -> Deed:
    seen = mark_of_values({"name": _value(one, Zone.name, Zone)})
    return partial(save_zone, *one.here, one.id, one.before["name"], seen=seen)


def _media(one: _Undoing) -> Deed:
    seen = mark_of_values({"alt": _value(one, Media.alt, Media)})
    return partial(
        describe_media, one.reader.organisation_id, one.id, one.before["alt"], seen=seen
    )  # fmt: skip


def _membership_type(one: _Undoing) -> Deed:
    organisation_id = one.reader.organisation_id
    if "deleted_at" in one.before:
        if one.before["deleted_at"] is None:
            return partial(restore_type, organisation_id, one.id)
        return partial(archive_type, organisation_id, one.id, now=one.now)
    was = _value(one, MembershipType.name, MembershipType)
    return partial(rename_type, organisation_id, one.id, name=one.before["name"], was=was)


def _membership(one: _Undoing) -> Deed:
    kept = _row(one, Membership)
    was = Days(kept.first_day, kept.last_day, kept.state)
    at = (one.reader.organisation_id, kept.customer_id, one.id)
    today = one.now.astimezone(one.reader.zone).date()
    if "state" in one.before:
        if one.before["state"] == "paused":
            return partial(pause_membership, *at, was=was, today=today)
        return partial(resume_membership, *at, was=was)
    return partial(
        change_membership_days,
        *at,
        first_day=one.before.get("first_day", kept.first_day),
        last_day=one.before.get("last_day", kept.last_day),
        was=was,
        today=today,
    )


def _site(one: _Undoing) -> Deed:
    if one.id != one.reader.site_id:
        raise NotFound
    before = one.before
    told = {"offer_minutes", "reminder_hours", "cancelled_session_notices"}
    if before.keys() <= told:
        was = find_notices(*one.here)
        kept = {name: getattr(was, name) for name in told}
        return partial(save_notices, *one.here, Notices(**{**kept, **before}), was=was.mark)
    group = next((key for key, names in GROUPS.items() if before.keys() <= {*names}), None)
    if group is None:
        raise CantBeUndone("These settings are changed on their own page.")
    seen = mark_of_values(find_settings(*one.here, group))
    return partial(save_settings, *one.here, group, before, seen=seen)


def _wording(one: _Undoing) -> Deed:
    kept = _row(one, LetterWording)
    words = {name: getattr(kept, name) for name in ("subject", "opening", "closing")}
    wanted = Wording(**{**words, **one.before})
    return partial(
        save_wording, *one.here, kept.letter, wanted, seen=kept.revision, now=one.now
    )  # fmt: skip


def _booking(one: _Undoing) -> Deed:
    at = (*one.here, one.id)
    before = one.before
    if "is_no_show" in before:
        return partial(set_no_show, *at, missed=before["is_no_show"], now=one.now)
    if "checked_in_at" in before:
        arrived = before["checked_in_at"] is not None
        return partial(set_check_in, *at, arrived=arrived, now=one.now)
    return partial(set_stage, *at, stage=before["stage"], now=one.now)


def _type(one: _Undoing) -> Deed:
    at = (*one.here, one.id)
    kept = values_of(find_type(*at))
    before = {
        name: [] if value is None and name in _LISTS else value
        for name, value in one.before.items()
    }
    if not before or not before.keys() <= kept.keys():
        raise CantBeUndone("This is changed on the type's own page.")
    part = tuple(before)
    return partial(
        save_type, *at, before, part=part, seen=mark_of_part(kept, part), now=one.now
    )  # fmt: skip


_LISTS = ("bring", "spec")


def _prices(one: _Undoing) -> Deed:
    """All rules that the deed touched: one alone could leave two at the same place."""
    at = (*one.here, one.row.about_id)
    prices = find_prices(*at, now=one.now)
    rules = {rule.id: (float(place), rule) for place, rule in enumerate(prices.rules)}
    for rule_id, change in list_folded(one.row).items():
        before = {field.name: field.before for field in change.fields}
        if (change.act == "removed") == (rule_id in rules):
            raise ChangedSince((Said("Changed the price rules"),), (Said("They were changed"),))
        if change.act == "made":
            del rules[rule_id]
            continue
        place, rule = rules.get(rule_id, (0.0, PriceRule("", 0)))
        _check_rule(rule, change)
        rules[rule_id] = (float(before.get("position", place)), _rule_of(rule, before))
    put_back = [rule for _, rule in sorted(rules.values(), key=lambda pair: pair[0])]
    return partial(save_rules, *at, put_back, seen=prices.mark, now=one.now)


def _check_rule(rule: PriceRule, change: Change) -> None:
    if change.act != "changed":
        return
    for field in change.fields:
        after = frozenset(field.after) if isinstance(field.after, list) else field.after
        if field.name != "position" and getattr(rule, field.name, after) != after:
            raise ChangedSince((Said("Changed the price rules"),), (Said("They were changed"),))


def _rule_of(rule: PriceRule, before: Mapping[str, Any]) -> PriceRule:
    values = {name: getattr(rule, name) for name in PriceRule.__dataclass_fields__}
    for name in values.keys() & before.keys() - {"id"}:
        value = before[name]
        values[name] = frozenset(value) if isinstance(value, list) else value
    return PriceRule(**values)


def _value(one: _Undoing, column: Any, model: Any) -> Any:
    return db.session.scalar(
        sa.select(column).where(
            model.organisation_id == one.reader.organisation_id, model.id == one.id
        )
    )


def _row(one: _Undoing, model: Any) -> Any:
    """The row as it is now; raises CantBeUndone where it is gone."""
    row = db.session.scalar(
        sa.select(model)
        .where(model.organisation_id == one.reader.organisation_id, model.id == one.id)
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise CantBeUndone("It is not there any more.")
    return row


_DEEDS: dict[str, Callable[[_Undoing], Deed]] = {
    "categories": _category,
    "letter_wordings": _wording,
    "media": _media,
    "membership_types": _membership_type,
    "memberships": _membership,
    "practitioners": _practitioner,
    "price_rules": _prices,
    "rooms": _room,
    "session_bookings": _booking,
    "session_types": _type,
    "sites": _site,
    "zones": _zone,
}
