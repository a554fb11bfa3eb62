"""Parts of the answer, conditional requests, and the abilities' address (docs/health.md, 20 and 25)."""

import pytest

from healthcheck.report import component_names
from tests.healthcheck.conftest import BEARER, DETAIL

pytestmark = pytest.mark.usefixtures("site")

NAMES = component_names()


def names(response):
    return [component["name"] for component in response.json()["components"]]


def test_only_selects_components_in_the_configured_order(client, site):
    site(gemini_api="tests.healthcheck.samples.crashes")

    response = client.get(f"{DETAIL}?only=scheduler,%20database")

    assert (response.status_code, names(response)) == (200, ["database", "scheduler"])
    assert response.json()["status"] == "healthy"


def test_exclude_leaves_components_out(client):
    excluded = {"gemini_api", "recent_order"}

    assert names(client.get(f"{DETAIL}?exclude={','.join(excluded)}")) == [
        name for name in NAMES if name not in excluded
    ]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("only=databse", "unknown: databse; existing components: database, upbit_api"),
        ("exclude=a,b", "unknown: a, b; existing components:"),
        ("only=database&exclude=scheduler", "can't be combined"),
        (f"exclude={','.join(NAMES)}", "no component is left"),
        ("only=", "no component is left"),
    ],
)
def test_invalid_filter_is_a_400_that_explains_the_error(client, query, message):
    response = client.get(f"{DETAIL}?{query}")

    assert response.status_code == 400
    assert message in response.json()["error"]


def test_a_matching_etag_gives_304(client, site):
    first = client.get(DETAIL)
    again = client.get(DETAIL, headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    assert first["Cache-Control"] == "private, no-cache"
    assert {"Authorization", "Cookie"} <= {name.strip() for name in first["Vary"].split(",")}

    site(gemini_api="tests.healthcheck.samples.warns")

    assert client.get(DETAIL, headers={"If-None-Match": first["ETag"]}).status_code == 200


def test_each_audience_has_its_own_etag(client):
    anybody, bearer = client.get(DETAIL), client.get(DETAIL, headers=BEARER)

    assert anybody["ETag"] != bearer["ETag"]
    assert client.get(DETAIL, headers={**BEARER, "If-None-Match": anybody["ETag"]}).status_code == 200


def test_an_unhealthy_answer_is_never_304(client, site):
    site(gemini_api="tests.healthcheck.samples.crashes")
    first = client.get(DETAIL)

    again = client.get(DETAIL, headers={"If-None-Match": first["ETag"]})

    assert (first.status_code, again.status_code) == (503, 503)
    assert again.content


def test_head_has_the_headers_and_no_body(client):
    response = client.head(DETAIL)

    assert (response.status_code, response.content) == (200, b"")
    assert response["ETag"]


@pytest.mark.parametrize(("probe", "answer"), [("fine", "yes"), ("crashes", "no"), ("warns", "yes")])
def test_the_abilities_are_derived_from_what_they_need(client, site, settings, probe, answer):
    settings.HEALTH_ABILITIES = [{"name": "decide", "label": "Decide", "needs": ("database", "gemini_api")}]
    site(gemini_api=f"tests.healthcheck.samples.{probe}")

    anybody = client.get("/api/v1/health/abilities").json()
    bearer = client.get("/api/v1/health/abilities", headers=BEARER).json()

    assert (anybody["can_act"], bearer["can_act"]) == (answer, answer)
    (ability,) = bearer["abilities"]
    assert (ability["name"], ability["answer"]) == ("decide", answer)
    assert ability["component"] == ("gemini_api" if answer == "no" else None)
    assert ability["reason"]
    assert (anybody["reason"], anybody["abilities"][0]["reason"]) == (None, None)
