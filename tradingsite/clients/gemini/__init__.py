"""Clients for Google Gemini: model metadata over plain HTTP, and answers generated through Google's package."""
