"""Traced content as HTML: markdown made harmless, JSON that folds. Everything in it is hostile."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import nh3
import orjson
from django import template
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from config.templatetags.visible import visible as _visible
from config.templatetags.visible import visible_json

register = template.Library()

#: longer text is shown as it is: rendering megabytes of markdown helps nobody
MARKDOWN_CHARACTERS = 100_000
#: a table may be as wide as this whatever its length, and wider as long as it has no more cells than that
_WIDEST_TABLE, _MOST_CELLS = 50, 20_000
#: of such a text the beginning is in the page; the JSON and raw views have all of it
LONG_HEAD_CHARACTERS = 20_000
#: what one tree of JSON may hold before the rest is left to the raw text
JSON_NODES = 3_000
#: levels that are open at first, and how many entries an open one may have
_OPEN_DEPTH = 4
_OPEN_ENTRIES = 40
#: what nests deeper is left to the raw text, also to keep within Python's own stack
_DEEPEST = 60
#: a longer text in a tree is folded to its beginning
_FOLDED_CHARACTERS = 1_200
_FOLD_SHOWS = 300
_LANGUAGE = re.compile(r"[A-Za-z0-9+#._-]{1,24}")

_TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s",
    "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_LINK_SCHEMES = {"http", "https", "mailto"}


def _image(self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    """An image would be a request to a stranger's server; its address is shown as a link instead."""
    token = tokens[index]
    address = str(token.attrs.get("src", ""))
    return f'<a href="{escape(address)}">{escape(token.content or address)}</a>'


def _fence(self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    """Code that says its language."""
    token = tokens[index]
    language = _LANGUAGE.match(token.info.strip())
    said = f' data-language="{escape(language[0])}"' if language else ""
    return f"<pre{said}><code>{escape(token.content)}</code></pre>\n"


def _parser(*extensions: str) -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "linkify": False, "breaks": True})
    parser.enable(list(extensions))
    parser.add_render_rule("image", _image)
    parser.add_render_rule("fence", _fence)
    return parser


_markdown = _parser("table", "strikethrough")
_without_tables = _parser("strikethrough")


@register.filter
def visible(text: Any) -> str:
    """What cannot be seen is written out: controls, forced directions, zero-width characters."""
    return _visible(str(text))


@register.filter
def markdown(text: str) -> SafeString:
    if len(text) > MARKDOWN_CHARACTERS:
        return _beginning(text)
    clean = nh3.clean(
        (_without_tables if _is_vast_table(text) else _markdown).render(_visible(text)),
        tags=_TAGS,
        attributes={"a": {"href", "title"}, "ol": {"start"}, "pre": {"data-language"}},
        url_schemes=_LINK_SCHEMES,
        link_rel="noopener noreferrer nofollow",
    )
    return mark_safe(f'<div class="prose">{clean}</div>')  # noqa: S308 - cleaned by nh3 just above


def _is_vast_table(text: str) -> bool:
    """Cells that a short row leaves out are filled in, so that a few kilobytes may become seconds of work."""
    rows = text.splitlines()
    widest = max((row.count("|") for row in rows), default=0)
    return widest > _WIDEST_TABLE and widest * len(rows) > _MOST_CELLS


def _beginning(text: str) -> SafeString:
    note = _("The first %(shown)s of %(all)s characters. The JSON and raw views have all of it.")
    return format_html(
        '<pre class="plain">{}</pre><p class="help">{}</p>',
        _visible(text[:LONG_HEAD_CHARACTERS]),
        note % {"shown": f"{LONG_HEAD_CHARACTERS:,}", "all": f"{len(text):,}"},
    )


@register.filter
def plain_text(text: str) -> SafeString:
    """Text as it is, its lines kept; of very long ones the beginning."""
    return _beginning(text) if len(text) > MARKDOWN_CHARACTERS else format_html('<pre class="plain">{}</pre>', _visible(text))  # noqa: E501  # fmt: skip


@register.filter
def lines(text: str) -> int:
    return text.count("\n") + 1


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
    return "" if name is None else f'<span class="k">{escape(_dumps(str(name)[:_FOLDED_CHARACTERS]))}</span>: '


def _leaf(value: Any) -> str:
    # A subclass is a number in the digits it was sent in, which Python's own numbers could not hold.
    if type(value) is str:
        return _string(value)
    if isinstance(value, bool) or value is None:
        return f'<span class="l">{escape(_dumps(value))}</span>'
    if isinstance(value, str | int | float):
        return f'<span class="n">{escape(value if isinstance(value, str) else _dumps(value))}</span>'
    return str(escape(_dumps(value)))


def _string(text: str) -> str:
    if len(text) <= _FOLDED_CHARACTERS:
        return f'<span class="s">{escape(_dumps(text))}</span>'
    more = _("%(n)s characters") % {"n": f"{len(text):,}"}
    shown = text[:LONG_HEAD_CHARACTERS]
    cut = f' <span class="faint">… {escape(more)}</span>' if len(shown) < len(text) else ""
    return (
        f'<details class="long"><summary><span class="s">{escape(_dumps(text[:_FOLD_SHOWS])[:-1])}</span>'
        f'<span class="faint"> … {escape(more)}</span></summary>'
        f'<span class="s">{escape(_dumps(shown))}</span>{cut}</details>'
    )


def _dumps(value: Any) -> str:
    try:
        return visible_json(orjson.dumps(value, default=str).decode())
    except (orjson.JSONEncodeError, UnicodeEncodeError):
        return visible_json(str(value))


@register.filter
def flat_text(value: Any) -> str:
    """A value in a table cell: text as it is, the rest as one line of JSON."""
    return _visible(value) if isinstance(value, str) else _dumps(value)


@register.filter
def json_or_text(value: Any) -> SafeString:
    """Data as a tree; a plain text as it is."""
    return plain_text(value) if type(value) is str else json_tree(value)  # type: ignore[no-any-return]


@register.filter
def thousands(number: int) -> str:
    return f"{number:,}"


@register.filter
def role_class(role: str) -> str:
    """The CSS class of a role; those that nobody styles have none."""
    return role if role in ("system", "developer", "user", "assistant", "tool") else ""


@register.filter
def anchor(name: str) -> str:
    """A fragment of an address for an id that may be any text."""
    return hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:12]


@register.filter
def linkable(address: str) -> str:
    """An address that a link may lead to; others are shown and lead nowhere."""
    return address if address.startswith(("http://", "https://")) else ""


@dataclass(frozen=True, slots=True)
class File:
    """What is known of a file that is shown: `size` in bytes, 0 when unknown."""

    content_type: str
    size: int
    is_missing: bool

    @property
    def is_image(self) -> bool:
        return self.content_type in SHOWN_IMAGES


#: SVG is no picture here: it may hold scripts
SHOWN_IMAGES = frozenset(f"image/{name}" for name in ("png", "jpeg", "jpg", "gif", "webp", "avif", "bmp"))


@register.simple_tag
def file_of(shown: Any, part: Any) -> File:
    """`shown` may be absent, as on pages that show many observations: then only what the part says is known."""
    files = getattr(shown, "files", None)
    if part.media_id and files is not None:
        content_type, size = files.get(part.media_id, (part.content_type, 0))
        return File(content_type, size, part.media_id not in files)
    return File(part.content_type, part.inline_bytes, is_missing=False)


@register.simple_tag
def tool_span(shown: Any, call: Any) -> Any:
    """The observation in which a tool ran, if it is known."""
    return shown.span_of(call) if hasattr(shown, "span_of") else None


@register.simple_tag
def tool_anchor(shown: Any, name: str) -> str:
    """Where the definition of a tool stands on the page; empty when it is not there."""
    tools = getattr(shown, "tools", None) or []
    return next((f"tool-{number}" for number, tool in enumerate(tools, 1) if tool.name == name), "")
