"""A ledger, with lines for the charges that are there; refunds and write-offs; what is done once a day"""

import sqlalchemy as sa
from alembic import op

revision = '0006'
down_revision = '0005'

LEDGER = sa.table('ledger_lines', *(sa.column(name) for name in (
    'posting', 'order_number', 'account', 'cost_centre', 'amount_cents', 'currency')), sa.column('at', sa.DateTime))
CHARGES = sa.table('charges', *(sa.column(name) for name in (
    'id', 'key', 'order_number', 'cost_centre', 'amount_cents', 'vat_cents', 'currency')))
EVENTS = sa.table('charge_events', *(sa.column(name) for name in ('id', 'charge_id', 'event')),
                  sa.column('at', sa.DateTime))
COUNTERPARTS = {'opened': 'held', 'reserved': 'reserved', 'doubted': 'disputed', 'captured': '', 'voided': ''}
CHUNK = 2000


def upgrade() -> None:
    with op.batch_alter_table('tasks') as batch_op:
        batch_op.drop_constraint(op.f('ck_tasks_kind_known'), type_='check')
        batch_op.create_check_constraint(
            op.f('ck_tasks_kind_known'), "kind IN ('purchase', 'capture', 'void', 'refund', 'mail')")
    with op.batch_alter_table('charges') as batch_op:
        batch_op.add_column(sa.Column('cost_centre', sa.String(length=64), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('refunded_cents', sa.Integer(), nullable=False, server_default='0'))
        batch_op.drop_constraint(op.f('ck_charges_state_known'), type_='check')
        batch_op.create_check_constraint(
            op.f('ck_charges_state_known'),
            "state IN ('new', 'reserved', 'captured', 'voided', 'refunding', 'refunded', 'disputed', 'written_off')")
        batch_op.create_check_constraint(
            op.f('ck_charges_refunded_within_amount'), "refunded_cents BETWEEN 0 AND amount_cents")
    with op.batch_alter_table('charges') as batch_op:
        batch_op.alter_column('cost_centre', server_default=None)
        batch_op.alter_column('refunded_cents', server_default=None)
    op.execute("UPDATE charges SET cost_centre = COALESCE("
               "(SELECT orders.cost_centre FROM orders WHERE orders.number = charges.order_number), '')")
    _tables()
    _post_what_happened()


def _tables() -> None:
    op.create_table('ledger_lines',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('posting', sa.String(length=120), nullable=False),
    sa.Column('order_number', sa.String(length=32), nullable=False),
    sa.Column('account', sa.String(length=32), nullable=False),
    sa.Column('cost_centre', sa.String(length=64), nullable=False),
    sa.Column('amount_cents', sa.Integer(), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('at', sa.DateTime(), nullable=False),
    sa.CheckConstraint("account IN ('committed', 'held', 'reserved', 'disputed', 'expense', 'vat_recoverable', 'operator_payable', 'uncharged', 'written_off')", name=op.f('ck_ledger_lines_account_known')),
    sa.CheckConstraint('amount_cents <> 0', name=op.f('ck_ledger_lines_amount_not_zero')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_ledger_lines')),
    sa.UniqueConstraint('posting', 'account', name=op.f('uq_ledger_lines_posting_account'))
    )
    op.create_index(op.f('ix_ledger_lines_order_number'), 'ledger_lines', ['order_number'])
    op.create_table('refunds',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('key', sa.String(length=64), nullable=False),
    sa.Column('charge_id', sa.Integer(), nullable=False),
    sa.Column('order_number', sa.String(length=32), nullable=False),
    sa.Column('amount_cents', sa.Integer(), nullable=False),
    sa.Column('vat_cents', sa.Integer(), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('reason', sa.String(length=500), nullable=False),
    sa.Column('asked_by', sa.String(length=200), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('operator_ref', sa.String(length=200), nullable=False),
    sa.Column('asked_at', sa.DateTime(), nullable=False),
    sa.Column('sent_at', sa.DateTime(), nullable=True),
    sa.Column('ended_at', sa.DateTime(), nullable=True),
    sa.CheckConstraint("state IN ('asked', 'disputed', 'done', 'denied')", name=op.f('ck_refunds_state_known')),
    sa.CheckConstraint("(state IN ('asked', 'disputed')) = (ended_at IS NULL)", name=op.f('ck_refunds_ended_once')),
    sa.CheckConstraint('amount_cents > 0', name=op.f('ck_refunds_amount_positive')),
    sa.CheckConstraint('vat_cents BETWEEN 0 AND amount_cents', name=op.f('ck_refunds_vat_within_amount')),
    sa.ForeignKeyConstraint(['charge_id'], ['charges.id'], name=op.f('fk_refunds_charge_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_refunds')),
    sa.UniqueConstraint('key', name=op.f('uq_refunds_key'))
    )
    op.create_index(op.f('ix_refunds_charge_id'), 'refunds', ['charge_id'])
    op.create_index(op.f('ix_refunds_order_number'), 'refunds', ['order_number'])
    # One at a time for each charge, whoever asks.
    open_ones = sa.text("state IN ('asked', 'disputed')")
    op.create_index('uq_refunds_open', 'refunds', ['charge_id'], unique=True,
                    sqlite_where=open_ones, postgresql_where=open_ones)
    op.create_table('daily_marks',
    sa.Column('name', sa.String(length=64), nullable=False),
    sa.Column('day', sa.String(length=10), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_daily_marks'))
    )


def _post_what_happened() -> None:
    """Every move of every charge there is, as the ledger would have booked it then."""
    connection = op.get_bind()
    charges = {row.id: row for row in connection.execute(sa.select(CHARGES))}
    events = connection.execute(
        sa.select(EVENTS).where(EVENTS.c.event.in_(COUNTERPARTS)).order_by(EVENTS.c.charge_id, EVENTS.c.id)
    ).all()
    rows, against, whose, doubts = [], '', None, 0
    for event in events:
        charge = charges.get(event.charge_id)
        if charge is None:
            continue
        if charge.id != whose:
            whose, against, doubts = charge.id, '', 0
        doubts += event.event == 'doubted'
        suffix = {'reserved': f' {charge.key}', 'doubted': f' {doubts}'}.get(event.event, '')
        posting = f'{charge.order_number} {event.event}{suffix}'
        lines, after = {}, COUNTERPARTS[event.event]
        if against != after:
            lines = {against or 'committed': charge.amount_cents, after or 'committed': -charge.amount_cents}
        if event.event == 'captured':
            lines |= {'expense': charge.amount_cents - charge.vat_cents, 'vat_recoverable': charge.vat_cents,
                      'operator_payable': -charge.amount_cents}
        against = after
        rows += [{'posting': posting, 'order_number': charge.order_number, 'account': account,
                  'cost_centre': charge.cost_centre if account == 'expense' else '', 'amount_cents': cents,
                  'currency': charge.currency, 'at': event.at} for account, cents in lines.items() if cents]
    for start in range(0, len(rows), CHUNK):
        connection.execute(sa.insert(LEDGER), rows[start:start + CHUNK])
