"""What is asked of pysnow. Runs in its environment."""

import time
from datetime import datetime

import pysnow

# The client writes them as they are: the user's zone, or UTC.
FIRST, THIRD = datetime(2020, 1, 1), datetime(2020, 1, 3)  # noqa: DTZ001


def connect(host, user, password, tls=False):
    return pysnow.Client(host=host, user=user, password=password, use_ssl=tls)


def table(name, **at):
    return connect(**at).resource(api_path=f"/table/{name}")


def life(values, changes, **at):
    """A record's life: as created, read, updated; the answer to its deletion; what is left."""
    incidents = table("incident", **at)
    made = incidents.create(payload=values).one()
    sys_id = made["sys_id"]
    read = incidents.get(query={"sys_id": sys_id}).one()
    changed = incidents.update(query={"sys_id": sys_id}, payload=changes).one()
    gone = incidents.delete(query={"sys_id": sys_id})
    left = incidents.get(query={"sys_id": sys_id}).one_or_none()
    return {"made": made, "read": read, "changed": changed, "gone": gone, "left": left}


def rows(of, query, stream=False, **at):
    """The records of a query; further words go to the client's own get()."""
    words = {name: at.pop(name) for name in ("limit", "offset", "fields", "display_value",
             "exclude_reference_link") if name in at}  # fmt: skip
    answer = table(of, **at).get(query=query, stream=stream, **words)
    return {
        "rows": list(answer.all()),
        "headers": {name.lower(): value for name, value in answer.headers.items()},
    }


def built(kind, **at):
    """The short descriptions that a query of the client's builder finds."""
    text = pysnow.QueryBuilder().field("short_description").starts_with("Built")
    builders = {
        "not_contains": lambda: text.AND().field("short_description").not_contains("002"),
        "ends_with": lambda: text.AND().field("short_description").ends_with("003"),
        "or": lambda: pysnow.QueryBuilder().field("short_description").equals("Built 001").OR()
        .field("short_description").equals("Built 004"),
        "in": lambda: pysnow.QueryBuilder().field("short_description").equals(["Built 000", "Built 002"]),
        "not_in": lambda: text.AND().field("short_description").not_equals(["Built 000", "Built 002"]),
        "empty": lambda: text.AND().field("assigned_to").is_empty(),
        "not_empty": lambda: text.AND().field("assigned_to").is_not_empty(),
        "new_query": lambda: pysnow.QueryBuilder().field("short_description").equals("Built 000").NQ()
        .field("short_description").equals("Built 003"),
        "between": lambda: text.AND().field("sys_created_on").between(FIRST, THIRD),
        "greater": lambda: text.AND().field("sys_created_on").greater_than(THIRD),
        "descending": lambda: text.AND().field("short_description").order_descending(),
    }  # fmt: skip
    answer = table("incident", **at).get(query=builders[kind](), fields=["short_description"])
    return [row["short_description"] for row in answer.all()]


def counted(text, **at):
    """The older interface: the count by the Aggregate API, and the first three rows."""
    asked = connect(**at).query(table="incident", query=f"short_descriptionSTARTSWITH{text}")
    found = list(asked.get_multiple(limit=3, order_by=["-short_description"], fields=["short_description"]))
    return {"count": asked.count, "rows": [row["short_description"] for row in found]}


def nothing(**at):
    """The older interface where nothing matches."""
    return list(connect(**at).query(table="incident", query="short_description=no such").get_multiple())


def asked(method, of, path="", payload=None, **at):
    """Any request; the records it answers."""
    words = {"json": payload} if payload is not None else {}
    return list(table(of, **at).request(method=method, path_append=path or None, **words).all())


def attached(sys_id, path, **at):
    """Uploads a file; the upload's answer, the record's list, and what is left after deletion."""
    incidents = table("incident", **at)
    made = incidents.attachments.upload(sys_id=sys_id, file_path=path).one()
    listed = list(incidents.attachments.get(sys_id=sys_id))
    gone = incidents.attachments.delete(made["sys_id"])
    return {
        "made": made,
        "listed": listed,
        "gone": gone,
        "left": list(incidents.attachments.get(sys_id=sys_id)),
    }


def tokens(host, user, password, client_id, client_secret, tls=False):
    """A token by password, a request with it; then it is said to have run out, and refreshed on the way."""
    updated = []
    made = pysnow.OAuthClient(client_id=client_id, client_secret=client_secret, host=host, use_ssl=tls,
                              token_updater=updated.append)  # fmt: skip
    token = made.generate_token(user, password)
    made.set_token(token)
    before = len(list(made.resource(api_path="/table/incident").get(limit=1).all()))
    made.set_token({**token, "expires_at": time.time() - 60})
    after = len(list(made.resource(api_path="/table/incident").get(limit=1).all()))
    return {"token": token, "before": before, "after": after, "updated": updated}
