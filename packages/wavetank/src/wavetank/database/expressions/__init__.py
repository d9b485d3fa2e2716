"""`javascript:` values in queries and defaults: the small guarded language that newer releases allow.

One expression of literals, a few signs, and calls on allow-listed objects, read and computed here; it is
never run as code (ServiceNow docs: "Guarded script evaluator", "JavaScript APIs supported by guarded
script").
"""

from wavetank.database.expressions.context import Context, Rows
from wavetank.database.expressions.evaluation import evaluate
from wavetank.database.expressions.language import SCRIPT
from wavetank.database.expressions.moments import (
    FORMAT,
    NotAllowed,
    end,
    floor,
    shift,
    to_local,
    to_utc,
    zone,
)

__all__ = [
    "FORMAT",
    "SCRIPT",
    "Context",
    "NotAllowed",
    "Rows",
    "end",
    "evaluate",
    "floor",
    "shift",
    "to_local",
    "to_utc",
    "zone",
]
