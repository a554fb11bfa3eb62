"""Calls the control API of a running sandbox, for `manage.py sandbox` (docs/sandbox-faults.md SF14)."""

from collections.abc import Mapping
from typing import Any

import requests

_TIMEOUT_S = 10.0


class NoSandbox(Exception):
    """Nothing answers on that port, or not a sandbox."""


class RequestRefused(Exception):
    """The sandbox refused the request; the text is its reason."""


def ask(port: int, method: str, path: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
    """Send one request to `/sandbox/…` on this machine and return the answer.

    Raises:
        NoSandbox: no sandbox answers on that port.
        RequestRefused: the request is wrong.
    """
    with requests.Session() as session:
        session.trust_env = False  # a proxy from the environment cannot reach this machine's loopback
        try:
            response = session.request(
                method, f"http://127.0.0.1:{port}{path}", json=body, timeout=_TIMEOUT_S
            )
            answer = response.json()
        except requests.JSONDecodeError as error:
            raise NoSandbox(f"the program on port {port} is not a sandbox") from error
        except requests.RequestException as error:
            raise NoSandbox(f"no sandbox answers on port {port}") from error
    if isinstance(answer, dict) and response.ok:
        return answer
    raise RequestRefused(str(answer.get("error", answer)) if isinstance(answer, dict) else str(answer))
