"""Which operator is chosen, and at which each charge was reserved"""

import sqlalchemy as sa
from alembic import op

revision = '0009'
down_revision = '0008'


def upgrade() -> None:
    op.create_table('operator_choices',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('profile', sa.String(length=64), nullable=False),
    sa.Column('chosen_by', sa.String(length=200), nullable=False),
    sa.Column('chosen_at', sa.DateTime(), nullable=False),
    sa.CheckConstraint('id = 1', name=op.f('ck_operator_choices_only_one')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_operator_choices'))
    )
    with op.batch_alter_table('charges') as batch_op:
        batch_op.add_column(sa.Column('operator', sa.String(length=64), nullable=False, server_default=''))
    with op.batch_alter_table('charges') as batch_op:
        batch_op.alter_column('operator', server_default=None)


def downgrade() -> None:
    with op.batch_alter_table('charges') as batch_op:
        batch_op.drop_column('operator')
    op.drop_table('operator_choices')
