"""An order's ledger: sums, what may be taken, waived, given back, and where it goes (M1, M4)."""

import datetime as dt
import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import RuleBroken
from domain.ledger import (
    COMP,
    MAX_NOTE,
    METHODS,
    Entry,
    Taking,
    books_of,
    charged,
    check_comp,
    check_note,
    check_payment,
    comped,
    in_order,
    lapsing_comps,
    left_of_payments,
    mark_of_ledger,
    owed_back,
    plain_amount,
    plan_refund,
    with_balances,
)
from domain.money import read_amount

START = dt.datetime(2026, 6, 4, 9, 0, tzinfo=dt.UTC)


def ledger(*lines):
    """Entries a minute apart: kind and amount, with the index of the payment for a refund."""
    found = []
    for number, (kind, amount, *rest) in enumerate(lines):
        method, refund_of = COMP if kind == "comp" else "card", None
        if rest:
            refund_of = found[rest[0]].id
        found.append(
            Entry(
                id=f"{number:03}",
                kind="adjustment" if kind == "comp" else kind,
                amount=amount,
                at=START + dt.timedelta(minutes=number),
                method=method if kind in ("payment", "refund", "comp") else "",
                refund_of=refund_of,
            )
        )
    return tuple(found)


def parts(entries, amount):
    return [(share.payment.id, share.amount) for share in plan_refund(entries, amount)]


def test_m1_the_balance_is_the_sum_and_runs_along():
    entries = ledger(("charge", 9600), ("payment", -4600), ("comp", -1000), ("refund", 600))
    assert [line.balance for line in with_balances(entries)] == [9600, 5000, 4000, 4600]
    books = books_of(entries)
    assert (books.balance, books.captured, books.refunded) == (4600, 4600, 600)
    assert (charged(entries), comped(entries)) == (9600, 1000)


def test_the_order_of_lines_is_that_of_their_moments_then_ids():
    entries = ledger(("charge", 5), ("payment", -1), ("payment", -2))
    assert in_order(reversed(entries)) == entries
    same = [Entry(id=name, kind="charge", amount=1, at=START) for name in "cab"]
    assert [entry.id for entry in in_order(same)] == ["a", "b", "c"]


def test_m4_the_newest_payment_goes_back_first():
    entries = ledger(("charge", 100), ("payment", -60), ("payment", -30), ("payment", -10))
    assert parts(entries, 10) == [("003", 10)]
    assert parts(entries, 25) == [("003", 10), ("002", 15)]
    assert parts(entries, 100) == [("003", 10), ("002", 30), ("001", 60)]


def test_m4_what_went_back_already_counts_against_its_own_payment():
    entries = ledger(("payment", -60), ("payment", -40), ("refund", 50, 0))
    assert [(it.payment.id, it.amount) for it in left_of_payments(entries)] == [
        ("001", 40), ("000", 10),
    ]  # fmt: skip
    assert parts(entries, 50) == [("001", 40), ("000", 10)]


def test_a_refund_that_names_no_payment_counts_against_the_newest():
    entries = ledger(("payment", -60), ("payment", -40), ("refund", 50))
    assert parts(entries, 50) == [("000", 50)]


@pytest.mark.parametrize(
    ("lines", "amount", "code"),
    [
        ((), 1, "nothing_to_refund"),
        ((("charge", 100),), 1, "nothing_to_refund"),
        ((("payment", -100), ("refund", 100, 0)), 1, "nothing_to_refund"),
        ((("payment", -100),), 0, "refund_sum"),
        ((("payment", -100),), -5, "refund_sum"),
        ((("payment", -100),), 101, "refund_sum"),
        ((("payment", -100), ("refund", 40, 0)), 61, "refund_sum"),
    ],
)
def test_m4_never_more_than_captured_less_refunded(lines, amount, code):
    with pytest.raises(RuleBroken) as no:
        plan_refund(ledger(*lines), amount)
    assert (no.value.code, no.value.field) == (code, "amount")


SUMS = st.integers(1, 300)


@given(st.lists(SUMS, min_size=1, max_size=6), st.lists(SUMS, max_size=6))
def test_m4_any_refunds_after_each_other_give_back_exactly_what_was_paid(paid, wishes):
    """Against brute force: coins of each payment, the newest on top, taken one by one."""
    entries = list(ledger(*(("payment", -amount) for amount in paid)))
    pile = [entry.id for entry in entries for _ in range(-entry.amount)]
    for number, wish in enumerate([*wishes, sum(paid)]):
        wish = min(wish, len(pile))
        if not wish:
            break
        shares = plan_refund(entries, wish)
        expected = Counter(pile.pop() for _ in range(wish))
        assert Counter({it.payment.id: it.amount for it in shares}) == expected
        for position, share in enumerate(shares):
            entries.append(
                Entry(
                    id=f"r{number:03}-{position}", kind="refund", amount=share.amount,
                    at=START + dt.timedelta(days=1, minutes=number), refund_of=share.payment.id,
                )
            )  # fmt: skip
        books = books_of(entries)
        assert books.refundable == len(pile) == sum(it.amount for it in left_of_payments(entries))
    assert books_of(entries).refunded <= sum(paid)


@given(st.integers(-500, 500), st.lists(st.tuples(st.sampled_from(["payment", "refund"]), SUMS)))
def test_m6_what_is_owed_back_is_never_more_than_is_left_of_what_was_paid(cost, moves):
    lines = [("adjustment", cost)] if cost else []
    left = 0
    for kind, amount in moves:
        amount = amount if kind == "payment" else min(amount, left)
        if amount:
            lines.append((kind, -amount if kind == "payment" else amount))
            left += amount if kind == "payment" else -amount
    entries = ledger(*lines)
    back = owed_back(entries)
    assert 0 <= back <= left
    assert back == min(max(0, -books_of(entries).balance), left)


@pytest.mark.parametrize(
    ("charges", "waived", "lapses"),
    [(4800, 0, 0), (4800, 4800, 0), (0, 4800, 4800), (4800, 5000, 200), (-10, 5, 5)],
)
def test_a_waiver_lapses_with_what_it_waived(charges, waived, lapses):
    assert lapsing_comps(charges, waived) == lapses


@pytest.mark.parametrize(
    ("due", "amount", "method", "taking"),
    [
        (4800, 4800, "card", Taking(4800, 0)),
        (4800, 1, "transfer", Taking(1, 0)),
        (4800, 5000, "cash", Taking(4800, 200)),
        (4800, 4700, "cash", Taking(4700, 0)),
    ],
)
def test_a_payment_takes_what_is_due_at_most(due, amount, method, taking):
    assert check_payment(due, amount, method, "", "GBP") == taking


@given(due=st.integers(1, 10**6), amount=st.integers(1, 10**6))
def test_change_and_taken_make_up_what_was_handed_over(due, amount):
    taking = check_payment(due, amount, "cash", "", "GBP")
    assert taking.taken + taking.change == amount
    assert taking.taken <= due
    assert not (taking.change and taking.taken < due)


@pytest.mark.parametrize(
    ("due", "amount", "method", "note", "code"),
    [
        (0, 100, "cash", "", "nothing_due"),
        (-50, 100, "cash", "", "nothing_due"),
        (100, 0, "cash", "", "sum"),
        (100, 10**12, "cash", "", "sum"),
        (100, 101, "card", "", "overpaid"),
        (100, 100, "beads", "", "method"),
        (100, 100, "other", "", "note_missing"),
        (100, 100, COMP, "", "method"),
    ],
)
def test_a_payment_that_is_refused(due, amount, method, note, code):
    with pytest.raises(RuleBroken) as no:
        check_payment(due, amount, method, note, "GBP")
    assert no.value.code == code
    assert no.value.field


def test_p8_the_sentence_about_too_much_has_the_currencys_decimals():
    for currency, said in (("GBP", "15.00 GBP"), ("JPY", "1500 JPY"), ("KWD", "1.500 KWD")):
        with pytest.raises(RuleBroken, match=said):
            check_payment(1500, 1501, "card", "", currency)
        with pytest.raises(RuleBroken, match=said):
            check_comp(1500, 1501, currency)


@given(st.integers(0, 10**11), st.sampled_from(["GBP", "JPY", "KWD", "CLF", "ISK"]))
def test_p8_a_sum_in_a_field_reads_back_as_itself(minor, currency):
    assert read_amount(plain_amount(minor, currency), currency) == minor


def test_comp_needs_something_due():
    check_comp(100, 100, "GBP")
    for due, amount in itertools.product((0, -1), (1, 100)):
        with pytest.raises(RuleBroken, match="Nothing is due"):
            check_comp(due, amount, "GBP")
    for amount in (0, -1):
        with pytest.raises(RuleBroken, match="above 0"):
            check_comp(100, amount, "GBP")


def test_a_note_is_trimmed_and_short():
    assert check_note("  two \n words ") == "two words"
    assert len(check_note("x" * MAX_NOTE)) == MAX_NOTE
    with pytest.raises(RuleBroken, match="at most 200"):
        check_note("x" * (MAX_NOTE + 1))


def test_d4_the_mark_differs_once_anything_is_written():
    entries = ledger(("charge", 100), ("payment", -50), ("payment", -50))
    marks = {mark_of_ledger(entries[:number]) for number in range(4)}
    assert len(marks) == 4
    assert mark_of_ledger(reversed(entries)) == mark_of_ledger(entries)


def test_no_method_is_taken_for_a_waiver():
    assert COMP not in METHODS
