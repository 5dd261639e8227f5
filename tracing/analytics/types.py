"""Column types of the analytics tables. What they are called in SQL is each dialect's matter."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import types


class Timestamp(types.UserDefinedType[datetime]):
    """Aware UTC datetime, microseconds."""

    cache_ok = True


class Money(types.UserDefinedType[Decimal]):
    """US dollars: six digits before the point, twelve after it (a token may cost 0.00000015)."""

    PLACES = 12
    cache_ok = True


class Map(types.UserDefinedType[dict[str, Any]]):
    """Text keys, values of one type."""

    cache_ok = True

    def __init__(self, value: type[types.TypeEngine[Any]] | types.TypeEngine[Any]) -> None:
        self.value = value() if isinstance(value, type) else value


class StringArray(types.UserDefinedType[list[str]]):
    cache_ok = True
