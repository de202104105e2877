"""The forms of this area, made of the rules that their services keep."""

from collections.abc import Mapping
from typing import Any

from wtforms import StringField

from blueprints.forms import obeys
from blueprints.setup.editing import EditorForm, form_of
from domain.errors import RuleBroken
from domain.opening import check_day
from domain.venue_rules import check_title
from domain.words import WEEKDAYS
from services.categories import CATEGORY_RULES
from services.founding import SITE_RULES
from services.practitioners import PERSON_RULES
from services.rooms import ROOM_RULES
from services.venue_settings import GROUPS, RULES

TIMES = "times"


class HoursForm(EditorForm):
    """The hours of each weekday beside the other fields about time."""

    hours = StringField(validators=[obeys(RULES["hours"])])
    locale = StringField(validators=[obeys(RULES["locale"])])

    def validate(self, *args: Any, **kwargs: Any) -> bool:
        """Also each open day, at its first field."""
        is_right = bool(super().validate(*args, **kwargs))
        for day in WEEKDAYS:
            if self[f"{day}_open"].data == "yes":
                try:
                    check_day(day, self[f"{day}_from"].data or "", self[f"{day}_to"].data or "")
                except RuleBroken as broken:
                    self[f"{day}_from"].errors = [broken.sentence]
                    is_right = False
        return is_right

    @property
    def week(self) -> dict[str, list[str]]:
        """The hours as typed."""
        return {
            day: [self[f"{day}_from"].data or "", self[f"{day}_to"].data or ""]
            for day in WEEKDAYS
            if self[f"{day}_open"].data == "yes"
        }


for _day in WEEKDAYS:
    for _part in ("open", "from", "to"):
        setattr(HoursForm, f"{_day}_{_part}", StringField())


def spread(kept: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept about times, by field of the form; the rest of it unchanged."""
    fields = {name: value for name, value in kept.items() if name != "opening_hours"}
    for day in WEEKDAYS:
        named = kept["opening_hours"].get(day)
        fields[f"{day}_open"] = named is not None
        fields[f"{day}_from"], fields[f"{day}_to"] = named or ("", "")
    return fields


FORMS: dict[str, type[EditorForm]] = {
    group: HoursForm if group == TIMES else form_of({name: RULES[name] for name in names})
    for group, names in GROUPS.items()
}

NameForm = form_of({"name": lambda text: check_title(text, who="a name")})
RoomForm = form_of(ROOM_RULES)
PersonForm = form_of(PERSON_RULES, chosen=("sites", "types"))
CategoryForm = form_of(CATEGORY_RULES)
SiteForm = form_of(SITE_RULES)
