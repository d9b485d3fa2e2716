"""The kinds of record that provisioning knows, in the order in which they are made."""

from linkspan.provision.kinds.base import Intent, Kind
from linkspan.provision.kinds.group import Group
from linkspan.provision.kinds.group_role import GroupRole
from linkspan.provision.kinds.membership import Membership
from linkspan.provision.kinds.oauth_application import OAuthApplication
from linkspan.provision.kinds.owner import Owner
from linkspan.provision.kinds.property import Property
from linkspan.provision.kinds.role import Role
from linkspan.provision.kinds.user import User

KINDS: tuple[Kind, ...] = (
    Property(),
    Role(),
    Owner(),
    Group(),
    GroupRole(),
    User(),
    Membership(),
    OAuthApplication(),
)
BY_NAME = {kind.name: kind for kind in KINDS}
CREDENTIAL = "credential"  # the one kind that is kept in the secret store, not in a table

__all__ = ["BY_NAME", "CREDENTIAL", "KINDS", "Intent", "Kind"]
