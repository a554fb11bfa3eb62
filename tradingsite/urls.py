"""All URLs of the site."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from tradingsite import views
from tradingsite.jobs.views import job_page

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="healthcheck:page")),
    path("", include("healthcheck.urls")),
    path("status/jobs/<str:name>/", job_page, name="job_page"),
    path("api/v1/config/cache", views.config_cache, name="config_cache"),
    path("api/v1/config/cache/", views.config_cache),
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/", admin.site.urls),
    path("favicon.ico", views.favicon),
]
