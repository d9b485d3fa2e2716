"""What a kind of record brings: what it wants of an account, and how such a record is made and kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from linkspan.connection import Connection
from linkspan.provision.credentials import OAUTH_SCHEMES, PASSWORD_SCHEMES, Credentials
from linkspan.provision.recipe import Profile, StoreApp
from linkspan.provision.values import Brake, Choice, Ref, Value, Wanted
from linkspan.schema.api_keys import PLUGIN

if TYPE_CHECKING:
    from linkspan.provision.observed import Reader

# leave: never ours to take away; keep: ours, and not taken away either
Retire = Literal["delete", "deactivate", "leave", "keep"]
_TRUE = frozenset({"true", "1", "yes"})


@dataclass(frozen=True, kw_only=True)
class Member:
    """One instance of an account's fleet. ``instance_name`` is what it calls itself, in its property of
    that name; empty with the reason in ``unknown``."""

    name: str
    instance_name: str
    url: str
    environment: str
    unknown: str = ""


@dataclass(frozen=True, kw_only=True)
class Intent:
    """What a person asked for: one account, as it should be on one instance.

    ``redirect_url`` is where a browser brings the account's consent.
    ``instance`` is its name in the configuration. ``api_keys`` are names of keys it has there, oldest first.
    ``fleet`` are the instances to be registered, and ``registers`` is why; empty for most recipes.
    ``uses`` are the tables whose records it works on.
    """

    account: str
    user_name: str
    owner: str
    profile: Profile
    scheme: str
    store_app: StoreApp | None = None
    registers: str = ""
    fleet: tuple[Member, ...] = ()
    uses: tuple[str, ...] = ()
    instance: str = ""
    redirect_url: str = ""
    api_keys: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        """The name of the group that carries the account's roles, where it has one of its own."""
        return f"linkspan.{self.account}"

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of all groups the account belongs in."""
        own = (self.group,) if self.profile.has_own_group else ()
        return (*own, *(one.name for one in self.profile.groups))

    @property
    def application(self) -> str:
        """The name of the account's OAuth application."""
        return f"linkspan.{self.account}"

    def role(self, name: str) -> Ref:
        """A role by name, be it given or made here."""
        return Ref("custom_role" if self.profile.makes(name) else "role", name)

    @property
    def needs_app(self) -> tuple[str, ...]:
        """The id of the Store app it builds on, as something that comes before; none without a table."""
        app = self.store_app
        return (Ref("store_app", app.name).id,) if app is not None and app.table else ()

    @property
    def needs_plugin(self) -> tuple[str, ...]:
        """The id of the plugin of API keys, as something that comes before."""
        return (Ref("plugin", PLUGIN).id,)

    @property
    def key_names(self) -> tuple[str, ...]:
        """The names of the account's API keys, oldest first; two while they are rotated."""
        return self.api_keys or (f"linkspan.{self.account}",)

    def auth_profile(self, target: str) -> str:
        """The name of the basic auth profile with which an instance calls ``target``."""
        return f"linkspan.{self.account}.{target}"

    @property
    def mark(self) -> str:
        """What we write into a record's ``source`` to know it again."""
        return f"linkspan:{self.account}"

    @property
    def uses_password(self) -> bool:
        """Whether the user record needs a password."""
        return self.scheme in PASSWORD_SCHEMES

    @property
    def uses_client(self) -> bool:
        """Whether an OAuth application is needed."""
        return self.scheme in OAUTH_SCHEMES

    @property
    def uses_key(self) -> bool:
        """Whether an API key is needed, and the policy that lets it in."""
        return self.scheme == "api_key"


class Kind:
    """One kind of record. Subclasses state the facts and override what is special.

    ``shared``: others may hold the same record, so its existence is no reason to stop.
    ``given``: the record is not ours to make; where it is missing a person has to act.
    ``optional``: fields that older releases do not have. ``watched``: fields the instance fills.
    ``labels``: fields are named by these labels, because the names of the columns are not public.
    ``stubborn``: fields the instance may not take over REST; then a person sets them.
    ``completes``: the kind that makes the records which this one only brings to their end.
    ``strict``: choice fields that must hold a choice the instance knows. ``extends``: the table it inherits
    columns from. ``proven``: the fingerprint of a record's mark stands for a secret that a login proved.
    """

    name = ""
    table = ""
    booleans: frozenset[str] = frozenset({"active"})
    optional: frozenset[str] = frozenset()
    watched: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    stubborn: frozenset[str] = frozenset()
    completes = ""
    strict: frozenset[str] = frozenset()
    extends = ""
    proven = False
    shared = False
    given = False
    retires: Retire = "delete"

    def want(self, intent: Intent) -> Iterable[Wanted]:
        """Records of this kind that the account needs."""
        raise NotImplementedError

    def unwant(self, intent: Intent) -> Iterable[Wanted]:  # noqa: ARG002 - most kinds have none
        """Records that another profile of the recipe makes and this one takes back."""
        return ()

    def create(
        self,
        line: Connection,
        values: Mapping[str, str],
        credentials: Credentials,  # noqa: ARG002 - kinds that carry a secret take it from here
    ) -> dict[str, Any]:
        """Make the record; the row as the instance keeps it."""
        return line.table.create(self.table, dict(values), fields=("sys_id", *values))

    def update(self, line: Connection, sys_id: str, values: Mapping[str, str]) -> dict[str, Any]:
        """Bring these fields to these values; the row as the instance keeps it."""
        return line.table.update(self.table, sys_id, dict(values), fields=("sys_id", *values))

    def send_secret(self, line: Connection, sys_id: str, credentials: Credentials) -> None:
        """Write the secret into a record that carries one."""
        raise NotImplementedError

    def retire(self, line: Connection, sys_id: str) -> None:
        """Take the record out of use."""
        if self.retires == "delete":
            line.table.delete(self.table, sys_id)
        elif self.retires == "deactivate":
            line.table.update(self.table, sys_id, {"active": "false"})

    def same(self, field: str, wanted: str, seen: str) -> bool:
        """Whether two values mean the same; what the server re-encodes is not a difference."""
        if field in self.booleans:
            return (wanted.strip().lower() in _TRUE) == (seen.strip().lower() in _TRUE)
        return wanted.strip() == seen.strip()

    def is_signed(self, row: Mapping[str, str]) -> bool:  # noqa: ARG002 - most records have a source to sign
        """Whether a record says in a way of its kind's own that we made it."""
        return False

    def by_hand(self, reader: Reader, wanted: Wanted) -> str:
        """For a given record: what a person has to do about it; empty when it is as it should be."""
        return "" if reader.find(wanted) is not None else self.missing(wanted)

    def unlisted_step(self, wanted: Wanted, labels: Iterable[str]) -> str:
        """What a person does where the instance lists no choice of these labels."""
        raise NotImplementedError

    def stops(self, reader: Reader, wanted: Wanted, seen: Mapping[str, str] | None) -> Iterable[Brake]:  # noqa: ARG002 - most stop nothing
        """What a person has to accept before the record (as ``seen``, None if new) is brought to this."""
        return ()

    def stubborn_step(self, wanted: Wanted) -> str:
        """What a person does where the instance did not take a stubborn field."""
        raise NotImplementedError

    def missing(self, wanted: Wanted) -> str:
        """For a given record: what a person does when it is not there."""
        return f"create {wanted.id} on the instance"


def in_words(value: Value) -> str:
    """A wanted value for a person."""
    if isinstance(value, Ref):
        return value.key
    return value.label if isinstance(value, Choice) else value


def text(value: Any) -> str:
    """A cell of the Table API as text: a reference object becomes its sys_id."""
    if isinstance(value, Mapping):
        return str(value.get("value", ""))
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
