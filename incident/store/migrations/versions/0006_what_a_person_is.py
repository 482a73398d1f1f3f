"""Of each person: whether it is an organisation, dead, has a dated number, or a note on safe contact.

People who were listed before say nothing of these, and "no" is what that means.

Revision: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_COLUMNS = ("organisation", "deceased", "number_dated", "safe_contact")


def upgrade() -> None:
    # Without the batch of the other revisions, which would copy a table of millions of people.
    for name in _COLUMNS:
        op.add_column("person", sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    with op.batch_alter_table("person") as batch_op:
        for name in _COLUMNS:
            batch_op.drop_column(name)
