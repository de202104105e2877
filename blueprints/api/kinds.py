"""The kinds of values that the contract knows: what is read, and how the document says it."""

import datetime as dt
import re
from collections.abc import Collection
from typing import Annotated, Any, Generic, Literal, TypeVar, get_args

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    Strict,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

Item = TypeVar("Item")

MOST_WHOLE = 2**53 - 1
"""The largest number that every reader of JSON keeps as it is."""

MOST_NAMED = 5000
"""Values of one filter at the most: a statement takes only so many, of all filters together."""

_LIST = re.compile(r"\s*,\s*")
_TRUE, _FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


def absent() -> Any:
    """The default of a field that need not be sent; whether it was is asked of `given`."""
    return Field(default=None)


class Shape(BaseModel):
    """What is sent or answered; unknown fields are ignored, as the contract has it."""

    model_config = ConfigDict(
        extra="ignore", ser_json_timedelta="iso8601", use_attribute_docstrings=True
    )


class Answer(Shape):
    """What is answered: nothing in it that the document does not name."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class _Around(Answer):
    """Stands around things; each is made of a generic class, in whose source no text is sought.

    That search goes through all modules and took half of the time in which the shop starts.
    """

    model_config = ConfigDict(use_attribute_docstrings=False)


class One(_Around, Generic[Item]):
    """A single thing."""

    data: Item


class PageMeta(Answer):
    """Where a page stands in its list."""

    current_page: Annotated[int, Field(ge=1)]
    last_page: Annotated[int, Field(ge=1)]
    per_page: Annotated[int, Field(ge=1)]
    total: Annotated[int, Field(ge=0)]
    from_: Annotated[int | None, Field(alias="from", serialization_alias="from")]
    """Number of the first result on the page; null when empty."""
    to: int | None
    """Number of the last result on the page; null when empty."""


Reference = Annotated[str, WithJsonSchema({"type": "string", "format": "uri-reference"})]


class PageLinks(Answer):
    """The pages beside it."""

    first: Reference
    last: Reference
    prev: Reference | None
    next: Reference | None


class Many(_Around, Generic[Item]):
    """A page of things."""

    data: list[Item]
    meta: PageMeta
    links: PageLinks


def _whole(value: Any) -> Any:
    """JSON knows numbers, not integers: 5.0 is 5, and neither true nor "5" is a number."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise PydanticCustomError("whole", "Must be a whole number.")
    if abs(value) > MOST_WHOLE:
        raise PydanticCustomError("whole", "That number is too large.")
    return value


def _clean(text: str) -> str:
    """No text of ours has a NUL or half a letter: no database keeps them."""
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise PydanticCustomError("text", "Leave out the characters that can't be seen.")
    return text


def _text(value: Any) -> Any:
    if not isinstance(value, str):
        raise PydanticCustomError("text", "Must be text.")
    return value


def exactly(pattern: str, sentence: str) -> AfterValidator:
    """Text that is nothing but `pattern`, else the sentence."""
    shape = re.compile(pattern)

    def check(value: str) -> str:
        if not shape.fullmatch(value):
            raise PydanticCustomError("shape", sentence)
        return value

    return AfterValidator(check)


Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
"""English, lower case."""


def _each_once(days: list[Any]) -> list[Any]:
    if len(set(days)) < len(days):
        raise PydanticCustomError("unique", "Name each day once.")
    return days


Weekdays = Annotated[
    list[Weekday], AfterValidator(_each_once), Field(json_schema_extra={"uniqueItems": True})
]
"""Days of the week, each once."""


def in_order(weekdays: Collection[str]) -> list[Weekday]:
    """Days of the week, Monday first."""
    return [day for day in get_args(Weekday) if day in weekdays]


def say_moment(moment: dt.datetime) -> str:
    """2026-06-04T09:00:00Z; with another offset where the instant has one."""
    text = moment.isoformat(timespec="seconds" if not moment.microsecond else "microseconds")
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


def _read_day(value: Any) -> dt.date:
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            pass
    raise PydanticCustomError("day", "Use a day such as 2026-06-04.")


_MOMENT = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[Zz]|[+-]\d{2}:\d{2})", re.ASCII
)
_WITHOUT_OFFSET = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?", re.ASCII)


def _read_moment(value: Any) -> dt.datetime:
    if isinstance(value, dt.datetime):
        return value
    if isinstance(value, str):
        if _WITHOUT_OFFSET.fullmatch(value):
            raise PydanticCustomError("moment", "Say the offset, as in 2026-06-04T09:00:00+01:00.")
        if _MOMENT.fullmatch(value):
            try:
                found = dt.datetime.fromisoformat(_six_digits(value.upper()))
                # The first and last days have no instant in every zone.
                if 1 < found.year < 9999:
                    return found
            except ValueError:
                pass
    raise PydanticCustomError("moment", "Use an instant such as 2026-06-04T09:00:00Z.")


def _six_digits(text: str) -> str:
    """A fraction of a second may be as long as it likes; a microsecond is all that is kept."""
    return re.sub(r"\.(\d{1,6})\d*", lambda found: f".{found[1]:0<6}", text)


Whole = Annotated[int, BeforeValidator(_whole)]
Positive = Annotated[Whole, Field(ge=1)]
Text = Annotated[str, BeforeValidator(_text), AfterValidator(_clean)]
Flag = Annotated[bool, Strict()]

OBJECT_ID = "^[0-9a-f]{24}$"
TIME_OF_DAY = "^([01][0-9]|2[0-3]):[0-5][0-9]$"
DURATION = r"^P(?!$)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?$"
CURRENCY = "^[a-z]{3}$"

ObjectId = Annotated[
    Text,
    exactly(OBJECT_ID.strip("^$"), "There is nothing with this id here."),
    WithJsonSchema({"type": "string", "pattern": OBJECT_ID}),
]
"""24 hexadecimal digits, opaque to clients; a malformed one is one that is not known (C15)."""

Uuid = Annotated[Text, WithJsonSchema({"type": "string", "format": "uuid"})]
"""Of organisations, sites, media and membership types; asked for, not parsed (C15)."""

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def _list_of(shape: re.Pattern[str], sentence: str) -> BeforeValidator:
    def check(value: Any) -> Any:
        if value is None or not isinstance(value, list):
            return value
        if not all(isinstance(one, str) and shape.fullmatch(one) for one in value):
            raise PydanticCustomError("ids", sentence)
        return value

    return BeforeValidator(check)


_NOT_HERE = "Must be a list of ids of things that are here."

ObjectIds = Annotated[list[ObjectId], _list_of(re.compile(OBJECT_ID), _NOT_HERE)]
"""Ids in a body: what is wrong with one is said of the whole list, as R22 has it."""

UuidInBody = Annotated[
    Text,
    exactly(_UUID.pattern, "There is nothing with this id here."),
    WithJsonSchema({"type": "string", "format": "uuid"}),
]
"""For what is left out without a word when it is another brand's: a malformed one is neither."""

Uuids = Annotated[list[Uuid], _list_of(_UUID, _NOT_HERE)]

MinorUnits = Annotated[Whole, Field(ge=0)]
"""Money in the currency's smallest unit."""

Currency = Annotated[
    Text,
    AfterValidator(str.lower),
    exactly("[a-z]{3}", "Use a code of three letters, such as eur."),
    WithJsonSchema({"type": "string", "pattern": CURRENCY}),
]
"""ISO 4217, lower case on output, read in any case (C38)."""

Duration = Annotated[
    Text,
    exactly(DURATION.strip("^$"), "Use an ISO 8601 duration such as P10D or PT4H."),
    WithJsonSchema({"type": "string", "pattern": DURATION}),
]
"""Goes out as it came in."""

TimeOfDay = Annotated[
    Text,
    exactly(TIME_OF_DAY.strip("^$"), "Use a time such as 18:30."),
    WithJsonSchema({"type": "string", "pattern": TIME_OF_DAY}),
]
"""HH:MM at the site."""

Day = Annotated[dt.date, BeforeValidator(_read_day)]
"""A day at the site."""

Moment = Annotated[
    AwareDatetime,
    BeforeValidator(_read_moment),
    PlainSerializer(say_moment, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""An instant with its offset; without one it would be a guess (CONTRACT 9)."""


class Problem(Answer):
    """Body of every error."""

    message: str
    """What is wrong, in a sentence for people."""
    code: Annotated[str, Field(json_schema_extra={"x-addition": True})] = ""
    """The rule that says no, for programs: the same code as on the venue's pages."""
    changes_at: Annotated[Moment | None, Field(json_schema_extra={"x-addition": True})] = None
    """When time alone changes the answer: the moment at which booking opens."""
    errors: Annotated[
        dict[str, Annotated[list[str], Field(min_length=1)]],
        Field(default_factory=dict),
    ]
    """Only with 422. Keys are field names (dots for nesting), values are messages."""


# ---- what stands in an address -----------------------------------------------------------


def _flag_in_address(value: Any) -> Any:
    word = str(value).strip().lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise PydanticCustomError("flag", "Must be true or false.")


def _number_in_address(value: Any) -> Any:
    text = str(value).strip()
    if not re.fullmatch(r"\d{1,15}", text, re.ASCII):
        raise PydanticCustomError("whole", "Must be a whole number, 1 or more.")
    return int(text)


def _several(value: Any) -> Any:
    """Separated by commas, or given several times (C20)."""
    given = value if isinstance(value, list) else [value]
    # No id has a NUL, and no database takes one to look for.
    texts = [str(text).strip().replace("\0", "\ufffd") for text in given]
    words = [word for text in texts for word in _LIST.split(text) if word]
    if len(words) > MOST_NAMED:
        raise PydanticCustomError("several", f"Name at most {MOST_NAMED} at once.")
    return words


def _site_day(value: Any) -> Any:
    """A plain day, or an instant whose day at the site is meant (C19); which one is kept."""
    text = str(value).strip()
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        return _read_day(text)
    return _moment_in_address(text)


def _moment_in_address(value: Any) -> Any:
    # A plus that nobody encoded arrives as a space.
    return _read_moment(str(value).strip().replace(" ", "+"))


def _as_unknown(word: str) -> str:
    """A word that can be no id stands for a thing that nobody has (C15)."""
    return word if re.fullmatch(r"[0-9A-Za-z_-]{1,64}", word) else "-"


FlagInAddress = Annotated[bool, BeforeValidator(_flag_in_address)]
NumberInAddress = Annotated[int, BeforeValidator(_number_in_address), Field(ge=1)]
Ids = Annotated[
    list[Annotated[str, AfterValidator(_as_unknown)]],
    BeforeValidator(_several),
    WithJsonSchema({"type": "array", "items": {"type": "string", "pattern": OBJECT_ID}}),
    Field(json_schema_extra={"x-commas": True}),
]
"""Ids in a filter; one that is malformed or foreign matches nothing (R1, C15)."""
SiteInAddress = Annotated[
    str, AfterValidator(_as_unknown), WithJsonSchema({"type": "string", "format": "uuid"})
]
TextInAddress = Annotated[Text, AfterValidator(str.strip)]
WeekdaysInAddress = Annotated[list[Weekday], BeforeValidator(_several)]
SEVERAL = (BeforeValidator(_several), Field(json_schema_extra={"x-commas": True}))
"""Makes a filter take several values of its kind."""
DayInAddress = Annotated[dt.date, BeforeValidator(_read_day)]
DayOrMoment = Annotated[
    dt.date | dt.datetime,
    BeforeValidator(_site_day),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "format": "date"},
                {"type": "string", "format": "date-time"},
            ]
        }
    ),
]
MomentInAddress = Annotated[
    dt.datetime,
    BeforeValidator(_moment_in_address),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
