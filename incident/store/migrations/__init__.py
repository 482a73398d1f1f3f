"""Migrations of the database (Alembic). `upgrade` brings a database to this version's revision."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from incident.errors import StoreUnavailable

HEAD_REVISION = "0002"


def current_revision(connection: Connection) -> str | None:
    """The revision a database stands at, or None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return str(found) if found is not None else None


def upgrade(engine: Engine) -> None:
    """Bring the database to `HEAD_REVISION`, in one transaction a step."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    with engine.execution_options(tocsin_writes=True).connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def ensure_current(engine: Engine, *, where: str) -> None:
    """Upgrade an older database; refuse one that a newer version made.

    Raises `StoreUnavailable` when there is no database, or one from a newer version.
    """
    from incident.store.database import store_errors

    with store_errors(where), engine.connect() as connection:
        found = current_revision(connection)
    if found == HEAD_REVISION:
        return
    if found is None:
        raise StoreUnavailable(
            "there is no Tocsin database here", where=where, next_step="make a workspace with `incident init`"
        )
    if found > HEAD_REVISION:
        raise StoreUnavailable(
            f"the database is of revision {found}, newer than this version knows ({HEAD_REVISION})",
            where=where,
            next_step="use the version of Tocsin that made it, or a newer one",
        )
    with store_errors(where):
        upgrade(engine)
