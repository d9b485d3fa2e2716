from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from linkspan.config.values import AccountConfig, InstanceConfig
from linkspan.preflight.context import Context


def never() -> Any:
    raise AssertionError("this check has no business on this line")


@pytest.fixture
def context() -> Callable[..., Context]:
    """A context whose lines are not to be used unless given."""

    def make(url: str = "https://acme.service-now.com", scheme: str = "basic", **given: Any) -> Context:
        return Context(
            instance=InstanceConfig(name="dev", url=url, **given.pop("instance", {})),
            account=AccountConfig(
                name="responder", recipe="sync", user_name="svc.responder", instances=("dev",), scheme=scheme
            ),
            line=given.pop("line", never),
            anonymous=given.pop("anonymous", never),
            writing=given.pop("writing", never),
            admin=given.pop("admin", lambda: None),
            **given,
        )

    return make
