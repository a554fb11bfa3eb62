"""The cheapest cache backend that Django could have: a dict, no lock, no pickle."""

from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache


class DictCache(BaseCache):
    """For django-constance, which refuses Django's local-memory cache. A real shared one is slower."""

    def __init__(self, _location: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self._values: dict[str, Any] = {}

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        return self._values.get(self.make_key(key, version), default)

    def set(
        self, key: str, value: Any, timeout: float | None = DEFAULT_TIMEOUT, version: int | None = None
    ) -> None:
        self._values[self.make_key(key, version)] = value

    def add(
        self, key: str, value: Any, timeout: float | None = DEFAULT_TIMEOUT, version: int | None = None
    ) -> bool:
        return bool(self._values.setdefault(self.make_key(key, version), value) is value)
