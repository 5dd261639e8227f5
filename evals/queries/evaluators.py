"""Evaluators of a project: how they are doing, their versions, and trials of what is not saved yet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, F, Max, QuerySet, Sum, Window
from django.db.models.functions import RowNumber
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.access import ProjectScope
from config.errors import NotFound
from evals.models import Assignment, DefaultJudge, Evaluator, EvaluatorVersion, Judgement, JudgementStatus, Trial

#: as far back as sums of lists go
WEEK = timedelta(days=7)
_LAST = 5
#: judgements over which a cost is averaged
_AVERAGED = 200


@dataclass(frozen=True, slots=True)
class Week:
    """What was judged in the last seven days."""

    judged: int = 0
    cost: Decimal | None = None


@dataclass(frozen=True, slots=True)
class EvaluatorRow:
    evaluator: Evaluator
    version: EvaluatorVersion
    #: of the rules that use it
    rules: int
    #: the newest first
    last: list[Judgement] = field(default_factory=list)
    judged_7d: int = 0
    cost_7d: Decimal | None = None


def list_evaluators(scope: ProjectScope) -> list[EvaluatorRow]:
    """The newest first."""
    found = list(evaluators(scope).select_related("created_by").order_by("-created_at", "-pk"))
    versions = latest_versions(found)
    ids = [one.pk for one in found]
    rules = dict(
        Assignment.objects.filter(evaluator_id__in=ids)
        .values_list("evaluator_id")
        .annotate(Count("rule_id"))
        .order_by()
    )
    last, week = last_judgements("evaluator_id", ids), weeks("evaluator_id", ids)
    return [
        EvaluatorRow(
            one,
            versions[one.pk],
            rules.get(one.pk, 0),
            last.get(one.pk, []),
            week.get(one.pk, Week()).judged,
            week.get(one.pk, Week()).cost,
        )
        for one in found
        if one.pk in versions
    ]


def evaluators(scope: ProjectScope) -> QuerySet[Evaluator]:
    return Evaluator.objects.filter(project_id=scope.project_id)


def get_evaluator(scope: ProjectScope, evaluator_id: str) -> Evaluator:
    found = None
    if "\x00" not in evaluator_id:
        found = evaluators(scope).select_related("created_by").filter(pk=evaluator_id).first()
    if found is None:
        raise NotFound(_("There is no such evaluator."))
    return found


def versions_of(evaluator: Evaluator) -> list[EvaluatorVersion]:
    """The newest first."""
    return list(evaluator.versions.select_related("created_by").order_by("-number"))


def latest_of(evaluator: Evaluator) -> EvaluatorVersion:
    return evaluator.versions.select_related("created_by").order_by("-number")[:1].get()


def latest_versions(found: Sequence[Evaluator]) -> dict[str, EvaluatorVersion]:
    """By the evaluator's id."""
    newest = (
        EvaluatorVersion.objects.filter(evaluator__in=[one.pk for one in found])
        .values("evaluator_id")
        .annotate(newest=Max("number"))
    )
    numbers = {row["evaluator_id"]: row["newest"] for row in newest}
    rows = EvaluatorVersion.objects.filter(evaluator_id__in=numbers).select_related("created_by")
    return {row.evaluator_id: row for row in rows.filter(number__in=set(numbers.values()))
            if numbers[row.evaluator_id] == row.number}  # fmt: skip


def last_judgements(by: str, ids: Sequence[str]) -> dict[str, list[Judgement]]:
    """The newest few of each of these, without their long texts. `by` is the column that `ids` are of."""
    recent = timezone.now() - timedelta(days=30)
    numbered = (
        Judgement.objects.filter(**{f"{by}__in": list(ids)}, created_at__gte=recent)
        .annotate(place=Window(RowNumber(), partition_by=F(by), order_by=F("created_at").desc()))
        .defer("log_text", "reasoning", "answer_text")
    )
    found: dict[str, list[Judgement]] = defaultdict(list)
    for one in numbered.filter(place__lte=_LAST).order_by("-created_at"):
        found[getattr(one, by)].append(one)
    return found


def weeks(by: str, ids: Sequence[str]) -> dict[str, Week]:
    """What each of these judged in the last seven days."""
    since = timezone.now() - WEEK
    sums = (
        Judgement.objects.filter(**{f"{by}__in": list(ids)}, ended_at__gte=since, status=JudgementStatus.DONE)
        .order_by()
        .values(by)
        .annotate(judged=Count("pk"), spent=Sum("cost"))
    )
    return {row[by]: Week(row["judged"], row["spent"]) for row in sums}


def default_model(scope: ProjectScope) -> dict[str, Any] | None:
    """{provider, model, parameters} of the project's default judge; None where none was chosen."""
    found = DefaultJudge.objects.filter(project_id=scope.project_id).first()
    return found.model if found else None


def get_trial(scope: ProjectScope, trial_id: str) -> Trial:
    found = None
    if "\x00" not in trial_id:
        found = Trial.objects.filter(project_id=scope.project_id, pk=trial_id).first()
    if found is None:
        raise NotFound(_("There is no such test."))
    return found


def average_cost(evaluator_id: str) -> Decimal | None:
    """Of one judgement, by its last ones; None where none had a price."""
    costs = (
        Judgement.objects.filter(evaluator_id=evaluator_id, status=JudgementStatus.DONE, cost__isnull=False)
        .order_by("-created_at")
        .values_list("cost", flat=True)[:_AVERAGED]
    )
    known = [one for one in costs if one is not None]
    return sum(known, Decimal(0)) / len(known) if known else None
