"""The document that the code makes, held against the published contract.

What the contract says must be there, as it says it. What is there beyond it carries `x-addition`.
"""

import re
from collections.abc import Iterator

import pytest
from api_document import Kind, Said, contract, ours

AS_SETTLED = (
    (
        r"SessionTypes?: \d+\.data(\[\])?\.description: may not be null",
        "C10: null is read, and stored and answered as an empty text",
    ),
    (
        r"SessionTypes?: \d+\.data(\[\])?\.image: may be null",
        "CONTRACT 9: `image` is null when there is none",
    ),
    (
        r"SessionTypes?: \d+\.data(\[\])?\.permitted_membership_type_ids: may not be null",
        "2.1: empty means any, as null does; answered is the empty list",
    ),
    (
        r"SessionRecurrenceGroup: body\.(capacity|room_id): may be null",
        "CONTRACT 9: `capacity` and `room_id` of a series accept null (2.3)",
    ),
    (
        r"Sessions?: \d+\.data(\[\])?\.(room|room_id): may be null",
        "R6: a site need not have rooms, and a session there says so",
    ),
    (
        r"updateSession: body\.room_id: may be null",
        "C16: what a GET gives can be put back; a room that is set can't be taken away",
    ),
)
"""Differences that CONTRACT.md itself asks for, each with the place that does."""


OPERATIONS = sorted(contract().operations)


def find_differences(operation_id: str) -> list[str]:
    """What our document says otherwise of an operation of the contract; empty when it agrees."""
    wanted, found = contract().operations[operation_id], ours().operations.get(operation_id)
    if found is None:
        return [f"{operation_id}: missing"]
    return [f"{operation_id}: {one}" for one in _compare(wanted, found)]


def _compare(wanted: Said, found: Said) -> Iterator[str]:
    if (wanted.method, wanted.path) != (found.method, found.path):
        yield f"at {found.method} {found.path} instead of {wanted.method} {wanted.path}"
    if wanted.right != found.right:
        yield f"asks for {found.right} instead of {wanted.right}"
    if found.is_addition:
        yield "is marked as an addition"
    yield from _compare_parameters(wanted, found)
    if wanted.needs_body != found.needs_body:
        yield f"body: required is {found.needs_body} instead of {wanted.needs_body}"
    elif wanted.body and found.body:
        yield from compare_kinds("body", wanted.body, found.body, is_sent=True)
    yield from _compare_answers(wanted, found)


def _compare_answers(wanted: Said, found: Said) -> Iterator[str]:
    for code in sorted(wanted.answers.keys() - found.answers.keys()):
        yield f"{code}: missing"
    for code in sorted(found.answers.keys() - wanted.answers.keys() - found.added_codes):
        yield f"{code}: not in the contract, and not marked"
    for code in sorted(wanted.answers.keys() & found.answers.keys()):
        if code in found.added_codes:
            yield f"{code}: marked as an addition"
        one, other = wanted.answers[code], found.answers[code]
        if one and other:
            yield from compare_kinds(code, one, other, is_sent=False)
        elif one or other:
            yield f"{code}: has {'a' if other else 'no'} body"


def _compare_parameters(wanted: Said, found: Said) -> Iterator[str]:
    for place, name in sorted(wanted.parameters.keys() - found.parameters.keys()):
        yield f"{place} {name}: missing"
    for place, name in sorted(found.parameters.keys() - wanted.parameters.keys()):
        if not found.parameters[place, name].get("x-addition"):
            yield f"{place} {name}: not in the contract, and not marked"
    for place, name in sorted(wanted.parameters.keys() & found.parameters.keys()):
        one, other = wanted.parameters[place, name], found.parameters[place, name]
        usual = {"required": False, "style": "form", "explode": True}
        for word, it in usual.items() if place == "query" else ():
            if one.get(word, it) != other.get(word, it):
                yield f"{place} {name}: {word} is {other.get(word, it)}"
        kinds = contract().kind(one["schema"]), ours().kind(other["schema"])
        yield from compare_kinds(f"{place} {name}", *kinds, is_sent=True)
        if kinds[0].default not in (None, kinds[1].default):
            yield f"{place} {name}: default is {kinds[1].default}, not {kinds[0].default}"


def compare_kinds(at: str, wanted: Kind, found: Kind, *, is_sent: bool) -> Iterator[str]:
    """Every difference of two kinds of values; more may be promised of an answer, not asked."""
    if ("null" in wanted.types) != ("null" in found.types):
        told = ("may not be null, said to", "may be null, said not to")
        yield f"{at}: {told['null' in found.types]}"
    if wanted.types - {"null"} != found.types - {"null"}:
        yield f"{at}: is {sorted(found.types)} instead of {sorted(wanted.types)}"
    if wanted.enum != found.enum:
        yield f"{at}: one of {found.enum} instead of {wanted.enum}"
    for word in sorted(wanted.words.keys() | found.words.keys()):
        one, other = wanted.words.get(word), found.words.get(word)
        if one != other and (is_sent or one is not None):
            yield f"{at}: {word} is {other} instead of {one}"
    yield from _compare_fields(at, wanted, found, is_sent=is_sent)
    yield from _compare_within(at, wanted, found, is_sent=is_sent)


def _compare_within(at: str, wanted: Kind, found: Kind, *, is_sent: bool) -> Iterator[str]:
    for name, one, other in (
        ("[]", wanted.items, found.items),
        ("{}", wanted.values, found.values),
    ):
        if one and other:
            yield from compare_kinds(f"{at}{name}", one, other, is_sent=is_sent)
        elif one:
            yield f"{at}{name}: nothing is said of it"
    if len(wanted.parts) != len(found.parts):
        yield f"{at}: {len(found.parts)} kinds instead of {len(wanted.parts)}"
    for number, (one, other) in enumerate(zip(wanted.parts, found.parts, strict=False)):
        yield from compare_kinds(f"{at}|{number}", one, other, is_sent=is_sent)


def _compare_fields(at: str, wanted: Kind, found: Kind, *, is_sent: bool) -> Iterator[str]:
    asked = {name for name, one in wanted.fields.items() if not (is_sent and one.is_read_only)}
    for name in asked - found.fields.keys():
        yield f"{at}.{name}: missing"
    for name in found.fields.keys() - wanted.fields.keys():
        if not found.fields[name].is_addition:
            yield f"{at}.{name}: not in the contract, and not marked"
    for name in wanted.fields.keys() & found.fields.keys():
        if found.fields[name].is_addition:
            yield f"{at}.{name}: marked as an addition"
        yield from compare_kinds(
            f"{at}.{name}", wanted.fields[name], found.fields[name], is_sent=is_sent
        )
    for name in wanted.required - found.required:
        yield f"{at}.{name}: not required"
    # What is always answered is more than was promised; what must be sent is more than was asked.
    for name in found.required - wanted.required if is_sent else ():
        yield f"{at}.{name}: required, said not to be"


def _is_settled(difference: str) -> bool:
    return any(re.search(pattern, difference) for pattern, _ in AS_SETTLED)


@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_every_operation_of_the_contract_is_there_word_by_word(operation_id):
    found = [one for one in find_differences(operation_id) if not _is_settled(one)]
    assert not found, "\n".join(found)


def test_whatever_goes_beyond_the_contract_is_marked():
    beyond = ours().operations.keys() - contract().operations.keys()
    assert [one for one in beyond if not ours().operations[one].is_addition] == []


def test_no_settled_difference_is_out_of_date():
    every = [one for operation_id in OPERATIONS for one in find_differences(operation_id)]
    assert [
        why for pattern, why in AS_SETTLED if not any(re.search(pattern, one) for one in every)
    ] == []


def test_the_comparison_sees_every_kind_of_difference():
    """Each change made to a copy of the contract is told by operation and field."""
    original = contract().source["components"]["schemas"]["PriceRuleFields"]
    told = []
    for change in (
        {"price": {"type": "string"}},
        {"price": {"type": "integer"}},
        {"price": {"type": ["integer", "null"], "minimum": 0}},
        {"extra": {"type": "string"}},
        {
            "weekdays": {
                "type": ["array", "null"],
                "items": {"enum": ["monday"]},
                "uniqueItems": True,
            }
        },
        {"date_from": None},
    ):
        properties = {**original["properties"], **change}
        changed = {**original, "properties": {k: v for k, v in properties.items() if v}}
        found = list(
            compare_kinds("body", contract().kind(original), contract().kind(changed), is_sent=True)
        )
        told.append(found[0] if found else "nothing")
    assert told == [
        "body.price: is ['string'] instead of ['integer']",
        "body.price: minimum is None instead of 0",
        "body.price: may be null, said not to",
        "body.extra: not in the contract, and not marked",
        "body.weekdays[]: is [] instead of ['string']",
        "body.date_from: missing",
    ]
