"""The pages of the site that belong to no app: addresses, icons, errors, and rules for every template."""

import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.urls import reverse
from django.utils.translation import override
from django.views.defaults import server_error

TEMPLATES = Path(__file__).parents[2] / "templates"


def test_root_redirects_to_the_status_page(client):
    assert client.get("/").headers["Location"] == reverse("healthcheck:page")


def test_favicon_ico_redirects_to_the_svg(client):
    assert client.get("/favicon.ico").headers["Location"] == "/static/healthcheck/favicon.svg"


@pytest.mark.parametrize("status", ["healthy", "degraded", "unhealthy", "lost"])
def test_every_status_has_a_favicon(status):
    assert finders.find(f"healthcheck/favicon-{status}.svg")


@pytest.mark.parametrize(("language", "headline"), [("en", "There is no such page"), ("ko", "없는 페이지")])
def test_page_not_found_is_in_the_language_of_the_request(client, language, headline):
    response = client.get("/nothing/here/", headers={"Accept-Language": language})

    assert response.status_code == 404
    assert headline in response.content.decode()


@pytest.mark.parametrize(("language", "headline"), [("en", "This page failed"), ("ko", "페이지 오류")])
def test_error_page_needs_neither_database_nor_request_context(rf, language, headline):
    with override(language):
        response = server_error(rf.get("/status/"))

    assert response.status_code == 500
    assert headline in response.content.decode()
    assert f'lang="{language}"' in response.content.decode()


def test_status_page_explains_why_signing_in_fails_without_a_database(client, settings):
    settings.STATUS_PANELS = []
    settings.HEALTH_PROBES = [{"name": "database", "probe": "tests.pages.probes.down", "label": "Database"}]
    response = client.get("/status/")

    assert response.status_code == 503
    assert "Unhealthy: Database" in response.content.decode()
    assert "While the database is down, signing in is not possible." in response.content.decode()


@pytest.mark.parametrize("path", sorted(TEMPLATES.rglob("*.html")), ids=lambda path: path.name)
def test_templates_have_no_inline_script_or_style(path):
    text = path.read_text()

    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", text)
    assert not re.search(r"<script(?![^>]*\ssrc=)", text)
