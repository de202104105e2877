"""Alembic, set up so that SQLite can follow every migration."""

from flask_migrate import Migrate

migrate = Migrate(render_as_batch=True, compare_type=True)
