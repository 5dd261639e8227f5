"""Dead letters of a project, newest first."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from accounts.access import ProjectScope
from tracing.models import DeadLetter

PAGE_SIZE = 50
#: sent again by one click; the rest waits for the next
REPLAY_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class LetterPage:
    letters: list[DeadLetter]
    waiting: int
    older: str


def list_dead_letters(scope: ProjectScope, *, replayed: bool, before: str = "", limit: int = PAGE_SIZE) -> LetterPage:
    """Those that wait, or those that were sent again; `before` is the id of the last one seen."""
    mine = DeadLetter.objects.filter(project_id=scope.project_id)
    letters = mine.filter(replayed_at__isnull=not replayed).defer("payload").order_by("-created_at", "-pk")
    last = mine.filter(pk=before).first() if is_id(before) else None
    if last is not None:
        letters = letters.filter(created_at__lte=last.created_at).exclude(created_at=last.created_at, pk__gte=last.pk)
    found = list(letters[: limit + 1])
    older = str(found[limit - 1].pk) if len(found) > limit else ""
    return LetterPage(found[:limit], mine.filter(replayed_at=None).count(), older)


def waiting_ids(scope: ProjectScope) -> list[str]:
    waiting = DeadLetter.objects.filter(project_id=scope.project_id, replayed_at=None).order_by("created_at")
    return [str(pk) for pk in waiting.values_list("pk", flat=True)[:REPLAY_AT_ONCE]]


def is_id(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
