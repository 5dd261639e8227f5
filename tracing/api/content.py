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
#: what is remembered of names is bounded in length, because clients choose them
_REMEMBERED_CHARACTERS = 4000
#: path of an object, whether its values are attributes, and its members: name there, key in the store
Object = tuple[tuple[str, ...], bool, tuple[tuple[str, str], ...]]


def parsed(text: str) -> Any:
    """Content as v1 shows it: JSON where it is JSON, the text otherwise, null when there is none.

    JSON goes out as it came in, at any depth: only for orjson to write, not to look into.
    """
    if not text:
        return None
    return orjson.Fragment(text) if _is_json(text) else text


def _is_json(text: str) -> bool:
    if text[:1] not in _JSON_STARTS:
        return False
    try:
        orjson.loads(text)
    except ValueError:
        return False
    return True


def nested(metadata: Mapping[str, str]) -> Json:
    """Metadata as it was sent: nested objects were flattened to dotted names for the store."""
    keys = tuple(metadata)
    is_usual = sum(map(len, keys)) < _REMEMBERED_CHARACTERS
    result: Json = {}
    for path, is_attributes, members in _remembered_objects(keys) if is_usual else _objects(keys):
        at = result
        for name in path:
            at = at.setdefault(name, {})
        for name, key in members:
            text = metadata[key]
            # Attributes are text ("1.10" is a version, not a number); only lists and objects were JSON.
            at[name] = text if not text or (is_attributes and text[0] not in "{[") else parsed(text)
    return result


def _objects(keys: tuple[str, ...]) -> list[Object]:
    """The objects that these dotted names make."""
    names = frozenset(keys)
    objects: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    for key in keys:
        path = _path(key)
        if len(path) > 1 and _is_taken(path, names):
            path = (key,)
        objects.setdefault(path[:-1], []).append((path[-1], key))
    if any(name == "name" for name, _ in objects.get(("scope",), ())):
        objects.setdefault(("scope", "attributes"), [])
    return [(path, bool(path) and path[0] in _GROUPS, tuple(members)) for path, members in objects.items()]


#: Thousands of observations share a few sets of names.
_remembered_objects = lru_cache(maxsize=512)(_objects)


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


def _is_taken(path: tuple[str, ...], names: frozenset[str]) -> bool:
    """Whether a value has the name of an object on the way: then the dots were in the name."""
    return any(".".join(path[:depth]) in names for depth in range(1, len(path)))
