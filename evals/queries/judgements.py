"""The log of judgements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, QuerySet
from django.utils.translation import gettext as _

from accounts.access import ProjectScope
from config.errors import Invalid, NotFound
from evals.models import Judgement, JudgementStatus
from tracing.queries.paging import decode_cursor, encode_cursor

PAGE_SIZE = 50
#: what a log can be narrowed by, beside times
NARROWED_BY = ("status", "rule_id", "evaluator_id", "experiment_id", "target", "origin", "trace_id")


@dataclass(frozen=True, slots=True)
class Page:
    """`older` is what the next page is asked for with, as `before`; empty on the last one."""

    items: list[Judgement]
    older: str


def judgements(
    scope: ProjectScope,
    *,
    status: str = "",
    rule_id: str = "",
    evaluator_id: str = "",
    target: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    **more: Any,
) -> QuerySet[Judgement]:
    """Those that match, in no order. Texts with a zero character match nothing."""
    narrowed = {"status": status, "rule_id": rule_id, "evaluator_id": evaluator_id, "target": target, **more}
    unknown = set(narrowed) - set(NARROWED_BY)
    assert not unknown, unknown
    found = Judgement.objects.filter(project_id=scope.project_id)
    for name, value in narrowed.items():
        if value:
            found = found.none() if "\x00" in str(value) else found.filter(**{name: value})
    if since is not None:
        found = found.filter(created_at__gte=since)
    if until is not None:
        found = found.filter(created_at__lt=until)
    return found


def list_judgements(
    scope: ProjectScope,
    *,
    status: str = "",
    rule_id: str = "",
    evaluator_id: str = "",
    target: str = "",
    since: datetime | None = None,
    before: str = "",
    limit: int = PAGE_SIZE,
    **more: Any,
) -> Page:
    """The newest first, without their logs. Raises Invalid for a `before` that is none."""
    found = judgements(
        scope, status=status, rule_id=rule_id, evaluator_id=evaluator_id, target=target, since=since, **more
    )
    if before:
        at, id_ = decode_cursor(before, size=2)
        if "\x00" in str(id_):
            raise Invalid(_("There is no such page."))
        older = found.filter(created_at__lt=at) | found.filter(created_at=at, pk__lt=id_)
        found = older
    rows = list(
        found.select_related("rule", "evaluator", "version")
        .defer("log_text", "answer_text")
        .order_by("-created_at", "-pk")[: limit + 1]
    )
    page = rows[:limit]
    return Page(page, encode_cursor(page[-1].created_at, page[-1].pk) if len(rows) > limit else "")


def counts(scope: ProjectScope, narrowed: Mapping[str, Any]) -> dict[str, int]:
    """How many there are of each status, whatever `status` says."""
    found = judgements(scope, **{name: value for name, value in narrowed.items() if name != "status"})
    by_status = dict(found.order_by().values_list("status").annotate(Count("pk")))
    return {status: by_status.get(status, 0) for status in JudgementStatus.values}


def get_judgement(scope: ProjectScope, judgement_id: str) -> Judgement:
    found = None
    if "\x00" not in judgement_id:
        found = (
            Judgement.objects.filter(project_id=scope.project_id, pk=judgement_id)
            .select_related("rule", "evaluator", "version", "experiment")
            .first()
        )
    if found is None:
        raise NotFound(_("There is no such judgement."))
    return found


def judgement_of_score(scope: ProjectScope, score_id: str) -> Judgement | None:
    """What wrote a score; None where no evaluator of this project did. Of several categories each has a score."""
    if not score_id or "\x00" in score_id:
        return None
    found = Judgement.objects.filter(project_id=scope.project_id, score_id=score_id.partition("-and-")[0])
    return found.select_related("rule", "evaluator", "version").first()
