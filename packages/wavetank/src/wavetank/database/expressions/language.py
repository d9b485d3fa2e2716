"""The guarded language: one expression, read into a tree. Nothing here is ever run as code.

ServiceNow docs: "Guarded script evaluator": literals, `+ - < !== && instanceof typeof`, `?:`, arrays, dot
access, constant indexes, calls. No variables, functions, assignments or statements.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from wavetank.database.expressions.moments import NotAllowed

# What begins a value that is an expression.
SCRIPT = "javascript:"
LONGEST = 4_000
DEEPEST = 24


@dataclass(frozen=True, slots=True)
class Literal:
    value: str | float | bool | None


@dataclass(frozen=True, slots=True)
class Name:
    name: str


@dataclass(frozen=True, slots=True)
class Listed:
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Member:
    target: Node
    name: str


@dataclass(frozen=True, slots=True)
class Index:
    target: Node
    index: int


@dataclass(frozen=True, slots=True)
class Call:
    target: Node
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class New:
    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Unary:
    sign: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Binary:
    sign: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Either:
    test: Node
    chosen: Node
    other: Node


Node = Literal | Name | Listed | Member | Index | Call | New | Unary | Binary | Either

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>\d{1,15}(?:\.\d{1,15})?)
    | (?P<text>'(?:[^'\\]|\\.)*' | "(?:[^"\\]|\\.)*")
    | (?P<word>[A-Za-z_$][A-Za-z0-9_$]*)
    | (?P<sign>!==|&&|[-+<?:.,()\[\]])
    )""",
    re.VERBOSE | re.DOTALL,
)
_CONSTANTS: dict[str, str | bool | None] = {"true": True, "false": False, "null": None, "undefined": None}
# Words of the language that guarded script has no place for.
_RESERVED = frozenset(
    [
        "var",
        "let",
        "const",
        "function",
        "return",
        "if",
        "else",
        "for",
        "while",
        "do",
        "switch",
        "case",
        "break",
        "continue",
        "throw",
        "try",
        "catch",
        "finally",
        "delete",
        "void",
        "in",
        "of",
        "this",
        "class",
        "extends",
        "import",
        "export",
        "yield",
        "await",
        "async",
        "with",
        "debugger",
    ]
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}

Token = tuple[str, str]


@lru_cache(maxsize=512)
def read(expression: str) -> Node:
    """The tree of an expression. Raises NotAllowed when it is not one in the guarded language."""
    if len(expression) > LONGEST:
        raise NotAllowed(f"an expression of more than {LONGEST} characters")
    text = expression.strip().removesuffix(";").rstrip()
    reader = _Reader(_tokens(text))
    node = reader.expression(0)
    reader.finish()
    return node


def _tokens(text: str) -> list[Token]:
    found: list[Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise NotAllowed(f"{text[position : position + 20]!r} is not guarded script")
        kind = str(match.lastgroup)
        found.append((kind, match[kind]))
        position = match.end()
    return found


class _Reader:
    """Reads tokens by recursive descent."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._position = 0
        self._rows = 0

    def finish(self) -> None:
        if self._position < len(self._tokens):
            raise NotAllowed(f"{self._tokens[self._position][1]!r} after the end of the expression")

    def expression(self, depth: int) -> Node:
        if depth > DEEPEST:
            raise NotAllowed(f"an expression nested deeper than {DEEPEST}")
        test = self._both(depth)
        if not self._take("?"):
            return test
        chosen = self.expression(depth + 1)
        self._must(":")
        return Either(test, chosen, self.expression(depth + 1))

    def _both(self, depth: int) -> Node:
        node = self._compared(depth)
        while self._take("&&"):
            node = self._nested(Binary("&&", node, self._compared(depth)))
        return node

    def _compared(self, depth: int) -> Node:
        node = self._sum(depth)
        while sign := self._taken("<", "!==", "instanceof"):
            node = self._nested(Binary(sign, node, self._sum(depth)))
        return node

    def _sum(self, depth: int) -> Node:
        node = self._signed(depth)
        while sign := self._taken("+", "-"):
            node = self._nested(Binary(sign, node, self._signed(depth)))
        return node

    def _signed(self, depth: int) -> Node:
        if sign := self._taken("-", "typeof"):
            if depth > DEEPEST:
                raise NotAllowed(f"an expression nested deeper than {DEEPEST}")
            return Unary(sign, self._signed(depth + 1))
        return self._chain(depth)

    def _chain(self, depth: int) -> Node:
        node = self._first(depth)
        links = 0
        while sign := self._taken(".", "[", "("):
            links += 1
            if links > DEEPEST:
                raise NotAllowed(f"more than {DEEPEST} calls in a row")
            if sign == ".":
                node = Member(node, self._word())
            elif sign == "[":
                node = Index(node, self._constant())
            else:
                node = Call(node, self._arguments(")", depth))
        return node

    def _first(self, depth: int) -> Node:  # noqa: PLR0911  one return a kind of token
        kind, text = self._next()
        if kind == "number":
            return Literal(float(text) if "." in text else int(text))
        if kind == "text":
            return Literal(
                re.sub(r"\\(.)", lambda each: _ESCAPES.get(each[1], each[1]), text[1:-1], flags=re.S)
            )
        if text == "(":
            node = self.expression(depth + 1)
            self._must(")")
            return node
        if text == "[":
            return Listed(self._arguments("]", depth))
        if kind != "word" or text in _RESERVED:
            raise NotAllowed(f"{text!r} is not guarded script")
        if text in _CONSTANTS:
            return Literal(_CONSTANTS[text])
        if text == "new":
            name = self._word()
            return New(name, self._arguments(")", depth) if self._take("(") else ())
        return Name(text)

    def _arguments(self, closing: str, depth: int) -> tuple[Node, ...]:
        found: list[Node] = []
        while not self._take(closing):
            if found:
                self._must(",")
            found.append(self.expression(depth + 1))
        return tuple(found)

    def _constant(self) -> int:
        kind, text = self._next()
        if kind != "number" or "." in text:
            raise NotAllowed("an index must be a constant number")
        self._must("]")
        return int(text)

    def _word(self) -> str:
        kind, text = self._next()
        if kind != "word":
            raise NotAllowed(f"{text!r} where a name belongs")
        return text

    def _nested(self, node: Node) -> Node:
        # A long row of signs is a deep tree to walk.
        self._rows += 1
        if self._rows > 10 * DEEPEST:
            raise NotAllowed("too many operators")
        return node

    def _next(self) -> Token:
        if self._position == len(self._tokens):
            raise NotAllowed("the expression ends too early")
        self._position += 1
        return self._tokens[self._position - 1]

    def _taken(self, *texts: str) -> str:
        if self._position < len(self._tokens):
            kind, text = self._tokens[self._position]
            if kind in {"sign", "word"} and text in texts:
                self._position += 1
                return text
        return ""

    def _take(self, text: str) -> bool:
        return bool(self._taken(text))

    def _must(self, text: str) -> None:
        if not self._take(text):
            raise NotAllowed(f"{text!r} is missing")
