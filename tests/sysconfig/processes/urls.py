"""The project's addresses, and one that says what the process that answers reads."""

import os

from django.http import JsonResponse
from django.urls import path

from sysconfig.models import SystemConfig
from tradingsite.urls import urlpatterns as project


def value(_request, key):
    manager = SystemConfig.objects
    read = str(manager.get_value(key))
    notified = manager.cache_report()["invalidations"]["notify"]
    return JsonResponse({"pid": os.getpid(), "value": read, "notified": notified})


urlpatterns = [path("value/<key>", value), *project]
