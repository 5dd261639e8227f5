"""Durations as the API shows them: seconds with milliseconds, whole numbers without a fraction."""

from __future__ import annotations


def rounded(seconds: float) -> int | float:
    shown = round(seconds, 3)
    return int(shown) if shown == int(shown) else shown


def seconds(microseconds: int | None) -> int | float | None:
    return None if microseconds is None else rounded(microseconds / 1_000_000)
