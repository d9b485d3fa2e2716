"""A faithful local ServiceNow instance. `Instance` runs one for a test, a notebook or a script."""

from wavetank.running import Instance

__all__ = ["Instance"]
