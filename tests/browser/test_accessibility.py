import pytest
from axe_playwright_python.sync_playwright import Axe

from healthcheck.engine.engine import forget_engine
from sysconfig.models import SystemConfig
from tests.browser import past, scenes
from tests.healthcheck.imposing import impose

STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RULES = {"light": STANDARDS, "dark": ["color-contrast"]}  # the dark page is the same page in other colours
pytestmark = pytest.mark.parametrize("language", ["en", "ko"])


@pytest.fixture
def faults(visit):
    """Return what axe finds on a page, in light and in dark."""

    def found(page):
        said_before = list(visit.complaints)
        faults = []
        for scheme, rules in RULES.items():
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            options = {"runOnly": rules, "resultTypes": ["violations"]}
            violations = Axe().run(page, options=options).response["violations"]
            faults += [
                (scheme, fault["id"], [node["html"] for node in fault["nodes"]]) for fault in violations
            ]
        visit.complaints = said_before  # axe applies styles of its own, which our CSP refuses
        return faults

    return found


def test_the_status_page_of_a_bad_day(visit, faults, operator, language):
    scenes.at_work()
    scenes.halted()
    scenes.a_job_fails()

    assert faults(visit(user=operator, language=language)) == []


@pytest.mark.usefixtures("a_good_day")
@pytest.mark.parametrize("width", [1280, 375])
def test_the_status_page_of_a_day_of_trading(visit, faults, operator, width, language):
    past.plant()
    page = visit(user=operator, width=width, language=language)
    page.locator(".chart summary").click()

    assert faults(page) == []


@pytest.mark.usefixtures("a_good_day")
def test_the_status_page_of_a_good_day_for_anyone(visit, faults, language):
    assert faults(visit(width=375, language=language)) == []


def test_signing_in(visit, faults, language):
    assert faults(visit("/admin/login/", language=language)) == []


def test_the_list_of_settings_and_one_of_them(visit, faults, operator, language):
    threshold = SystemConfig.objects.get(key="volatility_threshold_pct")
    page = visit("/admin/sysconfig/systemconfig/", user=operator, language=language)

    assert faults(page) == []
    page.goto(f"/admin/sysconfig/systemconfig/{threshold.pk}/change/")
    assert faults(page) == []


@pytest.mark.parametrize("width", [1280, 375])
def test_the_jobs_on_the_status_page_and_in_admin(visit, faults, operator, width, language):
    scenes.a_day_of_jobs()
    page = visit(user=operator, width=width, language=language)

    assert faults(page) == []
    page.goto("/status/jobs/collect_market_data/")
    assert faults(page) == []
    for path in ("", "check_volatility/change/", "collect_market_data/pause/now/"):
        page.goto(f"/admin/jobs/jobstate/{path}")
        assert faults(page) == []


@pytest.mark.usefixtures("a_good_day")
def test_maintenance_windows_and_rehearsals(visit, faults, operator, language):
    impose("maintenance", "upbit_api")
    impose("fail", "gemini_api")
    forget_engine()

    for path in ("/status/", "/admin/healthcheck/healthoverride/", "/admin/healthcheck/healthoverride/add/"):
        assert faults(visit(path, user=operator, language=language)) == []
