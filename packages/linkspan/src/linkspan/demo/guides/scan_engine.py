"""Scan Engine across the fleet: one account everywhere, instances registered, connections valid, scanned."""

from __future__ import annotations

from typing import Any

from linkspan.demo.guides.checked import Checked, same
from linkspan.demo.line import Line
from linkspan.demo.stage import NAMES, SCANNER, SCANNER_NAME, Stage

ROLES = {"sn_se.internal_rest_integration", "sn_se.scan_engine_admin"}
LEAST_DEFINITIONS = 12


def play(stage: Stage) -> list[Checked]:
    """From nothing to a comparison of three instances."""
    applied = stage.linkspan("apply", SCANNER, "--yes")
    standings = stage.linkspan("scan", "instances")
    ran = stage.linkspan("scan", "run", "--as-admin")
    compared = stage.linkspan("scan", "compare", "--all")
    return [
        same("the account is applied on every instance", applied["exit"], 0),
        *(check for name in NAMES for check in _account(stage.instance(name), name)),
        *_standings(standings),
        *_scan(ran, compared),
    ]


def _account(line: Line, name: str) -> list[Checked]:
    (user, *_) = line.rows("sys_user", f"user_name={SCANNER_NAME}") or [{}]
    granted = line.rows("sys_user_has_role", f"user.user_name={SCANNER_NAME}^inherited=false", "role.name")
    registered = line.rows("sn_se_my_sn_instances")
    return [
        same(f"{name}: both roles are granted explicitly", {row["role.name"] for row in granted}, ROLES),
        same(
            f"{name}: a machine with web service access only",
            (user.get("identity_type"), user.get("web_service_access_only")),
            ("machine", "true"),
        ),
        same(f"{name}: every instance of the fleet is registered", len(registered), len(NAMES)),
    ]


def _standings(reply: dict[str, Any]) -> list[Checked]:
    instances = (reply["result"] or {}).get("instances", {})
    return [
        same(f"{name}: validate connection", instances.get(name, {}).get("status"), "Connection Valid")
        for name in NAMES
    ]


def _scan(ran: dict[str, Any], compared: dict[str, Any]) -> list[Checked]:
    rows = (compared["result"] or {}).get("definitions", [])
    asked = (ran["result"] or {}).get("instances", {})
    judged = sum(1 for row in rows for cell in row["instances"].values() if cell["verdict"] != "unknown")
    return [
        same("the scan asked every instance", (ran["exit"], sorted(asked)), (0, sorted(NAMES))),
        Checked(
            check=f"at least {LEAST_DEFINITIONS} definitions were compared across the fleet",
            ok=len(rows) >= LEAST_DEFINITIONS and all(set(row["instances"]) == set(NAMES) for row in rows),
            seen=f"{len(rows)} definitions",
        ),
        Checked(
            check="most could be judged",
            ok=judged > len(rows) * len(NAMES) // 2,
            seen=f"{judged} of {len(rows) * len(NAMES)}",
        ),
    ]
