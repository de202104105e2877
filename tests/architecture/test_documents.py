"""The documents tell the truth of this commit."""

import re

import pytest
from conftest import ROOT

from blueprints.configuration import DEFAULTS

README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()


@pytest.mark.parametrize(
    "path",
    sorted(set(re.findall(r"`((?:[\w.-]+/)*[\w.-]+(?:\.py|\.txt|\.toml|/))`", ARCHITECTURE))),
)
def test_every_path_of_the_architecture_exists(path):
    assert (ROOT / path).exists()


@pytest.mark.parametrize(
    "name", sorted(set(re.findall(r"`(\w+)(?:\(\))?` \(`([\w/]+\.py)`\)", ARCHITECTURE)))
)
def test_every_function_of_the_architecture_stands_where_it_says(name):
    function, path = name
    assert re.search(rf"(def|class) {function}\b", (ROOT / path).read_text())


def test_the_readme_lists_every_setting():
    listed = set(re.findall(r"^\| `SUNDIAL_(\w+)`", README, re.M)) - {"CHROMIUM"}
    assert listed == set(DEFAULTS)


def test_every_picture_and_link_of_the_documents_exists():
    for document in (README, ARCHITECTURE):
        for target in re.findall(r"\]\(([^)#:]+)\)", document):
            assert (ROOT / target).exists(), target


def test_a_decision_is_short():
    for path in (ROOT / "docs" / "adr").glob("*.md"):
        assert len(path.read_text().splitlines()) < 40, path.name
