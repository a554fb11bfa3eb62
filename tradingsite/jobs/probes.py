"""The health component `scheduler`: is one alive, and is every registered job on time?"""

from django.utils.translation import gettext_noop

from healthcheck.report import Finding
from tradingsite.jobs.schedule import registered
from tradingsite.jobs.standing import HEARTBEAT_LIMIT, JobStanding, read


def scheduler() -> Finding:
    """Judge by the database alone, so that every process gives the same answer."""
    standing = read()
    leader = standing.leader
    if leader is None:
        return Finding("unhealthy", gettext_noop("no scheduler has ever run"))
    if not standing.alive and standing.heartbeat_age is not None:
        return Finding(
            "unhealthy",
            gettext_noop("the scheduler on %(host)s was last alive %(age_s)s s ago, limit %(limit_s)s s"),
            host=leader.holder,
            age_s=round(standing.heartbeat_age.total_seconds()),
            limit_s=round(HEARTBEAT_LIMIT.total_seconds()),
        )
    if standing.late:
        return Finding(
            "unhealthy",
            gettext_noop("late: %(jobs)s"),
            jobs=", ".join(map(_lateness, standing.late)),
        )
    return Finding(
        "healthy",
        gettext_noop("all %(count)s jobs are on time; %(host)s leads since %(since)s UTC"),
        count=len(registered()),
        host=leader.holder,
        since=f"{leader.acquired_at:%Y-%m-%d %H:%M:%S}",
    )


def _lateness(standing: JobStanding) -> str:
    late_s = standing.late_by.total_seconds() if standing.late_by else 0
    return f"{standing.job.name} +{round(late_s)} s"
