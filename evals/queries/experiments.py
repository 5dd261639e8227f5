"""Experiments as rows: one, those of a project or a dataset, and the items that ran in them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from accounts.access import ProjectScope
from config.errors import NotFound
from evals.models import Dataset, DatasetItem, DatasetItemVersion, Experiment, ExperimentItem, ItemStatus
from evals.models.experiments import BEGAN, LAST
from tracing.queries.paging import Numbered, PageNumber


def experiments(scope: ProjectScope) -> QuerySet[Experiment]:
    return Experiment.objects.filter(project_id=scope.project_id)


def get_experiment(scope: ProjectScope, experiment_id: str) -> Experiment:
    found = find_experiments(scope, [experiment_id])
    if not found:
        raise NotFound("There is no such experiment.")
    return found[0]


def find_experiments(scope: ProjectScope, ids: Sequence[str]) -> list[Experiment]:
    """Those of the ids that are there, in the order of the ids."""
    wanted = [one for one in dict.fromkeys(ids) if "\x00" not in one]
    found = experiments(scope).filter(experiment_id__in=wanted).select_related("dataset", "author")
    by_id = {one.experiment_id: one for one in found}
    return [by_id[one] for one in wanted if one in by_id]


def dataset_named(scope: ProjectScope, name: str) -> Dataset:
    found = None
    if "\x00" not in name:
        found = Dataset.objects.filter(project_id=scope.project_id, name=name).first()
    if found is None:
        raise NotFound("Dataset not found")
    return found


def dataset_with_id(scope: ProjectScope, dataset_id: str) -> Dataset | None:
    if not dataset_id or "\x00" in dataset_id:
        return None
    return Dataset.objects.filter(project_id=scope.project_id, pk=dataset_id).first()


def item_for_run(scope: ProjectScope, item_id: str, at: datetime | None) -> tuple[DatasetItem, DatasetItemVersion]:
    """An active item and what it said at that time, or says now. Raises NotFound."""
    item = None
    if "\x00" not in item_id:
        item = (
            DatasetItem.objects.filter(project_id=scope.project_id, item_id=item_id).select_related("dataset").first()
        )
    if item is not None:
        when = Q(valid_to=None) if at is None else Q(valid_from__lte=at) & (Q(valid_to=None) | Q(valid_to__gt=at))
        version = item.versions.filter(when, status=ItemStatus.ACTIVE).first()
        if version is not None:
            return item, version
    raise NotFound("Dataset item not found")


def list_runs(scope: ProjectScope, dataset: Dataset, number: PageNumber) -> Numbered[Experiment]:
    """Of one dataset, newest first."""
    found = experiments(scope).filter(dataset=dataset)
    newest = found.select_related("dataset").order_by("-created_at", "-pk")
    return Numbered(list(newest[number.offset : number.offset + number.limit]), number, found.count())


def get_run(scope: ProjectScope, dataset: Dataset, name: str) -> Experiment:
    """The newest of this name. Raises NotFound."""
    found = None
    if "\x00" not in name:
        found = experiments(scope).filter(dataset=dataset, name=name).order_by("-created_at", "-pk").first()
    if found is None:
        raise NotFound("Dataset run not found")
    return found


def items_of(experiment: Experiment) -> QuerySet[ExperimentItem]:
    return experiment.items.select_related("experiment").order_by("-created_at", "-pk")


def list_run_items(experiment: Experiment | None, number: PageNumber) -> Numbered[ExperimentItem]:
    """Newest first; none of a run that is not there."""
    if experiment is None:
        return Numbered([], number, 0)
    found = items_of(experiment)
    return Numbered(list(found[number.offset : number.offset + number.limit]), number, found.count())


# --- By time, for the API ---------------------------------------------------------------------------------
def with_times(scope: ProjectScope) -> QuerySet[Any]:
    """`first_at` and `last_at` are the times of the first and last thing that happened in it.

    Each is looked up at one end of an index: to group the items would read all of all experiments for each page.
    """
    items = ExperimentItem.objects.filter(experiment=OuterRef("pk"))
    first = items.annotate(at=BEGAN).order_by("at").values("at")[:1]
    last = items.annotate(at=LAST).order_by("-at").values("at")[:1]
    times = {"first_at": Coalesce(Subquery(first), "created_at"), "last_at": Coalesce(Subquery(last), "created_at")}
    return experiments(scope).annotate(**times).select_related("dataset")


def count_runs(found: Sequence[Experiment]) -> dict[int, int]:
    """How many items ran, by number of the experiment, where any did: an item that ran again counts twice."""
    rows = ExperimentItem.objects.filter(experiment__in=[one.pk for one in found]).order_by()
    return dict(rows.values_list("experiment_id").annotate(Count("pk")))


def with_start(scope: ProjectScope) -> QuerySet[Any]:
    """Items of all experiments; `at` is when each began, as far as it is known."""
    return (
        ExperimentItem.objects.filter(experiment__project_id=scope.project_id)
        .annotate(at=BEGAN)
        .select_related("experiment")
    )


def after(rows: QuerySet[Any], time_field: str, key: tuple[datetime, int]) -> QuerySet[Any]:
    """Those that come after a row, newest first: by this time, then by number."""
    at, number = key
    return rows.filter(Q(**{f"{time_field}__lt": at}) | Q(**{time_field: at, "pk__lt": number}))
