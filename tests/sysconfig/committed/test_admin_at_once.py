"""Several operators save the same setting at once: one succeeds, the others see a conflict."""

import threading

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session

from sysconfig.changes import SystemConfigChange
from sysconfig.models import SystemConfig
from tests.sysconfig.admin_pages.admin_desk import opened, page, signed_in

OPERATORS, ROUNDS = 6, 2
pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def operators(db):
    yield [signed_in(f"operator-{number}") for number in range(OPERATORS)]
    Session.objects.all().delete()
    User.objects.all().delete()


def test_of_operators_with_the_same_base_one_saves_and_the_others_see_a_conflict(operators, elsewhere):
    for turn in range(ROUNDS):
        forms = [opened(browser, "ai_model") for browser in operators]
        address = page("change", "ai_model")
        ready = threading.Barrier(OPERATORS)

        def save(browser, form, value, ready=ready, address=address):
            ready.wait(60)
            return browser.post(address, {**form, "value": value}).status_code

        answers = [
            elsewhere(save, browser, form, f"model-{turn}-{number}")
            for number, (browser, form) in enumerate(zip(operators, forms, strict=True))
        ]
        codes = sorted(answer.result(60) for answer in answers)

        assert codes == [200] * (OPERATORS - 1) + [302], "one is saved, the others see the conflict"
    assert SystemConfigChange.objects.filter(key="ai_model", source="admin").count() == ROUNDS
    assert SystemConfig.objects.get(key="ai_model").value.startswith(f"model-{ROUNDS - 1}-")
