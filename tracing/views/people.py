"""Sessions and users: lists, a session as a conversation, a user with totals and traces."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.roles import Role
from config.errors import TooExpensive, Unavailable
from config.rendering import render_page
from tracing.forms import cursor_from, period_from, text_from
from tracing.queries import pages, people
from tracing.queries.people import Turn
from tracing.queries.periods import Period
from tracing.views import conversation
from tracing.views.conversation import Message
from tracing.views.traces import RANGE_BESIDE_RESULTS, range_labels

#: a longer pause between two turns is worth a mark
IDLE = timedelta(minutes=5)


@require_safe
@project_page(Role.VIEWER)
def session_list(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    return _list(request, scope, "tracing/session_list.html", people.list_sessions)


@require_safe
@project_page(Role.VIEWER)
def user_list(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    return _list(request, scope, "tracing/user_list.html", people.list_users)


def _list(request: HttpRequest, scope: ProjectScope, template: str, read: object) -> HttpResponse:
    period, text = period_from(request.GET), text_from(request.GET, "q")
    page, problem = None, None
    try:
        page = read(scope, period, text=text, before=cursor_from(request.GET))  # type: ignore[operator]
    except (TooExpensive, Unavailable) as error:
        problem = error
    context = {
        "scope": scope,
        "page": page,
        "problem": problem,
        "period": period,
        "text": text,
        "ranges": range_labels(),
    }
    status = problem.status if problem else 200
    return render_page(request, template, context, fragment="results", status=status, beside=RANGE_BESIDE_RESULTS)


@dataclass(frozen=True)
class ShownTurn:
    """A turn, the pause before it, and what was said in it that was not said before."""

    number: int
    turn: Turn
    idle: timedelta | None

    @cached_property
    def asked(self) -> tuple[Message, ...]:
        """Chat clients send the whole history each time: only what follows the last answer is new."""
        content = conversation.read(self.turn.input)
        if content.kind != "messages":
            return ()
        new: list[Message] = []
        for message in reversed(content.messages):
            if message.role == "assistant" and new:
                break
            if message.role not in ("system", "developer"):
                new.append(message)
        return tuple(reversed(new))

    @cached_property
    def input(self) -> conversation.Content:
        return conversation.read(self.turn.input or self.turn.input_preview)

    @cached_property
    def output(self) -> conversation.Content:
        return conversation.read(self.turn.output or self.turn.output_preview, default_role="assistant")


@require_safe
@project_page(Role.VIEWER)
def session_detail(request: HttpRequest, scope: ProjectScope, session_id: str) -> HttpResponse:
    session = people.get_session(scope, session_id)
    page = people.list_turns(scope, session_id, after=cursor_from(request.GET, "after"))
    context = {
        "scope": scope,
        "session": session,
        "turns": _shown(page.turns, _number(request)),
        "later": page.later,
        "next_number": _number(request) + len(page.turns),
        "scores": people.list_session_scores(scope, session_id),
    }
    return render_page(request, "tracing/session_detail.html", context)


def _number(request: HttpRequest) -> int:
    text = request.GET.get("turn", "")
    return int(text) if text.isdecimal() and len(text) < 8 else 1


def _shown(turns: list[Turn], first: int) -> list[ShownTurn]:
    shown = []
    for index, turn in enumerate(turns):
        gap = None
        if index:
            before = turns[index - 1]
            gap = turn.timestamp - before.timestamp - timedelta(microseconds=before.sums.latency_us or 0)
        shown.append(ShownTurn(first + index, turn, gap if gap and gap > IDLE else None))
    return shown


@require_safe
@project_page(Role.VIEWER)
def user_detail(request: HttpRequest, scope: ProjectScope, user_id: str) -> HttpResponse:
    person = people.get_user(scope, user_id)
    filters = pages.TraceFilters(period=Period.named("all"), user=user_id, before=cursor_from(request.GET))
    context = {
        "scope": scope,
        "person": person,
        "page": pages.list_trace_page(scope, filters),
        "filters": replace(filters, user=""),
    }
    return render_page(request, "tracing/user_detail.html", context)
