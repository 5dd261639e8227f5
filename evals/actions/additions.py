"""What was traced becomes items: one object, or all that are selected in a list, as a job."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.access import ProjectScope
from accounts.audit import Actor
from config.errors import Invalid, NotFound, SpanwiseError
from evals.actions.items import put_items
from evals.datasets import picking, values
from evals.datasets.changes import ItemChange
from evals.datasets.picking import FIELDS, Pick
from evals.judging.targets import Target, load
from evals.models import Dataset, DatasetItemVersion, TargetKind
from evals.queries import datasets as dataset_queries
from evals.queries import items as queries
from tracing.actions.jobs import Step, job_kind, start_job
from tracing.models.jobs import Job
from tracing.queries.selection import RowId, Selection, next_selected

KIND = "dataset-add"
_AT_ONCE_SECONDS = 4.0
_AT_A_TIME = 50
_MOST_FAILURES = 100
#: a trace, and one of its observations; that is empty for the trace itself
Source = tuple[str, str]


def document_of(scope: ProjectScope, source: Source) -> dict[str, Any]:
    """What the object says: input, output, metadata. Raises NotFound."""
    trace_id, observation_id = source
    kind = TargetKind.OBSERVATION if observation_id else TargetKind.TRACE
    return load(scope, Target(kind, trace_id=trace_id, observation_id=observation_id), only=picking.SOURCES).document


def picked(document: Mapping[str, Any], picks: Mapping[str, Pick]) -> tuple[dict[str, Any], dict[str, str]]:
    """The value of each field, and why some have none."""
    found, problems = {}, {}
    for name in FIELDS:
        value, problem = picks[name].of(document)
        found[name] = values.cleaned(value)
        if problem:
            problems[name] = problem
    return found, problems


def known_sources(scope: ProjectScope, dataset: Dataset, sources: Sequence[Source]) -> dict[Source, str]:
    """Those of these that items of the dataset come from, with the id of such an item."""
    traces = [trace_id for trace_id, _observation_id in sources]
    found = DatasetItemVersion.objects.filter(
        dataset=dataset, dataset__project_id=scope.project_id, valid_to=None, source_trace_id__in=traces
    )
    rows = found.values_list("source_trace_id", "source_observation_id", "item__item_id")
    known = {(trace_id, observation_id): item_id for trace_id, observation_id, item_id in rows}
    return {source: known[source] for source in sources if source in known}


def start_adding(
    scope: ProjectScope, dataset: Dataset, selection: Selection, picks: Mapping[str, Pick], *, actor: Actor
) -> Job:
    """Raises Invalid where nothing would be taken."""
    if not any(picks[name].source for name in FIELDS):
        raise Invalid(_("Choose where the input comes from."))
    parameters = {
        "selection": selection.as_json(),
        "dataset": dataset.pk,
        "dataset_name": dataset.name,
        "picks": picking.as_json(picks),
    }
    total = None if selection.wanted else len(selection.ids)
    return start_job(scope, KIND, parameters, actor=actor, total=total, at_once_seconds=_AT_ONCE_SECONDS)


@job_kind(KIND, title=gettext_lazy("Add to a dataset"))
def work(scope: ProjectScope, job: Job, step: Step) -> None:
    """Ids come from job and object: a step done twice comes to the same items. What is in the dataset already is left
    out, and counted."""
    selection = Selection.from_json(job.parameters["selection"])
    dataset = dataset_queries.get_dataset(scope, job.parameters["dataset"])
    picks = picking.from_json(job.parameters["picks"])
    actor = Actor(job.author_id or "", job.author_name, job.author_ip)
    while (found := next_selected(scope, selection, step.cursor.get("at", ""), size=_AT_A_TIME)) is not None:
        rows, at = found
        added, present, failures = _add(scope, dataset, rows, picks, str(job.pk), actor)
        counts = job.result.get("counts", {})
        result = {
            **job.result,
            "counts": {
                "items": counts.get("items", 0) + added,
                "known_items": counts.get("known_items", 0) + present,
            },
            "failures": [*job.result.get("failures", []), *failures][:_MOST_FAILURES],
        }
        step.save(cursor={"at": at}, done=len(rows) - len(failures), failed=len(failures), result=result)


def _add(
    scope: ProjectScope, dataset: Dataset, rows: Sequence[RowId], picks: Mapping[str, Pick], job_id: str, actor: Actor
) -> tuple[int, int, list[dict[str, str]]]:
    """How many were added, how many were there, and what could not be added."""
    sources = [(row.trace_id, "" if row.id == row.trace_id else row.id) for row in rows]
    ids = {source: str(uuid.uuid5(uuid.NAMESPACE_OID, f"{job_id} {source}")) for source in sources}
    known = known_sources(scope, dataset, sources)
    fresh = [source for source in sources if known.get(source) in (None, ids[source])]
    changes: dict[Source, ItemChange] = {}
    failures = []
    for source in fresh:
        try:
            found, _problems = picked(document_of(scope, source), picks)
            if all(value is None for value in found.values()):
                raise Invalid(_("There is nothing at the places that were chosen."))
            changes[source] = ItemChange(
                id=ids[source], source_trace_id=source[0], source_observation_id=source[1], **found
            )
        except (Invalid, NotFound) as error:
            failures.append(_failure(source, error))
    if not changes:
        return 0, len(sources) - len(fresh), failures
    outcomes = put_items(scope, dataset, list(changes.values()), actor=actor, skips_same=True, is_logged=False)
    failures += [
        _failure(source, outcome)
        for source, outcome in zip(changes, outcomes, strict=True)
        if isinstance(outcome, SpanwiseError)
    ]
    added = sum(isinstance(outcome, queries.Item) for outcome in outcomes)
    return added, len(sources) - len(fresh), failures


def _failure(source: Source, error: SpanwiseError) -> dict[str, str]:
    return {"trace_id": source[0], "id": source[1] or source[0], "reason": error.words}
