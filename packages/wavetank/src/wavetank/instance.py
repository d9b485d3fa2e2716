"""One emulated instance: its parts, and what only the whole can do."""

import math
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from wavetank.behaviour.jobs import Jobs
from wavetank.behaviour.pipeline import Behaviour
from wavetank.behaviour.scripting import Scripts
from wavetank.clock import Clock
from wavetank.control.faults import Faults
from wavetank.control.requests import RequestLog
from wavetank.database import query
from wavetank.database.dictionary import Dictionary
from wavetank.database.store import Database
from wavetank.ids import Ids, ids
from wavetank.releases import LATEST, release
from wavetank.security import plugins, restriction, virus_scan
from wavetank.security.access import Access
from wavetank.security.addresses import Addresses
from wavetank.security.certificates import Certificates
from wavetank.security.identity import Identity
from wavetank.security.machines import Machines
from wavetank.security.passwords import Seal
from wavetank.security.plugins import Plugins
from wavetank.security.policies import Policies
from wavetank.security.rates import Rates
from wavetank.security.sessions import Sessions
from wavetank.security.who import Session
from wavetank.settings import Settings


class Instance:
    """The parts of an instance by name. Everything that touches its data holds `lock`."""

    def __init__(
        self,
        name: str,
        database: Database,
        clock: Clock,
        *,
        release_name: str = LATEST,
        zboot: bool = False,
        seal: Seal | None = None,
        fresh: Callable[[], bytes] | None = None,
    ) -> None:
        release(release_name)
        self.name = name
        self._fresh = fresh or database.image
        self.zboot = zboot
        self.url = ""
        self.tls_url = ""
        self.lock = threading.RLock()
        self.clock = clock
        self.ids: Ids = ids
        self.database = database
        self.settings = Settings({"release": release_name})
        self.seal = seal or Seal(Seal.new_key())
        self.faults = Faults()
        self.requests = RequestLog()
        self.rates = Rates(self)
        self._properties: tuple[int, dict[str, str]] = (-1, {})
        self.behaviour = Behaviour(database, Scripts(self))
        self.access = Access(self)
        self.access.scripts = self.behaviour.scripting.allows
        self.access.query_scripts = self.behaviour.scripting.narrows
        self.plugins = Plugins(self)
        self.policies = Policies(self)
        self.addresses = Addresses(self)
        self.certificates = Certificates(self)
        self.machines = Machines(self)
        self.identity = Identity(self)
        self.sessions = Sessions(self)
        self.jobs = Jobs(self)

    @property
    def dictionary(self) -> Dictionary:
        return self.database.dictionary

    @property
    def release(self) -> str:
        return str(self.settings.get("release"))

    @property
    def properties(self) -> Mapping[str, str]:
        """All of sys_properties by name."""
        revision = self.database.revision("sys_properties")
        if self._properties[0] != revision:
            rows = self.database.find("sys_properties")
            self._properties = (revision, {row["name"]: row["value"] for row in rows})
        return self._properties[1]

    def property(self, name: str, default: str = "") -> str:
        return self.properties.get(name, default)

    def number(self, name: str, default: float) -> float:
        """A property that holds a number; one that holds something else counts as not set."""
        try:
            value = float(self.property(name) or default)
        except ValueError:
            return default
        return value if 0 <= value < math.inf else default

    def set_property(self, name: str, value: str) -> None:
        """Writes a property's value, past rules; makes the property when there is none."""
        row = self.database.first("sys_properties", name=name)
        if row is None:
            self.database.insert("sys_properties", {"name": name, "value": value})
        elif row["value"] != value:
            self.database.update("sys_properties", row["sys_id"], {"value": value})

    def query_context(self, session: Session | None = None) -> query.Context:
        """What `javascript:` values and date literals of a query mean for a caller."""
        now = self.clock.text()
        if session is None:
            return query.Context(now=now, rows=self.database)
        settings = self.settings
        strict = self.property("glide.invalid_query.returns_no_rows") == "true"
        return query.Context(
            now=now,
            user=session.sys_id,
            user_name=session.user_name,
            time_zone=session.time_zone,
            unknown_field="no_rows" if strict else settings.get("unknown_query_field"),
            unknown_by_table={} if strict else settings.get("unknown_query_field_tables"),
            literal_time_zone=settings.get("literal_time_zone"),
            groups=lambda: self.groups_of(session.sys_id),
            roles=session.roles,
            rows=self.database,
            week_start=settings.get("week_start"),
            refused_script=settings.get("refused_script"),
            negation_on_empty=settings.get("negation_on_empty"),
            null_word=settings.get("null_word"),
            empty_value=settings.get("empty_value"),
            journal_query=settings.get("journal_query"),
            join_conditions=settings.get("join_conditions"),
            relative_days=settings.get("relative_days"),
            now_date_time=settings.get("now_date_time"),
        )

    def groups_of(self, user: str) -> list[str]:
        """The sys_ids of the groups a user is a member of."""
        return [row["group"] for row in self.database.find("sys_user_grmember", user=user)]

    # -- what a test does to the whole

    def configure(self, values: Mapping[str, Any]) -> None:
        """Changes settings. Raises ValueError and changes nothing when one is wrong."""
        if "release" in values:
            release(str(values["release"]))
        self.settings.update(values)
        if "release" in values:
            plugins.fit(self.database, self.release)
        if "basic_auth_restriction" in values:
            restriction.set_mode(self, self.settings.get("basic_auth_restriction"))

    def shown_settings(self) -> dict[str, Any]:
        """The settings; the restriction as its properties have it, however they came to be so."""
        return {**self.settings.all(), "basic_auth_restriction": restriction.mode(self.properties)}

    def reset(self) -> None:
        """Rows, clock, settings, faults, requests, tokens and sessions as at the start."""
        self.clock.reset()
        self.jobs.start()
        self.settings.reset()
        self.faults.clear()
        self.requests.clear()
        self.rates.clear()
        self.ids.seed(None)
        self.database.load_image(self._fresh())
        self._taken_up()

    def restore(self, name: str) -> None:
        """Rows as they were at a snapshot. Raises KeyError for an unknown name."""
        self.database.restore(name)
        self._taken_up()

    def _taken_up(self) -> None:
        """After other rows are in place: what is kept in memory follows them."""
        self.behaviour.drop()
        self.identity.tokens.reload()
        self.identity.codes.clear()
        self.identity.resume()
        self.sessions.end_all()
        virus_scan.resume(self)

    def close(self) -> None:
        """Works out what is pending and closes the database."""
        self.behaviour.metrics.run(self)
        self.database.close()


def seal_for(store: Path | None) -> Seal:
    """The key of the two-way encrypted fields: kept beside a database file, else for this process only."""
    if store is None:
        return Seal(Seal.new_key())
    path = store.with_name(store.name + ".key")
    if not path.exists():
        path.touch(mode=0o600)
        path.write_bytes(Seal.new_key())
    return Seal(path.read_bytes())
