"""Clients for Google Gemini.

Model metadata over plain HTTP, and answers generated through Google's package, which is imported late.
"""
