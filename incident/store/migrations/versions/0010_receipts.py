"""What came back later about a message; what it proves of a delivery, and how many of a batch it proves it of.

Nothing that came back was kept before.

Revision: 0010
"""

import sqlalchemy as sa
from alembic import op

from incident.store.columns import TEXT

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "receipt",
        *(_text(name) for name in ("id", "delivery_id", "incident_id", "channel", "kind")),
        _number("rank"),
        _text("why"),
        sa.Column("counts", sa.Boolean(), nullable=False),
        sa.Column("status", TEXT, nullable=True),
        _text("verified_by"),
        _text("raw_sha256"),
        sa.Column("taken_at", sa.DateTime(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_receipt_delivery_id", "receipt", ["delivery_id"], unique=False)
    op.create_index("ix_receipt_incident_id", "receipt", ["incident_id"], unique=False)
    # Without a batch, which would copy a table of millions of deliveries.
    op.add_column("delivery", _number("rank", "0"))
    for name in ("delivered", "returned", "complaints"):
        op.add_column("batch", _number(name, "0"))


def downgrade() -> None:
    op.drop_table("receipt")
    with op.batch_alter_table("delivery") as batch_op:
        batch_op.drop_column("rank")
    with op.batch_alter_table("batch") as batch_op:
        for name in ("delivered", "returned", "complaints"):
            batch_op.drop_column(name)


def _text(name: str) -> "sa.Column[object]":
    return sa.Column(name, TEXT, nullable=False)


def _number(name: str, before: str | None = None) -> "sa.Column[object]":
    """A column of whole numbers; rows of before get `before`."""
    return sa.Column(name, sa.Integer(), nullable=False, server_default=before and sa.text(before))
