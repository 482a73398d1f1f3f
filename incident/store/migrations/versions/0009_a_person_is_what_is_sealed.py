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
    # SQLite before 3.35 cannot take a column away; the batch copies the table once, as later ones would themselves.
    with op.batch_alter_table("person") as batch_op:
        batch_op.drop_column("content_mac")


def downgrade() -> None:
    # Hashes of nothing: the next import of the same people seals each of them anew.
    with op.batch_alter_table("person") as batch_op:
        batch_op.add_column(sa.Column("content_mac", sa.LargeBinary(), nullable=False, server_default=""))
