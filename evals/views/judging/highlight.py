"""Python source as HTML whose parts can be told apart: words of the language, texts, numbers, remarks."""

from __future__ import annotations

import io
import keyword
import tokenize

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from config.templatetags.visible import visible

_CLASSES = {tokenize.STRING: "s", tokenize.NUMBER: "n", tokenize.COMMENT: "c"}
#: Python 3.12 and later tell the parts of f-strings apart
_CLASSES |= {getattr(tokenize, name): "s" for name in ("FSTRING_START", "FSTRING_MIDDLE", "FSTRING_END")
             if hasattr(tokenize, name)}  # fmt: skip


def python_lines(source: str) -> list[SafeString]:
    """A line of HTML for each line of the source, escaped. What cannot be read is shown as it is."""
    lines = source.rstrip("\n").split("\n")
    marks: list[list[tuple[int, int, str]]] = [[] for _line in lines]
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            _mark(marks, lines, token)
    except (tokenize.TokenError, SyntaxError, IndentationError):
        pass  # as far as it could be read
    return [_html(line, found) for line, found in zip(lines, marks, strict=True)]


def _mark(marks: list[list[tuple[int, int, str]]], lines: list[str], token: tokenize.TokenInfo) -> None:
    name = _CLASSES.get(token.type, "")
    if token.type == tokenize.NAME and keyword.iskeyword(token.string):
        name = "k"
    if not name:
        return
    (first, start), (last, end) = token.start, token.end
    for number in range(first, min(last, len(lines)) + 1):
        left = start if number == first else 0
        right = end if number == last else len(lines[number - 1])
        marks[number - 1].append((left, right, name))


def _html(line: str, marks: list[tuple[int, int, str]]) -> SafeString:
    parts, at = [], 0
    for left, right, name in sorted(marks):
        if left < at or right <= left:
            continue
        parts += [_text(line[at:left]), f'<span class="{name}">{_text(line[left:right])}</span>']
        at = right
    return mark_safe("".join([*parts, _text(line[at:])]))  # noqa: S308 - each part is escaped


def _text(words: str) -> str:
    return str(escape(visible(words)))
