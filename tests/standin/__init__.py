"""A stand-in for incident.io: the endpoints of its public API that a sync needs, and its webhooks.

It is strict where the API is, keeps its own rules and knows nothing of the code under test. Its
shapes are judged by the official SDK (``test_shapes.py``).
"""

from tests.standin.server import StandIn

__all__ = ("StandIn",)
