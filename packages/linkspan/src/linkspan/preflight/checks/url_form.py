"""Is the url one that the platform's APIs can be joined to?"""

from __future__ import annotations

from urllib.parse import urlsplit

from linkspan.core.check import PASSED, Answer, Cause, Check
from linkspan.preflight.context import Context

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_PORTALS = ("developer.servicenow.com", "developer.service-now.com", "www.servicenow.com", "servicenow.com")


def run(context: Context) -> Answer:
    """Form only; nothing is sent."""
    url = context.instance.url
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    suggestion = f"{parts.scheme}://{host.removeprefix('www.')}{port}"
    found: list[Cause] = []
    if host in _PORTALS:
        found.append(context.cause("url_developer_portal"))
    if parts.username or parts.password:
        found.append(context.cause("url_has_credentials"))
    if parts.scheme != "https" and host not in _LOOPBACK:
        found.append(context.cause("url_not_https"))
    if parts.path.strip("/") or parts.query or parts.fragment:
        found.append(context.cause("url_has_path", suggestion=suggestion))
    elif parts.path:
        found.append(context.cause("url_trailing_slash", suggestion=suggestion))
    if host.startswith("www.") and host not in _PORTALS:
        found.append(context.cause("url_has_www", suggestion=suggestion))
    return Answer(outcome="fail", causes=tuple(found), evidence={"url": url}) if found else PASSED


CHECK = Check(name="url_form", title="The url has the right form", run=run)
