"""How values stand in an archive's lines: there and back the same, and nothing else taken."""

import datetime as dt
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.archive import (
    ArchiveFault,
    Column,
    is_member_name,
    parse_json,
    read_line,
    read_value,
    write_json,
    write_value,
)

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
FINITE = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | FINITE | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
VALUES = {
    "text": TEXT,
    "whole": st.integers(-(2**31), 2**31 - 1),
    "truth": st.booleans(),
    "instant": st.datetimes(timezones=st.just(dt.UTC)),
    "wall": st.datetimes(),
    "day": st.dates(),
    "time": st.times(),
    "json": JSON,
}
HUGE = 2**31


@given(st.data())
def test_every_value_comes_back_as_it_was(data):
    kind = data.draw(st.sampled_from(sorted(VALUES)))
    value = data.draw(st.none() | VALUES[kind])
    column = Column("it", kind, may_be_empty=True)
    line = write_json({"it": write_value(kind, value)})
    assert line.count(b"\n") == 1
    back = read_line(line, {"it": column})["it"]
    assert back == value
    assert type(back) is type(value)


@given(st.binary())
def test_no_bytes_at_all_are_more_than_a_fault(line):
    columns = {"it": Column("it", "instant")}
    with pytest.raises(ArchiveFault):
        read_line(line, columns)


@given(st.sampled_from(sorted(VALUES)), JSON)
def test_a_value_of_another_kind_is_a_fault_or_itself(kind, given_):
    try:
        found = read_value(Column("it", kind, may_be_empty=True), given_)
    except ArchiveFault:
        return
    assert write_value(kind, found) == given_


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("instant", "2026-06-04T09:00:00+00:00"),
        ("instant", "2026-06-04T10:00:00+01:00"),
        ("instant", "2026-06-04"),
        ("instant", "20260604T090000Z"),
        ("wall", "2026-06-04T09:00:00Z"),
        ("wall", "2026-06-04 09:00:00"),
        ("day", "2026-02-30"),
        ("day", "20260604"),
        ("time", "24:00:00"),
        ("time", "09:00Z"),
        ("time", "9:00"),
        ("whole", HUGE),
        ("whole", 1.0),
        ("truth", 1),
        ("file", "media/../x"),
        ("file", "data/x.jsonl"),
    ],
)
def test_what_we_would_not_write_is_not_read(kind, text):
    with pytest.raises(ArchiveFault):
        read_value(Column("it", kind), text)


@pytest.mark.parametrize(
    "text", ["NaN", "Infinity", "-Infinity", '{"a": 1, "a": 2}', "[" * 200_000, "9" * 5000, ""]
)
def test_json_is_what_the_standard_says_or_a_fault(text):
    with pytest.raises(ArchiveFault):
        parse_json(text.encode())


def test_a_number_without_end_hides_nowhere():
    column = Column("it", "json")
    for value in (json.loads("1e999"), [1, {"a": [json.loads("-1e999")]}]):
        with pytest.raises(ArchiveFault):
            read_value(column, value)


@pytest.mark.parametrize(
    ("name", "is_ours"),
    [
        ("data/orders.jsonl", True),
        ("media/media_files-6a1-content.webp", True),
        ("calendar/stillwater-bath.ics", True),
        ("orders.jsonl", False),
        ("data/", False),
        ("data/../manifest.json", False),
        ("data/a/b", False),
        ("/data/a", False),
        ("data\\a", False),
        ("data/.hidden", False),
        ("data/a\n", False),
        ("data/" + "a" * 200, False),
    ],
)
def test_no_member_has_a_name_that_leads_elsewhere(name, is_ours):
    assert is_member_name(name) is is_ours
