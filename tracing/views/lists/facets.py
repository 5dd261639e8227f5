"""The facets beside a list: what was observed, what of it is chosen, and the address each value leads to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
from django.http import QueryDict

from accounts.access import ProjectScope
from config.templatetags.formatting import LEVELS, kind_name
from tracing.queries import explorer
from tracing.queries.explorer.fields import Kind, find_field
from tracing.queries.explorer.language import Term, write_value
from tracing.queries.explorer.nouns import Noun
from tracing.queries.explorer.wanted import Wanted
from tracing.queries.explorer.writing import write_name

_FEW, _MANY = 12, 100
_LONGEST = 200
#: open at first; the others are a click away
_OPEN = {"env", "level", "name", "type", "model"}
#: read only when they are opened
_ON_DEMAND = "metadata"


@dataclass(frozen=True, slots=True)
class ShownValue:
    value: str
    label: str
    #: as it is written in a query
    written: str
    count: int
    is_chosen: bool
    is_excluded: bool
    toggle: str
    only: str


@dataclass(frozen=True, slots=True)
class ShownFacet:
    """`name` is how a query writes the field. Values of `has_keys` are the names of facets of their own."""

    name: str
    label: Any
    unit: str
    values: list[ShownValue]
    range: explorer.NumberRange | None
    #: keys and names, each with the name of its own facet
    keys: list[tuple[str, str, int]]
    has_more: bool
    has_failed: bool
    is_active: bool
    is_open: bool
    #: not read yet
    is_waiting: bool = False


def aliases(noun: Noun) -> str:
    """JSON: every way to write a field, in small letters, to its name."""
    found = {
        spelling.lower(): field.name
        for field in explorer.fields_of(noun).values()
        for spelling in (field.name, *field.aliases)
    }
    return orjson.dumps(found).decode()


def shown(scope: ProjectScope, wanted: Wanted, query: QueryDict) -> list[ShownFacet]:
    """All facets; or the one that the address names, with more values or with those that contain a text."""
    name = query.get("facet", "").replace("\x00", "")[:_LONGEST]
    if name:
        contains = query.get("contains", "").replace("\x00", "")[:_LONGEST]
        limit = _MANY if contains or "all" in query else _FEW
        found = explorer.facets(scope, wanted, names=(name,), contains=contains, limit=limit)
        return [_shown(one, wanted, query) for one in found]
    keyed = _keyed_in(wanted)
    found = explorer.facets(scope, wanted)
    if keyed:
        found += explorer.facets(scope, wanted, names=keyed)
    facets = [_shown(one, wanted, query) for one in found if one.values or one.range or one.has_failed]
    return [*facets, _waiting(wanted.noun)]


def _keyed_in(wanted: Wanted) -> tuple[str, ...]:
    """Facets of the keys and scores that the query asks about."""
    terms = (node for node in wanted.query.terms if isinstance(node, Term) and node.key)
    return tuple(dict.fromkeys(term.name for term in terms))


def _shown(facet: explorer.Facet, wanted: Wanted, query: QueryDict) -> ShownFacet:
    field, key = facet.field, facet.key
    has_keys = field.kind in (Kind.MAP, Kind.SCORES) and not key
    label = _labels(field.name)
    return ShownFacet(
        name=write_name(field.name, key),
        label=key or field.label,
        unit=field.unit,
        values=[] if has_keys else [_value(one, facet, label, wanted, query) for one in facet.values if one.value],
        range=facet.range,
        keys=[(one.value, f"{field.name}.{one.value}", one.count) for one in facet.values] if has_keys else [],
        has_more=facet.has_more,
        has_failed=facet.has_failed,
        is_active=facet.is_active,
        is_open=facet.is_active or field.name in _OPEN or bool(key),
    )


def _value(
    one: explorer.FacetValue, facet: explorer.Facet, label: Callable[[str], str], wanted: Wanted, query: QueryDict
) -> ShownValue:
    text, noun, name, key = wanted.query.text, wanted.noun, facet.field.name, facet.key
    return ShownValue(
        value=one.value,
        label=label(one.value),
        written=write_value(one.value),
        count=one.count,
        is_chosen=one.is_chosen,
        is_excluded=one.is_excluded,
        toggle=_address(query, explorer.toggle(text, noun, name, one.value, key=key)),
        only=_address(query, explorer.only(text, noun, name, one.value, key=key)),
    )


def _waiting(noun: Noun) -> ShownFacet:
    field = find_field(_ON_DEMAND, noun)
    return ShownFacet(_ON_DEMAND, field.label if field else "", "", [], None, [], False, False, False, False, True)


def _labels(name: str) -> Callable[[str], str]:
    if name == "level":
        return lambda level: str(LEVELS.get(level, level))
    return kind_name if name == "type" else str


def _address(query: QueryDict, text: str) -> str:
    changed = query.copy()
    for name in ("q", "before", "peek", "observation", "facet", "contains", "all"):
        changed.pop(name, None)
    if text:
        changed["q"] = text
    return f"?{changed.urlencode()}"
