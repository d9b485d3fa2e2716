"""Webhooks as incident.io sends them (through Svix): signed, repeated until taken, in no promised order."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import queue
import secrets
import threading
import time
import urllib.error
import urllib.request
from typing import Any

WAITS = (0.0, 0.2, 0.5, 1.0, 2.0, 3.0)


def new_secret() -> str:
    """A signing secret as the dashboard shows it."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()


def sign(secret: str, message: str, at: int, body: bytes) -> dict[str, str]:
    """The headers of one delivery."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{message}.{at}.".encode() + body, hashlib.sha256).digest()
    return {
        "svix-id": message,
        "svix-timestamp": str(at),
        "svix-signature": "v1," + base64.b64encode(digest).decode(),
        "content-type": "application/json",
    }


class Sender(threading.Thread):
    """Delivers events to one address on its own thread. ``answers`` are the statuses that came back."""

    def __init__(self, url: str, secret: str) -> None:
        super().__init__(name="standin-webhooks", daemon=True)
        self.url, self.secret = url, secret
        self.answers: list[int] = []
        self._events: queue.Queue[tuple[str, bytes] | None] = queue.Queue()

    def put(self, name: str, thing: dict[str, Any]) -> None:
        """Send an event."""
        message = f"msg_{secrets.token_hex(12)}"
        self._events.put((message, json.dumps({"event_type": name, name: thing}).encode()))

    def stop(self) -> None:
        """Send what waits no more."""
        self._events.put(None)

    def run(self) -> None:
        while (event := self._events.get()) is not None:
            for wait in WAITS:
                time.sleep(wait)
                if self.deliver(*event) < 300:
                    break

    def deliver(self, message: str, body: bytes, *, at: int | None = None, secret: str = "") -> int:
        """One try: the status, 599 when nobody answers."""
        headers = sign(secret or self.secret, message, int(time.time()) if at is None else at, body)
        request = urllib.request.Request(self.url, data=body, headers=headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=15) as reply:
                status = int(reply.status)
        except urllib.error.HTTPError as refused:
            status = refused.code
        except OSError:
            status = 599
        self.answers.append(status)
        return status
