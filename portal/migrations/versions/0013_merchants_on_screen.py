"""Merchants that an administrator connects and pauses, what each reading came to, and the terms kept with each quote"""

import sqlalchemy as sa
from alembic import op

revision = '0013'
down_revision = '0012'


def upgrade() -> None:
    op.create_table('merchants',
    sa.Column('key', sa.String(length=64), nullable=False),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.Column('connector', sa.String(length=64), nullable=False),
    sa.Column('identity', sa.String(length=64), nullable=False),
    sa.Column('base_url', sa.String(length=500), nullable=False),
    sa.Column('manifest', sa.Text(), nullable=False),
    sa.Column('sealed', sa.Text(), nullable=False),
    sa.Column('connected_by', sa.String(length=200), nullable=False),
    sa.Column('connected_at', sa.DateTime(), nullable=True),
    sa.Column('disconnected_at', sa.DateTime(), nullable=True),
    sa.Column('paused_by', sa.String(length=200), nullable=False),
    sa.Column('paused_at', sa.DateTime(), nullable=True),
    sa.Column('terms_url', sa.String(length=500), nullable=False),
    sa.Column('terms_version', sa.String(length=100), nullable=False),
    sa.Column('terms_sha256', sa.String(length=64), nullable=False),
    sa.Column('terms_read_at', sa.DateTime(), nullable=True),
    sa.PrimaryKeyConstraint('key', name=op.f('pk_merchants'))
    )
    op.create_table('catalogue_reports',
    sa.Column('merchant', sa.String(length=64), nullable=False),
    sa.Column('at', sa.DateTime(), nullable=False),
    sa.Column('listed', sa.Integer(), nullable=False),
    sa.Column('removed', sa.Integer(), nullable=False),
    sa.Column('refused_count', sa.Integer(), nullable=False),
    sa.Column('refused', sa.JSON(), nullable=False),
    sa.Column('problem', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('merchant', name=op.f('pk_catalogue_reports'))
    )
    with op.batch_alter_table('quotes') as batch_op:
        batch_op.add_column(sa.Column('terms', sa.JSON(), nullable=False, server_default='{}'))
    with op.batch_alter_table('quotes') as batch_op:
        batch_op.alter_column('terms', server_default=None)


def downgrade() -> None:
    with op.batch_alter_table('quotes') as batch_op:
        batch_op.drop_column('terms')
    op.drop_table('catalogue_reports')
    op.drop_table('merchants')
