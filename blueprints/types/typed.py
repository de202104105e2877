"""What stands in the fields of a session type's pages, and what was sent of them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import request

from domain.editing import EditedMeanwhile
from domain.errors import RuleBroken
from domain.money import write_amount
from domain.session_types import FEES, INTERVALS, WrongFields, say_interval, split_interval
from services.session_types import Choices

FLAGS = (
    "offered_online", "customers_only", "members_only", "membership_booking_windows_enabled",
    "waitlist_enabled", "hidden_on_schedule", "include_pricing_on_calendar",
)  # fmt: skip
OFFERINGS = ("cross_sell_offerings", "upsell_offerings")
LISTS = ("category_ids", "permitted_membership_type_ids", *OFFERINGS)
LINES = ("bring", "spec", "related_retail_offerings")
WINDOWS = "membership_booking_windows"
EDGES = {"opens": "max_advance_bookings_interval", "closes": "min_advance_bookings_interval"}


@dataclass(slots=True)
class Typed:
    """The fields of a page as they are drawn: what they hold, and what is said about them."""

    shown: dict[str, Any]
    seen: str = ""
    form_errors: list[str] = field(default_factory=list)
    wrong: dict[str, list[str]] = field(default_factory=dict)
    theirs: dict[str, str] = field(default_factory=dict)

    @property
    def errors(self) -> dict[str, list[str]]:
        """By field, with those above the form under "", as the summary reads them."""
        return {**self.wrong, **({"": self.form_errors} if self.form_errors else {})}

    def error(self, name: str) -> str:
        """The first sentence about a field."""
        return next(iter(self.wrong.get(name, ())), "")

    def refuse(self, broken: RuleBroken) -> None:
        """Put each sentence on its field, else above the form."""
        for problem in broken.problems if isinstance(broken, WrongFields) else (broken,):
            if problem.field in self.shown:
                self.wrong.setdefault(str(problem.field), []).append(problem.sentence)
            else:
                self.form_errors.append(problem.sentence)

    def lay_beside(self, other: EditedMeanwhile, choices: Choices, currency: str) -> None:
        """What somebody else saved meanwhile, and the mark with which ours replaces it (D4)."""
        self.form_errors.append(other.sentence)
        self.seen = other.mark
        self.theirs = {
            one.field: say(one.field, one.theirs, choices, currency) for one in other.differences
        }


def shown_of(values: Mapping[str, Any], currency: str) -> dict[str, Any]:
    """What is saved, as the fields hold it; sums in `currency`."""
    return {name: _shown(name, value, currency) for name, value in values.items()}


def sent(part: Collection[str], values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What this request sent of a part: as its fields hold it, and as values to be read.

    A field that was not sent is left out of the second and stays as it is in the first (D4).
    """
    shown, given = shown_of({name: values[name] for name in part}, values["currency"]), {}
    for name in part:
        if _is_sent(name):
            shown[name], given[name] = _read(name, values)
    return shown, given


def say(name: str, value: Any, choices: Choices, currency: str) -> str:
    """A saved value in words, for who typed another one."""
    if name in FLAGS:
        return "Ticked" if value else "Not ticked"
    if name in INTERVALS:
        return say_interval(value) or "Nothing"
    if name in FEES:
        return _shown(name, value, currency) or "Nothing"
    if name == WINDOWS:
        return _say_windows(value, dict(choices.membership_types))
    if name == "image_id":
        names = {picture.id: picture.file_name for picture in choices.pictures}
        return names.get(value, "No picture" if value is None else "Another picture")
    if name in LISTS:
        return _say_list(name, value, choices)
    if name in LINES:
        return ", ".join(_shown(name, value, currency).splitlines()) or "Nothing"
    text = str(value if value is not None else "")
    return text.replace("_", " ") if text and name == "visibility" else text or "Nothing"


def _shown(name: str, value: Any, currency: str) -> Any:
    if name in FEES:
        return "" if value is None else write_amount(value, currency)
    if name in FLAGS:
        return bool(value)
    if name in OFFERINGS:
        return [str(one.get("offering_id", "")) for one in value]
    if name in LISTS:
        return list(value)
    if name in INTERVALS:
        return split_interval(value)
    if name == WINDOWS:
        return {
            window["membership_type_id"]: {
                edge: split_interval(window.get(key)) for edge, key in EDGES.items()
            }
            for window in value
        }
    if name in LINES:
        return "\n".join(_line(name, one) for one in value)
    return "" if value is None else str(value)


def _line(name: str, one: Any) -> str:
    if name == "spec":
        return f"{one[0]}: {one[1]}"
    return one if name == "bring" else str(one.get("offering_name", ""))


def _is_sent(name: str) -> bool:
    return (f"{name}-number" if name in INTERVALS else name) in request.form


def _read(name: str, values: Mapping[str, Any]) -> tuple[Any, Any]:
    form = request.form
    if name in FLAGS:
        is_ticked = form.getlist(name)[-1] == "true"
        return is_ticked, is_ticked
    if name in LISTS:
        chosen = [one for one in form.getlist(name) if one]
        return chosen, _offerings(chosen, values[name]) if name in OFFERINGS else chosen
    if name in INTERVALS:
        pair = _pair(name)
        return pair, pair
    if name == WINDOWS:
        return _read_windows(form.getlist(name))
    text = form[name]
    if name in FEES:
        return text, (text, values["currency"])
    if name in LINES:
        return text, _lines(name, text, values[name])
    return text, text


def _pair(name: str) -> tuple[str, str]:
    return request.form.get(f"{name}-number", "").strip(), request.form.get(f"{name}-unit", "days")


def _read_windows(ids: list[str]) -> tuple[Any, Any]:
    shown = {
        one: {edge: _pair(f"window-{one}-{edge}") for edge in EDGES}
        for one in ids
        if len(one) == 36
    }
    given = [
        {"membership_type_id": one, **{EDGES[edge]: pair for edge, pair in pairs.items()}}
        for one, pairs in shown.items()
    ]
    return shown, given


def _offerings(chosen: list[str], before: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """References in the order they had, new ones behind them."""
    known = {str(one.get("offering_id")): one for one in before}
    kept = [known[one] for one in known if one in chosen]
    fresh = [one for one in chosen if one not in known]
    return [*kept, *({"offering_type": "session", "offering_id": one} for one in fresh)]


def _lines(name: str, text: str, before: Any) -> Any:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if name == "spec":
        return [
            [part.strip() for part in (line.split(":", 1) if ":" in line else (line, ""))]
            for line in lines
        ]
    if name == "related_retail_offerings":
        known = {str(one.get("offering_name")): one for one in before}
        return [
            known.get(line, {"offering_type": "retail", "offering_id": line, "offering_name": line})
            for line in lines
        ]
    return lines


def _say_list(name: str, value: Any, choices: Choices) -> str:
    names = {
        "category_ids": dict(choices.categories),
        "permitted_membership_type_ids": dict(choices.membership_types),
    }.get(name, dict(choices.other_types))
    ids = [str(one.get("offering_id")) if isinstance(one, dict) else str(one) for one in value]
    return ", ".join(names.get(one, "One that is gone") for one in ids) or "None"


def _say_windows(value: Any, names: Mapping[str, str]) -> str:
    said = []
    for window in value:
        parts = [
            f"{word} {say_interval(window.get(EDGES[edge]))} before"
            for edge, word in (("opens", "from"), ("closes", "until"))
            if window.get(EDGES[edge])
        ]
        said.append(
            f"{names.get(window['membership_type_id'], 'One that is gone')} {', '.join(parts)}"
        )
    return "; ".join(said) or "None"
