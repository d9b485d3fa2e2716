"""What every endpoint of a REST API does around its own work: the body, the lock, the caller's format."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from wavetank import errors

if TYPE_CHECKING:
    from wavetank.instance import Instance

Work = Callable[[Request, "Instance", bytes], Response]


def endpoint(work: Work) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint that answers with what `work` makes of a request, while nobody else touches the instance.

    A PlatformError that `work` raises is the front door's to say.
    """

    async def answer(request: Request) -> Response:
        body = await request.body()
        instance: Instance = request.app.state.instance
        with instance.lock:
            return work(request, instance, body)

    return answer


def undocumented(work: Work) -> Callable[[Request], Awaitable[Response]]:
    """The same for an API that no documentation promises, and that an instance may do without."""

    def work_if_there(request: Request, instance: Instance, body: bytes) -> Response:
        if instance.settings.get("undocumented_apis") == "absent":
            raise errors.unknown_resource()
        return work(request, instance, body)

    return endpoint(work_if_there)
