"""Checks that a Gemini model is available, with one GET that costs no tokens.

Rules: docs/gemini-client.md G1 to G4.
"""

from dataclasses import dataclass, field
from urllib.parse import quote

from pydantic import TypeAdapter

from tradingsite.clients.deadline import SYSTEM_CLOCK, Clock, Deadline
from tradingsite.clients.errors import KeyRejected, NotSent, Rejected
from tradingsite.clients.gemini.refusals import explain
from tradingsite.clients.gemini.schemas import Model
from tradingsite.clients.http import Http
from tradingsite.clients.key_format import key_problem
from tradingsite.clients.response import value

_MODEL = TypeAdapter(Model)
_GENERATE = "generateContent"
_CONNECT_TIMEOUT_S = 2.0


@dataclass(eq=False)
class GeminiClient:
    """Reads model metadata. Threads may share a client. Nothing is retried.

    Attributes:
        base_url: scheme and host, e.g. https://generativelanguage.googleapis.com.
        api_key: sent as a header, never shown.
        wall_clock_s: limit for a whole call; only a name lookup can take longer (see `http.Http`).
    """

    base_url: str
    api_key: str = field(repr=False)
    read_timeout_s: float = 3.0
    wall_clock_s: float = 3.5
    user_agent: str = "tradingsite"
    clock: Clock = field(default=SYSTEM_CLOCK, repr=False)

    def model(self, name: str, *, within_s: float | None = None) -> Model:
        """Return the metadata of the model `name`, with or without the prefix "models/".

        Raises:
            KeyRejected: no key, or Gemini does not accept it.
            NotFound: the model does not exist or is retired.
            Rejected: the model cannot generate content, or another refusal.
            Retryable: unreachable, overloaded, or the quota is used up (RateLimited, with `retry_after_s`).
            InvalidResponse: the answer is not a model.
        """
        deadline = Deadline.of_call(self.wall_clock_s if within_s is None else within_s, self.clock)
        path = f"/v1beta/models/{_path_segment(name)}"
        model = value(self._http().get(path, {}, deadline), _MODEL, explain)
        if _GENERATE not in model.supported_generation_methods:
            message = f"the model {name!r} does not support {_GENERATE}"
            raise Rejected(message, name=None, message=message, status=200)
        return model

    def _http(self) -> Http:
        if message := key_problem(self.api_key):
            raise KeyRejected(message, name=None, message=message, status=None)
        return Http(
            self.base_url,
            timeouts_s=(_CONNECT_TIMEOUT_S, self.read_timeout_s),
            headers={"User-Agent": self.user_agent, "x-goog-api-key": self.api_key},
            keep_alive=False,
            secrets=[self.api_key],
        )


def _path_segment(name: str) -> str:
    short_name = name.removeprefix("models/")
    if not short_name.strip("."):
        raise NotSent(f"model {name!r}: must be a name such as gemini-3.5-flash-lite")
    return quote(short_name, safe="")
