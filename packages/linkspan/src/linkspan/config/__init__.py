"""linkspan.yaml as frozen values; every value knows its file and line."""

from linkspan.config.load import load
from linkspan.config.values import (
    AccountConfig,
    AdminConfig,
    Config,
    HubConfig,
    InstanceConfig,
    SyncConfig,
)

__all__ = ["AccountConfig", "AdminConfig", "Config", "HubConfig", "InstanceConfig", "SyncConfig", "load"]
