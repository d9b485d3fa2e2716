"""Does the host name resolve and does something accept a connection?"""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from linkspan.core.check import Answer, Check
from linkspan.preflight.context import Context

_SECONDS = 10


def run(context: Context) -> Answer:
    """Name and port of the instance, or of the proxy that stands between."""
    target = context.instance.proxy or context.instance.url
    parts = urlsplit(target)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    evidence = {"host": host, "port": port, "proxy": context.instance.proxy is not None}
    try:
        socket.create_connection((host, port), timeout=_SECONDS).close()
    except socket.gaierror as error:
        return _fail(context, "dns_failure", host, error.strerror or str(error), evidence)
    except TimeoutError:
        return _fail(context, "connection_timeout", host, f"no connection within {_SECONDS} s", evidence)
    except ConnectionRefusedError as error:
        return _fail(context, "connection_refused", host, error.strerror or str(error), evidence)
    except OSError as error:
        return _fail(context, "connection_broken", host, error.strerror or str(error), evidence)
    return Answer(outcome="pass", evidence=evidence)


def _fail(context: Context, id: str, host: str, detail: str, evidence: dict[str, object]) -> Answer:
    return Answer(outcome="fail", causes=(context.cause(id, host=host, detail=detail),), evidence=evidence)


CHECK = Check(name="reachable", title="The instance can be reached", run=run, needs=("url_form",))
