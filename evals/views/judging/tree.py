"""A sample as a tree to click in: each place of the data is a button that knows its JSONPath."""

from __future__ import annotations

import re
from typing import Any

import orjson
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from config.templatetags.visible import visible_json

#: places of one source; more would take seconds to lay out
_MOST_PLACES = 400
_MOST_ENTRIES = 60
_DEEPEST = 24
_OPEN_DEPTH = 3
_LONGEST = 160
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def sample_tree(source: str, value: Any) -> SafeString:
    """Escaped HTML; `data-source` and `data-path` of a button say what a click on it means."""
    return mark_safe(_Tree(source).render("$", source, value, 0))  # noqa: S308 - every value is escaped where it is written


def child_path(path: str, key: str | int) -> str:
    """The place of an entry, as RFC 9535 writes it."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    if _PLAIN_KEY.match(key):
        return f"{path}.{key}"
    quoted = orjson.dumps(key).decode()[1:-1].replace('\\"', '"').replace("'", "\\'")
    return f"{path}['{quoted}']"


class _Tree:
    def __init__(self, source: str) -> None:
        self.source = source
        self.places = 0

    def render(self, path: str, name: str, value: Any, depth: int) -> str:
        self.places += 1
        button = (
            f'<button type="button" class="pick" data-source="{escape(self.source)}" '
            f'data-path="{escape("" if path == "$" else path)}" title="{escape(path)}">{escape(_dumps(name))}</button>'
        )
        if not isinstance(value, dict | list) or not value or depth >= _DEEPEST:
            return f'<div class="place">{button} {_leaf(value)}</div>'
        entries: list[tuple[Any, Any]] = list(value.items() if isinstance(value, dict) else enumerate(value))
        shown = []
        for key, one in entries[:_MOST_ENTRIES]:
            if self.places >= _MOST_PLACES:
                break
            place = key if isinstance(value, list) else str(key)
            shown.append(self.render(child_path(path, place), str(key), one, depth + 1))
        if left := len(entries) - len(shown):
            more = ngettext("%(n)d more entry", "%(n)d more entries", left) % {"n": left}
            shown.append(f'<div class="place faint">… {escape(more)}</div>')
        is_open = " open" if depth < _OPEN_DEPTH else ""
        signs = "{}" if isinstance(value, dict) else "[]"
        # The button stands beside what folds, not in it: a summary is a button itself.
        return (
            f'<div class="place branch">{button}<details{is_open}><summary>'
            f'<span class="sr-only">{escape(_dumps(name))}</span> <span class="faint">{signs} {len(entries)}</span>'
            f'</summary><div class="entries">{"".join(shown)}</div></details></div>'
        )


def _leaf(value: Any) -> str:
    if not isinstance(value, str):
        return f'<span class="n">{escape(_dumps(value, is_name=False))}</span>'
    if not value:
        return f'<span class="faint">{escape(_("empty"))}</span>'
    if len(value) <= _LONGEST:
        return f'<span class="s">{escape(visible_json(value))}</span>'
    more = _("%(n)s characters") % {"n": f"{len(value):,}"}
    return f'<span class="s">{escape(visible_json(value[:_LONGEST]))}</span><span class="faint">… {escape(more)}</span>'


def _dumps(value: Any, *, is_name: bool = True) -> str:
    if is_name:
        return visible_json(str(value)[:80])
    try:
        return visible_json(orjson.dumps(value, default=str).decode()[:_LONGEST])
    except (orjson.JSONEncodeError, UnicodeEncodeError):
        return visible_json(str(value)[:_LONGEST])
