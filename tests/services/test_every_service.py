"""A walk over every service that changes something: what it changed stands in the trail.

A service that opens a transaction and is neither walked nor named with its reason fails here.
"""

import ast
import datetime as dt
import io
import secrets
import sys
from collections.abc import Callable
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyotp
import sqlalchemy as sa
from conftest import NOW, ROOT, app_on
from factories import (
    ANYWHERE,
    fetch,
    make_account,
    make_customer,
    make_form,
    make_group,
    make_order,
    make_practitioner,
    make_room,
    make_session,
    make_site,
    make_staff,
    make_type,
)
from passkey_device import Device
from PIL import Image
from webauthn.helpers import bytes_to_base64url

from domain.editing import mark_of_values
from domain.eligibility import Viewer
from domain.intake import BOOKER, Field
from domain.memberships import Days
from domain.merging import FIELDS, KEPT
from domain.new_sessions import NewSession
from domain.pricing import PriceRule
from domain.session_edits import SessionWish
from domain.wording import Wording
from models import (
    RIGHTS,
    Account,
    AccountLink,
    Actor,
    AuditEntry,
    Base,
    Kiosk,
    Order,
    PrivateLink,
    Session,
    SessionBooking,
    Site,
    acting_as,
    db,
    practitioner_types,
    transaction,
)
from models.audit import AUDITED
from services import (
    account_closing,
    account_links,
    account_settings,
    api_tokens,
    archive_import,
    archive_writing,
    archives,
    basket,
    bookings_made,
    cancelling,
    categories,
    checkout,
    closed_days,
    covering,
    desk,
    eligibility,
    erasing,
    feeds,
    founding,
    giving_up,
    growing,
    intake_answers,
    kiosks,
    long_works,
    media,
    member_import,
    memberships,
    merging,
    moving,
    notes,
    notices,
    orders,
    overrides,
    passkeys,
    practitioners,
    price_rules,
    private_links,
    rooms,
    scheduling,
    second_factor,
    series,
    series_choices,
    series_rows,
    session_changes,
    session_edits,
    session_types,
    session_updates,
    sessions_made,
    sign_ins,
    staff,
    staff_invitations,
    sweeping,
    type_archiving,
    type_copying,
    type_rows,
    venue_settings,
    waiting,
    waking,
    webhooks,
    wording,
    zone_changes,
)
from services.changing import Door, door_of_order
from services.checkout import find_order

DAY = dt.timedelta(days=1)
TODAY = NOW.date()

_BASKET = "a basket is nobody's order yet; its story begins when it is sent"
_OUTBOX = "the outbox keeps its own account"
_LINK = "writes a link that proves an address; what it opens is in the trail"
_SERIES = "what a series makes is told by the series, which is in the trail"
_STEPS = "only counts the steps of a long work; each step is a service of its own"
_DEMO = "only calls services that are walked"
_USE = "notes when it was used last, which changes nothing that anybody can do"
_SHOWN = "what a kiosk shows for some seconds is no change of anything"
_SIGN_IN = "writes the list of signed-in browsers, which is its own record"
_DELIVERY = "the log of deliveries is its own account"
QUIET = {
    "account_links.request_account": _LINK,
    "account_links.request_reset": _LINK,
    "account_links.request_sign_in": _LINK,
    "account_settings.request_address": _LINK,
    "api_tokens.note_use": _USE,
    "archives.stop_archive": _STEPS,
    "basket.change_guests": _BASKET,
    "basket.drop_line": _BASKET,
    "basket.hold_places": _BASKET,
    "basket.keep_details": _BASKET,
    "basket.rebuild_basket": _BASKET,
    "basket.renew_hold": _BASKET,
    "changing.change": "the frame of cancelling, moving and giving up, which are walked",
    "covering.begin_cover": _STEPS,
    "demo.load_demo": _DEMO,
    "demo_diary.Diary": _DEMO,
    "demo_house.found_forms": _DEMO,
    "demo_letters.put_letters_aside": _OUTBOX,
    "demo_links.found_links": _DEMO,
    "guest_links.send_guest_link": _OUTBOX,
    "idempotency.once": "the frame of other services",
    "idempotency.once_as_one": "the frame of other services",
    "idempotency.retrying": "the frame of other services",
    "kiosks.find_arrival": _SHOWN,
    "kiosks.keep_showing": _SHOWN,
    "kiosks.show_nothing": _SHOWN,
    "long_works.ask_to_stop": _STEPS,
    "long_works.carry_on": _STEPS,
    "long_works.reach": _STEPS,
    "long_works.restart": _STEPS,
    "orders.resend": _OUTBOX,
    "outbox.claim_job": _OUTBOX,
    "outbox.fail": _OUTBOX,
    "outbox.finish": _OUTBOX,
    "outbox.give_up": _OUTBOX,
    "outbox_desk.retry": _OUTBOX,
    "passkeys.use_passkey": _USE,
    "private_links.note_seen": "that an address was opened is no change anybody made",
    "private_links.release_kept_places": "places kept are a counter of sessions and links",
    "series_choices.carry_out": _STEPS,
    "second_factor.begin_authenticator": "an app that no code has confirmed guards nothing",
    "sign_in.check_sign_in": "counts tries for some minutes",
    "sign_in.note_try": "counts tries for some minutes",
    "sign_in.prove_password": "counts tries for some minutes",
    "sign_ins.begin_sign_in": _SIGN_IN,
    "sign_ins.end_other_sign_ins": _SIGN_IN,
    "sign_ins.end_sign_in": _SIGN_IN,
    "sign_ins.leave": _SIGN_IN,
    "sign_ins.note_use": _USE,
    "scheduling.produce_sessions": _SERIES,
    "scheduling.roll_horizon_forward": _SERIES,
    "webhook_deliveries.send_again": _DELIVERY,
    "webhook_deliveries.send_test": _DELIVERY,
    "webhook_sending.find_shipment": _DELIVERY,
    "webhook_sending.note_outcome": "writes its own log; that it pauses a webhook is tested there",
    "work_steps.do_small_work": _STEPS,
    "waking.release_expired_holds": "lets go of holds, which are bookings not made yet",
}
"""Services that open a transaction and change nothing that the trail keeps, with the reason."""

ELSEWHERE = {"archive_import.import_archive": "test_what_is_taken_in_is_in_the_trail"}
"""Services that need a database of their own, with the test below that walks them."""


def changing_services() -> set[str]:
    """Every public function or class of services/ that comes to open a transaction."""
    found = {("models", "transaction")}
    imports: dict[str, dict[str, tuple[str, str]]] = {}
    uses: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for path in (ROOT / "services").glob("*.py"):
        tree = ast.parse(path.read_text())
        named = imports[path.stem] = {}
        for node in tree.body:
            if isinstance(node, ast.ImportFrom):
                module = (node.module or "").removeprefix("services.")
                named.update({a.asname or a.name: (module, a.name) for a in node.names})
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                words = {word.id for word in ast.walk(node) if isinstance(word, ast.Name)}
                uses[path.stem, node.name] = {named.get(w, (path.stem, w)) for w in words}
    while more := {key for key, used in uses.items() if used & found} - found:
        found |= more
    return {f"{module}.{name}" for module, name in found if name[0] != "_" and module != "models"}


# What was changed, found without the trail: every row before and after.

Rows = dict[str, dict[tuple[Any, ...], dict[str, Any]]]


def snapshot() -> Rows:
    db.session.rollback()
    found: Rows = {}
    for name in AUDITED:
        table = Base.metadata.tables[name]
        keys = [column.name for column in table.primary_key]
        found[name] = {
            tuple(row[key] for key in keys): dict(row)
            for row in db.session.execute(sa.text(f'SELECT * FROM "{name}"')).mappings()  # noqa: S608
        }
    return found


def is_draft(table: str, row: dict[str, Any]) -> bool:
    return (
        (table == "orders" and row["state"] == "basket")
        or (table == "session_bookings" and row["status"] == "new" and not row["waiting_since"])
        or (table == "authenticators" and row["confirmed_at"] is None)
    )


def due(before: Rows, after: Rows) -> set[tuple[str, str, str]]:
    """What must be written: the table, the row's id, and the column, or "made" or "removed"."""
    found = set()
    for table, spec in AUDITED.items():
        old, new = before[table], after[table]
        for key in old.keys() | new.keys():
            was, now = old.get(key), new.get(key)
            if spec.links:
                if was != now:
                    found.add((spec.about[0], (now or was)[spec.about[1]], table))
            elif was is None or (is_draft(table, was) and now is not None):
                # Items and guests of a basket are part of what is made when it is sent.
                is_told = "EXISTS" in spec.draft or (spec.quiet and now["recurrence_group_id"])
                if not is_told and not is_draft(table, now):
                    found.add((table, key[0], "made"))
            elif now is None:
                found |= set() if is_draft(table, was) else {(table, key[0], "removed")}
            else:
                kept = was.keys() - set(spec.skipped)
                found |= {(table, key[0], name) for name in kept if was[name] != now[name]}
    return found


def written(since: int) -> set[tuple[str, str, str]]:
    rows = db.session.execute(
        sa.text(
            'SELECT e.subject, e.subject_id, e.act, e."before", e."after", v."before", v."after"'
            " FROM audit_entries AS e LEFT JOIN audit_values AS v ON v.entry_id = e.id"
            " WHERE e.id > :since"
        ).columns(*[sa.Column(str(n), sa.JSON if n > 2 else sa.Text) for n in range(7)]),
        {"since": since},
    )
    return {
        (subject, subject_id, word)
        for subject, subject_id, act, *values in rows
        for word in ([act] if act != "changed" else [name for one in values for name in one or ()])
    }


class Walk:
    """Calls services and compares what they changed with what was written about it."""

    def __init__(self) -> None:
        self.walked: set[str] = set()

    def did(
        self,
        service: Callable[..., Any],
        *args: Any,
        watched: bool = False,
        forgets: bool = False,
        **given: Any,
    ) -> Any:
        """`forgets`: it erases a person, and what is personal is written no more."""
        before = snapshot()
        since = db.session.scalar(sa.text("SELECT COALESCE(MAX(id), 0) FROM audit_entries"))
        db.session.rollback()
        name = f"{Path(service.__code__.co_filename).stem}.{service.__name__}"
        self.walked.add(name)
        with self._watching() if watched else nullcontext():
            answer = service(*args, **given)
        after = snapshot()
        changed = due(before, after)
        if forgets:
            changed = {it for it in changed if it[2] not in AUDITED[it[0]].personal}
        assert changed, f"{name} changed nothing here"
        assert changed <= written(since), f"{name}: {changed - written(since)}"
        return answer

    @contextmanager
    def _watching(self):
        """Notes the services that were called on the way, too."""

        def note(frame: Any, event: str, _: Any) -> None:
            code = frame.f_code
            if event == "call" and "/services/" in code.co_filename:
                self.walked.add(f"{Path(code.co_filename).stem}.{code.co_name}")

        sys.setprofile(note)
        try:
            yield
        finally:
            sys.setprofile(None)


class House:
    """A site with an offer, a member of staff and somebody with an account."""

    def __init__(self, walk: Walk) -> None:
        self.did = walk.did
        self.site = make_site()
        self.id = self.site.organisation_id
        self.here = (self.id, self.site.id)
        self.room = make_room(self.site)
        self.kind = make_type(self.site, waitlist_enabled=True)
        self.row = make_session(self.kind)
        self.ana = save_account()

    def line(self, secret: str) -> Any:
        return db.session.scalar(
            sa.select(SessionBooking)
            .join(SessionBooking.order)
            .where(SessionBooking.organisation_id == self.id, Order.secret == secret)
            .execution_options(populate_existing=True)
        )

    def buy(self, row: Any = None, **given: Any) -> Any:
        secret = make_order(row or self.row, **given)
        return secret, self.line(secret)

    def door(self, secret: str) -> Any:
        return door_of_order(secret, self.line(secret).id)


COUNT = iter(range(10**6))


def save_account(**given: Any) -> Account:
    return make_account(f"ana{next(COUNT)}@example.com", **given)


def link_id() -> str:
    return db.session.scalar(
        sa.select(AccountLink.id)
        .where(AccountLink.used_at.is_(None))
        .order_by(AccountLink.created_at.desc())
        .limit(1)
    )


def accounts(it: House) -> None:
    minute = dt.timedelta(minutes=1)
    account_links.request_account("new@example.com", "New", who="n", now=NOW)
    it.did(
        account_links.open_account, link_id(), name="New", password="quiet-rooms-9", who="n",
        now=NOW,
    )  # fmt: skip
    account_links.request_reset(it.ana.email, who="r", now=NOW + minute)
    it.did(account_links.reset_password, link_id(), "river-stones-4", who="r", now=NOW + minute)
    later = NOW + 2 * minute
    account_settings.request_address(it.ana.id, "moved@example.com", who="a", now=later)
    it.did(account_settings.confirm_address, link_id(), it.ana.id, now=later)
    guest = save_account(password="quiet-rooms")
    make_order(it.row, email=guest.email)
    later += minute
    account_links.request_sign_in(guest.email, who="s", now=later)
    it.did(account_links.sign_in_by_link, link_id(), who="s", now=later)
    make_order(it.row, email=it.ana.email)
    it.did(account_links.change_password, it.ana.id, password="tall-reeds-77", now=NOW)
    it.did(account_settings.change_name, it.ana.id, "Ana R.")
    it.did(sign_ins.end_sign_ins_of, it.ana.id, now=NOW)
    it.did(feeds.start_feed, it.ana.id)
    it.did(feeds.renew_feed, it.ana.id, was=db.session.get(Account, it.ana.id).feed_key)
    it.did(feeds.stop_feed, it.ana.id)
    it.did(account_closing.close_account, it.ana.id, who="c", now=NOW)


def booking(it: House) -> None:
    held = basket.hold_places(
        it.id, it.row.id, session_type_id=it.kind.id, guests=2, viewer=Viewer(),
        basket_secret=None, now=NOW,
    )  # fmt: skip
    it.did(checkout.confirm_order, it.id, held, name="Ana", email="a@example.com", now=NOW)
    desk_line = it.did(checkout.book_for_staff, it.id, it.row.id, name="Walter", guests=1, now=NOW)
    at = (*it.here, desk_line)
    it.did(desk.set_no_show, *at, missed=True, now=it.row.start_time)
    it.did(desk.set_no_show, *at, missed=False, now=it.row.start_time)
    it.did(desk.set_check_in, *at, arrived=True, now=it.row.start_time)
    it.did(desk.set_stage, *at, stage="in_treatment", now=it.row.start_time)
    other = make_session(it.kind, local_start="2026-06-13T18:00")
    it.did(moving.move, it.door(held), it.line(held).id, other.id, now=NOW)
    it.did(cancelling.cancel_guests, it.door(held), it.line(held).id, number=1, now=NOW)
    it.did(cancelling.cancel, it.door(held), it.line(held).id, now=NOW)
    _, line = it.buy()
    it.did(cancelling.cancel_for_staff, *it.here, line.id, reason="Ill", now=NOW)
    shut = make_session(it.kind, local_start="2026-06-14T18:00", capacity=1)
    make_order(shut, email="full@example.com")
    asked = eligibility.explain(*it.here, session_id=it.row.id, customer_id=None, guests=40, at=NOW)
    staff = make_staff(it.site, f"maren{next(COUNT)}@example.com")
    small = make_type(it.site, min_guests=2)
    row = make_session(small)
    asked = eligibility.explain(*it.here, session_id=row.id, customer_id=None, guests=1, at=NOW)
    it.did(
        overrides.book_in_spite, *it.here, row.id, customer_id=None, name="Jude", email="",
        guests=1, reason="A birthday", shown=asked.failed,
        rights={"RESERVATIONS_MANAGE", "SETTINGS_MANAGE"}, account_id=staff.id, now=NOW,
    )  # fmt: skip


def by_programs(it: House) -> None:
    ana = bookings_made.Booker(name="Ana Reyes", email="ana@example.com", phone="+44 1225 000000")
    row, two = make_session(it.kind), bookings_made.Party(2)
    booked = it.did(bookings_made.book_as_customer, it.id, row.id, who=ana, party=two, now=NOW)
    walter = bookings_made.Booker(name="Walter")
    it.did(
        bookings_made.book_as_staff, *it.here, row.id, who=walter, party=two, reason="By phone",
        rights=RIGHTS, now=NOW,
    )  # fmt: skip
    other = make_session(it.kind, local_start="2026-06-13T18:00")
    it.did(bookings_made.move_booking, *it.here, booked, other.id, now=NOW)
    it.did(bookings_made.cancel_booking, *it.here, booked, reason="Ill", now=NOW)
    full = make_session(it.kind, local_start="2026-06-14T18:00", capacity=1, waitlist_enabled=True)
    make_order(full, email="full@example.com")
    waits = it.did(bookings_made.wait_for, it.id, full.id, who=ana, guests=1, now=NOW)
    it.did(bookings_made.stop_waiting, *it.here, waits, now=NOW)


def money(it: House) -> None:
    costly = make_type(it.site, no_show_fee=2000, fees_waivable_hours=24)
    _, missed = it.buy(make_session(costly))
    hour = dt.timedelta(hours=1)
    begun = make_session(costly).start_time
    it.did(desk.set_no_show, *it.here, missed.id, missed=True, now=begun + hour)
    it.did(desk.waive_fee, *it.here, missed.id, reason="Ill", now=begun + 2 * hour)
    _, grows = it.buy()
    it.did(growing.add_guests, Door(it.id, site_id=it.site.id), grows.id, number=1, now=NOW)
    secret, _ = it.buy()
    order = find_order(secret)
    till = orders.Till(it.id, it.site.id, "a" * 24)
    it.did(orders.take_payment, till, order.id, amount=4000, method="cash", now=NOW)
    it.did(orders.comp, till, order.id, amount=800, reason="Cold", now=NOW)
    it.did(orders.refund, till, order.id, amount=500, reason="Rain", now=NOW)


def waiting_list(it: House) -> None:
    late = make_type(it.site, waitlist_enabled=True, customer_cancellation_min_duration="P30D")
    one = make_session(late, capacity=2)
    two, _ = it.buy(one, guests=2)
    it.did(giving_up.release_places, it.door(two), it.line(two).id, 1, now=NOW)
    it.did(giving_up.take_back, it.door(two), it.line(two).id, now=NOW)
    full = make_session(it.kind, capacity=1, local_start="2026-06-20T10:00")
    _, line = it.buy(full)

    def join(who: str, guests: int = 1) -> str:
        return waiting.join(
            it.id, full.id, guests=guests, name=who, email=f"{who}@example.com", now=NOW
        )

    first = it.did(waiting.join, it.id, full.id, guests=1, name="Bo", email="b@x.example", now=NOW)
    it.did(waiting.leave, first, now=NOW)
    it.did(waiting.remove_entry, *it.here, it.line(join("Cy")).id, now=NOW)
    offered, next_ = join("Di"), join("Ed")
    it.did(cancelling.cancel_for_staff, *it.here, line.id, reason="Ill", now=NOW)
    it.did(waiting.decline, offered, now=NOW)
    it.did(waiting.accept, next_, now=NOW)
    join("Flo")
    fetch(Session, full.id).capacity = 2
    db.session.commit()
    it.did(waking.wake_forgotten, NOW)
    join("Gus")
    hal = join("Hal")
    with transaction():
        fetch(Session, full.id).capacity = 4
    it.did(waiting.offer_by_hand, *it.here, it.line(hal).id, now=NOW)


def forms(it: House) -> None:
    kind = make_type(it.site)
    field = Field(id="q1", label="Anything?", required=False)
    it.did(make_form, kind, field, watched=True)
    row = make_session(kind)
    secret, line = it.buy(row)
    found = intake_answers.find_booking_forms(secret, line.id, now=NOW)
    it.did(
        intake_answers.save_answers, it.id, line.id, {BOOKER: {"q1": ["None"]}},
        seen={BOOKER: found.of(BOOKER).seen}, by="booker", now=NOW,
    )  # fmt: skip


def people(it: House) -> None:
    customer = make_customer(it.id, email="jude@example.com")
    kind = it.did(memberships.add_type, it.id, name="River", now=NOW)
    it.did(memberships.rename_type, it.id, kind, name="Lake", was="River")
    it.did(memberships.archive_type, it.id, kind, now=NOW)
    it.did(memberships.restore_type, it.id, kind)
    given = it.did(
        memberships.give_membership, it.id, customer.id, type_id=kind, first_day=TODAY,
        last_day=None, now=NOW, today=TODAY,
    )  # fmt: skip

    def at() -> dict[str, Any]:
        [held] = memberships.list_held(it.id, customer.id)
        return {"was": was_of(held)}

    where = (it.id, customer.id, membership_id(it, customer.id))
    assert given
    it.did(memberships.pause_membership, *where, **at(), today=TODAY)
    it.did(memberships.resume_membership, *where, **at())
    it.did(
        memberships.change_membership_days, *where, first_day=TODAY, last_day=TODAY + 9 * DAY,
        **at(), today=TODAY,
    )  # fmt: skip
    it.did(memberships.end_membership, *where, last_day=TODAY, **at(), today=TODAY)
    text = (
        "email,name,membership type,first day,last day,state\nbo@example.com,Bo,Lake,2026-07-01,,"
    )
    plan = member_import.plan_import(it.id, text, today=TODAY)
    it.did(member_import.apply_import, it.id, text, digest=plan.digest, now=NOW, today=TODAY)
    about = notes.About(customer_id=customer.id)
    note = it.did(notes.add_note, it.id, about, "Likes tea", author_id=it.ana.id, now=NOW)
    it.did(notes.take_note_away, it.id, about, note, by_id=it.ana.id, now=NOW)
    it.did(notes.bring_note_back, it.id, about, note)
    booked = notes.About(booking_id=it.buy()[1].id)
    it.did(notes.add_note, it.id, booked, "Runs late", author_id=it.ana.id, now=NOW)
    double = make_customer(it.id, name="Jude", email="jude@work.example")
    it.did(
        merging.merge_customers, it.id, customer.id, double.id, chosen=dict.fromkeys(FIELDS, KEPT),
        seen=merging.find_merge(it.id, customer.id, double.id).mark, by_id=it.ana.id, now=NOW,
    )  # fmt: skip
    it.did(
        erasing.erase_customer, it.id, customer.id, cancels=False, hash_address=str, now=NOW,
        forgets=True,
        seen=erasing.find_erasure(it.id, customer.id, now=NOW).mark,
    )  # fmt: skip


def was_of(held: Any) -> Any:
    return Days(held.first_day, held.last_day, held.state)


def membership_id(it: House, customer_id: str) -> str:
    [held] = memberships.list_held(it.id, customer_id)
    return held.id


def the_house(it: House) -> None:
    owner = founding.Owner("Olga", "olga@example.com", "river-before-dawn")
    wanted = {
        "slug": "harbour", "name": "Harbour", "place": "Leith", "zone": "Europe/London",
        "currency": "GBP", "locale": "en_GB",
    }  # fmt: skip
    it.did(founding.found_organisation, "Harbour", "HARB", wanted, owner, now=NOW)
    boss = make_staff(
        it.site, f"boss{next(COUNT)}@example.com", rights=("SETTINGS_MANAGE",), everywhere=True
    )
    it.did(founding.add_site, it.id, boss.id, {**wanted, "slug": "pier"}, key="k", now=NOW)
    it.did(
        venue_settings.rename_organisation, it.id, boss.id, "Calm water",
        seen=mark_of_values({"name": "Stillwater"}),
    )  # fmt: skip
    kept = venue_settings.find_settings(*it.here, "booking")
    it.did(
        venue_settings.save_settings, *it.here, "booking", {"hold_minutes": 20},
        seen=mark_of_values(kept),
    )  # fmt: skip
    it.did(venue_settings.change_settings, *it.here, {"few_left": 5, "phone": "+44 1225 000000"})
    was = notices.find_notices(*it.here)
    it.did(notices.save_notices, *it.here, replace(was, reminder_hours=12), was=was.mark)
    change = zone_changes.find_zone_change(*it.here, "Europe/Berlin", now=NOW)
    it.did(zone_changes.change_zone, *it.here, "Europe/Berlin", seen=change.mark, now=NOW)
    words = Wording(subject="Soon", opening="Dear you", closing="")
    it.did(wording.save_wording, *it.here, "booking_confirmed", words, seen=0, now=NOW)

    room = it.did(
        rooms.add_room, *it.here, {"name": "Attic", "cap": 4, "turnaround": 0, "colour": 1}, now=NOW
    )
    values = rooms.room_values(rooms.find_room(*it.here, room))
    it.did(rooms.save_room, *it.here, room, {"cap": 5}, seen=mark_of_values(values))
    it.did(rooms.step_room, *it.here, room, -1)
    it.did(rooms.archive_room, *it.here, room, now=NOW)
    it.did(rooms.restore_room, *it.here, room)
    zone = it.did(rooms.add_zone, *it.here, "Upstairs", now=NOW)
    rooms.add_zone(*it.here, "Below", now=NOW)
    it.did(rooms.step_zone, *it.here, zone, 1)
    it.did(rooms.save_zone, *it.here, zone, "Roof", seen=mark_of_values({"name": "Upstairs"}))
    it.did(rooms.remove_zone, *it.here, zone)

    one = it.did(categories.add_category, it.id, {"name": "Baths", "slug": "baths"}, now=NOW)
    categories.add_category(it.id, {"name": "Saunas", "slug": "saunas"}, now=NOW)
    values = categories.category_values(categories.find_category(it.id, one))
    it.did(categories.save_category, it.id, one, {"blurb": "Warm"}, seen=mark_of_values(values))
    it.did(categories.step_category, it.id, one, 1)
    standing = [line.category.id for line in categories.list_categories(it.id)]
    it.did(categories.order_categories, it.id, standing[::-1])
    it.did(categories.remove_category, it.id, one)

    content = io.BytesIO()
    Image.new("RGB", (60, 40), (200, 30, 30)).save(content, "PNG")
    picture = it.did(
        media.add_media, it.id, file_name="a.png", content=content.getvalue(), alt="", key="",
        now=NOW,
    )  # fmt: skip
    it.did(media.describe_media, it.id, picture, "Steam", seen=mark_of_values({"alt": ""}))
    it.did(media.delete_media, it.id, picture, now=NOW)


def security(it: House) -> None:
    me, key, codes = it.ana.id, "the installation's own key", ()
    second_factor.begin_authenticator(me, key=key, now=NOW)
    app = pyotp.TOTP(second_factor.find_unconfirmed_key(me, key=key))
    codes = it.did(
        second_factor.confirm_authenticator, me, app.at(NOW), key=key, now=NOW
    )  # fmt: skip
    seen = second_factor.find_second_factor(me, key=key).codes_mark
    codes = it.did(second_factor.renew_recovery_codes, me, seen=seen, now=NOW)
    it.did(second_factor.check_code, me, codes[0], key=key, now=NOW)
    it.did(second_factor.switch_off_for, it.ana.email, now=NOW)
    second_factor.begin_authenticator(me, key=key, now=NOW + DAY)
    app = pyotp.TOTP(second_factor.find_unconfirmed_key(me, key=key))
    second_factor.confirm_authenticator(me, app.at(NOW + DAY), key=key, now=NOW + DAY)
    it.did(second_factor.switch_off_authenticator, me, now=NOW + DAY)
    asked = bytes_to_base64url(secrets.token_bytes(32))
    party = passkeys.Party("localhost", "http://localhost")
    it.did(
        passkeys.add_passkey, me, Device(owner=me).make(asked), "My phone", challenge=asked,
        party=party, now=NOW,
    )  # fmt: skip
    [phone] = passkeys.list_passkeys(me)
    it.did(passkeys.rename_passkey, phone.id, me, "My old phone")
    it.did(passkeys.remove_passkey, phone.id, me)


def colleagues(it: House) -> None:
    boss = make_staff(it.site, f"olga{next(COUNT)}@example.com", rights=RIGHTS, everywhere=True)
    ruth = make_staff(it.site, f"ruth{next(COUNT)}@example.com")
    seen = staff.mark_of(staff.find_person(it.id, ruth.id))
    person = it.did(
        staff.save_person, it.id, ruth.id, {it.site.id: ["ORDERS_MANAGE"]}, title="Desk",
        by=boss.id, seen=seen,
    )  # fmt: skip
    it.did(staff.sign_out_person, it.id, ruth.id, by=boss.id, now=NOW)
    it.did(staff.remove_person, it.id, ruth.id, by=boss.id, seen=staff.mark_of(person))

    def invite(email: str) -> str:
        return it.did(
            staff_invitations.invite, *it.here, email=email, name="", title="", by=boss.id,
            rights={it.site.id: ["ORDERS_MANAGE"]}, now=NOW,
        )  # fmt: skip

    one = invite(ruth.email)
    it.did(staff_invitations.accept, one, 1, account_id=ruth.id, now=NOW)
    two = invite(f"new{next(COUNT)}@example.com")
    it.did(staff_invitations.send_again, it.id, two, by=boss.id, now=NOW)
    it.did(
        staff_invitations.accept_anew, two, 2, name="New", password="quiet-rooms-9", who="n",
        now=NOW,
    )  # fmt: skip
    three = invite(f"nobody{next(COUNT)}@example.com")
    it.did(staff_invitations.withdraw, it.id, three, by=boss.id, now=NOW)
    rights = {staff.EVERYWHERE: ["REPORTS_VIEW"]}
    token, _ = it.did(api_tokens.make_token, it.id, name="Till", rights=rights, by=boss.id, now=NOW)
    it.did(api_tokens.revoke_token, it.id, token, by=boss.id, now=NOW)
    it.did(api_tokens.make_token_for, it.id, ["REPORTS_VIEW"], name="Door", now=NOW)
    it.did(venue_settings.ask_second_factor, it.id, boss.id, is_asked=True)
    archive = it.did(archives.begin_archive, *it.here, boss.id, now=NOW)
    work = archives.find_archive(it.id, archive, now=NOW).work_id
    it.did(long_works.carry_on, it.id, work, {"archive": archives.make_archive}, now=NOW,
           watched=True)  # fmt: skip
    it.did(archives.delete_archive, it.id, archive, now=NOW)
    archives.begin_archive(*it.here, boss.id, now=NOW)
    it.did(sweeping.sweep, now=NOW + 30 * DAY)


def other_programs(it: House) -> None:
    keeper = webhooks.Keeper(it.id, frozenset({(None, "SETTINGS_MANAGE")}))
    wish = webhooks.Wish("Door", "https://hooks.example.com/in", ["booking.created"])
    boss = make_staff(it.site, f"hooks{next(COUNT)}@example.com")
    made = it.did(webhooks.make_webhook, keeper, wish, by=boss.id, seal_key="a key", now=NOW)
    other = replace(wish, url="https://hooks.example.com/other")
    it.did(webhooks.change_webhook, keeper, made.id, other)
    it.did(webhooks.renew_secret, keeper, made.id, seal_key="a key", now=NOW)
    it.did(webhooks.pause_webhook, keeper, made.id, now=NOW)
    it.did(webhooks.resume_webhook, keeper, made.id)
    it.did(webhooks.remove_webhook, keeper, made.id)


def at_the_door(it: House) -> None:
    cookie = it.did(kiosks.sign_in_kiosk, *it.here, "Front door", by=it.ana.id, now=NOW)
    tablet = kiosks.find_kiosk(it.site.slug, cookie)
    _, line = it.buy()
    soon = it.row.start_time - dt.timedelta(minutes=10)
    kiosks.find_arrival(tablet, line.check_in_code, "", now=soon)
    shown = kiosks.find_shown(tablet, now=soon)
    it.did(kiosks.check_in_shown, tablet, shown.mark, now=soon)
    it.did(kiosks.end_kiosk, *it.here, fetch(Kiosk, tablet.id).id, by=it.ana.id, now=NOW)


def team(it: House) -> None:
    may = [it.site.id]
    wanted = {"name": "Tomas", "sites": may, "types": [it.kind.id]}
    tomas = it.did(practitioners.add_practitioner, it.id, wanted, may_set=may, now=NOW)
    values = practitioners.practitioner_values(
        practitioners.find_practitioner(*it.here, tomas), may
    )
    it.did(
        practitioners.save_practitioner, *it.here, tomas, {"title": "Host", "types": []},
        may_set=may, seen=mark_of_values(values), now=NOW,
    )  # fmt: skip
    start = dt.datetime(2026, 6, 20)  # noqa: DTZ001 - wall time
    it.did(
        practitioners.add_time_off, *it.here, tomas, local_start=start, local_end=start + DAY,
        reason="Away", now=NOW,
    )  # fmt: skip
    [away] = practitioners.list_time_off(it.id, fetch(Site, it.site.id), tomas, now=NOW)
    it.did(practitioners.remove_time_off, *it.here, tomas, away.row.id)
    it.did(practitioners.archive_practitioner, *it.here, tomas, now=NOW)
    it.did(practitioners.restore_practitioner, *it.here, tomas)


def offer(it: House) -> None:
    given = {"name": "Sauna", "duration": 60}
    made = it.did(session_types.make_type, *it.here, given, key="", now=NOW)
    at = (*it.here, made)
    row = session_types.find_type(*at)
    part = ("summary",)
    seen = session_types.mark_of_part(session_types.values_of(row), part)
    it.did(session_types.save_type, *at, {"summary": "Hot"}, part=part, seen=seen, now=NOW)
    copy = it.did(
        type_copying.copy_type, *at, {"name": "Twin"}, with_rules=True, with_series=True,
        key="", now=NOW,
    )  # fmt: skip
    assert copy
    rule = PriceRule("", 4000, "Plain")
    it.did(price_rules.create_rule, *at, rule, from_today=False, now=NOW)
    it.did(
        price_rules.create_rule,
        *at,
        PriceRule("", 3000, "Early", weekdays=frozenset({"monday"})),
        from_today=False,
        now=NOW,
    )
    rules = price_rules.find_prices(*at, now=NOW).rules
    it.did(price_rules.change_rule, *at, rules[0].id, {"price": 4100}, now=NOW)
    it.did(price_rules.order_rules, *at, [one.id for one in reversed(rules)], now=NOW)
    it.did(price_rules.delete_rule, *at, rules[0].id, now=NOW)
    prices = price_rules.find_prices(*at, now=NOW)
    it.did(
        price_rules.save_rules, *at, [replace(prices.rules[0], price=3100)], seen=prices.mark,
        now=NOW,
    )  # fmt: skip
    it.did(type_rows.add_type, *it.here, {"name": "Steam"}, now=NOW)
    it.did(type_rows.change_type, *at, {"summary": "Warm."}, now=NOW)
    it.did(type_rows.add_copy, *at, {"name": "Third"}, with_rules=False, with_series=False, now=NOW)
    seen = type_archiving.find_archiving(*at, now=NOW).mark
    it.did(type_archiving.archive_type, *at, seen=seen, now=NOW)
    it.did(type_archiving.restore_type, *at, now=NOW)
    it.did(type_rows.archive_live_type, *at, now=NOW)
    type_archiving.restore_type(*at, now=NOW)
    link = it.did(
        private_links.make_link, *it.here, private_links.NewLink(it.kind.id, "For Ines"),
        by="staff", now=NOW,
    )  # fmt: skip
    it.did(private_links.revoke_link, *it.here, fetch(PrivateLink, link).id, now=NOW)
    hidden = make_type(it.site, visibility="link_only")
    it.did(private_links.renew_address, *it.here, hidden.id)


def sessions(it: House) -> None:
    local = dt.datetime(2026, 6, 21, 9)  # noqa: DTZ001 - wall time
    wanted = NewSession(it.kind.id, local, room_id=it.room.id)
    try:
        made = it.did(sessions_made.make_session, *it.here, wanted, seen="", key="", now=NOW)
    except sessions_made.LookFirst as first:
        made = it.did(
            sessions_made.make_session, *it.here, wanted, seen=first.making.mark, key="", now=NOW
        )
    at = (*it.here, made)
    wish = SessionWish(capacity=5)
    seen = session_edits.find_edit(*at, wish, now=NOW).impact.mark
    it.did(session_edits.apply_edit, *at, wish, seen=seen, now=NOW)
    seen = session_changes.find_places(*at, now=NOW)[1].mark
    it.did(
        session_changes.change_capacity, *at, capacity=6, max_baskets=None,
        waitlist_enabled=True, seen=seen, now=NOW,
    )  # fmt: skip
    seen = session_changes.find_cancellable_session(*at, now=NOW).impact.mark
    it.did(session_changes.cancel_session, *at, reason="Repairs", seen=seen, now=NOW)
    seen = session_changes.find_restorable_session(*at, now=NOW).clash_mark
    it.did(session_changes.restore_session, *at, seen=seen, now=NOW)
    # The same in one step, as programs do it.
    start = dt.datetime(2026, 6, 22, 9, tzinfo=dt.UTC)
    sent = {"session_type_id": it.kind.id, "start_time": start, "room_id": it.room.id}
    at = (*it.here, it.did(session_updates.create_session, *it.here, sent, now=NOW))
    it.did(session_updates.update_session, *at, {"capacity": 5, "price": 900}, now=NOW)
    it.did(session_updates.cancel_at_once, *at, now=NOW)
    it.did(session_updates.restore_at_once, *at, now=NOW)


def schedule(it: House) -> None:
    group = make_group(it.kind, it.room, recurrence_end=None)
    scheduling.produce_sessions(it.id, group.id, now=NOW)
    at = (*it.here, group.id)
    wish = series.wish_of(series.find_series(*at))
    wanted = replace(wish, capacity=6)
    shown = series.preview_series(*it.here, group_id=group.id, wish=wanted, now=NOW).mark
    it.did(
        series.save_series, *at, wanted, seen=mark_of_values(wish.values), shown=shown,
        choices=series_choices.Choices(), account_id=None, now=NOW,
    )  # fmt: skip
    day = dt.date(2026, 6, 15)
    shown = closed_days.find_closing(*it.here, day, day, now=NOW).mark
    it.did(
        closed_days.close_days, *it.here, day, day, reason="Works",
        choices=series_choices.Choices(), shown=shown, account_id=None, now=NOW,
    )  # fmt: skip
    [shut] = closed_days.list_closed_days(*it.here)
    it.did(closed_days.reopen_day, *it.here, shut.id, now=NOW)
    booked = db.session.scalar(
        sa.select(Session)
        .where(Session.recurrence_group_id == group.id, Session.start_time > NOW + 2 * DAY)
        .limit(1),
        execution_options=ANYWHERE,
    )
    make_order(booked)
    wish = series.wish_of(series.find_series(*at))
    wanted = replace(wish, capacity=5)
    shown = series.preview_series(*it.here, group_id=group.id, wish=wanted, now=NOW).mark
    it.did(
        series.save_series, *at, wanted, seen=mark_of_values(wish.values), shown=shown,
        choices=series_choices.Choices("along"), account_id=None, now=NOW, watched=True,
    )  # fmt: skip
    shown = series.preview_archiving(*at, now=NOW).mark
    it.did(series.archive_series, *at, shown=shown, now=NOW)
    shown = series.preview_restoring(*at, now=NOW).mark
    it.did(series.restore_series, *at, shown=shown, now=NOW)
    it.did(series_rows.change_series, *at, {"name": "Dawn"}, now=NOW)
    it.did(series_rows.archive_live_series, *at, now=NOW)
    it.did(series.restore_series, *at, shown=None, now=NOW)
    fresh = replace(wish, weekdays=("sunday",), start_times=wish.start_times[:1])
    fresh = replace(fresh, start_times=(replace(fresh.start_times[0], id=None),))
    shown = series.preview_series(*it.here, type_id=it.kind.id, wish=fresh, now=NOW).mark
    it.did(series.create_series, *it.here, it.kind.id, fresh, shown=shown, key="", now=NOW)
    ruth = make_practitioner(it.site, name="Ruth")
    leads = {"practitioner_id": ruth.id, "session_type_id": it.kind.id}
    with transaction():
        db.session.execute(sa.insert(practitioner_types).values(**leads))
    tomas = make_practitioner(it.site)
    row = make_session(it.kind, practitioner_id=tomas.id, local_start="2026-06-22T07:00")
    item = {
        "name": "x", "session": row.id, "do": "replace", "to": ruth.id, "seen": "",
        "kind": "practitioner", "from": tomas.id, "tells": False, "reason": "",
    }  # fmt: skip
    it.did(covering.cover_one, *it.here, item, NOW)


STORIES = (
    accounts, booking, by_programs, money, waiting_list, forms, people, security, colleagues,
    at_the_door, other_programs,
    the_house, team, offer, sessions, schedule,
)  # fmt: skip


def test_every_service_that_changes_something_writes_the_trail(ctx):
    walk = Walk()
    for story in STORIES:
        story(House(walk))
    services = changing_services()
    assert set(QUIET) <= services, "named as quiet, but it opens no transaction"
    assert not set(QUIET) & set(ELSEWHERE)
    assert all(name in globals() for name in ELSEWHERE.values())
    missing = services - walk.walked - set(QUIET) - set(ELSEWHERE)
    assert not missing, f"walk these, or name them with a reason: {sorted(missing)}"


def test_what_is_taken_in_is_in_the_trail(ctx, databases):
    it, file = House(Walk()), io.BytesIO()
    it.buy(people=("Bo",))
    archive_writing.write_archive(it.id, file, now=NOW)
    arrived = app_on(databases.make())
    with arrived.app_context():
        before = snapshot()
        with acting_as(Actor("console", name="root", door="import")):
            report = archive_import.import_archive(file, now=NOW)
        assert report.is_done
        changed = due(before, snapshot())
        # What its rows went through is told by the trail that came along; here only that it came.
        assert changed
        assert changed <= written(0)
        told = sa.select(AuditEntry.subject).where(AuditEntry.door == "import").distinct()
        tables = db.session.scalars(told, execution_options=ANYWHERE).all()
        assert {*tables} == {"organisations"}
        db.session.remove()
        db.engine.dispose()
