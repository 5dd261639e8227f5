"""The page of one user, with totals, trend, traces, sessions and scores."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.roles import Role
from config.errors import TooExpensive, Unavailable
from config.rendering import render_page
from tracing.forms import cursor_from, period_from
from tracing.queries import explorer, groups, people
from tracing.queries.explorer import Noun, Wanted, exactly, write_term
from tracing.queries.groups import Group
from tracing.queries.periods import Period
from tracing.views import bars
from tracing.views.group_lists import ShownGroup
from tracing.views.ranges import range_labels

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
    def traces(self) -> explorer.Page:
        return explorer.list_page(self.scope, self._wanted(Noun.TRACES))

    @cached_property
    def sessions(self) -> groups.GroupPage:
        return groups.list_groups(self.scope, self._wanted(Noun.SESSIONS))

    def _wanted(self, noun: Noun) -> Wanted:
        return Wanted(noun, exactly("user", self.id, noun), self.period, before=self._query.get("before", ""))

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
