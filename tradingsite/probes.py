"""The `database` probe of this site: the server, and whether this process is notified of changed settings."""

from django.utils.translation import gettext_noop

from healthcheck import probes
from healthcheck.report import Finding
from sysconfig.models import SystemConfig


def database() -> Finding:
    """Check the database as any site does, then warn if this process receives no configuration changes."""
    found = probes.database()
    listener = SystemConfig.objects.listener_status()
    if found.status != "healthy" or not listener.started or listener.listening:
        return found
    if listener.lease_age_s is None:
        return Finding.ready_warning(
            gettext_noop(
                "this process has received no configuration changes yet and reads each value again after 1 s:"
                " is DATABASE_DIRECT_URL the server itself, not a transaction pooler?"
            ),
        )
    return Finding.ready_warning(
        gettext_noop(
            "this process has received no configuration changes for %(silent_s)d s and reads each value"
            " again after 1 s: is the connection of DATABASE_DIRECT_URL cut?"
        ),
        silent_s=round(listener.lease_age_s),
    )
