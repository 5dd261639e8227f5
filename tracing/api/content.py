"""Input, output and metadata as JSON: how the API shows what the store keeps as text."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson

Json = dict[str, Any]
_JSON_STARTS = frozenset('{["-0123456789tfn \n\t\r')
#: Kept beside the user's own keys on every observation: maps of their own, whose keys may hold dots.
_GROUPS = frozenset(("attributes", "resourceAttributes", "scope"))
#: JSON is written to 254 levels and no more; a name with more dots than this is a name.
_DEEPEST = 50
#: names of attributes are few and recur on every observation, those of people may be anything
_REMEMBERED_CHARACTERS = 200


def parsed(text: str) -> Any:
    """Content as v1 shows it: JSON where it is JSON, the text otherwise, null when there is none.

    JSON goes out as it came in, at any depth: only for orjson to write, not to look into.
    """
    if not text:
        return None
    return orjson.Fragment(text) if is_json(text) else text


def is_json(text: str) -> bool:
    if text[:1] not in _JSON_STARTS:
        return False
    try:
        orjson.loads(text)
    except ValueError:
        return False
    return True


def nested(metadata: Mapping[str, str]) -> Json:
    """Metadata as it was sent: nested objects were flattened to dotted names for the store."""
    result: Json = {}
    for key, text in metadata.items():
        path = _remembered_path(key) if len(key) < _REMEMBERED_CHARACTERS else _path(key)
        if len(path) > 1 and not _is_taken(path, metadata):
            # Attributes are text ("1.10" is a version, not a number); only lists and objects were JSON.
            is_attribute = path[0] in _GROUPS and text[:1] not in ("{", "[")
            _put(result, path, text if is_attribute else parsed(text) if text else text)
        else:
            result[key] = parsed(text) if text else text
    scope = result.get("scope")
    if isinstance(scope, dict) and "name" in scope:
        scope.setdefault("attributes", {})
    return result


def _path(key: str) -> tuple[str, ...]:
    """Names on the way to a value. Those of attributes hold dots of their own."""
    group, dot, rest = key.partition(".")
    if not dot:
        return (key,)
    if group in _GROUPS:
        inner = rest.removeprefix("attributes.") if group == "scope" else rest
        return (group, rest) if inner == rest else (group, "attributes", inner)
    path = tuple(key.split("."))
    return path if len(path) <= _DEEPEST else (key,)


_remembered_path = lru_cache(maxsize=4096)(_path)


def _is_taken(path: tuple[str, ...], metadata: Mapping[str, str]) -> bool:
    """Whether a value has the name of an object on the way: then the dots were in the name."""
    return path[0] in metadata or any(".".join(path[:depth]) in metadata for depth in range(2, len(path)))


def _put(result: Json, path: tuple[str, ...], value: Any) -> None:
    at = result
    for name in path[:-1]:
        at = at.setdefault(name, {})
    at[path[-1]] = value
