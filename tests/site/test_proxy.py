"""Which client address a lock-out counts behind a reverse proxy."""

import subprocess
import sys

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from tests.site.processes import own_environ
from tradingsite.proxy import client_address

PRINT_ADDRESS = """
import django
django.setup()
from axes.helpers import get_client_ip_address
from django.test import RequestFactory
print(get_client_ip_address(RequestFactory().get("/", headers={"X-Forwarded-For": "10.9.9.9, 203.0.113.7"})))
"""


@pytest.mark.parametrize(("behind_proxy", "counted"), [("true", "203.0.113.7"), ("false", "127.0.0.1")])
def test_forwarded_address_counts_only_behind_a_declared_proxy(behind_proxy, counted):
    result = subprocess.run(
        [sys.executable, "-c", PRINT_ADDRESS],
        env=own_environ(BEHIND_PROXY=behind_proxy),
        capture_output=True,
        text=True,
        check=True,
    )

    assert result.stdout.strip() == counted


@pytest.mark.django_db
def test_guesser_does_not_lock_out_the_operator_behind_the_same_proxy(client, settings):
    settings.AXES_CLIENT_IP_CALLABLE = client_address
    User.objects.create_superuser("operator", password="the right one")

    def sign_in(password, forwarded):
        data = {"username": "operator", "password": password}
        return client.post(reverse("admin:login"), data, headers={"X-Forwarded-For": forwarded}).status_code

    for number in range(5):  # a forged entry before the proxy's own changes nothing
        locked = sign_in("wrong", f"10.0.0.{number}, 198.51.100.1")

    assert locked == sign_in("the right one", "198.51.100.1") == 429
    assert sign_in("the right one", "198.51.100.1, 203.0.113.7") == 302


@pytest.mark.parametrize("forwarded", ["", "unknown", "203.0.113.7:4711", "203.0.113.7,"])
def test_proxys_own_address_counts_without_a_usable_entry(rf, forwarded):
    request = rf.get("/", headers={"X-Forwarded-For": forwarded}, REMOTE_ADDR="192.0.2.1")

    assert client_address(request) == "192.0.2.1"


def test_ipv6_client_is_counted_by_its_canonical_spelling(rf):
    request = rf.get("/", headers={"X-Forwarded-For": "2001:DB8:0::0:7"})

    assert client_address(request) == "2001:db8::7"
