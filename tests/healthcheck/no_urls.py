"""Addresses of a site that has the health middleware and none of its addresses."""

from django.http import HttpRequest, HttpResponse
from django.urls import path


def bare(_: HttpRequest) -> HttpResponse:
    return HttpResponse("fine")


urlpatterns = [path("bare", bare)]
