"""Probes and clients that a busy machine does not time out."""

import pytest

from tests.clients.peer import LONG_TIMEOUT_S, extend_timeouts
from tradingsite.marketdata import api_key, probes


@pytest.fixture(autouse=True)
def patient_probes(monkeypatch):
    extend_timeouts(monkeypatch)
    monkeypatch.setattr(probes, "WITHIN_S", LONG_TIMEOUT_S)
    monkeypatch.setattr(api_key, "WITHIN_S", LONG_TIMEOUT_S)
