"""The page about the API: all of it, made of the document, with nothing from elsewhere."""

import re

import jsonschema
import pytest
from factories import make_site, make_staff

from blueprints.api.document import build_document
from blueprints.api.examples import example_of
from blueprints.api.operations import OPERATIONS


@pytest.fixture(scope="module")
def parsed():
    """The page, read once for all tests that only look at it."""
    return {}


@pytest.fixture
def docs(visitor, parsed):
    if "docs" not in parsed:
        parsed["docs"] = visitor.get("/api/docs")
    return parsed["docs"]


def test_every_operation_is_there_with_its_path_right_and_answers(docs):
    said = build_document()["paths"]
    shown = {
        one["id"].removeprefix("op-"): one.find_parent("article") for one in docs.all("h3[id^=op-]")
    }
    assert set(shown) == set(OPERATIONS)
    for path, methods in said.items():
        for method, one in methods.items():
            text = shown[one["operationId"]].get_text(" ")
            assert f"/api{path}" in text
            assert method.upper() in text
            assert (one["x-permission"] or "any right at the site") in text
            assert set(one["responses"]) <= set(re.findall(r"\b\d{3}\b", text))
            names = {p["name"] for p in one.get("parameters", ())}
            heads = {it.get_text() for it in shown[one["operationId"]].select("th[scope=row] code")}
            assert names <= heads
            assert ("addition" in shown[one["operationId"]].h3.get_text()) == bool(
                one.get("x-addition")
            )


def test_every_field_that_can_be_sent_or_comes_back_is_there(docs):
    schemas = build_document()["components"]["schemas"]
    objects = {
        it["id"].removeprefix("thing-"): it.find_parent("article")
        for it in docs.all("[id^=thing-]")
    }
    for name, article in objects.items():
        rows = {it.get_text() for it in article.select("th[scope=row] code:first-child")}
        assert set(schemas[name].get("properties", ())) <= rows
    for one in OPERATIONS.values():
        if one.body is not None:
            rows = {
                it.get_text()
                for it in docs.one(f"#op-{one.id}").find_parent("article").select("th code")
            }
            assert set(schemas[one.body.__name__].get("properties", ())) <= rows


def test_the_page_leads_nowhere_else_and_each_link_has_its_place(docs):
    assert not re.search(r"https?://|[\"'(]//", docs.html)
    ids = {it["id"] for it in docs.all("[id]")}
    inside = {it["href"][1:] for it in docs.all("a[href^='#']")}
    assert inside <= ids
    contents = {it["href"] for it in docs.all(".api-toc a")}
    assert {f"#op-{name}" for name in OPERATIONS} <= contents


@pytest.mark.parametrize(
    "operation_id", [name for name, one in OPERATIONS.items() if one.body is not None]
)
def test_the_examples_fit(operation_id):
    said = build_document()
    schema = {"$ref": f"#/components/schemas/{OPERATIONS[operation_id].body.__name__}"}
    jsonschema.Draft202012Validator(
        {**schema, "components": said["components"]}, format_checker=jsonschema.FormatChecker()
    ).validate(example_of(schema, said["components"]["schemas"]))


def test_it_is_for_everybody_and_kept_by_browsers(visitor, docs):
    etag = docs.response.headers["ETag"]
    assert visitor.get("/api/docs", 304, headers={"If-None-Match": etag}).html == ""


def test_the_page_of_tokens_leads_to_it(visitor, make):
    make(lambda: make_staff(make_site(slug="bath"), rights=("STAFF_MANAGE",)).id)
    visitor.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    links = {it["href"] for it in visitor.get("/staff/bath/tokens").all("main a")}
    assert {"/api/docs", "/api/openapi.json"} <= links
