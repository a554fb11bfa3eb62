"""The `database` component of this site: the server, and whether this process hears what changes in it."""

from django.utils.translation import gettext_noop

from healthcheck import probes
from healthcheck.report import Finding
from sysconfig.models import SystemConfig


def database() -> Finding:
    """Judge the database as any site does; warn when this process no longer hears of changed settings."""
    found = probes.database()
    listener = SystemConfig.objects.listener_status()
    if found.status != "healthy" or not listener.started or listener.listening:
        return found
    if listener.lease_age_s is None:
        return Finding.ready_warning(
            gettext_noop(
                "this process has never heard of a configuration change and reads each value again after 1 s:"
                " is DATABASE_DIRECT_URL the server itself, not a transaction pooler?"
            ),
        )
    return Finding.ready_warning(
        gettext_noop(
            "this process has not heard of configuration changes for %(silent_s)d s and reads each value"
            " again after 1 s: is the connection of DATABASE_DIRECT_URL cut?"
        ),
        silent_s=round(listener.lease_age_s),
    )
