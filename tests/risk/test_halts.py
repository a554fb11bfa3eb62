"""Operator halts: made and ended with a name and a reason, never edited or deleted."""

from datetime import timedelta
from threading import Barrier, Thread

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.admin.sites import site
from django.contrib.auth.models import Permission, User
from django.contrib.messages.storage.cookie import CookieStorage
from django.db import IntegrityError, connections, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests.marketdata.feed import NOON
from tradingsite.risk import halts
from tradingsite.risk.admin import HaltForm
from tradingsite.risk.models import Halt

pytestmark = pytest.mark.django_db

BTC = "KRW-BTC"
LIST, ADD = "admin:risk_halt_changelist", "admin:risk_halt_add"


def program_halt(**facts) -> Halt:
    values = {"kind": "unknown", "market": BTC, "reason": "no price yet", "polls": 0, "started_at": NOON}
    return Halt.objects.create(**{**values, "made_by": "check_volatility", **facts})


def signed_in(*permissions: str) -> Client:
    kim = User.objects.create_user("kim", is_staff=True)
    kim.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(kim, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_operator_halt_blocks_every_market_without_an_end():
    halt = halts.halt_now("  exchange looks odd ", "kim")

    assert (halt.kind, halt.market, halt.reason, halt.made_by) == (
        "operator",
        "",
        "exchange looks odd",
        "kim",
    )
    assert (halt.until, halt.ended_at) == (None, None)
    assert timezone.now() - halt.started_at < timedelta(minutes=1)
    assert list(Halt.objects.blocking(BTC)) == list(Halt.objects.blocking("KRW-ETH")) == [halt]
    assert str(halt) == "all markets: operator"


@pytest.mark.parametrize(("reason", "by"), [("", "kim"), ("  ", "kim"), ("why", "")])
def test_halt_needs_a_reason_and_a_name(reason, by):
    with pytest.raises(ValueError, match="needs a reason and a name"):
        halts.halt_now(reason, by)


def test_second_halt_raises_already_halted_with_the_first():
    first = halts.halt_now("lunch", "kim")

    with pytest.raises(halts.AlreadyHalted, match=r"halted by kim since .* UTC: lunch") as refused:
        halts.halt_now("outage", "lee")

    assert refused.value.halt == first
    assert Halt.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_concurrent_operators_make_one_halt():
    start, outcomes = Barrier(2), []

    def run(name):
        try:
            start.wait(timeout=60)
            outcomes.append(halts.halt_now("now", name).made_by)
        except halts.AlreadyHalted as refused:
            outcomes.append(refused.halt.made_by)
        finally:
            connections.close_all()

    threads = [Thread(target=run, args=(name,)) for name in ("kim", "lee")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert outcomes == [Halt.objects.get().made_by] * 2


def test_ended_halt_keeps_its_first_end_and_blocks_nothing():
    halt = halts.halt_now("lunch", "kim")

    assert halts.end(halt, "lee")
    ended_at = halt.ended_at
    assert not halts.end(halt, "park")

    assert (halt.ended_by, halt.ended_at) == ("lee", ended_at)
    assert not Halt.objects.blocking(BTC)
    assert halts.halt_now("again", "kim").pk != halt.pk


@pytest.mark.parametrize(
    "facts",
    [
        {"kind": "operator"},
        {"kind": "unknown", "market": ""},
        {"kind": "volatility"},
        {"reason": ""},
        {"made_by": ""},
    ],
    ids=["operator for one market", "program for all", "volatility without numbers", "no reason", "no name"],
)
def test_database_refuses_an_invalid_halt(facts):
    with pytest.raises(IntegrityError), transaction.atomic():
        program_halt(**facts)


def test_database_allows_one_open_halt_of_a_kind_and_market():
    program_halt(ended_at=NOON)
    program_halt()

    with pytest.raises(IntegrityError), transaction.atomic():
        program_halt()
    program_halt(market="KRW-ETH")


def test_operator_halts_in_admin_with_only_a_reason():
    client = signed_in("add_halt", "view_halt")

    answer = client.post(reverse(ADD), {"reason": "exchange looks odd"}, follow=True)

    halt = Halt.objects.get()
    assert answer.status_code == 200
    assert (halt.kind, halt.market, halt.made_by) == ("operator", "", "kim")
    assert LogEntry.objects.get().object_id == str(halt.pk)


def test_halt_list_links_to_the_form():
    client = signed_in("add_halt", "view_halt")
    form = reverse(ADD)

    assert f'href="{form}"' in client.get(reverse(LIST)).content.decode()
    assert "Halt now" in client.get(form).content.decode()


def test_halt_form_refuses_a_second_halt_and_names_the_first():
    halts.halt_now("lunch", "lee")

    answer = signed_in("add_halt", "view_halt").post(reverse(ADD), {"reason": "outage"})

    assert "New buys are already halted by lee: lunch" in answer.content.decode()
    assert Halt.objects.count() == 1


def test_concurrent_halt_after_form_validation_is_reported(rf, admin_user):
    first = halts.halt_now("lunch", "lee")
    request = rf.post("/")
    request.user, request._messages = admin_user, CookieStorage(request)
    mine = Halt(reason="outage")

    site._registry[Halt].save_model(request, mine, HaltForm(), False)

    assert mine == first
    assert [str(message) for message in request._messages] == ["New buys are already halted by lee: lunch"]


def test_halt_form_requires_a_reason():
    answer = signed_in("add_halt").post(reverse(ADD), {"reason": "  "})

    assert "This field is required." in answer.content.decode()
    assert not Halt.objects.exists()


def test_ending_halts_in_admin_warns_about_halts_that_return():
    client = signed_in("view_halt", "change_halt")
    operators, programs = halts.halt_now("lunch", "lee"), program_halt()

    chosen = {"action": "end_now", "_selected_action": [operators.pk, programs.pk]}
    text = client.post(reverse(LIST), chosen, follow=True).content.decode()

    assert not Halt.objects.open().exists()
    assert set(Halt.objects.values_list("ended_by", flat=True)) == {"kim"}
    assert "2 halts ended." in text
    assert "The program halts a market again while the cause lasts." in text
    assert LogEntry.objects.count() == 2


def test_ending_an_ended_halt_changes_nothing():
    halt = halts.halt_now("lunch", "lee")
    halts.end(halt, "lee")

    client = signed_in("view_halt", "change_halt")
    chosen = {"action": "end_now", "_selected_action": [halt.pk]}
    text = client.post(reverse(LIST), chosen, follow=True).content.decode()

    assert "0 halts ended." in text
    assert Halt.objects.get().ended_by == "lee"


def test_viewer_cannot_halt_or_end():
    halt = halts.halt_now("lunch", "lee")
    client = signed_in("view_halt")

    assert client.post(reverse(ADD), {"reason": "now"}).status_code == 403
    client.post(reverse(LIST), {"action": "end_now", "_selected_action": [halt.pk]})

    assert list(Halt.objects.open()) == [halt]


def test_halts_are_read_only_in_admin():
    halt = program_halt()
    client = signed_in("add_halt", "view_halt", "change_halt", "delete_halt")

    assert "no price yet" in client.get(reverse(LIST)).content.decode()
    assert client.get(reverse("admin:risk_halt_change", args=[halt.pk])).status_code == 200
    client.post(reverse("admin:risk_halt_change", args=[halt.pk]), {"reason": "none"})
    client.post(reverse("admin:risk_halt_delete", args=[halt.pk]), {"post": "yes"})

    assert Halt.objects.get().reason == "no price yet"
