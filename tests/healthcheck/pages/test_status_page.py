"""What the status page shows to whom; its look is proved by the browser tests."""

import pytest
from django.contrib.auth.models import User
from django.utils import translation

from healthcheck.engine.engine import Engine
from healthcheck.pages.status_page import status_page
from healthcheck.report import Finding
from tests.healthcheck.conftest import all_landed
from tests.healthcheck.imposing import nothing


@pytest.fixture
def panelled(monkeypatch, tmp_path, settings):
    """Panels of the tests, whose templates lie in a folder of theirs."""
    (templates,) = settings.TEMPLATES
    settings.TEMPLATES = [templates | {"DIRS": [tmp_path]}]
    (tmp_path / "rows.html").write_text("{% for row in rows %}<b>{{ row }}</b>{% endfor %}")
    (tmp_path / "broken.html").write_text("{% if %}")


def engine_with(*panels, probes=()):
    return Engine(probes, panels, version="1.2.3", read_overrides=nothing)


def shown(engine, *, staff=True):
    return status_page(*engine.page(), staff=staff)


def test_staff_see_messages_and_others_only_states(probe, scripts, settings):
    settings.HEALTH_PROBES = [{"name": "calm", "probe": ""}]
    engine = engine_with(probes=[probe("calm", scripts(Finding("warning", "%(late_s)d s late", late_s=3)))])

    (seen,), (redacted,) = shown(engine).components, shown(engine, staff=False).components

    assert (seen.status, seen.text, seen.latency_ms is None) == ("warning", "3 s late", False)
    assert (redacted.status, redacted.text, redacted.latency_ms) == ("warning", None, None)
    assert seen.name == redacted.name == "calm"


def test_words_are_those_of_the_active_language(probe, scripts, settings):
    settings.HEALTH_PROBES = [{"name": "calm", "probe": ""}]
    engine = engine_with(probes=[probe("calm", scripts())])

    with translation.override("en"):
        page = shown(engine)

    assert (page.status, page.status_word, page.headline) == ("healthy", "Healthy", "All is well")


def test_panels_are_for_staff_unless_they_are_public(panel, panelled):
    rows = {"rows": ["a", "b"]}
    open_one = panel("open_one", lambda: rows, template="rows.html", public=True)
    engine = engine_with(open_one, panel("closed", lambda: rows, template="rows.html"))

    assert [one.title for one in shown(engine).panels] == ["open_one", "closed"]
    assert [one.title for one in shown(engine, staff=False).panels] == ["open_one"]
    assert shown(engine).panels[0].html == "<b>a</b><b>b</b>"


def test_a_panel_that_fails_or_hangs_says_so_and_the_rest_is_shown(panel, panelled, scripts):
    stuck = scripts()
    stuck.hold()
    engine = engine_with(
        panel("fails", lambda: 1 / 0),
        panel("hangs", stuck, timeout_s=0.1),
        panel("broken", dict, template="broken.html"),
        panel("fine_one", lambda: {"rows": [1]}, template="rows.html"),
    )

    panels = shown(engine).panels

    fails, hangs, broken, fine = [one.error for one in panels]
    assert fails == broken == "the panel failed; see the log"
    assert hangs.startswith(("no answer within 0.1 s", "still running after"))
    assert fine is None
    assert [one.html for one in panels] == [None, None, None, "<b>1</b>"]


def test_a_panel_whose_dependency_is_down_names_it(panel, panelled, probe, scripts):
    database = probe("database", scripts(Finding("unhealthy", "gone")))
    rows = panel("rows", lambda: {"rows": [1]}, template="rows.html", needs=("database",))
    engine = engine_with(rows, probes=[database])
    engine.snapshot()

    _, (one,) = engine.page()

    assert one.context.english == "database is down"


def test_panels_are_kept_like_probes(panel, panelled, scripts):
    counted = scripts({"rows": [1]})
    engine = engine_with(panel("counted", counted, template="rows.html"))

    for _ in range(5):
        shown(engine)

    assert counted.runs == 1


@pytest.mark.django_db(transaction=True)
def test_a_lazy_query_of_a_panel_runs_in_the_panels_thread(panel, panelled, django_assert_num_queries):
    User.objects.create_user("kim")
    users = panel("users", lambda: {"rows": User.objects.all()}, template="rows.html")
    engine = engine_with(users)

    with django_assert_num_queries(0):
        assert shown(engine).panels[0].html == "<b>kim</b>"
    assert all_landed(engine)


def test_the_page_and_its_fragment_show_the_components(client, settings):
    (templates,) = settings.TEMPLATES
    options = templates["OPTIONS"] | {"string_if_invalid": "no such name: %s"}
    settings.TEMPLATES = [templates | {"OPTIONS": options}]
    settings.STATUS_PANELS = []
    settings.HEALTH_PROBES = [
        {"name": "database", "probe": "tests.healthcheck.samples.fine"},
        {"name": "scheduler", "probe": "tests.healthcheck.samples.crashes"},
    ]

    page, fragment = client.get("/status/"), client.get("/status/fragment/")

    assert (page.status_code, fragment.status_code) == (503, 200)
    for response in (page, fragment):
        assert "no such name" not in response.content.decode()
        assert "no-store" in response["Cache-Control"]
        assert "database" in response.content.decode()
        assert "scheduler" in response.content.decode()
        assert "10.1.2.3" not in response.content.decode()
