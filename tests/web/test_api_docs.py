"""The page about the API: all of it, made of the document, with nothing from elsewhere."""

import re

import jsonschema
import pytest
from factories import make_site, make_staff

from blueprints.api.document import build_document
from blueprints.api.examples import example_of
from blueprints.api.operations import OPERATIONS


def read_all(visitor):
    """The start and every chapter, by address."""
    start = visitor.get("/api/docs")
    urls = {it["href"].partition("#")[0] for it in start.all(".api-toc a")}
    return {"/api/docs": start} | {url: visitor.get(url) for url in urls if url != "/api/docs"}


def rows_of(article):
    return {it.get_text() for it in article.select("th[scope=row] code:first-child")}


def test_every_operation_and_every_field_has_its_place(visitor):
    pages = read_all(visitor)
    document = build_document()
    schemas = document["components"]["schemas"]
    shown = {
        it["id"]: it.find_parent("article")
        for page in pages.values()
        for it in page.all("h2[id^=op-], h2[id^=thing-]")
    }
    assert {f"op-{name}" for name in OPERATIONS} <= set(shown)
    for path, methods in document["paths"].items():
        for method, one in methods.items():
            article = shown[f"op-{one['operationId']}"]
            text = article.get_text(" ")
            assert f"/api{path}" in text
            assert method.upper() in text
            assert (one["x-permission"] or "any right at the site") in text
            assert set(one["responses"]) <= rows_of(article)
            assert {it["name"] for it in one.get("parameters", ())} <= rows_of(article)
            assert ("addition" in article.h2.get_text()) == bool(one.get("x-addition"))
            body = OPERATIONS[one["operationId"]].body
            if body is not None:
                assert set(schemas[body.__name__].get("properties", ())) <= rows_of(article)
    things = {name for name in shown if name.startswith("thing-")}
    assert {"thing-Session", "thing-SessionType", "thing-SessionBooking", "thing-Room"} <= things
    for name in things:
        said = schemas[name.removeprefix("thing-")].get("properties", ())
        assert set(said) <= rows_of(shown[name])


def test_the_pages_lead_nowhere_else_and_each_link_has_its_place(visitor):
    pages = read_all(visitor)
    ids = {url: {it["id"] for it in page.all("[id]")} for url, page in pages.items()}
    for url, page in pages.items():
        assert not re.search(r"https?://|[\"'(]//", page.html)
        for link in page.all(".api a"):
            target, _, anchor = link["href"].partition("#")
            if target != "/api/openapi.json" and anchor:
                assert anchor in ids[target or url], link["href"]


def test_a_chapter_that_is_not_there_is_not_found(visitor):
    assert visitor.client.get("/api/docs/no-such").status_code == 404


@pytest.mark.parametrize(
    "operation_id", [name for name, one in OPERATIONS.items() if one.body is not None]
)
def test_the_examples_fit(operation_id):
    said = build_document()
    schema = {"$ref": f"#/components/schemas/{OPERATIONS[operation_id].body.__name__}"}
    jsonschema.Draft202012Validator(
        {**schema, "components": said["components"]}, format_checker=jsonschema.FormatChecker()
    ).validate(example_of(schema, said["components"]["schemas"]))


def test_it_is_for_everybody_and_kept_by_browsers(visitor):
    etag = visitor.get("/api/docs").response.headers["ETag"]
    assert visitor.get("/api/docs", 304, headers={"If-None-Match": etag}).html == ""


def test_the_page_of_tokens_leads_to_it(visitor, make):
    make(lambda: make_staff(make_site(slug="bath"), rights=("STAFF_MANAGE",)).id)
    visitor.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    links = {it["href"] for it in visitor.get("/staff/bath/tokens").all("main a")}
    assert {"/api/docs", "/api/openapi.json"} <= links
