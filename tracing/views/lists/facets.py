"""The facets beside a list: what was observed, what of it is chosen, and the address each value leads to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import orjson
from django.http import QueryDict

from accounts.access import ProjectScope
from config.templatetags.formatting import LEVELS, kind_name
from tracing.queries import explorer
from tracing.queries.explorer.fields import Field, Kind, facet_fields
from tracing.queries.explorer.language import Term
from tracing.queries.explorer.nouns import Noun
from tracing.queries.explorer.wanted import Wanted
from tracing.queries.explorer.writing import write_name, write_value

_FEW, _MANY = 12, 100
_LONGEST, _LONGEST_OPENED = 200, 2000
#: open at first; the others are a click away. What is closed is not read.
_OPEN = frozenset({"env", "level", "name", "type", "model"})


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
    #: where it is open, for readers without scripts
    opened: str = ""


def aliases(noun: Noun) -> str:
    """JSON: every way to write a field, in small letters, to its name."""
    found = {
        spelling.lower(): field.name
        for field in explorer.fields_of(noun).values()
        for spelling in (field.name, *field.aliases)
    }
    return orjson.dumps(found).decode()


def shown(scope: ProjectScope, wanted: Wanted, query: QueryDict, opened: str = "") -> list[ShownFacet]:
    """All facets, of which those that are open are read; or the one that the address names, with more values or with
    those that contain a text. `opened` is what the reader opened and, with a minus, closed: `user,-env`. None at all
    where nothing was observed."""
    name = query.get("facet", "").replace("\x00", "")[:_LONGEST]
    if name:
        contains = query.get("contains", "").replace("\x00", "")[:_LONGEST]
        limit = _MANY if contains or "all" in query else _FEW
        found = explorer.facets(scope, wanted, names=(name,), contains=contains, limit=limit)
        return [_shown(one, wanted, query) for one in found]
    fields = facet_fields(wanted.noun)
    is_open = _open(opened)
    names = [field.name for field in fields if field.name in is_open or _is_asked(wanted, field.name)]
    names += _keyed_in(wanted)
    known = {one.name: one for one in explorer.facets(scope, wanted, names=names)} if names else {}
    if known and not any(one.values or one.range or one.has_failed for one in known.values()):
        return []
    facets = [
        _shown(known.pop(field.name), wanted, query) if field.name in known else _waiting(field, query, opened)
        for field in fields
    ]
    return [*facets, *(_shown(keyed, wanted, query) for keyed in known.values())]


def _open(opened: str) -> frozenset[str]:
    names = [unquote(name) for name in opened[:_LONGEST_OPENED].split(",")]
    return (_OPEN | set(names)) - {name[1:] for name in names if name.startswith("-")}


def _is_asked(wanted: Wanted, name: str) -> bool:
    """Whether the query chooses values of it, which are shown whether it is open or not."""
    if name == "env" and wanted.environments:
        return True
    return any(isinstance(node, Term) and node.name == name for node in wanted.query.terms)


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
        is_open=True,
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


def _waiting(field: Field, query: QueryDict, opened: str) -> ShownFacet:
    changed = query.copy()
    changed["facets"], changed["open"] = "shown", ",".join(filter(None, (opened, field.name)))
    return ShownFacet(
        field.name, field.label, field.unit, [], None, [], False, False, False, False, True, f"?{changed.urlencode()}"
    )


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
