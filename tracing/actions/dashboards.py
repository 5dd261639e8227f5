"""Making and changing dashboards and their charts. Members may; the log of changes has each of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Max
from django.db.models.deletion import RestrictedError
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.access import ProjectScope
from accounts.audit import Actor, record
from accounts.models import Project
from accounts.roles import Role
from config.errors import Conflict, Invalid, NotFound
from tracing.models.dashboards import GRID_WIDTH, LONGEST_DASHBOARD_NAME, Dashboard, Placement, Widget, new_id
from tracing.queries.dashboards import rows
from tracing.queries.dashboards.definition import LONGEST_DESCRIPTION, GivenWidget
from tracing.queries.dashboards.files import DashboardFile, PlacedChart, board_file, dashboard_file, placed_chart
from tracing.queries.dashboards.layout import GivenPlacement, below
from tracing.queries.dashboards.presets import BOARDS, PRESETS

#: More charts than a page can show, and more dashboards than a project can use.
MOST_CHARTS = 100
MOST_DASHBOARDS = 1000
_USUAL_SIZE = (6, 5)


# --- Widgets ---------------------------------------------------------------------------------------------
def create_widget(scope: ProjectScope, given: GivenWidget, *, actor: Actor) -> Widget:
    scope.require(Role.MEMBER)
    widget = Widget(project_id=scope.project_id, author_id=scope.user_id or None, **_fields(given))
    with transaction.atomic():
        widget.save()
        record(actor, "widget.create", widget, after=rows.widget_body(widget))
    return widget


def update_widget(
    scope: ProjectScope, widget_id: str, given: GivenWidget, *, based_on: datetime | None = None, actor: Actor
) -> Widget:
    """All of it is written. Raises NotFound, and Conflict when it was changed after the time `based_on`."""
    scope.require(Role.MEMBER)
    with transaction.atomic():
        # Whoever else changes it waits for this first write.
        Widget.objects.filter(pk=widget_id, project_id=scope.project_id).update(author_id=F("author_id"))
        widget = rows.get_widget(scope, widget_id)
        if based_on is not None and widget.updated_at != based_on:
            raise Conflict(_("Somebody else has changed this chart meanwhile."))
        before = rows.widget_body(widget)
        for name, value in _fields(given).items():
            setattr(widget, name, value)
        widget.save()
        record(actor, "widget.update", widget, before=before, after=rows.widget_body(widget))
    return widget


def delete_widget(scope: ProjectScope, widget_id: str, *, actor: Actor) -> None:
    """Raises NotFound, and Conflict for one that stands on a dashboard."""
    scope.require(Role.MEMBER)
    try:
        with transaction.atomic():
            # Who places it at this moment comes before, and is seen, or after, and finds it gone.
            widget = rows.get_widget(scope, widget_id, is_locked=True)
            record(actor, "widget.delete", widget, before=rows.widget_body(widget))
            widget.delete()
    except RestrictedError as error:
        raise Conflict(_("This chart stands on a dashboard. Take it from there first.")) from error


def _fields(given: GivenWidget) -> dict[str, Any]:
    body = given.model_dump(mode="json", exclude_none=True)
    return {
        "name": given.name,
        "description": given.description,
        "view": given.view,
        "dimensions": body["dimensions"],
        "metrics": body["metrics"],
        "filters": body["filters"],
        "chart_type": given.chartType.value,
        "chart_config": {**body["chartConfig"], "type": given.chartType.value},
    }


# --- Dashboards ------------------------------------------------------------------------------------------
def create_dashboard(
    scope: ProjectScope,
    *,
    name: str,
    description: str = "",
    filters: Sequence[Any] = (),
    placements: Sequence[GivenPlacement] = (),
    actor: Actor,
) -> Dashboard:
    """Raises Invalid, and NotFound for a placement of a widget that is not there."""
    scope.require(Role.MEMBER)
    _check_text(name, description)
    if Dashboard.objects.filter(project_id=scope.project_id).count() >= MOST_DASHBOARDS:
        raise Invalid(_("A project has at most %(most)d dashboards.") % {"most": MOST_DASHBOARDS})
    dashboard = Dashboard(
        project_id=scope.project_id, name=name, description=description, filters=list(filters),
        author_id=scope.user_id or None,
    )  # fmt: skip
    with transaction.atomic():
        dashboard.save()
        _place(scope, dashboard, placements)
        record(actor, "dashboard.create", dashboard, after=said(dashboard))
    return dashboard


def update_dashboard(
    scope: ProjectScope,
    dashboard_id: str,
    *,
    name: str | None = None,
    description: str | None = None,
    filters: Sequence[Any] | None = None,
    placements: Sequence[GivenPlacement] | None = None,
    revision: int | None = None,
    actor: Actor,
) -> Dashboard:
    """Changes what is given; `placements` replace all. With `revision` only if nobody changed it since: Conflict."""
    with _changed(scope, dashboard_id, actor, revision) as dashboard:
        dashboard.name = dashboard.name if name is None else name
        dashboard.description = dashboard.description if description is None else description
        dashboard.filters = dashboard.filters if filters is None else list(filters)
        _check_text(dashboard.name, dashboard.description)
        if placements is not None:
            dashboard.placements.all().delete()
            _place(scope, dashboard, placements)
    return dashboard


def delete_dashboard(scope: ProjectScope, dashboard_id: str, *, charts: Collection[str] = (), actor: Actor) -> None:
    """Its widgets stay, as they can be placed again, but for these `charts`, where they stand on no other dashboard."""
    scope.require(Role.MEMBER)
    with transaction.atomic():
        # Who places a chart on it at this moment comes before or after.
        dashboard = rows.get_dashboard(scope, dashboard_id, is_locked=True)
        widgets = [one for one in rows.charts_only_on(dashboard) if one.pk in charts] if charts else []
        record(actor, "dashboard.delete", dashboard, before=said(dashboard))
        dashboard.delete()
        for widget in widgets:
            with suppress(Conflict, NotFound):  # placed elsewhere meanwhile, or deleted
                delete_widget(scope, widget.pk, actor=actor)


def copy_dashboard(scope: ProjectScope, dashboard_id: str, *, name: str, actor: Actor) -> Dashboard:
    """With copies of its widgets, so that changing one changes nothing elsewhere."""
    found = DashboardFile.model_validate(dashboard_file(rows.get_dashboard(scope, dashboard_id)))
    return import_dashboard(scope, found.model_copy(update={"name": name}), actor=actor)


def copy_board(scope: ProjectScope, board_id: str, *, actor: Actor) -> Dashboard:
    """A built-in dashboard as one's own, with its charts as widgets that can be changed. Raises NotFound."""
    if board_id not in BOARDS:
        raise NotFound("There is no such built-in dashboard.")
    return import_dashboard(scope, DashboardFile.model_validate(board_file(BOARDS[board_id])), actor=actor)


def set_home(scope: ProjectScope, dashboard_id: str | None, *, actor: Actor) -> None:
    """What the project opens with; None for the built-in home."""
    scope.require(Role.MEMBER)
    chosen = rows.get_dashboard(scope, dashboard_id) if dashboard_id else None
    with transaction.atomic():
        # Who chooses at the same moment waits: a project has one home.
        project = Project.objects.select_for_update().get(pk=scope.project_id)
        Dashboard.objects.filter(project_id=scope.project_id, is_home=True).update(is_home=False)
        if chosen is not None:
            Dashboard.objects.filter(pk=chosen.pk).update(is_home=True)
        record(actor, "dashboard.home", chosen or project, after={"name": chosen.name if chosen else ""})


# --- Placements ------------------------------------------------------------------------------------------
def add_placement(scope: ProjectScope, dashboard_id: str, given: GivenPlacement, *, actor: Actor) -> Placement:
    """Below everything, in the usual size, where it is not said. Raises NotFound and Conflict for a name that is
    taken."""
    with _changed(scope, dashboard_id, actor) as dashboard:
        return _place(scope, dashboard, [given])[0]


def move_placement(
    scope: ProjectScope, dashboard_id: str, name: str, changes: Mapping[str, int], *, actor: Actor
) -> Placement:
    with _changed(scope, dashboard_id, actor) as dashboard:
        placement = _placement(dashboard, name)
        for field, value in changes.items():
            setattr(placement, field, value)
        if placement.x + placement.width > GRID_WIDTH:
            raise Invalid(_too_wide())
        placement.save()
    return placement


def remove_placement(scope: ProjectScope, dashboard_id: str, name: str, *, actor: Actor) -> None:
    with _changed(scope, dashboard_id, actor) as dashboard:
        _placement(dashboard, name).delete()


def place_widget(
    scope: ProjectScope, dashboard_id: str, given: GivenWidget, *, instead_of: str = "", actor: Actor
) -> Widget:
    """Makes a chart and puts it on a dashboard: below everything, or where another one stands. Raises NotFound."""
    with _changed(scope, dashboard_id, actor) as dashboard:
        widget = create_widget(scope, given, actor=actor)
        if instead_of:
            placement = _placement(dashboard, instead_of)
            placement.widget, placement.preset = widget, ""
            placement.save(update_fields=["widget", "preset"])
        else:
            _place(scope, dashboard, [GivenPlacement(widgetId=widget.pk)])
    return widget


def copy_placement(scope: ProjectScope, dashboard_id: str, name: str, *, to: str, actor: Actor) -> None:
    """The chart below everything on another dashboard, as a widget of its own. Raises NotFound."""
    source = _placement(rows.get_dashboard(scope, dashboard_id), name)
    placed = PlacedChart.model_validate(placed_chart(source)).model_copy(update={"x": None, "y": None})
    with _changed(scope, to, actor) as dashboard:
        _place(scope, dashboard, [_imported(scope, placed, actor)])


# --- Files -----------------------------------------------------------------------------------------------
def import_dashboard(scope: ProjectScope, found: DashboardFile, *, actor: Actor) -> Dashboard:
    """With its charts as new widgets; all of it or nothing."""
    with transaction.atomic():
        return create_dashboard(
            scope,
            name=found.name,
            description=found.description,
            filters=found.filters,
            placements=[_imported(scope, one, actor) for one in found.definition.widgets],
            actor=actor,
        )


def _imported(scope: ProjectScope, one: PlacedChart, actor: Actor) -> GivenPlacement:
    place: dict[str, Any] = {"x": one.x, "y": one.y, "width": one.width, "height": one.height}
    if one.widget is None:
        return GivenPlacement(type="preset", presetId=one.presetId, **place)
    return GivenPlacement(widgetId=create_widget(scope, one.widget, actor=actor).pk, **place)


def said(dashboard: Dashboard) -> dict[str, Any]:
    """For the log of changes."""
    return {
        "name": dashboard.name,
        "description": dashboard.description,
        "filters": dashboard.filters,
        "charts": [
            {"id": one.name, "chart": one.widget_id or one.preset, "at": [one.x, one.y, one.width, one.height]}
            for one in dashboard.placements.all()
        ],
    }


@contextmanager
def _changed(scope: ProjectScope, dashboard_id: str, actor: Actor, revision: int | None = None) -> Iterator[Dashboard]:
    """A dashboard while it is changed: whoever else changes it waits, its revision rises, and the log has it."""
    scope.require(Role.MEMBER)
    with transaction.atomic():
        mine = Dashboard.objects.filter(pk=dashboard_id, project_id=scope.project_id)
        fits = mine if revision is None else mine.filter(revision=revision)
        # This comes first: it is what makes others wait.
        found = fits.update(revision=F("revision") + 1, updated_at=timezone.now())
        dashboard = rows.get_dashboard(scope, dashboard_id)
        if not found:
            raise Conflict(_("Somebody else has changed this dashboard meanwhile. Load it again."))
        before = said(dashboard)
        yield dashboard
        dashboard.save()
        record(actor, "dashboard.update", dashboard, before=before, after=said(dashboard))


def _place(scope: ProjectScope, dashboard: Dashboard, given: Sequence[GivenPlacement]) -> list[Placement]:
    taken = {one.name for one in dashboard.placements.all()}
    names = [one.id or new_id() for one in given]
    if len(taken) + len(given) > MOST_CHARTS:
        raise Invalid(_("A dashboard has at most %(most)d charts.") % {"most": MOST_CHARTS})
    if len({*names, *taken}) < len(names) + len(taken):
        raise Conflict(_("Two placements of a dashboard cannot have the same id."))
    _check_charts(scope, given)
    bottom = dashboard.placements.aggregate(y=Max(F("y") + F("height")))["y"] or 0
    places = below(given, bottom, _USUAL_SIZE)
    if any(place.x + place.width > GRID_WIDTH for place in places):
        raise Invalid(_too_wide())
    placements = [
        Placement(
            dashboard=dashboard, name=name, widget_id=one.widgetId or None, preset=one.presetId or "",
            x=at.x, y=at.y, width=at.width, height=at.height,
        )
        for name, one, at in zip(names, given, places, strict=True)
    ]  # fmt: skip
    try:
        with transaction.atomic():
            return Placement.objects.bulk_create(placements)
    except IntegrityError as error:
        raise Conflict(_("Two placements of a dashboard cannot have the same id.")) from error


def _check_charts(scope: ProjectScope, given: Sequence[GivenPlacement]) -> None:
    """Raises NotFound and Invalid. Until the end of the transaction nobody deletes the widgets."""
    wanted = {one.widgetId for one in given if one.widgetId}
    widgets = Widget.objects.filter(project_id=scope.project_id, pk__in=wanted).order_by("pk")
    known = set(widgets.select_for_update(no_key=True).values_list("pk", flat=True))
    if missing := wanted - known:
        raise NotFound(f"Dashboard widget {min(missing)} not found within authorized project")
    if unknown := {one.presetId for one in given if one.presetId} - {*PRESETS}:
        raise Invalid(f"Unknown preset {min(unknown)}. Must be one of {', '.join(PRESETS)}")


def _placement(dashboard: Dashboard, name: str) -> Placement:
    found = dashboard.placements.select_related("widget").filter(name=name).first()
    if found is None:
        raise NotFound("Placement not found on this dashboard")
    return found


def _check_text(name: str, description: str) -> None:
    if not name.strip() or len(name) > LONGEST_DASHBOARD_NAME:
        raise Invalid(_("A dashboard's name has 1 to %(most)d characters.") % {"most": LONGEST_DASHBOARD_NAME})
    if len(description) > LONGEST_DESCRIPTION:
        raise Invalid(_("A description has at most %(most)d characters.") % {"most": LONGEST_DESCRIPTION})


def _too_wide() -> str:
    return _("A chart does not fit: the grid has %(width)d columns.") % {"width": GRID_WIDTH}
