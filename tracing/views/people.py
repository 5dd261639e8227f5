"""Sessions and users: their lists, and a user with totals, trend, traces, sessions and scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.roles import Role
from config.errors import TooExpensive, Unavailable
from config.rendering import render_page
from tracing.forms import cursor_from, period_from, text_from
from tracing.queries import groups, pages, people
from tracing.queries.explorer import write_term
from tracing.queries.explorer.language import parse
from tracing.queries.explorer.nouns import Noun
from tracing.queries.explorer.wanted import Sort, Wanted
from tracing.queries.groups import Group
from tracing.queries.pages import TraceFilters
from tracing.queries.periods import Period
from tracing.views import bars
from tracing.views.environments import environments_from, in_environments
from tracing.views.ranges import range_labels
from tracing.views.session import one_line

_TEMPLATES = {Noun.SESSIONS: "tracing/session_list.html", Noun.USERS: "tracing/user_list.html"}
_BESIDE_RESULTS = {"results": "tracing/_group_beside.html"}
#: A score that many sessions have is worth a column of the list; more do not fit beside the words.
_SCORE_COLUMNS = 2


@dataclass(frozen=True, slots=True)
class Heading:
    """A column's head: where it leads to sort by it, and whether it does."""

    name: str
    label: Any
    css: str
    url: str = ""
    #: descending or ascending, for `aria-sort`; empty where the list is not sorted by it
    order: str = ""


_HEADINGS: dict[Noun, tuple[tuple[str, Any, str], ...]] = {
    Noun.SESSIONS: (
        ("time", gettext_lazy("Last"), "c-time"),
        ("", gettext_lazy("Session"), "c-id"),
        ("", gettext_lazy("First input"), ""),
        ("", gettext_lazy("Last output"), ""),
        ("", gettext_lazy("User"), "c-people"),
        ("turns", gettext_lazy("Turns"), "c-number end"),
        ("duration", gettext_lazy("Duration"), "c-latency end"),
        ("errors", gettext_lazy("Errors"), "c-number end"),
        ("tokens", gettext_lazy("Tokens"), "c-tokens end"),
        ("cost", gettext_lazy("Cost"), "c-cost end"),
    ),
    Noun.USERS: (
        ("time", gettext_lazy("Last seen"), "c-time"),
        ("", gettext_lazy("User"), "c-id"),
        ("", gettext_lazy("Trend"), "c-trend"),
        ("", gettext_lazy("Environment"), "c-env"),
        ("first", gettext_lazy("First seen"), "c-time"),
        ("traces", gettext_lazy("Traces"), "c-number end"),
        ("sessions", gettext_lazy("Sessions"), "c-number end"),
        ("errors", gettext_lazy("Errors"), "c-number end"),
        ("tokens", gettext_lazy("Tokens"), "c-tokens end"),
        ("cost", gettext_lazy("Cost"), "c-cost end"),
    ),
}


@require_safe
@project_page(Role.VIEWER)
@in_environments
def session_list(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    return _list(request, scope, Noun.SESSIONS)


@require_safe
@project_page(Role.VIEWER)
@in_environments
def user_list(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    return _list(request, scope, Noun.USERS)


def _list(request: HttpRequest, scope: ProjectScope, noun: Noun) -> HttpResponse:
    wanted = _wanted(request.GET, noun)
    page, problem, trends = None, None, {}
    try:
        page = groups.list_groups(scope, wanted)
        if noun is Noun.USERS:
            trends = _trends(scope, wanted.period, page.rows)
    except (TooExpensive, Unavailable) as error:
        problem = error
    rows = [ShownGroup(row, trends.get(row.id, "")) for row in page.rows] if page else []
    context = {
        "scope": scope,
        "wanted": wanted,
        "page": page,
        "rows": rows,
        "score_names": _common_scores(page.rows if page else []),
        "headings": _headings(request.GET, wanted),
        "problem": problem,
        "period": wanted.period,
        "ranges": range_labels(),
    }
    status = problem.status if problem else 200
    return render_page(request, _TEMPLATES[noun], context, fragment="results", status=status, beside=_BESIDE_RESULTS)


def _wanted(query: QueryDict, noun: Noun) -> Wanted:
    return Wanted(
        noun,
        parse(text_from(query, "q"), noun),
        period_from(query),
        environments_from(query),
        Sort.parse(query.get("sort", "-time")),
        query.get("before", ""),
    )


@dataclass(frozen=True)
class ShownGroup:
    """A row. `trend` is a path of an SVG."""

    group: Group
    trend: str = ""

    @cached_property
    def first_input(self) -> str:
        return one_line(self.group.first_input)

    @cached_property
    def last_output(self) -> str:
        return one_line(self.group.last_output, default_role="assistant")


def _common_scores(rows: Sequence[Group]) -> list[str]:
    counts: dict[str, int] = {}
    for row in rows:
        for name in row.scores:
            counts[name] = counts.get(name, 0) + 1
    return sorted(counts, key=lambda name: (-counts[name], name))[:_SCORE_COLUMNS]


def _headings(query: QueryDict, wanted: Wanted) -> list[Heading]:
    sort = groups.sort_of(wanted)
    headings = []
    for name, label, css in _HEADINGS[wanted.noun]:
        order = ("descending" if sort.is_descending else "ascending") if name and sort.field == name else ""
        headings.append(Heading(name, label, css, _sorted_by(query, name, order) if name else "", order))
    return headings


def _sorted_by(query: QueryDict, name: str, order: str) -> str:
    """The most of it first; the least when it is so already."""
    changed = query.copy()
    changed.pop("before", None)
    changed["sort"] = name if order == "descending" else f"-{name}"
    return f"?{changed.urlencode()}"


def _trends(scope: ProjectScope, period: Period, rows: Sequence[Group]) -> dict[str, str]:
    since = period.since or min((row.first_at for row in rows), default=datetime.now(UTC))
    until = period.until or datetime.now(UTC)
    step, unit = bars.step_of(since, until, most=24)
    counted = groups.trends(scope, Noun.USERS, [row.id for row in rows], Period.between(since, until), unit)
    return {key: bars.spark(bars.filled(found, since, until, step)) for key, found in counted.items()}


# --- One user --------------------------------------------------------------------------------------------
TABS = ("traces", "sessions", "scores")


class UserPage:
    """What the page of one user shows, each part read when it is asked for."""

    def __init__(self, request: HttpRequest, scope: ProjectScope, user_id: str) -> None:
        self.scope, self.id, self._query = scope, user_id, request.GET
        self.tab = request.GET.get("tab", "") if request.GET.get("tab", "") in TABS else TABS[0]
        self.period = period_from(request.GET) if {"range", "from", "to"} & request.GET.keys() else Period.named("30d")

    @cached_property
    def user(self) -> Group:
        return groups.get_group(self.scope, Noun.USERS, self.id)

    @cached_property
    def charts(self) -> list[bars.Chart]:
        """Traces (with those that failed) and cost in time."""
        since, until = self.period.since or self.user.first_at, self.period.until or datetime.now(UTC)
        # The time range is in the reader's hours, bars are whole days of the store.
        step, unit = bars.step_of(since, until, most=62)
        counted = groups.trend(self.scope, Noun.USERS, self.id, Period.between(since, until), unit)
        filled = bars.filled(counted, since, until, step)
        return [
            bars.draw(_("Traces"), filled, lambda bucket: bucket.traces, lambda bucket: bucket.errors),
            bars.draw(_("Cost"), filled, lambda bucket: float(bucket.cost)),
        ]

    @cached_property
    def traces(self) -> pages.TracePage:
        filters = TraceFilters(period=self.period, user=self.id, before=cursor_from(self._query))
        return pages.list_trace_page(self.scope, filters)

    @cached_property
    def sessions(self) -> groups.GroupPage:
        wanted = Wanted(
            Noun.SESSIONS,
            parse(write_term("user", self.id), Noun.SESSIONS),
            self.period,
            before=self._query.get("before", ""),
        )
        return groups.list_groups(self.scope, wanted)

    @property
    def session_rows(self) -> list[ShownGroup]:
        return [ShownGroup(row) for row in self.sessions.rows]

    @cached_property
    def scores(self) -> people.ScorePage:
        return people.list_user_scores(self.scope, self.id, period=self.period, before=cursor_from(self._query))

    @property
    def page(self) -> Any:
        return getattr(self, self.tab)

    @property
    def tabs(self) -> list[tuple[str, str, bool]]:
        labels = {"traces": _("Traces"), "sessions": _("Sessions"), "scores": _("Scores")}
        kept = self._query.copy()
        kept.pop("before", None)
        links = []
        for name in TABS:
            kept["tab"] = name
            links.append((labels[name], f"?{kept.urlencode()}", name == self.tab))
        return links

    @property
    def own_query(self) -> str:
        """The lists' query for all that is this user's."""
        return write_term("user", self.id)


@require_safe
@project_page(Role.VIEWER)
def user_detail(request: HttpRequest, scope: ProjectScope, user_id: str) -> HttpResponse:
    shown = UserPage(request, scope, user_id)
    problem = None
    try:
        shown.user, shown.charts, shown.page  # noqa: B018 - read here, where what is too much can be said in place
    except (TooExpensive, Unavailable) as error:
        if "user" not in vars(shown):
            raise
        problem = error
    context = {
        "scope": scope,
        "may_delete": scope.role.allows(Role.MEMBER),
        "shown": shown,
        "person": shown.user,
        "page": None if problem else shown.page,
        "problem": problem,
        "period": shown.period,
        "ranges": range_labels(),
    }
    return render_page(request, "tracing/user_detail.html", context, status=problem.status if problem else 200)
