"""Addresses from when each filter had a parameter of its own lead to the same list in the query language."""

from __future__ import annotations

from django.http import QueryDict

from tracing.queries.explorer.language import parse
from tracing.queries.explorer.nouns import Noun
from tracing.queries.explorer.writing import quote, write_term

_PARAMETERS = ("name", "level", "type", "model", "tag", "release", "user", "session")


def in_query_language(query: QueryDict, noun: Noun) -> str | None:
    """The address's query string as it is written now; None for one that needs no change."""
    named = {name: [value for value in query.getlist(name) if value] for name in _PARAMETERS if name in query}
    if not named:
        return None
    changed = query.copy()
    terms = [write_term(name, *values) for name, values in named.items() if values]
    for name in (*named, "before"):
        changed.pop(name, None)
    words = changed.get("q", "").strip()
    # What was typed then was looked for as it stood.
    is_plain = not words or not parse(words, noun).problems
    changed["q"] = " ".join([*terms, *([words if is_plain else quote(words)] if words else [])])
    if not changed["q"]:
        del changed["q"]
    return changed.urlencode()
