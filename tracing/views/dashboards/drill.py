"""From a chart to the rows behind it: the list, filtered to what was clicked."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.http import QueryDict
from django.urls import reverse

from accounts.access import ProjectScope
from tracing.queries.dashboards.figure import Figure, Keys, Looked
from tracing.queries.explorer import Noun
from tracing.queries.explorer.fields import Kind, find_field
from tracing.queries.explorer.writing import write_name, write_term, write_value
from tracing.queries.filters import Filter
from tracing.queries.metrics import METADATA

#: How lists call what the views of scores are grouped by: they know traces, and what these were given.
_OF_SCORES = {
    "traceName": "name", "tags": "tag", "userId": "user", "sessionId": "session", "environment": "env",
    "traceRelease": "release", "traceVersion": "version", "traceId": "id",
}  # fmt: skip
_COMPARED = {">": ">", "<": "<", ">=": ">=", "<=": "<=", "=": ""}
#: Metrics count milliseconds, lists seconds.
_IN_MILLISECONDS = {"latency", "timeToFirstToken"}


class Drill:
    """Addresses of the list behind a chart."""

    def __init__(self, scope: ProjectScope, figure: Figure, looked: Looked) -> None:
        self._definition = definition = figure.definition
        self._is_of_scores = definition.view_name.startswith("scores-")
        self._noun = Noun.OBSERVATIONS if definition.view_name == "observations" else Noun.TRACES
        name = "tracing:observation-list" if self._noun is Noun.OBSERVATIONS else "tracing:trace-list"
        self._path = reverse(name, args=[scope.project_id])
        self._span = figure.span
        self._environments = looked.environments
        self._own = self._terms((*definition.filters, *figure.applied))

    def to(self, keys: Keys = (), since: datetime | None = None, until: datetime | None = None) -> str:
        """What has these values, in this stretch of time, as far as the chart looks. Values that no list knows are left
        out."""
        names = self._definition.dimensions
        terms = [self._term(name, key) for name, key in zip(names, keys, strict=False)]
        query = QueryDict(mutable=True)
        query["q"] = " ".join(dict.fromkeys(term for term in (*self._own, *terms) if term))
        query.setlist("environment", list(self._environments))
        query["from"] = _written(max(since or self._span.since, self._span.since))
        query["to"] = _written(min(until or self._span.until, self._span.until))
        return f"{self._path}?{query.urlencode()}"

    def _term(self, name: str, key: str | None) -> str:
        """One value of a dimension; `-has:field` is what has none."""
        if name.startswith(METADATA):
            if self._is_of_scores:  # lists ask for those of the trace
                return ""
            field, metadata_key = "metadata", name.removeprefix(METADATA)
            return write_term(field, key, key=metadata_key) if key else f"-has:{write_name(field, metadata_key)}"
        if self._is_of_scores and name == "name":
            return f"has:{write_name('scores', key)}" if key else ""
        found = find_field(_OF_SCORES.get(name, "") if self._is_of_scores else name, self._noun)
        if found is None or found.kind in (Kind.MAP, Kind.SCORES, Kind.CONTENT):
            return ""
        if key is None:
            return f"-has:{found.name}"
        if found.kind is Kind.LIST:
            return " ".join(write_term(found.name, one) for one in key.split(", "))
        return write_term(found.name, key)

    def _terms(self, filters: Iterable[Filter]) -> list[str]:
        return [term for one in filters if (term := self._of_filter(one))]

    def _of_filter(self, one: Filter) -> str:
        """As the query language says it; empty where it cannot."""
        name = _OF_SCORES.get(one.column, "") if self._is_of_scores else one.column
        found = find_field(name, self._noun)
        if self._is_of_scores and one.column == "name" and one.type == "stringOptions" and one.operator == "any of":
            choice = " OR ".join(f"has:{write_name('scores', value)}" for value in one.value)
            return f"({choice})" if len(one.value) > 1 else choice
        if found is None:
            return ""
        match one.type, one.operator:
            case ("stringOptions" | "arrayOptions", "any of" | "none of"):
                return write_term(found.name, *one.value, is_negated=one.operator == "none of") if one.value else ""
            case ("arrayOptions", "all of"):
                return " ".join(write_term(found.name, value) for value in one.value)
            case ("string", "="):
                return write_term(found.name, one.value)
            case ("string", "contains" | "does not contain"):
                sign = "-" if one.operator == "does not contain" else ""
                return f"{sign}{found.name}:*{one.value}*" if _is_bare(one.value) else ""
            case ("string", "starts with"):
                return f"{found.name}:{one.value}*" if _is_bare(one.value) else ""
            case ("stringObject", "="):
                return write_term(found.name, one.value, key=one.key)
            case ("boolean", "="):
                return write_term(found.name, "true" if one.value else "false")
            case ("number", operator):
                value = one.value / 1000 if one.column in _IN_MILLISECONDS else one.value
                return f"{found.name}:{_COMPARED[operator]}{value}"
        return ""


def _is_bare(text: str) -> bool:
    """Stars mean something outside quotes only."""
    return write_value(text) == text


def _written(at: datetime) -> str:
    """To the second: a list's end is not in it, as a bucket's is not."""
    rounded = at if not at.microsecond else at + timedelta(microseconds=1_000_000 - at.microsecond)
    return rounded.strftime("%Y-%m-%dT%H:%M:%SZ")
