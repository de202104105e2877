"""Pictures: uploaded, made anew, shown in the shop, described, deleted when nothing shows them."""

import io
import random
import struct
import zlib
from contextlib import suppress

import pytest
from factories import ANYWHERE, fetch, make_session, make_site, make_staff, make_type
from PIL import Image
from web.conftest import Page, check_page

from blueprints.clock import read_clock
from domain.pictures import MAX_BYTES, NotAPicture
from models import Media, MediaFile, SessionType, db
from services.pictures import make_picture


@pytest.fixture
def house(make):
    def build():
        site = make_site(slug="bath")
        make_staff(site, rights=("SETTINGS_MANAGE",))
        kind = make_type(site, slug="circuit", name="Thermal circuit")
        return {"site": site.id, "organisation": site.organisation_id, "type": kind.id}

    return make(build)


@pytest.fixture
def maren(visitor, house):
    visitor.sign_in("maren@example.com", "thermal-waters", "/staff/sign-in")
    return visitor


def drawn(kind="JPEG", size=(1200, 800), mode="RGB", **options):
    image = Image.new(mode, size, (200, 30, 30) if mode == "RGB" else (200, 30, 30, 0))
    if mode == "RGB":
        image.paste((30, 30, 200), (0, 0, size[0] // 2, size[1]))
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def upload(who, content, name="bath.jpg", alt="", status=None, key="k"):
    """As a browser sends it; the client's own way leaves temporary files open."""
    fields = {"csrf_token": who.token(), "alt": alt, "key": key}
    parts = [(f'name="{field}"', value.encode()) for field, value in fields.items()]
    parts.append((f'name="picture"; filename="{name}"', content))
    body = b"".join(
        b"--x-x\r\nContent-Disposition: form-data; " + head.encode() + b"\r\n\r\n" + value + b"\r\n"
        for head, value in parts
    )
    kind = "multipart/form-data; boundary=x-x"
    page = Page(who.client.post("/staff/bath/media", data=body + b"--x-x--\r\n", content_type=kind))
    assert page.status == status, page.text()[:600]
    if page.status != 303:
        check_page(page)
    return page


def uploaded(who, make, content, **given):
    return upload(who, content, status=303, **given).response.location.rpartition("#p-")[2]


def files_of(make, media_id):
    def read():
        rows = db.session.scalars(
            db.select(MediaFile).filter_by(media_id=media_id), execution_options=ANYWHERE
        )
        return {(row.width, row.mime_type): row.content for row in rows}

    return make(read)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_an_upload_is_made_anew_in_three_formats_and_several_widths(maren, make, kind):
    media_id = uploaded(maren, make, drawn(kind))
    files = files_of(make, media_id)
    types = ("image/avif", "image/webp", "image/jpeg")
    assert set(files) == {(width, one) for width in (480, 960, 1200) for one in types}
    for (width, _), content in files.items():
        assert Image.open(io.BytesIO(content)).size == (width, round(width * 2 / 3))
    row = make(lambda: fetch(Media, media_id))
    assert (row.width, row.height, row.original_url) == (1200, 800, "")


def test_a_small_picture_is_never_enlarged_and_a_large_one_is_shrunk(maren, make):
    small = files_of(make, uploaded(maren, make, drawn(size=(300, 200)), key="a"))
    assert {width for width, _ in small} == {300}
    large = files_of(make, uploaded(maren, make, drawn(size=(4000, 3000)), key="b"))
    assert {width for width, _ in large} == {480, 960, 1600}


def test_it_is_turned_as_the_camera_was_held_and_says_no_more_where_it_was_taken(maren, make):
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8825)[1] = "N"
    exif[0x010F] = "Camera of Ana"
    content = drawn(size=(1200, 800), exif=exif)
    assert b"Camera of Ana" in content
    media_id = uploaded(maren, make, content)
    row = make(lambda: fetch(Media, media_id))
    assert (row.width, row.height) == (800, 1200)
    for made in files_of(make, media_id).values():
        assert b"Camera of Ana" not in made
        assert not Image.open(io.BytesIO(made)).getexif()
    jpeg = Image.open(io.BytesIO(files_of(make, media_id)[(800, "image/jpeg")]))
    # Turned a quarter to the right: its left, blue half lies on top.
    assert jpeg.getpixel((400, 100))[2] > 150 > jpeg.getpixel((400, 1100))[2]


def test_what_is_transparent_becomes_white(maren, make):
    files = files_of(make, uploaded(maren, make, drawn("PNG", (50, 50), "RGBA")))
    pixel = Image.open(io.BytesIO(files[(50, "image/jpeg")])).getpixel((20, 20))
    assert min(pixel) > 250


def bomb():
    """A PNG that claims 20,000 by 20,000 pixels."""
    head = struct.pack(">IIBBBBB", 20000, 20000, 8, 2, 0, 0, 0)

    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 99))
        + chunk(b"IEND", b"")
    )  # fmt: skip


@pytest.mark.parametrize(
    ("content", "status", "says"),
    [
        (b"", 422, "Choose a picture first"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 422, "Choose a JPEG, PNG, WebP or AVIF"),
        (drawn("GIF", (9, 9)), 422, "Choose a JPEG, PNG, WebP or AVIF"),
        (drawn()[:3000], 422, "damaged or incomplete"),
        (drawn("PNG")[:900], 422, "damaged or incomplete"),
        (b"\xff\xd8\xff\xe0" + b"x" * 500, 422, "JPEG|damaged"),
        (bomb(), 413, "40 million pixels"),
        (b"x" * (MAX_BYTES + 1), 413, "larger than 12 MB"),
    ],
    ids="nothing svg gif cut-jpeg cut-png noise bomb large".split(),
)
def test_bad_uploads_are_refused_with_a_sentence_and_keep_nothing(
    maren, make, content, status, says
):
    page = upload(maren, content, alt="Steam over water", status=status)
    said = page.text("#picture-error")
    assert any(part in said for part in says.split("|")), said
    assert page.one("#alt")["value"] == "Steam over water"
    assert page.soup.title.get_text().startswith("Error:")
    assert make(lambda: db.session.query(Media).execution_options(**ANYWHERE).count()) == 0


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_however_a_file_is_damaged_it_is_a_picture_or_refused(kind):
    chance = random.Random(3)  # noqa: S311 - the same damage every time
    whole = drawn(kind, (60, 40))
    for _ in range(120):
        content = bytearray(whole)
        for _ in range(chance.choice((1, 3, 20))):
            content[chance.randrange(len(content))] = chance.randrange(256)
        with suppress(NotAPicture):
            make_picture(bytes(content))


def test_a_body_beyond_all_measure_is_refused_unread(maren):
    page = upload(maren, b"x" * (MAX_BYTES + 200_000), status=413)
    assert "larger than 12 MB" in page.text()


def test_other_forms_and_strangers_may_not_send_as_much(maren, other_visitor):
    maren.post("/staff/bath/types/new", {"name": "x" * 2_000_000}, 413)
    upload(other_visitor, b"x" * 2_000_000, status=413)


def test_the_same_form_twice_is_one_picture(maren, make):
    content = drawn(size=(60, 60))
    assert uploaded(maren, make, content) == uploaded(maren, make, content)


def test_a_picture_is_served_to_anybody_for_ever_and_is_gone_when_deleted(
    maren, other_visitor, make
):
    media_id = uploaded(maren, make, drawn(size=(600, 400)))
    for width, ending, kind in ((480, "avif", "avif"), (600, "webp", "webp"), (600, "jpg", "jpeg")):
        response = other_visitor.client.get(f"/media/{media_id}/{width}.{ending}")
        assert response.status_code == 200
        assert response.mimetype == f"image/{kind}"
        assert "immutable" in response.headers["Cache-Control"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert Image.open(io.BytesIO(response.data)).width == width
    for name in ("481.jpg", "480.svg", "480", "0480.jpg", "99999999.jpg", "x.jpg", "480.jpg.html"):
        other_visitor.get(f"/media/{media_id}/{name}", 404)
    other_visitor.get("/media/nothing/480.jpg", 404)
    maren.post(f"/staff/bath/media/{media_id}/deletion", {}, 303)
    other_visitor.get(f"/media/{media_id}/480.avif", 404)
    maren.get(f"/staff/bath/media/{media_id}", 404)
    assert files_of(make, media_id) == {}


def test_a_picture_in_use_says_where_and_stays(maren, make, house):
    media_id = uploaded(maren, make, drawn(size=(60, 60)))

    def use():
        fetch(SessionType, house["type"]).image_id = media_id
        db.session.commit()

    make(use)
    assert "Thermal circuit" in maren.get(f"/staff/bath/media/{media_id}").text("main")
    page = maren.post(f"/staff/bath/media/{media_id}/deletion", {}, 409)
    assert "Thermal circuit shows it" in page.text(".summary")
    assert make(lambda: fetch(Media, media_id).deleted_at) is None


def test_the_shop_shows_it_in_the_size_that_fits_with_its_words(maren, other_visitor, make, house):
    media_id = uploaded(maren, make, drawn(), alt="Steam over the pool")

    def use():
        row = fetch(SessionType, house["type"])
        row.image_id = media_id
        row.revision += 1
        db.session.commit()
        make_session(row, local_start=read_clock().replace(tzinfo=None, microsecond=0))

    make(use)
    for path in ("/bath/", "/bath/book/circuit"):
        page = other_visitor.get(path)
        assert [it["type"] for it in page.all(".art source")] == ["image/avif", "image/webp"]
        assert f"/media/{media_id}/480.avif 480w" in page.all(".art source")[0]["srcset"]
        image = page.one(".art picture img")
        assert (image["width"], image["height"]) == ("1200", "800")
        assert image["sizes"]
        assert image.has_attr("alt")
    assert image["alt"] == "Steam over the pool"
    maren.post(
        f"/staff/bath/media/{media_id}",
        {**maren.get(f"/staff/bath/media/{media_id}").form(".side-card[action]"), "alt": "Pool"},
        303,
    )
    assert other_visitor.get("/bath/book/circuit").one(".art picture img")["alt"] == "Pool"


def test_d4_words_that_somebody_else_changed_are_shown_beside(maren, make):
    media_id = uploaded(maren, make, drawn(size=(60, 60)), alt="Old")
    url = f"/staff/bath/media/{media_id}"
    form = maren.get(url).form("form.side-card[action$='" + media_id + "']")
    maren.post(url, {**form, "alt": "Theirs"}, 303)
    page = maren.post(url, {**form, "alt": "Ours"}, 409)
    assert page.one("#alt")["value"] == "Ours"
    assert "Saved meanwhile: Theirs" in page.text(".theirs")
    maren.post(url, page.form("form.side-card[action$='" + media_id + "']"), 303)
    assert make(lambda: fetch(Media, media_id).alt) == "Ours"


def test_d5_markup_in_words_is_refused(maren):
    assert "<b>x" in upload(maren, drawn(size=(9, 9)), alt="<b>x", status=422).one("#alt")["value"]


def test_d1_another_organisations_picture_is_not_found(maren, other_visitor, make):
    media_id = uploaded(maren, make, drawn(size=(60, 60)))
    make(lambda: make_staff(make_site(slug="away"), "x@example.com", rights=("SETTINGS_MANAGE",)))
    other_visitor.sign_in("x@example.com", "thermal-waters", "/staff/sign-in")
    other_visitor.get(f"/staff/away/media/{media_id}", 404)
    other_visitor.post(f"/staff/away/media/{media_id}", {"alt": "x"}, 404)
    other_visitor.post(f"/staff/away/media/{media_id}/deletion", {}, 404)
    assert media_id not in other_visitor.get("/staff/away/media").html
