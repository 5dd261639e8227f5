"""Where the lists are, and where their forms are sent."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase, QueryDict
from django.urls import reverse

from accounts.access import ProjectScope, project_page
from accounts.roles import Role
from config.posting import posted_from
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


def posted_from_list(
    noun: Noun, role: Role, view: Callable[[HttpRequest, ProjectScope, Noun], HttpResponseBase]
) -> Callable[..., HttpResponseBase]:
    """The view for a form on one of the lists."""

    @posted_from(_NAMES[noun])
    @project_page(role)
    def posted(request: HttpRequest, scope: ProjectScope) -> HttpResponseBase:
        return view(request, scope, noun)

    return posted
