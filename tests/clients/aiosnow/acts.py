"""What is asked of aiosnow. Runs in its environment."""

from aiosnow import Client, ModelSchema, TableModel, fields, select
from aiosnow.models.table.declared import IncidentModel, JournalModel


class UserSchema(ModelSchema):
    sys_id = fields.String(is_primary=True)
    user_name = fields.String()
    email = fields.String()


class UserModel(TableModel):
    sys_id = fields.String(is_primary=True)
    user_name = fields.String()
    email = fields.String()


class Nested(TableModel):
    """An incident whose caller is fetched through its link."""

    sys_id = fields.String(is_primary=True)
    number = fields.String()
    caller_id = UserSchema


def connect(host, user, password, tls=False):
    return Client(host, basic_auth=(user, password), use_ssl=tls)


def model(kind, at, table="incident"):
    return kind(connect(**at), table_name=table)


async def life(values, changes, at):
    """A record's life: as created, read, changed; what is left."""
    async with model(IncidentModel, at) as incidents:
        made = (await incidents.create(values)).data
        sys_id = made["sys_id"]
        read = (await incidents.get_one(IncidentModel.number == made["number"])).data
        changed = (await incidents.update(sys_id, changes)).data
        gone = (await incidents.delete(sys_id)).status
        left = (await incidents.get(IncidentModel.number == made["number"])).data
    return {"made": made, "read": read, "changed": changed, "gone": gone, "left": left}


async def found(kind, at):
    """The short descriptions that a selection of the client finds, and how they were sorted."""
    text = IncidentModel.short_description
    kinds = {
        "starts": text.starts_with("Found"),
        "ends": text.starts_with("Found") & text.ends_with("002"),
        "not_equals": text.starts_with("Found") & text.not_equals("Found 001"),
        "either": text.equals("Found 000") | text.equals("Found 003"),
        "or_new": text.equals("Found 000") ^ text.equals("Found 003"),
        "in": text.in_list(["Found 001", "Found 002"]),
        "contains": text.contains("ound 00") & text.not_contains("003"),
        "empty": text.starts_with("Found") & IncidentModel.assigned_to.is_empty(),
        "priority": text.starts_with("Found") & (IncidentModel.priority == 5),
        "order": select(text.starts_with("Found")).order_desc(text),
    }
    async with model(IncidentModel, at) as incidents:
        answer = await incidents.get(kinds[kind], limit=50)
        return [row["short_description"] for row in answer.data]


async def streamed(text, size, at, limit=10000):
    """The short descriptions of a stream of pages."""
    async with model(IncidentModel, at) as incidents:
        chosen = select(IncidentModel.short_description.starts_with(text)).order_asc(
            IncidentModel.short_description
        )
        return [
            row["short_description"] async for _, row in incidents.stream(chosen, page_size=size, limit=limit)
        ]


async def nested(number, at):
    """An incident with its caller, which the client fetches by the reference's link."""
    async with model(Nested, at) as incidents:
        return (await incidents.get_one(Nested.number == number)).data


async def journal(sys_id, at):
    """The journal entries of a record."""
    async with model(JournalModel, at, "sys_journal_field") as entries:
        rows = (await entries.get(JournalModel.element_id == sys_id)).data
    return [[row["element"], row["name"], row["value"], row["sys_created_by"]] for row in rows]


async def attached(sys_id, path, into, at):
    """Uploads a file, lists it, fetches it into a folder."""
    async with model(IncidentModel, at) as incidents:
        made = (await incidents.upload_file(sys_id, path)).data
        listed = (await incidents.get_attachments(f"table_sys_id={sys_id}")).data
        got = await incidents.download_file(f"sys_id={made['sys_id']}", into)
    return {"made": made, "listed": listed, "path": got.file_path}


async def asked(table, at, query="", sys_id=""):
    """The records of a table; or the deletion of one."""
    async with model(UserModel, at, table) as rows:
        if sys_id:
            return (await rows.delete(sys_id)).status
        return (await rows.get(query)).data


async def create(table, values, at):
    async with model(UserModel, at, table) as rows:
        return (await rows.create(values)).data
