"""Judgements tried again, or given up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.access import ProjectScope
from accounts.audit import Actor, record
from accounts.models import Project
from accounts.roles import Role
from config.errors import Invalid
from evals.judging.calling import call_worker
from evals.judging.matching import start_anew
from evals.models import Judgement, JudgementStatus
from evals.queries.judgements import judgements

_MOST_IDS = 10_000


def retry(
    scope: ProjectScope,
    ids: Sequence[str] | None = None,
    *,
    matching: Mapping[str, Any] | None = None,
    actor: Actor,
) -> int:
    """Judges again: those with these ids, whatever came of them, or all that match and failed or were cancelled.
    Returns how many wait again. Whoever names neither gets Invalid."""
    scope.require(Role.MEMBER)
    found = _chosen(scope, ids, matching)
    if ids is None:
        found = found.filter(status__in=(JudgementStatus.FAILED, JudgementStatus.CANCELLED))
    with transaction.atomic():
        number = start_anew(found)
        if number:
            _record(scope, "judgement.retry", number, actor)
            transaction.on_commit(call_worker)
    return number


def cancel(
    scope: ProjectScope,
    ids: Sequence[str] | None = None,
    *,
    matching: Mapping[str, Any] | None = None,
    actor: Actor,
) -> int:
    """Gives up what waits. What runs comes to its end. Returns how many were given up."""
    scope.require(Role.MEMBER)
    waiting = _chosen(scope, ids, matching).filter(status=JudgementStatus.WAITING)
    with transaction.atomic():
        number = waiting.update(
            status=JudgementStatus.CANCELLED, problem=_("Cancelled."), ended_at=timezone.now(), held_by=""
        )
        if number:
            _record(scope, "judgement.cancel", number, actor)
    return number


def _chosen(scope: ProjectScope, ids: Sequence[str] | None, matching: Mapping[str, Any] | None) -> QuerySet[Judgement]:
    if ids is None:
        if matching is None:
            raise Invalid(_("Choose judgements first."))
        return judgements(scope, **matching)
    if len(ids) > _MOST_IDS:
        raise Invalid(_("At most %(most)d at once.") % {"most": _MOST_IDS})
    return judgements(scope).filter(pk__in=[one for one in ids if "\x00" not in one])


def _record(scope: ProjectScope, what: str, number: int, actor: Actor) -> None:
    record(actor, what, Project.objects.get(pk=scope.project_id), after={"judgements": number})
