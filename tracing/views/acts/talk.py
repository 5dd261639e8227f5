"""Comments between their stored form and people: mentions as names, markdown made harmless."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import mark_safe

from config.templatetags.content import markdown
from tracing.queries.comments import MENTION

#: stands for a mention while markdown is rendered; private-use characters mean nothing to anybody
_MARK = "\ue000{}\ue001"
_MARKED = re.compile("\ue000(\\d+)\ue001")


def shown_words(content: str, members: Mapping[str, Any]) -> str:
    """As HTML. A member is called by today's name, who has left by that of then."""
    names: list[str] = []

    def mark(match: re.Match[str]) -> str:
        member = members.get(match[2])
        names.append(member.name or member.email if member else match[1])
        return _MARK.format(len(names) - 1)

    text = MENTION.sub(mark, re.sub("[\ue000\ue001]", "", content))
    html = _MARKED.sub(lambda match: format_html('<b class="mention">@{}</b>', names[int(match[1])]), markdown(text))
    return mark_safe(html)  # noqa: S308 - markdown was cleaned, names are escaped


def text_to_edit(content: str, members: Mapping[str, Any]) -> str:
    """As its author types it: members by their address."""

    def typed(match: re.Match[str]) -> str:
        member = members.get(match[2])
        return f"@{member.email}" if member else match[0]

    return MENTION.sub(typed, content)
