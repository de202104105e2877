"""What search engines are told: where not to look, and every public page that there is."""

from flask import Response, render_template

from blueprints.links import public_url
from blueprints.security import PUBLIC, needs
from blueprints.shop.routes import bp
from services.catalogue import list_public_offers

KEPT_OUT = ("account", "bookings", "forms", "mail", "staff")
FRESH = {"Cache-Control": "public, max-age=3600"}


@bp.get("/robots.txt")
@needs(PUBLIC)
def robots() -> Response:
    lines = ["User-agent: *", *(f"Disallow: /{part}/" for part in KEPT_OUT)]
    lines += ["Disallow: /*/basket", "Disallow: /*/checkout"]
    lines += ["", f"Sitemap: {public_url('shop.sitemap')}", ""]
    return Response("\n".join(lines), mimetype="text/plain", headers=FRESH)


@bp.get("/sitemap.xml")
@needs(PUBLIC)
def sitemap() -> Response:
    pages = [public_url("shop.index")]
    for site, categories, types in list_public_offers():
        pages.append(public_url("shop.home", site=site))
        pages += [public_url("shop.category", site=site, category=slug) for slug in categories]
        pages += [public_url("shop.session_type", site=site, type_slug=slug) for slug in types]
    text = render_template("shop/sitemap.xml", pages=pages)
    return Response(text, mimetype="application/xml", headers=FRESH)
