"""The `wavetank` command."""

import argparse
import json
import logging
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Only what parsing needs is imported here: an instance should be up in about a second.
from wavetank.releases import LATEST, ORDER

USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; answers the exit status: 0 done, 1 the answer is no, 2 usage."""
    parser = _parser()
    given = parser.parse_args(arguments)
    logging.basicConfig(level=given.log.upper(), stream=sys.stderr, format="%(name)s: %(message)s")
    return int(given.run(given))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "wavetank", description="A local ServiceNow instance to prove things on."
    )
    parser.add_argument("--log", default="warning", choices=("debug", "info", "warning", "error"))
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="serve one instance")
    serve.add_argument(
        "--port", type=_port, default=8081, help="http; 0 is a free port (default %(default)s)"
    )
    serve.add_argument("--tls-port", type=_port, help="https as well; 0 is a free port")
    serve.add_argument("--name", default="dev", help="the instance's name (default %(default)s)")
    serve.add_argument("--store", type=Path, metavar="FILE", help="keep the rows in a file")
    _common(serve)
    serve.set_defaults(run=_serve)

    fleet = commands.add_parser("fleet", help="serve several instances, one process each")
    fleet.add_argument("--names", default="dev,qa,prod", help="comma separated (default %(default)s)")
    fleet.add_argument(
        "--base-port",
        type=_port,
        default=8081,
        help="http on base+2i, https on base+2i+1; 0: all free (default %(default)s)",
    )
    _common(fleet)
    fleet.set_defaults(run=_fleet)

    fidelity = commands.add_parser(
        "fidelity", help="what is claimed about ServiceNow, and which tests prove it"
    )
    fidelity.add_argument("--write", action="store_true", help="write FIDELITY.md")
    fidelity.set_defaults(run=_fidelity)
    return parser


def _port(text: str) -> int:
    """A port number. Raises ValueError, which argparse makes a usage error."""
    port = int(text)
    if not 0 <= port <= 65535:
        raise ValueError(text)
    return port


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="the address to bind (default %(default)s)")
    parser.add_argument("--tls-dir", type=Path, metavar="DIR", help="where the local CA lies, made if absent")
    parser.add_argument(
        "--client-ca", type=Path, metavar="FILE", help="ask https callers for certificates of these CAs (PEM)"
    )
    parser.add_argument(
        "--pack", default="", help="what a fresh instance also holds: demo,scan_engine,incident_io"
    )
    parser.add_argument(
        "--release", default=LATEST, choices=ORDER, help="family release (default %(default)s)"
    )
    parser.add_argument("--zboot", action="store_true", help="as a new instance: Basic restriction enforced")
    parser.add_argument("--no-control", action="store_true", help="without the control surface under /-/")
    parser.add_argument("--with-parent", action="store_true", help="end when standard input closes")


def _serve(given: argparse.Namespace) -> int:
    from wavetank import app, server, tls

    wanted = given.tls_dir or given.client_ca
    tls_port = given.tls_port if given.tls_port is not None else (0 if wanted else None)
    options = app.Options(
        name=given.name,
        release=given.release,
        zboot=given.zboot,
        store=given.store,
        pack=given.pack,
        control=not given.no_control,
    )
    directory = given.tls_dir or tls.default_directory()
    listen = server.Listen(given.host, given.port, tls_port, directory, given.client_ca)
    try:
        server.run(options, listen, _say, with_parent=given.with_parent)
    except (OSError, ValueError, sqlite3.Error) as cannot:
        sys.stderr.write(f"wavetank: {cannot}\n")
        return USAGE
    return 0


def _fleet(given: argparse.Namespace) -> int:
    from wavetank import fleet, tls

    names = [name.strip() for name in given.names.split(",") if name.strip()]
    if not names or len(set(names)) != len(names):
        sys.stderr.write("wavetank: --names takes different names, separated by commas\n")
        return USAGE
    directory = given.tls_dir or tls.default_directory()
    arguments = ["--host", given.host, "--tls-dir", str(directory), "--release", given.release]
    arguments += ["--pack", given.pack] if given.pack else []
    arguments += ["--zboot"] if given.zboot else []
    arguments += ["--client-ca", str(given.client_ca)] if given.client_ca else []
    arguments += ["--no-control"] if given.no_control else []
    return fleet.run(names, given.base_port, arguments, directory, _say, with_parent=given.with_parent)


def _fidelity(given: argparse.Namespace) -> int:
    from wavetank import fidelity

    try:
        return fidelity.command(write=given.write)
    except fidelity.BadClaim as wrong:
        sys.stderr.write(f"wavetank: {wrong}\n")
        return USAGE


def _say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
