"""Values as text of the query language, so that they are read back as themselves."""

from __future__ import annotations

import re

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"}
UNESCAPES = {written[1]: meant for meant, written in _ESCAPES.items()}
#: What may stand without quotes, as a value and as a key. Capitals AND, OR and NOT are words of the language.
_BARE = re.compile(r"[^\s\"\\()*,:<>=.$~-][^\s\"\\()*,]*\Z")
_BARE_KEY = re.compile(r"[^\s\"\\()*,:]+\Z")
_RESERVED = {"AND", "OR", "NOT"}


def quote(text: str) -> str:
    """In quotes, whatever it is."""
    return '"' + "".join(_ESCAPES.get(character, character) for character in text) + '"'


def write_value(text: str) -> str:
    """A text as a value that means exactly that text: in quotes where it needs them."""
    return text if _BARE.match(text) and text not in _RESERVED and ".." not in text else quote(text)


def write_name(name: str, key: str = "") -> str:
    if not key:
        return name
    return f"{name}.{key if _BARE_KEY.match(key) else quote(key)}"


def write_term(name: str, *values: str, key: str = "", is_negated: bool = False) -> str:
    """`-name:(a OR "b c")`, from plain values."""
    written = [write_value(value) for value in values]
    choice = written[0] if len(written) == 1 else f"({' OR '.join(written)})"
    return f"{'-' if is_negated else ''}{write_name(name, key)}:{choice}"
