"""How configuration items may relate: the types every instance has.

Names: ServiceNow docs "CI relationship types". Sys_ids that are given stand in public scripts.
"""

from __future__ import annotations

from collections.abc import Iterator

from wavetank.database.shipped import sys_id_for
from wavetank.packs.writing import Rows

_TYPES = {
    "Allocated to::Allocated from": "",
    "Applicative Flow To::Applicative Flow From": "",
    "Cluster of::Cluster": "a99d39118f10310091769012cbbe4429",
    "Connects to::Connected by": "",
    "Consumes::Consumed by": "",
    "Contains::Contained by": "55c95bf6c0a8010e0118ec7056ebc54d",
    "Depends on::Used by": "1a9cb166f1571100a92eb60da2bce5c5",
    "Exchanges data with::Exchanges data with": "",
    "Hosted on::Hosts": "5f985e0ec0a8010e00a9714f2a172815",
    "Impacts::Impacted by": "",
    "Implement End Point To::Implement End Point From": "",
    "In Rack::Rack contains": "",
    "Instantiates::Instantiated by": "",
    "IP Connection::IP Connection": "",
    "Located in::Houses": "",
    "Managed by::Manages": "",
    "Members::Member of": "",
    "Owns::Owned by": "25242fb2377a9200738d021a54990e88",
    "Powers::Powered by": "",
    "Provides::Provided by": "",
    "Receives data from::Sends data to": "",
    "Registered on::Has registered": "",
    "Runs on::Runs": "60bc4e22c0a8010e01f074cbe6bd73c3",
    "Use End Point To::Use End Point From": "",
    "Uses::Used by": "cb5592603751200032ff8c00dfbe5d17",
    "Virtualized by::Virtualizes": "",
}


def relation_id(name: str) -> str:
    """The sys_id of a relationship type."""
    return _TYPES[name] or sys_id_for("cmdb_rel_type", name)


def rows() -> Iterator[tuple[str, Rows]]:
    """The rows by table."""
    yield "cmdb_rel_type", _types()


def _types() -> Rows:
    for name in _TYPES:
        parent, _, child = name.partition("::")
        yield {
            "sys_id": relation_id(name),
            "name": name,
            "parent_descriptor": parent,
            "child_descriptor": child,
        }
