"""How a program asks a running sandbox's control endpoint (docs/sandbox-faults.md SF14)."""

from collections.abc import Mapping
from typing import Any

import requests

_TIMEOUT_S = 10.0


class NoSandbox(Exception):
    """Nothing answers on that port, or something that is no sandbox."""


class Unaccepted(Exception):
    """The sandbox refused; the text is its reason."""


def ask(port: int, method: str, path: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
    """Send one request to `/sandbox/…` on loopback and return the answer.

    Raises:
        NoSandbox: there is none on that port.
        Unaccepted: the request is wrong.
    """
    with requests.Session() as session:
        session.trust_env = False  # no proxy stands between this machine and itself
        try:
            response = session.request(
                method, f"http://127.0.0.1:{port}{path}", json=body, timeout=_TIMEOUT_S
            )
            answer = response.json()
        except requests.JSONDecodeError as error:
            raise NoSandbox(f"what answers on port {port} is no sandbox") from error
        except requests.RequestException as error:
            raise NoSandbox(f"no sandbox answers on port {port}") from error
    if isinstance(answer, dict) and response.ok:
        return answer
    raise Unaccepted(str(answer.get("error", answer)) if isinstance(answer, dict) else str(answer))
