"""A local stand-in for the exchange and the model: it speaks Upbit's API and Gemini's (docs/sandbox.md).

Nothing here imports Django or the rest of the project. Prices, sizes and values are whole numbers of 1e-8 of
their currency (`e8` in names), so that sums are exact; times are milliseconds since 1970 (`ms`).
"""
