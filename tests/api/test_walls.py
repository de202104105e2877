"""R1, R2: the ids of another organisation open nothing, in a path, a body or a filter.

Every operation of the document is asked, so that one that is added later is, too; and whatever it
answers, no row of either organisation is another afterwards.
"""

import re
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from api_document import Kind, ours
from api_house import CENTRE, ApiHouse, add_tokens, build_api_house
from factories import ANYWHERE

from models import db

OPERATIONS = sorted(ours().operations)
WITH_IDS = [one for one in OPERATIONS if "{" in ours().operations[one].path]
NO_REFERENCE = ("external_id", "token_id", "provider_id")
"""Fields that end like one and name nothing of ours."""
DROPPED = ("permitted_membership_type_ids", "membership_booking_windows.membership_type_id")
"""R22: memberships of another brand are left out without an error."""
OF_THE_ORGANISATION = (
    *("category_id", "image_id", "media_id", "customer_id", "organisation_id"),
    *("membership_type_id", "permitted_membership_type_id", "practitioner_id"),
)
"""Not bound to a site (R2): another site's are ours, too."""
VALUES: dict[str, Any] = {
    "name": "Warm water",
    "price": 1850,
    "currency": "gbp",
    "start_time": "2026-08-01T10:00:00Z",
    "revenue_centre": CENTRE,
    "guests": 1,
    "offering_type": "session",
    "url": "https://hooks.example.com/sundial",
    "email": "ana@example.com",
}


@pytest.fixture(scope="module")
def houses(shared_app, make_empty):
    with shared_app.app_context():
        ours = build_api_house("bath")
        near = build_api_house("weir", ours.organisation_id)
        theirs = build_api_house("reykjavik")
        add_tokens(ours, near)
        add_tokens(theirs, theirs)
        db.session.remove()
    yield {"ours": ours, "near": near, "theirs": theirs}
    with shared_app.app_context():
        db.session.remove()
    make_empty()


@pytest.fixture
def nothing_changes(shared_app):
    """Fails when any row is another after the test, or is there no more, or is new."""
    before = everything(shared_app)
    yield
    after = everything(shared_app)
    assert [name for name in before if before[name] != after[name]] == []


def everything(app) -> dict[str, list[str]]:
    """All rows of all organisations; only when a token was last used may differ (H7)."""
    with app.app_context():
        found = {
            name: sorted(
                repr(row)
                for row in db.session.execute(
                    sa.select(*(one for one in table.c if one.name != "last_used_at")),
                    execution_options=ANYWHERE,
                )
            )
            for name, table in db.metadata.tables.items()
        }
        db.session.remove()
    return found


@pytest.fixture
def ask(shared_app, houses, program_of):
    client = shared_app.test_client()

    def send(operation_id, *, ids, token="here", of="ours", body=None, query=""):
        said = ours().operations[operation_id]
        path = re.sub(r"\{(\w+)\}", lambda it: ids[_snake(it[1])], said.path)
        program = program_of(shared_app, client, houses[of].tokens[token])
        return program.ask(said.method.upper(), path.removeprefix("/shop") + query, body=body)

    return send


def _snake(name: str) -> str:
    return re.sub(r"([A-Z])", r"_\1", name).lower()


def path_names(operation_id: str) -> list[str]:
    return [_snake(name) for name in re.findall(r"\{(\w+)\}", ours().operations[operation_id].path)]


def sensible(name: str, kind: Kind, house: ApiHouse) -> Any:
    """A value that makes sense for a field, of the house where it names something."""
    if is_reference(name, kind):
        return house.reference(name)
    if name in VALUES and "object" not in kind.types:
        return VALUES[name]
    if kind.enum:
        return min(kind.enum)
    if "object" in kind.types:
        return {
            inner: sensible(inner, it, house)
            for inner, it in kind.fields.items()
            if inner in kind.required
        }
    if "array" in kind.types:
        return [sensible(name.removesuffix("s"), kind.items, house)] if kind.items else []
    by_format = {"date": "2026-08-01", "date-time": "2026-08-01T10:00:00Z"}
    if kind.words.get("format") in by_format:
        return by_format[kind.words["format"]]
    if "integer" in kind.types:
        return kind.words.get("minimum", 1)
    return True if "boolean" in kind.types else "10:00" if "pattern" in kind.words else "Words"


def is_reference(name: str, kind: Kind) -> bool:
    if name in NO_REFERENCE or not (name == "id" or name.endswith(("_id", "_ids"))):
        return False
    one = kind.items if kind.items is not None else kind
    return "string" in one.types


@dataclass(frozen=True)
class Reference:
    """A field of a body that names something, by its way from the body, and what is sent."""

    way: str
    name: str
    sent: dict[str, Any]


def references(kind: Kind, house: ApiHouse, foreign: ApiHouse) -> list[Reference]:
    """Each field of a body that names something, with a value that is the other house's."""
    found: list[Reference] = []
    for name, it in kind.fields.items():
        if is_reference(name, it):
            found.append(Reference(name, name, {name: foreign.reference(name)}))
        elif it.items is not None and it.items.fields:
            least = sensible(name, it.items, house)
            found += [
                Reference(f"{name}.{one.way}", one.name, {name: [{**least, **one.sent}]})
                for one in references(it.items, house, foreign)
            ]
    return found


def body_of(operation_id: str, house: ApiHouse) -> dict[str, Any] | None:
    kind = ours().operations[operation_id].body
    return None if kind is None else sensible("", kind, house)


@pytest.mark.usefixtures("nothing_changes")
@pytest.mark.parametrize("operation_id", WITH_IDS)
def test_r1_the_other_organisations_ids_in_a_path_are_not_found(ask, houses, operation_id):
    mine, foreign = houses["ours"].ids, houses["theirs"].ids
    names = path_names(operation_id)
    for swapped in [names, *([name] for name in names)]:
        ids = {**mine, **{name: foreign[name] for name in swapped}}
        for body in (
            body_of(operation_id, houses["ours"]),
            body_of(operation_id, houses["theirs"]),
        ):
            answer = ask(operation_id, ids=ids, token="all", body=body)
            assert answer.status_code == 404, f"{swapped}: {answer.status_code} {answer.text}"


@pytest.mark.usefixtures("nothing_changes")
@pytest.mark.parametrize(
    "operation_id", [one for one in OPERATIONS if ours().operations[one].body is not None]
)
def test_r22_the_other_organisations_ids_in_a_body_are_refused_by_name(ask, houses, operation_id):
    house, foreign = houses["ours"], houses["theirs"]
    base = body_of(operation_id, house)
    for one in references(ours().operations[operation_id].body, house, foreign):
        if one.way in DROPPED:
            continue
        answer = ask(operation_id, ids=house.ids, body={**base, **one.sent})
        told = f"{one.way}: {answer.status_code} {answer.text}"
        assert answer.status_code == 422, told
        field = one.way.partition(".")[0]
        named = answer.get_json().get("errors", {})
        assert any(key.partition(".")[0] == field for key in named), told


@pytest.mark.usefixtures("nothing_changes")
@pytest.mark.parametrize(
    "operation_id",
    [
        one
        for one in OPERATIONS
        if any(place == "query" for place, _ in ours().operations[one].parameters)
        and ours().operations[one].method == "get"
    ],
)
def test_r1_the_other_organisations_ids_in_a_filter_match_nothing(ask, houses, operation_id):
    said, house = ours().operations[operation_id], houses["ours"]
    for (place, name), parameter in said.parameters.items():
        kind = ours().kind(parameter["schema"])
        if place != "query" or not is_reference(name, kind):
            continue
        known = "session_id" if name == "id" else name
        foreign = houses["theirs"].reference(known)
        answer = ask(operation_id, ids=house.ids, token="all", query=f"?{name}={foreign}")
        if answer.status_code == 200:
            assert answer.get_json()["data"] in ([], {}), f"{name}: {answer.text[:300]}"
        else:
            assert answer.status_code in (403, 404), f"{name}: {answer.status_code} {answer.text}"


@pytest.mark.parametrize(
    "operation_id", [one for one in OPERATIONS if ours().operations[one].method == "get"]
)
def test_r1_no_look_shows_a_row_of_the_other_organisation(ask, houses, operation_id):
    foreign = set(houses["theirs"].ids.values())
    text = ask(operation_id, ids=houses["ours"].ids, token="all", query="?per_page=100").text
    assert not foreign & set(re.findall(r"[0-9a-f-]{24,36}", text))


def bound_to_a_site(operation_id: str) -> bool:
    """Whether the thing belongs to a site, and not to the whole organisation."""
    first = path_names(operation_id)[0]
    return first not in ("category_id", "customer_id", "media_id", "membership_type_id")


@pytest.mark.usefixtures("nothing_changes")
@pytest.mark.parametrize("operation_id", [one for one in WITH_IDS if bound_to_a_site(one)])
def test_r2_a_token_of_another_site_does_nothing_here(ask, houses, operation_id):
    said, house = ours().operations[operation_id], houses["ours"]
    answer = ask(operation_id, ids=house.ids, token="near", body=body_of(operation_id, house))
    expected = 403 if "403" in said.answers else 404
    if said.is_addition:
        # Outside the contract one may also not be told that there is such a thing.
        assert answer.status_code in (403, 404), answer.text
    else:
        assert answer.status_code == expected, f"{answer.status_code} {answer.text}"


@pytest.mark.usefixtures("nothing_changes")
@pytest.mark.parametrize(
    "operation_id", [one for one in OPERATIONS if ours().operations[one].body is not None]
)
def test_r2_things_of_another_site_in_a_body_are_refused(ask, houses, operation_id):
    house, near = houses["ours"], houses["near"]
    base = body_of(operation_id, house)
    for one in references(ours().operations[operation_id].body, house, near):
        if one.name.removesuffix("s") in OF_THE_ORGANISATION:
            continue
        answer = ask(operation_id, ids=house.ids, body={**base, **one.sent})
        told = f"{one.way}: {answer.status_code} {answer.text}"
        assert answer.status_code in (403, 404, 422), told
