"""Every operation of the contract, asked in every way that the contract speaks of.

The cases are made of the contract's own file: each code, each parameter, and of each field its
absence, null, every wrong type and its edges. One house serves them all; whatever a case uses up
is made for it.
"""

import datetime as dt
import re
from typing import Any

import pytest
from api_document import Kind, Said, contract
from api_house import ApiHouse, add_tokens, build_api_house, make_fresh
from factories import ANYWHERE

from blueprints.clock import read_clock
from models import ApiToken, db
from services.api_tokens import make_token

OPERATIONS = sorted(contract().operations)
FIELDS = [
    (operation_id, name)
    for operation_id in OPERATIONS
    for name, kind in (getattr(contract().operations[operation_id].body, "fields", {})).items()
]
FILTERS = [
    (operation_id, name)
    for operation_id in OPERATIONS
    for place, name in contract().operations[operation_id].parameters
    if place == "query"
]
NEEDED: dict[str, dict[str, Any]] = {
    "createSessionType": {"name": "Warm water"},
    "createSessionTypePriceRule": {"price": 1850},
}
"""What a body must have, beside references."""

VALUES: dict[str, Any] = {
    "name": "Warm water",
    "currency": "gbp",
    "meta": {"title": "Warm water", "description": None},
    "revenue_centre": "Waters",
    "recurrence_start": "2026-07-02",
    "recurrence_end": "2026-07-30",
    "date_from": "2026-07-02",
    "date_to": "2026-07-30",
    "time_from": "09:00",
    "time_to": "18:00",
    "start_time": "09:00",
    "start_times": [{"value": "09:00"}],
    "max_advance_bookings_interval": "P30D",
    "min_advance_bookings_interval": "PT4H",
    "customer_cancellation_min_duration": "P1D",
    "capacity": 8,
}
BESIDE: dict[tuple[str, str], dict[str, Any]] = {
    ("updateSession", "start_time"): {},
    ("updateSession", "end_time"): {"start_time": "2026-07-01T09:00:00Z"},
}
"""What goes along with a field, so that the body makes sense as a whole."""

NULL_TOO = {
    ("createSessionRecurrenceGroup", "capacity"): "CONTRACT 9: accepts null (2.3)",
    ("updateSessionRecurrenceGroup", "capacity"): "CONTRACT 9: accepts null (2.3)",
    ("createSessionRecurrenceGroup", "room_id"): "CONTRACT 9: accepts null (2.3)",
    ("updateSessionRecurrenceGroup", "room_id"): "CONTRACT 9: accepts null (2.3)",
}
OF_TYPE: dict[str, tuple[Any, ...]] = {
    "string": ("text",),
    "integer": (7,),
    "number": (1.5,),
    "boolean": (True,),
    "array": (["text"],),
    "object": ({"a": 1},),
}
"""Values by the type that JSON gives them."""


@pytest.fixture(scope="module")
def houses(shared_app, make_empty):
    """Two sites of one organisation, and one of another."""
    with shared_app.app_context():
        ours = build_api_house("bath")
        near = build_api_house("weir", ours.organisation_id)
        theirs = build_api_house("reykjavik")
        add_tokens(ours, near)
        db.session.remove()
    yield {"ours": ours, "near": near, "theirs": theirs}
    with shared_app.app_context():
        db.session.remove()
    make_empty()


@pytest.fixture
def house(houses) -> ApiHouse:
    return houses["ours"]


@pytest.fixture
def ask(shared_app, houses, program_of):
    """Sends one request for an operation; whatever is not given is as it should be."""
    client = shared_app.test_client()

    def send(operation_id, status=None, *, token="here", ids=None, after="", **given):
        said = contract().operations[operation_id]
        known = {**houses["ours"].ids, **(ids or {})}
        path = re.sub(r"\{(\w+)\}", lambda it: known[_snake(it[1])], said.path)
        program = program_of(shared_app, client, houses["ours"].tokens.get(token, token))
        answer = program.ask(said.method.upper(), path.removeprefix("/shop") + after, **given)
        told = f"{operation_id} {given}: {answer.status_code} {answer.get_data(as_text=True)[:300]}"
        assert status is None or answer.status_code in _several(status), told
        return answer

    return send


def _several(status):
    return status if isinstance(status, tuple) else (status,)


def _snake(name: str) -> str:
    return re.sub(r"([A-Z])", r"_\1", name).lower()


def said_of(operation_id: str) -> Said:
    return contract().operations[operation_id]


def success_of(operation_id: str) -> int:
    return next(int(code) for code in said_of(operation_id).answers if code.startswith("2"))


def path_names(operation_id: str) -> list[str]:
    return [_snake(name) for name in re.findall(r"\{(\w+)\}", said_of(operation_id).path)]


def body_of(operation_id: str, house: ApiHouse) -> dict[str, Any] | None:
    """The least that the operation takes."""
    said = said_of(operation_id)
    if not said.needs_body:
        return None
    needed = {
        name: house.reference(name) for name in said.body.required if name.endswith(("_id", "_ids"))
    }
    return {**needed, **NEEDED.get(operation_id, {})}


def fresh_ids(app, house: ApiHouse, operation_id: str) -> dict[str, str]:
    """Something of its own for what takes a thing away."""
    names = path_names(operation_id)
    used = names and (said_of(operation_id).method == "delete" or "booking_id" in names)
    if not used:
        return {}
    with app.app_context():
        made = {names[-1]: make_fresh(house, names[-1])}
        db.session.remove()
    return made


# ---- each code ---------------------------------------------------------------------------


@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_the_operation_does_what_it_is_for(shared_app, ask, house, operation_id):
    ids = fresh_ids(shared_app, house, operation_id)
    body = body_of(operation_id, house)
    ask(operation_id, success_of(operation_id), ids=ids, body=body)


@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_401_for_whoever_sends_no_token_that_works(shared_app, ask, house, operation_id):
    for token in ("", "nonsense", f"sundial_{'a' * 43}", *_dead_tokens(shared_app, house)):
        answer = ask(operation_id, 401, token=token)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def _dead_tokens(app, house):
    """One that has ended, and one that was revoked."""
    if "ended" not in house.tokens:
        now = read_clock_in(app)
        with app.app_context():
            for name in ("ended", "revoked"):
                token_id, plain = make_token(
                    house.organisation_id,
                    name=name,
                    rights={house.site_id: ["SETTINGS_MANAGE", "RESERVATIONS_MANAGE"]},
                    by=None,
                    now=now,
                )
                row = db.session.get_one(ApiToken, token_id, execution_options=ANYWHERE)
                if name == "ended":
                    row.expires_at = now - dt.timedelta(seconds=1)
                else:
                    row.revoked_at = now
                db.session.commit()
                house.tokens[name] = plain
            db.session.remove()
    return "ended", "revoked"


def read_clock_in(app):
    with app.app_context():
        return read_clock()


@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_403_for_a_token_that_lacks_the_right_whatever_it_sends(ask, house, operation_id):
    """403 comes before 422 (CONTRACT 9): the body is empty, and wrong."""
    right = said_of(operation_id).right
    other = {"SETTINGS_MANAGE": "reservations", "RESERVATIONS_MANAGE": "settings"}.get(right)
    if other is None:
        answer = ask(operation_id, success_of(operation_id), token="reservations")
        assert answer.get_json()["data"] is not None
        return
    for body in (body_of(operation_id, house), {}, {"price": "x", "capacity": "x"}):
        ask(operation_id, 403, token=other, body=body)


@pytest.mark.parametrize("operation_id", [one for one in OPERATIONS if path_names(one)])
def test_a_thing_of_a_site_without_access_is_refused(ask, house, operation_id):
    status = 403 if "403" in said_of(operation_id).answers else 404
    ask(operation_id, status, token="near", body=body_of(operation_id, house))


@pytest.mark.parametrize("operation_id", [one for one in OPERATIONS if path_names(one)])
def test_r1_404_for_an_id_that_is_unknown_malformed_or_foreign(ask, house, houses, operation_id):
    for name in path_names(operation_id):
        for value in (
            "0" * 24, houses["theirs"].ids[name], "no-such-id", house.ids[name].upper() + "G",
            "0" * 23, "0" * 25, "%00", "é", "a" * 300, "-" * 24,
        ):  # fmt: skip
            ask(operation_id, 404, ids={name: value}, body=body_of(operation_id, house))


@pytest.mark.parametrize("operation_id", [one for one in OPERATIONS if said_of(one).body])
def test_400_for_a_body_that_is_no_json_and_422_for_one_that_is_no_object(ask, operation_id):
    for text in ("{", "nonsense", '{"a": NaN}', "{'a': 1}", '{"a": 1,}', "\xff"):
        ask(operation_id, 400, data=text, content_type="application/json")
    for text in ("[]", "1", '"text"', "true", "null"):
        ask(operation_id, 422, data=text, content_type="application/json")
    if said_of(operation_id).needs_body:
        ask(operation_id, 400, data="", content_type="application/json")


# ---- each field of a body ----------------------------------------------------------------


@pytest.mark.parametrize(("operation_id", "name"), FIELDS)
def test_a_field_absent_null_of_a_wrong_type_and_at_its_edges(
    shared_app, ask, house, operation_id, name
):
    body, kind = said_of(operation_id).body, said_of(operation_id).body.fields[name]
    rest = {**(body_of(operation_id, house) or {}), **BESIDE.get((operation_id, name), {})}
    rest.pop(name, None)
    success, wrong = success_of(operation_id), []
    ids = fresh_ids(shared_app, house, operation_id)

    def expect(value, is_fine):
        sent = rest if value is ABSENT else {**rest, name: value}
        answer = ask(operation_id, body=sent, ids=ids)
        named = (answer.get_json(silent=True) or {}).get("errors", {})
        fits = (
            answer.status_code == success
            if is_fine
            else answer.status_code == 422 and any(_is_of(name, key) for key in named)
        )
        if not fits:
            wanted = success if is_fine else f"422 at {name}"
            wrong.append(f"{sent}: {answer.status_code} {answer.text[:300]} instead of {wanted}")

    expect(ABSENT, is_fine=name not in body.required)
    if (operation_id, name) not in NULL_TOO:
        expect(None, is_fine="null" in kind.types)
    else:
        expect(None, is_fine=True)
    for value in wrong_values(name, kind):
        expect(value, is_fine=False)
    for value in right_values(operation_id, name, kind, house):
        expect(value, is_fine=True)
    assert not wrong, "\n".join(wrong)


ABSENT = object()


def _is_of(name: str, key: str) -> bool:
    return key == name or key.startswith(f"{name}.")


def wrong_values(name: str, kind: Kind) -> list[Any]:
    """Values of every other type of JSON, and those beyond each limit that is stated."""
    types = kind.types | ({"integer"} if "number" in kind.types else set())
    found = [
        value for of_type, values in OF_TYPE.items() if of_type not in types for value in values
    ]
    if "integer" in types:
        found += [kind.words.get("minimum", 0) - 1, 10**30]
    if "string" in types:
        found += _wrong_texts(kind)
    if kind.enum and "string" in kind.types:
        found += ["", "no-such-word", next(iter(kind.enum)).upper()]
    if kind.items is not None:
        found += [[one] for one in wrong_values(name, kind.items)]
        found += [[kind.items.enum and min(kind.items.enum)] * 2] if _is_unique(kind) else []
    if kind.required:
        found.append({})
    found += [
        {**_least_of(kind), inner: value}
        for inner, it in kind.fields.items()
        if not it.is_read_only
        for value in wrong_values(inner, it)
    ]
    return [one for one in found if not _is_settled_as_fine(name, one)]


def _is_unique(kind: Kind) -> bool:
    return bool(kind.words.get("uniqueItems")) and bool(kind.items and kind.items.enum)


def _wrong_texts(kind: Kind) -> list[str]:
    words, found = kind.words, ["a\0b"]
    if words.get("minLength"):
        found += ["", "   "]
    if "pattern" in words:
        found += [
            one
            for one in ("", "x", "25:00", "9:00", "P", "PT", "p10d", "-P1D", "0" * 23, "eu")
            if not re.search(words["pattern"], one) and not re.search(words["pattern"], one.lower())
        ]
    by_format = {
        "date": ["2026-02-30", "2026-6-4", "04.06.2026", "2026-06-04T00:00:00Z", "today"],
        "date-time": ["2026-06-04T09:00:00", "2026-06-04", "2026-06-04T25:00:00Z", "now"],
        "uuid": ["no-such-id", "00000000-0000-0000-0000-000000000000"],
    }
    return found + by_format.get(str(words.get("format")), [])


def _least_of(kind: Kind) -> dict[str, Any]:
    return {name: "09:00" if name == "value" else "" for name in kind.required}


DROPPED = ("permitted_membership_type_ids", "membership_type_id")
"""R22: memberships of another brand are dropped without an error."""


def _is_settled_as_fine(name: str, value: Any) -> bool:
    texts = value if isinstance(value, list) else [value]
    return name in DROPPED and all(isinstance(one, str) and "\0" not in one for one in texts)


def right_values(operation_id: str, name: str, kind: Kind, house: ApiHouse) -> list[Any]:
    """A value that makes sense, every word of a list of words, and the least that is allowed."""
    if kind.enum:
        return sorted(kind.enum)
    if kind.types == {"boolean"}:
        return [True, False]
    if operation_id == "updateSession" and name in ("start_time", "end_time"):
        return ["2026-07-01T11:00:00+01:00", "2026-07-01T10:00:00Z"]
    if name == "membership_booking_windows":
        own = house.reference("membership_type_id")
        whole = {"membership_type_id": own, "max_advance_bookings_interval": "P60D"}
        return [[], [whole], [{**whole, "min_advance_bookings_interval": None}]]
    if name.endswith("_offerings"):
        own = house.reference("session_type_id")
        return [[], [{"offering_type": "session", "offering_id": own, "display_name": None}]]
    if name.endswith(("_id", "_ids")) and name != "external_id":
        found = house.reference(name)
        return [found, []] if isinstance(found, list) else [found]
    least = [kind.words["minimum"]] if "minimum" in kind.words else []
    if "array" in kind.types and kind.items and kind.items.enum:
        return [[], sorted(kind.items.enum)[:2]]
    return [*least, VALUES[name]] if name in VALUES else least or ["Some words"]


def test_r3_an_empty_put_changes_nothing_and_gives_200(ask):
    for operation_id in OPERATIONS:
        if said_of(operation_id).method != "put":
            continue
        first, second = (ask(operation_id, 200, body={}) for _ in range(2))
        assert first.get_json()["data"] == second.get_json()["data"], operation_id


def test_unknown_fields_are_ignored(ask, house):
    for operation_id in OPERATIONS:
        if said_of(operation_id).method == "put":
            ask(operation_id, 200, body={"no_such_field": [1, {"a": None}]})


def test_c16_what_a_get_gives_can_be_put_back(ask):
    for read in ("getSession", "getSessionType", "getSessionTypePriceRule"):
        write = read.replace("get", "update")
        shown = ask(read, 200).get_json()["data"]
        after = ask(write, 200, body=shown).get_json()["data"]
        changed = {name for name in shown if shown[name] != after.get(name)}
        assert changed <= {"updated_at", "price_source"}, (write, changed)


# ---- each value of an address ------------------------------------------------------------

WRONG_WORDS: dict[str, tuple[str, ...]] = {
    "boolean": ("maybe", "2", "null"),
    "integer": ("0", "-1", "x", "1.5", "1e3", ""),
    "date": ("2026-02-30", "yesterday", "2026-6-4"),
    "date-time": ("2026-06-04", "2026-06-04T25:00:00Z", "now", "2026-06-04T09:00:00"),
}
RIGHT_WORDS: dict[str, tuple[str, ...]] = {
    "boolean": ("true", "false"),
    "integer": ("1", "2", "100", "101", "1000000"),
    "date": ("2026-07-01",),
    "date-time": ("2026-07-01T10:00:00Z", "2026-07-01T10:00:00%2B01:00", "2026-07-01T10:00:00.5Z"),
}


@pytest.mark.parametrize(("operation_id", "name"), FILTERS)
def test_a_value_of_the_address_read_and_not_read(shared_app, ask, house, operation_id, name):
    said, wrong = said_of(operation_id), []
    body = body_of(operation_id, house)
    for value, statuses in words_for(said, name, house):
        ids = fresh_ids(shared_app, house, operation_id)
        answer = ask(operation_id, ids=ids, body=body, after=f"?{name}={value}")
        if answer.status_code not in statuses:
            told = f"{answer.status_code} {answer.text[:200]} instead of {statuses}"
            wrong.append(f"?{name}={value}: {told}")
    assert not wrong, "\n".join(wrong)


Words = list[tuple[str, tuple[int, ...]]]


def words_for(said: Said, name: str, house: ApiHouse) -> Words:
    """What may stand for a parameter, each with the statuses that are right for it."""
    kind = contract().kind(said.parameters["query", name]["schema"])
    success = next(int(code) for code in said.answers if code.startswith("2"))
    if kind.items is not None and kind.items.enum:
        fine = ("monday", "monday,tuesday", f"monday&{name}=sunday", "")
        return [(one, (success,)) for one in fine] + [("someday", (400,)), ("monday,x", (400,))]
    if kind.items is not None:
        own = house.reference(name)
        # C15: a malformed id in a filter matches nothing. C20: commas and repetition are read.
        several = (own, f"{own},{'0' * 24}", f"{own}&{name}={own}", "no-such-id", "")
        return [*((one, (success,)) for one in several), ("%00", (400,))]
    if kind.words.get("format") == "uuid":
        # R1, R2: a site that is not known matches nothing; nothing can be made at one.
        unknown = (success,) if said.method == "get" else (403, 404, 422)
        wrong = [(one, unknown) for one in ("no-such-site", "0", "0" * 24)]
        return [(house.site_id, (success,)), *wrong, ("%00", (400,))]
    if kind.types == {"string"} and not kind.words and not kind.parts:
        several = ("water", "%25", "%F0%9F%92%A7", "", "a" * 2000)
        return [*((one, (success,)) for one in several), ("%00", (400,))]
    return _plain_words(kind, success)


def _plain_words(kind: Kind, success: int) -> Words:
    forms = [str(it.words.get("format") or next(iter(it.types))) for it in kind.parts or [kind]]
    fine = {one for form in forms for one in RIGHT_WORDS[form]}
    wrong = set.intersection(*(set(WRONG_WORDS[form]) for form in forms)) - fine
    return [*((one, (success,)) for one in fine), *((one, (400,)) for one in wrong)]


def test_r2_a_site_without_access_is_refused_where_403_is_listed_and_empty_elsewhere(ask, houses):
    near = houses["near"].site_id
    for operation_id, name in FILTERS:
        if name != "site_id" or said_of(operation_id).method != "get":
            continue
        answer = ask(operation_id, (200, 403), after=f"?site_id={near}")
        is_listed = "403" in said_of(operation_id).answers
        assert answer.status_code == (403 if is_listed else 200), operation_id
        assert is_listed or answer.get_json()["data"] == [], operation_id


def test_r21_more_than_a_hundred_a_page_are_lowered(ask):
    for operation_id in OPERATIONS:
        if operation_id.startswith("list"):
            answer = ask(operation_id, 200, after="?per_page=1000")
            assert answer.get_json()["meta"]["per_page"] == 100
