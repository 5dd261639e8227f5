"""What the command palette finds of traces: things by their id, and names, sessions and users by a part of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.access import ProjectScope
from config.palette import MOST, Found
from config.templatetags.formatting import ago, kind_name
from tracing.queries import named
from tracing.queries.explorer.writing import quote, write_term
from tracing.queries.parallel import together

#: what may be an id: nobody's id has a space
_SHORTEST_ID = 4


def find_by_id(request: HttpRequest, scope: ProjectScope, text: str) -> Iterator[Found]:
    """A trace or an observation, by the whole of its id."""
    if len(text) < _SHORTEST_ID or " " in text:
        return
    traces, observations = together(
        partial(named.traces_called, scope, text), partial(named.observations_called, scope, text, limit=MOST)
    )
    for one in traces:
        url = reverse("tracing:trace-detail", args=[scope.project_id, one.trace_id])
        yield Found(_("Traces"), one.name or one.trace_id, url, "trace", ago(one.at))
    for one in observations:
        url = reverse("tracing:trace-detail", args=[scope.project_id, one.trace_id])
        query = urlencode({"observation": one.observation_id})
        yield Found(_("Observations"), one.name or one.observation_id, f"{url}?{query}", "trace", kind_name(one.type))


def find_by_name(request: HttpRequest, scope: ProjectScope, text: str) -> Iterator[Found]:
    """Names of traces, which lead to the list of those, then sessions and users; last, a search in everything."""
    if not text:
        return
    questions = (named.trace_names_with, named.sessions_with, named.users_with)
    names, sessions, users = together(*(partial(question, scope, text, limit=MOST) for question in questions))
    traces = reverse("tracing:trace-list", args=[scope.project_id])

    def listed(query: str) -> str:
        return f"{traces}?{urlencode({'q': query})}"

    for one in names:
        yield Found(_("Traces by name"), one.name, listed(write_term("name", one.name)), "trace", ago(one.last_at))
    for one in sessions:
        url = reverse("tracing:session-detail", args=[scope.project_id, one.name])
        yield Found(_("Sessions"), one.name, url, "chat", ago(one.last_at))
    for one in users:
        url = reverse("tracing:user-detail", args=[scope.project_id, one.name])
        yield Found(_("Users"), one.name, url, "user", ago(one.last_at))
    yield Found(_("Search"), _("Traces that hold “%(text)s”") % {"text": text}, listed(quote(text)), "search")
