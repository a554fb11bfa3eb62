"""Gemini: a model's metadata over plain HTTP, and its answers through the vendor's package, imported late."""

from tradingsite.clients.gemini.answers import Generation
from tradingsite.clients.gemini.client import GeminiClient
from tradingsite.clients.gemini.failures import ModelFailure
from tradingsite.clients.gemini.generation import GeminiModel, GenerationRequest

__all__ = ["GeminiClient", "GeminiModel", "Generation", "GenerationRequest", "ModelFailure"]
