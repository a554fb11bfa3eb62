"""Odd but successful model answers: functions that change the body of a normal answer.

Rules: docs/sandbox-faults.md SF12.
"""

import json
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Any

from tradingsite.sandbox.gemini.model_api import MODELS

Body = dict[str, Any]


def blocked(body: Body) -> None:
    del body["candidates"]
    usage = body["usageMetadata"]
    usage["totalTokenCount"] -= usage.pop("candidatesTokenCount")
    rating = {"category": "HARM_CATEGORY_DANGEROUS_CONTENT", "probability": "HIGH"}
    body["promptFeedback"] = {"blockReason": "PROHIBITED_CONTENT", "safetyRatings": [rating]}


def no_candidates(body: Body) -> None:
    del body["candidates"]


def finished(reason: str | int, body: Body) -> None:
    body["candidates"][0]["finishReason"] = reason


def half(body: Body) -> None:
    finished("MAX_TOKENS", body)
    _rewrite(lambda text: text[: len(text) // 2], body)


def no_parts(body: Body) -> None:
    """Thinking used up all output tokens, so the answer has no text."""
    finished("MAX_TOKENS", body)
    body["candidates"][0]["content"] = {"role": "model"}
    usage = body["usageMetadata"]
    usage["thoughtsTokenCount"] += usage.pop("candidatesTokenCount")


def blocked_by_safety(body: Body) -> None:
    finished("SAFETY", body)
    del body["candidates"][0]["content"]
    body["candidates"][0]["safetyRatings"][0] |= {"probability": "HIGH", "blocked": True}


def two_candidates(body: Body) -> None:
    second = deepcopy(body["candidates"][0])
    _edit(_flip_decision, {"candidates": [second]})
    body["candidates"].append(second | {"index": 1})


def thought_in_front(body: Body) -> None:
    thought = {"text": "Is it a good moment? Let me look at the numbers first.", "thought": True}
    body["candidates"][0]["content"]["parts"].insert(0, thought)


def other_model(body: Body) -> None:
    names = (str(model["name"]).removeprefix("models/") for model in MODELS)
    body["modelVersion"] = next(name for name in names if name != body["modelVersion"])


def written(text: str, body: Body) -> None:
    _rewrite(lambda _: text, body)


def fenced(body: Body) -> None:
    _rewrite(lambda text: f"```json\n{text}\n```", body)


def wrong_enum(body: Body) -> None:
    _edit(lambda answer: answer.update({_decision_name(answer): "STRONG_BUY"}), body)


def confidence(value: object, body: Body) -> None:
    _edit(lambda answer: answer.update(confidence=value), body)


def missing_field(body: Body) -> None:
    _edit(lambda answer: answer.popitem(), body)


def more_keys(body: Body) -> None:
    _edit(partial(dict.update, target_price=1, notes=["more than was requested"]), body)


def _rewrite(change: Callable[[str], str], body: Body) -> None:
    part = body["candidates"][0]["content"]["parts"][0]
    part["text"] = change(part["text"])


def _edit(change: Callable[[Body], object], body: Body) -> None:
    def edited(text: str) -> str:
        answer = json.loads(text)
        change(answer)
        return json.dumps(answer, ensure_ascii=False)

    _rewrite(edited, body)


def _flip_decision(answer: Body) -> None:
    name = _decision_name(answer)
    answer[name] = "SELL" if answer[name] == "BUY" else "BUY"


def _decision_name(answer: Body) -> str:
    return "action" if "action" in answer else "decision"
