"""Query parameters as typed values; what is wrong with them is gathered and told at once, as clients know it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from math import isfinite
from typing import Any

from django.http import QueryDict

from config.errors import Invalid
from tracing.queries.paging import PageNumber
from tracing.queries.periods import parse_time as parse_time

#: As clients write numbers. Python would also take underscores, other digits and words.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


class Params:
    """Reads parameters of one request; call `check()` after the last one. Empty text counts as absent."""

    def __init__(self, query: QueryDict) -> None:
        self._query = query
        self.issues: list[dict[str, Any]] = []

    def check(self) -> None:
        if self.issues:
            raise Invalid(issues=self.issues)

    def only(self, allowed: Iterable[str]) -> None:
        """For strict routes: any other parameter is refused."""
        unknown = sorted(set(self._query) - set(allowed))
        if unknown:
            names = ", ".join(f'"{name}"' for name in unknown)
            self._issue("unrecognized_keys", None, f"Unrecognized key{'s' * (len(unknown) > 1)}: {names}", keys=unknown)

    def has(self, name: str) -> bool:
        return name in self._query

    def text(self, name: str) -> str:
        values = self._values(name)
        if len(values) > 1:
            # Which of them is meant? To pick one would be to drop the others without a word.
            self._issue("invalid_type", name, "Invalid input: expected string, received array", expected="string")
        return values[-1] if values else ""

    def words(self, name: str) -> tuple[str, ...]:
        """Repeated keys or a comma-separated list, or both."""
        parts = [part.strip() for value in self._values(name) for part in value.split(",")]
        return tuple(dict.fromkeys(part for part in parts if part))

    def _values(self, name: str) -> list[str]:
        """The different values that were sent."""
        values = list(dict.fromkeys(self._query.getlist(name)))
        if any("\x00" in value for value in values):
            # Left out, an id of nothing else would become no condition at all; a database may refuse it.
            self._issue("invalid_format", name, "Invalid string: must not hold a NUL character", format="text")
            return []
        return values

    def integer(self, name: str, default: int, *, low: int, high: int) -> int:
        text = self.text(name).strip()
        if not text:
            return default
        value = self._parsed_number(name, text)
        if value is None:
            return default
        if value != int(value):
            self._issue("invalid_type", name, "Invalid input: expected int, received number", expected="int")
            return default
        if value < low:
            self._issue("too_small", name, f"Too small: expected number to be >={low}", minimum=low, **_BOUND)
        elif value > high:
            self._issue("too_big", name, f"Too big: expected number to be <={high}", maximum=high, **_BOUND)
        return int(value)

    def number(self, name: str) -> float | None:
        text = self.text(name).strip()
        if not text:
            return None
        return self._parsed_number(name, text)

    def numbers(self, name: str) -> tuple[float, ...]:
        """Repeated keys or a comma-separated list, or both."""
        values = [self._parsed_number(name, text) for text in self.words(name)]
        return tuple(value for value in values if value is not None)

    def _parsed_number(self, name: str, text: str) -> float | None:
        value = float(text) if _NUMBER.fullmatch(text) else float("nan")
        if isfinite(value):
            return value
        self._issue("invalid_type", name, "Invalid input: expected number, received NaN", expected="number")
        return None

    def time(self, name: str) -> datetime | None:
        text = self.text(name).strip()
        if not text:
            return None
        moment = parse_time(text)
        if moment is None:
            self._issue("invalid_format", name, "Invalid ISO datetime", format="datetime", origin="string")
        return moment

    def flag(self, name: str) -> bool | None:
        text = self.text(name).strip().lower()
        if not text:
            return None
        if text not in ("true", "false"):
            self.choice(name, ("true", "false"))
        return text == "true"

    def choice(self, name: str, allowed: Iterable[str]) -> str:
        text = self.text(name)
        if text and text not in allowed:
            self._bad_choice(name, allowed)
        return text

    def choices(self, name: str, allowed: Iterable[str]) -> tuple[str, ...]:
        """Several of a closed list, in any case."""
        values = tuple(value.upper() for value in self.words(name))
        if any(value not in allowed for value in values):
            self._bad_choice(name, allowed)
        return values

    def page(self) -> PageNumber:
        return PageNumber(self.integer("page", 1, low=1, high=10_000_000), self.integer("limit", 50, low=1, high=100))

    def refuse(self, name: str, message: str) -> None:
        self._issue("custom", name, message)

    def _bad_choice(self, name: str, allowed: Iterable[str]) -> None:
        options = list(allowed)
        expected = "|".join(f'"{option}"' for option in options)
        self._issue("invalid_value", name, f"Invalid option: expected one of {expected}", values=options)

    def _issue(self, code: str, name: str | None, message: str, **more: Any) -> None:
        self.issues.append({"code": code, "path": [name] if name else [], "message": message, **more})


_BOUND = {"origin": "number", "inclusive": True}
