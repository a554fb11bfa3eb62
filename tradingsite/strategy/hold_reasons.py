"""The reasons why a decision became a HOLD without the model's advice (docs/signals.md D2)."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

REASONS: dict[str, Promise] = {
    "stale_input": _("the price was too old"),
    "insane_input": _("the inputs made no sense"),
    "no_candles": _("no candles from the exchange"),
    "missing_candles": _("too many candles were missing"),
    "no_indicators": _("the candles gave no indicators"),
    "daily_limit": _("the day's calls were used up"),
    "quota_wait": _("the model's quota was used up"),
    "breaker_open": _("the model failed too often"),
    "asked_before": _("the model was already called, but its answer is not known"),
    "config": _("the model's settings were refused"),
    "auth": _("the model's key was refused"),
    "quota": _("the model's quota was used up"),
    "overloaded": _("the model was overloaded"),
    "timeout": _("the model did not answer in time"),
    "network": _("the model could not be reached"),
    "invalid": _("the model's answer could not be used"),
    "blocked": _("the model refused to answer"),
    "truncated": _("the model's answer was cut off"),
    "empty": _("the model's answer was empty"),
    "unfinished": _("the model did not finish its answer"),
}


def reason(code: str) -> str:
    """Return the text of a reason code in the active language; an unknown code is returned as it is."""
    return str(REASONS.get(code, code))


class NoAdvice(Exception):
    """There is no usable advice, so the signal becomes a HOLD with this reason code.

    Attributes:
        code: of a check or of a failed call, a key of `REASONS`.
        text: one English sentence for operators, with value and limit.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text
