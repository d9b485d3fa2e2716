"""What an application registry entry gets by itself when it is inserted."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wavetank.behaviour.change import Change


def register(change: "Change") -> None:
    """A client id, and a secret unless the client is public; what the caller gives stands.

    The secret can be read only sealed, so a caller who needs it chooses it (measured on developer
    instances); a human would read a generated one in the form.
    """
    ids, row = change.instance.ids, change.row
    if not row["client_id"]:
        row["client_id"] = ids.hex(32)
    if not row["client_secret"] and row["public_client"] != "true":
        row["client_secret"] = change.instance.seal.seal(ids.hex(24))
