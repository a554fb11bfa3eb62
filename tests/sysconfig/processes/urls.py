"""The project's addresses, and one that says what the process that answers reads."""

import os

from django.http import JsonResponse
from django.urls import path

from sysconfig.models import SystemConfig
from tradingsite.urls import urlpatterns as project


def value(_request, key):
    return JsonResponse({"pid": os.getpid(), "value": str(SystemConfig.objects.get_value(key))})


urlpatterns = [path("value/<key>", value), *project]
