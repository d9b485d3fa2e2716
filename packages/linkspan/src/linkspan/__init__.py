"""linkspan connects tools to ServiceNow: accounts as code, preflight, two-way sync."""

__version__ = "0.1.0"
