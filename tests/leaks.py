"""No test may log, print or raise a secret: the output of each is searched for them."""

from collections.abc import Generator

import pytest
from django.conf import settings

NAMES = ("SECRET_KEY", "HEALTH_TOKEN", "UPBIT_SECRET_KEY", "GEMINI_API_KEY")


def shown(text: str) -> list[str]:
    """Return the names of the secrets in `text`."""
    return [name for name in NAMES if (secret := getattr(settings, name)) and secret in text]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test whose output shows a secret, and do not show it again."""
    report = yield
    text = "\n".join([report.longreprtext, *(content for _, content in report.sections)])
    if names := shown(text):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: its output shows {', '.join(names)}"
        report.sections = []
    return report
