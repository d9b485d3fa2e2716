"""Secrets that linkspan made, in one encrypted file beside the database.

The file is one Fernet token over a JSON object ``{name: {"value": …, "pending": …}}``. Its key is
``LINKSPAN_KEY`` or lies in the OS keyring, never beside the file.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from linkspan.core.errors import SecretUnavailable

KEY_VARIABLE = "LINKSPAN_KEY"
MAKE_KEY = (
    f"export {KEY_VARIABLE}=$(python3 -c "
    '"import base64,os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())")'
)
_KEYRING_SERVICE = "linkspan"


class _Entry(msgspec.Struct, omit_defaults=True):
    value: str | None = None
    pending: str | None = None


class SecretStore:
    """Named secrets; safe for several threads and processes at once.

    A secret that was just generated is put as pending before it is sent anywhere, and confirmed once
    it has worked; until then the value it will replace is kept.
    """

    def __init__(self, home: Path) -> None:
        self._file = home / "secrets"
        self._lock_file = home / "secrets.lock"
        self._home = home

    def get(self, name: str) -> str | None:
        """The value to use: the confirmed one, or the pending one when nothing is confirmed yet."""
        entry = self._read().get(name)
        if entry is None:
            return None
        return entry.value if entry.value is not None else entry.pending

    def newest(self, name: str) -> str | None:
        """The value put last, confirmed or not: what a change that was interrupted goes on with."""
        entry = self._read().get(name)
        if entry is None:
            return None
        return entry.pending if entry.pending is not None else entry.value

    def is_pending(self, name: str) -> bool:
        """Whether a value waits to be confirmed."""
        entry = self._read().get(name)
        return entry is not None and entry.pending is not None

    def put(self, name: str, value: str, *, pending: bool = False) -> None:
        """Keep ``value``; on disk when this returns. A pending value leaves the confirmed one in place."""
        with self._changing() as entries:
            entry = entries.setdefault(name, _Entry())
            if pending:
                entry.pending = value
            else:
                entry.value, entry.pending = value, None

    def confirm(self, name: str) -> None:
        """The pending value has worked: it becomes the confirmed one. Raises SecretUnavailable if none."""
        with self._changing() as entries:
            entry = entries.get(name)
            if entry is None or entry.pending is None:
                raise SecretUnavailable(f"no pending value of {name} waits", where=str(self._file))
            entry.value, entry.pending = entry.pending, None

    def discard(self, name: str) -> None:
        """Forget the pending value."""
        with self._changing() as entries:
            entry = entries.get(name)
            if entry is not None:
                entry.pending = None
                if entry.value is None:
                    del entries[name]

    def remove(self, name: str) -> None:
        """Forget the secret altogether."""
        with self._changing() as entries:
            entries.pop(name, None)

    def revision(self) -> tuple[int, int]:
        """Another value after every change; zeros while there is no store."""
        try:
            found = self._file.stat()
        except FileNotFoundError:
            return (0, 0)
        return (found.st_mtime_ns, found.st_ino)

    def names(self) -> tuple[str, ...]:
        """Names of all secrets, sorted."""
        return tuple(sorted(self._read()))

    @contextmanager
    def _changing(self) -> Iterator[dict[str, _Entry]]:
        """The entries under an exclusive lock, written back when the block ends well."""
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            entries = self._read(make_key=True)
            yield entries
            self._write(entries)
        finally:
            os.close(descriptor)

    def _read(self, *, make_key: bool = False) -> dict[str, _Entry]:
        try:
            sealed = self._file.read_bytes()
        except FileNotFoundError:
            if make_key:
                self._cipher(make_key=True)  # refuse before anything is generated or sent
            return {}
        try:
            return msgspec.json.decode(self._cipher().decrypt(sealed), type=dict[str, _Entry])
        except (InvalidToken, msgspec.DecodeError) as error:
            raise SecretUnavailable(
                "the secret store cannot be opened with this key",
                where=str(self._file),
                fix=f"set {KEY_VARIABLE} to the key it was made with",
            ) from error

    def _write(self, entries: dict[str, _Entry]) -> None:
        """Replace the file so that a crash leaves the old or the new one, never half of it."""
        sealed = self._cipher(make_key=True).encrypt(msgspec.json.encode(entries))
        descriptor, name = tempfile.mkstemp(prefix="secrets.", dir=self._home)  # made with mode 0600
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(sealed)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self._file)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        folder = os.open(self._home, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _cipher(self, *, make_key: bool = False) -> MultiFernet:
        text = os.environ.get(KEY_VARIABLE, "").strip()
        if text:
            return MultiFernet([_fernet(part.strip()) for part in text.split(",")])
        return MultiFernet([_fernet(self._keyring_key(make_key=make_key))])

    def _keyring_key(self, *, make_key: bool) -> str:
        """The key in the OS keyring, made there when it is first needed."""
        import keyring
        import keyring.errors

        # A backend below 1 is no keyring at all or a plain text file.
        try:
            if keyring.get_keyring().priority >= 1:
                user = f"store-key:{self._home.absolute()}"
                key = keyring.get_password(_KEYRING_SERVICE, user)
                if key is None and make_key and not self._file.exists():
                    key = Fernet.generate_key().decode()
                    keyring.set_password(_KEYRING_SERVICE, user, key)
                if key is not None:
                    return key
        except keyring.errors.KeyringError as error:
            raise SecretUnavailable(
                f"the OS keyring cannot be used ({error}) and {KEY_VARIABLE} is not set", fix=MAKE_KEY
            ) from error
        raise SecretUnavailable(
            f"the secret store has no key: {KEY_VARIABLE} is not set and the OS keyring holds none",
            where=str(self._file),
            fix=f"{MAKE_KEY}   (and keep the key somewhere safe)",
        )


def _fernet(text: str) -> Fernet:
    """A cipher from base64 (either alphabet) of 32 bytes."""
    try:
        raw = base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 32:
        # Not chained: the failed text is a key, or part of one.
        raise SecretUnavailable(f"{KEY_VARIABLE} is not base64 of 32 bytes", fix=MAKE_KEY) from None
    return Fernet(base64.urlsafe_b64encode(raw))
