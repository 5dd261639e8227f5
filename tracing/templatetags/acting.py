"""What people may do, put into the pages that show a trace, an observation or a session."""

from __future__ import annotations

from typing import Any

from django import template
from django.urls import reverse
from django.utils.http import urlencode

from accounts.access import ProjectScope
from accounts.roles import Role
from tracing.views.acts.node import Node

register = template.Library()


@register.inclusion_tag("tracing/acts/_trace.html", takes_context=True)
def trace_acts(context: dict[str, Any]) -> dict[str, Any]:
    """Star, tags, public link and the menu of the trace in `trace`. Strangers get none of it."""
    if context["scope"].role is Role.NONE:
        return {"is_for_strangers": True}
    scope: ProjectScope = context["scope"]
    trace, request = context["trace"], context["request"]
    home = reverse("tracing:trace-detail", args=[scope.project_id, trace.id])
    return {
        "request": request,
        "scope": scope,
        "trace": trace,
        "may_act": scope.role.allows(Role.MEMBER),
        "permalink": request.build_absolute_uri(home),
        "name_query": _search(f"name:{_quoted(trace.name)}"),
        "list_query": _search(f"id:{_quoted(trace.id)}"),
    }


def _search(text: str) -> str:
    return f"?{urlencode({'q': text, 'range': 'all'})}"


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@register.inclusion_tag("tracing/acts/_node.html", takes_context=True)
def node_acts(context: dict[str, Any], *parts: str) -> dict[str, Any]:
    """Scores, correction and comments of what the pane shows: all of them, or the parts named.

    Strangers see the scores that there are.
    """
    shown = context["page"].shown
    shown = shown() if callable(shown) else shown
    node = Node(context["scope"], trace=context["trace"], observation_id=shown.id)
    wanted = parts or _ALL
    if node.is_for_strangers:
        wanted = ("scores",) if "scores" in wanted and node.scores else ()
    return {"request": context["request"], "scope": node.scope, "node": node, "parts": wanted}


@register.inclusion_tag("tracing/acts/_node.html", takes_context=True)
def session_acts(context: dict[str, Any], *parts: str) -> dict[str, Any]:
    """Scores and comments of the session in `page`, or the parts named."""
    node: Node = context["page"].node
    wanted = parts or ("scores", "comments")
    return {"request": context["request"], "scope": node.scope, "node": node, "parts": wanted}


@register.simple_tag(takes_context=True)
def file_url(context: dict[str, Any], media_id: str) -> str:
    """The address of a file that came with a trace. Strangers say which trace that was opened it came with."""
    scope, trace = context["scope"], context.get("trace")
    url = reverse("tracing:media-file", args=[scope.project_id, media_id])
    return f"{url}?{urlencode({'trace': trace.id})}" if trace and scope.role is Role.NONE else url


_ALL = ("scores", "correction", "comments")
