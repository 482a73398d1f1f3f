"""What is owed: waivers, reminders, counsel's reviews of regimes, and duties that are listed without unsealing.

Revision: 0004
"""

import sqlalchemy as sa
from alembic import op

from incident.store.columns import TEXT

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_LISTED = ("path", "urgency")
# Each table's index that holds all that a list over many incidents asks for: its name and its columns.
_IN_ORDER = {
    "duty": ("ix_duty_open", "state", "incident_id", "due_at", "anchor_at", "urgency", "duty_id"),
    "evaluation": ("ix_evaluation_in_order", "incident_id", "at", "rules_hash"),
}


def upgrade() -> None:
    with op.batch_alter_table("duty") as batch_op:
        for name in _LISTED:
            batch_op.add_column(_text(name, optional=True))
        batch_op.add_column(_time("anchor_at", optional=True))
    for table, columns in _IN_ORDER.items():
        with op.batch_alter_table(table) as batch_op:
            batch_op.create_index(columns[0], list(columns[1:]), unique=False)
    op.create_table(
        "waiver",
        _text("id"),
        _text("incident_id"),
        sa.Column("number", sa.Integer(), nullable=False),
        _text("duty_id"),
        _time("waived_at"),
        _text("waived_by"),
        _time("ended_at", optional=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("incident_id", "number"),
    )
    _index("waiver", "incident_id")
    op.create_table(
        "duty_reminder",
        _text("id"),
        _text("incident_id"),
        _text("duty_id"),
        _time("due_at"),
        _text("moment"),
        _time("told_at"),
        sa.PrimaryKeyConstraint("id"),
    )
    _index("duty_reminder", "incident_id")
    op.create_table(
        "regime_review",
        _text("id"),
        _text("regime"),
        _text("file_hash"),
        _text("operator_id"),
        _time("approved_at"),
        _text("until_day"),
        _time("withdrawn_at", optional=True),
        _text("statement"),
        _text("signature"),
        sa.PrimaryKeyConstraint("id"),
    )
    _index("regime_review", "regime")


def downgrade() -> None:
    for table in ("regime_review", "duty_reminder", "waiver"):
        op.drop_table(table)
    for table, columns in _IN_ORDER.items():
        with op.batch_alter_table(table) as batch_op:
            batch_op.drop_index(columns[0])
    with op.batch_alter_table("duty") as batch_op:
        for name in (*_LISTED, "anchor_at"):
            batch_op.drop_column(name)


def _index(table: str, column: str) -> None:
    with op.batch_alter_table(table) as batch_op:
        batch_op.create_index(f"ix_{table}_{column}", [column], unique=False)


def _text(name: str, *, optional: bool = False) -> "sa.Column[object]":
    return sa.Column(name, TEXT, nullable=optional)


def _time(name: str, *, optional: bool = False) -> "sa.Column[object]":
    return sa.Column(name, sa.DateTime(), nullable=optional)
