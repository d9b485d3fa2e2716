"""The switches of an instance's emulation: what is not verified, and what a test wants to vary.

They are read and written under `/-/settings`. They are not sys_properties: those are records and
live in the database.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict


@dataclass(frozen=True)
class Setting:
    """One switch. `choices` empty means: any value of the default's type."""

    name: str
    default: Any
    choices: tuple[str, ...]
    says: str


class RateRule(TypedDict, total=False):
    """An inbound rate limit (ServiceNow docs: inbound REST API rate limiting)."""

    sys_id: str
    table: str
    user: str
    path: str
    limit: int
    seconds: int


def _choice(name: str, *choices: str, says: str) -> Setting:
    """The first choice is the default."""
    return Setting(name, choices[0], choices, says)


ALL: tuple[Setting, ...] = (
    _choice(
        "basic_auth_restriction",
        "track",
        "enforce",
        "off",
        says="basic authentication of interactive accounts: only tracked, refused, or not looked at",
    ),
    _choice("acl", "on", "off", says="whether access controls are evaluated"),
    _choice(
        "elevation", "required", "off", says="whether writing access controls needs security_admin raised"
    ),
    _choice(
        "commit_elevation",
        "required",
        "off",
        says="whether committing an update set that writes access controls needs security_admin raised",
    ),
    _choice(
        "preview_data",
        "ignored",
        "checked",
        says="whether the preview of an update set looks for the users, groups and other data it refers to",
    ),
    _choice(
        "unknown_query_field", "drop", "refuse", "no_rows", says="a query term whose field does not exist"
    ),
    _choice(
        "total_count",
        "before_acl",
        "after_acl",
        says="whether X-Total-Count counts rows the caller cannot read",
    ),
    _choice(
        "stats_hidden_rows",
        "refused",
        "counted",
        says="statistics over rows of which the caller may not read some",
    ),
    _choice(
        "query_acl_refusal",
        "dropped",
        "no_rows",
        "refused",
        says="a query of which query_match or query_range rules refuse a part: that part is left out, no row"
        " is found, or 403",
    ),
    _choice(
        "partial_range_acl",
        "opens",
        "ignored",
        says="whether conditional_table_query_range opens range queries that a rule on the table refuses",
    ),
    _choice("field_write_denied", "silent", "403", says="a write to a field the caller may not write"),
    Setting("quota_seconds", 60, (), "a transaction longer than this is cancelled"),
    Setting("quota_commits", True, (), "whether a cancelled write has committed all the same"),
    _choice("literal_time_zone", "utc", "user", says="how a date literal in a query is read"),
    Setting("journal_read", "itil", (), "the role that may read journal entries as records"),
    _choice(
        "password_plain_write",
        "literal",
        "ignored",
        says="a password written without sysparm_input_display_value: stored as typed, or not at all",
    ),
    _choice(
        "password_change",
        "allowed",
        "elevated",
        says="changing the password of somebody else: as any field, or only with security_admin raised",
    ),
    _choice(
        "user_minimum",
        "form",
        "always",
        says="who asks for a user's User ID and one of its names: the form alone, or every write",
    ),
    _choice("admin_row_write", "open", "admin", says="who writes the user record of somebody who is admin"),
    _choice("inactive_group_roles", "kept", "gone", says="whether an inactive group still gives its roles"),
    _choice(
        "second_grant", "refused", "kept", says="granting a user a role that the user was granted before"
    ),
    _choice(
        "role_cache",
        "none",
        "touch",
        says="when a stateless call sees other roles: at once, or once the sys_user row is written",
    ),
    _choice("outbound", "loopback", "off", says="where the instance's own outbound calls may go"),
    Setting("script_seconds", 1.0, (), "how long one script may run before it is stopped"),
    Setting("latency_ms", 0, (), "waited before every answer"),
    _choice(
        "oauth_client_basic",
        "accept",
        "refuse",
        says="client id and secret of a token request in a Basic header instead of the form",
    ),
    _choice(
        "client_credentials_profile",
        "ignored",
        "needed",
        says="whether the client credentials grant needs an OAuth entity profile of that grant type",
    ),
    Setting("authorization_code_seconds", 60, (), "how long an authorization code is good for"),
    _choice(
        "insert_class",
        "table",
        "given",
        says="of which class a record created over REST is: the table's, or the one its sys_class_name names",
    ),
    _choice(
        "useraccount_scope",
        "opens",
        "refused",
        says="whether the scope useraccount opens every API to a client that is Useraccount scoped",
    ),
    _choice(
        "no_op_update",
        "ignored",
        "counted",
        says="whether an update that changes nothing bumps sys_mod_count",
    ),
    _choice(
        "session_token",
        "all",
        "writes",
        says="which REST calls on a UI session need its token in X-UserToken",
    ),
    _choice(
        "policy_session",
        "passes",
        "refused",
        says="a REST call on a UI session, where an access policy maps ways of signing in",
    ),
    Setting(
        "api_key_refusal",
        "",
        (),
        "the message of the 401 for an API key that is not taken; empty: as for a wrong password",
    ),
    _choice(
        "api_key_scope",
        "ignored",
        "asked",
        says="whether an API key needs the auth scope that a REST API is bound to",
    ),
    _choice("approval_needs", "all", "any", says="whose approval a task needs: every approver's or one's"),
    Setting("rate_commit_seconds", 30, (), "how often the counts of a rate limit rule are committed"),
    _choice(
        "bad_number",
        "ignored",
        "refused",
        says="a sysparm_limit or sysparm_offset that is no number, or negative",
    ),
    _choice(
        "missing_headers",
        "json",
        "refused",
        says="a request without Accept, or a write without Content-Type: JSON is meant, or a 400",
    ),
    _choice(
        "json_quotes",
        "double",
        "single_too",
        says="JSON bodies with 'single' quotes, as some samples have them",
    ),
    _choice(
        "no_response_body",
        "204",
        "kept",
        says="the status of a write whose caller wants no body: 204, or what it would be with one",
    ),
    _choice("unknown_view", "all", "default", says="the fields of a sysparm_view that does not exist"),
    _choice("view_layout", "list", "form", says="whose fields sysparm_view means: the list's or the form's"),
    _choice("trailing_slash", "ignored", "refused", says="the slash at the end of an API's address"),
    _choice(
        "undocumented_apis",
        "answered",
        "absent",
        says="whether doc/table/schema, ui/meta and tinyurl, which only clients tell of, exist",
    ),
    _choice("table_schema", "columns", "list", says="what /api/now/doc/table/schema/{table} answers"),
    _choice(
        "stats_display", "beside", "instead", says="display values of groups: beside their values or instead"
    ),
    _choice("stats_nothing", "empty", "refused", says="statistics that ask for neither a count nor a figure"),
    _choice(
        "query_refusal",
        "query",
        "table_security",
        says="the words of the 403 for a query on a field that may not be read; both were seen",
    ),
    _choice(
        "gzip_requests",
        "accepted",
        "refused",
        says="the body of a REST request that is compressed with gzip",
    ),
    Setting("rate_rules", [], (), "inbound rate limits: [{table, user, path, limit, seconds, sys_id}]"),
    Setting("release", "australia", (), "the family release that is emulated"),
    _choice(
        "empty_choice",
        "ignored",
        "cleared",
        says="an empty value for a field with choices: passed over, as documented, or taken",
    ),
    Setting("attachment_scan_seconds", 2, (), "how long an attached file waits for its virus scan"),
    _choice(
        "attachment_author_names",
        "shown",
        "left_out",
        says="whether attachments carry created_by_name and updated_by_name",
    ),
    _choice(
        "attachment_content_type",
        "assumed",
        "needed",
        says="a file sent without a Content-Type: taken as application/octet-stream, or refused",
    ),
    _choice(
        "read_only_write",
        "ignored",
        "403",
        says="a write over an API to a field whose read only option binds APIs",
    ),
    _choice(
        "change_transitions",
        "model",
        "free",
        says="whether a state that a change's model does not lead to is refused over REST",
    ),
    Setting("metric_lag_seconds", 30, (), "how far metric_instance is behind; 0: not at all"),
    Setting("commit_lag_seconds", 0, (), "how long after its stamps a write over the Table API is seen"),
    Setting(
        "unknown_query_field_tables",
        {},
        (),
        "the same for single tables: {table: drop, refuse or no_rows}",
    ),
    _choice("week_start", "sunday", "monday", says="the day on which a week begins in queries"),
    _choice(
        "refused_script",
        "no_rows",
        "dropped",
        says="a condition whose javascript: value is no guarded script: meets nothing, or is left out",
    ),
    _choice(
        "negation_on_empty",
        "left_out",
        "matched",
        says="whether an empty field meets what says what it is not: !=, NOT LIKE, NOT IN, NSAMEAS, NOTON",
    ),
    _choice("null_word", "empty", "literal", says="the value NULL after = or != in a query"),
    _choice("empty_value", "empty", "ignored", says="a condition = or != without a value in a query"),
    _choice(
        "journal_query",
        "entries",
        "column",
        says="what a condition on a journal field looks at: the entries, or the record's own empty column",
    ),
    _choice(
        "join_conditions",
        "all",
        "first",
        says="how many of the conditions that follow a JOIN in a query are about the joined rows",
    ),
    _choice(
        "relative_days",
        "moment",
        "whole",
        says="RELATIVE conditions in days and more: counted from this second, or in whole days",
    ),
    _choice("now_date_time", "utc", "session", says="the time zone of gs.nowDateTime() in a query"),
    _choice("attachment_empty", "refused", "accepted", says="a file without a single byte"),
    _choice(
        "batch_bad_item",
        "answered",
        "unserviced",
        says="a request of a batch that cannot be asked at all: answered with its error, or left unserviced",
    ),
    _choice(
        "api_sessions",
        "none",
        "kept",
        says="the cookies of an API call: mere decoration, or a session that later calls go on in",
    ),
    _choice(
        "forwarded_for",
        "ignored",
        "trusted",
        says="whether the first address of X-Forwarded-For is the caller's, for the rules of ip_access",
    ),
    Setting("script_memory_mb", 16, (), "how many megabytes a script may take before it is stopped"),
    _choice(
        "script_failure",
        "goes_on",
        "aborts",
        says="a write (or query) of which a business rule's script throws: goes on, or is refused",
    ),
    Setting("batch_quota_seconds", 30, (), "a batch longer than this leaves its other requests unserviced"),
    _choice(
        "inbound_grant_type",
        "enforced",
        "ignored",
        says="whether a registry entry gives tokens only for the grant its inbound grant type names",
    ),
    _choice(
        "ropc_machine_users",
        "allowed",
        "refused",
        says="the password grant for accounts without interactive sessions",
    ),
    _choice(
        "jwt_bearer_header",
        "accept",
        "refuse",
        says="the assertion of the JWT bearer grant in a header Authentication instead of the form",
    ),
    _choice(
        "jwt_admin_refusal",
        "masked",
        "told",
        says="the refusal of a JWT bearer token to an administrator: like any other, or with its reason",
    ),
    _choice(
        "redirect_mismatch",
        "refused",
        "first",
        says="a request for an address that is not registered: refused, or the first one taken",
    ),
    Setting("oauth_key_days", 90, (), "how long the instance signs access tokens with one key"),
)


class Settings:
    """The current value of every switch."""

    def __init__(self, initial: Mapping[str, Any] | None = None) -> None:
        self._known = {setting.name: setting for setting in ALL}
        self._initial = {setting.name: setting.default for setting in ALL}
        self._values: dict[str, Any] = dict(self._initial)
        self.start_with(initial or {})

    def get(self, name: str) -> Any:
        return self._values[name]

    def default(self, name: str) -> Any:
        return self._known[name].default

    def all(self) -> dict[str, Any]:
        return dict(self._values)

    def update(self, values: Mapping[str, Any]) -> None:
        """Sets some of them, or none: raises ValueError naming the first that is wrong."""
        checked = {name: self._checked(name, value) for name, value in values.items()}
        self._values.update(checked)

    def start_with(self, values: Mapping[str, Any]) -> None:
        """Sets some of them for good: `reset` comes back to these."""
        self.update(values)
        self._initial = dict(self._values)

    def reset(self) -> None:
        """What the instance was started with."""
        self._values = dict(self._initial)

    def _checked(self, name: str, value: Any) -> Any:
        setting = self._known.get(name)
        if setting is None:
            raise ValueError(f"unknown setting {name!r}; known: {', '.join(sorted(self._known))}")
        if setting.choices:
            text = ("on" if value else "off") if isinstance(value, bool) else str(value)
            if text not in setting.choices:
                raise ValueError(f"{name} is one of {', '.join(setting.choices)}, not {value!r}")
            return text
        if name == "rate_rules":
            return _rate_rules(value)
        if name == "unknown_query_field_tables":
            return _by_table(value, self._known["unknown_query_field"].choices)
        wanted = type(setting.default)
        if wanted in (int, float) and isinstance(value, int | float) and not isinstance(value, bool):
            if value < 0:
                raise ValueError(f"{name} is not negative")
            return value
        if not isinstance(value, wanted):
            raise ValueError(f"{name} is {wanted.__name__}, not {value!r}")
        return value


def _by_table(value: Any, choices: tuple[str, ...]) -> dict[str, str]:
    """Raises ValueError when it is not one of the choices for each table."""
    if not isinstance(value, dict) or not all(each in choices for each in value.values()):
        raise ValueError(f"for each table one of {', '.join(choices)}, not {value!r}")
    return {str(table): str(each) for table, each in value.items()}


def _rate_rules(value: Any) -> list[RateRule]:
    """Raises ValueError saying what is wrong with the first rule that is."""
    if not isinstance(value, list):
        raise ValueError(f"rate_rules is a list, not {value!r}")
    kinds: dict[str, type] = RateRule.__annotations__
    for rule in value:
        if not isinstance(rule, dict) or set(rule) - set(kinds) or "limit" not in rule:
            raise ValueError(f"a rate rule is an object of {', '.join(kinds)}, with a limit; not {rule!r}")
        for name, given in rule.items():
            least = 1 if name == "seconds" else 0
            if type(given) is not kinds[name] or (isinstance(given, int) and given < least):
                raise ValueError(f"{name} of a rate rule is not {given!r}")
    return value
