"""Lists of people for the call centre, and who is on them.

Revision: 0014
"""

import sqlalchemy as sa
from alembic import op

from incident.store.columns import TEXT

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "call_list",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("incident_id", TEXT, nullable=False),
        sa.Column("campaign_id", TEXT, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.DateTime(), nullable=False),
        sa.Column("made_by", TEXT, nullable=False),
        sa.Column("due_at", sa.DateTime(), nullable=False),
        sa.Column("closed_at", sa.DateTime(), nullable=True),
        sa.Column("deleted_at", sa.DateTime(), nullable=True),
        sa.Column("deleted_by", TEXT, nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
    )
    op.create_index("ix_call_list_incident_id", "call_list", ["incident_id"])
    op.create_index("ix_call_list_campaign_id", "call_list", ["campaign_id"])
    op.create_table(
        "call_task",
        sa.Column("delivery_id", TEXT, primary_key=True),
        sa.Column("n", sa.Integer(), primary_key=True),
        sa.Column("incident_id", TEXT, nullable=False),
        sa.Column("list_id", TEXT, nullable=False),
    )
    op.create_index("ix_call_task_incident_id", "call_task", ["incident_id"])
    op.create_index("ix_call_task_list_id", "call_task", ["list_id"])


def downgrade() -> None:
    op.drop_table("call_task")
    op.drop_table("call_list")
