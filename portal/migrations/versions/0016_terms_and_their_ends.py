"""What was sold for a time: its term stays with the quote and the order, and the order has its end"""

import sqlalchemy as sa
from alembic import op

revision = '0016'
down_revision = '0015'


def upgrade() -> None:
    for table in ('quotes', 'orders'):
        with op.batch_alter_table(table) as batch_op:
            batch_op.add_column(sa.Column('pricing', sa.String(length=16), nullable=False, server_default='act'))
            batch_op.add_column(sa.Column('term', sa.String(length=16), nullable=False, server_default=''))
    with op.batch_alter_table('orders') as batch_op:
        batch_op.add_column(sa.Column('ends_at', sa.DateTime(), nullable=True))
        batch_op.add_column(sa.Column('reminded_at', sa.DateTime(), nullable=True))
        batch_op.create_check_constraint(op.f('ck_orders_term_ends'), "term = '' OR ends_at IS NOT NULL")
    op.create_index(op.f('ix_orders_ends_at'), 'orders', ['ends_at'])


def downgrade() -> None:
    op.drop_index(op.f('ix_orders_ends_at'), 'orders')
    with op.batch_alter_table('orders') as batch_op:
        batch_op.drop_constraint(op.f('ck_orders_term_ends'), type_='check')
        for name in ('reminded_at', 'ends_at'):
            batch_op.drop_column(name)
    for table in ('orders', 'quotes'):
        with op.batch_alter_table(table) as batch_op:
            for name in ('term', 'pricing'):
                batch_op.drop_column(name)
