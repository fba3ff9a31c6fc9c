"""Requests to pass a ceiling once"""

import sqlalchemy as sa
from alembic import op

revision = '0005'
down_revision = '0004'


def upgrade() -> None:
    op.create_table('purchase_requests',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('number', sa.String(length=32), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('offer_id', sa.Integer(), nullable=False),
    sa.Column('inputs', sa.JSON(), nullable=False),
    sa.Column('subject', sa.String(length=300), nullable=False),
    sa.Column('net_cents', sa.Integer(), nullable=False),
    sa.Column('gross_cents', sa.Integer(), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('ceilings', sa.JSON(), nullable=False),
    sa.Column('refusal', sa.JSON(), nullable=False),
    sa.Column('words', sa.String(length=500), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('asked_at', sa.DateTime(), nullable=False),
    sa.Column('expires_at', sa.DateTime(), nullable=False),
    sa.Column('decider_id', sa.String(length=64), nullable=False),
    sa.Column('decider_name', sa.String(length=256), nullable=False),
    sa.Column('decided_by_id', sa.Integer(), nullable=True),
    sa.Column('decided_at', sa.DateTime(), nullable=True),
    sa.Column('answer', sa.String(length=500), nullable=False),
    sa.Column('order_number', sa.String(length=32), nullable=False),
    sa.CheckConstraint("decided_by_id IS NULL OR decided_by_id <> account_id", name=op.f('ck_purchase_requests_not_decided_by_oneself')),
    sa.CheckConstraint("gross_cents > 0", name=op.f('ck_purchase_requests_price_positive')),
    sa.CheckConstraint("state IN ('waiting', 'allowed', 'declined', 'used')", name=op.f('ck_purchase_requests_state_known')),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_purchase_requests_account_id')),
    sa.ForeignKeyConstraint(['decided_by_id'], ['accounts.id'], name=op.f('fk_purchase_requests_decided_by_id')),
    sa.ForeignKeyConstraint(['offer_id'], ['offers.id'], name=op.f('fk_purchase_requests_offer_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_purchase_requests')),
    sa.UniqueConstraint('number', name=op.f('uq_purchase_requests_number'))
    )
    for column in ('account_id', 'decider_id', 'order_number', 'state'):
        op.create_index(op.f(f'ix_purchase_requests_{column}'), 'purchase_requests', [column])
