"""Mails, and the kind of task that sends them"""

import sqlalchemy as sa
from alembic import op

revision = '0004'
down_revision = '0003'


def upgrade() -> None:
    with op.batch_alter_table('tasks') as batch_op:
        batch_op.drop_constraint(op.f('ck_tasks_kind_known'), type_='check')
        batch_op.create_check_constraint(
            op.f('ck_tasks_kind_known'), "kind IN ('purchase', 'capture', 'void', 'mail')")
    op.create_table('mails',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('key', sa.String(length=64), nullable=False),
    sa.Column('message_id', sa.String(length=320), nullable=False),
    sa.Column('to_name', sa.String(length=256), nullable=False),
    sa.Column('to_address', sa.String(length=254), nullable=False),
    sa.Column('subject', sa.String(length=200), nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('language', sa.String(length=8), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('code', sa.String(length=32), nullable=False),
    sa.Column('reason', sa.String(length=500), nullable=False),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.Column('ended_at', sa.DateTime(), nullable=True),
    sa.CheckConstraint("state IN ('waiting', 'sent', 'refused', 'given_up', 'unsent')", name=op.f('ck_mails_state_known')),
    sa.CheckConstraint("(state = 'waiting') = (ended_at IS NULL)", name=op.f('ck_mails_ended_once')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_mails')),
    sa.UniqueConstraint('key', name=op.f('uq_mails_key'))
    )
    op.create_index('ix_mails_state', 'mails', ['state', 'ended_at'])
