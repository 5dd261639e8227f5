"""The lists of sessions and of users: groups of traces under the query bar of the explorer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, cached_property
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.roles import Role
from config.errors import SpanwiseError, TooExpensive, Unavailable
from config.rendering import render_page
from tracing.forms import wanted_from
from tracing.queries import explorer, groups
from tracing.queries.explorer.nouns import Noun
from tracing.queries.explorer.wanted import Wanted
from tracing.queries.groups import Group, GroupPage
from tracing.queries.periods import Period
from tracing.views import bars
from tracing.views.environments import in_environments
from tracing.views.lists import pills
from tracing.views.lists.suggesting import suggested
from tracing.views.ranges import range_labels
from tracing.views.session import one_line

_TEMPLATES = {Noun.SESSIONS: "tracing/session_list.html", Noun.USERS: "tracing/user_list.html"}
PARTS = ("results", "suggestions")
_BESIDE_RESULTS = {"results": "tracing/_group_beside.html"}
#: A score that many sessions have is worth a column of the list; more do not fit beside the words.
_SCORE_COLUMNS = 3


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
        ("", gettext_lazy("Tags"), "c-tags"),
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
        ("first", gettext_lazy("First seen"), "c-time c-first"),
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


class GroupList:
    """What the template shows. A part asks only for what it shows."""

    def __init__(self, request: HttpRequest, scope: ProjectScope, noun: Noun) -> None:
        self._query, self._scope = request.GET, scope
        self.wanted = wanted_from(request.GET, noun)

    @cached_property
    def _read(self) -> tuple[GroupPage, SpanwiseError | None]:
        try:
            return groups.list_groups(self._scope, self.wanted), None
        except (TooExpensive, Unavailable) as error:
            return GroupPage([]), error  # the query stays, so that it can be changed

    @property
    def page(self) -> GroupPage:
        return self._read[0]

    @property
    def problem(self) -> SpanwiseError | None:
        return self._read[1]

    @cached_property
    def _trends(self) -> dict[str, str]:
        if self.wanted.noun is not Noun.USERS:
            return {}
        try:
            return _trends(self._scope, self.wanted.period, self.page.rows)
        except (TooExpensive, Unavailable):
            return {}  # small lines are an aid: the list stands without them

    @cached_property
    def rows(self) -> list[ShownGroup]:
        return [ShownGroup(row, self._trends.get(row.id, "")) for row in self.page.rows]

    @cached_property
    def score_names(self) -> list[str]:
        return _common_scores(self.page.rows)

    @property
    def headings(self) -> list[Heading]:
        return _headings(self._query, self.wanted)

    @cached_property
    def bar(self) -> pills.Bar:
        return pills.bar(self.wanted.query, self._query)

    def suggestions(self) -> explorer.Completion:
        return suggested(self._scope, self.wanted, self._query, groups.observed_values)


def _list(request: HttpRequest, scope: ProjectScope, noun: Noun) -> HttpResponse:
    shown = GroupList(request, scope, noun)
    htmx = getattr(request, "htmx", None)
    is_only_part = getattr(htmx, "target", "") == "suggestions"
    problem = None if is_only_part else shown.problem
    context = {
        "scope": scope,
        "list": shown,
        "wanted": shown.wanted,
        "problem": problem,
        "period": shown.wanted.period,
        "ranges": range_labels(),
        "suggestions": cache(shown.suggestions),
        "may_act": scope.role.allows(Role.MEMBER),
    }
    if not is_only_part:
        context |= {"page": shown.page, "rows": shown.rows, "headings": shown.headings,
                    "score_names": shown.score_names}  # fmt: skip
    status = problem.status if problem else 200
    return render_page(request, _TEMPLATES[noun], context, fragment=PARTS, status=status, beside=_BESIDE_RESULTS)


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
