"""Operators on text, and the text search.

ServiceNow docs: "Operators available for filters and queries", "Encoded query strings".
"""

from __future__ import annotations

from wavetank.database.dictionary import Field
from wavetank.database.query.comparing import negated
from wavetank.database.query.scope import NEVER, Builder, Param, Scope, Sql, class_condition, either, joined
from wavetank.database.query.values import values_of
from wavetank.database.references import Column

LIKE = "LIKE ? ESCAPE '\\'"
# SQLite refuses patterns of more than 50,000 bytes; no field holds so much.
LONGEST_PATTERN = 12_000
_SEARCHED = frozenset(
    {"string", "html", "translated_html", "translated_text", "translated_field", "multi_two_lines"}
    | {"email", "url", "ph_number", "wiki_text"}
)
_MOST_COLUMNS = 40
_MOST_WORDS = 20


def like(before: str, after: str, *, unlike: bool = False) -> Builder:
    """A pattern in the text of a field; a reference is searched by what it shows."""

    def build(scope: Scope, column: Column, text: str) -> Sql:
        shown = column
        if column.field.is_reference and not column.field.is_journal:
            shown = scope.source.display(column)
        found = [pattern(shown, f"{before}{escaped(each)}{after}") for each in values_of(scope, column, text)]
        sql = either(found) if found else NEVER
        return negated(scope, shown, (f"NOT ({sql[0]})", sql[1])) if unlike else sql

    return build


def pattern(column: Column, wanted: str) -> Sql:
    """A field that is like a pattern."""
    if len(wanted) > LONGEST_PATTERN:
        return NEVER
    return f"{column.sql} {LIKE}", [wanted]


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def searched(scope: Scope, text: str, *, any_word: bool) -> Sql | None:
    """The text search: records with every word in one of their texts, or in a journal.

    With `any_word`, records with any of the words when no record has them all.
    """
    words = _words(text)
    names = [field.name for field in scope.source.table.fields.values() if _is_text(field)][:_MOST_COLUMNS]
    if not words or not names:
        return None
    for name in names:
        scope.column(name)
    every = _in_texts(scope, names, words, "AND")
    if not any_word or len(words) == 1:
        return every
    inner = scope.within(scope.source.table.name)
    assert inner is not None
    found = _in_texts(inner, names, words, "AND")
    terms, params = class_condition(inner)
    where = joined([*terms, found[0]], "AND")
    some = _in_texts(scope, names, words, "OR")
    nothing = f"NOT EXISTS (SELECT 1 {inner.source.sql} WHERE {where})"
    return f"({every[0]} OR ({nothing} AND {some[0]}))", [*every[1], *params, *found[1], *some[1]]


def _words(text: str) -> list[str]:
    words: list[str] = []
    for place, part in enumerate(text.split('"')):
        words += [part.strip()] if place % 2 else part.split()
    return [word.strip("*%") for word in words if word.strip("*%")][:_MOST_WORDS]


def _is_text(field: Field) -> bool:
    return field.type in _SEARCHED and not field.choice and not field.name.startswith("sys_")


def _in_texts(scope: Scope, names: list[str], words: list[str], word: str) -> Sql:
    return either([_word_in_texts(scope, names, each) for each in words], word)


def _word_in_texts(scope: Scope, names: list[str], word: str) -> Sql:
    wanted = f"%{escaped(word)}%"
    parts = [f'{scope.source.name}."{name}" {LIKE}' for name in names]
    params: list[Param] = [wanted] * len(parts)
    journals = [field.name for field in scope.source.table.fields.values() if field.is_journal]
    if journals and scope.dictionary.table("sys_journal_field"):
        entries = f'SELECT j."element_id" FROM "sys_journal_field" j WHERE j."value" {LIKE}'  # noqa: S608  a constant
        parts.append(f"{scope.key} IN ({entries})")
        params.append(wanted)
    return joined(parts, "OR"), params
