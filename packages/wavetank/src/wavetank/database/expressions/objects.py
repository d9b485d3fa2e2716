"""What an expression can hold, and the built-in methods of strings, arrays and numbers.

ServiceNow docs: "JavaScript APIs supported by guarded script", the part on JavaScript's own objects.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Sequence
from typing import Protocol

from wavetank.database.expressions.moments import NotAllowed

# No field holds more; an expression that grows beyond is refused.
LONGEST_VALUE = 100_000


class Thing(Protocol):
    """An object of the platform's: it answers to the methods it is allowed."""

    kind: str

    def call(self, method: str, arguments: Sequence[Value]) -> Value:
        """What a method answers. Raises NotAllowed for one that is not on the list."""
        ...


Value = str | float | bool | None | list["Value"] | Thing
Method = Callable[[Sequence[Value]], Value]


def text_of(value: Value) -> str:
    """A value as text: what JavaScript's `String()` gives, with "" for what is not there."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(text_of(each) for each in value)
    if isinstance(value, int | float):
        return str(int(value)) if math.isfinite(value) and value == int(value) else str(value)
    return text_of(value.call("toString", ()))


def number_of(value: Value) -> float:
    """A value as a number; NaN for what is none."""
    if isinstance(value, bool | int | float):
        return float(value)
    text = text_of(value).strip()
    try:
        return float(text) if text else 0.0
    except ValueError:
        return math.nan


def whole(value: Value, default: int = 0) -> int:
    """A value as a whole number within reason."""
    number = number_of(value)
    return int(max(-(10**9), min(10**9, number))) if math.isfinite(number) else default


def truth(value: Value) -> bool:
    """Whether JavaScript takes a value for true."""
    if isinstance(value, float) and math.isnan(value):
        return False
    return (
        value is not None and value is not False and value != "" and (value != 0 or isinstance(value, list))
    )


def bounded(value: Value) -> Value:
    """The value itself. Raises NotAllowed when it has grown beyond all fields."""
    size = len(value) if isinstance(value, str | list) else 0
    if size > LONGEST_VALUE:
        raise NotAllowed("the expression's value is too long")
    return value


def nth(arguments: Sequence[Value], index: int, default: Value = None) -> Value:
    """An argument, or the default when it was not given."""
    return arguments[index] if index < len(arguments) else default


def _slice(items: str, arguments: Sequence[Value]) -> tuple[int, int]:
    size = len(items)
    start = whole(nth(arguments, 0, 0))
    stop = whole(nth(arguments, 1, size), size)
    start = max(0, start + size) if start < 0 else min(start, size)
    stop = max(0, stop + size) if stop < 0 else min(stop, size)
    return start, max(start, stop)


def _substring(text: str, arguments: Sequence[Value]) -> str:
    size = len(text)
    one = min(max(whole(nth(arguments, 0, 0)), 0), size)
    two = min(max(whole(nth(arguments, 1, size), size), 0), size)
    return text[min(one, two) : max(one, two)]


def _substr(text: str, arguments: Sequence[Value]) -> str:
    start = whole(nth(arguments, 0, 0))
    start = max(0, start + len(text)) if start < 0 else start
    return text[start : start + max(0, whole(nth(arguments, 1, len(text)), 0))]


def _at(text: str, index: int) -> str:
    return text[index] if 0 <= index < len(text) else ""


def _code(text: str, index: int) -> float:
    return ord(text[index]) if 0 <= index < len(text) else math.nan


def _signed_at(text: str, index: int) -> Value:
    return text[index] if -len(text) <= index < len(text) else None


def _split(text: str, arguments: Sequence[Value]) -> list[Value]:
    mark = nth(arguments, 0)
    if mark is None:
        return [text]
    return [*text] if mark == "" else [*text.split(text_of(mark))]


def _normal(text: str, form: str) -> str:
    if form not in {"NFC", "NFD", "NFKC", "NFKD"}:
        raise NotAllowed(f"{form!r} is no normal form")
    return unicodedata.normalize(form, text)  # type: ignore[arg-type]


STRING: dict[str, Callable[[str, Sequence[Value]], Value]] = {
    "at": lambda text, given: _signed_at(text, whole(nth(given, 0, 0))),
    "charAt": lambda text, given: _at(text, whole(nth(given, 0, 0))),
    "charCodeAt": lambda text, given: _code(text, whole(nth(given, 0, 0))),
    "codePointAt": lambda text, given: _code(text, whole(nth(given, 0, 0))),
    "concat": lambda text, given: text + "".join(text_of(each) for each in given),
    "endsWith": lambda text, given: text.endswith(text_of(nth(given, 0, "undefined"))),
    "includes": lambda text, given: text_of(nth(given, 0, "undefined")) in text,
    "indexOf": lambda text, given: text.find(text_of(nth(given, 0, "undefined"))),
    "lastIndexOf": lambda text, given: text.rfind(text_of(nth(given, 0, "undefined"))),
    "normalize": lambda text, given: _normal(text, text_of(nth(given, 0, "NFC"))),
    "replace": lambda text, given: text.replace(text_of(nth(given, 0)), text_of(nth(given, 1)), 1),
    "replaceAll": lambda text, given: text.replace(text_of(nth(given, 0)), text_of(nth(given, 1))),
    "slice": lambda text, given: text[slice(*_slice(text, given))],
    "split": _split,
    "startsWith": lambda text, given: text.startswith(text_of(nth(given, 0, "undefined"))),
    "substr": _substr,
    "substring": _substring,
    "toLocaleLowerCase": lambda text, _: text.lower(),
    "toLocaleUpperCase": lambda text, _: text.upper(),
    "toLowerCase": lambda text, _: text.lower(),
    "toString": lambda text, _: text,
    "toUpperCase": lambda text, _: text.upper(),
    "trim": lambda text, _: text.strip(),
    "trimEnd": lambda text, _: text.rstrip(),
    "trimStart": lambda text, _: text.lstrip(),
    "valueOf": lambda text, _: text,
}


def _flat(items: list[Value]) -> list[Value]:
    return [each for item in items for each in (item if isinstance(item, list) else [item])]


def _index(items: list[Value], wanted: Value) -> int:
    return next((place for place, each in enumerate(items) if each == wanted), -1)


def _last_index(items: list[Value], wanted: Value) -> int:
    return next((place for place in range(len(items) - 1, -1, -1) if items[place] == wanted), -1)


def _part(items: list[Value], given: Sequence[Value]) -> list[Value]:
    start = None if nth(given, 0) is None else whole(nth(given, 0))
    stop = None if nth(given, 1) is None else whole(nth(given, 1))
    return items[start:stop]


ARRAY: dict[str, Callable[[list[Value], Sequence[Value]], Value]] = {
    "concat": lambda items, given: [*items, *_flat([*given])],
    "entries": lambda items, _: [[place, each] for place, each in enumerate(items)],
    "flat": lambda items, _: _flat(items),
    "includes": lambda items, given: _index(items, nth(given, 0)) >= 0,
    "indexOf": lambda items, given: _index(items, nth(given, 0)),
    "join": lambda items, given: text_of(nth(given, 0, ",")).join(text_of(each) for each in items),
    "keys": lambda items, _: [*range(len(items))],
    "lastIndexOf": lambda items, given: _last_index(items, nth(given, 0)),
    "slice": _part,
    "toString": lambda items, _: text_of(items),
    "values": lambda items, _: items,
}


def _digits(value: Value) -> int:
    places = whole(value)
    if not 0 <= places <= 100:
        raise NotAllowed("between 0 and 100 digits")
    return places


NUMBER: dict[str, Callable[[float, Sequence[Value]], Value]] = {
    "toExponential": lambda number, given: f"{number:.{_digits(nth(given, 0, 6))}e}",
    "toFixed": lambda number, given: f"{number:.{_digits(nth(given, 0, 0))}f}",
    "toLocaleString": lambda number, _: f"{number:,}",
    "toPrecision": lambda number, given: f"{number:.{max(1, _digits(nth(given, 0, 6)))}g}",
    "toString": lambda number, _: text_of(number),
    "valueOf": lambda number, _: number,
}


def _parsed_integer(value: Value) -> float:
    text = text_of(value).strip()
    sign = "-" if text.startswith("-") else ""
    digits = text.removeprefix("-")
    end = next((place for place, each in enumerate(digits) if not "0" <= each <= "9"), len(digits))
    return float(sign + digits[:end]) if 0 < end < 300 else math.nan


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


STATICS: dict[tuple[str, str], Method] = {
    ("Array", "isArray"): lambda given: isinstance(nth(given, 0), list),
    ("Array", "of"): lambda given: [*given],
    ("Object", "is"): lambda given: nth(given, 0) == nth(given, 1),
    ("String", "fromCharCode"): lambda given: "".join(chr(whole(each) % 0xD800) for each in given),
    ("String", "fromCodePoint"): lambda given: "".join(chr(whole(each) % 0xD800) for each in given),
    ("Number", "isFinite"): lambda given: _is_number(nth(given, 0)) and math.isfinite(number_of(given[0])),
    ("Number", "isInteger"): lambda given: _is_number(nth(given, 0)) and number_of(given[0]).is_integer(),
    ("Number", "isNaN"): lambda given: _is_number(nth(given, 0)) and math.isnan(number_of(given[0])),
    ("Number", "isSafeInteger"): lambda given: (
        _is_number(nth(given, 0)) and number_of(given[0]).is_integer() and abs(number_of(given[0])) < 2**53
    ),
    ("Number", "parseFloat"): lambda given: number_of(nth(given, 0)),
    ("Number", "parseInt"): lambda given: _parsed_integer(nth(given, 0)),
}


def method_of(value: Value, name: str, arguments: Sequence[Value]) -> Value:
    """What a method of a value answers. Raises NotAllowed for one that guarded script does not have."""
    if isinstance(value, str) and name in STRING:
        return bounded(STRING[name](value, arguments))
    if isinstance(value, list) and name in ARRAY:
        return bounded(ARRAY[name](value, arguments))
    if isinstance(value, bool) and name in {"toString", "valueOf"}:
        return text_of(value) if name == "toString" else value
    if isinstance(value, int | float) and not isinstance(value, bool) and name in NUMBER:
        return NUMBER[name](value, arguments)
    if value is None or isinstance(value, str | list | bool | int | float):
        raise NotAllowed(f"{name} is not allowed here")
    return bounded(value.call(name, arguments))
