"""Metrics of the scheduler and its jobs, read from the database, so every web process reports the same.

See docs/scheduler.md, R22.
"""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from tradingsite.jobs.models import SchedulerProcess
from tradingsite.jobs.records.last_day import last_day, totals
from tradingsite.jobs.reporting.status import JobStatus, SchedulerStatus, read

QUANTILES_PCT = (50, 95, 99)


def families() -> list[Metric]:
    """Return the families, in eight queries. Raises django.db.Error."""
    status = read()
    return [*_leadership(status), *_jobs(status), _runs(status), *_times(status)]


def _leadership(status: SchedulerStatus) -> Iterator[Metric]:
    leads = GaugeMetricFamily("scheduler_is_leading", "1 while a scheduler leads and its heartbeat is fresh.")
    leads.add_metric([], float(status.alive))
    yield leads
    if status.leader is not None and status.heartbeat_age is not None:
        epoch = GaugeMetricFamily("scheduler_epoch", "How often a scheduler has become leader.")
        epoch.add_metric([], status.leader.epoch)
        yield epoch
        age = GaugeMetricFamily(
            "scheduler_heartbeat_age_seconds", "Since the leader's last heartbeat.", unit="seconds"
        )
        age.add_metric([], status.heartbeat_age.total_seconds())
        yield age
    processes = GaugeMetricFamily(
        "scheduler_processes", "Scheduler processes that are alive.", labels=["role"]
    )
    for role in SchedulerProcess.Role.values:
        processes.add_metric([role], sum(each.role == role for each in status.processes))
    yield processes


def _jobs(status: SchedulerStatus) -> Iterator[Metric]:
    last_tick = _gauge("job_last_tick_timestamp_seconds", "The tick that was run last.", "seconds")
    paused = _gauge("job_paused", "1 while the job is paused.")
    failures = _gauge("job_consecutive_failures", "Failures since the last success.")
    running = _gauge(
        "job_running_seconds", "How long the present run has taken so far; 0 between runs.", "seconds"
    )
    states = GaugeMetricFamily("job_state", "1 for the job's present state.", labels=["job", "state"])
    for each in status.jobs:
        name, row = [each.job.name], each.row
        if row is not None and row.last_tick is not None:
            last_tick.add_metric(name, row.last_tick.timestamp())
        paused.add_metric(name, float(each.paused))
        failures.add_metric(name, row.consecutive_failures if row else 0)
        for state in JobStatus.State:
            states.add_metric([each.job.name, state.value], float(state is each.state))
        running.add_metric(name, each.running_for.total_seconds() if each.running_for else 0)
    yield from (last_tick, paused, failures, running, states)


def _gauge(name: str, text: str, unit: str = "") -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=["job"], unit=unit)


def _runs(status: SchedulerStatus) -> Metric:
    family = CounterMetricFamily(
        "job_runs", "Runs by outcome, at most a minute behind.", labels=["job", "outcome"]
    )
    counted = totals()
    for each in status.jobs:
        sums = counted.get(each.job.name, {})
        runs, failures = sums.get("runs", 0), sums.get("failures", 0)
        outcomes = {"ok": runs - failures, "failed": failures}
        outcomes |= {word: sums.get(word, 0) for word in ("skipped", "aborted")}
        for outcome, count in outcomes.items():
            family.add_metric([each.job.name, outcome], count)
    return family


def _times(status: SchedulerStatus) -> Iterator[Metric]:
    """Yield gauges with a `quantile` label.

    A summary would need a sum that never falls; this is the last day.
    """
    durations = GaugeMetricFamily(
        "job_duration_seconds",
        "Of the runs of the last 24 hours.",
        labels=["job", "quantile"],
        unit="seconds",
    )
    lateness = GaugeMetricFamily(
        "job_lateness_seconds",
        "From the tick to the start of the run, last 24 hours.",
        labels=["job", "quantile"],
        unit="seconds",
    )
    days = last_day()
    for each in status.jobs:
        for family, histogram in (
            (durations, days[each.job.name].durations),
            (lateness, days[each.job.name].lateness),
        ):
            for pct in QUANTILES_PCT:
                value_ms = histogram.percentile_ms(pct)
                if value_ms is not None:
                    family.add_metric([each.job.name, f"{pct / 100:g}"], value_ms / 1000)
    yield from (durations, lateness)
