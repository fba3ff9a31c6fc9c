"""Tasks say whom they wait for, and everybody sees who is away"""

import sqlalchemy as sa
from alembic import op

revision = '0008'
down_revision = '0007'


def upgrade() -> None:
    with op.batch_alter_table('tasks') as batch_op:
        batch_op.add_column(sa.Column('lane', sa.String(length=80), nullable=False, server_default='operator'))
    op.execute("UPDATE tasks SET lane = 'mail' WHERE kind = 'mail'")
    op.execute(
        "UPDATE tasks SET lane = 'merchant:' || (SELECT merchant FROM orders WHERE orders.number = tasks.subject) "
        "WHERE kind = 'purchase' AND EXISTS (SELECT 1 FROM orders WHERE orders.number = tasks.subject "
        "AND orders.state <> 'accepted')"
    )
    with op.batch_alter_table('tasks') as batch_op:
        batch_op.alter_column('lane', existing_type=sa.String(length=80), existing_nullable=False, server_default=None)
        batch_op.create_index('ix_tasks_kind', ['kind', 'done_at', 'due_at'])
    op.create_table(
        'breakers',
        sa.Column('lane', sa.String(length=80), nullable=False),
        sa.Column('failures', sa.Integer(), nullable=False),
        sa.Column('openings', sa.Integer(), nullable=False),
        sa.Column('since', sa.DateTime(), nullable=True),
        sa.Column('open_until', sa.DateTime(), nullable=True),
        sa.Column('probe_until', sa.DateTime(), nullable=True),
        sa.Column('last_detail', sa.String(length=500), nullable=False),
        sa.PrimaryKeyConstraint('lane', name=op.f('pk_breakers')),
    )


def downgrade() -> None:
    op.drop_table('breakers')
    with op.batch_alter_table('tasks') as batch_op:
        batch_op.drop_index('ix_tasks_kind')
        batch_op.drop_column('lane')
