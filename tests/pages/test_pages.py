import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.urls import reverse
from django.utils.translation import override
from django.views.defaults import server_error

TEMPLATES = Path(__file__).parents[2] / "templates"


def test_the_address_alone_leads_to_the_status_page(client):
    assert client.get("/").headers["Location"] == reverse("healthcheck:page")


def test_browsers_that_ask_for_an_icon_unasked_get_ours(client):
    assert client.get("/favicon.ico").headers["Location"] == "/static/healthcheck/favicon.svg"


@pytest.mark.parametrize("status", ["healthy", "degraded", "unhealthy", "lost"])
def test_every_state_has_an_icon_for_the_tab(status):
    assert finders.find(f"healthcheck/favicon-{status}.svg")


@pytest.mark.parametrize(("language", "headline"), [("en", "There is no such page"), ("ko", "없는 페이지")])
def test_an_unknown_address_is_answered_in_the_reader_s_language(client, language, headline):
    response = client.get("/nothing/here/", headers={"Accept-Language": language})

    assert response.status_code == 404
    assert headline in response.content.decode()


@pytest.mark.parametrize(("language", "headline"), [("en", "This page failed"), ("ko", "페이지 오류")])
def test_an_error_has_a_page_that_needs_neither_database_nor_request(rf, language, headline):
    with override(language):
        response = server_error(rf.get("/status/"))

    assert response.status_code == 500
    assert headline in response.content.decode()
    assert f'lang="{language}"' in response.content.decode()


def test_while_the_database_is_down_the_page_says_why_nobody_is_signed_in(client, settings):
    settings.STATUS_PANELS = []
    settings.HEALTH_PROBES = [{"name": "database", "probe": "tests.pages.probes.down", "label": "Database"}]
    response = client.get("/status/")

    assert response.status_code == 503
    assert "Unhealthy: Database" in response.content.decode()
    assert "While the database is down, signing in is not possible." in response.content.decode()


@pytest.mark.parametrize("path", sorted(TEMPLATES.rglob("*.html")), ids=lambda path: path.name)
def test_no_template_needs_an_exception_from_the_content_security_policy(path):
    text = path.read_text()

    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", text)
    assert not re.search(r"<script(?![^>]*\ssrc=)", text)
