"""The cache, which pages must come up without."""

from __future__ import annotations

from typing import Any

from django_redis.cache import RedisCache


class DispensableCache(RedisCache):
    """With the broker away nothing is found and nothing kept; and nobody holds a lock, so that people can sign in."""

    def add(self, *args: Any, **kwargs: Any) -> bool:
        added: bool | None = super().add(*args, **kwargs)  # None stands for an ignored exception
        return True if added is None else added
