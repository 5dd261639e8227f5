"""What the address of a dashboard says: time range, environments, and values that all charts keep to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from config.api.values import from_json
from config.errors import Invalid
from tracing.forms import period_from
from tracing.models import Dashboard
from tracing.queries.dashboards.figure import Looked
from tracing.views.environments import environments_from

_MOST, _LONGEST = 20, 500


@dataclass(frozen=True, slots=True)
class PageFilter:
    """A parameter of the address, and the column of metrics that it narrows."""

    name: str
    label: Any
    column: str
    is_list: bool = False

    def item(self, values: list[str]) -> dict[str, Any]:
        """As the public API writes filters."""
        kind = "arrayOptions" if self.is_list else "stringOptions"
        return {"type": kind, "column": self.column, "operator": "any of", "value": values}


PAGE_FILTERS = {
    one.name: one
    for one in (
        PageFilter("name", lazy("Trace name"), "traceName"),
        PageFilter("user", lazy("User"), "userId"),
        PageFilter("session", lazy("Session"), "sessionId"),
        PageFilter("model", lazy("Model"), "providedModelName"),
        PageFilter("tag", lazy("Tag"), "tags", is_list=True),
        PageFilter("release", lazy("Release"), "release"),
        PageFilter("version", lazy("Version"), "version"),
        PageFilter("prompt", lazy("Prompt"), "promptName"),
    )
}
#: What the address of one chart takes along from that of its page.
PARAMETERS = ("range", "from", "to", "environment", *PAGE_FILTERS)


def values_of(query: QueryDict, name: str) -> list[str]:
    found = (value.replace("\x00", "")[:_LONGEST] for value in query.getlist(name))
    return list(dict.fromkeys(value for value in found if value))[:_MOST]


def looked_from(query: QueryDict, dashboard: Dashboard | None = None) -> Looked:
    """With the filters that a dashboard has of its own, or with those that `filters` has in their place while it is
    arranged. Raises Invalid."""
    given = [one.item(values) for name, one in PAGE_FILTERS.items() if (values := values_of(query, name))]
    instead = query.get("filters")
    own = _read(instead) if instead is not None else dashboard.filters if dashboard else []
    return Looked(period_from(query), environments_from(query), (*own, *given))


def _read(text: str) -> list[dict[str, Any]]:
    found = from_json(text.encode())
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise Invalid(_("These are no filters that can be read."))
    return found


def chosen_from(query: QueryDict) -> list[tuple[PageFilter, str]]:
    """Each value that the address narrows by."""
    return [(one, value) for name, one in PAGE_FILTERS.items() for value in values_of(query, name)]


def carried(query: QueryDict) -> QueryDict:
    """The part of a page's query string that its charts are asked with."""
    kept = QueryDict(mutable=True)
    for name in PARAMETERS:
        if values := [value for value in query.getlist(name) if value]:
            kept.setlist(name, values)
    return kept
