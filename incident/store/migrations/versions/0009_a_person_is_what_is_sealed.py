"""No keyed hash of a person's content any more: whether an import says something new is told by what is sealed.

Revision: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # By a copy of the table: SQLite before 3.35 has no DROP COLUMN, and later ones write every row anew for it too.
    with op.batch_alter_table("person") as batch_op:
        batch_op.drop_column("content_mac")


def downgrade() -> None:
    # Of no content: an import by the earlier version takes each of them for changed, and hashes what it seals.
    with op.batch_alter_table("person") as batch_op:
        batch_op.add_column(sa.Column("content_mac", sa.LargeBinary(), nullable=False, server_default=""))
