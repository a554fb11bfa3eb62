"""A job that reads a setting, several times a second, and notes what it read."""

import os
from datetime import timedelta

from django.db import connection

from sysconfig.models import SystemConfig
from tradingsite.jobs.timetable import ScheduledJob


def reading(_tick):
    value = str(SystemConfig.objects.get_value("stop_loss_pct"))
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO read_by_job (pid, value) VALUES (%s, %s)", [os.getpid(), value])
    return {}


READING = (ScheduledJob("reading", timedelta(seconds=0.2), reading),)
