"""Working on several machines: signs of life by number, workers, the brake, limits, and which copy may act.

Revision: 0002
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from incident.store.columns import TEXT

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("job") as batch_op:
        batch_op.add_column(sa.Column("beats", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("asked_at", sa.Float(), nullable=False, server_default="0"))
        batch_op.drop_column("started")
    op.create_table(
        "worker",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("host", TEXT, nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("beats", sa.Integer(), nullable=False),
        sa.Column("beat_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "brake",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("set_at", sa.DateTime(), nullable=False),
        sa.Column("set_by", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "token_bucket",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("per_second", sa.Float(), nullable=False),
        sa.Column("burst", sa.Float(), nullable=False),
        sa.Column("tokens", sa.Float(), nullable=False),
        sa.Column("refilled_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "kind_limit",
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("at_once", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("kind"),
    )
    instance = op.create_table(
        "instance",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("standing", TEXT, nullable=False),
        sa.Column("changed_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    # An import looks people up by their references, and sending pages through them in the order of their ids: by the
    # incident alone both would read all of its people for each thousand.
    with op.batch_alter_table("person") as batch_op:
        batch_op.create_index("ix_person_reference_mac", ["reference_mac"], unique=True)
        batch_op.create_index("ix_person_in_order", ["incident_id", "id"], unique=False)
        batch_op.drop_index("ix_person_incident_id")
    now = datetime.now(UTC).replace(tzinfo=None)
    op.bulk_insert(instance, [{"id": "this", "epoch": 1, "standing": "active", "changed_at": now}])


def downgrade() -> None:
    with op.batch_alter_table("person") as batch_op:
        batch_op.create_index("ix_person_incident_id", ["incident_id"], unique=False)
        batch_op.drop_index("ix_person_in_order")
        batch_op.drop_index("ix_person_reference_mac")
    for table in ("instance", "kind_limit", "token_bucket", "brake", "worker"):
        op.drop_table(table)
    with op.batch_alter_table("job") as batch_op:
        batch_op.add_column(sa.Column("started", sa.Integer(), nullable=False, server_default="0"))
        batch_op.drop_column("asked_at")
        batch_op.drop_column("beats")
