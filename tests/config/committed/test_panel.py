"""What the status page shows of the cache."""

import pytest
from django.template.loader import render_to_string

from sysconfig.models import SystemConfig
from sysconfig.views import cache_panel


@pytest.mark.usefixtures("some_rows")
def test_the_panel_shows_the_hit_rate_of_this_process():
    for _ in range(4):
        SystemConfig.objects.get_value("t_count")

    assert cache_panel() == {
        "cache": {
            "hits": 3,
            "misses": 1,
            "hit_rate": 0.75,
            "hit_rate_pct": 75.0,
            "size": 1,
            "coalesced": 0,
            "discarded": 0,
        }
    }
    assert "75.0 %" in render_to_string("status/config_cache.html", cache_panel())
