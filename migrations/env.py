"""Alembic's environment: one transaction a migration, on SQLite as on PostgreSQL."""

from typing import Any

from alembic import context
from flask import current_app

from models.audit_triggers import install_audit, remove_audit

extension = current_app.extensions["migrate"]
metadata = extension.db.metadata


def render_item(kind: str, item: Any, _autogen: Any) -> str | bool:
    """Write our own column types as the plain ones that they stand for."""
    if kind == "type" and type(item).__name__ == "UTCDateTime":
        return "sa.DateTime(timezone=True)"
    return False


def run() -> None:
    """Migrate the application's database."""
    with extension.db.engine.connect() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        raw = connection.connection.dbapi_connection
        if is_sqlite:
            # Batch mode drops and renames tables: cascades must not fire meanwhile.
            raw.execute("PRAGMA foreign_keys=OFF")
        context.configure(
            connection=connection,
            target_metadata=metadata,
            transactional_ddl=True,
            render_item=render_item,
            **extension.configure_args,
        )
        with context.begin_transaction():
            # SQLite can't rebuild a table that the trigger of another one names.
            remove_audit(connection)
            context.run_migrations()
            install_audit(connection)
            if is_sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                raise RuntimeError("a foreign key points nowhere after this migration")
        if is_sqlite:
            raw.execute("PRAGMA foreign_keys=ON")


run()
