"""The filters beside the trace list: the values seen, which of them are chosen, and the tokens that say so."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from django.core.cache import cache
from django.utils.translation import gettext as _

from accounts.access import ProjectScope
from config.errors import SpanwiseError
from config.templatetags.formatting import LEVELS, kind_name
from tracing.forms import MANY
from tracing.queries import pages
from tracing.queries.pages import FacetValue, TraceFilters
from tracing.queries.parallel import together

#: seconds for which counts may be a little old: they orient, they are not a report
_FRESH_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Choice:
    value: str
    label: str
    count: int | None
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Facet:
    name: str
    label: str
    choices: list[Choice]
    is_open: bool
    #: the values could not be read; only this facet says so
    has_failed: bool = False


@dataclass(frozen=True, slots=True)
class Token:
    """One condition in the query bar."""

    name: str
    value: str


def facets(scope: ProjectScope, filters: TraceFilters) -> list[Facet]:
    names = ("environment", "level", "name", "type", "model", "tag", "release")
    answers = together(*(partial(_values, scope, name, filters) for name in names))
    found = [_facet(name, values, filters) for name, values in zip(names, answers, strict=True)]
    return [facet for facet in found if facet.choices or facet.has_failed]


def applied(filters: TraceFilters) -> list[Token]:
    tokens = [Token(name, value) for name, field in MANY.items() for value in getattr(filters, field)]
    for name, value in (("user", filters.user), ("session", filters.session)):
        if value:
            tokens.append(Token(name, value))
    return tokens


def _values(scope: ProjectScope, name: str, filters: TraceFilters) -> list[FacetValue] | None:
    period = filters.period
    place = period.range if period.range != "custom" else f"{period.since}-{period.until}"
    key = "facet:" + hashlib.sha256(f"{scope.project_id}\0{name}\0{place}".encode()).hexdigest()
    values: list[FacetValue] | None = cache.get(key)
    if values is None:
        try:
            values = pages.facet(scope, name, period)
        except SpanwiseError:
            return None
        cache.set(key, values, _FRESH_SECONDS)
    return values


def _facet(name: str, values: list[FacetValue] | None, filters: TraceFilters) -> Facet:
    chosen = getattr(filters, MANY[name])
    seen = values or []
    missing = [FacetValue(value, 0) for value in chosen if value not in {v.value for v in seen}]
    label = _value_labels().get(name, str)
    choices = [Choice(v.value, label(v.value), v.count or None, v.value in chosen) for v in (*seen, *missing)]
    is_open = bool(chosen) or name in ("environment", "level", "name")
    return Facet(name, _labels()[name], choices, is_open, values is None)


def _value_labels() -> dict[str, Callable[[str], str]]:
    return {"level": lambda level: str(LEVELS.get(level, level)), "type": kind_name}


def _labels() -> dict[str, str]:
    return {
        "environment": _("Environment"),
        "level": _("Level"),
        "name": _("Name"),
        "type": _("Type"),
        "model": _("Model"),
        "tag": _("Tag"),
        "release": _("Release"),
    }
