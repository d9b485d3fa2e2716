"""What must outlive the process: rows, no policy. SQLite by default, PostgreSQL by URL."""

from linkspan.store.database import Database

__all__ = ["Database"]
