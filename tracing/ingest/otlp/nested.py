"""Lists and objects that instrumentations spread over dotted attribute names, put together again."""

from __future__ import annotations

from typing import Any

from tracing.ingest.otlp.spans import Attributes

#: array slots that the names of one prefix may open, so that a name cannot ask for a million of them
_MOST_SLOTS = 10_001
_DEEPEST = 64
#: a JavaScript reader of what we store must not be tricked with them
_FORBIDDEN = frozenset(("__proto__", "constructor", "prototype"))


def rebuild(attributes: Attributes, prefix: str) -> Any:
    """`prefix` itself if it is there, else what `prefix.0.role`, `prefix.0.content` … describe. None without either."""
    if prefix in attributes:
        return attributes[prefix]
    start = len(prefix) + 1
    root: dict[str, Any] = {}
    for key, value in attributes.items():
        if key.startswith(prefix) and key[start - 1 : start] == ".":
            path = key[start:].split(".")
            if len(path) <= _DEEPEST and not _FORBIDDEN.intersection(path):
                _put(root, path, value)
    return _with_lists(root, [_MOST_SLOTS]) if root else None


def _put(root: dict[str, Any], path: list[str], value: Any) -> None:
    node = root
    for part in path[:-1]:
        child = node.get(part)
        if not isinstance(child, dict):
            child = node[part] = {}
        node = child
    if not isinstance(node.get(path[-1]), dict):
        node[path[-1]] = value


def _with_lists(node: Any, slots: list[int]) -> Any:
    """Objects whose names are all numbers become lists, as long as there are slots left; gaps are null."""
    if not isinstance(node, dict):
        return node
    if not all(key.isascii() and key.isdigit() and len(key) <= 20 for key in node):
        return {key: _with_lists(value, slots) for key, value in node.items()}
    items: list[Any] = []
    for index, key in sorted((int(key), key) for key in node):
        needed = index + 1 - len(items)
        if needed > slots[0]:
            break
        slots[0] -= max(needed, 0)
        items.extend([None] * needed)
        items[index] = _with_lists(node[key], slots)
    return items
