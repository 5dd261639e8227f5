"""What happens to the items of annotation queues: added, held by who judges them, completed, reopened, removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.access import ProjectScope
from accounts.audit import Actor, record
from accounts.queries import list_project_members
from accounts.roles import Role
from config.errors import Conflict, Invalid
from evals.models import AnnotationQueue, QueueItem, QueueItemStatus
from evals.queries.queues import get_item, get_queue, held_by_another, holder_of, known_objects, open_items

LONGEST_ID = 255
#: tries to take an item before somebody else does; each failure means that another person got one
_TRIES = 50


@dataclass(frozen=True, slots=True)
class Place:
    """What is to be judged. Observations say their trace where it is known: their ids are only unique within it."""

    object_type: str
    object_id: str
    trace_id: str = ""

    @property
    def fits(self) -> bool:
        """Whether a queue can hold it: what is traced may have longer ids."""
        ids = (self.object_id, self.trace_id)
        return all(len(one) <= LONGEST_ID and "\x00" not in one for one in ids)


def create_item(
    scope: ProjectScope, queue_id: str, place: Place, *, status: str = QueueItemStatus.PENDING, actor: Actor
) -> QueueItem:
    """Also when the queue has the same object already. Raises NotFound without a queue, Invalid for no id."""
    scope.require(Role.MEMBER)
    queue = get_queue(scope, queue_id)
    _check(place)
    with transaction.atomic():
        is_done = status == QueueItemStatus.COMPLETED
        item = QueueItem.objects.create(
            queue=queue,
            object_type=place.object_type,
            object_id=place.object_id,
            trace_id=place.trace_id,
            status=status,
            completed_at=timezone.now() if is_done else None,
            completed_by_id=scope.user_id or None if is_done else None,
        )
        after = {"item": item.pk, "object_type": place.object_type, "object_id": place.object_id}
        record(actor, "annotation_queue.add", queue, after=after)
    return item


def add_once(scope: ProjectScope, queue_id: str, places: Sequence[Place], *, actor: Actor) -> int:
    """Adds what the queue does not hold yet; returns how many that were. Two who add at once add once."""
    scope.require(Role.MEMBER)
    for place in places:
        _check(place)
    with transaction.atomic():
        queue = get_queue(scope, queue_id, is_locked=True)
        new = _not_yet_in(queue, list(dict.fromkeys(places)))
        QueueItem.objects.bulk_create(
            [
                QueueItem(
                    queue=queue, object_type=place.object_type, object_id=place.object_id, trace_id=place.trace_id
                )
                for place in new
            ],
            batch_size=500,
        )
        if new:
            record(actor, "annotation_queue.add", queue, after={"number": len(new), "first": new[0].object_id})
    return len(new)


def _not_yet_in(queue: AnnotationQueue, places: list[Place]) -> list[Place]:
    by_type: dict[str, list[tuple[str, str]]] = {}
    for place in places:
        by_type.setdefault(place.object_type, []).append((place.object_id, place.trace_id))
    known = {kind: known_objects(queue, kind, ids) for kind, ids in by_type.items()}
    return [place for place in places if (place.object_id, place.trace_id) not in known[place.object_type]]


def _check(place: Place) -> None:
    if not place.object_id or not place.fits:
        raise Invalid(_("An id has 1 to %(most)d characters.") % {"most": LONGEST_ID})


def set_status(scope: ProjectScope, queue_id: str, item_id: str, status: str, *, actor: Actor) -> QueueItem:
    """Completed now, by who asks; or pending again, which keeps when it was completed last. Raises NotFound."""
    scope.require(Role.MEMBER)
    with transaction.atomic():
        item = get_item(scope, queue_id, item_id, is_locked=True)
        if item.status == status:
            return item
        before, item.status = item.status, status
        changed = ["status"]
        if status == QueueItemStatus.COMPLETED:
            item.completed_at, item.completed_by_id = timezone.now(), scope.user_id or None
            changed += ["completed_at", "completed_by"]
        # What is done needs nobody's hand any more, and what is to be done again is anybody's.
        item.locked_by, item.locked_at = None, None
        item.save(update_fields=[*changed, "locked_by", "locked_at", "updated_at"])
        said = {"item": item.pk}
        record(
            actor,
            "annotation_queue.status",
            item.queue,
            before={**said, "status": before},
            after={**said, "status": status},
        )
    return item


def delete_item(scope: ProjectScope, queue_id: str, item_id: str, *, actor: Actor) -> None:
    """Scores that were given stay. Raises NotFound."""
    scope.require(Role.MEMBER)
    with transaction.atomic():
        item = get_item(scope, queue_id, item_id)
        said = {"item": item.pk, "object_type": item.object_type, "object_id": item.object_id, "status": item.status}
        record(actor, "annotation_queue.remove", item.queue, before=said)
        QueueItem.objects.filter(pk=item.pk).delete()


def remove_items(scope: ProjectScope, queue_id: str, item_ids: Sequence[str], *, actor: Actor) -> int:
    """Those that the queue holds; returns how many."""
    scope.require(Role.MEMBER)
    queue = get_queue(scope, queue_id)
    with transaction.atomic():
        found = queue.items.filter(pk__in=_plain(item_ids))
        gone = list(found.values_list("object_type", "object_id"))
        found.delete()
        if gone:
            record(actor, "annotation_queue.remove", queue, before={"number": len(gone), "objects": gone})
    return len(gone)


def reopen_items(scope: ProjectScope, queue_id: str, item_ids: Sequence[str], *, actor: Actor) -> int:
    """Completed ones are pending again; returns how many."""
    scope.require(Role.MEMBER)
    queue = get_queue(scope, queue_id)
    with transaction.atomic():
        found = queue.items.filter(pk__in=_plain(item_ids), status=QueueItemStatus.COMPLETED)
        ids = list(found.values_list("pk", flat=True))
        queue.items.filter(pk__in=ids).update(
            status=QueueItemStatus.PENDING, locked_by=None, locked_at=None, updated_at=timezone.now()
        )
        if ids:
            record(actor, "annotation_queue.reopen", queue, after={"items": ids})
    return len(ids)


def assign_items(scope: ProjectScope, queue_id: str, item_ids: Sequence[str], user_id: str, *, actor: Actor) -> int:
    """To a member, or with "" to whoever comes first; returns how many. Raises Invalid for who cannot judge here."""
    scope.require(Role.MEMBER)
    queue = get_queue(scope, queue_id)
    may_judge = {one.user_id for one in list_project_members(scope) if one.role.allows(Role.MEMBER)}
    if user_id and user_id not in may_judge:
        raise Invalid(_("Choose a member of the project."))
    with transaction.atomic():
        ids = list(queue.items.filter(pk__in=_plain(item_ids)).values_list("pk", flat=True))
        queue.items.filter(pk__in=ids).update(assigned_to=user_id or None, updated_at=timezone.now())
        if ids:
            record(actor, "annotation_queue.assign_items", queue, after={"items": ids, "user_id": user_id})
    return len(ids)


def _plain(item_ids: Sequence[str]) -> list[str]:
    return [item_id for item_id in item_ids if "\x00" not in item_id]


# --- Who judges what -------------------------------------------------------------------------------------
def take(scope: ProjectScope, item: QueueItem, *, is_forced: bool = False) -> bool:
    """The item is this person's to judge for a while; taking it again renews that. False: somebody else judges it.

    `is_forced` takes it from whoever has it.
    """
    scope.require(Role.MEMBER)
    free = QueueItem.objects.filter(pk=item.pk)
    if not is_forced:
        free = free.exclude(held_by_another(scope.user_id))
    return _lock(scope, free)


def _lock(scope: ProjectScope, free: QuerySet[QueueItem]) -> bool:
    return bool(free.update(locked_by=scope.user_id, locked_at=timezone.now()))


def take_next(
    scope: ProjectScope, queue: AnnotationQueue, *, after: QueueItem | None = None, left: Sequence[str] = ()
) -> QueueItem | None:
    """Takes the oldest open item behind `after`, or else the oldest of all but `after`; None where there is none.

    No two people get the same one: whoever is second at an item goes on to the next.
    """
    scope.require(Role.MEMBER)
    for _attempt in range(_TRIES):
        found = open_items(queue, scope.user_id).exclude(pk__in=left)
        if after is not None:
            found = found.exclude(pk=after.pk)
            behind = found.filter(created_at__gte=after.created_at).exclude(
                created_at=after.created_at, pk__lt=after.pk
            )
            item = behind.first() or found.first()
        else:
            # What this person has begun comes before what is new.
            item = found.filter(locked_by=scope.user_id).first() or found.first()
        # Asked again as it is taken: it may have been completed since it was found.
        if item is None or _lock(scope, open_items(queue, scope.user_id).order_by().filter(pk=item.pk)):
            return item
    return None


def release(scope: ProjectScope, item: QueueItem) -> None:
    """Lets go of what this person holds; of what others hold, nothing happens."""
    QueueItem.objects.filter(pk=item.pk, locked_by=scope.user_id).update(locked_by=None, locked_at=None)


def release_others(scope: ProjectScope, item: QueueItem) -> None:
    """Who goes on to another item of a queue, by whatever way, holds none of the others."""
    held = QueueItem.objects.filter(queue_id=item.queue_id, locked_by=scope.user_id).exclude(pk=item.pk)
    held.update(locked_by=None, locked_at=None)


def require_hold(scope: ProjectScope, item: QueueItem) -> None:
    """Raises Conflict when somebody else judges the item now; else it is this person's, for a while again."""
    if take(scope, item):
        return
    item.refresh_from_db()
    holder = holder_of(item, scope.user_id)
    name = (holder.name or holder.email) if holder else ""
    raise Conflict(_("%(name)s is judging this item now. Nothing of yours was saved.") % {"name": name})
