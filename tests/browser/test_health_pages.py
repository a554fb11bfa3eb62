"""The pages behind the status page in a real browser: both languages, narrow and wide, without JavaScript."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from healthcheck.models import Alert, HealthTransition
from tests.browser import looks, past, scenes

STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RULES = {"light": STANDARDS, "dark": ["color-contrast"]}  # the dark page is the same page in other colours
WIDTHS = [1280, 375, 320]

pytestmark = pytest.mark.usefixtures("exchange")


@pytest.fixture
def faults(visit):
    """Return what axe finds on a page, in light and in dark, with everything opened."""

    def found(page):
        said_before = list(visit.complaints)
        for summary in page.locator("summary").all():
            summary.click()
        faults = []
        for scheme, rules in RULES.items():
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            options = {"runOnly": rules, "resultTypes": ["violations"]}
            violations = Axe().run(page, options=options).response["violations"]
            faults += [(scheme, each["id"], [node["html"] for node in each["nodes"]]) for each in violations]
        visit.complaints = said_before  # axe applies styles of its own, which our CSP refuses
        return faults

    return found


@pytest.fixture
def days(transactional_db):
    scenes.a_day_of_jobs()
    past.plant()


def pages():
    transition = HealthTransition.objects.filter(component="scheduler", after="unhealthy").earliest("at")
    Alert.objects.create(transition=transition, state="sent", attempts=2, sent_at=transition.at)
    return {
        "component": "/status/components/scheduler/",
        "transitions": "/status/transitions/",
        "transition": f"/status/transitions/{transition.pk}/",
        "job": "/status/jobs/check_volatility/",
        "unknown": "/status/components/upbit/",
        "alerts": "/admin/healthcheck/alert/",
    }


@pytest.mark.usefixtures("days")
@pytest.mark.parametrize("language", ["en", "ko"])
def test_every_page_fits_and_has_no_fault_that_axe_finds(visit, faults, operator, language):
    addresses = pages()
    page = visit(addresses["unknown"], user=operator, language=language)
    for name, address in addresses.items():
        page.set_viewport_size({"width": 1280, "height": 800})
        page.goto(address)
        assert looks.fits(page, f"{name}-{language}") == WIDTHS, name
        assert faults(page) == [], name


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_page_without_a_database_has_no_fault_either(visit, faults, operator, settings, language):
    database, *others = settings.HEALTH_PROBES
    settings.HEALTH_PROBES = [{**database, "probe": "tests.healthcheck.samples.crashes"}, *others]
    page = visit("/status/components/database/", user=operator, language=language)

    assert page.locator("h1").inner_text() == {
        "en": "Signing in is not possible", "ko": "로그인을 확인할 수 없음",
    }[language]  # fmt: skip
    assert faults(page) == []


@pytest.mark.usefixtures("days")
def test_from_the_status_page_to_the_cause_by_keyboard_and_without_javascript(visit, operator):
    page = visit(user=operator, javascript=False)

    page.get_by_role("table").get_by_role("link", name="Upbit API").press("Enter")
    assert page.get_by_role("heading", level=1).inner_text().startswith("Upbit API: ")
    assert page.get_by_role("heading", name="What it means, what to do").is_visible()
    page.get_by_role("link", name="See all its changes").press("Enter")
    assert page.get_by_label("Component").input_value() == "upbit_api"
    page.get_by_label("Component").select_option("scheduler")
    page.get_by_role("button", name="Show").press("Enter")
    page.get_by_role("link", name="Scheduler: Unhealthy").first.press("Enter")
    assert "Healthy → Unhealthy" in page.get_by_role("heading", level=1).inner_text()
    page.get_by_role("navigation", name="Site").get_by_role("link", name="Status").press("Enter")
    page.get_by_role("link", name="check_volatility").press("Enter")
    assert page.get_by_role("heading", level=1).inner_text() == "check_volatility"
    assert page.get_by_text("quarantined").first.is_visible()


def test_anyone_is_led_to_sign_in_and_then_to_the_page(visit, operator):
    page = visit("/status/components/database/")

    page.locator("#id_username").fill("operator")
    page.locator("#id_password").fill("a long password")
    page.locator("#login-form [type=submit]").click()
    page.wait_for_url("**/status/components/database/")
    assert page.get_by_role("heading", level=1).inner_text() == "Database: Healthy"
