"""Judging the items of a queue one after the other: the object on the left, the form of its configs on the right.

An item belongs to who opened it for some minutes, renewed as long as the page is open. Whatever is written asks first
whether it still does.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.audit import Actor
from accounts.models import User
from accounts.roles import Role
from accounts.views.answers import see_other
from config.errors import Conflict, Invalid, NotFound
from config.posting import posted_from
from config.rendering import render_page
from evals.actions import queue_items as actions
from evals.models import AnnotationQueue, QueueItem, QueueItemStatus, QueueObject, ScoreConfig
from evals.queries import queues as queries
from evals.queries.queue_objects import find_trace_of
from evals.queries.queues import Progress
from evals.views.annotate import Row, cleared_row, saved_row
from evals.views.queues.shown import named, process_url, url_of_object
from tracing.analytics.records import ScoreSource, Trace
from tracing.queries import people, trace_page
from tracing.views.acts.node import Node, ShownScore
from tracing.views.session import SessionPage
from tracing.views.trace.page import TracePage

#: how often the page says that somebody is still at it
RENEWED_SECONDS = 60
#: how often a page that waits for its item asks whether it is free
WAITING_SECONDS = 15


class Processing:
    """One item as it is judged, each part read when it is asked for."""

    def __init__(self, request: HttpRequest, scope: ProjectScope, item: QueueItem) -> None:
        self._request, self.scope, self.item, self.queue = request, scope, item, item.queue
        self.has_tree = bool(request.GET.get("tree"))

    # --- Who is at it
    @cached_property
    def holder(self) -> User | None:
        """Who else judges it now. Asking takes the item where it is free: whoever opens it, judges it."""
        if self.may_judge and actions.take(self.scope, self.item):
            return None
        self.item.refresh_from_db()
        return queries.holder_of(self.item, self.scope.user_id)

    @property
    def holder_name(self) -> str:
        return named(self.holder) if self.holder else ""

    @property
    def may_judge(self) -> bool:
        return self.scope.role.allows(Role.MEMBER)

    @property
    def is_open(self) -> bool:
        """Whether this person may write now."""
        return self.may_judge and self.holder is None

    @property
    def is_completed(self) -> bool:
        return self.item.status == QueueItemStatus.COMPLETED

    @property
    def completed_by(self) -> str:
        return named(self.item.completed_by) if self.item.completed_by else ""

    @property
    def lock_seconds(self) -> int:
        return RENEWED_SECONDS if self.is_open else WAITING_SECONDS

    # --- What is judged
    @cached_property
    def trace(self) -> Trace | None:
        """None for sessions. Raises NotFound."""
        if self.item.object_type == QueueObject.SESSION:
            return None
        is_trace = self.item.object_type == QueueObject.TRACE
        trace_id = self.item.object_id if is_trace else self.item.trace_id
        return trace_page.get_trace_record(self.scope, trace_id or find_trace_of(self.scope, self.item.object_id))

    @property
    def observation_id(self) -> str:
        return self.item.object_id if self.item.object_type == QueueObject.OBSERVATION else ""

    @cached_property
    def page(self) -> TracePage | SessionPage:
        """Of the trace, or the session, as its own page has it."""
        if self.trace is None:
            return SessionPage(self._request, self.scope, self.item.object_id)
        wanted = self._request.GET.get("observation", "") if self.has_tree else ""
        return TracePage(self.scope, self.trace, observation_id=wanted or self.observation_id, find="", rows="")

    @cached_property
    def is_missing(self) -> bool:
        """Deleted, or never there."""
        try:
            if self.trace is None:
                return not people.has_session(self.scope, self.item.object_id)
            if self.observation_id:
                trace_page.get_observation(self.scope, self.trace, self.observation_id)
        except NotFound:
            return True
        return False

    @cached_property
    def node(self) -> Node:
        if self.trace is None:
            return Node(self.scope, session_id=self.item.object_id)
        is_observation = bool(self.observation_id)
        return Node(
            self.scope,
            trace=self.trace,
            observation_id=self.observation_id,
            is_observation_meant=is_observation,
        )

    @property
    def object_url(self) -> str:
        return url_of_object(self.scope, self.item, self.trace.id if self.trace else "")

    @property
    def kind(self) -> str:
        return str(QueueObject(self.item.object_type).label)

    # --- What is said about it
    @cached_property
    def configs(self) -> list[ScoreConfig]:
        return queries.configs_of(self.queue)

    @cached_property
    def rows(self) -> list[Row]:
        own = {shown.score.config_id: shown.score for shown in self._scores if self._is_from_here(shown)}
        return [Row(config.pk, config.name, config.data_type, config, own.get(config.pk)) for config in self.configs]

    @property
    def _scores(self) -> list[ShownScore]:
        about = self.node.said_about
        return [shown for shown in self.node.scores if shown.score.observation_id == about.observation_id]

    def _is_from_here(self, shown: ShownScore) -> bool:
        is_mine = shown.is_own and shown.score.source == ScoreSource.ANNOTATION
        return is_mine and shown.score.queue_id == self.queue.pk

    @property
    def other_scores(self) -> list[ShownScore]:
        """What judges, programs and other people said."""
        return [shown for shown in self._scores if not self._is_from_here(shown)]

    @property
    def unanswered(self) -> list[str]:
        return [row.name for row in self.rows if row.score is None]

    # --- Where one is
    @cached_property
    def progress(self) -> Progress:
        return _progress(self.queue)

    @cached_property
    def place(self) -> int:
        return queries.place_of(self.item)

    @cached_property
    def back_url(self) -> str:
        before = queries.item_before(self.item)
        return process_url(self.scope, before) if before else ""

    @property
    def skip_url(self) -> str:
        url = reverse("evals:queue-process", args=[self.scope.project_id, self.queue.pk])
        return f"{url}?{urlencode({'after': self.item.pk})}"

    @property
    def url(self) -> str:
        return process_url(self.scope, self.item)

    @property
    def tree_url(self) -> str:
        return self.url if self.has_tree else f"{self.url}&tree=1"


def _progress(queue: AnnotationQueue) -> Progress:
    return queries.progress_of([queue.pk]).get(queue.pk, Progress())


@require_safe
@never_cache
@project_page(Role.VIEWER)
def queue_process(request: HttpRequest, scope: ProjectScope, queue_id: str) -> HttpResponse:
    """`item` is shown; without it the next one is found, behind `after` if that is named."""
    queue = queries.get_queue(scope, queue_id)
    if not request.GET.get("item"):
        return _next(request, scope, queue, request.GET.get("after", ""))
    item = queries.get_item(scope, queue_id, request.GET["item"])
    get_token(request)
    shown = Processing(request, scope, item)
    holder = shown.holder  # before anything is read: from here on nobody else opens it
    if shown.is_open:
        actions.release_others(scope, item)
    context: dict[str, Any] = {
        "scope": scope,
        "queue": queue,
        "item": item,
        "here": shown,
        "holder": holder,
        "save_url": reverse("evals:queue-score", args=[scope.project_id, queue.pk]),
    }
    if not shown.is_missing:
        context |= {"node": shown.node, "page": shown.page, "trace": shown.trace, **_of_trace_page(request)}
        if shown.trace is None:
            context["session"] = shown.page.session  # type: ignore[union-attr]
    return render_page(request, "evals/queue_process.html", context)


def _of_trace_page(request: HttpRequest) -> dict[str, Any]:
    """What the parts of the trace's page ask for besides."""
    show = request.GET.get("show", "")
    return {
        "find": "",
        "show": show if show in ("tree", "graph", "log") else "tree",
        "view": "pretty",
        "is_part": False,
        "graph_kind": "aggregated",
    }


def _next(request: HttpRequest, scope: ProjectScope, queue: AnnotationQueue, after_id: str) -> HttpResponse:
    after = _item_or_none(scope, queue.pk, after_id) if after_id else None
    if scope.role.allows(Role.MEMBER):
        if after is not None:
            actions.release(scope, after)
        item = actions.take_next(scope, queue, after=after)
        if item is None and after is not None and after.status == QueueItemStatus.PENDING:
            item = after if actions.take(scope, after) else None
            if item is not None:
                messages.info(request, _("There is no other item to judge now."))
    else:
        item = queries.open_items(queue, "").first()
    if item is not None:
        return see_other(process_url(scope, item))
    context = {
        "scope": scope,
        "queue": queue,
        "progress": _progress(queue),
        "held": queries.held_items(queue, scope.user_id),
        "of_others": queries.items_of_others(queue, scope.user_id),
    }
    return render_page(request, "evals/queue_done.html", context)


def _item_or_none(scope: ProjectScope, queue_id: str, item_id: str) -> QueueItem | None:
    """None for one that somebody removed while it was judged: whoever judges goes on without it."""
    try:
        return queries.get_item(scope, queue_id, item_id)
    except NotFound:
        return None


@posted_from("evals:queue-list")
@project_page(Role.MEMBER)
def queue_score(request: HttpRequest, scope: ProjectScope, queue_id: str) -> HttpResponseBase:
    """Saves one line of the form, or takes it back with `clear`. htmx gets the line, a plain form the page."""
    asked = {name: value for name, value in request.POST.items() if isinstance(value, str)}
    item = queries.get_item(scope, queue_id, asked.get("item", ""))
    here = Processing(request, scope, item)
    config = next((one for one in here.configs if one.pk == asked.get("config")), None)
    if config is None:
        raise Invalid(_("This score does not belong to the queue any more. Load the page again."))
    row = _judged(request, here, config, asked)
    if not getattr(request, "htmx", None):
        if row.errors:
            messages.error(request, " ".join(row.errors))
        return see_other(here.url)
    context = {
        "scope": scope,
        "node": here.node,
        "row": row,
        "item": item,
        "save_url": reverse("evals:queue-score", args=[scope.project_id, queue_id]),
    }
    return render(request, "evals/_annotate_row.html", context)


def _judged(request: HttpRequest, here: Processing, config: ScoreConfig, asked: dict[str, str]) -> Row:
    try:
        actions.require_hold(here.scope, here.item)
    except Conflict as refusal:
        return Row(config.pk, config.name, config.data_type, config, typed=asked, errors=(refusal.message,))
    own = next((row.score for row in here.rows if row.key == config.pk), None)
    # Only what this person said here is theirs to change: the form's own word for it is not asked.
    asked = {**asked, "score": own.id if own else ""}
    if asked.get("clear"):
        return cleared_row(request, here.node, config, asked)
    return saved_row(here.node, config, asked, queue_id=here.queue.pk)


@posted_from("evals:queue-list")
@project_page(Role.MEMBER)
def queue_complete(request: HttpRequest, scope: ProjectScope, queue_id: str) -> HttpResponse:
    """Completes the item and goes on to the next. What has no score yet must be skipped by name (`without`)."""
    item = _item_or_none(scope, queries.get_queue(scope, queue_id).pk, request.POST.get("item", ""))
    if item is None:
        messages.info(request, _("Somebody removed the item from the queue."))
        return see_other(reverse("evals:queue-process", args=[scope.project_id, queue_id]))
    here = Processing(request, scope, item)
    try:
        actions.require_hold(scope, item)
    except Conflict as refusal:
        messages.error(request, refusal.message)
        return see_other(here.url)
    if request.POST.get("do") == "remove":
        actions.delete_item(scope, queue_id, item.pk, actor=Actor.of(request))
        messages.success(request, _("The item is removed from the queue."))
        return see_other(reverse("evals:queue-process", args=[scope.project_id, queue_id]))
    missing = [] if here.is_missing or here.is_completed else here.unanswered
    if missing and not request.POST.get("without"):
        return see_other(f"{here.url}&incomplete=1")
    actions.set_status(scope, queue_id, item.pk, QueueItemStatus.COMPLETED, actor=Actor.of(request))
    return see_other(here.skip_url)


@posted_from("evals:queue-list")
@project_page(Role.MEMBER)
def queue_reopen(request: HttpRequest, scope: ProjectScope, queue_id: str) -> HttpResponse:
    item = queries.get_item(scope, queue_id, request.POST.get("item", ""))
    actions.set_status(scope, queue_id, item.pk, QueueItemStatus.PENDING, actor=Actor.of(request))
    return see_other(process_url(scope, item))


@posted_from("evals:queue-list")
@project_page(Role.MEMBER)
def queue_lock(request: HttpRequest, scope: ProjectScope, queue_id: str) -> HttpResponse:
    """The page of an item says every minute that somebody is at it. Where that changed, the page is to be read anew."""
    item = queries.get_item(scope, queue_id, request.POST.get("item", ""))
    was_held = request.POST.get("held") == "1"
    is_held = actions.take(scope, item)
    response = HttpResponse(status=204)
    if is_held != was_held:
        response["HX-Refresh"] = "true"
    return response
