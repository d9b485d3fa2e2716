"""The stage of the demo: a directory, three emulated instances and a hub, each a process of its own.

Everything is done as a person would do it, with the two programs ``wavetank`` and ``linkspan``. The
children are in a session of their own: Ctrl-C reaches the demo alone, and the demo ends them in order.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from queue import Empty, Queue
from types import TracebackType
from typing import Any, Self

from linkspan.core.errors import BadReply, ConfigError, Unreachable
from linkspan.demo.line import Line, basic
from linkspan.demo.person import Person

NAMES = ("dev", "qa", "prod")
ENVIRONMENTS = {"dev": "development", "qa": "qa", "prod": "production"}
SYNCED = "prod"
ADMIN = ("admin", "admin")
ACCOUNT = "desk-sync"
USER_NAME = "svc.linkspan"
SCANNER, SCANNER_NAME = "scanner", "svc.scanner"
GOVERNED, GOVERNED_NAME = "reporter", "svc.reporter"
SECOPS, SECOPS_NAME = "secops", "svc.rad"
READER, CONSENTED, READER_NAME = "sei", "sei-person", "svc.sei"
READ, READ_BY_CONSENT = "dev", "qa"  # instances that no stream of edits changes, so figures stand still
KEPT_BACK = ("short_description", "description", "comments", "work_notes", "close_notes")
SITE = "site"
PACKS = "demo,scan_engine,incident_io"
START_SECONDS = 60.0
COMMAND_SECONDS = 120.0
STOP_SECONDS = 12.0

_CONFIG = """\
# Written by `linkspan demo`. Three emulated instances, one sync, and the accounts of the setup guides.
version: 1
instances:
{instances}
accounts:
  {account}: {{recipe: incident-io, profile: least, user_name: {user_name}, owner: admin,
    instances: [{names}], scheme: oauth_client}}
  {scanner}: {{recipe: scan-engine, profile: least, user_name: {scanner_name}, owner: admin,
    instances: [{names}], scheme: basic}}
  {governed}: {{recipe: governed-account, profile: settled, user_name: {governed_name}, owner: abel.tuter,
    instances: [{names}], scheme: oauth_password}}
  {secops}: {{recipe: rad-security, profile: least, user_name: {secops_name}, owner: admin,
    instances: [{names}], scheme: api_key}}
  {reader}: {{recipe: harness-sei, profile: least, user_name: {reader_name}, owner: admin,
    instances: [{read}], scheme: basic}}
  {consented}: {{recipe: harness-sei, profile: least, user_name: {reader_name}, owner: admin,
    instances: [{read_by_consent}], scheme: oauth_code, redirect_port: {redirect_port}}}
scan: {{account: {scanner}}}
findings: {{rad: {{instance: {synced}, account: {secops}}}}}
ingest:
  {read}: {{account: {reader}, streams: {{incident: {{exclude: [{kept_back}]}},
    change_request: {{exclude: [{kept_back}]}}, sys_user: {{exclude: [email, phone, mobile_phone]}}}}}}
  {read_by_consent}: {{account: {consented}, streams: {{incident: {{exclude: [{kept_back}]}}}}}}
satellites: {{{site}: {{api_keys: ["env:SATELLITE_KEY"]}}}}
sync:
  desk: {{peer: desk, instance: {synced}, account: {account}, poll_seconds: {poll}, push: false,
    follow_ups: task}}
hub: {{listen: "127.0.0.1:{port}", tokens: ["env:LINKSPAN_TOKEN"]}}
"""
_INSTANCE = (
    '  {name}: {{url: "{url}", environment: {environment}, '
    'admin: {{scheme: basic, user: {user}, secret: "env:{variable}"}}}}'
)


class Stage:
    """Raise it with ``start_fleet``, ``provision``, ``start_hub``; ``stop`` takes it down again.

    ``port`` 0 takes a free one, and keeps it over restarts of the hub.
    """

    def __init__(self, home: Path, *, port: int = 0, poll_seconds: float = 0.5) -> None:
        self.home = home
        self.token = secrets.token_urlsafe(24)
        self.urls: dict[str, str] = {}
        self._poll_seconds = poll_seconds
        self._port = port or _free_port()
        self._fleet: _Child | None = None
        self._hub: _Child | None = None
        self._environment = _environment(home, self.token)

    # --- the instances

    def start_fleet(self) -> None:
        """Start the instances and write the configuration that names them.

        Raises Unreachable, or ConfigError when wavetank is not installed.
        """
        command = [_wavetank(), "fleet", "--names", ",".join(NAMES), "--base-port", "0", "--pack", PACKS]
        command += ["--with-parent", "--tls-dir", str(self.home / "tls")]
        self._fleet = _Child(command, self._environment, self.home / "fleet.log")
        while (line := self._next_line(self._fleet, "the fleet"))["event"] != "fleet-ready":
            if line["event"] == "ready":
                self.urls[line["name"]] = line["url"]
        self.config.write_text(self._configuration(), encoding="utf-8")

    @property
    def config(self) -> Path:
        """The linkspan.yaml of this stage."""
        return self.home / "linkspan.yaml"

    def instance(self, name: str) -> Line:
        """A line to an instance as its administrator."""
        return Line(self.urls[name], basic(*ADMIN))

    # --- the account

    def provision(self) -> int:
        """Apply the sync's account on every instance; how many accounts there are now.

        Access controls are no business of an API: a person of each instance brings them in as an update set.
        Raises BadReply when applying failed or a second plan is not empty.
        """
        applied = self.linkspan("apply", ACCOUNT, "--yes")
        if applied["problems"]:
            raise BadReply(f"apply failed: {applied['problems']}", where=str(self.config))
        self.import_access_controls(ACCOUNT)
        plan = self.linkspan("plan", ACCOUNT)
        left = [change for one in plan["result"]["instances"].values() for change in one["changes"]]
        if plan["exit"] or left:
            raise BadReply(f"a second plan is not empty: {left or plan['problems']}", where=str(self.config))
        return len(NAMES)

    def import_access_controls(self, account: str) -> None:
        """Build the update sets of an account and bring each in, as the admin of its instance does it."""
        built: dict[str, Any] = (self.linkspan("app", "build", account)["result"] or {}).get("instances", {})
        for name, one in built.items():
            with Person(self.urls[name], *ADMIN) as admin:
                admin.sign_in()
                admin.elevate()
                admin.import_update_set(Path(one["file"]).read_text(encoding="utf-8"))

    def preflight(self) -> list[Mapping[str, Any]]:
        """Every check of the account on every instance, sample records included."""
        reply = self.linkspan("preflight", ACCOUNT, "--write")
        if not reply["result"]:
            raise BadReply(f"preflight failed: {reply['problems']}", where=str(self.config))
        checks: list[Mapping[str, Any]] = reply["result"]["checks"]
        return checks

    # --- the hub

    @property
    def hub_url(self) -> str:
        """Where the hub listens."""
        return f"http://127.0.0.1:{self._port}"

    def hub(self, *, patience: float = 0.0) -> Line:
        """A line to the hub; ``patience`` lets requests outlive its restarts."""
        return Line(self.hub_url, {"Authorization": f"Bearer {self.token}"}, patience=patience)

    def start_hub(self) -> None:
        """Start the hub and wait until it is ready. Raises Unreachable."""
        command = [*_linkspan(), "serve", "--with-parent", "--config", str(self.config)]
        self._hub = _Child(command, self._environment, self.home / "hub.log")
        while self._next_line(self._hub, "the hub")["event"] != "ready":
            pass

    def kill_hub(self) -> None:
        """End the hub without any warning (SIGKILL)."""
        if self._hub is not None:
            self._hub.kill()

    # --- all of it

    def linkspan(self, *arguments: str, given: str | None = None) -> dict[str, Any]:
        """Run one linkspan command with ``--json``; its object. Raises BadReply.

        ``given`` is what the command reads on its standard input.
        """
        return self._run(*arguments, "--config", str(self.config), given=given)

    def keep_secret(self, name: str, secret: str) -> None:
        """Put a secret into the store, as a person does. Raises BadReply when it is not taken."""
        reply = self._run("secrets", "set", name, given=secret)
        if reply["exit"]:
            raise BadReply(f"the secret {name} was not kept: {reply['problems']}", where=str(self.home))

    def satellite(self, file: Path) -> dict[str, Any]:
        """Let a satellite read and send once; its object. Raises BadReply."""
        return self._run(
            "satellite", "run", "--once", "--file", str(file), "--home", str(file.parent / "home")
        )

    def authorize(self, account: str, instance: str, allow: Callable[[str], object]) -> dict[str, Any]:
        """Run ``linkspan authorize``; ``allow`` is given the page that somebody must answer."""
        command = [*_linkspan(), "authorize", account, "--instance", instance, "--config", str(self.config)]
        with subprocess.Popen(  # noqa: S603 - our own program, no shell
            [*command, "--no-browser", "--timeout", str(START_SECONDS), "--json"],
            env=self._environment,
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as waiting:
            try:
                assert waiting.stderr is not None
                page = next((line.strip() for line in waiting.stderr if line.startswith("http")), "")
                if page:
                    allow(page)
                said, _ = waiting.communicate(timeout=COMMAND_SECONDS)
            finally:
                waiting.kill()
        try:
            reply: dict[str, Any] = json.loads(said)
        except ValueError as error:
            raise BadReply(f"linkspan authorize ended with {waiting.returncode}", where=instance) from error
        return reply

    def _run(self, *arguments: str, given: str | None = None) -> dict[str, Any]:
        command = [*_linkspan(), *arguments, "--json"]
        done = subprocess.run(  # noqa: S603 - our own program, no shell
            command,
            env=self._environment,
            cwd=self.home,
            input=given,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            start_new_session=True,
            check=False,
        )
        try:
            reply: dict[str, Any] = json.loads(done.stdout)
        except ValueError as error:
            cause = f"linkspan {' '.join(arguments)} ended with {done.returncode}: {done.stderr[-2000:]}"
            raise BadReply(cause, where=str(self.config)) from error
        return reply

    def stop(self) -> None:
        """End the hub, then the instances; safe to call twice."""
        for child in (self._hub, self._fleet):
            if child is not None:
                child.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _next_line(self, child: _Child | None, what: str) -> dict[str, Any]:
        assert child is not None
        line = child.next_line(START_SECONDS)
        if line is None:
            raise Unreachable(f"{what} did not start: {child.last_words()}", where=str(child.log))
        return line

    def _configuration(self) -> str:
        instances = "\n".join(
            _INSTANCE.format(
                name=name,
                url=self.urls[name],
                environment=ENVIRONMENTS[name],
                user=ADMIN[0],
                variable=_admin_variable(name),
            )
            for name in NAMES
        )
        return _CONFIG.format(
            instances=instances,
            account=ACCOUNT,
            user_name=USER_NAME,
            scanner=SCANNER,
            scanner_name=SCANNER_NAME,
            governed=GOVERNED,
            governed_name=GOVERNED_NAME,
            secops=SECOPS,
            secops_name=SECOPS_NAME,
            reader=READER,
            consented=CONSENTED,
            reader_name=READER_NAME,
            read=READ,
            read_by_consent=READ_BY_CONSENT,
            kept_back=", ".join(KEPT_BACK),
            redirect_port=_free_port(),
            site=SITE,
            names=", ".join(NAMES),
            synced=SYNCED,
            poll=self._poll_seconds,
            port=self._port,
        )


class _Child:
    """A program that prints JSON lines. Its other words go to ``log``."""

    def __init__(self, command: list[str], environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        self._lines: Queue[dict[str, Any] | None] = Queue()
        with log.open("ab") as words:
            self._process = subprocess.Popen(  # noqa: S603 - our own programs, no shell
                command,
                env=dict(environment),
                cwd=log.parent,
                stdout=subprocess.PIPE,
                stderr=words,
                stdin=subprocess.PIPE,  # never written to: it closes when we are gone, and the child ends
                text=True,
                start_new_session=True,
            )
        threading.Thread(target=self._listen, name=f"{log.stem}-lines", daemon=True).start()

    def next_line(self, timeout: float) -> dict[str, Any] | None:
        """The next JSON object it printed; None when it ended or said nothing for too long."""
        try:
            return self._lines.get(timeout=timeout)
        except Empty:
            return None

    def last_words(self) -> str:
        """The end of its log."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-2000:].strip() or "it said nothing"

    def stop(self) -> None:
        """Ask it to end; insist when it does not."""
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it and all it started, at once."""
        if self._process.poll() is None:
            # It leads a session of its own, so the group is the child and its children, nobody else.
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith('{"event"'):
                self._lines.put(json.loads(line))
        self._lines.put(None)


def _environment(home: Path, token: str) -> dict[str, str]:
    """The children's environment: ours without any LINKSPAN setting, which would mean another home."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LINKSPAN_")}
    return {
        **inherited,
        "LINKSPAN_HOME": str(home / "state"),
        "LINKSPAN_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        "LINKSPAN_TOKEN": token,
        "SATELLITE_KEY": secrets.token_urlsafe(24),
        "PYTHONUNBUFFERED": "1",
        **{_admin_variable(name): ADMIN[1] for name in NAMES},
    }


def _admin_variable(name: str) -> str:
    return f"{name.upper()}_ADMIN"


def _linkspan() -> list[str]:
    return [sys.executable, "-c", "from linkspan.cli import main; main()"]


def _wavetank() -> str:
    """The emulator's program: beside our Python, or on the path. Raises ConfigError."""
    beside = Path(sys.executable).parent / "wavetank"
    found = str(beside) if beside.exists() else shutil.which("wavetank")
    if not found:
        raise ConfigError(
            "the demo needs wavetank, and it is not installed",
            fix="pip install 'linkspan[demo]'",
            where="demo",
        )
    return found


def _free_port() -> int:
    """A free port that stays free until the hub takes it: below those the system gives out by itself."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
