"""Categories through the API: the organisation's, in the order of its shops."""


def test_a_new_category_has_an_address_made_of_its_name(program, site_id):
    shop = program(site_id)
    made = shop.post("/categories", {"name": "Warm Water"})["data"]
    assert made | {"slug": "warm-water", "blurb": "", "position": 0} == made
    said = shop.post("/categories", {"name": "Warm  water"}, 422)
    assert said["code"] == "slug_taken"
    assert list(said["errors"]) == ["slug"]


def test_all_wrong_fields_are_named_at_once(program, site_id):
    shop = program(site_id)
    shop.post("/categories", {"name": "Warm"})
    said = shop.post("/categories", {"name": "", "slug": "warm", "blurb": "<i>"}, 422)
    assert set(said["errors"]) == {"name", "slug", "blurb"}
    made = shop.get("/categories")["data"][0]["id"]
    said = shop.put(f"/categories/{made}", {"name": 5, "slug": "Ä", "blurb": "<i>"}, 422)
    assert set(said["errors"]) == {"name", "slug", "blurb"}


def test_they_are_put_in_order_whole(program, site_id):
    shop = program(site_id)
    ids = [shop.post("/categories", {"name": name})["data"]["id"] for name in ("A1", "B2", "C3")]
    wanted = [ids[2], ids[0], ids[1]]
    shown = shop.put("/categories/order", {"category_ids": wanted})["data"]
    assert [one["id"] for one in shown] == wanted
    assert [one["position"] for one in shown] == [0, 1, 2]
    for wrong in (ids[:2], [*ids, ids[0]], [*ids[:2], "0" * 24]):
        said = shop.put("/categories/order", {"category_ids": wrong}, 422)
        assert said["code"] == "categories_incomplete"
    assert [one["id"] for one in shop.get("/categories")["data"]] == wanted


def test_one_that_goes_is_gone(program, site_id):
    shop = program(site_id)
    made = shop.post("/categories", {"name": "Warm"})["data"]["id"]
    shop.delete(f"/categories/{made}")
    shop.delete(f"/categories/{made}", 404)
    assert shop.get("/categories")["data"] == []
