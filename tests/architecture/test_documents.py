"""The documents tell the truth of this commit."""

import re

import pytest
from conftest import ROOT

from blueprints.configuration import DEFAULTS

README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
DECISIONS = sorted((ROOT / "docs" / "adr").glob("*.md"))
DOCUMENTS = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", ROOT / "CHANGELOG.md", *DECISIONS]
PATH = r"`((?:[\w.-]+/)*[\w.-]+(?:\.py|\.txt|\.toml|/))`"
MADE_BY_RUNNING = {"instance/"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_path_of_the_documents_exists(document):
    for path in set(re.findall(PATH, document.read_text())) - MADE_BY_RUNNING:
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize(
    "name", sorted(set(re.findall(r"`(\w+)(?:\(\))?`\s+\(`([\w/]+\.py)`\)", ARCHITECTURE)))
)
def test_every_function_of_the_architecture_stands_where_it_says(name):
    function, path = name
    assert re.search(rf"(def|class) {function}\b", (ROOT / path).read_text())


def test_the_architecture_names_functions():
    assert len(re.findall(r"`(\w+)(?:\(\))?`\s+\(`([\w/]+\.py)`\)", ARCHITECTURE)) > 10


def test_the_readme_lists_every_setting_with_its_default():
    listed = dict(re.findall(r"^\| `SUNDIAL_(\w+)` \| ([^|]+) \|", README, re.M))
    assert listed.keys() - {"CHROMIUM"} == DEFAULTS.keys()
    for name, default in DEFAULTS.items():
        if default is not None:
            said = str(default).lower() if isinstance(default, bool) else str(default)
            assert listed[name] == f"`{said}`"


def test_the_readme_lists_what_else_is_read_from_the_environment():
    for name in ("DATABASE_URL", "PORT", "WEB_WORKERS", "TEST_DATABASE_URL", "SUNDIAL_CHROMIUM"):
        assert f"| `{name}` |" in README


def test_the_readme_names_demo_people_who_can_sign_in():
    rows = re.findall(r"^\| [^|]+ \| `(\S+@\S+)` \| `(\S+)` \|", README, re.M)
    demo = "".join(path.read_text() for path in (ROOT / "demo").glob("*.toml"))
    assert rows
    for email, password in rows:
        assert f'"{email}"' in demo
        assert f'"{password}"' in demo


def test_every_picture_and_link_of_the_documents_exists():
    for document in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (ROOT / target).exists(), target


def test_pictures_are_shown_and_small():
    for picture in (ROOT / "docs" / "pictures").glob("*.png"):
        assert f"docs/pictures/{picture.name}" in README
        assert picture.stat().st_size < 250_000, picture.name


def test_a_decision_is_short_and_numbered():
    for number, path in enumerate(DECISIONS, 1):
        text = path.read_text()
        assert path.name.startswith(f"{number:04}-")
        assert text.startswith(f"# {number}. ")
        assert len(text.splitlines()) < 40
