"""The refusals of the Attachment API.

Where no source has the platform's own wording, these are wavetank's words.
"""

from __future__ import annotations

from wavetank.errors import PlatformError


def missing_parameters(*names: str) -> PlatformError:
    """Something mandatory was not given. The status is documented, the wording is not verified."""
    return PlatformError(400, "Missing required parameters", f"Not given or empty: {', '.join(names)}")


def file_missing() -> PlatformError:
    """No file in the request, or an empty one (text as reported by users of the API)."""
    detail = "File part might be missing in the request."
    return PlatformError(400, f"Failed to create the attachment. {detail}", detail)


def extension_refused(extension: str) -> PlatformError:
    """A file that `glide.attachment.extensions` does not list. The wording is not verified."""
    detail = f"Files with the extension {extension!r} cannot be attached" if extension else "No extension"
    return PlatformError(400, "Failed to create the attachment", detail)


def bad_moment(text: str) -> PlatformError:
    """A creation_time that is none. The wording is not verified."""
    return PlatformError(400, "Invalid request parameter", f"creation_time is no date and time: {text}")


def attribute_exists(key: str) -> PlatformError:
    """A second attribute of one key. That it is refused is not verified."""
    return PlatformError(400, "Failed to create the attribute", f"The attachment has an attribute {key!r}")
