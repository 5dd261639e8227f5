"""Where the lists are."""

from __future__ import annotations

from django.http import QueryDict
from django.urls import reverse

from accounts.access import ProjectScope
from tracing.queries.explorer.nouns import Noun

_NAMES = {
    Noun.TRACES: "tracing:trace-list",
    Noun.OBSERVATIONS: "tracing:observation-list",
    Noun.SESSIONS: "tracing:session-list",
}
#: those that have a list of this kind, in the order in which they are offered
LISTED = (Noun.TRACES, Noun.OBSERVATIONS)


def list_url(scope: ProjectScope, noun: Noun, query: QueryDict | None = None) -> str:
    url = reverse(_NAMES[noun], args=[scope.project_id])
    return f"{url}?{query.urlencode()}" if query else url
