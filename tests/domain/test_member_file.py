"""A file of members: how it is read, what is wrong with a line, and cells that do nothing (D5)."""

import csv
import datetime as dt
import io

import pytest

from domain.errors import RuleBroken
from domain.member_file import (
    MAX_BYTES,
    FileRefused,
    Wanted,
    check_row,
    decode,
    read_rows,
    write_rows,
)

HEAD = "email,name,membership type,first day,last day,state\n"
GOOD = "ana@example.com,Ana Reyes,River,2026-06-01,2026-12-31,active"


def rows(text):
    return read_rows(decode(text.encode()))


def test_a_line_becomes_what_it_asks_for():
    (row,) = rows(HEAD + GOOD)
    assert (row.number, row.text) == (2, GOOD)
    assert check_row(row) == Wanted(
        "ana@example.com", "Ana Reyes", "River",
        dt.date(2026, 6, 1), dt.date(2026, 12, 31), "active",
    )  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + HEAD + GOOD,
        (HEAD + GOOD).replace(",", ";"),
        HEAD.replace(" ", "_").upper() + GOOD,
        (HEAD + GOOD).replace("\n", "\r\n") + "\r\n\r\n",
        HEAD + GOOD.replace("Ana Reyes", '"Ana Reyes"'),
        "name;first day;email;membership type;last day\n"
        "Ana Reyes;2026-06-01;ana@example.com;River;2026-12-31",
    ],
    ids=["mark", "semicolons", "heading", "windows", "quotes", "order, no state"],
)
def test_marks_separators_quotes_and_order_of_columns_dont_matter(text):
    wanted = check_row(rows(text)[0])
    assert (wanted.email, wanted.name, wanted.type) == ("ana@example.com", "Ana Reyes", "River")


def test_lines_keep_their_numbers_across_empty_ones_and_quoted_breaks():
    text = HEAD + "\n" + GOOD.replace("Ana Reyes", '"Ana\nReyes"') + "\n" + GOOD + "\n"
    assert [row.number for row in rows(text)] == [3, 5]
    assert rows(text)[0].text.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (",Ana,River,2026-06-01,,", "email address is missing"),
        ("ana,Ana,River,2026-06-01,,", "after the @"),
        ("a@b,Ana,River,2026-06-01,,", "name@example.com"),
        ("a@example.com,<b>Ana</b>,River,2026-06-01,,", "< and >"),
        ("a@example.com,Ana,,2026-06-01,,", "membership type is missing"),
        ("a@example.com,Ana,River,,,", "first day"),
        ("a@example.com,Ana,River,1 June,,", "2026-06-12"),
        ("a@example.com,Ana,River,2026-06-01,never,", "last day"),
        ("a@example.com,Ana,River,2026-06-01,,gold", "active, paused, ended"),
        ("a@example.com,Ana,River,2026-06-01,,,surplus", "more cells"),
    ],
)
def test_each_kind_of_bad_line_says_what_is_wrong(line, said):
    with pytest.raises(RuleBroken, match=said):
        check_row(rows(HEAD + line)[0])


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf \n", "empty"),
        (b"email,name\nana@example.com,Ana", "membership type, first day"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "UTF-8"),
        (b"PK\x03\x04\x00\x00", "CSV UTF-8"),
        ("é".encode("latin-1"), "UTF-8"),
        (b"x" * (MAX_BYTES + 1), "1 MB"),
        ((HEAD + 'ana@example.com,"Ana\n').encode(), "quotation mark"),
        ((HEAD + "x\n" * 5001).encode(), "5,000 lines"),
    ],
    ids=["empty", "blank", "columns", "picture", "archive", "latin", "large", "quote", "5001"],
)
def test_a_file_that_cant_be_read_is_refused_as_a_whole(raw, said):
    with pytest.raises(FileRefused, match=said):
        read_rows(decode(raw))


def test_five_thousand_lines_are_taken():
    assert len(rows(HEAD + "x\n" * 5000)) == 5000


@pytest.mark.parametrize("cell", ["=1+1", "+447700", "-2", "@cmd"])
def test_d5_written_cells_do_nothing_and_come_back_as_they_were(cell):
    text = write_rows([("a@example.com", cell, "River", "2026-06-01", "", "active")])
    written = next(csv.DictReader(io.StringIO(text)))["name"]
    assert written == f"'{cell}"
    assert read_rows(text)[0].cells["name"] == cell
