"""Probes that fail."""

from healthcheck.report import Finding


def down() -> Finding:
    return Finding("unhealthy", "gone")
