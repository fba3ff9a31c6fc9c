"""Lists read by the worker, and changes that wait for an administrator's word"""

import sqlalchemy as sa
from alembic import op

revision = '0014'
down_revision = '0013'


def upgrade() -> None:
    op.create_table('merchant_agreements',
    sa.Column('merchant', sa.String(length=64), nullable=False),
    sa.Column('agreed', sa.JSON(), nullable=False),
    sa.Column('agreed_by', sa.String(length=200), nullable=False),
    sa.Column('agreed_at', sa.DateTime(), nullable=False),
    sa.Column('seen', sa.JSON(), nullable=True),
    sa.Column('seen_at', sa.DateTime(), nullable=True),
    sa.Column('change', sa.String(length=16), nullable=False),
    sa.Column('refused_by', sa.String(length=200), nullable=False),
    sa.PrimaryKeyConstraint('merchant', name=op.f('pk_merchant_agreements'))
    )
    op.create_index(op.f('ix_merchant_agreements_change'), 'merchant_agreements', ['change'])
    op.create_table('offer_changes',
    sa.Column('offer_id', sa.Integer(), nullable=False),
    sa.Column('agreed', sa.JSON(), nullable=False),
    sa.Column('seen', sa.JSON(), nullable=False),
    sa.Column('seen_at', sa.DateTime(), nullable=False),
    sa.Column('change', sa.String(length=16), nullable=False),
    sa.Column('refused_by', sa.String(length=200), nullable=False),
    sa.ForeignKeyConstraint(['offer_id'], ['offers.id'], name=op.f('fk_offer_changes_offer_id')),
    sa.PrimaryKeyConstraint('offer_id', name=op.f('pk_offer_changes'))
    )
    op.create_index(op.f('ix_offer_changes_change'), 'offer_changes', ['change'])
    op.add_column('offers', sa.Column('held_at', sa.DateTime(), nullable=True))
    with op.batch_alter_table('catalogue_runs') as batch_op:
        batch_op.add_column(sa.Column('refused', sa.Integer(), nullable=False, server_default='0'))
        batch_op.add_column(sa.Column('refusals', sa.JSON(), nullable=False, server_default='[]'))
        batch_op.add_column(sa.Column('good_at', sa.DateTime(), nullable=True))
        batch_op.add_column(sa.Column('failures', sa.Integer(), nullable=False, server_default='0'))
        batch_op.add_column(sa.Column('next_at', sa.DateTime(), nullable=True))
    op.execute("UPDATE catalogue_runs SET good_at = ended_at")
    # What is listed next is taken as agreed.
    op.execute("UPDATE offers SET run = 0")


def downgrade() -> None:
    # What is on hold comes back with the next reading, whatever it has become.
    with op.batch_alter_table('catalogue_runs') as batch_op:
        for column in ('next_at', 'failures', 'good_at', 'refusals', 'refused'):
            batch_op.drop_column(column)
    with op.batch_alter_table('offers') as batch_op:
        batch_op.drop_column('held_at')
    op.drop_table('offer_changes')
    op.drop_table('merchant_agreements')
