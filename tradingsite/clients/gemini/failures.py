"""Why the model gave no usable answer, in one word for the record and in a sentence for people (G7)."""

from dataclasses import dataclass

from tradingsite.clients.errors import ClientError, KeyRejected
from tradingsite.clients.gemini.refusals import explain, of_the_day, stated_delay_s
from tradingsite.clients.response import Answer

_MOST_RAW_BYTES = 65_536
_BY_STATUS = {404: "config", 408: "timeout", 429: "quota", 504: "timeout"}


@dataclass(frozen=True)
class AnswerFacts:
    """What an answer says of itself, as far as it does.

    Thinking tokens are billed as output, though not part of `output_tokens`.
    """

    model_answered: str = ""
    finish_reason: str = ""
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    thinking_tokens: int | None = None
    total_tokens: int | None = None


class ModelFailure(ClientError):
    """No usable answer.

    Attributes:
        kind: one of

            * config      the request or the model's name is wrong: 400, 404, or refused before it was sent
            * auth        the key: none, 401, 403, or 400 with API_KEY_INVALID
            * quota       429
            * overloaded  500, 502, 503
            * timeout     no whole answer in time, or 504
            * network     name lookup, connection or TLS failed
            * invalid     something came that is no answer of generateContent, or more than one candidate
            * blocked     prompt or answer were held back by a filter
            * truncated   MAX_TOKENS: what text there is, is half of one
            * empty       no candidate, or one without text
            * unfinished  another finish reason than STOP

        message: for operators; one line.
        status: the HTTP status, None when no answer came.
        retry_after_s: as the vendor states it with a 429.
        of_the_day: a 429 because of a daily quota: asking again today is in vain.
        raw: what came, also if it cannot be read, at most 64 KiB.
        facts: tokens, finish reason and the model that answered; each is also an attribute here.
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
        self.of_the_day = bool(limited and of_the_day(limited))
        self.raw = raw_text(answer) if answer else ""
        self.model_answered = facts.model_answered
        self.finish_reason = facts.finish_reason
        self.prompt_tokens = facts.prompt_tokens
        self.output_tokens = facts.output_tokens
        self.thinking_tokens = facts.thinking_tokens
        self.total_tokens = facts.total_tokens


def raw_text(answer: Answer) -> str:
    """Return the body for the record: at most 64 KiB, without the one character that no database holds."""
    return answer.body[:_MOST_RAW_BYTES].decode(errors="replace").replace("\0", "\ufffd")


def refused(answer: Answer) -> ModelFailure:
    refusal = explain(answer)
    message = f"{answer.status}: {refusal.message}"
    if answer.status == 429 and of_the_day(answer):
        message = f"{answer.status}: the quota of the day is used up: {refusal.message}"
    if refusal.error is KeyRejected:
        return ModelFailure("auth", message, answer=answer)
    otherwise = "overloaded" if answer.status >= 500 else "config"
    return ModelFailure(_BY_STATUS.get(answer.status, otherwise), message, answer=answer)
