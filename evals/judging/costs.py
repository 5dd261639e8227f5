"""What judging costs: of answers by the prices that traces are given, of what is to come by its length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone

from accounts.access import ProjectScope
from config.errors import SpanwiseError
from evals.judging.definition import Definition, model_of
from evals.judging.mapping import fill, resolve, suggest
from evals.judging.targets import Target, load, recent
from evals.models import DefaultJudge, EvaluatorKind
from tracing.analytics.encode import MONEY_LIMIT
from tracing.analytics.records import Observation, ObservationType
from tracing.ingest.enrich import price
from tracing.ingest.usage import usage_from_legacy
from tracing.pricing.catalogue import catalogue_for

#: as the store keeps money
_PLACES = Decimal("0.000000000001")
#: characters of most languages that make a token, and tokens of a judge's answer
_CHARACTERS_PER_TOKEN = 4
_ANSWER_TOKENS = 150
MOST_SAMPLES = 5


def cost_of(project_id: str, model: str, usage: Mapping[str, int], at: datetime) -> Decimal | None:
    """None where the model has no price."""
    observation = Observation(
        project_id=project_id,
        trace_id="",
        id="",
        type=ObservationType.GENERATION.value,
        start_time=at,
        model=model,
        provided_usage=usage_from_legacy(None, dict(usage)),
    )
    price(observation, catalogue_for(project_id))
    if not observation.cost:
        return None
    return min(observation.total_cost, MONEY_LIMIT).quantize(_PLACES)


def expected(
    scope: ProjectScope,
    definition: Definition,
    target: str,
    filter: Sequence[Mapping[str, Any]] = (),
    *,
    samples: Sequence[Target] | None = None,
) -> Decimal | None:
    """Of one judgement, by the length of these targets, or without them of what matched lately; None where nothing
    tells. Code costs nothing."""
    if definition.kind == EvaluatorKind.CODE:
        return Decimal(0)
    chosen = definition.model
    if chosen is None:
        default = DefaultJudge.objects.filter(project_id=scope.project_id).first()
        chosen = model_of(default.model) if default else None
    if chosen is None:
        return None
    if samples is None:
        samples = [one.target for one in recent(scope, target, filter=filter, limit=MOST_SAMPLES)]
    characters = _characters(scope, definition, samples, target)
    usage = {"input": characters // _CHARACTERS_PER_TOKEN, "output": _ANSWER_TOKENS}
    return cost_of(scope.project_id, chosen.model, usage, timezone.now())


def _characters(scope: ProjectScope, definition: Definition, samples: Sequence[Target], target: str) -> int:
    """Of a request, on average over a few samples; of the bare messages where there is none."""
    mapping = definition.mapping or suggest(definition.variables, target)
    bare = sum(len(message["content"]) for message in definition.messages)
    lengths = []
    for sample in samples:
        try:
            document = load(scope, sample).document
        except SpanwiseError:
            continue
        values = {name: found.value for name, found in resolve(document, mapping).items()}
        lengths.append(sum(len(fill(message["content"], values)) for message in definition.messages))
    return sum(lengths) // len(lengths) if lengths else bare
