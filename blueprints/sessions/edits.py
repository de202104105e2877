"""Another time, room, person, price for one session: its impact first, then the change (S3)."""

import datetime as dt
from dataclasses import asdict, dataclass
from typing import Any

from flask import Response, flash, redirect, request, url_for
from werkzeug.datastructures import MultiDict

from blueprints.clock import utcnow
from blueprints.forms import read_choice
from blueprints.security import current_desk, needs
from blueprints.sessions.area import RESERVATIONS, bp, here, page
from blueprints.sessions.forms import FIELDS, NOBODY, EditForm, typed_price
from domain.editing import EditedMeanwhile, check_edit, mark_of_values
from domain.errors import ImpactChanged, NotFound, RuleBroken
from domain.pricing import price_of
from domain.session_edits import (
    KEEP,
    Choice,
    EditImpact,
    SessionValues,
    SessionWish,
    changed_fields,
)
from domain.words import count
from models import Session
from services.facts import rule_of
from services.session_edits import ChoicesRefused, apply_edit, find_edit
from services.session_targets import MoveTarget, list_move_targets

PREFILLED = ("date", "time", "duration", "room", "practitioner", "capacity")
"""What a link to the form may fill in: a drag says the new time and room."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The session as it stands."""

    session: Session
    values: SessionValues

    @property
    def currency(self) -> str:
        return self.session.session_type.currency

    @property
    def is_over(self) -> bool:
        return self.session.end_time <= utcnow()

    @property
    def mark(self) -> str:
        return mark_of_values(asdict(self.values))

    @property
    def by_the_rules(self) -> int | None:
        """What a place would cost without a price of its own, in minor units (R16)."""
        rules = [rule_of(rule) for rule in self.session.session_type.price_rules]
        return price_of(self.values.local_start, rules).amount


@bp.get("/<site>/sessions/<session_id>/edit")
@needs(RESERVATIONS)
def edit(site: str, session_id: str) -> Response:
    standing = _stand(session_id)
    values = {
        **_as_typed(standing),
        **{name: text[:64] for name in PREFILLED if (text := request.args.get(name))},
    }
    form = EditForm(formdata=MultiDict(values))
    try:
        impact = _impact(session_id, standing, form)
    except RuleBroken as broken:
        form.refuse_field(broken)
        return _page(standing, form, None, status=422)
    return _page(standing, form, impact)


@bp.post("/<site>/sessions/<session_id>/edit")
@needs(RESERVATIONS)
def change(site: str, session_id: str) -> Any:
    standing = _stand(session_id)
    form = EditForm()
    try:
        wish = _wish(standing, form)
        after = wish.applied_to(standing.values)
        check_edit(asdict(standing.values), asdict(after), form.said("was"))
        impact = find_edit(*here(), session_id, wish, now=utcnow()).impact
        seen, _, shown = form.said("seen").partition(".")
        if (impact.asks or impact.oddity) and shown != _digest(impact):
            return _page(standing, form, impact)
        return _apply(session_id, standing, wish, impact, form, seen or impact.mark)
    except EditedMeanwhile as broken:
        form.refuse_field(broken)
        return _page(standing, form, None, status=409, differences=_differences(broken))
    except RuleBroken as broken:
        return _refused(session_id, form, broken)


def _apply(
    session_id: str,
    standing: Standing,
    wish: SessionWish,
    impact: EditImpact,
    form: EditForm,
    seen: str,
) -> Any:
    if impact.is_nothing:
        flash("Nothing was different, so nothing was changed.", "info")
        return _away(session_id, form, standing.values.local_start)
    choices = _choices(impact, form)
    apply_edit(
        *here(),
        session_id,
        wish,
        choices=choices,
        default=read_choice(form.said("default")) or KEEP,
        seen=seen,
        reason=form.said("reason"),
        tells=form.said("tell") != "false",
        now=utcnow(),
    )
    flash(f"{standing.session.session_type_name} is changed. {_said_of(impact)}".strip(), "ok")
    return _away(session_id, form, impact.after.local_start)


def _refused(session_id: str, form: EditForm, broken: RuleBroken) -> Response:
    """The page again with the sentence, and with what the edit would touch by now."""
    if isinstance(broken, NotFound):
        raise broken
    form.refuse_field(broken)
    # Bookings may have moved, or another hand been quicker: what the page says is asked anew.
    standing = _stand(session_id)
    conflict = isinstance(broken, ImpactChanged | ChoicesRefused)
    try:
        impact = _impact(session_id, standing, form)
    except RuleBroken:
        impact = None
    return _page(standing, form, impact, status=409 if conflict else 422)


def _stand(session_id: str) -> Standing:
    found = find_edit(*here(), session_id, SessionWish(), now=utcnow())
    return Standing(found.session, found.impact.before)


def _impact(session_id: str, standing: Standing, form: EditForm) -> EditImpact:
    return find_edit(*here(), session_id, _wish(standing, form), now=utcnow()).impact


def _wish(standing: Standing, form: EditForm) -> SessionWish:
    """What was sent and differs; who led it is all that a past session can still be told."""
    wish = form.wish(standing.values, standing.currency)
    after = wish.applied_to(standing.values)
    if standing.is_over and set(changed_fields(standing.values, after)) - {"practitioner_id"}:
        raise RuleBroken("This session is over. Only who led it can still be changed.")
    return wish


def _as_typed(standing: Standing) -> dict[str, str]:
    """The session as its form shows it."""
    values = standing.values
    return {
        "date": values.local_start.date().isoformat(),
        "time": f"{values.local_start:%H:%M}",
        "duration": str(values.duration),
        "room": values.room_id or NOBODY,
        "practitioner": values.practitioner_id or NOBODY,
        "capacity": str(values.capacity),
        "max_baskets": "" if values.max_baskets is None else str(values.max_baskets),
        "waitlist_enabled": "true" if values.waitlist_enabled else "false",
        "price": "" if values.price is None else typed_price(values.price, standing.currency),
    }


def _digest(impact: EditImpact) -> str:
    return mark_of_values(asdict(impact.after))


def _choices(impact: EditImpact, form: EditForm) -> dict[str, Choice]:
    chosen = {}
    for booking in impact.touched:
        choice = read_choice(request.form.get(f"choice-{booking.id}", ""))
        if choice is not None:
            chosen[booking.id] = choice
    return chosen


def _said_of(impact: EditImpact) -> str:
    touched = len(impact.touched)
    if not touched:
        return "No booking is touched by it."
    return f"{count(touched, 'booking')} went the way you chose."


def _differences(broken: EditedMeanwhile) -> dict[str, Any]:
    return {
        FIELDS.get(difference.field, difference.field): difference.theirs
        for difference in broken.differences
    }


def _away(session_id: str, form: EditForm, local_start: dt.datetime) -> Any:
    site = current_desk().venue.slug
    if request.values.get("from") == "schedule":
        url = url_for("desk.schedule", site=site, date=local_start.date().isoformat())
        return redirect(f"{url}#s-{session_id}", code=303)
    return redirect(url_for("desk.roster", site=site, session_id=session_id), code=303)


def _page(
    standing: Standing,
    form: EditForm,
    impact: EditImpact | None,
    *,
    status: int = 200,
    differences: dict[str, Any] | None = None,
) -> Response:
    shows = impact is not None and not impact.is_nothing
    targets: tuple[MoveTarget, ...] = ()
    if impact is not None and impact.touched:
        targets = list_move_targets(
            *here(),
            session_id=standing.session.id,
            session_type_id=standing.session.session_type_id,
            near=standing.values.local_start,
            now=utcnow(),
        )
    return page(
        "sessions/edit.html",
        row=standing.session,
        standing=standing,
        form=form,
        impact=impact if shows else None,
        seen=f"{impact.mark}.{_digest(impact)}" if impact is not None and shows else "",
        targets=targets,
        differences=differences or {},
        origin=request.values.get("from", "") == "schedule",
        sent={name: value[:80] for name, value in request.form.items()},
        status=status,
    )
