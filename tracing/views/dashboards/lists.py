"""The dashboards and charts of a project: listed, made, copied, imported, deleted, and chosen as its home."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.audit import Actor
from accounts.models import User
from accounts.roles import Role
from accounts.views.answers import see_other
from config.errors import Invalid
from config.posting import posted_from
from config.rendering import render_page
from tracing.actions import dashboards as actions
from tracing.forms import text_from
from tracing.models import Dashboard, Widget
from tracing.models.dashboards import LONGEST_DASHBOARD_NAME
from tracing.queries.dashboards import rows
from tracing.queries.dashboards.files import LARGEST_BYTES, DashboardFile, WidgetFile, dashboard_file, read_file
from tracing.queries.dashboards.presets import BOARDS, HOME, Board
from tracing.queries.paging import PageNumber
from tracing.views.dashboards.returning import back_from
from tracing.views.dashboards.widget_drafts import chart_words
from tracing.views.dashboards.widgets import file_answer
from tracing.views.dashboards.words import VIEWS

_PAGE_SIZE, _MOST_PAGES = 50, 10_000


@dataclass(frozen=True, slots=True)
class BoardRow:
    """A built-in dashboard in the list."""

    board: Board
    url: str
    is_home: bool


@dataclass(frozen=True, slots=True)
class ChartRow:
    """A widget in the list, in words."""

    widget: Widget
    kind: str
    view: str
    by: str


@require_safe
@project_page(Role.VIEWER)
def dashboard_list(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """Built-in dashboards and the project's own; with `tab=charts` the charts they are made of."""
    words, number = text_from(request.GET, "q"), PageNumber(_page(request.GET), _PAGE_SIZE)
    is_charts = request.GET.get("tab") == "charts"
    home = rows.home_dashboard(scope)
    context: dict[str, Any] = {
        "scope": scope,
        "words": words,
        "is_charts": is_charts,
        "home": home,
        "may_edit": scope.role.allows(Role.MEMBER),
        "longest_name": LONGEST_DASHBOARD_NAME,
        "previous_page": number.page - 1,
        "next_page": number.page + 1,
    }
    if is_charts:
        found = rows.list_widgets(scope, number, words=words)
        context |= {"found": found, "charts": [_chart_row(one) for one in found.items]}
    else:
        boards = [one for one in BOARDS.values() if words.lower() in str(one.name).lower()]
        mine = rows.list_dashboards(scope, number, words=words)
        context |= {
            "found": mine,
            "boards": [BoardRow(one, _board_url(scope, one), one.id == HOME and home is None) for one in boards],
            "dashboards": [(one, name_of(one.author)) for one in mine.items],
        }
    return render_page(request, "tracing/dashboard_list.html", context, fragment="dashboards")


@posted_from("tracing:dashboard-list")
@project_page(Role.MEMBER)
def dashboard_create(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    name = text_from(request.POST, "name")[:LONGEST_DASHBOARD_NAME] or _("New dashboard")
    try:
        made = actions.create_dashboard(scope, name=name, actor=Actor.of(request))
    except Invalid as refusal:
        messages.error(request, refusal.message)
        return see_other(_list_url(scope))
    return see_other(edit_url(scope, made))


@posted_from("tracing:dashboard-list")
@project_page(Role.MEMBER)
def dashboard_copy(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """Of one of the project's own (`dashboard`), or of a built-in one (`board`)."""
    actor = Actor.of(request)
    try:
        if request.POST.get("board"):
            made = actions.copy_board(scope, request.POST["board"], actor=actor)
        else:
            source = rows.get_dashboard(scope, _id(request.POST, "dashboard"))
            name = _("%(name)s, copy") % {"name": source.name[: LONGEST_DASHBOARD_NAME - 20]}
            made = actions.copy_dashboard(scope, source.pk, name=name, actor=actor)
    except Invalid as refusal:
        messages.error(request, refusal.message)
        return see_other(_list_url(scope))
    messages.success(request, _("“%(name)s” is yours to change.") % {"name": made.name})
    return see_other(edit_url(scope, made))


@posted_from("tracing:dashboard-list")
@project_page(Role.MEMBER)
def dashboard_choose_home(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """The project opens with `dashboard`; without one, with the built-in home."""
    actions.set_home(scope, _id(request.POST, "dashboard") or None, actor=Actor.of(request))
    messages.success(request, _("That is what the project opens with now."))
    return see_other(back_from(request.POST) or _list_url(scope))


@posted_from("tracing:dashboard-list")
@project_page(Role.MEMBER)
def dashboard_delete(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """Asks first, unless the form says that it did."""
    dashboard = rows.get_dashboard(scope, _id(request.POST, "dashboard"))
    if request.POST.get("confirmed") != "1":
        charts = {one.widget_id for one in dashboard.placements.all() if one.widget_id}
        context = {
            "scope": scope,
            "dashboard": dashboard,
            "charts": charts,
            "only_here": rows.charts_only_on(dashboard),
            "back": back_from(request.POST) or _list_url(scope),
        }
        return render_page(request, "tracing/dashboard_delete.html", context)
    # Those that the question was about: others may stand there by now.
    agreed: list[str] = request.POST.getlist("chart") if request.POST.get("with_charts") == "1" else []
    actions.delete_dashboard(scope, dashboard.pk, charts=agreed, actor=Actor.of(request))
    messages.success(request, _("The dashboard “%(name)s” is deleted.") % {"name": dashboard.name})
    return see_other(_list_url(scope))


# --- Files -----------------------------------------------------------------------------------------------
@require_safe
@project_page(Role.VIEWER)
def dashboard_export(request: HttpRequest, scope: ProjectScope, dashboard_id: str) -> HttpResponse:
    dashboard = rows.get_dashboard(scope, dashboard_id)
    return file_answer(dashboard_file(dashboard), dashboard.name, "dashboard")


@require_safe
@project_page(Role.MEMBER)
def dashboard_import(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """A file or pasted text. With `dashboard`, a chart goes on that one."""
    return _import_form(request, scope, request.GET)


@posted_from("tracing:dashboard-import")
@project_page(Role.MEMBER)
def dashboard_import_do(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    target, text = _id(request.POST, "dashboard"), request.POST.get("text", "")
    upload = request.FILES.get("file")
    given: str | bytes = upload.read(LARGEST_BYTES + 1) if upload else text
    try:
        if not given.strip():
            raise Invalid(_("Choose a file, or paste what is in one."))
        return see_other(_imported(request, scope, read_file(given), target))
    except Invalid as refusal:
        return _import_form(request, scope, request.POST, text=_shown(given), refusal=refusal)


def _imported(request: HttpRequest, scope: ProjectScope, found: DashboardFile | WidgetFile, target: str) -> str:
    actor = Actor.of(request)
    if isinstance(found, DashboardFile):
        made = actions.import_dashboard(scope, found, actor=actor)
        messages.success(request, _("“%(name)s” is imported.") % {"name": made.name})
        return reverse("tracing:dashboard-detail", args=[scope.project_id, made.pk])
    if target:
        actions.place_widget(scope, target, found, actor=actor)
        messages.success(request, _("“%(name)s” is imported, below all others.") % {"name": found.name})
        return back_from(request.POST) or edit_url(scope, rows.get_dashboard(scope, target))
    actions.create_widget(scope, found, actor=actor)
    messages.success(request, _("The chart “%(name)s” is imported. Place it on a dashboard.") % {"name": found.name})
    return f"{_list_url(scope)}?tab=charts"


def _shown(given: str | bytes) -> str:
    """What was sent, to be mended where it stands."""
    text = given if isinstance(given, str) else given.decode(errors="replace")
    return text if len(text) <= LARGEST_BYTES else ""


def _import_form(
    request: HttpRequest, scope: ProjectScope, query: QueryDict, *, text: str = "", refusal: Invalid | None = None
) -> HttpResponse:
    target, back = _id(query, "dashboard"), back_from(query)
    dashboard = rows.get_dashboard(scope, target) if target else None
    issues: Any = (refusal.issues if refusal else None) or ()
    context = {
        "scope": scope,
        "dashboard": dashboard,
        "next": back,
        "back": back or (edit_url(scope, dashboard) if dashboard else _list_url(scope)),
        "text": text,
        "problem": refusal.message if refusal else "",
        "issues": [(path_words(one.get("path") or ()), one["message"]) for one in issues],
    }
    return render_page(request, "tracing/dashboard_import.html", context, status=422 if refusal else 200)


def path_words(path: Any) -> str:
    """As it would be written in JavaScript: `definition.widgets[3].widget.view`."""
    said = ""
    for part in path:
        said += f"[{part}]" if isinstance(part, int) else f".{part}" if said else str(part)
    return said


# --- Parts -----------------------------------------------------------------------------------------------
def edit_url(scope: ProjectScope, dashboard: Dashboard) -> str:
    return reverse("tracing:dashboard-edit", args=[scope.project_id, dashboard.pk])


def name_of(person: User | None) -> str:
    """Of somebody who has left, and of what a key made, there is none."""
    return str(person.name or person.email) if person else ""


def _chart_row(widget: Widget) -> ChartRow:
    view = str(VIEWS.get(widget.view, widget.view))
    return ChartRow(widget, chart_words(widget.chart_type), view, name_of(widget.author))


def _list_url(scope: ProjectScope) -> str:
    return reverse("tracing:dashboard-list", args=[scope.project_id])


def _board_url(scope: ProjectScope, board: Board) -> str:
    return reverse("tracing:dashboard-board", args=[scope.project_id, board.id])


def _id(query: QueryDict, name: str) -> str:
    return query.get(name, "").replace("\x00", "")


def _page(query: QueryDict) -> int:
    page = query.get("page", "")
    is_number = page.isascii() and page.isdigit() and len(page) < 6
    return min(max(1, int(page)), _MOST_PAGES) if is_number else 1
