"""Files that employees give: what is known of each, and for which prices it was used"""

import sqlalchemy as sa
from alembic import op

revision = '0015'
down_revision = '0014'


def upgrade() -> None:
    op.create_table(
        'uploads',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('reference', sa.String(length=64), nullable=False),
        sa.Column('account_id', sa.Integer(), nullable=False),
        sa.Column('filename', sa.String(length=200), nullable=False),
        sa.Column('media_type', sa.String(length=100), nullable=False),
        sa.Column('size', sa.Integer(), nullable=False),
        sa.Column('sha256', sa.String(length=64), nullable=False),
        sa.Column('storage_name', sa.String(length=64), nullable=False),
        sa.Column('kept_at', sa.DateTime(), nullable=False),
        sa.Column('used_at', sa.DateTime(), nullable=False),
        sa.Column('erased_at', sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_uploads_account_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_uploads')),
        sa.UniqueConstraint('reference', name=op.f('uq_uploads_reference')),
    )
    op.create_index(op.f('ix_uploads_account_id'), 'uploads', ['account_id'])
    op.create_index(op.f('ix_uploads_storage_name'), 'uploads', ['storage_name'])
    op.create_table(
        'upload_uses',
        sa.Column('upload_id', sa.Integer(), nullable=False),
        sa.Column('quote_id', sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(['quote_id'], ['quotes.id'], name=op.f('fk_upload_uses_quote_id')),
        sa.ForeignKeyConstraint(['upload_id'], ['uploads.id'], name=op.f('fk_upload_uses_upload_id')),
        sa.PrimaryKeyConstraint('upload_id', 'quote_id', name=op.f('pk_upload_uses')),
    )
    op.create_index(op.f('ix_upload_uses_quote_id'), 'upload_uses', ['quote_id'])


def downgrade() -> None:
    op.drop_table('upload_uses')
    op.drop_table('uploads')
