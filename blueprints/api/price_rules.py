"""Price rules of a session type (2.2, R17-R19)."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field

from blueprints.api.kinds import (
    Answer,
    Day,
    DayInAddress,
    Many,
    MinorUnits,
    ObjectId,
    One,
    Shape,
    TimeOfDay,
    Uuid,
    Weekdays,
    WeekdaysInAddress,
    absent,
    in_order,
)
from blueprints.api.operations import Call, operation
from blueprints.api.paging import Paged, say_page
from domain.errors import RuleBroken
from domain.price_rules import find_problems
from domain.pricing import PriceRule as Rule
from domain.roles import SETTINGS
from services.paging import MOST_PER_PAGE, Cut
from services.price_rules import (
    Placed,
    change_rule,
    create_rule,
    delete_rule,
    find_rule,
    list_rules,
    order_rules,
)
from services.whereabouts import find_type_site

TAG = "Price rules"


class PriceRule(Answer):
    """A price and the conditions under which it holds. The first rule that matches decides."""

    id: ObjectId
    session_type_id: ObjectId
    price: MinorUnits
    """What one booked place costs while this rule applies."""
    date_from: Day | None
    """First day, included. Null is open."""
    date_to: Day | None
    """Last day, included. Null is open."""
    time_from: TimeOfDay | None
    """Start of the window that the session's start must lie in, included. Null is open."""
    time_to: TimeOfDay | None
    """End of the window, not included. Null is open."""
    weekdays: Weekdays
    """Days it applies on; empty is every day."""
    position: Annotated[int, Field(ge=1)]
    """Place in the order of trying, from 1."""
    label: Annotated[str, Field(json_schema_extra={"x-addition": True})]
    """What customers read beside the price."""
    membership_type_ids: Annotated[list[Uuid], Field(json_schema_extra={"x-addition": True})]
    """Only for members of these types; empty is everybody."""


class PriceRuleFields(Shape):
    """What of a rule can be written."""

    price: MinorUnits = absent()
    """What one booked place costs while this rule applies."""
    date_from: Day | None = absent()
    """First day, included. Null is open; left out of a new rule it is today at the site."""
    date_to: Day | None = absent()
    """Last day, included. Null is open."""
    time_from: TimeOfDay | None = absent()
    """Start of the window that the session's start must lie in, included. Null is open."""
    time_to: TimeOfDay | None = absent()
    """End of the window, not included. Later than `time_from`. Null is open."""
    weekdays: Weekdays | None = absent()
    """Days it applies on. Null or empty is every day."""
    label: Annotated[str, Field(json_schema_extra={"x-addition": True})] = absent()
    """What customers read beside the price."""
    membership_type_ids: Annotated[
        list[Uuid] | None, Field(json_schema_extra={"x-addition": True})
    ] = absent()
    """Only for members of these types. Null or empty is everybody."""


class PriceRuleCreate(PriceRuleFields):
    """A new rule; only its price is required."""

    price: MinorUnits
    """What one booked place costs while this rule applies."""


class PriceRuleUpdate(PriceRuleFields):
    """Changes of a rule; what is absent stays."""


class PriceRuleItem(One[PriceRule]):
    """A price rule."""


class PriceRuleList(Many[PriceRule]):
    """A page of price rules."""


class RuleQuery(Paged):
    """Which rules are wanted."""

    date_from: DayInAddress | None = None
    """Keep rules that can apply on this day or later."""
    date_to: DayInAddress | None = None
    """Keep rules that can apply on this day or earlier."""
    weekdays: Annotated[WeekdaysInAddress, Field(default_factory=list)]
    """Keep rules that apply on at least one of these days. Repeated or comma separated."""


def show_rule(placed: Placed) -> PriceRule:
    """A rule as the API says it."""
    rule = placed.rule
    return PriceRule(
        id=rule.id,
        session_type_id=placed.session_type_id,
        price=rule.price,
        date_from=rule.date_from,
        date_to=rule.date_to,
        time_from=f"{rule.time_from:%H:%M}" if rule.time_from else None,
        time_to=f"{rule.time_to:%H:%M}" if rule.time_to else None,
        weekdays=in_order(rule.weekdays),
        position=placed.position,
        label=rule.label,
        membership_type_ids=sorted(rule.membership_type_ids),
    )


def _item(call: Call, session_type_id: str, price_rule_id: str) -> PriceRuleItem:
    return PriceRuleItem(data=show_rule(find_rule(*call.here, session_type_id, price_rule_id)))


def _problems(call: Call) -> Iterable[RuleBroken]:
    return find_problems(replace(Rule(id="", price=0), **_values(call)), None)


def _values(call: Call) -> dict[str, Any]:
    """The fields that were sent, as the domain has them (R3)."""
    values = dict(call.given)
    for name in ("weekdays", "membership_type_ids"):
        if name in values:
            values[name] = frozenset(values[name] or ())
    for name in ("time_from", "time_to"):
        if values.get(name):
            values[name] = dt.time.fromisoformat(values[name])
    return values


@operation(
    "listSessionTypePriceRules",
    "GET",
    "/session-types/<session_type_id>/price-rules",
    tag=TAG,
    summary="List a type's price rules",
    description="In the order in which they are tried.",
    of=find_type_site,
    query=RuleQuery,
    gives=PriceRuleList,
    codes=(400, 401, 404),
    rules=("R2", "R17", "R18", "R21"),
)
def list_price_rules(call: Call, session_type_id: str) -> PriceRuleList:
    wanted = call.query
    found = list_rules(
        *call.here,
        session_type_id,
        since=wanted.date_from,
        until=wanted.date_to,
        weekdays=frozenset(wanted.weekdays),
        cut=wanted.cut,
    )
    return say_page(found, PriceRuleList, show_rule)


@operation(
    "createSessionTypePriceRule",
    "POST",
    "/session-types/<session_type_id>/price-rules",
    tag=TAG,
    summary="Add a price rule",
    description="The conditions combine; a rule without any is the price of last resort. "
    "New rules go to the end of the order.",
    right=SETTINGS,
    of=find_type_site,
    body=PriceRuleCreate,
    gives=PriceRuleItem,
    status=201,
    codes=(400, 401, 403, 404, 422),
    rules=("R17", "R18"),
    also=_problems,
)
def create_price_rule(call: Call, session_type_id: str) -> PriceRuleItem:
    rule_id = create_rule(
        *call.here,
        session_type_id,
        replace(Rule(id="", price=0), **_values(call)),
        from_today="date_from" not in call.given,
        now=call.now,
    )
    return _item(call, session_type_id, rule_id)


@operation(
    "getSessionTypePriceRule",
    "GET",
    "/session-types/<session_type_id>/price-rules/<price_rule_id>",
    tag=TAG,
    summary="Fetch one price rule",
    description="404 when the rule belongs to another type.",
    of=find_type_site,
    gives=PriceRuleItem,
    codes=(401, 403, 404),
    rules=("R2",),
    current=_item,
)
def get_price_rule(call: Call, session_type_id: str, price_rule_id: str) -> PriceRuleItem:
    return _item(call, session_type_id, price_rule_id)


@operation(
    "updateSessionTypePriceRule",
    "PUT",
    "/session-types/<session_type_id>/price-rules/<price_rule_id>",
    tag=TAG,
    summary="Change a price rule",
    description="Every field is optional; a field that is not sent keeps its value.",
    right=SETTINGS,
    of=find_type_site,
    body=PriceRuleUpdate,
    gives=PriceRuleItem,
    codes=(400, 401, 403, 404, 422),
    rules=("R3", "R17", "R18"),
    current=_item,
    also=_problems,
)
def update_price_rule(call: Call, session_type_id: str, price_rule_id: str) -> PriceRuleItem:
    change_rule(*call.here, session_type_id, price_rule_id, _values(call), now=call.now)
    return _item(call, session_type_id, price_rule_id)


@operation(
    "deleteSessionTypePriceRule",
    "DELETE",
    "/session-types/<session_type_id>/price-rules/<price_rule_id>",
    tag=TAG,
    summary="Remove a price rule",
    description="A real delete. Bookings keep the price they were made at; coming sessions are "
    "priced by the rules left.",
    right=SETTINGS,
    of=find_type_site,
    codes=(401, 403, 404),
    rules=("R17", "R19"),
    current=_item,
)
def remove_price_rule(call: Call, session_type_id: str, price_rule_id: str) -> None:
    delete_rule(*call.here, session_type_id, price_rule_id, now=call.now)


class RuleOrder(Shape):
    """The order in which a type's rules are tried."""

    price_rule_ids: list[ObjectId]
    """All rules of the type, the first to be tried first."""


@operation(
    "orderSessionTypePriceRules",
    "PUT",
    "/session-types/<session_type_id>/price-rules/order",
    tag=TAG,
    summary="Put a type's price rules in another order",
    right=SETTINGS,
    of=find_type_site,
    body=RuleOrder,
    gives=PriceRuleList,
    codes=(400, 401, 403, 404, 422),
    rules=("R17", "C14"),
    is_addition=True,
)
def order_price_rules(call: Call, session_type_id: str) -> PriceRuleList:
    order_rules(*call.here, session_type_id, call.body.price_rule_ids, now=call.now)
    cut = Cut(per_page=MOST_PER_PAGE)
    return say_page(list_rules(*call.here, session_type_id, cut=cut), PriceRuleList, show_rule)
