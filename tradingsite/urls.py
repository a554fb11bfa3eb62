"""Every address of the site."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from tradingsite import branding

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="healthcheck:page")),
    path("", include("healthcheck.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/", admin.site.urls),
    path("favicon.ico", branding.favicon),
]
