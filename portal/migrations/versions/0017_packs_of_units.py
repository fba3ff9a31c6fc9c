"""Packs of units, used up one by one"""

import sqlalchemy as sa
from alembic import op

revision = '0017'
down_revision = '0016'


def upgrade() -> None:
    with op.batch_alter_table('orders') as batch_op:
        batch_op.add_column(sa.Column('units', sa.Integer(), nullable=False, server_default='0'))
    op.create_table('packs',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('order_number', sa.String(length=32), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('merchant', sa.String(length=64), nullable=False),
    sa.Column('offer', sa.String(length=128), nullable=False),
    sa.Column('key', sa.String(length=300), nullable=False),
    sa.Column('units', sa.Integer(), nullable=False),
    sa.Column('held_units', sa.Integer(), nullable=False),
    sa.Column('used_units', sa.Integer(), nullable=False),
    sa.Column('until', sa.DateTime(), nullable=True),
    sa.Column('opened_at', sa.DateTime(), nullable=False),
    sa.CheckConstraint('held_units + used_units <= units', name=op.f('ck_packs_units_suffice')),
    sa.CheckConstraint('held_units >= 0 AND used_units >= 0', name=op.f('ck_packs_units_not_negative')),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_packs_account_id')),
    sa.ForeignKeyConstraint(['order_number'], ['orders.number'], name=op.f('fk_packs_order_number')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_packs')),
    sa.UniqueConstraint('order_number', name=op.f('uq_packs_order_number'))
    )
    op.create_index(op.f('ix_packs_account_id'), 'packs', ['account_id'])
    op.create_table('pack_uses',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('pack_id', sa.Integer(), nullable=False),
    sa.Column('order_number', sa.String(length=32), nullable=False),
    sa.Column('units', sa.Integer(), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('at', sa.DateTime(), nullable=False),
    sa.CheckConstraint("state IN ('held', 'used', 'released')", name=op.f('ck_pack_uses_state_known')),
    sa.CheckConstraint('units > 0', name=op.f('ck_pack_uses_units_positive')),
    sa.ForeignKeyConstraint(['order_number'], ['orders.number'], name=op.f('fk_pack_uses_order_number')),
    sa.ForeignKeyConstraint(['pack_id'], ['packs.id'], name=op.f('fk_pack_uses_pack_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_pack_uses')),
    sa.UniqueConstraint('order_number', name=op.f('uq_pack_uses_order_number'))
    )
    op.create_index(op.f('ix_pack_uses_pack_id'), 'pack_uses', ['pack_id'])
    with op.batch_alter_table('quotes') as batch_op:
        batch_op.add_column(sa.Column('units', sa.Integer(), nullable=False, server_default='0'))
        batch_op.add_column(sa.Column('pack_id', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('pack_units', sa.Integer(), nullable=False, server_default='0'))


def downgrade() -> None:
    with op.batch_alter_table('quotes') as batch_op:
        batch_op.drop_column('pack_units')
        batch_op.drop_column('pack_id')
        batch_op.drop_column('units')
    for table in ('pack_uses', 'packs'):
        op.drop_table(table)
    with op.batch_alter_table('orders') as batch_op:
        batch_op.drop_column('units')
