"""Reads of annotation queues: lists of them, their items, and how far each is."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from accounts.access import ProjectScope
from accounts.models import User
from config.errors import NotFound
from evals.models import AnnotationQueue, QueueItem, QueueItemStatus, ScoreConfig
from tracing.queries.paging import Keyed, Numbered, PageNumber, cut, decode_cursor, encode_cursor
from tracing.queries.queue_choices import QueueChoice

#: who judges an item and was not seen at it for so long has left it
LOCK_SECONDS = 300
#: queues that one page shows; a project with more finds them by the API
MOST_QUEUES = 500
_IDS_PER_QUERY = 500


@dataclass(frozen=True, slots=True)
class Progress:
    pending: int = 0
    completed: int = 0

    @property
    def total(self) -> int:
        return self.pending + self.completed

    @property
    def percent(self) -> int:
        return round(100 * self.completed / self.total) if self.total else 0


@dataclass(frozen=True, slots=True)
class Share:
    """What one person did of a queue. `latest` is when they last completed something."""

    name: str
    completed: int
    is_assigned: bool
    latest: datetime | None = None


def annotation_queues(scope: ProjectScope) -> QuerySet[AnnotationQueue]:
    return AnnotationQueue.objects.filter(project_id=scope.project_id)


def queue_items(scope: ProjectScope, queue_id: str) -> QuerySet[QueueItem]:
    """Raises NotFound when the project has no such queue."""
    return get_queue(scope, queue_id).items.all()


def list_queues(scope: ProjectScope, number: PageNumber) -> Numbered[AnnotationQueue]:
    """Newest first, each with its configs."""
    found = annotation_queues(scope)
    newest = found.prefetch_related("queue_configs").order_by("-created_at", "-id")
    return Numbered(list(newest[number.offset : number.offset + number.limit]), number, found.count())


def queues_for(scope: ProjectScope) -> list[AnnotationQueue]:
    """All that pages show: those assigned to who looks first, then by name."""
    related = ("queue_configs__config", "assignees__user")
    found = annotation_queues(scope).prefetch_related(*related).order_by("name")[:MOST_QUEUES]
    return sorted(found, key=lambda queue: not is_assigned(queue, scope.user_id))


def is_assigned(queue: AnnotationQueue, user_id: str) -> bool:
    return any(assignee.user_id == user_id for assignee in queue.assignees.all())


def list_queue_choices(scope: ProjectScope) -> list[QueueChoice]:
    """For menus, by name."""
    found = annotation_queues(scope).order_by("name").values_list("id", "name")[:MOST_QUEUES]
    return [QueueChoice(queue_id, name) for queue_id, name in found]


def get_queue(scope: ProjectScope, queue_id: str, *, is_locked: bool = False) -> AnnotationQueue:
    """Raises NotFound. `is_locked`, within a transaction: nobody else changes or removes it before the end of it."""
    queues = annotation_queues(scope).select_for_update() if is_locked else annotation_queues(scope)
    found = None if "\x00" in queue_id else queues.filter(pk=queue_id).first()
    if found is None:
        raise NotFound("Annotation queue not found")
    return found


def configs_of(queue: AnnotationQueue) -> list[ScoreConfig]:
    """In the order of the form. Archived ones take no scores, and are left out."""
    rows = queue.queue_configs.select_related("config").filter(config__is_archived=False)
    return [row.config for row in rows]


def progress_of(queue_ids: Collection[str]) -> dict[str, Progress]:
    """By queue; a queue without items is not in it."""
    counted = (
        QueueItem.objects.filter(queue_id__in=queue_ids)
        .order_by()
        .values_list("queue_id")
        .annotate(
            pending=Count("pk", filter=Q(status=QueueItemStatus.PENDING)),
            completed=Count("pk", filter=Q(status=QueueItemStatus.COMPLETED)),
        )
    )
    return {queue_id: Progress(pending, completed) for queue_id, pending, completed in counted}


def shares_of(queue: AnnotationQueue) -> list[Share]:
    """What each person completed, and who is assigned and did nothing yet; the busiest first."""
    done = queue.items.filter(status=QueueItemStatus.COMPLETED).order_by()
    counted: dict[str | None, int] = {}
    for user_id, number in done.values_list("completed_by").annotate(Count("pk")):
        counted[user_id] = number
    assigned = set(queue.assignees.values_list("user_id", flat=True))
    people = User.objects.in_bulk([*assigned, *(user_id for user_id in counted if user_id)])
    shares = [
        Share(user.name or user.email, counted.get(user_id, 0), user_id in assigned, _latest(queue, user_id))
        for user_id, user in people.items()
    ]
    if counted.get(None):
        shares.append(Share("", counted[None], is_assigned=False))
    return sorted(shares, key=lambda share: (-share.completed, share.name))


def _latest(queue: AnnotationQueue, user_id: str) -> datetime | None:
    done = queue.items.filter(completed_by=user_id, status=QueueItemStatus.COMPLETED).exclude(completed_at=None)
    newest = done.order_by("-completed_at").first()
    return newest.completed_at if newest else None


# --- Items -----------------------------------------------------------------------------------------------
def list_items(scope: ProjectScope, queue_id: str, number: PageNumber, *, status: str = "") -> Numbered[QueueItem]:
    """Newest first; empty means all. Raises NotFound without a queue."""
    found = queue_items(scope, queue_id)
    if status:
        found = found.filter(status=status)
    newest = found.order_by("-created_at", "-id")
    return Numbered(list(newest[number.offset : number.offset + number.limit]), number, found.count())


def page_of_items(queue: AnnotationQueue, *, status: str, cursor: str, limit: int) -> Keyed[QueueItem]:
    """Newest first, after `cursor`. Raises Invalid for a cursor that is none."""
    found = queue.items.select_related("completed_by", "locked_by", "assigned_to")
    if status:
        found = found.filter(status=status)
    if cursor:
        at, item_id = decode_cursor(cursor, size=2)
        found = found.filter(Q(created_at__lt=at) | Q(created_at=at, pk__lt=item_id))
    rows = list(found.order_by("-created_at", "-id")[: limit + 1])
    return cut(rows, limit, lambda item: encode_cursor(item.created_at, item.pk))


def get_item(scope: ProjectScope, queue_id: str, item_id: str, *, is_locked: bool = False) -> QueueItem:
    """Raises NotFound. `is_locked`, within a transaction: nobody else changes or removes it before the end of it."""
    items = queue_items(scope, queue_id).select_related("queue", "locked_by", "completed_by")
    if is_locked:
        items = items.select_for_update(of=("self",))
    found = None if "\x00" in item_id else items.filter(pk=item_id).first()
    if found is None:
        raise NotFound("Annotation queue item not found")
    return found


def place_of(item: QueueItem) -> int:
    """Of an item among all of its queue, from 1, oldest first."""
    before = Q(created_at__lt=item.created_at) | Q(created_at=item.created_at, pk__lte=item.pk)
    return QueueItem.objects.filter(before, queue_id=item.queue_id).count()


def item_before(item: QueueItem) -> QueueItem | None:
    """The one that is older by one place, whatever became of it."""
    older = Q(created_at__lt=item.created_at) | Q(created_at=item.created_at, pk__lt=item.pk)
    return QueueItem.objects.filter(older, queue_id=item.queue_id).order_by("-created_at", "-id").first()


def item_after(item: QueueItem) -> QueueItem | None:
    newer = Q(created_at__gt=item.created_at) | Q(created_at=item.created_at, pk__gt=item.pk)
    return QueueItem.objects.filter(newer, queue_id=item.queue_id).order_by("created_at", "id").first()


def open_items(queue: AnnotationQueue, user_id: str) -> QuerySet[QueueItem]:
    """What this person could judge now: pending, in nobody else's hands and assigned to nobody else. Oldest first."""
    pending = queue.items.filter(status=QueueItemStatus.PENDING)
    theirs = Q(assigned_to=None) | Q(assigned_to=user_id or None)
    return pending.filter(theirs).exclude(held_by_another(user_id)).order_by("created_at", "id")


def held_items(queue: AnnotationQueue, user_id: str) -> list[QueueItem]:
    """Pending ones that others judge right now."""
    pending = queue.items.filter(held_by_another(user_id), status=QueueItemStatus.PENDING)
    return list(pending.select_related("locked_by").order_by("created_at", "id")[:20])


def items_of_others(queue: AnnotationQueue, user_id: str) -> int:
    """How many pending ones are assigned to somebody else."""
    pending = queue.items.filter(status=QueueItemStatus.PENDING)
    return pending.exclude(assigned_to=None).exclude(assigned_to=user_id or None).count()


def held_by_another(user_id: str) -> Q:
    return Q(locked_by__isnull=False, locked_at__gt=lock_limit()) & ~Q(locked_by=user_id)


def lock_limit() -> datetime:
    """Locks that were not renewed since then count no more."""
    return timezone.now() - timedelta(seconds=LOCK_SECONDS)


def holder_of(item: QueueItem, user_id: str) -> User | None:
    """Who else judges it right now."""
    is_fresh = item.locked_at is not None and item.locked_at > lock_limit()
    return item.locked_by if is_fresh and item.locked_by_id != user_id else None


def known_objects(queue: AnnotationQueue, object_type: str, places: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """Which of these (object id, trace id or "") are in the queue already, whatever became of them.

    An observation whose item does not say its trace is known by its id.
    """
    found: set[tuple[str, str]] = set()
    for start in range(0, len(places), _IDS_PER_QUERY):
        some = places[start : start + _IDS_PER_QUERY]
        rows = queue.items.filter(object_type=object_type, object_id__in={object_id for object_id, _trace in some})
        known = set(rows.values_list("object_id", "trace_id"))
        found |= {
            (object_id, trace_id)
            for object_id, trace_id in some
            if {(object_id, trace_id), (object_id, "")} & known
            or (not trace_id and any(one == object_id for one, _trace in known))
        }
    return found


def queues_with(scope: ProjectScope, object_type: str, object_id: str) -> set[str]:
    """Ids of the queues that hold this object."""
    if "\x00" in object_id:
        return set()
    items = QueueItem.objects.filter(queue__project_id=scope.project_id, object_type=object_type, object_id=object_id)
    return set(items.values_list("queue_id", flat=True))
