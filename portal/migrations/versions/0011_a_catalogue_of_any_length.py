"""A catalogue of any length: an index of words, counts, and how far each list was read"""

import sqlalchemy as sa
from alembic import op

revision = '0011'
down_revision = '0010'

WORD = sa.String(length=64).with_variant(sa.String(length=64, collation='C'), 'postgresql')


def upgrade() -> None:
    op.create_table('offer_words',
    sa.Column('word', WORD, nullable=False),
    sa.Column('offer_id', sa.Integer(), nullable=False),
    sa.Column('weight', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['offer_id'], ['offers.id'], name=op.f('fk_offer_words_offer_id')),
    sa.PrimaryKeyConstraint('word', 'offer_id', name=op.f('pk_offer_words'))
    )
    op.create_index(op.f('ix_offer_words_offer_id'), 'offer_words', ['offer_id'])
    op.create_table('near_words',
    sa.Column('part', WORD, nullable=False),
    sa.Column('word', WORD, nullable=False),
    sa.PrimaryKeyConstraint('part', 'word', name=op.f('pk_near_words'))
    )
    op.create_table('shelf_counts',
    sa.Column('merchant', sa.String(length=64), nullable=False),
    sa.Column('category', sa.String(length=64), nullable=False),
    sa.Column('delivery', sa.String(length=16), nullable=False),
    sa.Column('offers', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('merchant', 'category', 'delivery', name=op.f('pk_shelf_counts'))
    )
    op.create_table('catalogue_runs',
    sa.Column('merchant', sa.String(length=64), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('attempt', sa.Integer(), nullable=False),
    sa.Column('whole', sa.Boolean(), nullable=False),
    sa.Column('cursor', sa.Text(), nullable=False),
    sa.Column('listed', sa.Integer(), nullable=False),
    sa.Column('started_at', sa.DateTime(), nullable=False),
    sa.Column('ended_at', sa.DateTime(), nullable=True),
    sa.Column('problem', sa.String(length=500), nullable=False),
    sa.PrimaryKeyConstraint('merchant', name=op.f('pk_catalogue_runs'))
    )
    with op.batch_alter_table('offers') as batch_op:
        batch_op.add_column(sa.Column('run', sa.Integer(), nullable=False, server_default='0'))
    op.create_index('ix_offers_in_order', 'offers', ['removed_at', 'position', 'id'])
    op.execute(
        "INSERT INTO shelf_counts (merchant, category, delivery, offers) "
        "SELECT merchant, category, delivery, count(*) FROM offers WHERE removed_at IS NULL GROUP BY merchant, category, delivery"
    )
    # What is on sale has no words yet: every list is read again, and each offer looks changed to it.
    op.execute("UPDATE offers SET search_text = ''")


def downgrade() -> None:
    op.drop_index('ix_offers_in_order', 'offers')
    with op.batch_alter_table('offers') as batch_op:
        batch_op.drop_column('run')
    for table in ('catalogue_runs', 'shelf_counts', 'near_words', 'offer_words'):
        op.drop_table(table)
