"""What costs nothing; and what a price is for: an act, a time, a pack of units, a period of a subscription"""

import sqlalchemy as sa
from alembic import op

revision = '0012'
down_revision = '0011'

STATES = "'new', 'reserved', 'captured', 'voided', 'refunding', 'refunded', 'disputed', 'written_off'"


def upgrade() -> None:
    for table in ('quotes', 'orders'):
        with op.batch_alter_table(table) as batch_op:
            batch_op.drop_constraint(op.f(f'ck_{table}_price_positive'), type_='check')
            batch_op.create_check_constraint(op.f(f'ck_{table}_price_not_negative'), 'gross_cents >= 0')
    with op.batch_alter_table('charges') as batch_op:
        batch_op.drop_constraint(op.f('ck_charges_amount_positive'), type_='check')
        batch_op.create_check_constraint(op.f('ck_charges_amount_not_negative'), 'amount_cents >= 0')
        batch_op.create_check_constraint(
            op.f('ck_charges_nothing_is_free'), "amount_cents > 0 OR state IN ('new', 'free')")
        batch_op.drop_constraint(op.f('ck_charges_state_known'), type_='check')
        batch_op.create_check_constraint(op.f('ck_charges_state_known'), f"state IN ({STATES}, 'free')")
    with op.batch_alter_table('offers') as batch_op:
        batch_op.add_column(sa.Column('pricing', sa.String(length=16), nullable=False, server_default='act'))
        batch_op.add_column(sa.Column('term', sa.String(length=16), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('units', sa.Integer(), nullable=False, server_default='0'))
        batch_op.add_column(sa.Column('packs', sa.JSON(), nullable=False, server_default='[]'))


def downgrade() -> None:
    with op.batch_alter_table('offers') as batch_op:
        for name in ('pricing', 'term', 'units', 'packs'):
            batch_op.drop_column(name)
    with op.batch_alter_table('charges') as batch_op:
        batch_op.drop_constraint(op.f('ck_charges_state_known'), type_='check')
        batch_op.create_check_constraint(op.f('ck_charges_state_known'), f"state IN ({STATES})")
        batch_op.drop_constraint(op.f('ck_charges_nothing_is_free'), type_='check')
        batch_op.drop_constraint(op.f('ck_charges_amount_not_negative'), type_='check')
        batch_op.create_check_constraint(op.f('ck_charges_amount_positive'), 'amount_cents > 0')
    for table in ('quotes', 'orders'):
        with op.batch_alter_table(table) as batch_op:
            batch_op.drop_constraint(op.f(f'ck_{table}_price_not_negative'), type_='check')
            batch_op.create_check_constraint(op.f(f'ck_{table}_price_positive'), 'gross_cents > 0')
