"""What is asked of PySNC, the one that waits and the one that awaits. Runs in its environment."""

import inspect

from pysnc import ServiceNowClient
from pysnc.asyncio import AsyncServiceNowClient
from pysnc.asyncio import auth as async_auth
from pysnc.auth import ServiceNowClientCredentialsFlow, ServiceNowPasswordGrantFlow

FLOWS = {
    "sync": (ServiceNowPasswordGrantFlow, ServiceNowClientCredentialsFlow),
    "async": (
        async_auth.AsyncServiceNowPasswordGrantFlow,
        async_auth.AsyncServiceNowClientCredentialsFlow,
    ),
}


async def have(value):
    """The value, awaited where the asynchronous client answers with a promise."""
    return await value if inspect.isawaitable(value) else value


class Session:
    """One client of either kind, under the same words."""

    def __init__(self, client):
        self.client = client

    @classmethod
    async def open(cls, kind, url, user=None, password=None, client_id=None, client_secret=None, cert=None):
        if cert:
            return cls(ServiceNowClient(url, cert=cert))
        way = (user, password)
        if client_id:
            by_password, by_client = FLOWS[kind]
            secrets = (client_id, client_secret)
            way = by_password(user, password, *secrets) if user else by_client(*secrets)
        if kind == "sync":
            return cls(ServiceNowClient(url, way))
        if client_id:  # a client made while a loop runs forgets its flow; the flow's own session is taken
            way = await way.authenticate(url)
        return cls(AsyncServiceNowClient(url, way))

    async def record(self, table, **words):
        return await have(self.client.GlideRecord(table, **words))

    async def found(self, query, table="incident", **words):
        record = await self.record(table, **words)
        record.add_encoded_query(query)
        await have(record.query())
        return record

    async def rows(self, record):
        seen = []
        while await have(record.next()):
            seen.append(record.serialize(display_value="both"))
        return seen


async def life(values, changes, at):
    """A record's life: as created, read, changed; whether it went; whether it is still found."""
    session = await Session.open(**at)
    made = await session.record("incident")
    made.initialize()
    for name, value in values.items():
        made.set_value(name, value)
    sys_id = await have(made.insert())
    read = await session.record("incident")
    await have(read.get(sys_id))
    seen = {"sys_id": sys_id, "made": made.serialize(), "read": read.serialize(display_value="both")}
    for name, value in changes.items():
        read.set_value(name, value)
    await have(read.update())
    seen["changed"] = read.serialize(display_value="both")
    seen["gone"] = await have(read.delete())
    seen["left"] = await have((await session.record("incident")).get(sys_id))
    return seen


async def listed(query, at, fields=None, size=100, limit=None, table="incident", display=None):
    """The rows of a query, page by page, and how many there are."""
    session = await Session.open(**at)
    record = await session.record(table, batch_size=size)
    record.add_encoded_query(query)
    if fields:
        record.fields = fields
    if limit:
        record.limit = limit
    if display is not None:
        record.display_value = display
    await have(record.query())
    return {"total": record.get_row_count(), "rows": await session.rows(record)}


async def long_query(sys_id, at):
    """A query that no URL can carry: the client sends it in a batch."""
    session = await Session.open(**at)
    record = await session.record("incident")
    for n in range(1500):
        record.add_query("nothing_of_the_kind", f"{n:05}")
    record.add_query("sys_id", sys_id)
    await have(record.query())
    return [row["sys_id"]["value"] for row in await session.rows(record)]


async def many(text, ending, at):
    """Changes every record of a text in one batch; whether all went well; then deletes them in one."""
    session = await Session.open(**at)
    record = await session.found(f"short_descriptionSTARTSWITH{text}^ORDERBYnumber")
    while await have(record.next()):
        record.set_value("short_description", record.get_value("short_description") + ending)
    went = await have(record.update_multiple())
    changed = await session.found(f"short_descriptionENDSWITH{ending}")
    count = changed.get_row_count()
    gone = await have((await session.found(f"short_descriptionSTARTSWITH{text}")).delete_multiple())
    left = (await session.found(f"short_descriptionSTARTSWITH{text}")).get_row_count()
    return {"went": went, "changed": count, "gone": gone, "left": left}


async def joined(kind, at):
    """The user names that a join, or a related list query, finds."""
    session = await Session.open(**at)
    record = await session.record("sys_user")
    if kind == "join":
        record.add_join_query("sys_user_group", join_table_field="manager").add_query("name", "Judges")
    else:
        more = record.add_rl_query("sys_user_has_role", "user", ">0", True)
        more.add_query("role.name", "snc_basic_auth_api_access")
    await have(record.query())
    return sorted(row["user_name"]["value"] for row in await session.rows(record))


async def attached(sys_id, content, at):
    """Attaches text and bytes to a record; lists and reads them; how many are left without the record."""
    session = await Session.open(**at)
    record = await session.record("incident")
    await have(record.get(sys_id))
    where = await have(record.add_attachment("text.txt", "a\nb\nç"))
    await have(record.add_attachment("bytes.bin", bytes.fromhex(content)))
    files = await have(record.get_attachments())
    seen = {}
    while await have(files.next()):
        seen[str(files.file_name)] = (await have(files.read())).hex()
    await have(record.delete())
    after = await session.found(f"table_sys_id={sys_id}", "sys_attachment")
    return {"where": where, "files": seen, "left": after.get_row_count()}


async def walked(at):
    """What dot-walked fields of the administrator say."""
    session = await Session.open(**at)
    record = await session.record("sys_user")
    record.fields = (
        "sys_id,user_password,department,department.name,department.dept_head,department.dept_head.email"
    )
    await have(record.get("6816f79cc0a8016401c5a33be04be441"))
    return {
        "department": record.department.get_value(),
        "name": str(record.department.name),
        "email": str(record.department.dept_head.email),
        "password": record.get_display_value("user_password"),
    }


async def refused(table, at, values=None, sys_id=None):
    """A read, a write, or a deletion that the instance refuses."""
    session = await Session.open(**at)
    record = await session.record(table)
    if values:
        record.initialize()
        for name, value in values.items():
            record.set_value(name, value)
        return await have(record.insert())
    if sys_id:
        await have(record.get(sys_id))
        return await have(record.delete())
    return await have(record.query())
