"""What an instance allows to be attached, and by whom.

ServiceNow docs: "Configure attachment system properties", "Maximum allowed attachment size",
"Attachment API".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wavetank import errors
from wavetank.apis.attachment import refusals

if TYPE_CHECKING:
    from wavetank.instance import Instance
    from wavetank.security.who import Session

MEGABYTE = 1_048_576
_DEFAULT_SIZE = 1024


def max_size(instance: Instance) -> int:
    """How large a file may be, in bytes."""
    return int(instance.number("com.glide.attachment.max_size", _DEFAULT_SIZE) * MEGABYTE)


def check_name(instance: Instance, name: str) -> None:
    """Raises PlatformError 400 for a file whose extension is not allowed. An empty list allows all."""
    allowed = _listed(instance.property("glide.attachment.extensions"))
    extension = name.rpartition(".")[2].lower() if "." in name else ""
    if allowed and extension not in {each.lstrip(".").lower() for each in allowed}:
        raise refusals.extension_refused(extension)


def check_role(instance: Instance, session: Session) -> None:
    """Raises PlatformError 403 when only roles that the session lacks may attach files."""
    roles = _listed(instance.property("glide.attachment.role"))
    if roles and "public" not in roles and not any(session.has_role(role) for role in roles):
        raise errors.write_refused("insert")


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]
