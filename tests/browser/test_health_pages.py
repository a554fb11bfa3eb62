"""The pages behind the status page: components, state changes, jobs and alerts."""

import pytest
from playwright.sync_api import expect

from healthcheck.models import Alert, HealthTransition
from tests.browser import past, scenes

pytestmark = pytest.mark.usefixtures("exchange")


@pytest.fixture
def days(transactional_db):
    scenes.a_day_of_jobs()
    past.plant()


def addresses():
    transition = HealthTransition.objects.filter(component="scheduler", after="unhealthy").earliest("at")
    Alert.objects.create(transition=transition, state="sent", attempts=2, sent_at=transition.at)
    return {
        "component": "/status/components/scheduler/",
        "transitions": "/status/transitions/",
        "transition": f"/status/transitions/{transition.pk}/",
        "job": "/status/jobs/check_volatility/",
        "job of collection": "/status/jobs/collect_market_data/",
        "unknown": "/status/components/upbit/",
        "alerts": "/admin/healthcheck/alert/",
    }


@pytest.mark.usefixtures("days")
def test_pages_fit_and_pass_axe(visit, look, operator, view):
    paths = addresses()
    page = visit(paths["unknown"], user=operator, **view)
    for name, path in paths.items():
        page.goto(path)
        look(page, f"{name}-{view['language']}")


@pytest.mark.parametrize("language", ["en", pytest.param("ko", marks=pytest.mark.slow)])
def test_page_without_a_database_passes_axe(visit, look, operator, settings, language):
    database, *others = settings.HEALTH_PROBES
    settings.HEALTH_PROBES = [{**database, "probe": "tests.healthcheck.samples.crashes"}, *others]
    page = visit("/status/components/database/", user=operator, language=language)

    assert page.locator("h1").inner_text() == {
        "en": "Signing in is not possible", "ko": "로그인을 확인할 수 없음",
    }[language]  # fmt: skip
    look(page, f"no-database-{language}")


@pytest.mark.usefixtures("days")
def test_keyboard_leads_from_the_status_page_to_the_cause_without_javascript(visit, operator):
    page = visit(user=operator, javascript=False)

    page.get_by_role("table").get_by_role("link", name="Upbit API").press("Enter")
    expect(heading(page)).to_contain_text("Upbit API: ")
    expect(page.get_by_role("heading", name="What it means, what to do")).to_be_visible()
    page.get_by_role("link", name="See all its changes").press("Enter")
    expect(page.get_by_label("Component")).to_have_value("upbit_api")
    page.get_by_label("Component").select_option("scheduler")
    page.get_by_role("button", name="Show").press("Enter")
    page.get_by_role("link", name="Scheduler: Unhealthy").first.press("Enter")
    expect(heading(page)).to_contain_text("Healthy → Unhealthy")
    page.get_by_role("navigation", name="Site").get_by_role("link", name="Status").press("Enter")
    page.get_by_role("link", name="check_volatility").press("Enter")
    expect(heading(page)).to_have_text("check_volatility")
    expect(page.get_by_text("quarantined").first).to_be_visible()


def heading(page):
    return page.get_by_role("heading", level=1)


def test_anonymous_visitor_signs_in_and_gets_the_page(visit, operator):
    page = visit("/status/components/database/")

    page.locator("#id_username").fill("operator")
    page.locator("#id_password").fill("a long password")
    page.locator("#login-form [type=submit]").click()
    page.wait_for_url("**/status/components/database/")
    expect(heading(page)).to_have_text("Database: Healthy")
