"""The first hour: holds, instructions, decisions, tasks, notes for counsel; who is called, and who was.

Revision: 0003
"""

import sqlalchemy as sa
from alembic import op

from incident.store.columns import TEXT

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _numbered(
        "hold",
        _text("covers"),
        _time("placed_at"),
        _text("placed_by"),
        _time("until_at"),
        _time("reminded_at", optional=True),
        _time("asked_at", optional=True),
        _time("lifted_at", optional=True),
    )
    _numbered(
        "instruction",
        _text("effect"),
        _text("duty_id", optional=True),
        _text("hold_id", optional=True),
        _time("given_at"),
        _time("recorded_at"),
        _text("recorded_by"),
        _time("due_at", optional=True),
        _time("settled_at", optional=True),
    )
    _numbered("resolution", _time("decided_at"), _text("recorded_by"), _text("replaces", optional=True))
    _numbered(
        "task",
        _text("state"),
        _time("opened_at"),
        _text("opened_by"),
        _time("due_at", optional=True),
        _time("ended_at", optional=True),
    )
    _numbered("privileged_note", _time("written_at"), _text("written_by"), _text("digest"))
    op.create_table(
        "contact",
        _text("id"),
        _text("kind"),
        _text("key"),
        _time("added_at"),
        _time("checked_at"),
        _time("removed_at", optional=True),
        _sealed(),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "reach",
        _text("id"),
        _text("deputy_id", optional=True),
        _time("changed_at"),
        _sealed(),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "summons",
        _text("id"),
        _text("incident_id"),
        _text("reason"),
        _text("subject_id"),
        _text("role"),
        _time("asked_at"),
        sa.Column("level", sa.Integer(), nullable=False),
        _time("next_at", optional=True),
        _time("answered_at", optional=True),
        _text("answered_by", optional=True),
        _time("ended_at", optional=True),
        _sealed(),
        sa.PrimaryKeyConstraint("id"),
    )
    _index("summons", "incident_id", "subject_id")
    op.create_table(
        "summons_call",
        _text("id"),
        _text("summons_id"),
        _text("incident_id"),
        _text("operator_id"),
        sa.Column("level", sa.Integer(), nullable=False),
        _time("called_at"),
        _time("settled_at", optional=True),
        _text("outcome"),
        _sealed(),
        sa.PrimaryKeyConstraint("id"),
    )
    _index("summons_call", "incident_id", "summons_id")


def downgrade() -> None:
    for table in (
        *("summons_call", "summons", "reach", "contact"),
        *("privileged_note", "task", "resolution", "instruction", "hold"),
    ):
        op.drop_table(table)


def _numbered(table: str, *columns: sa.Column[object]) -> None:
    op.create_table(
        table,
        _text("id"),
        _text("incident_id"),
        sa.Column("number", sa.Integer(), nullable=False),
        *columns,
        _sealed(),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("incident_id", "number"),
    )
    _index(table, "incident_id")


def _index(table: str, *columns: str) -> None:
    with op.batch_alter_table(table) as batch_op:
        for column in columns:
            batch_op.create_index(f"ix_{table}_{column}", [column], unique=False)


def _text(name: str, *, optional: bool = False) -> "sa.Column[object]":
    return sa.Column(name, TEXT, nullable=optional)


def _time(name: str, *, optional: bool = False) -> "sa.Column[object]":
    return sa.Column(name, sa.DateTime(), nullable=optional)


def _sealed() -> "sa.Column[object]":
    return sa.Column("sealed", sa.LargeBinary(), nullable=False)
