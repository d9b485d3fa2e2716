"""The content of attached files: taken as it comes, kept compressed in pieces, given back piece by piece.

A file is one gzip stream, cut into pieces; each piece is a row of sys_attachment_doc with its base64 text,
its length in bytes and its position (exported attachments look so). No file is ever whole in memory.
"""

from __future__ import annotations

import hashlib
import tempfile
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wavetank.database.store import Database

CHUNK = 700_000  # bytes of a piece: the chunk_size_bytes recorded on developer instances
PIECES = "sys_attachment_doc"
ATTRIBUTES = "sys_attachment_attribute"
_IN_MEMORY = 1024 * 1024
_STEP = 256 * 1024
_GZIP = 31


class TooBig(Exception):
    """A file above the limit it was given: what had come by then, and what is allowed, in bytes."""

    def __init__(self, size: int, allowed: int) -> None:
        super().__init__(f"{size} bytes of {allowed}")
        self.size = size
        self.allowed = allowed


@dataclass(frozen=True, slots=True)
class Content:
    """What is known of a whole file: sizes in bytes, before and after compression, and its SHA-256 in hex."""

    size: int
    compressed: int
    hash: str


class Spool:
    """Takes a file in any pieces and holds it compressed, on disk beyond a megabyte. Close it."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._hash = hashlib.sha256()
        self._packer: zlib._Compress | None = None
        self._held = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  closed by its owner

    def write(self, data: bytes) -> None:
        """Takes the next bytes. Raises TooBig beyond the limit."""
        self._size += len(data)
        if self._size > self._limit:
            raise TooBig(self._size, self._limit)
        for start in range(0, len(data), _STEP):
            step = data[start : start + _STEP]
            self._hash.update(step)
            self._packer = self._packer or _packer(step)
            self._held.write(self._packer.compress(step))

    def finish(self) -> Content:
        """Says what the file is, once nothing more comes. Call it once."""
        self._held.write((self._packer or _packer(b"")).flush())
        return Content(self._size, self._held.tell(), self._hash.hexdigest())

    def pieces(self) -> Iterator[bytes]:
        """The compressed file, cut into pieces."""
        self._held.seek(0)
        while piece := self._held.read(CHUNK):
            yield piece

    def close(self) -> None:
        self._held.close()


def _packer(sample: bytes) -> zlib._Compress:
    """Made for a file that begins so: what gets no smaller is only wrapped, at many times the speed."""
    level = 1 if len(zlib.compress(sample, 1)) < len(sample) * 0.97 else 0
    return zlib.compressobj(level, zlib.DEFLATED, _GZIP)


def keep(database: Database, attachment: str, spool: Spool) -> None:
    """Writes the pieces of a finished spool as the content of an attachment."""
    rows = (
        {
            "sys_attachment": attachment,
            "position": str(position),
            "length": str(len(piece)),
            "data": b64encode(piece).decode(),
        }
        for position, piece in enumerate(spool.pieces())
    )
    database.insert_many(PIECES, rows)


def piece_ids(database: Database, attachment: str) -> list[str]:
    """The sys_ids of an attachment's pieces, in order."""
    sql = (
        f'SELECT "sys_id" FROM "{PIECES}" WHERE "sys_attachment" = ?'  # noqa: S608  a constant
        ' ORDER BY CAST("position" AS INTEGER)'
    )
    return [each[0] for each in database.execute(sql, [attachment])]


class Reader:
    """Gives back an attachment's file. Between two pieces others may write, even delete it."""

    def __init__(self, database: Database, attachment: str, *, compressed: bool) -> None:
        self._database = database
        self._waiting = piece_ids(database, attachment)[::-1]
        self._unpacker = zlib.decompressobj(_GZIP) if compressed else None

    def next_piece(self) -> bytes:
        """The next stored piece, as it is kept; empty at the end. Raises LookupError when it has gone."""
        if not self._waiting:
            return b""
        row = self._database.get(PIECES, self._waiting.pop())
        if row is None:
            raise LookupError("the attachment was deleted while it was read")
        return b64decode(row["data"])

    def unpacked(self, piece: bytes) -> Iterator[bytes]:
        """What a stored piece adds to the file, in bounded steps. Raises zlib.error for foreign bytes."""
        if self._unpacker is None:
            yield piece
            return
        while piece and not self._unpacker.eof:
            yield self._unpacker.decompress(piece, _STEP)
            piece = self._unpacker.unconsumed_tail


def drop_content(database: Database, attachment: str) -> None:
    """Deletes the pieces and the attributes of an attachment that goes."""
    for table, field in ((PIECES, "sys_attachment"), (ATTRIBUTES, "attachment")):
        sql = f'SELECT "sys_id" FROM "{table}" WHERE "{field}" = ?'  # noqa: S608  constants
        for (sys_id,) in database.execute(sql, [attachment]).fetchall():
            database.delete(table, sys_id)
