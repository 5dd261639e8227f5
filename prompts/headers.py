"""Headers that people add to requests which leave for their addresses."""

from __future__ import annotations

import re
from collections.abc import Mapping

from django.utils.translation import gettext as _

MOST_HEADERS = 50
_LONGEST_HEADER = 8_000
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}", re.ASCII)
#: the transport's own: another value would break the request
_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "content-type"})


def typed_headers(text: str) -> dict[str, str]:
    """A header a line, `Name: value`. A line without a colon is a name, which is then told to need a value."""
    found: dict[str, str] = {}
    for line in filter(str.strip, text.splitlines()):
        name, _colon, value = line.partition(":")
        found[name.strip()] = value.strip()
    return found


def headers_problem(headers: Mapping[str, str | None], kept: list[str], *, goes_elsewhere: bool) -> str:
    """What is wrong with them, for people. A value of None is that of a header that is `kept`, which is not sent to
    another address than before unless it is typed again."""
    if len(headers) > MOST_HEADERS:
        return _("Give at most %(most)d headers.") % {"most": MOST_HEADERS}
    for name, text in headers.items():
        if not _NAME.fullmatch(name) or name.lower() in _OURS:
            return _("“%(name)s” is no header that can be set.") % {"name": name[:100]}
        if text is None and name not in kept:
            return _("The header %(name)s needs a value.") % {"name": name}
        if text is not None and (len(text) > _LONGEST_HEADER or not text.isascii() or not text.isprintable()):
            return _("The value of the header %(name)s holds characters that headers cannot hold.") % {"name": name}
    again = next((name for name, text in headers.items() if text is None), None)
    if goes_elsewhere and again is not None:
        return _("Enter the header %(name)s again: it would go to another address than before.") % {"name": again}
    return ""
