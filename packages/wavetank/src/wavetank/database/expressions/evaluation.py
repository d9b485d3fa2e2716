"""The value of a guarded expression: its tree walked, never run."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from wavetank.database.expressions import dates, people
from wavetank.database.expressions.context import Context
from wavetank.database.expressions.language import (
    Binary,
    Call,
    Either,
    Index,
    Listed,
    Literal,
    Member,
    Name,
    New,
    Node,
    Unary,
    read,
)
from wavetank.database.expressions.moments import NotAllowed
from wavetank.database.expressions.objects import (
    STATICS,
    Value,
    bounded,
    method_of,
    nth,
    number_of,
    text_of,
    truth,
)
from wavetank.database.expressions.system import System


def evaluate(expression: str, context: Context) -> str | list[str]:
    """The value of an expression, without its `javascript:` mark: text, or a list of texts.

    Raises NotAllowed for what is not in the guarded language, or not among the APIs it may call.
    """
    try:
        value = _value(read(expression), context)
    except (OverflowError, ValueError) as error:
        if isinstance(error, NotAllowed):
            raise
        raise NotAllowed(str(error)) from error
    return [text_of(each) for each in value] if isinstance(value, list) else text_of(value)


def _value(node: Node, context: Context) -> Value:  # noqa: PLR0911, PLR0912  one arm a kind of node
    match node:
        case Literal(value):
            return value
        case Listed(items):
            return [_value(each, context) for each in items]
        case Either(test, chosen, other):
            return _value(chosen if truth(_value(test, context)) else other, context)
        case Unary(sign, operand):
            return _signed(sign, _value(operand, context))
        case Binary("&&", left, right):
            first = _value(left, context)
            return _value(right, context) if truth(first) else first
        case Binary("instanceof", left, Name(name)):
            return _is_a(_value(left, context), name)
        case Binary(sign, left, right):
            return bounded(_combined(sign, _value(left, context), _value(right, context)))
        case Index(target, index):
            row = _value(target, context)
            return nth(row, index) if isinstance(row, list | str) else None
        case Member(target, "length"):
            held = _value(target, context)
            if isinstance(held, str | list):
                return len(held)
        case New(name, arguments) if name in dates.CLASSES:
            return dates.CLASSES[name](context, _all(arguments, context))
        case Call(target, arguments):
            return _called(target, arguments, context)
        case _:
            pass
    raise NotAllowed("that name stands for nothing in guarded script")


def _all(nodes: Sequence[Node], context: Context) -> list[Value]:
    return [_value(each, context) for each in nodes]


def _signed(sign: str, value: Value) -> Value:
    return _type_of(value) if sign == "typeof" else -number_of(value)


def _type_of(value: Value) -> str:
    if value is None:
        return "undefined"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else "object"


def _is_a(value: Value, name: str) -> bool:
    if isinstance(value, list):
        return name in {"Array", "Object"}
    if value is None or isinstance(value, str | bool | int | float):
        return False
    return name in {value.kind, "Object"}


def _combined(sign: str, left: Value, right: Value) -> Value:
    if sign == "+":
        numbers = all(isinstance(each, bool | int | float) for each in (left, right))
        return number_of(left) + number_of(right) if numbers else text_of(left) + text_of(right)
    if sign == "-":
        return number_of(left) - number_of(right)
    if sign == "!==":
        same = _type_of(left) == _type_of(right) and left == right
        return not same
    if isinstance(left, str) and isinstance(right, str):
        return left < right
    one, other = number_of(left), number_of(right)
    return not (math.isnan(one) or math.isnan(other)) and one < other


def _called(target: Node, arguments: Sequence[Node], context: Context) -> Value:
    given = _all(arguments, context)
    if isinstance(target, Name) and target.name in people.LISTS:
        return people.LISTS[target.name](context)
    if isinstance(target, Member):
        if isinstance(target.target, Name):
            return _of_named(target.target.name, target.name, given, context)
        return method_of(_value(target.target, context), target.name, given)
    raise NotAllowed("guarded script has no such function")


def _of_named(name: str, method: str, given: Sequence[Value], context: Context) -> Value:
    if name == "gs":
        return bounded(System(context).call(method, given))
    if (name, method) in STATICS:
        return bounded(STATICS[name, method](given))
    if (name, method) in _PLATFORM:
        return bounded(_PLATFORM[name, method](context, given))
    raise NotAllowed(f"{name}.{method} is not allowed here")


def _property(context: Context, given: Sequence[Value]) -> str:
    row = context.first("sys_properties", name=text_of(nth(given, 0)))
    return row.get("value", text_of(nth(given, 1)))


def _extensions(context: Context, given: Sequence[Value]) -> list[Value]:
    table = text_of(nth(given, 0))
    if context.rows is None or context.rows.dictionary.table(table) is None:
        return []
    return [table, *context.rows.dictionary.descendants(table)]


def _plugin(context: Context, given: Sequence[Value]) -> bool:
    return context.first("sys_plugins", source=text_of(nth(given, 0))).get("active") == "active"


_PLATFORM: dict[tuple[str, str], Callable[[Context, Sequence[Value]], Value]] = {
    ("GlideApplicationProperty", "getValue"): _property,
    ("GlideProperties", "get"): _property,
    ("GlideSessionDebug", "disable"): lambda *_: None,
    ("GlideSessionDebug", "enable"): lambda *_: None,
    ("GlideTSDebug", "enable"): lambda *_: None,
    ("GlidePluginManager", "isActive"): _plugin,
    ("GlideJSUtil", "nil"): lambda _, given: text_of(nth(given, 0)) == "",
    ("GlideJSUtil", "notNil"): lambda _, given: text_of(nth(given, 0)) != "",
    ("GlideDomainSupport", "getCurrentDomainValueOrGlobal"): lambda *_: "global",
    ("GlideAccessibility", "isEnabled"): lambda *_: False,
    ("TableUtils", "getAllExtensions"): _extensions,
}
