"""Pictures through the API: uploaded as a form, described, deleted when nothing shows them."""

import io

import pytest
from factories import fetch, make_type
from PIL import Image

from domain.pictures import MAX_BYTES
from models import Media, Site


@pytest.fixture(scope="module")
def picture():
    out = io.BytesIO()
    Image.new("RGB", (64, 48), (200, 30, 30)).save(out, "JPEG")
    return out.getvalue()


def form_of(content=None, name="bath.jpg", boundary="x-x", **fields):
    """As a program sends it."""
    parts = [(f'name="{field}"', value.encode()) for field, value in fields.items()]
    if content is not None:
        parts.append((f'name="file"; filename="{name}"', content))
    body = b"".join(
        f"--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + value + b"\r\n"
        for head, value in parts
    )
    return {
        "data": body + f"--{boundary}--\r\n".encode(),
        "content_type": f"multipart/form-data; boundary={boundary}",
    }


def test_a_picture_is_made_anew_and_can_be_looked_at(program, site_id, picture):
    shop = program(site_id, "SETTINGS_MANAGE")
    made = shop.post("/media", **form_of(picture, alt=" The  bath "))["data"]
    assert made | {"alt": "The bath", "width": 64, "height": 48, "size": len(picture)} == made
    assert made["file_name"] == "bath.jpg"
    shown = shop.client.get(made["url"])
    assert (shown.status_code, shown.mimetype) == (200, "image/jpeg")
    assert shop.get(f"/media/{made['id']}")["data"] == made
    assert shop.get("/media?query=bath")["data"] == [made]
    assert shop.get("/media?query=studio")["data"] == []


def test_h6_the_same_form_with_its_key_makes_one_picture(program, site_id, picture):
    shop, key = program(site_id), {"Idempotency-Key": "k-1"}
    first = shop.post("/media", **form_of(picture, alt="Bath"), headers=key)
    again = shop.post("/media", **form_of(picture, alt="Bath", boundary="y"), headers=key)
    assert first == again
    said = shop.post("/media", status=422, **form_of(picture, alt="Pool"), headers=key)
    assert said["code"] == "key_reused"
    assert shop.get("/media")["meta"]["total"] == 1


def test_what_is_no_picture_is_refused_with_the_sentence_of_the_page(program, site_id):
    shop = program(site_id)
    said = shop.post("/media", status=422, **form_of(b"GIF89a", alt="x" * 201))
    assert said["code"] == "not_a_picture"
    assert said["errors"]["file"] == ["Choose a JPEG, PNG, WebP or AVIF picture."]
    assert set(said["errors"]) == {"file", "alt"}
    assert list(shop.post("/media", status=422, **form_of(alt="Bath"))["errors"]) == ["file"]
    assert list(shop.post("/media", status=422, **form_of(b""))["errors"]) == ["file"]
    shop.post("/media", {"alt": "Bath"}, 400)
    shop.post("/media", status=400)


def test_a_file_that_is_too_large_is_not_read(program, site_id):
    shop = program(site_id)
    shop.post("/media", status=413, **form_of(b"\0" * (MAX_BYTES + 1)))
    shop.post("/media", status=413, **form_of(b"\0" * (MAX_BYTES + 100 * 1024)))
    program(site_id, "RESERVATIONS_MANAGE").post("/media", status=403, **form_of(b"x"))


def test_a_picture_that_is_shown_stays(program, site_id, picture, make):
    shop = program(site_id)
    made = shop.post("/media", **form_of(picture))["data"]["id"]

    def use():
        kind = make_type(fetch(Site, site_id), name="Thermal circuit", image_id=made)
        return kind.id

    kind = make(use)
    assert shop.get(f"/media/{made}")["data"]["session_type_ids"] == [kind]
    said = shop.delete(f"/media/{made}", 409)
    assert said == {
        "message": "Thermal circuit shows it. Choose another picture there first.",
        "code": "picture_in_use",
    }
    other = shop.post("/media", **form_of(picture))["data"]["id"]
    shop.delete(f"/media/{other}")
    shop.delete(f"/media/{other}", 404)
    assert make(lambda: fetch(Media, other).deleted_at) is not None
