"""Groups by their stable id; rules with dates; ceilings with VAT or without, warnings and history; delegations"""

import sqlalchemy as sa
from alembic import op

revision = '0003'
down_revision = '0002'

GROUPS = sa.table('groups', sa.column('id', sa.Integer), sa.column('key', sa.String))


def upgrade() -> None:
    op.create_table('groups',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('key', sa.String(length=1000), nullable=False),
    sa.Column('directory_id', sa.String(length=64), nullable=False),
    sa.Column('dn', sa.String(length=1000), nullable=False),
    sa.Column('name', sa.String(length=256), nullable=False),
    sa.Column('seen_at', sa.DateTime(), nullable=True),
    sa.Column('missing_since', sa.DateTime(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_groups')),
    sa.UniqueConstraint('key', name=op.f('uq_groups_key'))
    )
    # Groups were named by their DN until now; they take their id when the directory is next asked for them.
    op.execute("""
        INSERT INTO groups (key, directory_id, dn, name)
        SELECT named.group_key, '', MIN(named.group_dn), '' FROM (
            SELECT group_key, group_dn FROM rules
            UNION ALL SELECT group_key, group_dn FROM ceilings WHERE group_key <> ''
        ) AS named GROUP BY named.group_key
    """)
    op.create_table('delegations',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('delegates_id', sa.Integer(), nullable=False),
    sa.Column('target_id', sa.Integer(), nullable=False),
    sa.Column('scope_kind', sa.String(length=16), nullable=False),
    sa.Column('scope_value', sa.String(length=200), nullable=False),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.Column('ended_at', sa.DateTime(), nullable=True),
    sa.CheckConstraint("delegates_id <> target_id", name=op.f('ck_delegations_not_over_themselves')),
    sa.CheckConstraint("scope_kind IN ('all', 'category', 'merchant', 'offer')", name=op.f('ck_delegations_scope_known')),
    sa.ForeignKeyConstraint(['delegates_id'], ['groups.id'], name=op.f('fk_delegations_delegates_id')),
    sa.ForeignKeyConstraint(['target_id'], ['groups.id'], name=op.f('fk_delegations_target_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_delegations'))
    )
    op.create_index(op.f('ix_delegations_delegates_id'), 'delegations', ['delegates_id'])
    op.create_index(op.f('ix_delegations_target_id'), 'delegations', ['target_id'])
    _rules()
    _ceilings()
    with op.batch_alter_table('sessions') as batch_op:
        batch_op.add_column(sa.Column('proved_at', sa.DateTime(), nullable=True))
    op.execute("UPDATE sessions SET proved_at = created_at")
    with op.batch_alter_table('sessions') as batch_op:
        batch_op.alter_column('proved_at', existing_type=sa.DateTime(), nullable=False)
    with op.batch_alter_table('audit_entries') as batch_op:
        batch_op.add_column(sa.Column('address', sa.String(length=64), nullable=False, server_default=''))
    with op.batch_alter_table('audit_entries') as batch_op:
        batch_op.alter_column('address', server_default=None)


def _rules() -> None:
    with op.batch_alter_table('rules') as batch_op:
        batch_op.add_column(sa.Column('group_id', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('starts_at', sa.DateTime(), nullable=True))
        batch_op.add_column(sa.Column('ends_at', sa.DateTime(), nullable=True))
    op.execute("UPDATE rules SET group_id = (SELECT groups.id FROM groups WHERE groups.key = rules.group_key)")
    with op.batch_alter_table('rules') as batch_op:
        batch_op.alter_column('group_id', nullable=False)
        batch_op.drop_constraint(op.f('uq_rules_group_key_scope_kind_scope_value_right_effect'), type_='unique')
        batch_op.drop_index(op.f('ix_rules_group_key'))
        batch_op.drop_column('group_key')
        batch_op.drop_column('group_dn')
        batch_op.create_check_constraint(
            op.f('ck_rules_dates_in_order'), "starts_at IS NULL OR ends_at IS NULL OR starts_at < ends_at")
        batch_op.create_foreign_key(op.f('fk_rules_group_id'), 'groups', ['group_id'], ['id'])
        batch_op.create_index(op.f('ix_rules_group_id'), ['group_id'])


def _ceilings() -> None:
    with op.batch_alter_table('ceilings') as batch_op:
        batch_op.add_column(sa.Column('group_id', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('with_vat', sa.Boolean(), nullable=False, server_default=sa.true()))
        batch_op.add_column(sa.Column('warn_percent', sa.Integer(), nullable=False, server_default='80'))
    op.execute("UPDATE ceilings SET group_id = (SELECT groups.id FROM groups WHERE groups.key = ceilings.group_key)")
    with op.batch_alter_table('ceilings') as batch_op:
        batch_op.drop_constraint(op.f('ck_ceilings_group_named'), type_='check')
        batch_op.drop_column('group_key')
        batch_op.drop_column('group_dn')
        batch_op.alter_column('with_vat', server_default=None)
        batch_op.alter_column('warn_percent', server_default=None)
        batch_op.create_check_constraint(op.f('ck_ceilings_group_named'), "(who = 'everyone') = (group_id IS NULL)")
        batch_op.create_check_constraint(op.f('ck_ceilings_warn_percent_known'), "warn_percent BETWEEN 0 AND 100")
        batch_op.create_foreign_key(op.f('fk_ceilings_group_id'), 'groups', ['group_id'], ['id'])
        batch_op.create_index(op.f('ix_ceilings_group_id'), ['group_id'])
    op.create_table('ceiling_limits',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('ceiling_id', sa.Integer(), nullable=False),
    sa.Column('limit_cents', sa.Integer(), nullable=False),
    sa.Column('since', sa.DateTime(), nullable=False),
    sa.ForeignKeyConstraint(['ceiling_id'], ['ceilings.id'], name=op.f('fk_ceiling_limits_ceiling_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_ceiling_limits'))
    )
    op.create_index(op.f('ix_ceiling_limits_ceiling_id'), 'ceiling_limits', ['ceiling_id'])
    op.execute("INSERT INTO ceiling_limits (ceiling_id, limit_cents, since) SELECT id, limit_cents, created_at FROM ceilings")
    with op.batch_alter_table('ceiling_uses') as batch_op:
        batch_op.add_column(sa.Column('extra_cents', sa.Integer(), nullable=False, server_default='0'))
        batch_op.create_check_constraint(op.f('ck_ceiling_uses_extra_not_negative'), "extra_cents >= 0")
    with op.batch_alter_table('holds') as batch_op:
        batch_op.add_column(sa.Column('extra_cents', sa.Integer(), nullable=False, server_default='0'))
        batch_op.add_column(sa.Column('given_back_cents', sa.Integer(), nullable=False, server_default='0'))
        batch_op.create_check_constraint(op.f('ck_holds_extra_within_amount'), "extra_cents BETWEEN 0 AND amount_cents")
        batch_op.create_check_constraint(op.f('ck_holds_given_back_within_amount'), "given_back_cents BETWEEN 0 AND amount_cents")
