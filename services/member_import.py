"""Members from a CSV file: what each line would do, then exactly that in one transaction (S3)."""

import datetime as dt
import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field, replace

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload

from domain.errors import RuleBroken
from domain.member_file import Row, Wanted, check_row, fold, read_rows, write_rows
from domain.memberships import ChangedMeanwhile, Held, change_days, give, say_days, turn_into
from domain.people import email_key
from models import (
    Account,
    Customer,
    FormerCustomer,
    Membership,
    MembershipType,
    db,
    new_object_id,
    transaction,
)
from services.memberships import add_membership, held_of, lock_customers, write_memberships


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one line would do: customer, membership, change, same or bad; and to whom."""

    number: int
    kind: str
    name: str = ""
    email: str = ""
    said: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a file would do, line by line, and the digest of just that."""

    outcomes: tuple[Outcome, ...]
    digest: str

    def of_kind(self, *kinds: str) -> list[Outcome]:
        """The lines that would do this."""
        return [outcome for outcome in self.outcomes if outcome.kind in kinds]

    @property
    def changes(self) -> int:
        """How many lines change something."""
        return len(self.of_kind("customer", "membership", "change"))


@dataclass(slots=True)
class _Person:
    """A customer while the file is read: known, or new with this file."""

    id: str
    name: str
    email: str
    is_new: bool = False
    held: list[Held] = field(default_factory=list)


def plan_import(organisation_id: str, text: str, *, today: dt.date) -> Plan:
    """What this file would do; changes nothing. Raises FileRefused."""
    return _Reading(organisation_id, read_rows(text), today).plan()


def apply_import(
    organisation_id: str, text: str, *, digest: str, now: dt.datetime, today: dt.date
) -> Plan:
    """Do what was shown under `digest`, all of it or nothing (S3).

    Raises ChangedMeanwhile when the file would do something else by now, FileRefused.
    """
    rows = read_rows(text)
    try:
        with transaction():
            reading = _Reading(organisation_id, rows, today)
            lock_customers(organisation_id, reading.known_ids)
            # Read again what others may have changed while we waited for the locks.
            db.session.expire_all()
            reading = _Reading(organisation_id, rows, today)
            plan = reading.plan()
            if plan.digest != digest:
                raise ChangedMeanwhile(
                    "Something changed since you looked at this list, so nothing was imported. "
                    "Here is the list as it is now."
                )
            reading.write(now)
            return plan
    except IntegrityError as error:
        raise ChangedMeanwhile(
            "Somebody added one of these people at the same moment, so nothing was imported. "
            "Here is the list as it is now."
        ) from error


def export_members(organisation_id: str) -> str:
    """All memberships as a file that can be imported again; every cell harmless (D5)."""
    rows = db.session.scalars(
        sa.select(Membership)
        .join(Customer, Membership.customer_id == Customer.id)
        .where(Membership.organisation_id == organisation_id, Customer.erased_at.is_(None))
        .options(joinedload(Membership.membership_type))
        .order_by(sa.func.lower(Customer.name), Customer.id, Membership.first_day, Membership.id)
    ).all()
    people = {
        row.id: row
        for row in db.session.scalars(
            sa.select(Customer).where(
                Customer.organisation_id == organisation_id,
                Customer.id.in_({row.customer_id for row in rows}),
            )
        )
    }
    names = Counter(fold(kind.name) for kind in _types_of(organisation_id))
    return write_rows(
        (
            people[row.customer_id].email,
            people[row.customer_id].name,
            # Its name, or its id where two have one name.
            row.membership_type.name
            if names[fold(row.membership_type.name)] == 1
            else row.membership_type_id,
            row.first_day.isoformat(),
            row.last_day.isoformat() if row.last_day else "",
            row.state,
        )
        for row in rows
    )


def sample_file(organisation_id: str, *, today: dt.date) -> str:
    """Two lines that show the columns, with one of the organisation's own types."""
    name = db.session.scalar(
        sa.select(MembershipType.name)
        .where(
            MembershipType.organisation_id == organisation_id, MembershipType.deleted_at.is_(None)
        )
        .order_by(MembershipType.name)
        .limit(1)
    )
    kind, first = name or "Membership", today.replace(day=1)
    return write_rows(
        [
            ("ana@example.com", "Ana Reyes", kind, first.isoformat(), "", ""),
            ("jude@example.com", "Jude Park", kind, first.isoformat(), f"{today:%Y}-12-31", ""),
        ]
    )


class _Reading:
    """The lines of a file, taken in order against what the organisation knows."""

    def __init__(self, organisation_id: str, rows: list[Row], today: dt.date) -> None:
        self._organisation_id = organisation_id
        self._today = today
        self._lines = [(row, _checked(row)) for row in rows]
        wanted = [line for _, line in self._lines if isinstance(line, Wanted)]
        self._people = _known_people(organisation_id, {email_key(line.email) for line in wanted})
        self._types = _types_of(organisation_id)
        self._before = {held.id: held for p in self._people.values() for held in p.held}

    @property
    def known_ids(self) -> list[str]:
        """The customers that are here already."""
        return sorted({person.id for person in self._people.values() if not person.is_new})

    def plan(self) -> Plan:
        """What each line does after the ones before it."""
        facts, outcomes = [], []
        for row, line in self._lines:
            outcome = (
                Outcome(row.number, "bad", text=row.text[:300], said=line)
                if isinstance(line, str)
                else self._take(row, line)
            )
            outcomes.append(outcome)
            person = self._people.get(email_key(outcome.email)) if outcome.email else None
            known = person.id if person and not person.is_new else ""
            facts.append([outcome.number, outcome.kind, outcome.said, outcome.name, known])
        text = json.dumps(facts, ensure_ascii=False)
        return Plan(tuple(outcomes), hashlib.sha256(text.encode()).hexdigest())

    def write(self, now: dt.datetime) -> None:
        """Put what `plan` found into the database; the caller's transaction."""
        people = {id(person): person for person in self._people.values()}.values()
        for person in people:
            if person.is_new:
                db.session.add(self._new_row(person, now))
        db.session.flush()
        changed = []
        for person in people:
            for held in person.held:
                before = self._before.get(held.id)
                if before is None:
                    add_membership(self._organisation_id, person.id, held, now)
                elif before != held:
                    changed.append(held)
        write_memberships(self._organisation_id, changed)
        db.session.flush()

    def _new_row(self, person: _Person, now: dt.datetime) -> Customer:
        # Never linked to an account: a file proves no address.
        return Customer(
            id=person.id,
            organisation_id=self._organisation_id,
            account_id=None,
            name=person.name,
            email=person.email,
            email_key=email_key(person.email),
            address_key=email_key(person.email),
            created_at=now,
        )

    def _take(self, row: Row, line: Wanted) -> Outcome:
        try:
            return self._do(row, line)
        except RuleBroken as broken:
            return Outcome(row.number, "bad", text=row.text[:300], said=broken.sentence)

    def _do(self, row: Row, line: Wanted) -> Outcome:
        person = self._people.get(email_key(line.email))
        held = person.held if person else []
        kind = self._type(line.type, held)
        same = next(
            (h for h in held if h.type_id == kind.id and h.first_day == line.first_day), None
        )
        said = f"{kind.name}, {say_days(line.first_day, line.last_day)}"
        if person is not None and same is not None:
            changed = self._changed(same, line, held)
            person.held = [changed if one is same else one for one in held]
            what = "same" if changed == same else "change"
            said = f"{said}, {changed.state}"
            if what == "change":
                said += f" (was {say_days(same.first_day, same.last_day)}, {same.state})"
            return Outcome(row.number, what, person.name, line.email, said)
        given = self._given(kind, line, held)
        if person is None:
            if not line.name:
                raise RuleBroken("The name is missing, and this address is new here.")
            person = _Person(new_object_id(), line.name, line.email, is_new=True)
            self._people[email_key(line.email)] = person
            what = "customer"
        else:
            what = "membership"
        person.held = [*person.held, given]
        said = f"{said}, {given.state}"
        return Outcome(row.number, what, person.name, line.email, said)

    def _changed(self, same: Held, line: Wanted, held: list[Held]) -> Held:
        changed = change_days(same, line.first_day, line.last_day, held, today=self._today)
        if line.state is None:
            return changed
        turned = turn_into(changed, line.state, today=self._today)
        # The file says which day was the last one.
        return replace(turned, last_day=changed.last_day)

    def _given(self, kind: MembershipType, line: Wanted, held: list[Held]) -> Held:
        if kind.deleted_at is not None:
            raise RuleBroken(f"{kind.name} is archived. Restore it first.", code="type")
        if line.state == "ended":
            raise RuleBroken("An ended membership that isn't here can't be added.", code="state")
        wanted = Held(
            new_object_id(),
            kind.id,
            kind.name,
            line.first_day,
            line.last_day,
            line.state or "active",
        )
        return give(wanted, held, today=self._today)

    def _type(self, name: str, held: list[Held]) -> MembershipType:
        """By id, else by name; of several with one name the one that can be given, else held."""
        found = [kind for kind in self._types if kind.id == name or fold(kind.name) == fold(name)]
        owned = {one.type_id for one in held}
        found.sort(key=lambda kind: (kind.deleted_at is not None, kind.id not in owned))
        if not found:
            raise RuleBroken(f"There is no membership called “{name[:80]}” here.", code="type")
        return found[0]


def _types_of(organisation_id: str) -> list[MembershipType]:
    return list(
        db.session.scalars(
            sa.select(MembershipType)
            .where(MembershipType.organisation_id == organisation_id)
            .order_by(MembershipType.id)
        )
    )


def _checked(row: Row) -> Wanted | str:
    try:
        return check_row(row)
    except RuleBroken as broken:
        return broken.sentence


def _known_people(organisation_id: str, keys: set[str]) -> dict[str, _Person]:
    """Who has which of these addresses here: its own row, else its account's, else a guest's."""
    rows = db.session.scalars(
        sa.select(Customer)
        .where(
            Customer.organisation_id == organisation_id,
            sa.or_(Customer.email_key.in_(keys), Customer.address_key.in_(keys)),
        )
        .order_by(Customer.created_at, Customer.id)
    ).all()
    by_account = db.session.execute(
        sa.select(Account.email_key, Customer)
        .join(Customer, Customer.account_id == Account.id)
        .where(Customer.organisation_id == organisation_id, Account.email_key.in_(keys))
    ).all()
    merged = db.session.execute(
        sa.select(FormerCustomer.email_key, Customer)
        .join(Customer, FormerCustomer.customer_id == Customer.id)
        .where(
            FormerCustomer.organisation_id == organisation_id, FormerCustomer.email_key.in_(keys)
        )
    ).all()
    chosen: dict[str, Customer] = {key: row for key, row in merged if key}
    for row in reversed(rows):
        chosen[row.address_key] = row
    chosen.update((key, row) for key, row in by_account)
    chosen.update({row.email_key: row for row in rows if row.email_key})
    people: dict[str, _Person] = {}
    known = {row.id: _Person(row.id, row.name, row.email) for row in chosen.values()}
    for key, row in chosen.items():
        if key in keys:
            people[key] = known[row.id]
    held = db.session.scalars(
        sa.select(Membership)
        .where(Membership.organisation_id == organisation_id, Membership.customer_id.in_(known))
        .options(joinedload(Membership.membership_type))
        .order_by(Membership.first_day, Membership.id)
    )
    for one in held:
        known[one.customer_id].held.append(held_of(one))
    return people
