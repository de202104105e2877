"""Leaving with everything: the page of archives, the commands, and the same pages elsewhere."""

import io
import json
import re
import stat
import zipfile

import pytest
import sqlalchemy as sa
from addresses import build_house
from bs4 import BeautifulSoup
from conftest import app_on
from factories import ANYWHERE, fetch, make_staff

from blueprints.working import drain
from models import RIGHTS, Archive, Session, Site, db

PAGE = "/staff/bath/archive"
OWNER, WORD = "owner@example.com", "thermal-waters"


@pytest.fixture
def house(make):
    """One of everything, and who may take all of it."""

    def build():
        built = build_house(RIGHTS)
        site = fetch(Site, fetch(Session, built["session_id"][0]).site_id)
        make_staff(site, OWNER, rights=RIGHTS, everywhere=True)
        make_staff(site, "near@example.com", rights=RIGHTS)
        return built

    return make(build)


@pytest.fixture
def owner(visitor, house):
    visitor.sign_in(OWNER, WORD, "/staff/sign-in")
    return visitor


@pytest.fixture
def run(app):
    """A command of ours; its output, all lines of it, once it ended as expected."""

    def call(*args, code=0, on=app, **given):
        answer = on.test_cli_runner().invoke(args=list(args), **given)
        assert answer.exit_code == code, answer.output
        return answer.output

    return call


def work(app):
    with app.app_context():
        while drain():
            pass
        db.session.remove()


def ask(owner):
    page = owner.get(PAGE)
    fields = page.form(f"form[action='{PAGE}']")
    owner.post(PAGE, fields, 303)
    return fields


def test_an_owner_asks_watches_fetches_and_deletes(owner, house):
    page = owner.get("/staff/bath/settings")
    assert page.one(f"a[href='{PAGE}']")
    assert "Your data" in owner.get(PAGE).soup.title.get_text()
    # The example archive of the house is there already.
    assert len(owner.get(PAGE).all(".archive-row")) == 1
    fields = ask(owner)
    page = owner.get(PAGE)
    assert page.text(".far p").startswith("0 of ")
    assert not page.all(f"form[action='{PAGE}']"), "one at a time"
    owner.post(PAGE, fields, 303)
    assert "data-poll" in owner.fragment(PAGE).html
    work(owner.app)
    rows = owner.get(PAGE).all(".archive-row")
    assert len(rows) == 2
    url = next(a["href"] for a in rows[0].select("a"))
    answer = owner.client.get(url)
    assert answer.mimetype == "application/zip"
    assert re.fullmatch(
        r"attachment; filename=\S+-\d{4}-\d\d-\d\d\.zip", answer.headers["Content-Disposition"]
    )
    content = answer.get_data()
    assert len(content) == int(answer.headers["Content-Length"])
    assert answer.headers["Cache-Control"] == "no-store"
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        assert json.loads(file.read("manifest.json"))["product"] == "Sundial"
        assert file.testzip() is None
    delete = next(form["action"] for form in rows[0].select("form"))
    owner.post(delete, {}, 303)
    assert owner.client.get(url).status_code == 404
    assert owner.post(delete, {}).status == 404
    assert owner.client.get(delete).status_code == 404


def test_one_that_is_stopped_is_not_there_and_can_be_made_again(owner, house):
    ask(owner)
    page = owner.get(PAGE)
    stop = next(form["action"] for form in page.all("form") if "/stop" in form["action"])
    assert owner.client.get(stop).status_code == 303
    owner.post(stop, {}, 303)
    work(owner.app)
    page = owner.get(PAGE)
    assert "Stopped before it was whole" in page.text(".archive-row")
    assert owner.client.get(stop.replace("/stop", ".zip")).status_code == 404
    assert page.all(f"form[action='{PAGE}']")


def test_an_open_one_is_not_deleted(owner, house):
    ask(owner)
    with owner.app.app_context():
        made = db.session.scalars(
            sa.select(Archive.id).where(Archive.ready_at.is_(None)),
            execution_options=ANYWHERE,
        ).one()
        db.session.remove()
    owner.post(f"{PAGE}/{made}/deletion", {}, 303)
    assert "Stop it first" in owner.get(PAGE).text()


def test_r1_rights_at_one_venue_are_not_enough(visitor, house):
    visitor.sign_in("near@example.com", WORD, "/staff/sign-in")
    assert not visitor.get("/staff/bath/settings").all(f"a[href='{PAGE}']")
    made = house["archive_id"][0]
    for url in (PAGE, f"{PAGE}/{made}.zip", f"{PAGE}/{made}/stop"):
        visitor.get(url, 403)
    for url in (PAGE, f"{PAGE}/{made}/stop", f"{PAGE}/{made}/deletion"):
        visitor.post(url, {}, 403)


def test_the_same_pages_stand_elsewhere(owner, house, run, databases, tmp_path):
    file = tmp_path / "bath.zip"
    said = run("export", "--organisation", "bath", "--to", str(file))
    assert "1 of " in said
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["bath.zip"]
    there = app_on(databases.make())
    said = run("import", str(file), "--dry-run", on=there)
    assert "nothing was changed" in said
    run(
        "import", str(file), "--owner", OWNER, "--password-stdin", on=there, input=f"{WORD}\n"
    )  # fmt: skip
    with there.app_context():
        assert "all is well" in run("doctor", on=there)
        db.session.remove()
    guest = type(owner)(there.test_client(), there)
    guest.sign_in(OWNER, WORD, "/staff/sign-in")
    pages = [
        *(f"/staff/bath/sessions/{one}" for one in house["session_id"]),
        f"/staff/bath/orders/{house['order_id'][0]}",
        f"/staff/bath/customers/{house['customer_id'][0]}",
        "/staff/bath/links",
        "/staff/bath/types",
        f"/bath/book/{house['type_slug'][0]}?date={house['date'][0]}",
        f"/bookings/{house['secret'][0]}",
        f"/bath/book/{house['address'][0]}?date={house['date'][0]}",
    ]
    for url in pages:
        here, same = owner.client.get(url), guest.client.get(url)
        assert here.status_code == same.status_code, url
        assert story(here) == story(same), url
    feed = f"/feeds/{house['key'][0]}.ics"
    assert owner.client.get(feed).status_code == guest.client.get(feed).status_code
    picture = f"/media/{house['media_id'][0]}/480.webp"
    assert guest.client.get(picture).get_data() == owner.client.get(picture).get_data() != b""


def story(answer):
    """What a page shows, without what belongs to one browser, and the mails, which stay behind."""
    soup = BeautifulSoup(answer.get_data(as_text=True), "html5lib")
    for link in soup.select("a[href*='/outbox/']"):
        link.find_parent(["section", "aside", "li"]).decompose()
    html = str(soup.body)
    html = re.sub(r'name="(csrf_token|key|form_key)"[^>]*|value="[^"]*" name="key"', "", html)
    return " ".join(re.sub(r"/static/[0-9a-f]+/", "/static/", html).split())


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "no archive"), (b"nonsense" * 50, "no archive")],
)
def test_a_bad_file_is_refused_in_words(run, tmp_path, content, said):
    file = tmp_path / "bad.zip"
    file.write_bytes(content)
    out = run("import", str(file), code=1)
    assert said in out
    assert "1 thing against it. Nothing was taken in." in out
    assert "Traceback" not in out


def test_commands_refuse_in_words(run, house, tmp_path):
    file = tmp_path / "there.zip"
    assert "There is no organisation nowhere" in run(
        "export", "--organisation", "nowhere", "--to", str(file), code=1
    )
    assert not file.exists()
    lost = tmp_path / "none" / "a.zip"
    assert "No such file" in run("export", "--organisation", "bath", "--to", str(lost), code=1)
    run("export", "--organisation", "bath", "--to", str(file))
    assert "is there already" in run("export", "--organisation", "bath", "--to", str(file), code=1)
    said = run("import", str(file), code=1)
    assert "fault: This organisation is here already" in said
    assert "Traceback" not in said
    run("import", str(tmp_path / "none.zip"), code=2)
    run("import", str(file), "--password-stdin", code=2)
