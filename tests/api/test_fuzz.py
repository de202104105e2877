"""Made-up requests by the thousand, against the running server, with a token of every kind.

Schemathesis reads the document that the server gives out and holds every answer against it. Real
ids are fed to it, so that most requests reach the rules behind the door and not only a 404. The
requests are the same in every run.
"""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_document import Document, ours
from api_house import ApiHouse, add_tokens, build_api_house, make_fresh
from conftest import app_on
from werkzeug.serving import make_server

from models import db

SPARE = 12
TAKES_AWAY = ("delete",)
SEED = 7

REFUSED_BY_A_RULE = (400, 409, 412, 422)
"""A body of the right shape may still break a rule (R7, R8, R22, R28): the document can't say."""
MATCHES_NOTHING = "200"
"""C15, R1: an id in a filter that is malformed or foreign matches nothing."""

METHOD_CHECKS = ("unsupported_method", "allow_header_conformance")


class Server:
    """The application on a port of its own, ended by its own handle."""

    def __init__(self, app: Any) -> None:
        self.server = make_server("127.0.0.1", 0, app, threaded=True)
        self.url = f"http://127.0.0.1:{self.server.server_port}/api/openapi.json"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def end(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture(scope="module")
def place(databases) -> Iterator[tuple[Server, ApiHouse, dict[str, list[str]]]]:
    """A running server, the house behind it, and ids by the name of what they are of."""
    app = app_on(databases.make())
    with app.app_context():
        house = build_api_house("bath")
        near = build_api_house("weir", house.organisation_id)
        add_tokens(house, near)
        spare = {
            name: [make_fresh(house, name) for _ in range(SPARE)]
            for name in ("session_type_id", "session_id", "price_rule_id", "recurrence_group_id")
        }
        spare["booking_id"] = [make_fresh(house, "booking_id") for _ in range(SPARE)]
        db.session.remove()
    server = Server(app)
    yield server, house, spare
    server.end()
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def write_config(folder: Path, house: ApiHouse, spare: dict[str, list[str]]) -> Path:
    """Where real ids go, and the few answers that the library could not foresee."""
    document = ours()
    lines = [
        f"seed = {SEED}",
        "[generation]",
        'database = "none"',
        "deterministic = true",
        "[checks]",
        f"positive_data_acceptance.expected-statuses = {_accepted()}",
    ]
    for name, value in sorted(house.ids.items()):
        lines += [
            f"[dictionaries.{name}]",
            f"values = {json.dumps([value, value, *spare.get(name, [])[:3]])}",
        ]
    for name, values in sorted(spare.items()):
        lines += [f"[dictionaries.spare_{name}]", f"values = {json.dumps(values)}"]
    for operation_id in sorted(document.operations):
        lines += _operation(document, operation_id, house, spare)
    path = folder / "schemathesis.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def _accepted() -> str:
    usual = ["2xx", "401", "403", "404", "429"]
    return json.dumps([*usual, *map(str, REFUSED_BY_A_RULE)])


def _operation(
    document: Document, operation_id: str, house: ApiHouse, spare: dict[str, list[str]]
) -> list[str]:
    said = document.operations[operation_id]
    lines = ["[[operations]]", f'include-operation-id = "{operation_id}"']
    filters = [name for place, name in said.parameters if place == "query" and _names(name)]
    if filters and said.method == "get":
        refused = ["400", "401", "403", "404", "405", "422", MATCHES_NOTHING]
        lines.append(f"checks.negative_data_rejection.expected-statuses = {json.dumps(refused)}")
    if _shares_its_address(document, said.path):
        # GET …/order asks for the thing with the id "order": 404, and Allow names its methods.
        lines += [f"checks.{one}.enabled = false" for one in METHOD_CHECKS]
    bound = []
    for place, name in said.parameters:
        known = _known(_snake(name), house)
        if place == "path" and known:
            is_spare = said.method in TAKES_AWAY and known in spare
            bound.append((f"path.{name}", f"spare_{known}" if is_spare else known))
    for name in getattr(said.body, "fields", {}):
        if _names(name) and name.endswith("_id") and _known(name, house):
            bound.append((f"body.{name}", _known(name, house)))
    for key, dictionary in bound:
        lines.append(f'parameters."{key}" = {{ dictionary = "{dictionary}", probability = 0.85 }}')
    return lines if len(lines) > 2 else []


def _shares_its_address(document: Document, path: str) -> bool:
    start, _, last = path.rpartition("/")
    others = (one.path for one in document.operations.values())
    return "{" not in last and any(one.startswith(f"{start}/{{") for one in others)


def _names(name: str) -> bool:
    return name == "id" or (name.endswith(("_id", "_ids")) and name != "external_id")


def _known(name: str, house: ApiHouse) -> str:
    known = {"image_id": "media_id"}.get(name, name)
    return known if known in house.ids else ""


def _snake(name: str) -> str:
    return re.sub(r"([A-Z])", r"_\1", name).lower()


@pytest.mark.timeout(1000)
@pytest.mark.parametrize(
    ("token", "phases", "examples", "least"),
    [
        ("here", "coverage,fuzzing,stateful", 3, 2500),
        ("near", "fuzzing", 1, 80),
        ("settings", "fuzzing", 1, 80),
        ("reservations", "fuzzing", 1, 80),
        ("", "fuzzing", 1, 50),
    ],
    ids=["all rights", "another site", "settings", "reservations", "no token"],
)
def test_no_request_breaks_the_api_or_gets_an_answer_that_was_not_promised(
    place, tmp_path, token, phases, examples, least
):
    server, house, spare = place
    header = f"Authorization: Bearer {house.tokens.get(token, 'sundial_' + 'a' * 43)}"
    done = subprocess.run(
        [
            Path(sys.executable).parent / "st",
            *("--config-file", write_config(tmp_path, house, spare)),
            *("run", server.url, "-H", header, "--phases", phases),
            *("--max-examples", str(examples), "--seed", str(SEED), "--workers", "2"),
            *("--continue-on-failure", "--no-color", "--suppress-health-check", "all"),
            *("--request-timeout", "30", "--warnings", "off"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    made = re.search(r"([\d,]+) generated", done.stdout)
    assert made is not None, done.stdout
    assert int(made[1].replace(",", "")) >= least, made[0]
