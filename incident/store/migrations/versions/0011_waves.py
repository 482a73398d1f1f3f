"""How far each campaign was let go, in waves, and what stopped it.

Campaigns of before have no such row: all of their batches were let go at once. Of their batches it is not known how
many people could not be written to from the beginning; nothing asks for it.

Revision: 0011
"""

import sqlalchemy as sa
from alembic import op

from incident.store.columns import TEXT

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "waves",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("incident_id", TEXT, nullable=False),
        *(_number(name) for name in ("number", "from_seq", "to_seq")),
        sa.Column("next_at", sa.DateTime(), nullable=True),
        _number("reports"),
        sa.Column("stopped_at", sa.DateTime(), nullable=True),
        sa.Column("stopped_by", TEXT, nullable=True),
        *(_number(name) for name in ("stopped_count", "stopped_of", "known_settled", "known_failed")),
        *(_number(name) for name in ("known_complaints", "known_reports")),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_waves_incident_id", "waves", ["incident_id"], unique=False)
    op.add_column("batch", _number("never_tried", "0"))


def downgrade() -> None:
    op.drop_table("waves")
    with op.batch_alter_table("batch") as batch_op:
        batch_op.drop_column("never_tried")


def _number(name: str, before: str | None = None) -> "sa.Column[object]":
    """A column of whole numbers; rows of before get `before`."""
    return sa.Column(name, sa.Integer(), nullable=False, server_default=before and sa.text(before))
