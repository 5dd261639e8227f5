"""Statements of Apache Doris as MariaDB understands them: what no function of `shims.sql` can stand in for."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

_QUOTED = re.compile(r"'(?:[^'\\]|\\.|'')*'", re.DOTALL)
_HIDDEN = re.compile("\x03(\\d+)\x04")
_CALL = re.compile(r"\b([A-Za-z_]\w*)\(")
_SHARES = re.compile(r"\[([\d., e-]+)\]")
_LAMBDA_STARTS = re.compile(r"member -> starts_with\(member, (.*)\)", re.DOTALL)
_LAMBDA_LIKE = re.compile(r"member -> lower\(member\) LIKE lower\((.*)\)", re.DOTALL)
_LAMBDA_AFTER = re.compile(r"member -> concat\((.*), member\)", re.DOTALL)
_VIEW = re.compile(r"LATERAL VIEW explode\(((?:[^()]|\([^()]*\))*)\) (`\w+`) AS (`\w+`)")
_NAMED_BY = re.compile(r"((?:max_by|min_by)\([^()]*\)) AS (`\w+`)")
_TYPES = {"STRING": "CHAR", "BIGINT": "SIGNED", "DOUBLE": "DOUBLE"}


def shims() -> list[str]:
    """The statements that make the functions, in order."""
    text = (Path(__file__).parent / "shims.sql").read_text()
    bare = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    return [statement.strip() for statement in bare.split("\n;;\n")]


def to_mariadb(sql: str) -> str:
    """A query of the dialect, with its values in it or with `%s`."""
    quoted: list[str] = []

    def hide(found: re.Match[str]) -> str:
        quoted.append(found.group())
        return f"\x03{len(quoted) - 1}\x04"

    text = _SHARES.sub(r"'[\1]'", _calls(_QUOTED.sub(hide, sql)))
    text = _having(_VIEW.sub(r", JSON_TABLE(\1, '$[*]' COLUMNS (\3 LONGTEXT PATH '$')) \2", text))
    return _HIDDEN.sub(lambda found: quoted[int(found.group(1))], text)


def _having(text: str) -> str:
    """There MariaDB knows no columns within aggregates of our making, but what the SELECT calls these."""
    before, having, after = text.partition("HAVING ")
    for call, name in _NAMED_BY.findall(before):
        after = after.replace(call, name)
    return before + having + after


def _calls(text: str) -> str:
    """All calls rewritten, the inner ones first."""
    done, at = [], 0
    while found := _CALL.search(text, at):
        end = _end(text, found.end())
        arguments = [_calls(part) for part in _parts(text[found.end() : end])]
        done += [text[at : found.start()], _call(found.group(1), arguments)]
        at = end + 1
    return "".join([*done, text[at:]])


def _end(text: str, start: int) -> int:
    """Where the parenthesis closes that opened before `start`."""
    depth = 1
    for at in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if not depth:
            return at
    raise ValueError(f"parentheses do not close in {text}")


def _parts(text: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for at, character in enumerate(text):
        depth += {"(": 1, ")": -1, "[": 1, "]": -1}.get(character, 0)
        if character == "," and not depth:
            parts.append(text[start:at].strip())
            start = at + 1
    return [*parts, text[start:].strip()]


def _call(name: str, arguments: list[str]) -> str:
    write = _WRITERS.get(name.lower())
    return write(arguments) if write else f"{name}({', '.join(arguments)})"


def _cast(arguments: list[str]) -> str:
    value, _as, kind = arguments[0].rpartition(" AS ")
    if len(arguments) > 1 or not value:  # DECIMAL(38, 12), DATETIME(6)
        return f"CAST({', '.join(arguments)})"
    if kind in ("JSON", "ARRAY<STRING>"):
        return value
    return f"CAST({value} AS {_TYPES.get(kind, kind)})"


def _try_cast(arguments: list[str]) -> str:
    return f"try_double({arguments[0].removesuffix(' AS DOUBLE')})"


def _exists(arguments: list[str]) -> str:
    condition, members = arguments
    if found := _LAMBDA_STARTS.fullmatch(condition):
        return f"any_member_starts_with({members}, {found.group(1)})"
    found = _LAMBDA_LIKE.fullmatch(condition)
    assert found, condition
    return f"any_member_like({members}, {found.group(1)})"


def _map(arguments: list[str]) -> str:
    found = _LAMBDA_AFTER.fullmatch(arguments[0])
    assert found, arguments[0]
    return f"members_after({arguments[1]}, concat({found.group(1)}))"


_WRITERS: dict[str, Callable[[list[str]], str]] = {
    "array": lambda arguments: f"JSON_ARRAY({', '.join(one for one in arguments if one)})",
    "array_concat": lambda arguments: f"JSON_MERGE_PRESERVE({', '.join(arguments)})",
    "array_exists": _exists,
    "array_map": _map,
    "cast": _cast,
    "char": lambda arguments: f"CHAR({arguments[0]} USING utf8mb4)",
    "try_cast": _try_cast,
}
