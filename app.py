"""The application factory: configuration, libraries, blueprints."""

from typing import Any

from flask import Flask
from whitenoise import WhiteNoise

from blueprints import (
    account,
    api,
    archives,
    bookings,
    checkout,
    cover,
    desk,
    feeds,
    finding,
    guest_forms,
    health,
    house,
    intake,
    kiosk,
    letters,
    mailbox,
    media,
    offline,
    orders,
    people,
    prices,
    private_links,
    reports,
    series,
    sessions,
    setup,
    shop,
    staff,
    trail,
    types,
    waiting,
    webhooks,
    works,
)
from blueprints.acting import install_acting
from blueprints.cli import register_commands
from blueprints.clock import install_clock
from blueprints.configuration import configure
from blueprints.errors import register_errors
from blueprints.logs import install_logs
from blueprints.rendering import STATIC_FOLDER, STATIC_PREFIX, install_rendering
from blueprints.security import HostGuard, csrf, install_security, login_manager
from models import before_commit, db, install_finding, install_sqlite, install_walls
from models.migrating import migrate
from services.webhook_events import write_events


def create_app(config: dict[str, Any] | None = None) -> Flask:
    """The whole shop; `config` overrides what the environment says."""
    app = Flask(__name__, static_folder=None)
    configure(app, config)
    install_logs()
    install_clock(app)
    db.init_app(app)
    migrate.init_app(app, db)
    with app.app_context():
        install_sqlite(db.engine)
    install_walls()
    install_finding()
    before_commit(write_events)
    csrf.init_app(app)
    login_manager.init_app(app)
    install_acting(app)
    install_security(app)
    install_rendering(app)
    register_errors(app)
    areas = (
        *(health, account, api, bookings, guest_forms, checkout, archives),
        *(cover, desk, feeds, finding, house, intake),
        *(kiosk, letters, mailbox, media, offline, orders),
        *(people, prices, private_links, reports, series, sessions),
        *(setup, shop, staff, trail, types, waiting),
        *(webhooks, works),
    )
    for area in areas:
        app.register_blueprint(area.bp)
    register_commands(app)
    app.wsgi_app = WhiteNoise(  # type: ignore[method-assign]
        HostGuard(app.wsgi_app),
        root=STATIC_FOLDER,
        prefix=STATIC_PREFIX,
        immutable_file_test=lambda _path, _url: True,
    )
    return app
