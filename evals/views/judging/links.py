"""Where the pages of evaluators, rules and judgements are."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from accounts.access import ProjectScope
from evals.models import Evaluator, Judgement, Rule


def evaluator_url(evaluator: Evaluator, **parameters: Any) -> str:
    return with_query(reverse("evals:evaluator-detail", args=[evaluator.project_id, evaluator.pk]), **parameters)


def rule_url(rule: Rule) -> str:
    return reverse("evals:rule-detail", args=[rule.project_id, rule.pk])


def judgement_url(judgement: Judgement) -> str:
    return reverse("evals:judgement-detail", args=[judgement.project_id, judgement.pk])


def log_url(scope: ProjectScope, **parameters: Any) -> str:
    return with_query(reverse("evals:judgement-list", args=[scope.project_id]), **parameters)


def with_query(url: str, **parameters: Any) -> str:
    given = {name: value for name, value in parameters.items() if value not in (None, "")}
    return f"{url}?{urlencode(given)}" if given else url
