"""The vendor's package: one request over REST, inside our own bounds (G5, G6).

It is imported when the first request is made, and by nothing else: it costs half a second and 60 MB.
"""

import json
import sys
import warnings
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import requests
import urllib3.exceptions

from tradingsite.clients.connection import Bounds, bounded, confined
from tradingsite.clients.errors import InvalidResponse, TimedOut
from tradingsite.clients.gemini.failures import ModelFailure, refused
from tradingsite.clients.http import read, unreachable
from tradingsite.clients.response import Answer, one_line
from tradingsite.masking import hide

_PACKAGE = "google.ai.generativelanguage"
_WHAT = "generateContent"


class Host:
    """The model's host, and the key for it. Each request has a client of its own.

    So no thread shares a client, no fork inherits one, and no kept connection can be a dead one; the
    package's client is made in a millisecond.
    """

    def __init__(self, base_url: str, api_key: str, user_agent: str) -> None:
        self._base_url = base_url
        self._api_key = api_key
        self._user_agent = user_agent

    def generate(self, body: Mapping[str, Any], bounds: Bounds) -> tuple[Any, Answer]:
        """Send `body`, written as REST writes it, and return the package's message and the answer itself.

        Raises:
            ModelFailure: for everything that is not a 2xx with a message of the documented form.
        """
        package = _package()
        heard: list[Answer] = []
        try:
            message = package.GenerateContentRequest.from_json(json.dumps(body))
            with bounded(bounds), self._client(package, heard) as client:
                response = client.generate_content(message, retry=None, timeout=bounds.read_s)
        except Exception as error:  # the package names no closed set of errors, and each is a failure
            raise self._failure(error, heard, bounds) from error
        if not heard[-1].body.lstrip().startswith(b"{"):  # the package takes it for an empty answer
            raise ModelFailure("invalid", "the answer is JSON, but not an object", answer=heard[-1])
        return type(response).pb(response), heard[-1]

    def _client(self, package: Any, heard: list[Answer]) -> Any:
        def hear(response: requests.Response, **_: Any) -> None:
            with closing(response):
                if 300 <= response.status_code < 400:  # followed, it would take the key along
                    raise InvalidResponse(f"{response.status_code}, a redirect, which is not followed")
                heard.append(read(response, _WHAT, [self._api_key]))
            response._content = heard[-1].body  # noqa: SLF001 - else requests reads without a limit

        options = {"api_key": self._api_key, "api_endpoint": self._base_url}
        client = package.GenerativeServiceClient(transport="rest", client_options=options)
        session = confined(client.transport._session)  # noqa: SLF001 - the package lends its session to nobody
        session.headers["User-Agent"] = self._user_agent
        session.hooks["response"].append(hear)
        return client

    def _failure(self, error: Exception, heard: list[Answer], bounds: Bounds) -> ModelFailure:
        answer = heard[-1] if heard else None
        if answer and answer.status >= 400:
            return refused(answer)
        if answer:
            text = f"{answer.status}: no answer but {answer.excerpt()}"
            return ModelFailure("invalid", text, answer=answer)
        if isinstance(error, InvalidResponse):
            return ModelFailure("invalid", str(error))
        if isinstance(error, requests.exceptions.ContentDecodingError):
            return ModelFailure("invalid", "the body is not what its Content-Encoding says")
        if isinstance(error, OSError | urllib3.exceptions.HTTPError):
            cause = unreachable(_WHAT, error, bounds)
            return ModelFailure("timeout" if isinstance(cause, TimedOut) else "network", str(cause))
        text = hide(f"{type(error).__name__}: {error}".encode(errors="replace"), [self._api_key]).decode()
        return ModelFailure("config", f"the package fails: {one_line(text)}")


def _package() -> Any:
    if _PACKAGE not in sys.modules:
        # It warns of every Python version that has an end.
        warnings.filterwarnings("ignore", "You are using a Python version", FutureWarning)
    import google.ai.generativelanguage as package

    return package
