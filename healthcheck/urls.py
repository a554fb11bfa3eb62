"""The JSON answers and the status page. `/livez` and `/readyz` are answered before any of this ."""

from django.urls import path

from healthcheck import component_api as component_view
from healthcheck import incident, views
from healthcheck import openmetrics as metrics
from healthcheck.pages import component as component_page
from healthcheck.pages import transitions as transition_pages

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
    path("api/v1/health/components/<slug:name>", component_view.component, name="component"),
    path("api/v1/health/components/<slug:name>/", component_view.component),
    path("api/v1/health/schema/component", component_view.schema, name="component_schema"),
    path("api/v1/health/schema/component/", component_view.schema),
    path("metrics", metrics.metrics, name="metrics"),
    path("metrics/", metrics.metrics),
    path("status/", views.page, name="page"),
    path("status/components/<slug:name>/", component_page.component_page, name="component_page"),
    path("status/transitions/", transition_pages.transition_list, name="transitions"),
    path("status/transitions/<int:pk>/", transition_pages.transition_page, name="transition"),
    path("status/incident.txt", incident.incident, name="incident"),
    path("status/fragment/", views.fragment, name="fragment"),
]
