"""URLs of the JSON answers, the metrics and the status pages.

The middleware answers `/livez` and `/readyz`.
"""

from django.urls import path

from healthcheck import component_api, views
from healthcheck.pages import component, plain_text, transitions

app_name = "healthcheck"

# With and without a slash: a redirect would count as success for some monitors.
urlpatterns = [
    path("api/v1/health", views.health, name="health"),
    path("api/v1/health/", views.health),
    path("api/v1/health/detail", views.detail, name="detail"),
    path("api/v1/health/detail/", views.detail),
    path("api/v1/health/schema", views.schema, name="schema"),
    path("api/v1/health/schema/", views.schema),
    path("api/v1/health/abilities", views.abilities, name="abilities"),
    path("api/v1/health/abilities/", views.abilities),
    path("api/v1/health/components/<slug:name>", component_api.component, name="component"),
    path("api/v1/health/components/<slug:name>/", component_api.component),
    path("api/v1/health/schema/component", component_api.schema, name="component_schema"),
    path("api/v1/health/schema/component/", component_api.schema),
    path("metrics", views.metrics, name="metrics"),
    path("metrics/", views.metrics),
    path("status/", views.page, name="page"),
    path("status/components/<slug:name>/", component.component_page, name="component_page"),
    path("status/transitions/", transitions.transition_list, name="transitions"),
    path("status/transitions/<int:pk>/", transitions.transition_page, name="transition"),
    path("status/incident.txt", plain_text.incident, name="incident"),
    path("status/fragment/", views.fragment, name="fragment"),
]
