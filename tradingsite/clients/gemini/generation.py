"""Sends one prompt to a Gemini model and returns its answer, for the trading strategy.

Rules: docs/gemini-client.md G5-G10.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from tradingsite.clients.connection import Bounds
from tradingsite.clients.deadline import SYSTEM_CLOCK, Clock, Deadline
from tradingsite.clients.gemini.answers import Generation, generation
from tradingsite.clients.gemini.failures import ModelFailure
from tradingsite.clients.gemini.sdk import Host
from tradingsite.clients.key_format import key_problem

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_READ_TIMEOUT_S = 3600.0
"""Effectively no limit, because the first byte comes only after the model has finished thinking.

The call's deadline ends the wait.
"""

_TAKES_SAMPLING = re.compile(r"gemini-[12][.-]")


@dataclass(frozen=True)
class GenerationRequest:
    """One prompt.

    Attributes:
        model: with or without the prefix "models/".
        instruction: the system instruction.
        text: the user's message.
        schema: of the answer, as in the REST API: types in capitals. It cannot express ranges of numbers.
        max_output_tokens: includes the tokens of thinking.
    """

    model: str
    instruction: str
    text: str
    schema: dict[str, Any]
    max_output_tokens: int = 8192


@dataclass(eq=False)
class GeminiModel:
    """Generates answers. Threads may share one. Nothing is retried.

    Attributes:
        base_url: scheme and host, e.g. https://generativelanguage.googleapis.com.
        api_key: sent as a header, never shown.
        connect_timeout_s: for each address of the host name.
    """

    base_url: str
    api_key: str = field(repr=False)
    connect_timeout_s: float = 5.0
    user_agent: str = "tradingsite"
    clock: Clock = field(default=SYSTEM_CLOCK, repr=False)

    def generate(self, request: GenerationRequest, *, within_s: float = 45.0) -> Generation:
        """Return the model's answer. Sends one HTTP request, or three if the key is refused (401).

        `within_s`, or less if an enclosing deadline ends earlier, limits connecting, waiting and reading
        together; only a name lookup can take longer.

        Raises:
            ModelFailure: there is no complete answer. Nothing else is raised.
        """
        deadline = Deadline.of_call(within_s, self.clock)
        # Without a key the package would look for other Google credentials.
        if text := key_problem(self.api_key):
            raise ModelFailure("auth", text)
        body = _body(request)
        started = self.clock.monotonic()
        bounds = Bounds(self.connect_timeout_s, _READ_TIMEOUT_S, deadline)
        message, answer = Host(self.base_url, self.api_key, self.user_agent).generate(body, bounds)
        return generation(message, answer, latency_ms=round((self.clock.monotonic() - started) * 1000))


def _body(request: GenerationRequest) -> dict[str, Any]:
    name = request.model.removeprefix("models/")
    if not _NAME.fullmatch(name):
        raise ModelFailure("config", f"model {name!r}: must be a name such as gemini-3.5-flash-lite")
    config = {
        "responseMimeType": "application/json",
        "responseSchema": request.schema,
        "maxOutputTokens": request.max_output_tokens,
    }
    if _TAKES_SAMPLING.match(name):  # later models ignore or refuse it
        config["temperature"] = 0
    return {
        "model": f"models/{name}",
        "systemInstruction": {"parts": [{"text": request.instruction}]},
        "contents": [{"role": "user", "parts": [{"text": request.text}]}],
        "generationConfig": config,
    }
