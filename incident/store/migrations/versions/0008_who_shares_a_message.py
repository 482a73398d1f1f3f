"""Of each delivery: whether it waits for an earlier version, of which notice it is an update, whose message it shares.

Of each person: whether their e-mail address is a household's. Nobody said so before.

Deliveries of before were all first ones, waited for nothing, and had a message each. They are found by their person
from now on.

Revision: 0008
"""

import sqlalchemy as sa
from alembic import op

from incident.store.columns import TEXT

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Without a batch, which would copy a table of millions of deliveries.
    op.add_column("delivery", sa.Column("waits", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("delivery", sa.Column("update_of", TEXT, nullable=True))
    op.add_column("person", sa.Column("household", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("delivery", sa.Column("leader_id", TEXT, nullable=True))
    op.add_column("delivery", sa.Column("shared", sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.create_index("ix_delivery_person_id", "delivery", ["person_id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_delivery_person_id", "delivery")
    with op.batch_alter_table("person") as batch_op:
        batch_op.drop_column("household")
    with op.batch_alter_table("delivery") as batch_op:
        for name in ("waits", "update_of", "leader_id", "shared"):
            batch_op.drop_column(name)
