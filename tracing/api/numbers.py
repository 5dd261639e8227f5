"""Numbers as the API shows them: whole ones without a fraction, durations in seconds with milliseconds."""

from __future__ import annotations

from typing import overload

#: So far floats tell each integer from the next.
_EVERY_INTEGER = 2**53


@overload
def whole(value: float) -> int | float: ...
@overload
def whole(value: float | None) -> int | float | None: ...
def whole(value: float | None) -> int | float | None:
    # Beyond that a float has no fraction to lose, and JSON is written with integers of 64 bits.
    return int(value) if value is not None and abs(value) < _EVERY_INTEGER and value == int(value) else value


def rounded(seconds: float) -> int | float:
    return whole(round(seconds, 3))


def seconds(microseconds: int | None) -> int | float | None:
    return None if microseconds is None else rounded(microseconds / 1_000_000)
