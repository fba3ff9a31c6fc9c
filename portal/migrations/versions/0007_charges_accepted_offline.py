"""Charges accepted while the operator could not be reached"""

import sqlalchemy as sa
from alembic import op

revision = '0007'
down_revision = '0006'


def upgrade() -> None:
    with op.batch_alter_table('charges') as batch_op:
        batch_op.add_column(sa.Column('offline_at', sa.DateTime(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('charges') as batch_op:
        batch_op.drop_column('offline_at')
