"""The project's addresses and one bare JSON view to compare with."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from tradingsite.urls import urlpatterns as project


def bare(_: HttpRequest) -> HttpResponse:
    return JsonResponse({"status": "healthy", "components": [{"name": "database", "status": "healthy"}] * 6})


urlpatterns = [path("bare", bare), *project]
