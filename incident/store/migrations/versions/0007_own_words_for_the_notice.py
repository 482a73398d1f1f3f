"""What a person wrote for a part of the notice in one language.

Revision: 0007
"""

import sqlalchemy as sa
from alembic import op

from incident.store.columns import TEXT

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notice_edit",
        _text("id"),
        _text("incident_id"),
        sa.Column("number", sa.Integer(), nullable=False),
        _text("place"),
        _text("language"),
        sa.Column("edited_at", sa.DateTime(), nullable=False),
        _text("edited_by"),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("incident_id", "number"),
    )
    with op.batch_alter_table("notice_edit") as batch_op:
        batch_op.create_index("ix_notice_edit_incident_id", ["incident_id"], unique=False)


def downgrade() -> None:
    op.drop_table("notice_edit")


def _text(name: str) -> "sa.Column[object]":
    return sa.Column(name, TEXT, nullable=False)
