"""The checks, those that others depend on first. A new one is a file here and a line below."""

from linkspan.core.check import Check
from linkspan.preflight.checks import (
    access_controls,
    account_flags,
    answers,
    far_side,
    identity,
    incident_read,
    incident_write,
    login,
    reachable,
    roles,
    tables_read,
    tls,
    url_form,
)

CHECKS: tuple[Check, ...] = (
    url_form.CHECK,
    reachable.CHECK,
    tls.CHECK,
    answers.CHECK,
    login.CHECK,
    identity.CHECK,
    account_flags.CHECK,
    roles.CHECK,
    access_controls.CHECK,
    incident_read.CHECK,
    tables_read.CHECK,
    incident_write.CHECK,
    far_side.CHECK,
)
