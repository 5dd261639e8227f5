"""JSON schemas that people write, checked and applied within bounds.

Schemas are programs of strangers: nothing that one names is ever fetched, its patterns run in an engine that takes
linear time, and what it makes of a value is stopped after a while.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

import orjson

from config.errors import Invalid
from tracing.pricing.patterns import compile_pattern

LONGEST = 200_000
_DEEPEST = 64
#: one value against one schema; people's take microseconds
_SECONDS = 2.0
_MOST_TROUBLES = 20
_LONGEST_MESSAGE = 300
_TOO_MUCH = "The schema takes too long on this value. Make it simpler."


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong in a value, and where: keys and positions from the outside in."""

    path: tuple[str | int, ...]
    message: str

    @property
    def place(self) -> str:
        """The path as people write it: `$.messages[0].role`."""
        return place_of(self.path)


def place_of(path: tuple[str | int, ...]) -> str:
    parts = []
    for step in path:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        else:
            parts.append(f".{step}" if step.isidentifier() else f"[{orjson.dumps(step).decode()}]")
    return "$" + "".join(parts)


class _TooMuch(Exception):
    pass


# --- Schemas themselves -----------------------------------------------------------------------------------
def checked(schema: Any) -> dict[str, Any]:
    """The schema, if it is one. Raises Invalid in words that say what to change."""
    if not isinstance(schema, dict):
        raise Invalid('A JSON schema is an object, such as {"type": "object"}.')
    text = _text(schema)
    if len(text) > LONGEST:
        raise Invalid(f"A schema has {LONGEST:,} characters at most.")
    for depth, one in _objects(schema):
        if depth > _DEEPEST:
            raise Invalid(f"A schema is nested {_DEEPEST} levels deep at most.")
        _check_object(one, has_ids='"$id"' in text)
    try:
        problem = _problem(text)
    except (RecursionError, _TooMuch):
        raise Invalid("The schema is too involved.") from None
    if problem:
        raise Invalid(problem)
    return schema


def _text(schema: Any) -> str:
    try:
        return orjson.dumps(schema).decode()
    except orjson.JSONEncodeError:
        raise Invalid(f"A schema is nested {_DEEPEST} levels deep at most.") from None


def _objects(value: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    todo: list[tuple[int, Any]] = [(1, value)]
    while todo:
        depth, one = todo.pop()
        if isinstance(one, dict):
            yield depth, one
            todo += [(depth + 1, inner) for inner in one.values()]
        elif isinstance(one, list):
            todo += [(depth + 1, inner) for inner in one]


def _check_object(one: dict[str, Any], *, has_ids: bool) -> None:
    """Of every object in a schema, also of those that are data: what is refused there is nothing anybody misses."""
    if isinstance(pattern := one.get("pattern"), str):
        _compile(pattern)
    if isinstance(patterns := one.get("patternProperties"), dict):
        for pattern in patterns:
            _compile(pattern)
    has_unevaluated = "unevaluatedProperties" in one or "unevaluatedItems" in one
    if has_unevaluated and ("patternProperties" in one or "dependentSchemas" in one):
        raise Invalid("unevaluatedProperties does not go together with patternProperties or dependentSchemas here.")
    for key in ("$ref", "$dynamicRef", "$recursiveRef"):
        reference = one.get(key)
        if isinstance(reference, str) and not has_ids and not reference.startswith(_INSIDE):
            raise Invalid(
                f"{key} {reference[:200]} leads outside of the schema. Nothing is fetched: put it into $defs."
            )


_NEWEST = "https://json-schema.org/draft/2020-12/schema"
_INSIDE = ("#", "https://json-schema.org/", "http://json-schema.org/")


@lru_cache(maxsize=512)
def _compile(pattern: str) -> Callable[[str], bool]:
    return compile_pattern(pattern)


def _problem(text: str) -> str:
    from referencing.exceptions import Unresolvable

    schema = orjson.loads(text)
    try:
        validator = _validator(text)
        with _clock:
            for error in _bounded(_draft(schema))(validator.META_SCHEMA).iter_errors(schema):
                return f"{place_of(tuple(error.absolute_path))}: {_short(error.message)}"
        for _depth, one in _objects(schema):
            reference = one.get("$ref")
            if isinstance(reference, str) and reference.startswith("#"):
                validator._resolver.lookup(reference)
    except Unresolvable as error:
        return f"There is nothing at {_short(str(error.ref))} in the schema."
    except (TypeError, ValueError, AttributeError, KeyError):
        return "This is not a JSON schema."
    return ""


# --- Values ---------------------------------------------------------------------------------------------
def troubles_of_text(schema_text: str, value_text: str) -> list[Trouble]:
    """As `troubles`, of what is kept as JSON text; an empty one is null."""
    return _troubles(schema_text, orjson.loads(value_text) if value_text else None)


def troubles(schema: dict[str, Any] | None, value: Any) -> list[Trouble]:
    """What keeps the value from fitting; at most 20."""
    return [] if schema is None else _troubles(_text(schema), value)


def _troubles(schema_text: str, value: Any) -> list[Trouble]:
    from referencing.exceptions import Unresolvable

    try:
        with _clock:
            errors = list(islice(_validator(schema_text).iter_errors(value), _MOST_TROUBLES))
    except _TooMuch:
        return [Trouble((), _TOO_MUCH)]
    except RecursionError:
        return [Trouble((), "The schema or the value is nested too deeply.")]
    except Unresolvable as error:
        return [Trouble((), f"The schema names {_short(str(error.ref))}, and that is not in it.")]
    except (TypeError, ValueError, AttributeError, KeyError, ArithmeticError):
        return [Trouble((), "The schema cannot be applied to this value.")]
    errors.sort(key=lambda error: [str(step) for step in error.absolute_path])
    return [Trouble(tuple(error.absolute_path), _short(error.message)) for error in errors]


def _short(message: str) -> str:
    """Of both ends: the value that does not fit comes first, and what it should be last."""
    half = _LONGEST_MESSAGE // 2
    return message if len(message) <= _LONGEST_MESSAGE else f"{message[:half]} … {message[-half:]}"


class _Clock(threading.local):
    """When the value that a thread is at has taken too long."""

    until = 0.0

    def __enter__(self) -> None:
        self.until = time.monotonic() + _SECONDS

    def __exit__(self, *_: object) -> None:
        pass


_clock = _Clock()


@lru_cache(maxsize=64)
def _validator(text: str) -> Any:
    """Stops with `_TooMuch` when the clock says so."""
    from referencing import Registry

    schema = orjson.loads(text)
    # Without a registry of its own, a validator would fetch what references name.
    return _bounded(_draft(schema))(schema, registry=Registry())


def _draft(schema: Any) -> Any:
    """That which the schema names, else 2020-12. Raises Invalid for one that nobody knows."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import validator_for

    named = schema.get("$schema") if isinstance(schema, dict) else None
    found = validator_for({"$schema": named} if isinstance(named, str) else {}, default=None)
    if found is None and isinstance(named, str):
        raise Invalid(f"The draft {named[:200]} is not known. Name one such as {_NEWEST}, or none.")
    return found or Draft202012Validator


@lru_cache(maxsize=16)
def _bounded(draft: Any) -> Any:
    """The draft's validator, with the clock looked at before each keyword and with our own of those that are slow."""
    from jsonschema.validators import extend

    keywords = dict(draft.VALIDATORS)
    ours = {"pattern": _pattern, "patternProperties": _pattern_properties, "uniqueItems": _unique_items}
    ours["additionalProperties"] = _additional_properties
    keywords |= {name: keyword for name, keyword in ours.items() if name in keywords}
    return extend(draft, {name: _timed(keyword) for name, keyword in keywords.items()})


def _timed(keyword: Any) -> Any:
    def apply(validator: Any, value: Any, instance: Any, schema: Any) -> Any:
        if time.monotonic() > _clock.until:
            raise _TooMuch
        return keyword(validator, value, instance, schema)

    return apply


def _pattern(validator: Any, pattern: Any, instance: Any, schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if isinstance(instance, str) and not _matches(pattern, instance):
        yield ValidationError(f"{_shown(instance)} does not match {pattern!r}")


def _pattern_properties(validator: Any, patterns: Any, instance: Any, schema: Any) -> Iterator[Any]:
    if isinstance(instance, dict):
        for pattern, inner in patterns.items():
            for key, value in instance.items():
                if _matches(pattern, key):
                    yield from validator.descend(value, inner, path=key, schema_path=pattern)


def _additional_properties(validator: Any, inner: Any, instance: Any, schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if not isinstance(instance, dict):
        return
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for key, value in instance.items():
        if key in known or any(_matches(pattern, key) for pattern in patterns):
            continue
        if inner is False:
            yield ValidationError(f"{_shown(key)} is not allowed here")
        else:
            yield from validator.descend(value, inner, path=key)


def _unique_items(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if not wanted or not isinstance(instance, list):
        return
    seen = set()
    for one in instance:
        written = orjson.dumps(_comparable(one), option=orjson.OPT_SORT_KEYS)
        if written in seen:
            yield ValidationError(f"{_shown(one)} is there twice")
            return
        seen.add(written)


def _comparable(value: Any) -> Any:
    """1.0 and 1 are one number in JSON."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, list):
        return [_comparable(one) for one in value]
    if isinstance(value, dict):
        return {key: _comparable(one) for key, one in value.items()}
    return value


def _matches(pattern: Any, text: str) -> bool:
    return isinstance(pattern, str) and _compile(pattern)(text)


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else orjson.dumps(value).decode()
    return _short(text)


# --- An example ------------------------------------------------------------------------------------------
def example(schema: Any, *, _depth: int = 0) -> Any:
    """A value of the kind that the schema describes, for people to begin with. It need not fit in every detail."""
    if not isinstance(schema, dict) or _depth > 6:
        return None
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    for key in ("examples", "enum"):
        if isinstance(schema.get(key), list) and schema[key]:
            return schema[key][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if isinstance(schema.get(key), list) and schema[key]:
            return example(schema[key][0], _depth=_depth + 1)
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) and kind else kind
    if kind == "object" or (kind is None and "properties" in schema):
        properties = schema.get("properties")
        named = islice(properties.items(), 30) if isinstance(properties, dict) else ()
        return {key: example(inner, _depth=_depth + 1) for key, inner in named}
    if kind == "array":
        return [example(schema["items"], _depth=_depth + 1)] if isinstance(schema.get("items"), dict) else []
    return {"string": "…", "integer": 0, "number": 0, "boolean": True}.get(str(kind))
