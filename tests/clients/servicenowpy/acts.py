"""What is asked of servicenowpy. Runs in its environment."""

from servicenowpy import Client


def table(name, url, user, password):
    return Client(url, user, password).table(name)


def life(values, changes, **at):
    """A record's life: as created, read by sys_id and by number, changed by PATCH and by PUT; what is left."""
    incidents = table("incident", **at)
    made = incidents.post(values)
    sys_id = made["sys_id"]
    seen = {
        "made": made,
        "read": incidents.get_record(sys_id),
        "numbered": incidents.get_record_by_number(made["number"]),
        "patched": incidents.patch(sys_id, changes),
        "put": incidents.put(sys_id, {"short_description": "Put"}),
        "gone": incidents.delete(sys_id).decode(),
    }
    return {**seen, "left": incidents.get(sysparm_query=f"sys_id={sys_id}")}


def rows(of, at, **words):
    """All pages of a query, following the Link header."""
    return table(of, **at).get(**words)


def one(of, sys_id, at, **words):
    return table(of, **at).get_record(sys_id, **words)


def create(of, values, at, **words):
    return table(of, **at).post(values, **words)


def remove(of, sys_id, at):
    return table(of, **at).delete(sys_id).decode()
