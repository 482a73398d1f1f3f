"""What the steps of runs contained, until it is taken back, and what a run goes by, in a row of its own.

Revision: 0005
"""

import sqlalchemy as sa
from alembic import op

from incident.store.columns import TEXT

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_INDEXED = ("incident_id", "run_id", "undo_run")


def upgrade() -> None:
    op.create_table(
        "containment",
        _text("id"),
        _text("incident_id"),
        sa.Column("number", sa.Integer(), nullable=False),
        _text("run_id"),
        _text("visit"),
        _text("step"),
        _text("state"),
        _time("done_at"),
        _time("verified_at", optional=True),
        _time("expires_at", optional=True),
        _time("asked_at", optional=True),
        _time("ended_at", optional=True),
        _text("undo_run", optional=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("incident_id", "number"),
    )
    with op.batch_alter_table("containment") as batch_op:
        for column in _INDEXED:
            batch_op.create_index(f"ix_containment_{column}", [column], unique=False)
    op.create_table(
        "run_playbook",
        _text("id"),
        _text("incident_id"),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("run_playbook") as batch_op:
        batch_op.create_index("ix_run_playbook_incident_id", ["incident_id"], unique=False)


def downgrade() -> None:
    op.drop_table("run_playbook")
    op.drop_table("containment")


def _text(name: str, *, optional: bool = False) -> "sa.Column[object]":
    return sa.Column(name, TEXT, nullable=optional)


def _time(name: str, *, optional: bool = False) -> "sa.Column[object]":
    return sa.Column(name, sa.DateTime(), nullable=optional)
