"""Traced content as HTML: markdown made harmless, JSON that folds. Everything in it is hostile."""

from __future__ import annotations

import re
from typing import Any

import nh3
import orjson
from django import template
from django.utils.html import conditional_escape, escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from markdown_it import MarkdownIt

register = template.Library()

#: longer text is shown as it is: rendering megabytes of markdown helps nobody
MARKDOWN_CHARACTERS = 100_000
#: what one tree of JSON may hold before the rest is left to the raw text
JSON_NODES = 3_000
#: levels that are open at first, and how many entries an open one may have
_OPEN_DEPTH = 4
_OPEN_ENTRIES = 40
#: what nests deeper is left to the raw text, also to keep within Python's own stack
_DEEPEST = 60

_markdown = MarkdownIt("commonmark", {"html": False, "linkify": False, "breaks": True}).enable(
    ["table", "strikethrough"]
)
_TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s",
    "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_LINK_SCHEMES = {"http", "https", "mailto"}
# An image would be a request to a stranger's server; its address is shown as a link instead.
_IMAGE = re.compile(r"!\[([^\]]*)\]\(")


@register.filter
def markdown(text: str) -> SafeString:
    if len(text) > MARKDOWN_CHARACTERS:
        return format_html("<pre>{}</pre>", text)
    html = _markdown.render(_IMAGE.sub(r"[\1](", text))
    clean = nh3.clean(
        html,
        tags=_TAGS,
        attributes={"a": {"href", "title"}, "ol": {"start"}},
        url_schemes=_LINK_SCHEMES,
        link_rel="noopener noreferrer nofollow",
    )
    return mark_safe(f'<div class="prose">{clean}</div>')  # noqa: S308 - cleaned by nh3 just above


@register.filter
def json_text(value: Any) -> str:
    """Indented JSON for copying and for reading raw."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS, default=str).decode()


@register.filter
def json_tree(value: Any) -> SafeString:
    """JSON, coloured; objects and arrays fold by <details>, so without a script too."""
    tree = _Tree()
    html = tree.render(value, 0)
    if tree.left_out:
        more = ngettext("%(count)d more value in the raw text", "%(count)d more values in the raw text", tree.left_out)
        html += f'<div class="faint">… {escape(more % {"count": tree.left_out})}</div>'
    return mark_safe(f'<div class="json">{html}</div>')  # noqa: S308 - every value is escaped where it is written


class _Tree:
    def __init__(self) -> None:
        self.nodes = 0
        self.left_out = 0

    def render(self, value: Any, depth: int, tail: str = "") -> str:
        """`tail` is the comma after the value; it must stay inside a <details>, or it would stand on its own line."""
        self.nodes += 1
        if isinstance(value, dict) and value:
            return self._branch(list(value.items()), "{}", depth, tail)
        if isinstance(value, list) and value:
            return self._branch([(None, item) for item in value], "[]", depth, tail)
        return _leaf(value) + tail

    def _branch(self, entries: list[tuple[Any, Any]], brackets: str, depth: int, tail: str) -> str:
        opening, closing = brackets[0], brackets[1]
        if _is_short(entries):
            inner = ", ".join(f"{_key(key)}{self.render(value, depth + 1)}" for key, value in entries)
            return f"{{ {inner} }}{tail}" if opening == "{" else f"[{inner}]{tail}"
        lines = []
        for index, (key, value) in enumerate(entries):
            if self.nodes >= JSON_NODES or depth > _DEEPEST:
                self.left_out += len(entries) - index
                break
            comma = "," if index < len(entries) - 1 else ""
            lines.append(f'<div class="entry">{_key(key)}{self.render(value, depth + 1, comma)}</div>')
        is_open = " open" if depth < _OPEN_DEPTH and (depth == 0 or len(entries) <= _OPEN_ENTRIES) else ""
        return (
            f'<details{is_open}><summary>{opening}<span class="rest"><span class="faint"> {len(entries)} … </span>'
            f'{closing}{tail}</span></summary><div class="entries">{"".join(lines)}</div>{closing}{tail}</details>'
        )


def _is_short(entries: list[tuple[Any, Any]]) -> bool:
    """Fits on one line: a few plain values."""
    if len(entries) > 6 or any(isinstance(value, dict | list) and value for _, value in entries):
        return False
    return sum(len(str(key or "")) + len(str(value)) + 4 for key, value in entries) < 80


def _key(name: Any) -> str:
    """The name before a value; list members have none."""
    return "" if name is None else f'<span class="k">{escape(_dumps(str(name)))}</span>: '


def _leaf(value: Any) -> str:
    if isinstance(value, str):
        return f'<span class="s">{escape(_dumps(value))}</span>'
    if isinstance(value, bool) or value is None:
        return f'<span class="l">{escape(_dumps(value))}</span>'
    if isinstance(value, int | float):
        return f'<span class="n">{escape(_dumps(value))}</span>'
    return str(conditional_escape(_dumps(value)))


def _dumps(value: Any) -> str:
    try:
        return orjson.dumps(value, default=str).decode()
    except (orjson.JSONEncodeError, UnicodeEncodeError):
        return str(value)


@register.filter
def flat_text(value: Any) -> str:
    """A value in a table cell: text as it is, the rest as one line of JSON."""
    return value if isinstance(value, str) else _dumps(value)


@register.simple_tag
def nothing() -> str:
    """What stands where a value is absent."""
    return _("—")


@register.filter
def json_or_text(value: Any) -> SafeString:
    """Data as a tree; a plain text as it is."""
    return format_html('<pre class="plain">{}</pre>', value) if isinstance(value, str) else json_tree(value)
