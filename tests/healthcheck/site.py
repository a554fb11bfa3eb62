"""Settings of the site that the process tests run: the suite's, with the test's own database and probes."""

import json
import os

from tests.settings import *  # noqa: F403 - a settings module is its names
from tests.settings import DATABASES

# The test database of the running suite, on a server that already runs.
DATABASES["default"] |= {"EMBEDDED_DIR": None, **json.loads(os.environ["TEST_DATABASE"])}
HEALTH_PROBES = json.loads(os.environ["TEST_PROBES"])
HEALTH_ABILITIES = []
STATUS_PANELS = []
HEALTH_TOKEN = "a-token-for-monitors"
