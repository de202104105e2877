"""docs/api.md is true: its commands are run here, line by line, as a shell would."""

import datetime as dt
import json
import re
import shlex

from conftest import ROOT
from factories import make_organisation, make_session, make_site, make_type

from blueprints.clock import read_clock

BLOCK = re.compile(r"```sh\n(.*?)```", re.S)
ASSIGNED = re.compile(r"(?:(\w+)=\$\()?(curl .*?)(?: \| (jq|sed) .*?)?(?: \| tr .*?)?\)?$")


def commands():
    """The lines of the guide that call the API."""
    text = (ROOT / "docs" / "api.md").read_text()
    lines = [line for block in BLOCK.findall(text) for line in block.strip().splitlines()]
    return [line for line in lines if "curl" in line]


def run_curl(client, command):
    words = shlex.split(command)
    headers, method, body, url = {}, "", None, ""
    while words:
        word = words.pop(0)
        if word == "-H":
            name, _, value = words.pop(0).partition(": ")
            headers[name] = value
        elif word == "-X":
            method = words.pop(0)
        elif word == "-d":
            body = words.pop(0)
        elif not word.startswith("-"):
            url = word
    json.loads(body or "{}")
    return client.open(
        url, method=method or ("POST" if body else "GET"), headers=headers, data=body
    )


def test_the_guide_leads_to_a_booking(app, make):
    def build():
        site = make_site(make_organisation(name="Stillwater", code="STILL"))
        kind = make_type(site)
        day = (read_clock() + dt.timedelta(days=3)).date()
        make_session(kind, local_start=f"{day}T10:00", capacity=8)

    make(build)
    made = app.test_cli_runner().invoke(
        args="api-token --organisation stillwater --rights SETTINGS_MANAGE,RESERVATIONS_MANAGE"
    )
    shell = {"TOKEN": made.stdout.strip(), "SUNDIAL": ""}
    client, answers = app.test_client(), []
    for line in commands():
        name, command, tool = ASSIGNED.fullmatch(line).groups()
        command = re.sub(r"\$(\w+)", lambda found: shell[found[1]], command)
        answer = run_curl(client, command.replace("curl ", "", 1))
        assert answer.status_code in (200, 201), f"{line}\n{answer.get_data(as_text=True)}"
        answers.append(answer)
        if tool == "sed":
            shell[name] = answer.headers["ETag"].replace('"', '\\"')
        elif tool == "jq":
            data = answer.get_json()["data"]
            shell[name] = (data[0] if "data[0]" in line else data)["id"]
    assert len(answers) == 6
    assert answers[2].get_json()["data"]["email"] == "ana@example.com"
    assert answers[4].get_json()["data"]["capacity"] == 6
    assert answers[5].get_json()["data"]["cancelled_at"]
