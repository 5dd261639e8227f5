"""A dashboard while it is arranged: nothing of it is written before it is saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _

from accounts.access import ProjectScope
from config.errors import Invalid
from tracing.models import Dashboard, Placement
from tracing.models.dashboards import GRID_WIDTH, LONGEST_DASHBOARD_NAME, new_id
from tracing.queries.dashboards import rows
from tracing.queries.dashboards.definition import LONGEST_DESCRIPTION, Chart
from tracing.queries.dashboards.files import filter_issues
from tracing.queries.dashboards.layout import MOST_ROWS, TALLEST, At, GivenPlacement, without_overlaps
from tracing.queries.dashboards.presets import PRESETS
from tracing.queries.dashboards.rows import Panel
from tracing.queries.dashboards.views import VIEWS
from tracing.queries.filters import Column
from tracing.views.dashboards import conditions
from tracing.views.dashboards.conditions import Condition, Item

#: What all charts of a dashboard can be narrowed by: each takes those that its view has.
FILTERS = (
    "environment", "traceName", "name", "userId", "sessionId", "tags", "release", "version", "providedModelName",
    "promptName", "type", "level", "metadata",
)  # fmt: skip
#: width and height of a chart that is placed
_SIZES = {Chart.NUMBER: (3, 2), Chart.TABLE: (6, 6)}
_USUAL_SIZE = (6, 5)
_MOST = 100


def filter_columns() -> dict[str, Column]:
    known = {name: column for view in [*VIEWS.values()][::-1] for name, column in view.filter_columns.items()}
    return {name: known[name] for name in FILTERS}


@dataclass(slots=True)
class LayoutDraft:
    #: the revision it began from
    revision: int
    name: str
    description: str
    conditions: list[Condition]
    #: as they would be written
    placements: list[Placement] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def has_errors(self) -> bool:
        return bool(self.errors) or any(one.error for one in self.conditions)

    @property
    def panels(self) -> list[Panel]:
        return [rows.panel_of(one) for one in self.placements]

    def filters(self) -> list[Item]:
        """What is wrong with one is said at it."""
        items = conditions.items_of(self.conditions, filter_columns())
        if not self.has_errors:
            for issue in filter_issues(items):
                conditions.put_issues(self.conditions, issue["path"][1], str(issue["message"]))
        return items

    def filters_so_far(self) -> list[Item]:
        """What charts are shown under while it is written."""
        items = conditions.whole_items(self.conditions, filter_columns())
        wrong = {issue["path"][1] for issue in filter_issues(items)}
        return [item for number, item in enumerate(items) if number not in wrong]

    def given(self) -> list[GivenPlacement]:
        places = without_overlaps([At.of(one) for one in self.placements])
        return [_given(one, at) for one, at in zip(self.placements, places, strict=True)]

    def find(self, name: str) -> Placement | None:
        return next((one for one in self.placements if one.name == name), None)

    def add(self, scope: ProjectScope, kind: str, chart: str) -> None:
        """Below all others, in the size that its kind of chart wants. Raises NotFound and Invalid."""
        placement = Placement(name=new_id(), x=0, y=max((one.y + one.height for one in self.placements), default=0))
        placement.width, placement.height = _USUAL_SIZE
        if kind == "widget":
            placement.widget = rows.get_widget(scope, chart)
        elif chart in PRESETS:
            placement.preset = chart
        else:
            raise Invalid(_("There is no such built-in chart."))
        definition = rows.panel_of(placement).definition
        if definition is not None:
            placement.width, placement.height = _SIZES.get(definition.chart, _USUAL_SIZE)
        self.placements.append(placement)

    def check(self) -> None:
        if not self.name:
            self.errors["name"] = _("Give it a name.")


def _given(one: Placement, at: At) -> GivenPlacement:
    chart: dict[str, Any] = {"widgetId": one.widget_id} if one.widget_id else {"type": "preset", "presetId": one.preset}
    return GivenPlacement(id=one.name, x=at.x, y=min(at.y, MOST_ROWS), width=at.width, height=at.height, **chart)


def of_dashboard(dashboard: Dashboard) -> LayoutDraft:
    placements = rows.placements_of([dashboard])[dashboard.pk]
    lines = conditions.conditions_of(dashboard.filters, filter_columns())
    return LayoutDraft(dashboard.revision, dashboard.name, dashboard.description, lines, placements)


def of_post(scope: ProjectScope, data: QueryDict) -> LayoutDraft:
    """What was typed and moved. Charts that are there no more are left out, which `errors` says."""

    def text(name: str, longest: int) -> str:
        return data.get(name, "").replace("\x00", "").replace("\r\n", "\n").strip()[:longest]

    revision = text("revision", 9)
    draft = LayoutDraft(
        int(revision) if revision.isascii() and revision.isdigit() else 0,
        text("name", LONGEST_DASHBOARD_NAME),
        text("description", LONGEST_DESCRIPTION),
        conditions.of_post(data),
    )
    columns = [_column(data, name) for name in ("chart", "widget", "preset", "x", "y", "width", "height")]
    lines = list(zip(*columns, strict=False))
    widgets = rows.find_widgets(scope, [line[1] for line in lines if line[1]])
    for line in lines:
        name, widget_id, preset = line[:3]
        if widget_id and widget_id not in widgets:
            draft.errors["charts"] = _("A chart that stood here has been deleted meanwhile.")
            continue
        x, y, width, height = _place(line[3:])
        draft.placements.append(
            Placement(
                name=name or new_id(), widget=widgets.get(widget_id), preset="" if widget_id else preset,
                x=x, y=y, width=width, height=height,
            )
        )  # fmt: skip
    return draft


def _column(data: QueryDict, name: str) -> list[str]:
    return [one.replace("\x00", "").strip()[:255] for one in data.getlist(name)[: _MOST + 1]]  # one more is refused


def _place(typed: Sequence[str]) -> tuple[int, int, int, int]:
    """Within the grid, whatever was typed."""
    x, y, width, height = (int(one) if one.isascii() and one.isdigit() and len(one) < 6 else 0 for one in typed)
    width = min(max(width, 1), GRID_WIDTH)
    return min(x, GRID_WIDTH - width), min(y, MOST_ROWS), width, min(max(height, 1), TALLEST)
