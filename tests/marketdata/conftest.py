"""Probes and clients that a busy machine does not time out."""

import pytest

from tests.clients.peer import PATIENCE_S, be_patient
from tradingsite.marketdata import api_key, probes


@pytest.fixture(autouse=True)
def patient_probes(monkeypatch):
    be_patient(monkeypatch)
    monkeypatch.setattr(probes, "WITHIN_S", PATIENCE_S)
    monkeypatch.setattr(api_key, "WITHIN_S", PATIENCE_S)
