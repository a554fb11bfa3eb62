"""Sends one generateContent request through Google's package, with our own timeouts.

The package is imported on the first request only, because the import takes half a second and 60 MB.

Rules: docs/gemini-client.md G5, G6, G11.
"""

import json
import sys
import warnings
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import requests
import urllib3.exceptions

from tradingsite.clients.connection import Bounds, bounded, isolated
from tradingsite.clients.errors import InvalidResponse, TimedOut
from tradingsite.clients.gemini.failures import ModelFailure, refused
from tradingsite.clients.http import read, unreachable
from tradingsite.clients.response import Answer, one_line
from tradingsite.masking import hide

_PACKAGE = "google.ai.generativelanguage"
_WHAT = "generateContent"


class Host:
    """Google's API host and our key for it.

    Every request makes its own package client, which takes a millisecond: threads and forked processes never
    share one, and no kept connection can have been closed by the peer.
    """

    def __init__(self, base_url: str, api_key: str, user_agent: str) -> None:
        self._base_url = base_url
        self._api_key = api_key
        self._user_agent = user_agent

    def generate(self, body: Mapping[str, Any], bounds: Bounds) -> tuple[Any, Answer]:
        """Send `body`, written as in the REST API, and return the package's message and the raw answer.

        Raises:
            ModelFailure: for everything but a 2xx with a message of the documented form.
        """
        package = _package()
        answers: list[Answer] = []
        try:
            message = package.GenerateContentRequest.from_json(json.dumps(body))
            with bounded(bounds), self._client(package, answers) as client:
                response = client.generate_content(message, retry=None, timeout=bounds.read_s)
        except Exception as error:  # the package documents no list of its errors; each means no answer
            raise self._failure(error, answers, bounds) from error
        if not answers[-1].body.lstrip().startswith(b"{"):  # the package would parse it as an empty answer
            raise ModelFailure("invalid", "the answer is JSON, but not an object", answer=answers[-1])
        return type(response).pb(response), answers[-1]

    def _client(self, package: Any, answers: list[Answer]) -> Any:
        def keep_answer(response: requests.Response, **_: Any) -> None:
            with closing(response):
                if 300 <= response.status_code < 400:  # following it would send the key to another host
                    raise InvalidResponse(f"{response.status_code}, a redirect, which is not followed")
                answers.append(read(response, _WHAT, [self._api_key]))
            # Otherwise requests would read the body itself, without a size limit.
            response._content = answers[-1].body  # noqa: SLF001 - there is no public setter

        options = {"api_key": self._api_key, "api_endpoint": self._base_url}
        client = package.GenerativeServiceClient(transport="rest", client_options=options)
        session = isolated(client.transport._session)  # noqa: SLF001 - there is no public access
        session.headers["User-Agent"] = self._user_agent
        session.hooks["response"].append(keep_answer)
        return client

    def _failure(self, error: Exception, answers: list[Answer], bounds: Bounds) -> ModelFailure:
        answer = answers[-1] if answers else None
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
        # The package warns about every Python version whose support will end some day.
        warnings.filterwarnings("ignore", "You are using a Python version", FutureWarning)
    import google.ai.generativelanguage as package

    return package
