"""What Alembic runs: migrations on the connection that `schema.py` hands over."""

from alembic import context

from portal.migrations.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata(),
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
