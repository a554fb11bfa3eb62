from datetime import timedelta

import pytest
from django.utils.translation import override

from healthcheck.templatetags.durations import duration


@pytest.mark.parametrize(
    ("span", "english", "korean"),
    [
        (0.4, "0 s", "0초"),
        (-3, "0 s", "0초"),
        (59.9, "59 s", "59초"),
        (131, "2 min 11 s", "2분 11초"),
        (timedelta(minutes=5), "5 min", "5분"),
        (timedelta(hours=3, minutes=2, seconds=1), "3 h 2 min", "3시간 2분"),
        (timedelta(days=1, hours=2), "1 d 2 h", "1일 2시간"),
        (timedelta(days=40, minutes=59), "40 d", "40일"),
        (None, "", ""),
    ],
)
def test_duration_shows_its_two_largest_units(span, english, korean):
    with override("en"):
        assert duration(span) == english
    with override("ko"):
        assert duration(span) == korean
