"""Which function answers which method and path."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from tradingsite.sandbox.http.messages import Request, Response


@dataclass(frozen=True)
class Route:
    """`path` may hold names in braces; each matches one segment and becomes a keyword of the handler."""

    method: str
    path: str
    handler: Callable[..., Response]


class Router:
    """Finds the handler; the first route that fits wins."""

    def __init__(self, routes: list[Route], otherwise: Callable[[Request], Response]) -> None:
        self._routes = [(route, _pattern(route.path)) for route in routes]
        self._otherwise = otherwise

    def answer(self, request: Request) -> Response:
        """Call the handler of this method and path, or the one for everything else."""
        for route, pattern in self._routes:
            found = pattern.fullmatch(request.path)
            if found and route.method == request.method:
                return route.handler(request, **found.groupdict())
        return self._otherwise(request)


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))
