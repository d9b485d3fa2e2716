"""The kinds of record that provisioning knows, in the order in which they are made."""

from linkspan.provision.kinds.access_policy import AccessPolicy, PolicyActivation, PolicyMapping
from linkspan.provision.kinds.acl import Acl
from linkspan.provision.kinds.api_key import ApiKey
from linkspan.provision.kinds.auth_parameter import AuthParameter
from linkspan.provision.kinds.auth_profile import AuthProfile
from linkspan.provision.kinds.base import Intent, Kind, Member
from linkspan.provision.kinds.custom_role import CustomRole
from linkspan.provision.kinds.group import Group
from linkspan.provision.kinds.group_role import GroupRole
from linkspan.provision.kinds.inbound_auth_profile import KeyProfile, StandardProfile
from linkspan.provision.kinds.instance_registration import InstanceRegistration
from linkspan.provision.kinds.membership import Membership
from linkspan.provision.kinds.oauth_application import OAuthApplication
from linkspan.provision.kinds.oauth_profile import OAuthProfile
from linkspan.provision.kinds.oauth_scope import AuthScope, OAuthScope
from linkspan.provision.kinds.owner import Owner
from linkspan.provision.kinds.plugin import Plugin
from linkspan.provision.kinds.property import Property
from linkspan.provision.kinds.role import Role
from linkspan.provision.kinds.store_app import StoreApp
from linkspan.provision.kinds.user import User
from linkspan.provision.kinds.user_role import UserRole

KINDS: tuple[Kind, ...] = (
    Property(),
    Plugin(),
    StoreApp(),
    Role(),
    CustomRole(),
    Acl(),
    Owner(),
    Group(),
    GroupRole(),
    User(),
    Membership(),
    UserRole(),
    OAuthApplication(),
    OAuthProfile(),
    AuthScope(),
    OAuthScope(),
    AuthParameter(),
    KeyProfile(),
    StandardProfile(),
    AccessPolicy(),
    PolicyMapping(),
    PolicyActivation(),
    ApiKey(),
    AuthProfile(),
    InstanceRegistration(),
)
BY_NAME = {kind.name: kind for kind in KINDS}
CREDENTIAL = "credential"  # the one kind that is kept in the secret store, not in a table

__all__ = ["BY_NAME", "CREDENTIAL", "KINDS", "Intent", "Kind", "Member"]
