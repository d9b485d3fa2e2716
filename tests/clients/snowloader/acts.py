"""What is asked of snowloader. Runs in its environment.

It insists on a host name with a dot in it: names under `wavetank.test` are this machine here.
"""

import datetime
import os
import socket
import ssl

import snowloader

resolve = socket.getaddrinfo


def _near(host, *rest, **words):
    return resolve("127.0.0.1" if str(host).endswith(".wavetank.test") else host, *rest, **words)


socket.getaddrinfo = _near


def connect(**at):
    return snowloader.SnowConnection(max_retries=0, **at)


def rows(table, at, **words):
    """The records of a sweep; verify=True has the client count them and compare."""
    with connect(**at) as connection:
        return list(connection.get_records(table, **words))


def changed(table, since, at):
    """What changed after a moment."""
    moment = datetime.datetime.fromisoformat(since)
    with connect(**at) as connection:
        return [row["number"] for row in connection.get_records(table, since=moment, fields=["number"])]


def concurrently(table, query, at):
    """A sweep by several threads; the numbers, sorted."""
    with connect(**at) as connection:
        found = connection.concurrent_get_records(table, query=query, max_workers=4)
        return sorted(row["number"] for row in found)


def count(table, query, at):
    with connect(**at) as connection:
        return connection.get_count(table, query=query)


def record(table, sys_id, at):
    with connect(**at) as connection:
        return connection.get_record(table, sys_id)


def descendants(table, at):
    with connect(**at) as connection:
        return connection.get_table_descendants(table)


def deleted(table, since, at):
    """The keys of records deleted since a moment, and the oldest deletion that is remembered."""
    with connect(**at) as connection:
        found = list(connection.get_deleted_records(table, since=datetime.datetime.fromisoformat(since)))
        return {"found": found, "horizon": connection.get_deletion_horizon()}


def documents(kind, at, **words):
    """What a loader makes of records: the text and the facts of each."""
    with connect(**at) as connection:
        loader = getattr(snowloader, kind)(connection=connection, **words)
        return [{"text": one.page_content, "facts": one.metadata} for one in loader.load()]


def attachment(sys_id, at):
    with connect(**at) as connection:
        return connection.get_attachment(sys_id).hex()


async def async_rows(table, query, at):
    """The same sweep by the asynchronous client, which asks certifi and so is given the authority by hand."""
    trust = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
    async with snowloader.AsyncSnowConnection(max_retries=0, verify_ssl=trust, **at) as connection:
        total = await connection.aget_count(table, query=query)
        return {"count": total, "rows": [row async for row in connection.aget_records(table, query=query)]}
