"""Probes of a bad day."""

from healthcheck.report import Finding


def down() -> Finding:
    return Finding("unhealthy", "gone")
