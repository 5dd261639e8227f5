"""Queues and their items as pages show them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from accounts.access import ProjectScope
from accounts.models import User
from accounts.queries import list_project_members
from accounts.roles import Role
from config.errors import TooExpensive, Unavailable
from evals.models import AnnotationQueue, QueueItem, QueueItemStatus, QueueObject, ScoreConfig
from evals.queries import queues as queries
from evals.queries.queue_objects import Facts, Known, fact_of, facts_of
from evals.queries.queues import Progress, Share
from tracing.queries.paging import Keyed
from tracing.views.session import one_line

ITEMS_ON_PAGE = 50


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A line of the list."""

    queue: AnnotationQueue
    progress: Progress
    configs: list[ScoreConfig]
    people: list[str]
    is_mine: bool


def queue_rows(scope: ProjectScope) -> list[QueueRow]:
    queues = queries.queues_for(scope)
    progress = queries.progress_of([queue.pk for queue in queues])
    return [
        QueueRow(
            queue,
            progress.get(queue.pk, Progress()),
            [row.config for row in queue.queue_configs.all()],
            sorted(named(assignee.user) for assignee in queue.assignees.all()),
            queries.is_assigned(queue, scope.user_id),
        )
        for queue in queues
    ]


def named(user: User) -> str:
    return user.name or user.email


@dataclass(frozen=True, slots=True)
class ItemRow:
    """A line of a queue's table. `facts` is None for what is not in the project; `is_known` False while the store does
    not say."""

    item: QueueItem
    facts: Facts | None
    is_known: bool
    url: str
    process_url: str
    holder: str

    @property
    def is_missing(self) -> bool:
        return self.is_known and self.facts is None

    @property
    def kind(self) -> str:
        return str(QueueObject(self.item.object_type).label)

    @property
    def words(self) -> str:
        """The beginning of what went in."""
        return one_line(self.facts.begins)[:400] if self.facts and self.facts.begins else ""

    @property
    def name(self) -> str:
        return (self.facts.name if self.facts else "") or self.item.object_id

    @property
    def completed_by(self) -> str:
        return named(self.item.completed_by) if self.item.completed_by else ""

    @property
    def assigned_to(self) -> str:
        return named(self.item.assigned_to) if self.item.assigned_to else ""


class QueuePage:
    """What the page of a queue shows, each part read when it is asked for."""

    def __init__(self, scope: ProjectScope, queue: AnnotationQueue, *, status: str, cursor: str) -> None:
        self.scope, self.queue = scope, queue
        self.status = status if status in QueueItemStatus.values else ""
        self.cursor = cursor

    @cached_property
    def progress(self) -> Progress:
        return queries.progress_of([self.queue.pk]).get(self.queue.pk, Progress())

    @cached_property
    def shares(self) -> list[Share]:
        return queries.shares_of(self.queue)

    @cached_property
    def configs(self) -> list[ScoreConfig]:
        return queries.configs_of(self.queue)

    @cached_property
    def _page(self) -> Keyed[QueueItem]:
        return queries.page_of_items(self.queue, status=self.status, cursor=self.cursor, limit=ITEMS_ON_PAGE)

    @property
    def next_cursor(self) -> str:
        return self._page.next_cursor

    @cached_property
    def _facts(self) -> Known | None:
        try:
            return facts_of(self.scope, self._page.items)
        except (Unavailable, TooExpensive):
            return None  # the queue is there without them

    @property
    def is_store_away(self) -> bool:
        return self._facts is None

    @cached_property
    def rows(self) -> list[ItemRow]:
        return [self._row(item) for item in self._page.items]

    def _row(self, item: QueueItem) -> ItemRow:
        facts = fact_of(self._facts, item) if self._facts is not None else None
        holder = queries.holder_of(item, "")
        return ItemRow(
            item,
            facts,
            self._facts is not None,
            url_of_object(self.scope, item, facts.trace_id if facts else ""),
            process_url(self.scope, item),
            named(holder) if holder and item.status == QueueItemStatus.PENDING else "",
        )

    @property
    def statuses(self) -> list[tuple[str, str, int]]:
        """Value, words and number of what the table may be narrowed to."""
        progress = self.progress
        return [
            ("", _("All"), progress.total),
            (QueueItemStatus.PENDING.value, str(QueueItemStatus.PENDING.label), progress.pending),
            (QueueItemStatus.COMPLETED.value, str(QueueItemStatus.COMPLETED.label), progress.completed),
        ]

    @property
    def is_mine(self) -> bool:
        return queries.is_assigned(self.queue, self.scope.user_id)

    @cached_property
    def judges(self) -> list[tuple[str, str]]:
        """Id and name of those who can be given items."""
        return judges_of(self.scope)

    @property
    def kinds(self) -> list[tuple[str, str]]:
        return [(value, str(label)) for value, label in QueueObject.choices]

    @property
    def has_assigned(self) -> bool:
        """Whether a row of this page is somebody's."""
        return any(row.assigned_to for row in self.rows)


def judges_of(scope: ProjectScope) -> list[tuple[str, str]]:
    members = [one for one in list_project_members(scope) if one.role.allows(Role.MEMBER)]
    return [(one.user_id, one.name or one.email) for one in members]


def process_url(scope: ProjectScope, item: QueueItem) -> str:
    url = reverse("evals:queue-process", args=[scope.project_id, item.queue_id])
    return f"{url}?{urlencode({'item': item.pk})}"


def url_of_object(scope: ProjectScope, item: QueueItem, trace_id: str = "") -> str:
    """Of the page that shows it; empty where its trace is not known."""
    if item.object_type == QueueObject.SESSION:
        return reverse("tracing:session-detail", args=[scope.project_id, item.object_id])
    if item.object_type == QueueObject.TRACE:
        return reverse("tracing:trace-detail", args=[scope.project_id, item.object_id])
    trace_id = item.trace_id or trace_id
    if not trace_id:
        return ""
    url = reverse("tracing:trace-detail", args=[scope.project_id, trace_id])
    return f"{url}?{urlencode({'observation': item.object_id})}"
