"""Gemini: a model's metadata over plain HTTP, and its answers through the vendor's package, imported late."""
