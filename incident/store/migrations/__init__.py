"""Migrations of the database (Alembic). `upgrade` brings a database to this version's revision."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from incident.errors import StoreUnavailable, WorkspaceError
from incident.store.database import store_errors, take_turn, writing

HEAD_REVISION = "0014"
_VERSION_TABLE = "alembic_version"
_TURN = "schema"


def current_revision(connection: Connection) -> str | None:
    """The revision a database stands at, or None where none of ours was ever made."""
    if not inspect(connection).has_table(_VERSION_TABLE):
        return None
    found = connection.execute(text(f"SELECT version_num FROM {_VERSION_TABLE}")).scalar()  # noqa: S608
    return str(found) if found is not None else None


def upgrade(engine: Engine) -> None:
    """Bring the database to `HEAD_REVISION`, in one transaction and in turn with everyone who does so too."""
    with writing(engine).begin() as connection:
        take_turn(connection, _TURN)
        _run(connection)


def make_schema(engine: Engine, *, where: str) -> None:
    """Make the tables in a database that holds none, in one transaction and in turn with everyone who does so too.

    A database that was made by this version and never used is taken as it is: whoever made it did not get further.
    Raises `WorkspaceError` when the database holds anything else.
    """
    with writing(engine).begin() as connection:
        take_turn(connection, _TURN)
        found = set(inspect(connection).get_table_names())
        if not found:
            _run(connection)
            return
        if current_revision(connection) != HEAD_REVISION:
            raise WorkspaceError(
                "the database holds other tables already",
                where=where,
                next_step="name a database that is empty",
            )
        if connection.execute(text("SELECT count(*) FROM journal_entry")).scalar_one():
            raise WorkspaceError(
                "there is a workspace in this database already",
                where=where,
                next_step="name a database that is empty",
            )


def ensure_current(engine: Engine, *, where: str) -> None:
    """Upgrade an older database; refuse one that a newer version made.

    Raises `StoreUnavailable` when there is no database of ours, or one from a newer version.
    """
    with store_errors(where), engine.connect() as connection:
        found = current_revision(connection)
    if found == HEAD_REVISION:
        return
    if found is None:
        raise StoreUnavailable(
            "there is no Tocsin database here", where=where, next_step="make a workspace with `incident init`"
        )
    if not (found.isdigit() and len(found) == len(HEAD_REVISION)):
        raise StoreUnavailable(
            f"the database is another program's (it stands at revision {found})",
            where=where,
            next_step="correct store.url",
        )
    if found > HEAD_REVISION:
        raise StoreUnavailable(
            f"the database is of revision {found}, newer than this version knows ({HEAD_REVISION})",
            where=where,
            next_step="use the version of Tocsin that made it, or a newer one",
        )
    with store_errors(where):
        upgrade(engine)


def _run(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
