"""Reads a multipart form as it comes: first fields, at last one file, which is passed on unheld."""

from __future__ import annotations

from collections.abc import Callable

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

LARGEST_FIELD = 64 * 1024


class Unreadable(Exception):
    """Not a multipart form, or one that breaks off."""


class Form:
    """Feed it the body. `begin` hears fields, file name and type of the first file, then `take` its bytes.

    What follows the file is not looked at: the file is the last part.
    """

    def __init__(
        self,
        content_type: str,
        begin: Callable[[dict[str, str], str, str], None],
        take: Callable[[bytes], None],
    ) -> None:
        """Raises Unreadable for another media type, and for one with a charset, which no form has."""
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or b"boundary" not in options or b"charset" in options:
            raise Unreadable(content_type)
        self._begin, self._take = begin, take
        self._fields: dict[str, str] = {}
        self._headers: dict[bytes, bytes] = {}
        self._name, self._value = b"", b""
        self._field: str | None = None
        self._held = b""
        self._in_file = self._had_file = self._ended = False
        self._parser = MultipartParser(
            options[b"boundary"],
            {
                "on_part_begin": self._part_begins,
                "on_header_field": self._header_name,
                "on_header_value": self._header_value,
                "on_header_end": self._header_ends,
                "on_headers_finished": self._headers_end,
                "on_part_data": self._part_data,
                "on_part_end": self._part_ends,
                "on_end": self._form_ends,
            },
        )

    def feed(self, data: bytes) -> None:
        """Takes the next bytes. Raises Unreadable, and whatever `begin` and `take` raise."""
        try:
            self._parser.write(data)
        except MultipartParseError as error:
            raise Unreadable(str(error)) from error

    def end(self) -> None:
        """Raises Unreadable when the form is not over."""
        if not self._ended:
            raise Unreadable("the form breaks off")

    def _part_begins(self) -> None:
        self._headers, self._field, self._held, self._in_file = {}, None, b"", False

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_ends(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name, self._value = b"", b""

    def _headers_end(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        if b"filename" in options:
            if not self._had_file:
                self._in_file = self._had_file = True
                content_type = self._headers.get(b"content-type", b"").decode("latin-1")
                self._begin(self._fields, options[b"filename"].decode("utf-8", "replace"), content_type)
        elif not self._had_file:
            self._field = options.get(b"name", b"").decode("utf-8", "replace")

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._take(data[start:end])
        elif self._field is not None:
            self._held += data[start:end]
            if len(self._held) > LARGEST_FIELD:
                raise Unreadable(f"the field {self._field} is too long")

    def _part_ends(self) -> None:
        if self._field:
            self._fields[self._field] = self._held.decode("utf-8", "replace")
        self._in_file = False

    def _form_ends(self) -> None:
        self._ended = True
