"""Dashboards and charts as JSON that can be kept, shared and read back: the API's words, whole, with a version.

A chart is `{"version": 1, "type": "widget", …}` with the fields of the API's widgets. A dashboard is
`{"version": 1, "type": "dashboard", "name", "description", "filters", "definition": {"widgets": […]}}`, where each
placement has its place and either `presetId` or its `widget`, whole: ids mean nothing elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any, Final, Literal

import orjson
from django.utils.translation import gettext as _
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from config.api.values import from_json
from config.errors import Invalid, issue
from tracing.models.dashboards import GRID_WIDTH, LONGEST_DASHBOARD_NAME, Dashboard, Placement, Widget
from tracing.queries import filters
from tracing.queries.dashboards.definition import LONGEST_DESCRIPTION, GivenWidget, definition_of, issues_of
from tracing.queries.dashboards.layout import Column, Height, Row, Width
from tracing.queries.dashboards.presets import PRESETS, Board, Preset
from tracing.queries.dashboards.rows import placements_of, widget_body
from tracing.queries.dashboards.views import VIEWS

VERSION: Final = 1
LARGEST_BYTES = 2_000_000
Issues = list[dict[str, Any]]
_MOST_PLACED = 100


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", defer_build=True)


class PlacedChart(_Part):
    """A chart on a dashboard in a file: built in, or whole."""

    type: Literal["widget", "preset"] = "widget"
    widget: GivenWidget | None = None
    presetId: Annotated[str, Field(max_length=100)] | None = None
    x: Column | None = None
    y: Row | None = None
    width: Width | None = None
    height: Height | None = None


class _Placed(_Part):
    widgets: Annotated[list[PlacedChart], Field(max_length=_MOST_PLACED)] = []


class DashboardFile(_Part):
    version: Literal[1] = VERSION
    name: Annotated[str, Field(min_length=1, max_length=LONGEST_DASHBOARD_NAME)]
    description: Annotated[str, Field(max_length=LONGEST_DESCRIPTION)] = ""
    filters: list[dict[str, Any]] = []
    definition: _Placed = _Placed()


class WidgetFile(GivenWidget):
    version: Literal[1] = VERSION


# --- Written ---------------------------------------------------------------------------------------------
def widget_file(widget: Widget) -> dict[str, Any]:
    return {"version": VERSION, "type": "widget", **widget_body(widget)}


def dashboard_file(dashboard: Dashboard) -> dict[str, Any]:
    return {
        "version": VERSION,
        "type": "dashboard",
        "name": dashboard.name,
        "description": dashboard.description,
        "filters": dashboard.filters,
        "definition": {"widgets": [placed_chart(one) for one in placements_of([dashboard])[dashboard.pk]]},
    }


def board_file(board: Board) -> dict[str, Any]:
    """With its charts whole: built-in ones cannot be changed."""
    charts = [{**asdict(place), "widget": _whole(PRESETS[place.preset])} for place in board.places]
    return {"name": str(board.name), "description": str(board.description), "definition": {"widgets": charts}}


def _whole(preset: Preset) -> dict[str, Any]:
    return {**preset.body, "name": str(preset.name), "description": str(preset.description)}


def placed_chart(one: Placement) -> dict[str, Any]:
    place = {"x": one.x, "y": one.y, "width": one.width, "height": one.height}
    if one.widget is None:
        return {"type": "preset", "presetId": one.preset, **place}
    return {"type": "widget", "widget": widget_body(one.widget), **place}


# --- Read ------------------------------------------------------------------------------------------------
def read_file(text: str | bytes) -> DashboardFile | WidgetFile:
    """What a file holds, all of it checked. Raises Invalid, whose issues name every mistake by its path."""
    if len(text) > LARGEST_BYTES:
        raise Invalid(_("That is more than a dashboard can be."))
    try:
        body = orjson.loads(text)
    except ValueError as error:
        raise Invalid(_("This is not JSON: %(problem)s.") % {"problem": str(error)}) from None
    from_json(text.encode() if isinstance(text, str) else text)  # PostgreSQL keeps no U+0000
    if not isinstance(body, dict):
        raise Invalid(_("A dashboard or a chart is a JSON object, and this is something else."))
    is_widget = _is_widget(body)
    try:
        found = WidgetFile.model_validate(body) if is_widget else DashboardFile.model_validate(body)
    except ValidationError as error:
        raise Invalid(_("This cannot be imported."), issues_of(error)) from None
    issues = _meaning((), found) if isinstance(found, WidgetFile) else _of_dashboard(found)
    if issues:
        raise Invalid(_("This cannot be imported."), issues)
    return found


def _is_widget(body: dict[str, Any]) -> bool:
    """What an API answered has no type, and is told by what it has."""
    return body.get("type") == "widget" or ("type" not in body and "metrics" in body and "definition" not in body)


def _of_dashboard(found: DashboardFile) -> Issues:
    issues = filter_issues(found.filters)
    for at, one in enumerate(found.definition.widgets):
        path = ("definition", "widgets", at)
        if one.type == "preset" and one.presetId not in PRESETS:
            issues.append(issue((*path, "presetId"), _("There is no such built-in chart.")))
        elif one.type == "widget" and one.widget is None:
            issues.append(issue((*path, "widget"), _("The chart is missing.")))
        elif one.type == "widget" and one.widget is not None:
            issues += _meaning((*path, "widget"), one.widget)
        if (one.x or 0) + (one.width or 0) > GRID_WIDTH:
            issues.append(issue((*path, "width"), _("It reaches beyond the last column.")))
    return issues


def _meaning(path: Sequence[str | int], widget: GivenWidget) -> Issues:
    """What is wrong with what a chart asks for."""
    try:
        definition_of(widget)
    except Invalid as error:
        if error.issues:
            return [{**one, "path": [*path, *_path(one)]} for one in error.issues]
        return [issue(path, error.message)]
    return []


def filter_issues(items: Sequence[dict[str, Any]]) -> Issues:
    """What is wrong with a dashboard's filters: each must fit a column of some view, or no chart could take it."""
    columns = {name: column for view in VIEWS.values() for name, column in view.filter_columns.items()}
    issues: Issues = []
    for at, item in enumerate(items):
        if not isinstance(item.get("column"), str) or item["column"] not in columns:
            issues.append(issue(("filters", at, "column"), _("No view has such a column.")))
            continue
        try:
            filters.parse_items([item], columns)
        except Invalid as error:
            found = error.issues or [issue((), error.message)]
            issues += [issue(("filters", at, *_path(one)[1:]), str(one["message"])) for one in found]
    return issues


def _path(issue: dict[str, Any]) -> list[str | int]:
    return list(issue.get("path") or ())
