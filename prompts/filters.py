"""The `filter` parameter of the list of prompts: which versions are meant. A project has thousands of them at most."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from prompts.models import PromptVersion
from tracing.pricing.patterns import Test, compile_pattern
from tracing.queries.filters import Column, Filter, parse

NOT_EMPTY = "is not empty"
_LONGEST_PATTERN = 20_000
_COLUMNS = {
    **dict.fromkeys(("id", "name", "type"), Column("text")),
    "version": Column("number"),
    **dict.fromkeys(("createdAt", "updatedAt"), Column("time")),
    **dict.fromkeys(("labels", "tags"), Column("list")),
    "config": Column("map"),
}
_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda found, value: bool(found == value),
    ">": lambda found, value: bool(found > value),
    "<": lambda found, value: bool(found < value),
    ">=": lambda found, value: bool(found >= value),
    "<=": lambda found, value: bool(found <= value),
}


def read(text: str) -> list[Filter]:
    """Raises Invalid."""
    return parse(text, _COLUMNS, frozenset({NOT_EMPTY}))


def fits(version: PromptVersion, labels: Sequence[str], items: Sequence[Filter]) -> bool:
    """Whether the version, with these labels, meets all of them."""
    return all(_fits(_value(version, labels, item.column), item) for item in items)


def _value(version: PromptVersion, labels: Sequence[str], column: str) -> Any:
    prompt = version.prompt
    return {
        "id": version.id,
        "name": prompt.name,
        "type": prompt.type,
        "version": version.number,
        "createdAt": version.created_at,
        "updatedAt": version.updated_at,
        "labels": labels,
        "tags": prompt.tags,
        "config": version.config,
    }[column]


def _fits(found: Any, item: Filter) -> bool:
    if item.type == "null":
        is_empty = found in (None, "", [])
        return is_empty if item.operator == "is null" else not is_empty
    if item.type == "stringObject":
        return _fits_member(found, item)
    if item.type == "string":
        return _fits_text(found, item.operator, item.value)
    if item.operator in ("any of", "none of", "all of"):
        return _fits_list(found if isinstance(found, list | tuple) else [found], item)
    return _COMPARED[item.operator](found, item.value)


def _fits_list(found: Sequence[str], item: Filter) -> bool:
    common = set(found) & set(item.value)
    if item.operator == "all of":
        return common == set(item.value)
    return bool(common) is (item.operator == "any of")


def _fits_member(config: Any, item: Filter) -> bool:
    is_set = isinstance(config, dict) and item.key in config
    if item.operator in ("is set", "is not set"):
        return is_set is (item.operator == "is set")
    if not item.value or not is_set:
        return is_set
    member = config[item.key]
    return _fits_text(member if isinstance(member, str) else str(member), item.operator, item.value)


def _fits_text(found: str, operator: str, value: str) -> bool:
    if operator == "=":
        return found == value
    if operator == NOT_EMPTY:
        return found != ""
    is_there = _like(operator, value)(found)
    return not is_there if operator == "does not contain" else is_there


@lru_cache(64)
def _like(operator: str, value: str) -> Test:
    """`%` and `_` stand for any characters and for one, unless a backslash is before them. In any case."""
    parts = re.findall(r"\\.|.", value, re.DOTALL)
    wild = {"%": ".*", "_": "."}
    pattern = "".join(wild.get(part) or re.escape(part[-1]) for part in parts)
    begins, ends = operator == "starts with", operator == "ends with"
    return compile_pattern(f"(?is){'^' * begins}{pattern}{'$' * ends}", longest=_LONGEST_PATTERN)
