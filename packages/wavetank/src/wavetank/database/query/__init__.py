"""Encoded queries: the text after `sysparm_query`, parsed and compiled to SQL with bound parameters."""

from wavetank.database.expressions import Context
from wavetank.database.query.compilation import Compiled, compile, compile_query
from wavetank.database.query.parse import Condition, Order, Query, parse

__all__ = ["Compiled", "Condition", "Context", "Order", "Query", "compile", "compile_query", "parse"]
