import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from flask import Response, flash, redirect, request, url_for
from werkzeug.datastructures import MultiDict

from blueprints.clock import utcnow
from blueprints.people.area import CUSTOMERS, RESERVATIONS, bp
from blueprints.people.forms import OverrideForm
from blueprints.rendering import render
from blueprints.security import account_id, current_desk, needs
from blueprints.visits import deed_key
from domain.eligibility import MAX_PARTY
from domain.errors import KeyReused, NotAllowed, NotBookable, NotFound, RuleBroken
from domain.local_time import local_day, oddity, to_local, to_utc
from domain.memberships import ChangedMeanwhile, read_day
from models import Customer, Session
from services.accounts import Desk
from services.customers import CustomerList, find_customer, list_customers
from services.eligibility import (
    Explanation,
    explain,
    find_session,
    list_sessions_to_ask,
    list_types_to_ask,
)
from services.overrides import book_in_spite

VISITOR = "visitor"
HITS = 8


@dataclass
class Question:
    """What an address asks: who, which session, how many, when; with what is wrong with it."""

    who: str
    search: str
    session_id: str
    type_id: str
    day: dt.date | None
    guests: int
    at: dt.datetime | None
    with_link: bool
    typed: dict[str, str]
    oddity: str | None = None
    errors: dict[str, str] = field(default_factory=dict)

    def link(self, **other: Any) -> dict[str, Any]:
        """The address of this question with something changed; empty values leave it out."""
        values = {
            "customer": self.who,
            "session": self.session_id,
            "type": self.type_id,
            "date": self.typed["date"],
            "guests": self.guests if self.guests != 1 else None,
            "at": self.typed["at"],
            "link": "y" if self.with_link else None,
            **other,
        }
        return {name: value for name, value in values.items() if value}


@bp.get("/<site>/why")
@needs(RESERVATIONS)
def why(site: str) -> Response:
    return _page(_read(request.args))


@bp.post("/<site>/why")
@needs(RESERVATIONS)
def book_anyway(site: str) -> Any:
    desk, form = current_desk(), OverrideForm()
    question = _read(request.form)
    find_session(desk.venue.organisation_id, desk.venue.id, question.session_id)
    if not question.who:
        raise NotFound("We couldn't find that customer.")
    if not form.validate():
        return _page(question, form, status=422)
    try:
        booking_id = book_in_spite(
            desk.venue.organisation_id,
            desk.venue.id,
            question.session_id,
            customer_id=None if question.who == VISITOR else question.who,
            name=form.name.data or "",
            email=form.email.data or "",
            guests=form.guests.data,
            reason=form.reason.data or "",
            shown=(form.shown.data or "").split(),
            rights=desk.rights,
            account_id=account_id() or "",
            came_by_link=question.with_link,
            key=deed_key(form.key.data or ""),
            now=utcnow(),
        )
    except (NotFound, NotAllowed):
        raise
    except (ChangedMeanwhile, KeyReused, NotBookable) as broken:
        return _page(question, form, broken, status=409)
    except RuleBroken as broken:
        form.refuse(broken)
        return _page(question, form, status=422)
    flash(f"{form.name.data} is booked.", "ok")
    roster = url_for("desk.roster", site=site, session_id=question.session_id)
    return redirect(f"{roster}#b-{booking_id}", code=303)


def _page(
    question: Question,
    form: OverrideForm | None = None,
    refusal: RuleBroken | None = None,
    *,
    status: int = 200,
) -> Response:
    desk, now = current_desk(), utcnow()
    venue = desk.venue
    organisation_id = venue.organisation_id
    person = _person(organisation_id, question)
    session = _session(desk, question)
    answer = _answer(desk, question, session, now) if question.who else None
    return render(
        "people/why.html",
        desk=desk,
        venue=venue,
        question=question,
        person=person,
        hits=_hits(organisation_id, question, now),
        session=session,
        types=list_types_to_ask(organisation_id, venue.id),
        sessions=_sessions(desk, question),
        answer=answer,
        asked_at=to_local(question.at or now, venue.zone),
        today=local_day(now, venue.zone),
        has_started=session is not None and session.start_time <= now,
        form=form or _prefilled(question, person, answer),
        refusal=refusal,
        may_see_customers=CUSTOMERS in desk.rights,
        status=422 if status == 200 and question.errors else status,
    )


def _read(values: MultiDict[str, str]) -> Question:
    """The question of an address or a form; what can't be read becomes a sentence, not a 500."""
    typed = {name: values.get(name, "").strip()[:40] for name in ("date", "at", "guests")}
    question = Question(
        who=values.get("customer", "")[:40],
        search=values.get("q", "").strip()[:100],
        session_id=values.get("session", "")[:40],
        type_id=values.get("type", "")[:40],
        day=None,
        guests=1,
        at=None,
        with_link=bool(values.get("link")),
        typed=typed,
    )
    for name, read in (("date", _read_date), ("guests", _read_guests), ("at", _read_moment)):
        if typed[name]:
            try:
                read(question, typed[name])
            except RuleBroken as broken:
                question.errors[name] = broken.sentence
    return question


def _read_date(question: Question, text: str) -> None:
    question.day = read_day(text, what="date", field="date")


def _read_guests(question: Question, text: str) -> None:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= MAX_PARTY):
        raise RuleBroken(f"A party is 1 to {MAX_PARTY} guests.")
    question.guests = int(text)


def _read_moment(question: Question, text: str) -> None:
    try:
        local = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise RuleBroken("Enter a date and a time, like 2026-06-12T18:00.") from error
    if local.tzinfo is not None or not 2000 <= local.year <= 2100:
        raise RuleBroken("Enter a date and a time of the venue, between 2000 and 2100.")
    zone = current_desk().venue.zone
    question.at, question.oddity = to_utc(local, zone), oddity(local, zone)


def _person(organisation_id: str, question: Question) -> Customer | None:
    if question.who in ("", VISITOR):
        return None
    return find_customer(organisation_id, question.who)


def _hits(organisation_id: str, question: Question, now: dt.datetime) -> CustomerList | None:
    if not question.search or question.who:
        return None
    return list_customers(organisation_id, search=question.search, size=HITS, now=now)


def _session(desk: Desk, question: Question) -> Session | None:
    if not question.session_id:
        return None
    return find_session(desk.venue.organisation_id, desk.venue.id, question.session_id)[0]


def _sessions(desk: Desk, question: Question) -> Any:
    if question.session_id or not question.type_id or question.day is None:
        return None
    return list_sessions_to_ask(
        desk.venue.organisation_id, desk.venue.id, question.type_id, question.day
    )


def _answer(
    desk: Desk, question: Question, session: Session | None, now: dt.datetime
) -> Explanation | None:
    if session is None or question.errors:
        return None
    return explain(
        desk.venue.organisation_id,
        desk.venue.id,
        session_id=session.id,
        customer_id=None if question.who == VISITOR else question.who,
        guests=question.guests,
        at=question.at or now,
        came_by_link=question.with_link,
        present=now,
    )


def _prefilled(
    question: Question, person: Customer | None, answer: Explanation | None
) -> OverrideForm:
    return OverrideForm(
        formdata=None,
        name=person.name if person else "",
        email=person.email if person else "",
        guests=question.guests,
        shown=" ".join(answer.failed) if answer else "",
    )
