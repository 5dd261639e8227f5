"""What people and programs can do with annotation queues: one function a change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts.access import ProjectScope
from accounts.audit import Actor, record
from accounts.queries import list_project_members
from accounts.roles import Role
from config.errors import Invalid, NotFound, issue
from evals.models import AnnotationQueue, QueueAssignee, QueueItem
from evals.models.queues import QueueConfig
from evals.queries.queues import annotation_queues, get_queue
from evals.queries.score_configs import score_configs

LONGEST_NAME = 255
LONGEST_TEXT = 20_000
MOST_CONFIGS = 100


@dataclass(frozen=True, slots=True)
class QueueFields:
    """What can be said about a queue. `config_ids` in the order of the form."""

    name: str
    config_ids: tuple[str, ...]
    description: str = ""
    instructions: str = ""
    assignee_ids: tuple[str, ...] = ()


def create_queue(scope: ProjectScope, fields: QueueFields, *, actor: Actor) -> AnnotationQueue:
    """Raises Invalid naming each field that is wrong."""
    scope.require(Role.MEMBER)
    with _name_is_free(), transaction.atomic():
        fields = _checked(scope, fields, None)
        queue = AnnotationQueue.objects.create(
            project_id=scope.project_id,
            name=fields.name,
            description=fields.description,
            instructions=fields.instructions,
        )
        _put_configs(queue, fields.config_ids)
        _put_assignees(queue, fields.assignee_ids)
        record(actor, "annotation_queue.create", queue, after=asdict(fields))
    return queue


def update_queue(scope: ProjectScope, queue_id: str, fields: QueueFields, *, actor: Actor) -> AnnotationQueue:
    """What was judged stays. Raises NotFound, and Invalid like creating."""
    scope.require(Role.MEMBER)
    with _name_is_free(), transaction.atomic():
        queue = get_queue(scope, queue_id, is_locked=True)
        before = fields_of(queue)
        fields = _checked(scope, fields, queue)
        queue.name, queue.description, queue.instructions = fields.name, fields.description, fields.instructions
        queue.save(update_fields=["name", "description", "instructions", "updated_at"])
        _put_configs(queue, fields.config_ids)
        _put_assignees(queue, fields.assignee_ids)
        record(actor, "annotation_queue.update", queue, before=asdict(before), after=asdict(fields))
    return queue


def delete_queue(scope: ProjectScope, queue_id: str, *, actor: Actor) -> AnnotationQueue:
    """With its items. The scores that were given in it stay. Raises NotFound."""
    scope.require(Role.MEMBER)
    with transaction.atomic():
        queue = get_queue(scope, queue_id, is_locked=True)
        before = {**asdict(fields_of(queue)), "items": queue.items.count()}
        record(actor, "annotation_queue.delete", queue, before=before)
        annotation_queues(scope).filter(pk=queue_id).delete()
    return queue


def assign(scope: ProjectScope, queue_id: str, user_id: str, *, actor: Actor) -> None:
    """To be told twice is no error. Raises NotFound for a queue, or a person, that is not in the project."""
    scope.require(Role.MEMBER)
    queue = get_queue(scope, queue_id)
    if user_id not in _people(scope):
        raise NotFound("User not found or not authorized for this project")
    with transaction.atomic():
        _one, is_new = QueueAssignee.objects.get_or_create(queue=queue, user_id=user_id)
        if is_new:
            record(actor, "annotation_queue.assign", queue, after={"user_id": user_id})


def unassign(scope: ProjectScope, queue_id: str, user_id: str, *, actor: Actor) -> None:
    """Whoever is not assigned is no error. Raises NotFound without a queue."""
    scope.require(Role.MEMBER)
    queue = get_queue(scope, queue_id)
    if "\x00" in user_id:
        return
    with transaction.atomic():
        deleted, _by_model = QueueAssignee.objects.filter(queue=queue, user_id=user_id).delete()
        if deleted:
            record(actor, "annotation_queue.unassign", queue, before={"user_id": user_id})


def delete_project_queues(project_id: str) -> None:
    """Removes the queues of a project that was deleted."""
    QueueItem.objects.filter(queue__project_id=project_id).delete()
    AnnotationQueue.objects.filter(project_id=project_id).delete()


def fields_of(queue: AnnotationQueue) -> QueueFields:
    return QueueFields(
        name=queue.name,
        config_ids=tuple(queue.queue_configs.values_list("config_id", flat=True)),
        description=queue.description,
        instructions=queue.instructions,
        assignee_ids=tuple(queue.assignees.order_by("user_id").values_list("user_id", flat=True)),
    )


def _checked(scope: ProjectScope, fields: QueueFields, known: AnnotationQueue | None) -> QueueFields:
    texts = (fields.name, fields.description, fields.instructions, *fields.config_ids, *fields.assignee_ids)
    if any("\x00" in text for text in texts):
        raise Invalid(_("A text holds a character that cannot be kept (NUL)."))
    name = fields.name.strip()
    config_ids = tuple(dict.fromkeys(fields.config_ids))
    issues = [*_name_issues(scope, name, known), *_text_issues(fields), *_config_issues(scope, config_ids, known)]
    # Who left the project since is let go without a word; who never was in it cannot be chosen.
    people = _people(scope)
    assignees = tuple(one for one in dict.fromkeys(fields.assignee_ids) if one in people)
    if issues:
        raise Invalid(str(issues[0]["message"]), issues=issues)
    return QueueFields(name, config_ids, fields.description.strip(), fields.instructions.strip(), assignees)


def _name_issues(scope: ProjectScope, name: str, known: AnnotationQueue | None) -> list[dict[str, object]]:
    if not 1 <= len(name) <= LONGEST_NAME:
        return [issue("name", _("The name has 1 to %(most)d characters.") % {"most": LONGEST_NAME})]
    others = annotation_queues(scope).filter(name=name)
    if (others.exclude(pk=known.pk) if known else others).exists():
        return [_taken()]
    return []


def _taken() -> dict[str, object]:
    return issue("name", _("A queue with this name already exists."))


@contextmanager
def _name_is_free() -> Iterator[None]:
    """Whoever takes the same name at this moment is told as if they had come later."""
    try:
        yield
    except IntegrityError:
        taken = _taken()
        raise Invalid(str(taken["message"]), issues=[taken]) from None


def _text_issues(fields: QueueFields) -> list[dict[str, object]]:
    message = _("At most %(most)d characters.") % {"most": LONGEST_TEXT}
    texts = {"description": fields.description, "instructions": fields.instructions}
    return [issue(name, message) for name, text in texts.items() if len(text) > LONGEST_TEXT]


def _config_issues(
    scope: ProjectScope, config_ids: Sequence[str], known: AnnotationQueue | None
) -> list[dict[str, object]]:
    if not config_ids:
        return [issue("scoreConfigIds", _("Choose at least one score config."))]
    if len(config_ids) > MOST_CONFIGS:
        return [issue("scoreConfigIds", _("A queue has %(most)d score configs at most.") % {"most": MOST_CONFIGS})]
    found = dict(score_configs(scope).filter(pk__in=config_ids).values_list("pk", "is_archived"))
    kept = set(known.queue_configs.values_list("config_id", flat=True)) if known else set()
    if any(one not in found for one in config_ids):
        return [issue("scoreConfigIds", _("At least one of the score config IDs cannot be found for the project."))]
    if any(found[one] and one not in kept for one in config_ids):
        return [issue("scoreConfigIds", _("An archived score config takes no scores."))]
    return []


def _put_configs(queue: AnnotationQueue, config_ids: Sequence[str]) -> None:
    if tuple(queue.queue_configs.values_list("config_id", flat=True)) == tuple(config_ids):
        return
    queue.queue_configs.all().delete()
    QueueConfig.objects.bulk_create([QueueConfig(queue=queue, config_id=config_id) for config_id in config_ids])


def _put_assignees(queue: AnnotationQueue, user_ids: Sequence[str]) -> None:
    queue.assignees.exclude(user_id__in=user_ids).delete()
    QueueAssignee.objects.bulk_create(
        [QueueAssignee(queue=queue, user_id=user_id) for user_id in user_ids], ignore_conflicts=True
    )


def _people(scope: ProjectScope) -> set[str]:
    return {member.user_id for member in list_project_members(scope) if member.role is not Role.NONE}
