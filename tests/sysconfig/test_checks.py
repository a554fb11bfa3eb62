"""The system check on the direct address (docs/config-cache.md, rule 24)."""

import pytest
from django.conf import settings
from django.core.checks import run_checks


@pytest.mark.parametrize(
    ("address", "direct", "where"),
    [
        ({"HOST": "db.example", "PORT": "6432"}, {}, "db.example:6432"),
        ({"HOST": "PgBouncer.internal", "PORT": ""}, {}, "PgBouncer.internal:5432"),
        ({"HOST": "aws-0.pooler.example", "PORT": 5432}, {}, "aws-0.pooler.example:5432"),
        ({"HOST": "", "PORT": "6432"}, {}, "localhost:6432"),
        ({"HOST": "db.example", "PORT": "5432"}, {"host": "bouncer"}, "bouncer:5432"),
    ],
)
def test_w001_an_address_that_looks_pooled_is_warned_of(monkeypatch, address, direct, where):
    monkeypatch.setitem(settings.DATABASES, "default", {**address, "DIRECT": direct})

    [warning] = run_checks(tags=["sysconfig"])
    assert warning.id == "sysconfig.W001"
    assert f"{where} looks like a connection pooler" in warning.msg
    assert "Set DATABASE_DIRECT_URL" in str(warning.hint)


@pytest.mark.parametrize(
    ("address", "direct"),
    [
        ({"HOST": "db.example", "PORT": "5432"}, {}),
        ({"HOST": "", "PORT": ""}, {}),
        ({"HOST": "bouncer", "PORT": "6432"}, {"host": "db.example", "port": "5432"}),
        ({}, {}),
    ],
)
def test_w001_a_direct_address_past_the_pooler_is_fine(monkeypatch, address, direct):
    monkeypatch.setitem(settings.DATABASES, "default", {**address, "DIRECT": direct})

    assert run_checks(tags=["sysconfig"]) == []
