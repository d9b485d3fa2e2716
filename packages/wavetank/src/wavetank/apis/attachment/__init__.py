"""The Attachment API: /api/now/attachment and /api/now/v1/attachment.

ServiceNow docs: "Attachment API"; the keys of a record and the headers of a download as recorded on developer
instances.
"""

from __future__ import annotations

from starlette.routing import Route

from wavetank.apis.attachment import attributes, download, records, upload
from wavetank.apis.endpoint import endpoint

_READ = ["GET", "HEAD"]


def routes() -> list[Route]:
    """The routes of the API. They need `app.state.instance`, `state.session` and `state.meant`."""
    return [each for version in ("", "/v1") for each in _routes(f"/api/now{version}/attachment")]


def _routes(base: str) -> list[Route]:
    return [
        Route(base, endpoint(records.listed), methods=_READ),
        Route(f"{base}/file", upload.binary, methods=["POST"]),
        Route(f"{base}/upload", upload.form, methods=["POST"]),
        Route(f"{base}/{{sys_id}}", endpoint(records.one), methods=[*_READ, "PATCH", "DELETE", "POST"]),
        Route(f"{base}/{{sys_id}}/file", endpoint(download.file), methods=_READ),
        Route(
            f"{base}/{{sys_id}}/attributes", endpoint(attributes.all_of), methods=[*_READ, "POST", "DELETE"]
        ),
        Route(
            f"{base}/{{sys_id}}/attributes/{{key}}",
            endpoint(attributes.one),
            methods=[*_READ, "PUT", "DELETE", "POST"],
        ),
    ]
