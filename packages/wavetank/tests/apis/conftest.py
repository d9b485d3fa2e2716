from typing import Any

import pytest


@pytest.fixture
def made(admin: Any) -> Any:
    """An incident of the admin."""
    abel = admin.get("sys_user", user_name="abel.tuter", sysparm_fields="sys_id")[0]["sys_id"]
    return admin.create("incident", {"short_description": "it broke", "caller_id": abel, "impact": 2})
