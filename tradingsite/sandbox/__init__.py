"""A local exchange that speaks Upbit's API and a local model host that speaks Gemini's: docs/sandbox.md.

Nothing here imports the rest of the project or Django. Prices, sizes and values are whole numbers of 1e-8
of their currency (`e8` in names), so that they add up exactly; times are milliseconds since 1970 (`ms`).
"""
