"""What a query bar offers while one types in it."""

from __future__ import annotations

from django.http import QueryDict

from accounts.access import ProjectScope
from tracing.queries import explorer
from tracing.queries.explorer.completion import Observe
from tracing.queries.explorer.facets import observed_values
from tracing.queries.explorer.wanted import Wanted


def suggested(
    scope: ProjectScope, wanted: Wanted, query: QueryDict, observe: Observe = observed_values
) -> explorer.Completion:
    """For the `text` of the address with its `caret`; without one that stands at the end."""
    text, caret = query.get("text", "").replace("\x00", ""), query.get("caret", "")
    at = int(caret) if caret.isascii() and caret.isdigit() and len(caret) < 6 else len(text)
    return explorer.complete(scope, wanted, text, min(at, len(text)), observe=observe)
