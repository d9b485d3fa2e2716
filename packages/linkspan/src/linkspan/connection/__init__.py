"""One authenticated, polite line to one instance: verbs, no policy."""

from linkspan.connection.apis.table import Page, TableApi, key_of
from linkspan.connection.auth import (
    ApiKey,
    Basic,
    Credential,
    OAuthClient,
    OAuthCode,
    OAuthConsent,
    OAuthPassword,
    credential,
    of_parts,
)
from linkspan.connection.line import Connection, connect
from linkspan.connection.reply import Reply

__all__ = [
    "ApiKey",
    "Basic",
    "Connection",
    "Credential",
    "OAuthClient",
    "OAuthCode",
    "OAuthConsent",
    "OAuthPassword",
    "Page",
    "Reply",
    "TableApi",
    "connect",
    "credential",
    "key_of",
    "of_parts",
]
