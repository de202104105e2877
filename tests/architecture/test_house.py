"""What keeps the house in order: routes, templates, rules, commits, migrations."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from conftest import ROOT, app_on
from flask_migrate import check as check_models
from flask_migrate import downgrade, upgrade

from domain.eligibility import CHECKS
from domain.errors import NO_REFUSALS, HoldCeilingReached, HoldExpired, KeyReused
from domain.session_types import SHOP_WORDS
from domain.venue_rules import RESERVED_SLUGS
from models import Base, db

SOURCE = [
    path
    for folder in ("domain", "services", "models", "blueprints")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
ROUTES = Path(__file__).with_name("route-list.txt")

PROVED = [
    *(f"t{n}" for n in range(1, 8)),
    *(f"p{n}" for n in range(1, 11)),
    *(f"h{n}" for n in (1, 2, 3, 4, 6, 7, 8, 9, 10)),
    *(f"w{n}" for n in range(1, 6)),
    *(f"m{n}" for n in (1, 2, 4, 5, 6, 7, 8)),
    *(f"e{n}" for n in (1, 2, 3)),
    *(f"s{n}" for n in range(1, 6)),
    *(f"d{n}" for n in range(1, 8)),
    *(f"r{n}" for n in (1, *range(3, 21), *range(22, 33))),
]


def test_routes_change_only_on_purpose(shared_app):
    found = sorted(
        f"{' '.join(sorted(rule.methods - {'HEAD', 'OPTIONS'})):5} {rule.rule}  {rule.endpoint}"
        for rule in shared_app.url_map.iter_rules()
    )
    assert "\n".join(found) + "\n" == ROUTES.read_text()


def test_the_words_of_our_addresses_are_no_slugs(shared_app):
    """A venue, a category or a type with such an address could not be reached."""
    parts = [rule.rule.split("/")[1:] for rule in shared_app.url_map.iter_rules()]
    first = {path[0] for path in parts if path[0] and "<" not in path[0]}
    assert first <= RESERVED_SLUGS
    below = {path[1] for path in parts if path[0] == "<site>" and path[1]}
    assert {word for word in below if re.fullmatch(r"[a-z-]+", word)} <= SHOP_WORDS


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_templates_compile_and_keep_to_the_policy(shared_app, path):
    text = path.read_text()
    shared_app.jinja_env.from_string(text)
    assert len(text.splitlines()) <= 150
    if path.parent.name == "mail":
        return  # a mail program fetches no stylesheet, so a letter carries its looks in itself
    assert not re.search(r"\sstyle=|<style|\son[a-z]+=|\|\s*safe", text)
    for tag in re.findall(r"<(?:a|form)\b[^>]*\bhx-(?:get|post)=[^>]*>", text, re.S):
        assert re.search(r"\b(href|action)=", tag), tag


def test_every_block_that_is_rendered_exists():
    for path in SOURCE:
        for call in re.finditer(r'"([\w/]+\.html)",\s+block="(\w+)"', path.read_text()):
            template, block = call.groups()
            source = (ROOT / "templates" / template).read_text()
            assert f"{{% block {block} %}}" in source, f"{template} has no block {block}"


def test_only_one_line_commits():
    found = [
        f"{path.name}: {line.strip()}"
        for path in SOURCE
        for line in path.read_text().splitlines()
        if ".commit()" in line
    ]
    assert found == ["base.py: db.session.commit()"]


def test_t7_the_machines_clock_is_asked_in_one_place():
    asking = {
        path.relative_to(ROOT).as_posix()
        for path in SOURCE
        if re.search(r"datetime\.now\(|utcnow\(\)\s*#|date\.today\(|time\.time\(", path.read_text())
    }
    # models/base.py makes ids that sort by age; they decide nothing.
    assert asking == {"blueprints/clock.py", "models/base.py"}


def test_p8_there_is_no_float_in_money():
    for name in ("money", "pricing"):
        tree = ast.parse((ROOT / "domain" / f"{name}.py").read_text())
        assert not [
            n for n in ast.walk(tree) if isinstance(n, ast.Constant) and type(n.value) is float
        ]


@pytest.mark.parametrize("rule", PROVED)
def test_every_rule_is_proved_by_a_test_that_names_it(rule):
    names = re.findall(
        r"def (test_\w+)", "".join(p.read_text() for p in (ROOT / "tests").rglob("*.py"))
    )
    assert [name for name in names if rule in name.split("_")], f"no test names {rule.upper()}"


LIMITS = """
    min_guests max_guests max_per_basket max_per_guest max_bookings_per_member max_baskets
    members_only customers_only permitted_membership membership_booking_windows
""".split()


def _refusals() -> Iterator[tuple[str, ast.expr | None]]:
    """Every place that refuses a booking, with what it gives as its code."""
    for path in SOURCE:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "NotBookable":
                code = next((word.value for word in node.keywords if word.arg == "code"), None)
                yield f"{path.name}:{node.lineno}", code


def test_r20_no_booking_is_refused_without_a_code_of_the_one_list():
    found = dict(_refusals())
    assert len(found) >= 5
    for place, code in found.items():
        if isinstance(code, ast.Constant):
            assert code.value in CHECKS, place
        else:
            # Passed on from a check, which has one of the list.
            assert code is not None, place
            assert ast.unparse(code).endswith(".code"), place
    # Whatever else the doors of booking raise is about the form, not about who may book.
    for name in ("basket", "checkout", "lines", "places"):
        text = (ROOT / "services" / f"{name}.py").read_text()
        assert not re.findall(r"raise RuleBroken", text), name
    said = set(re.findall(r'code="(\w+)"', (ROOT / "domain" / "guests.py").read_text()))
    assert said <= {*CHECKS, *NO_REFUSALS}
    assert {HoldExpired.code, HoldCeilingReached.code, KeyReused.code} <= set(NO_REFUSALS)
    tree = ast.parse((ROOT / "domain" / "eligibility.py").read_text())
    checks = {
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "Check"
        and isinstance(node.args[0], ast.Constant)
    }
    assert checks == set(CHECKS)


@pytest.mark.parametrize("limit", LIMITS)
def test_every_limit_is_proved_by_a_test_named_for_it(limit):
    text = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert re.search(rf"def test_\w*{limit}", text)


def test_public_functions_below_the_web_have_docstrings():
    missing = []
    for path in SOURCE:
        if path.parts[len(ROOT.parts)] not in ("domain", "services"):
            continue
        tree = ast.parse(path.read_text())
        for node in tree.body:
            is_public = isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name[0] != "_"
            if is_public and not ast.get_docstring(node):
                missing.append(f"{path.name}:{node.name}")
    assert missing == []


def test_every_constraint_has_a_name():
    unnamed = [
        f"{table.name}: {constraint}"
        for table in Base.metadata.sorted_tables
        for constraint in table.constraints
        if constraint.name is None
    ]
    assert unnamed == []


def test_migrations_go_up_and_down_and_match_the_models(databases):
    url = databases.make()
    app = app_on(url)
    folder = str(ROOT / "migrations")
    with app.app_context():
        upgrade(directory=folder)
        check_models(directory=folder)
        downgrade(directory=folder, revision="base")
        left = set(sa.inspect(db.engine).get_table_names()) - {"alembic_version"}
        assert left == set()
        upgrade(directory=folder)
        check_models(directory=folder)
        db.session.remove()
        db.engine.dispose()
