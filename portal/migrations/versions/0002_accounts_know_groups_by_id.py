"""Accounts: groups with their ids, the manager, and the login as it is compared"""


import sqlalchemy as sa
from alembic import op

from portal.directory.accounts import fold_login

revision = '0002'
down_revision = '0001'

ACCOUNTS = sa.table(
    'accounts', sa.column('id', sa.Integer), sa.column('login', sa.String), sa.column('login_key', sa.String),
    sa.column('groups', sa.JSON),
)


def upgrade() -> None:
    with op.batch_alter_table('accounts') as batch_op:
        batch_op.add_column(sa.Column('manager', sa.String(length=1000), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('login_key', sa.String(length=256), nullable=False, server_default=''))
    connection = op.get_bind()
    for row in connection.execute(sa.select(ACCOUNTS.c.id, ACCOUNTS.c.login, ACCOUNTS.c.groups)).all():
        groups = [{'dn': dn, 'id': '', 'name': ''} for dn in row.groups]
        connection.execute(
            ACCOUNTS.update().where(ACCOUNTS.c.id == row.id).values(groups=groups, login_key=fold_login(row.login)))
    with op.batch_alter_table('accounts') as batch_op:
        batch_op.alter_column('manager', existing_type=sa.String(length=1000), server_default=None)
        batch_op.alter_column('login_key', existing_type=sa.String(length=256), server_default=None)
        batch_op.drop_index(op.f('ix_accounts_login'))
        batch_op.create_index(op.f('ix_accounts_login_key'), ['login_key'])
