"""What a script may ask of the instance: the records it is about, `gs`, the user and the session.

ServiceNow docs: "GlideRecord - Global", "GlideElement API", "GlideSystem API", "GlideUser API". What is
not here is named by NotBuilt, never answered with a guess.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from wavetank.behaviour.change import Change
from wavetank.behaviour.scripting.engine import NotBuilt, Plain
from wavetank.database import formats
from wavetank.database.dictionary import Field
from wavetank.database.expressions import Context, NotAllowed
from wavetank.database.expressions.objects import Value, text_of
from wavetank.database.expressions.people import User
from wavetank.database.expressions.system import System
from wavetank.security.who import Session

if TYPE_CHECKING:
    from wavetank.instance import Instance

Row = Mapping[str, str]
LOG_LEVELS = {"debug": "-1", "log": "0", "print": "0", "info": "0", "warn": "1", "error": "2"}
_MOST_SAID, _LONGEST_MESSAGE = 200, 4000
_MESSAGES = frozenset({"addInfoMessage", "addErrorMessage", "addErrorMessageNoSanitization"})
_OWN = frozenset({
    "isNewRecord", "operation", "getTableName", "getUniqueValue", "getValue", "setValue", "getDisplayValue",
    "isValidRecord", "isValidField", "isValid", "changes", "setAbortAction", "isActionAborted",
    "getRecordClassName", "getLabel", "getClassDisplayValue", "addQuery", "addEncodedQuery", "addNullQuery",
    "addNotNullQuery", "getEncodedQuery", "instanceOf",
})  # fmt: skip
_NOT_BUILT = frozenset({
    "addActiveQuery", "addExtraField", "addFunction", "addInactiveQuery", "addJoinQuery", "addOrderBy",
    "addValue", "applyEncodedQuery", "applyTemplate", "autoSysFields", "canCreate", "canDelete", "canRead",
    "canWrite", "chooseWindow", "deleteMultiple", "deleteRecord", "find", "get", "getAttribute", "getED",
    "getElement", "getElements", "getFields", "getLastErrorMessage", "getLink", "getPlural", "getRefRecord",
    "getRelatedLists", "getRowCount", "hasAttribute", "hasNext", "initialize", "insert",
    "insertWithReferences", "isInGlobalScope", "newRecord", "next", "orderBy", "orderByDesc", "query",
    "queryNoDomain", "restoreLocation", "saveLocation", "setDisplayValue", "setForceUpdate", "setLimit",
    "setNewGuid", "setNewGuidValue", "setWorkflow", "update", "updateMultiple", "updateWithReferences",
    "_get", "_next", "_query",
})  # fmt: skip
_METHODS = _OWN | _NOT_BUILT
# Names of the platform's that a script may look for, and that mean nothing here.
LACKING = frozenset({
    "AbstractAjaxProcessor", "ArrayUtil", "Class", "GlideAggregate", "GlideCertificateEncryption",
    "GlideDate", "GlideDateTime", "GlideDuration", "GlideElement", "GlideEncrypter", "GlideEvaluator",
    "GlideFilter", "GlideHTTPRequest", "GlidePluginManager", "GlideQuery", "GlideRecord",
    "GlideRecordSecure", "GlideSchedule", "GlideScopedEvaluator", "GlideSecureRandomUtil", "GlideSession",
    "GlideStringUtil", "GlideSysAttachment", "GlideSystem", "GlideTableHierarchy", "GlideTime",
    "GlideUpdateManager2", "GlideUser", "GlideXMLUtil", "JSUtil", "Packages", "RESTMessage", "RESTMessageV2",
    "SOAPMessageV2", "StringUtil", "Workflow", "XMLDocument", "XMLDocument2", "action", "email", "g_form",
    "g_scratchpad", "java", "sn_auth", "sn_cc", "sn_fd", "sn_ws", "template", "workflow",
})  # fmt: skip


class View:
    """One record as a script sees it: fields of its own, and those that references lead to."""

    def __init__(self, instance: Instance, table: str, row: Row) -> None:
        self._instance = instance
        self.table = table
        self.row = row
        self._known: dict[tuple[str, str], Row] = {}

    def field(self, path: str) -> tuple[Field, Row] | None:
        """The field that a dot-walked path ends in, and the record that has it; None for no such field."""
        dictionary = self._instance.dictionary
        known, row = dictionary.table(self.table), self.row
        steps = path.split(".")
        for place, step in enumerate(steps):
            field = known.fields.get(step) if known else None
            if field is None:
                return None
            if place == len(steps) - 1:
                return field, row
            known = dictionary.table(field.reference) if field.reference else None
            value = row.get(step, "")
            row = self._met(field.reference, value) if known and value else {}
        return None

    def _met(self, table: str, sys_id: str) -> Row:
        """A record on the way; the same for the whole run."""
        key = (table, sys_id)
        if key not in self._known:
            self._known[key] = self._instance.database.get(table, sys_id) or {}
        return self._known[key]

    def value(self, path: str) -> str:
        found = self.field(path)
        return found[1].get(found[0].name, "") if found else ""

    def shown(self, path: str, style: formats.Style) -> str:
        """The display value of a field."""
        found = self.field(path)
        if found is None:
            return ""
        field, row = found
        value = row.get(field.name, "")
        target = self._instance.dictionary.table(field.reference) if field.reference else None
        if target is not None:
            other = self._instance.database.get(target.name, value) if value else None
            return other.get(target.display, "") if other else ""
        choices = self._instance.behaviour.choices.find(row.get("sys_class_name") or self.table, field.name)
        if choices is not None and value in choices.labels:
            return choices.labels[value]
        return formats.shower(field, style, self._instance.dictionary)(value) or ""


class Asked:
    """One run of one script: answers what the script asks. Records cannot be written here."""

    def __init__(
        self, instance: Instance, session: Session | None, table: str, row: Row | None, operation: str
    ) -> None:
        self.instance = instance
        self.session = session
        self.operation = operation
        self.said: list[tuple[str, str]] = []  # (level, message) for the log
        self.views = {} if row is None else {"current": View(instance, table, row)}
        self.table = table

    def __call__(self, asked: str, *given: Plain) -> Plain:
        return _OPERATIONS[asked](self, *given)

    @cached_property
    def context(self) -> Context:
        """What `gs` sees."""
        context = self.instance.query_context(self.session)
        interactive = self.session is not None and self.session.scheme == "session"
        return replace(context, interactive=interactive)

    @cached_property
    def style(self) -> formats.Style:
        zone = self.session.time_zone if self.session else "UTC"
        return formats.Style("true", "", zone, "yyyy-MM-dd", "HH:mm:ss")

    def say(self, level: str, message: str) -> None:
        """Have a row of the log written; a script that does not stop talking is not listened to."""
        if len(self.said) < _MOST_SAID:
            self.said.append((level, message[:_LONGEST_MESSAGE]))

    # -- records

    def view(self, which: Plain) -> View | None:
        return self.views.get(str(which))

    def kind(self, which: Plain, path: Plain) -> Plain:
        view = self.view(which)
        found = view.field(str(path)) if view else None
        return found[0].type if found else None

    def get(self, which: Plain, path: Plain) -> Plain:
        view = self.view(which)
        return view.value(str(path)) if view else ""

    def set(self, which: Plain, name: Plain, value: Plain) -> Plain:
        """A record that is only looked at takes no value; the script is not told."""

    def change(self, which: Plain, path: str) -> tuple[str, str]:
        """A field before and after."""
        value = str(self.get(which, path) or "")
        return value, value

    def abort(self, flag: bool) -> None:
        """Only a change can be aborted."""

    def aborted(self) -> bool:
        return False

    def query(self, method: str, given: tuple[Plain, ...]) -> Plain:  # noqa: ARG002  only queries take them
        raise NotBuilt(f"GlideRecord.{method}")

    def record(self, which: Plain, method: Plain, given: Plain) -> Plain:  # noqa: PLR0911, PLR0912  one arm a method
        name, arguments = str(method), tuple(given) if isinstance(given, list) else ()
        view = self.view(which)
        first = str(arguments[0]) if arguments and arguments[0] is not None else ""
        match name:
            case "operation":
                return self.operation or None
            case "isNewRecord":
                return self.operation in ("insert", "create")
            case "isValidRecord" | "isValid":
                return view is not None and bool(view.row.get("sys_id"))
            case "isValidField":
                return self.kind(which, first) is not None
            case "getTableName":
                return view.table if view else self.table
            case "getRecordClassName":
                return str(self.get(which, "sys_class_name")) or self.table
            case "instanceOf":
                return first in self.instance.dictionary.hierarchy(view.table if view else self.table)
            case "getLabel" | "getClassDisplayValue":
                known = self.instance.dictionary.table(self.table)
                return known.label if known else ""
            case "getUniqueValue":
                return self.get(which, "sys_id")
            case "getValue":
                return self._value(which, first)
            case "setValue":
                self.set(which, first, arguments[1] if len(arguments) > 1 else None)
                return None
            case "getDisplayValue":
                known = self.instance.dictionary.table(self.table)
                return view.shown(first or (known.display if known else "sys_id"), self.style) if view else ""
            case "changes":
                names = view.row if view else {}
                return any(before != after for before, after in (self.change(which, each) for each in names))
            case "setAbortAction":
                self.abort(bool(arguments and arguments[0] not in (False, "false", None)))
                return None
            case "isActionAborted":
                return self.aborted()
            case "addQuery" | "addEncodedQuery" | "addNullQuery" | "addNotNullQuery" | "getEncodedQuery":
                return self.query(name, arguments)
            case _:
                raise NotBuilt(f"GlideRecord.{name}")

    def _value(self, which: Plain, name: str) -> Plain:
        """As GlideRecord.getValue: a boolean is 1 or 0, an empty field is null."""
        value = self.get(which, name)
        if self.kind(which, name) == "boolean":
            return "1" if value == "true" else "0"
        return value or None

    def field(self, which: Plain, path: Plain, method: Plain, given: Plain) -> Plain:  # noqa: PLR0911, PLR0912
        name, place = str(path), str(method)
        arguments = [text_of(_simple(each)) for each in given] if isinstance(given, list) else []
        first = arguments[0] if arguments else ""
        view = self.view(which)
        found = view.field(name) if view else None
        if view is None or found is None:
            return None
        match place:
            case "toString":
                return self.get(which, name)
            case "getValue":
                return self._value(which, name)
            case "getDisplayValue":
                return view.shown(name, self.style)
            case "nil":
                return self.get(which, name) == ""
            case "getName":
                return found[0].name
            case "getLabel":
                return found[0].label
            case "getTableName":
                return view.table
            case "getReferenceTable":
                return found[0].reference or None
            case "changes":
                before, after = self.change(which, name)
                return before != after
            case "changesTo":
                before, after = self.change(which, name)
                return before != after and after == first
            case "changesFrom":
                before, after = self.change(which, name)
                return before != after and before == first
            case "setValue":
                self.set(which, name, first)
                return None
            case _:
                raise NotBuilt(f"GlideElement.{place}")

    # -- gs, the user, the session

    def gs(self, method: Plain, given: Plain) -> Plain:  # noqa: PLR0911  one arm a method
        name = str(method)
        arguments = [_simple(each) for each in given] if isinstance(given, list) else []
        first = text_of(arguments[0]) if arguments else ""
        if name in LOG_LEVELS:
            self.say(LOG_LEVELS[name], _filled(first, arguments[1:]))
            return None
        if name in _MESSAGES:
            return None  # nobody sees it over REST
        match name:
            case "hasRole":
                return self._has_role(first)
            case "getProperty":
                default = arguments[1] if len(arguments) > 1 else None
                return self.instance.properties.get(first) or _plain(default)
            case "generateGUID":
                return self.instance.ids.sys_id()
            case "tableExists":
                return self.instance.dictionary.table(first) is not None
            case "isDebugging":
                return False
            case _:
                return _called(lambda: System(self.context).call(name, arguments), f"gs.{name}")

    def user(self, method: Plain, given: Plain) -> Plain:  # noqa: PLR0911  one arm a method
        name = str(method)
        arguments = [_simple(each) for each in given] if isinstance(given, list) else []
        first = text_of(arguments[0]) if arguments else ""
        match name:
            case "hasRole":
                return self._has_role(first)
            case "hasRoles":
                return self.session is not None and bool(self.session.roles)
            case "hasRoleExactly":
                return self.session is not None and first in self.session.roles
            case "getRoles":
                return [*sorted(self.session.roles)] if self.session else []
            case "getID":
                return self.context.user
            case "getName":
                return self.context.user_name
            case _:
                return _called(lambda: User(self.context).call(name, arguments), f"gs.getUser().{name}")

    def of_session(self, method: Plain, _given: Plain) -> Plain:
        match str(method):
            case "isInteractive":
                return self.context.interactive
            case "isLoggedIn":
                return bool(self.context.user)
            case "isElevated" | "hasElevatedRole":
                return self.session is not None and self.session.elevated
            case "getTimeZoneName":
                return self.context.time_zone
            case name:
                raise NotBuilt(f"gs.getSession().{name}")

    def _has_role(self, roles: str) -> bool:
        """Any of them; the system itself has all."""
        if self.session is None:
            return True
        return any(self.session.has_role(each.strip()) for each in roles.split(",") if each.strip())


class Writing(Asked):
    """A run of a business rule's script: `current` is the record as it is about to be."""

    def __init__(self, change: Change, *, before: bool, past: bool) -> None:
        """`before`: the record is not stored yet. `past`: there is a record before the change."""
        row = change.row or change.previous or {}
        self._change = change
        self._aborted = False
        # After the fact, what a script sets stays with it.
        shown = change.row if before and change.row else dict(row)
        super().__init__(change.instance, change.who, change.table.name, shown, change.operation)
        if past and change.previous is not None:
            self.views["previous"] = View(change.instance, change.table.name, change.previous)
        self._past = past
        self._before = before
        self._shown = shown

    def get(self, which: Plain, path: Plain) -> Plain:
        name = str(path)
        field = self._change.table.fields.get(name)
        if which == "current" and field is not None and field.is_journal:
            return "\n".join(text for each, text in self._change.journals if each == name)
        return super().get(which, path)

    def set(self, which: Plain, name: Plain, value: Plain) -> Plain:
        field = self._change.table.fields.get(str(name))
        if which != "current" or field is None:
            return None
        text = text_of(_simple(value))
        if not field.is_journal:
            self._shown[field.name] = text
        elif self._before and field.type == "journal_input" and text:
            self._change.journals.append((field.name, text))
        return None

    def change(self, which: Plain, path: str) -> tuple[str, str]:
        after = str(self.get("current", path) or "")
        if not self._past or which != "current":
            return after, after
        field = self._change.table.fields.get(path)
        return ("" if field is not None and field.is_journal else self._change.before(path)), after

    def abort(self, flag: bool) -> None:
        self._aborted = flag

    def aborted(self) -> bool:
        return self._aborted


class Narrowing(Asked):
    """A run of a before-query rule's script: `current` is the query that is about to be made."""

    def __init__(self, instance: Instance, session: Session, table: str) -> None:
        super().__init__(instance, session, table, {}, "query")
        self.terms: list[str] = []

    def query(self, method: str, given: tuple[Plain, ...]) -> Plain:
        texts = [text_of(_simple(each)) for each in given]
        match method, texts:
            case "addEncodedQuery", [text]:
                self.terms.append(text)
            case "addNullQuery", [field]:
                self.terms.append(f"{field}ISEMPTY")
            case "addNotNullQuery", [field]:
                self.terms.append(f"{field}ISNOTEMPTY")
            case "addQuery", [text]:
                self.terms.append(text)
            case "addQuery", [field, value]:
                self.terms.append(f"{field}={value.replace('^', '^^')}")
            case "addQuery", [field, sign, value]:
                self.terms.append(f"{field}{_SIGNS.get(sign.upper(), sign)}{value.replace('^', '^^')}")
            case "getEncodedQuery", _:
                return "^".join(self.terms)
            case _:
                raise NotBuilt(f"GlideRecord.{method} of {len(texts)} arguments")
        return None


_SIGNS = {"CONTAINS": "LIKE", "DOES NOT CONTAIN": "NOT LIKE"}


def _filled(text: str, values: list[Value]) -> str:
    for place, each in enumerate(values):
        text = text.replace(f"{{{place}}}", text_of(each))
    return text


def _simple(value: Plain) -> Value:
    """What a script gave, as the expressions of queries know it."""
    return [_simple(each) for each in value] if isinstance(value, list) else value


def _plain(value: Value) -> Plain:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value if value is None or isinstance(value, str | bool | int | float) else text_of(value)


def _called(call: Callable[[], Value], name: str) -> Plain:
    """Raises NotBuilt for a call that is not known."""
    try:
        value = call()
    except NotAllowed:
        raise NotBuilt(name) from None
    if not isinstance(value, str | bool | int | float | list | None):
        raise NotBuilt(f"the object of {name}()")
    return _plain(value)


def _missing(_asked: Asked, name: Plain) -> Plain:
    raise NotBuilt(str(name))


_OPERATIONS: Mapping[str, Callable[..., Plain]] = {
    "now": lambda asked: asked.instance.clock.seconds() * 1000 // 1,
    "missing": _missing,
    "method": lambda _, name: name in _METHODS,
    "kind": lambda asked, *given: asked.kind(*given),
    "get": lambda asked, *given: asked.get(*given),
    "set": lambda asked, *given: asked.set(*given),
    "field": lambda asked, *given: asked.field(*given),
    "record": lambda asked, *given: asked.record(*given),
    "gs": lambda asked, *given: asked.gs(*given),
    "user": lambda asked, *given: asked.user(*given),
    "session": lambda asked, *given: asked.of_session(*given),
}
