"""Checks of ingested JSON, reporting what is wrong in the words existing clients and their tests know.

Each check appends to a list of issues and returns nothing: one event is told all that is wrong with it.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

Issue = dict[str, Any]
Path = tuple[str | int, ...]

LONGEST_ID = 800

_DAY = (
    r"(?:(?:\d\d[2468][048]|\d\d[13579][26]|\d\d0[48]|[02468][048]00|[13579][26]00)-02-29"
    r"|\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)"
    r"|(?:02)-(?:0[1-9]|1\d|2[0-8])))"
)
_HOUR = r"(?:[01]\d|2[0-3]):[0-5]\d"
_DATETIME = rf"^{_DAY}T(?:{_HOUR}(?::[0-5]\d(?:\.\d+)?)?(?:Z|([+-](?:[01]\d|2[0-3]):[0-5]\d)))$"
_is_datetime = re.compile(_DATETIME.removeprefix("^").removesuffix("$"), re.ASCII).fullmatch


def as_json_text(issues: list[Issue]) -> str:
    return orjson.dumps(issues, option=orjson.OPT_INDENT_2).decode()


def kind_of(value: Any, *, is_present: bool = True) -> str:
    """The name JavaScript gives a JSON value's type."""
    if value is None:
        return "null" if is_present else "undefined"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def wrong_type(expected: str, value: Any, path: Path, *, is_present: bool = True) -> Issue:
    message = f"Invalid input: expected {expected}, received {kind_of(value, is_present=is_present)}"
    return {"expected": expected, "code": "invalid_type", "path": path, "message": message}


def custom(path: Path, message: str) -> Issue:
    return {"code": "custom", "path": path, "message": message}


def no_match(discriminator: str, path: Path) -> Issue:
    return {
        "code": "invalid_union",
        "errors": [],
        "note": "No matching discriminator",
        "discriminator": discriminator,
        "path": path,
        "message": "Invalid input",
    }


def check_text(
    source: dict[str, Any],
    key: str,
    path: Path,
    issues: list[Issue],
    *,
    required: bool = False,
    minimum: int = 0,
    maximum: int = 0,
) -> None:
    """A text of `minimum` to `maximum` characters; if it is not required, it may be absent or null."""
    value = source.get(key)
    if value is None and not required:
        return
    if not isinstance(value, str):
        issues.append(wrong_type("string", value, (*path, key), is_present=key in source))
    elif len(value) < minimum:
        issues.append(_out_of_bounds("too_small", "minimum", minimum, (*path, key)))
    elif maximum and len(value) > maximum:
        issues.append(_out_of_bounds("too_big", "maximum", maximum, (*path, key)))


def check_id(source: dict[str, Any], key: str, path: Path, issues: list[Issue], *, required: bool = False) -> None:
    before = len(issues)
    check_text(source, key, path, issues, required=required, minimum=1, maximum=LONGEST_ID)
    value = source.get(key)
    if len(issues) == before and value is not None and "\r" in value:
        issues.append(custom((*path, key), "ID cannot contain carriage return characters"))


def check_datetime(
    source: dict[str, Any], key: str, path: Path, issues: list[Issue], *, required: bool = False
) -> None:
    """An ISO 8601 date and time with `Z` or an offset."""
    value = source.get(key)
    if value is None and not required:
        return
    if not isinstance(value, str):
        issues.append(wrong_type("string", value, (*path, key), is_present=key in source))
    elif not _is_datetime(value):
        issues.append(
            {
                "origin": "string",
                "code": "invalid_format",
                "format": "datetime",
                "pattern": f"/{_DATETIME}/",
                "path": (*path, key),
                "message": "Invalid ISO datetime",
            }
        )


def check_option(
    source: dict[str, Any],
    key: str,
    path: Path,
    issues: list[Issue],
    options: tuple[str, ...],
    *,
    required: bool = False,
) -> None:
    value = source.get(key)
    if value in options or (value is None and not required):
        return
    listed = "|".join(f'"{option}"' for option in options)
    message = f"Invalid option: expected one of {listed}"
    issues.append({"code": "invalid_value", "values": options, "path": (*path, key), "message": message})


def check_object(source: dict[str, Any], key: str, path: Path, issues: list[Issue]) -> None:
    value = source.get(key)
    if value is not None and not isinstance(value, dict):
        issues.append(wrong_type("object", value, (*path, key)))


def check_boolean(source: dict[str, Any], key: str, path: Path, issues: list[Issue]) -> None:
    value = source.get(key)
    if value is not None and not isinstance(value, bool):
        issues.append(wrong_type("boolean", value, (*path, key)))


def check_texts(source: dict[str, Any], key: str, path: Path, issues: list[Issue]) -> None:
    value = source.get(key)
    if value is None:
        return
    if not isinstance(value, list):
        issues.append(wrong_type("array", value, (*path, key)))
        return
    for position, entry in enumerate(value):
        if not isinstance(entry, str):
            issue = wrong_type("string", entry, ())
            issues.append(issue | {"path": (*path, key, position)})


def _out_of_bounds(code: str, bound: str, limit: int, path: Path) -> Issue:
    word, sign = ("small", ">=") if code == "too_small" else ("big", "<=")
    message = f"Too {word}: expected string to have {sign}{limit} characters"
    return {"origin": "string", "code": code, bound: limit, "inclusive": True, "path": path, "message": message}
