"""The hub over HTTP: JSON under ``/api``, its guard, and the application that pages hang in."""

from linkspan.api.access import Access
from linkspan.api.app import create_app

__all__ = ["Access", "create_app"]
