"""Why a request to the model gave no usable answer: one word to store, one sentence for operators.

Rules: docs/gemini-client.md G7, G9.
"""

from dataclasses import dataclass

from tradingsite.clients.errors import ClientError, KeyRejected
from tradingsite.clients.gemini.refusals import explain, is_daily_quota, stated_delay_s
from tradingsite.clients.response import Answer

_MAX_RAW_BYTES = 65_536
_BY_STATUS = {404: "config", 408: "timeout", 429: "quota", 504: "timeout"}


@dataclass(frozen=True)
class AnswerFacts:
    """What an answer says about itself; empty or None where it says nothing.

    Thinking tokens are billed as output, but are not part of `output_tokens`.
    """

    model_answered: str = ""
    finish_reason: str = ""
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    thinking_tokens: int | None = None
    total_tokens: int | None = None


class ModelFailure(ClientError):
    """The model gave no usable answer.

    Attributes:
        kind: one of

            * config      the request or the model's name is wrong: 400, 404, or refused before it was sent
            * auth        the API key: none, 401, 403, or 400 with API_KEY_INVALID
            * quota       429
            * overloaded  500, 502, 503
            * timeout     no complete answer in time, or 504
            * network     name lookup, connection or TLS failed
            * invalid     the answer is not one of generateContent, or has more than one candidate
            * blocked     a filter blocked the prompt or the answer
            * truncated   MAX_TOKENS: the text is incomplete
            * empty       no candidate, or one without text
            * unfinished  any other finish reason than STOP

        message: for operators; one line.
        status: the HTTP status; None if no answer came.
        retry_after_s: the delay that Google states with a 429.
        daily_quota: True for a 429 because of a daily quota: no request will succeed before it resets.
        raw: the body, even if it cannot be parsed, at most 64 KiB.
        facts: tokens, finish reason and the model that answered; each is also an attribute of the failure.
    """

    def __init__(
        self, kind: str, message: str, *, answer: Answer | None = None, facts: AnswerFacts = AnswerFacts()
    ) -> None:
        super().__init__(f"{kind}: {message}")
        limited = answer if answer and answer.status == 429 else None
        self.kind = kind
        self.message = message
        self.status = answer.status if answer else None
        self.retry_after_s = stated_delay_s(limited) if limited else None
        self.daily_quota = bool(limited and is_daily_quota(limited))
        self.raw = raw_text(answer) if answer else ""
        self.model_answered = facts.model_answered
        self.finish_reason = facts.finish_reason
        self.prompt_tokens = facts.prompt_tokens
        self.output_tokens = facts.output_tokens
        self.thinking_tokens = facts.thinking_tokens
        self.total_tokens = facts.total_tokens


def raw_text(answer: Answer) -> str:
    """Return the body for the database.

    At most 64 KiB, without NUL, which PostgreSQL cannot store as text.
    """
    return answer.body[:_MAX_RAW_BYTES].decode(errors="replace").replace("\0", "\ufffd")


def refused(answer: Answer) -> ModelFailure:
    refusal = explain(answer)
    message = f"{answer.status}: {refusal.message}"
    if answer.status == 429 and is_daily_quota(answer):
        message = f"{answer.status}: the daily quota is used up: {refusal.message}"
    if refusal.error is KeyRejected:
        return ModelFailure("auth", message, answer=answer)
    otherwise = "overloaded" if answer.status >= 500 else "config"
    return ModelFailure(_BY_STATUS.get(answer.status, otherwise), message, answer=answer)
