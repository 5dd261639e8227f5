"""Links that change one thing of the address and keep the rest."""

from __future__ import annotations

from typing import Any

from django import template
from django.http import QueryDict
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from tracing.queries.explorer.writing import write_term

register = template.Library()


@register.simple_tag(takes_context=True)
def without(context: dict[str, Any], name: str, value: str = "") -> str:
    """The page's query string without one value of a parameter (or without the parameter), back at its start."""
    query: QueryDict = context["request"].GET.copy()
    left = [v for v in query.getlist(name) if v != value] if value else []
    query.setlist(name, left)
    for place in ("before", "after"):
        query.pop(place, None)
    return f"?{query.urlencode()}"


@register.simple_tag(takes_context=True)
def only(context: dict[str, Any], *names: str) -> str:
    """The page's query string with nothing but these parameters; empty where it has none of them."""
    query = QueryDict(mutable=True)
    for name in names:
        query.setlist(name, context["request"].GET.getlist(name))
    text = query.urlencode()
    return f"?{text}" if text else ""


@register.simple_tag
def filtered(**parameters: Any) -> str:
    """A query string of these parameters alone: a list filtered by what was clicked."""
    query = QueryDict(mutable=True)
    query.update({name: str(value) for name, value in parameters.items()})
    return f"?{query.urlencode()}"


@register.simple_tag(takes_context=True)
def carried(context: dict[str, Any], *names: str) -> SafeString:
    """Hidden fields that carry these parameters of the page's address on in a form."""
    query: QueryDict = context["request"].GET
    values = ((name, value) for name in names for value in query.getlist(name))
    return format_html_join("", '<input type="hidden" name="{}" value="{}">', values)


@register.simple_tag
def search(**terms: Any) -> str:
    """A query string for a list of what has these values: `{% search level="ERROR" %}` is `?q=level%3AERROR`. Values
    are written so that they mean exactly themselves."""
    return filtered(q=" ".join(write_term(name, str(value)) for name, value in terms.items()))
