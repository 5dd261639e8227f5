"""The scores that a judge's answer becomes. Their ids are made of the judgement's: written again, they are the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
from django.utils import timezone

from accounts.access import ProjectScope
from evals.judging.definition import Definition
from evals.judging.output import Judged, read_output
from evals.judging.targets import Loaded
from evals.models import EvaluatorVersion, Judgement
from evals.models.datasets import json_of
from tracing.actions.removal import delete_scores
from tracing.analytics import store
from tracing.analytics.records import Score, ScoreSource
from tracing.analytics.tables import scores as scores_table
from tracing.ingest.write import put_scores

#: of what a score says as its comment
_LONGEST_COMMENT = 10_000


def answer_of(judged: Judged, loaded: Loaded, name: str, definition: Definition) -> dict[str, Any]:
    """All that the score needs, so that writing it again writes the same."""
    value: Any = list(judged.value) if isinstance(judged.value, tuple) else judged.value
    return {
        "name": name,
        "value": value,
        "reasoning": judged.reasoning[:_LONGEST_COMMENT],
        "data_type": _data_type(judged, definition),
        "environment": loaded.environment,
    }


def _data_type(judged: Judged, definition: Definition) -> str:
    if definition.output is not None:
        return definition.output.data_type
    if isinstance(judged.value, bool):
        return "BOOLEAN"
    return "NUMERIC" if isinstance(judged.value, float) else "CATEGORICAL"


def put(scope: ProjectScope, judgement: Judgement) -> None:
    """Writes what the judge said. Raises Unavailable, and Invalid for what is no score."""
    answer = json_of(judgement.answer_text)
    scores = _scores_of(judgement, answer)
    put_scores(scope, scores)
    _remove_rest(scope, judgement, len(scores))


def _remove_rest(scope: ProjectScope, judgement: Judgement, number: int) -> None:
    """Where several categories fit, by this version or an older one, more may have when it was judged before."""
    rest = [_score_id(judgement, place) for place in range(number, _most_scores(judgement.evaluator_id))]
    if not rest:
        return
    query = store.select(scope, scores_table, scores_table.c.id, scores_table.c.timestamp)
    found = store.rows(scope, query.where(scores_table.c.id.in_(rest)), tag="judge-rest", is_anew=True)
    delete_scores(scope, [(row.id, row.timestamp) for row in found])


def _most_scores(evaluator_id: str) -> int:
    """That any version of an evaluator may have given to a target."""
    outputs = EvaluatorVersion.objects.filter(evaluator_id=evaluator_id).exclude(output_text="")
    read = [read_output(json_of(text)) for text in outputs.values_list("output_text", flat=True).distinct()]
    return max((len(one.categories) for one in read if one.allows_several), default=1)


def _score_id(judgement: Judgement, place: int) -> str:
    """Of several categories each has its own; the first has the judgement's."""
    return f"{judgement.score_id}-and-{place}" if place else judgement.score_id


def _scores_of(judgement: Judgement, answer: dict[str, Any]) -> list[Score]:
    """One; of several categories one for each."""
    now = timezone.now()
    score = Score(
        project_id=judgement.project_id,
        id=judgement.score_id,
        timestamp=judgement.created_at,
        name=answer["name"],
        trace_id=judgement.trace_id,
        observation_id=judgement.observation_id,
        session_id=judgement.session_id,
        source=ScoreSource.EVAL.value,
        data_type=answer["data_type"],
        comment=answer["reasoning"],
        metadata=orjson.dumps(metadata_of(judgement)).decode(),
        environment=answer["environment"],
        execution_trace_id=judgement.execution_trace_id,
        created_at=now,
        updated_at=now,
    )
    value = answer["value"]
    match answer["data_type"]:
        case "NUMERIC":
            return [replace(score, value=float(value))]
        case "BOOLEAN":
            return [replace(score, value=1.0 if value else 0.0, string_value="True" if value else "False")]
        case "TEXT":
            return [replace(score, string_value=value)]
    return [replace(score, id=_score_id(judgement, number), string_value=label) for number, label in enumerate(value)]


def metadata_of(judgement: Judgement) -> dict[str, Any]:
    """The names are those by which the API's lists find what an evaluator or rule gave."""
    found: dict[str, Any] = {"evaluator_id": judgement.evaluator_id}
    if judgement.version is not None:
        found["evaluator_version"] = judgement.version.number
    if judgement.rule_id is not None:
        found["rule_id"] = judgement.rule_id
    return found
