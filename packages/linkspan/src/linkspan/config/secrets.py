"""Secret references: ``env:NAME``, ``file:PATH``, ``keyring:SERVICE/USER``, ``store:NAME``, ``vault:PATH``.

A reference is resolved late, by the code about to use it, and only here.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Protocol

from linkspan.core.errors import SecretUnavailable

_REFERENCE = re.compile(r"(env|file|keyring|store|vault):\S.*")


class Store(Protocol):
    """Where ``store:`` references are kept."""

    def get(self, name: str) -> str | None:
        """The secret of this name, or None."""


def is_reference(text: str) -> bool:
    """Whether ``text`` has the form of a secret reference."""
    return bool(_REFERENCE.fullmatch(text))


def resolve(reference: str, *, store: Store | None = None, base: Path | None = None, where: str = "") -> str:
    """The secret that ``reference`` names.

    ``base`` is the folder that a relative ``file:`` starts from (the working directory when None).
    Raises SecretUnavailable; its text never holds a secret, nor a reference that may be one.
    """
    if not is_reference(reference):
        raise SecretUnavailable(
            "this is not a secret reference",
            where=where,
            fix="write env:NAME, file:PATH, keyring:SERVICE/USER",
        )
    kind, _, name = reference.partition(":")
    match kind:
        case "env":
            return _from_environment(name, where)
        case "file":
            return _from_file((base or Path()) / name, where)
        case "keyring":
            return _from_keyring(name, where)
        case "store":
            return _from_store(name, store, where)
    raise SecretUnavailable(
        "vault: references are not built yet", where=where, fix="use env:, file:, keyring: or store:"
    )


def _from_environment(name: str, where: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise SecretUnavailable(
            f"the environment variable {name} is not set", where=where, fix=f"export {name}=…"
        )
    return value


def _from_file(path: Path, where: str) -> str:
    """The file's text without the line break an editor leaves at the end."""
    try:
        value = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise SecretUnavailable(f"{path} cannot be read: {reason}", where=where) from error
    if not value:
        raise SecretUnavailable(f"{path} is empty", where=where, fix="write the secret into it")
    return value


def _from_store(name: str, store: Store | None, where: str) -> str:
    value = store.get(name) if store is not None else None
    if not value:
        raise SecretUnavailable(
            f"the secret store has no {name}", where=where, fix="linkspan apply makes the accounts' secrets"
        )
    return value


def _from_keyring(name: str, where: str) -> str:
    import keyring
    import keyring.errors

    service, slash, user = name.rpartition("/")
    if not slash or not service or not user:
        raise SecretUnavailable(
            f"keyring:{name} names no user", where=where, fix="write keyring:SERVICE/USER"
        )
    try:
        value = keyring.get_password(service, user)
    except keyring.errors.KeyringError as error:
        raise SecretUnavailable(f"the keyring cannot be read: {error}", where=where) from error
    if not value:
        raise SecretUnavailable(
            f"the keyring has no entry {service} for {user}", where=where, fix=f"keyring set {service} {user}"
        )
    return value
