"""Run by Alembic inside the transaction that ``Database.migrate`` opened."""

from alembic import context

from linkspan.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
context.run_migrations()
