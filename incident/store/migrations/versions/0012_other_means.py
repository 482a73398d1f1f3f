"""Of each delivery what means failed before the present one; of each attempt over what means it was; parts of SMS.

All attempts of before were e-mail, and nobody went on to another means.

Revision: 0012
"""

import sqlalchemy as sa
from alembic import op

from incident.store.columns import TEXT

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "message_part",
        _text("delivery_id"),
        _number("n"),
        _number("part"),
        *(_text(name) for name in ("incident_id", "centre", "ref")),
        sa.Column("state", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("delivery_id", "n", "part"),
    )
    op.create_index("ix_message_part_incident_id", "message_part", ["incident_id"], unique=False)
    op.create_index("ix_message_part_ref", "message_part", ["ref"], unique=False)
    # Without a batch, which would copy tables of millions of rows.
    op.add_column("delivery", _text("tried_before", "''"))
    op.add_column("attempt", _text("channel", "'email'"))
    op.add_column("batch", _number("moved_on", "0"))


def downgrade() -> None:
    op.drop_table("message_part")
    for table, column in (("delivery", "tried_before"), ("attempt", "channel"), ("batch", "moved_on")):
        with op.batch_alter_table(table) as batch_op:
            batch_op.drop_column(column)


def _text(name: str, before: str | None = None) -> "sa.Column[object]":
    return sa.Column(name, TEXT, nullable=False, server_default=before and sa.text(before))


def _number(name: str, before: str | None = None) -> "sa.Column[object]":
    """A column of whole numbers; rows of before get `before`."""
    return sa.Column(name, sa.Integer(), nullable=False, server_default=before and sa.text(before))
