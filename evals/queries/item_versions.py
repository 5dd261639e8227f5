"""What items said at some time. An item may have many versions with large texts, so only what is wanted is read."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from accounts.access import ProjectScope
from evals.models import Dataset, DatasetItemVersion, ExperimentItem, ItemStatus
from evals.queries.items import Item, item_of
from tracing.queries.paging import cut


@dataclass(frozen=True, slots=True)
class Moment:
    """A version in the history of an item, without what it says."""

    version_pk: int
    status: str
    valid_from: datetime
    #: None of the current one
    valid_to: datetime | None

    @property
    def is_archived(self) -> bool:
        return self.status == ItemStatus.ARCHIVED


@dataclass(frozen=True, slots=True)
class Said:
    """What an item of a dataset says, as JSON; empty for null."""

    input: str
    expected: str


@dataclass(frozen=True, slots=True)
class History:
    """A page of the versions of an item, newest first. Older ones began before `older`; None on the last page."""

    moments: list[Moment]
    older: datetime | None


# --- Of one item ----------------------------------------------------------------------------------------
def list_history(
    scope: ProjectScope, dataset: Dataset, item_id: str, *, limit: int, before: datetime | None = None
) -> History:
    """Nothing for an item that is not there."""
    found = _versions_of(scope, dataset, item_id)
    if before is not None:
        found = found.filter(valid_from__lt=before)
    rows = found.values_list("pk", "status", "valid_from", "valid_to")[: limit + 1]
    page = cut([Moment(*row) for row in rows], limit, lambda row: row.valid_from.isoformat())
    return History(page.items, page.items[-1].valid_from if page.next_cursor else None)


def find_version(scope: ProjectScope, dataset: Dataset, item_id: str, at: datetime | None = None) -> Item | None:
    """What it said then. Without a time what it says now, or said last before it was deleted."""
    found = _versions_of(scope, dataset, item_id)
    if at is not None:
        found = found.filter(Q(valid_to=None) | Q(valid_to__gt=at), valid_from__lte=at)
    version = found.select_related("item", "dataset").first()
    return None if version is None else item_of(version)


def _versions_of(scope: ProjectScope, dataset: Dataset, item_id: str) -> QuerySet[DatasetItemVersion]:
    """Newest first, of its time in this dataset: one that was deleted may have begun anew in another."""
    if "\x00" in item_id:
        return DatasetItemVersion.objects.none()
    found = DatasetItemVersion.objects.filter(item__project_id=scope.project_id, item__item_id=item_id)
    return found.filter(dataset=dataset).order_by("-valid_from", "-pk")


# --- Of runs --------------------------------------------------------------------------------------------
def said_when_run(scope: ProjectScope, run_pks: Collection[int]) -> dict[int, Said]:
    """By number of the run, what the datasets say of the items of these: in the version that ran, or else the last.

    Runs of items that are in no dataset are left out.
    """
    runs = ExperimentItem.objects.filter(pk__in=run_pks, experiment__project_id=scope.project_id)
    versions = dict(runs.annotate(version=_version_that_ran()).values_list("pk", "version"))
    wanted = {pk for pk in versions.values() if pk is not None}
    rows = DatasetItemVersion.objects.filter(pk__in=wanted).values_list("pk", "input_text", "expected_output_text")
    texts = {pk: Said(given, expected) for pk, given, expected in rows}
    return {run: texts[version] for run, version in versions.items() if version in texts}


def _version_that_ran() -> Coalesce:
    """Number of the version, of a row of ExperimentItem."""
    every = DatasetItemVersion.objects.filter(
        item__project=OuterRef("experiment__project"),
        item__item_id=OuterRef("item_id"),
        dataset=OuterRef("experiment__dataset"),
    ).order_by("-valid_from", "-pk")
    at = OuterRef("item_version")
    then = every.filter(Q(valid_to=None) | Q(valid_to__gt=at), valid_from__lte=at)
    return Coalesce(Subquery(then.values("pk")[:1]), Subquery(every.values("pk")[:1]))
