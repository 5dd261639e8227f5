"""What stands in an address for an id that somebody else made up."""

from __future__ import annotations

from django.urls.converters import StringConverter


class IdConverter(StringConverter):
    """`<id:…>`: any text, with slashes and newlines. Django's `path` ends at a newline, and `reverse` fails on one."""

    regex = r"[\s\S]+"
