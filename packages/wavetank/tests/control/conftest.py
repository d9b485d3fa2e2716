"""A plain HTTP caller, so that these tests lean on no client's manners."""

import base64
import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)


class Caller:
    """Calls one instance; a new connection each time, so that a dropped one hurts nobody else."""

    def __init__(self, url: str) -> None:
        self._place = urlsplit(url).netloc

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        user: str = "admin",
        password: str = "admin",
        **headers: str,
    ) -> Answer:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if user:
            given["Authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        connection = http.client.HTTPConnection(self._place, timeout=20)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), given)
            reply = connection.getresponse()
            return Answer(reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read())
        finally:
            connection.close()


@pytest.fixture
def call(wavetank):
    return Caller(wavetank.url)
