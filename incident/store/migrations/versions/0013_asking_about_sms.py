"""When a carrier of SMS is asked what became of a message, where it does not say so by itself.

Revision: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("message_part", sa.Column("ask_at", sa.DateTime(), nullable=True))
    to_ask = sa.text("ask_at IS NOT NULL")
    op.create_index(
        "ix_message_part_asked",
        "message_part",
        ["centre", "ask_at"],
        unique=False,
        sqlite_where=to_ask,
        postgresql_where=to_ask,
    )


def downgrade() -> None:
    op.drop_index("ix_message_part_asked", "message_part")
    with op.batch_alter_table("message_part") as batch_op:
        batch_op.drop_column("ask_at")
