"""Durable wakes: "look at this key" survives a crash and never runs twice at once for one key.

The only importer of the durable engine. An event never travels in a workflow; it waits in the
store's inbox, and a wake says which inbox to drain.
"""

from linkspan.engine.wakes import Wakes

__all__ = ["Wakes"]
