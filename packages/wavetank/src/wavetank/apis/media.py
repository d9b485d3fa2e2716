"""The two data formats of the REST APIs: which one a caller wants, and how each is read and written.

ServiceNow docs: "REST APIs", data format headers: application/json and application/xml, both ways. An answer
in XML is `<response><result>…</result></response>`, one `<result>` a record; a request is
`<request><entry>…</entry></request>`.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal
from xml.parsers import expat
from xml.sax.saxutils import escape

import msgspec
from starlette.responses import Response

from wavetank import errors
from wavetank.errors import PlatformError

Kind = Literal["json", "xml"]
JSON = "application/json;charset=UTF-8"
XML = "application/xml;charset=UTF-8"
CONTENT_TYPES: Mapping[Kind, str] = {"json": JSON, "xml": XML}
# Objects within objects; no record needs more than two.
DEEPEST = 32

_ANYTHING = frozenset({"*/*", "*", "application/*", "application/json", "text/json", "text/javascript"})
_XML = frozenset({"application/xml", "text/xml"})
# What programs name when they do not mean anything by it.
_VAGUE = frozenset({"", "*/*", "text/plain", "application/octet-stream", "binary/octet-stream"})
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NO_NAME = re.compile(r"[^\w.-]|^(?=[^A-Za-z_])", re.ASCII)


# ------------------------------------------------------------------ which format


def wanted(accept: str) -> Kind:
    """The format of the answer: of those the caller likes best, the one named first; JSON without a word.

    Raises PlatformError 406 when neither JSON nor XML is among them.
    """
    if not accept.strip(" ,;"):
        return "json"
    for media in _preferred(accept):
        if media in _ANYTHING or media.endswith("+json"):
            return "json"
        if media in _XML or (media.startswith("application/") and media.endswith("+xml")):
            return "xml"
    raise errors.not_acceptable(accept)


def _preferred(accept: str) -> Iterator[str]:
    ranked: list[tuple[float, int, str]] = []
    for index, part in enumerate(accept.split(",")):
        media, *parameters = (each.strip().lower() for each in part.split(";"))
        quality = 1.0
        for each in parameters:
            if each.startswith("q="):
                quality = _quality(each[2:])
        if quality > 0:
            ranked.append((-quality, index, media))
    return (media for _, _, media in sorted(ranked))


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 1.0


def sent(content_type: str) -> Kind:
    """The format of a request's body. Raises PlatformError 415 for one that is clearly neither."""
    media = content_type.partition(";")[0].strip().lower()
    if media in _VAGUE or media in _ANYTHING or media.endswith("+json"):
        return "json"
    if media in _XML or media.endswith("+xml"):
        return "xml"
    raise errors.unsupported_media(media)


# ------------------------------------------------------------------ writing


def answer(kind: Kind, value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A response that says a value."""
    return Response(packed(kind, value), status, dict(headers or {}), media_type=CONTENT_TYPES[kind])


def refusal(error: PlatformError, accept: str) -> tuple[bytes, bytes]:
    """Content type and body of an error answer."""
    kind = kind_for_refusal(accept)
    return CONTENT_TYPES[kind].encode(), packed(kind, error.body())


def kind_for_refusal(accept: str) -> Kind:
    """As `wanted`, but JSON where a caller takes neither: an error has to be said somehow."""
    try:
        return wanted(accept)
    except PlatformError:
        return "json"


def packed(kind: Kind, value: Mapping[str, Any]) -> bytes:
    """An answer's body."""
    return msgspec.json.encode(value) if kind == "json" else _document(value)


def _document(value: Mapping[str, Any]) -> bytes:
    parts = ['<?xml version="1.0" encoding="UTF-8"?><response>']
    for name, each in value.items():
        _element(name, each, parts)
    parts.append("</response>")
    return "".join(parts).encode()


def _element(name: str, value: Any, parts: list[str]) -> None:
    if isinstance(value, list | tuple):
        for each in value:
            _element(name, each, parts)
        return
    tag = _NO_NAME.sub("_", name) or "_"
    if isinstance(value, Mapping):
        parts.append(f"<{tag}>")
        for key, each in value.items():
            _element(str(key), each, parts)
        parts.append(f"</{tag}>")
        return
    text = _text(value)
    parts.append(f"<{tag}>{text}</{tag}>" if text else f"<{tag}/>")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = "" if value is None else str(value)
    # A carriage return that is not escaped would reach the reader as a line feed.
    return escape(_UNPRINTABLE.sub("", text), {"\r": "&#13;"})


# ------------------------------------------------------------------ reading


def record(content_type: str, body: bytes, *, single_quotes: bool = False) -> Mapping[str, Any]:
    """The first record of a request's body; {} for an empty body.

    `single_quotes`: take JSON with 'single' quotes too. Raises PlatformError 415 for another format, 400 for
    a body that cannot be read as what it says it is.
    """
    if not body.strip():
        return {}
    kind = sent(content_type)
    found = _from_xml(body, content_type) if kind == "xml" else _from_json(body, content_type, single_quotes)
    if isinstance(found, list):
        found = found[0] if found else {}
    if not isinstance(found, dict):
        raise errors.unreadable_body(f"The payload is not {'an XML' if kind == 'xml' else 'a JSON'} record")
    return found


def _from_json(body: bytes, content_type: str, single_quotes: bool) -> Any:
    text = _decoded(body, content_type)
    try:
        return _shallow(_parsed(text, single_quotes))
    except RecursionError as error:
        raise errors.unreadable_body("The payload is nested too deeply") from error
    except ValueError as error:  # msgspec's errors are ValueErrors
        raise errors.unreadable_body(f"The payload is not valid JSON: {error}") from error


def _parsed(text: bytes, single_quotes: bool) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        if not single_quotes or b"'" not in text:
            raise
    return msgspec.json.decode(_double_quoted(text.decode()))


def _decoded(body: bytes, content_type: str) -> bytes:
    """A body as UTF-8, whatever encoding it is in and says, or fails to say."""
    charset = _charset(content_type) or json.detect_encoding(body)
    try:
        if codecs.lookup(charset).name == "utf-8" and not body.startswith(codecs.BOM_UTF8):
            return body
        return body.decode(charset).removeprefix("\ufeff").encode()
    except (LookupError, UnicodeError) as error:
        raise errors.unreadable_body(f"The payload is not in the encoding {charset}: {error}") from error


def _charset(content_type: str) -> str:
    for each in content_type.split(";")[1:]:
        name, _, value = each.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"')
    return ""


def _shallow(value: Any) -> Any:
    """The value. Raises RecursionError for one with objects too deep within objects."""
    level = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return value
    raise RecursionError


_QUOTED = re.compile(r"""'((?:[^'\\]|\\.)*)'|"(?:[^"\\]|\\.)*\"""", re.DOTALL)


def _double_quoted(text: str) -> str:
    """JSON of what is JSON but for single quotes, as the samples of ServiceNow's documentation are."""

    def swap(match: re.Match[str]) -> str:
        inner = match[1]
        if inner is None:
            return match[0]
        return '"' + inner.replace("\\'", "'").replace('"', '\\"') + '"'

    return _QUOTED.sub(swap, text)


class _Reader:
    """Builds nested objects from XML events: an element with elements is an object, any other is text."""

    def __init__(self) -> None:
        self.stack: list[tuple[str, dict[str, Any], list[str]]] = []
        self.root: Any = ""

    def start(self, name: str, _attributes: Mapping[str, str]) -> None:
        if len(self.stack) >= DEEPEST:
            raise errors.unreadable_body("The payload is nested too deeply")
        self.stack.append((name.rpartition(":")[2], {}, []))

    def data(self, text: str) -> None:
        if self.stack:
            self.stack[-1][2].append(text)

    def end(self, _name: str) -> None:
        name, inner, texts = self.stack.pop()
        value: Any = inner or "".join(texts)
        if not self.stack:
            self.root = value
        elif name == "entry":
            self.stack[-1][1].setdefault(name, value)  # the first record counts
        else:
            self.stack[-1][1][name] = value

    def refuse(self, *_: Any) -> Any:
        raise errors.unreadable_body("The payload declares a document type or entities")


def _from_xml(body: bytes, content_type: str) -> Any:
    """The entry of an XML request. A document type, and with it any entity, is refused unread."""
    reader = _Reader()
    parser = expat.ParserCreate(_charset(content_type) or None)
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.data
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.EntityDeclHandler = reader.refuse
    parser.ExternalEntityRefHandler = reader.refuse
    parser.buffer_text = True
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise errors.unreadable_body(f"The payload is not valid XML: {error}") from error
    found = reader.root
    if isinstance(found, dict) and "entry" in found:
        found = found["entry"]
    return {} if isinstance(found, str) and not found.strip() else found
